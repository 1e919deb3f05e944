"""Seats: every wake is asked, every answer arrives in order, and the journal is whole whatever happens at a seat."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec
import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import NoRoom, StrategyFault
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import Rows, rows
from tradewind.engine.compose import Composition, Machine
from tradewind.engine.prelude import StrategySetup
from tradewind.engine.snapshot import fresh_venue
from tradewind.runtime.bench import bars_setup
from tradewind.runtime.bench_tapes import bars_tape
from tradewind.runtime.seats import Inbox
from tradewind.runtime.session import Session
from tradewind.strategies.base import Bar, Market, Target

SMALL = Capacity(instruments=2, levels=64, orders=256, sources=4, history=64)
BARS = 400


class Listener:
    """Notes what it is told, counts in its declared memory, and wishes something now and then."""

    wakes = ("bar", "1m")
    memory_fields = (("seen", "i8"), ("untouched", "f8"), ("last", "f8"))

    def __init__(self, *, fails_at: int = -1) -> None:
        self.parameters: Mapping[str, float] = {}
        self.memory = np.zeros(1, list(self.memory_fields))[0]
        self.fails_at = fails_at
        self.heard: list[int] = []
        self.closes: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []

    def on_bar(self, bar: Bar, market: Market) -> Target | None:
        """A small target on every seventh bar."""
        self.heard.append(bar.end_ns)
        self.closes.append(market.closes(20))
        if len(self.heard) == self.fails_at:
            raise RuntimeError("a strategy failed")
        self.memory["seen"] += 1
        self.memory["last"] = bar.close
        return Target(1_000 if len(self.heard) % 14 else 0) if len(self.heard) % 7 == 0 else None


class Kept:
    """A journal in memory."""

    def __init__(self) -> None:
        self.parts: list[Rows] = []

    def append(self, new: Rows, digest: int = 0) -> None:
        """Keeps a copy."""
        self.parts.append(new.copy())

    @property
    def rows(self) -> Rows:
        """All of them."""
        return np.concatenate(self.parts)


@cache
def machine() -> Machine:
    """Two seats behind a compiled strategy that acts on the same bars."""
    return Machine(Composition(strategies=("sma_cross", "python", "python"), capacity=SMALL), compiled=False)


def session(first: Listener, second: Listener, journal: Kept | None = None) -> Session:
    """The first seat hears one-minute bars, the second five-minute ones; the cross trades on both."""
    setup = bars_setup()
    cross = msgspec.structs.replace(setup.strategies[0], parameters={"quantity": 1e5, "slip_bp": 20.0, "fast": 2.0, "slow": 4.0})
    seats = [StrategySetup(parameters={"frames": frames}, instruments=(0,)) for frames in (1.0, 2.0)]
    setup = msgspec.structs.replace(setup, strategies=[cross, *seats], timeframes=("1m", "5m"))
    given = {1: (first, codes.MILLISECOND), 2: (second, codes.MILLISECOND)}
    return Session(machine(), setup, int(bars_tape(1)[0]["ts_local"]) - 1, given, journal)  # type: ignore[arg-type]


def test_every_wake_is_asked_though_orders_stand_between() -> None:
    first, second, journal = Listener(), Listener(), Kept()
    session(first, second, journal).play(bars_tape(BARS), 0)
    told = journal.rows
    wakes = told[told["kind"] == codes.WAKE]
    assert first.heard == wakes["ts_local"][wakes["strategy"] == 1].tolist() and len(first.heard) == BARS
    assert second.heard == wakes["ts_local"][wakes["strategy"] == 2].tolist() and len(second.heard) == BARS // 5
    at = np.flatnonzero((told["kind"] == codes.WAKE) & (told["strategy"] == 2))
    assert (told["kind"][at - 1] == codes.SUBMIT).any()  # the case: an order was sent between two wakes of one step


def test_the_journal_is_the_same_however_it_is_played() -> None:
    tape, whole, pieces = bars_tape(BARS), Kept(), Kept()
    one, other = session(Listener(), Listener(), whole), session(Listener(), Listener(), pieces)
    one.play(tape, 0)
    for start in range(BARS):
        other.play(tape, 0, start, start + 1)
    assert whole.rows.tobytes() == pieces.rows.tobytes() and one.digest == other.digest
    assert len(whole.parts) == 2 < len(pieces.parts)  # the prelude, then all wakes together
    assert len(whole.rows) == one.emitted + len(whole.parts[0])
    memory = whole.rows[whole.rows["kind"] == codes.MEMORY]
    assert set(memory["ref"].tolist()) == {0, 2} and memory["value"][(memory["ref"] == 0) & (memory["strategy"] == 1)][-1] > 300
    assert one.state[0]["memory"][1, 0, 0] == memory["value"][(memory["ref"] == 0) & (memory["strategy"] == 1)][-1]


def test_what_happened_before_a_strategy_failed_is_in_the_journal() -> None:
    journal = Kept()
    run = session(Listener(fails_at=50), Listener(), journal)
    with pytest.raises(StrategyFault, match="RuntimeError"):
        run.play(bars_tape(BARS), 0)
    assert (journal.rows["kind"] == codes.WAKE).sum() == 50 + 10  # the step that failed included


def test_closes_are_the_last_ones_in_order() -> None:
    tape, heard = bars_tape(BARS), Listener()
    session(heard, Listener()).play(tape, 0)
    prices = tape["price"] / 100.0
    for n, closes in enumerate(heard.closes, start=1):
        np.testing.assert_array_equal(closes, prices[max(0, n - 20) : n])


def test_answers_wait_in_the_order_they_are_due() -> None:
    physics = fresh_venue(machine())
    inbox = Inbox(physics)
    for due, ref in ((50, 0), (30, 1), (50, 2), (10, 3), (30, 4)):
        inbox.send(2, 1, due, (codes.TARGET, 7, -8, ref, -9))
    clock, held = physics[0]["clock"], physics[0]["inbox"]
    assert (clock["n_inbox"], clock["next_due"]) == (5, 10)
    assert held["ref"][:5].tolist() == [3, 1, 4, 0, 2] and held["ts_local"][:5].tolist() == [10, 30, 30, 50, 50]
    expected = rows(1)[0]
    for name, value in {
        "kind": codes.TARGET, "marks": codes.WHOLE, "strategy": 2, "instrument": 1, "ts_local": 10, "price": 7, "quantity": -8,
        "ref": 3, "value": -9,
    }.items():  # fmt: skip
        expected[name] = value
    assert held[0] == expected
    with pytest.raises(NoRoom, match="strategy 2"):
        for _ in range(len(held)):
            inbox.send(2, 1, 60, (codes.TARGET, 0, 0, 0, 0))
