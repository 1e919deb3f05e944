"""Rows lost, swapped or told twice between rim and machine: nobody decides on what they spoilt. Compiled, a thousand seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from machines import default_machine
from tradewind.domain import codes
from tradewind.domain.rows import Rows, rows
from tradewind.engine.prelude import Limits, Prelude, Setup, StrategySetup
from tradewind.engine.snapshot import fresh_state, fresh_venue, restore

from .stage import T0, Stage, instruments

SEEDS = 1_000
BOOKS = 3  # instruments with a depth stream; the one after them is known by best quotes alone
MESSAGES = 700
TICK_NS = 500_000  # journal time between rows
LISTED = instruments("a:BTC/USD", "b:BTC/USD", "c:BTC/USD", "d:BTC/USD")
PARAMETERS = {"quantity": 10.0, "every_ms": 3.0}


class Ground:
    """One honest tape, the machine that plays it, and the state after the prelude."""

    def __init__(self) -> None:
        self.machine = default_machine()
        self.tape = _tape()
        setup = Setup(
            instruments=LISTED, reporting="USD",
            strategies=[StrategySetup(parameters=PARAMETERS, instruments=(0, 1, 2, 3)), StrategySetup(), StrategySetup()],
            balances={(x.venue, a): 1e9 for x in LISTED for a in ("BTC", "USD")}, limits=Limits(orders_per_s=10**6),
        )  # fmt: skip
        self.state, self.venue, self.out = fresh_state(self.machine), fresh_venue(self.machine), rows(1 << 15)
        prelude = Prelude(self.machine, setup, T0)
        prelude.set_up_venue(self.venue)
        self.play(prelude.rows())
        self.first = self.state.copy(), self.venue.copy()
        self.plain = list(zip(*(self.tape[name].tolist() for name in ("kind", "instrument", "marks", "stream_seq")), strict=True))

    def reset(self) -> None:
        restore(self.state, self.first[0])
        restore(self.venue, self.first[1])

    def play(self, tape: Rows) -> Rows:
        """The SUBMIT and VERDICT rows of a whole tape."""
        i, reason, kept = 0, codes.FULL, []
        while reason == codes.FULL:
            i, reason = self.machine.drive(self.state, self.venue, tape, i, len(tape), 0, self.out)
            said = self.out[: int(self.state[0]["clock"]["n_out"])]
            kept.append(said[np.isin(said["kind"], (codes.SUBMIT, codes.VERDICT))])
        assert reason == codes.END, int(self.state[0]["clock"]["fault"])
        return np.concatenate(kept)


def _tape() -> Rows:
    """Walking books of three venues and a venue of best quotes; every book is sent anew now and then."""
    rng = np.random.default_rng(3)
    stage = Stage(LISTED, every_ms=0.0)  # lends its row makers
    parts: list[Rows] = []
    price = 10_000_000
    best = [0] * BOOKS
    for n in range(MESSAGES):
        i = n % (BOOKS + 1)
        price += int(rng.integers(-2, 3)) * 3
        if i == BOOKS:
            parts.append(stage.touch(i, price * 1e-4))
        elif n < BOOKS + 1 or rng.random() < 0.03:
            best[i] = price
            parts.append(stage.snapshot(i, price * 1e-4, marks=0 if n < BOOKS + 1 else codes.RESYNC))
        else:
            parts.append(stage.diff(i, _moved(best[i], price, n)))
            parts.append(stage.snapshot(i, price * 1e-4, marks=codes.RESYNC) if rng.random() < 0.03 else rows(0))
            best[i] = price
    tape = np.concatenate(parts)
    tape["ts_local"] = tape["ts_venue"] = T0 + codes.SECOND + TICK_NS * np.arange(len(tape))
    return tape


def _moved(old: int, new: int, quantity: int) -> list[tuple[int, int, int]]:
    """The levels that turn a book of five levels a side around `old` into one around `new`."""
    levels = []
    for side, sign in ((codes.BUY, -1), (codes.SELL, 1)):
        fresh = [new + sign * k for k in range(1, 6)]
        levels += [(side, old + sign * k, 0) for k in range(1, 6) if old + sign * k not in fresh]
        levels += [(side, at, quantity) for at in fresh]
    return levels


def spoilt(n: int, rng: Any) -> list[int]:
    """The honest order of n rows with one to four rows lost, swapped with a later one, or told again later."""
    order = list(range(n))
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(20, len(order) - 40))
        away = int(rng.choice((1, 1, 2, 7, 30)))
        kind = int(rng.integers(3))
        if kind == 0:
            del order[at]
        elif kind == 1:
            order[at], order[at + away] = order[at + away], order[at]
        else:
            order.insert(at + away, order[at])
    return order


@dataclass
class Naive:
    """Whether an instrument may be used, by definition: no row of its stream is missing since its last whole picture."""

    last: int = 0
    trusted: bool = False
    healing: bool = False
    spells: list[tuple[int, int]] = field(default_factory=list)  # (index of the row, trusted from then on)

    def see(self, at: int, kind: int, marks: int, seq: int) -> None:
        before = self.trusted
        if seq != self.last + 1 and self.last and not marks & codes.RESYNC:
            if seq <= self.last:
                return
            self.trusted = self.healing = False
        self.last = seq
        whole = kind == codes.QUOTE or marks & codes.SNAPSHOT
        if marks & codes.FIRST:
            self.healing = bool(whole)
        if marks & codes.LAST and self.healing and whole:
            self.trusted, self.healing = True, False
        if self.trusted != before:
            self.spells.append((at, self.trusted))


def untrusted(order: list[int], plain: list[tuple[int, int, int, int]]) -> list[Naive]:
    judges = [Naive() for _ in LISTED]
    for at, index in enumerate(order):
        kind, i, marks, seq = plain[index]
        judges[i].see(at, kind, marks, seq)
    return judges


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground()


def test_the_honest_tape_is_traded_everywhere(ground: Ground) -> None:
    """Without faults nothing is told, and every instrument sees orders: what follows is not true for want of decisions."""
    ground.reset()
    said = ground.play(ground.tape)
    assert not (said["kind"] == codes.VERDICT).any(), said
    assert np.bincount(said["instrument"], minlength=4).min() > 20


def test_no_decision_rests_on_a_stream_with_a_hole(ground: Ground) -> None:
    """After an unannounced hole no order goes to that instrument until a whole picture of it came."""
    spells, submits, after_heal = 0, 0, 0
    stamps = ground.tape["ts_local"]
    for seed in range(SEEDS):
        order = spoilt(len(ground.plain), np.random.default_rng(seed))
        tape = ground.tape[order]
        tape["ts_local"] = stamps[0] + TICK_NS * np.arange(len(order))  # the machine sees rows when they come
        ground.reset()
        said = ground.play(tape)
        sent = said[said["kind"] == codes.SUBMIT]
        submits += len(sent)
        for i, judge in enumerate(untrusted(order, ground.plain)):
            seen = np.searchsorted(
                tape["ts_local"], sent["ts_local"][sent["instrument"] == i], side="left"
            )  # rows before each order
            for begin, end in _bad(judge.spells, len(order)):
                spells += 1
                assert not ((seen > begin) & (seen <= end)).any(), (seed, i, begin, end)
                after_heal += int((seen > end).any())
            assert bool(ground.state[0]["top"]["condition"][i] == codes.SYNCED) == judge.trusted, (seed, i)
    assert spells > SEEDS and submits > 100 * SEEDS and after_heal > SEEDS // 4


def _bad(spells: list[tuple[int, bool]], n: int) -> list[tuple[int, int]]:
    """(row that spoilt it, row that healed it) of every spell without trust, the first wait for a picture left out."""
    bad, begin = [], None
    for at, trusted in spells:
        if not trusted:
            begin = at
        elif begin is not None:
            bad.append((begin, at))
            begin = None
    return bad if begin is None else [*bad, (begin, n)]
