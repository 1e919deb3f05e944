"""The benchmarks' data and tasks: what the peers generate, and that our machine really does the task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import rows
from tradewind.engine.compose import Composition, Machine
from tradewind.engine.snapshot import fresh_state
from tradewind.runtime import bench_start
from tradewind.runtime.bench import Cross, bars_setup, bench, book_setup, inputs_of, outcome, played
from tradewind.runtime.bench_rooms import CUTS, MACHINE, VENUE, Part
from tradewind.runtime.bench_rooms import rooms as priced
from tradewind.runtime.bench_tapes import BOOK_FROM, bars_tape, begins, book_tape, events
from tradewind.runtime.options import BenchOptions
from tradewind.runtime.session import Session
from tradewind.storage.tape import Tape
from tradewind.strategies.base import Bar

SMALL = Capacity(instruments=2, levels=64, orders=256, sources=4, history=64)


def test_events_are_those_of_the_peers_loop() -> None:
    """The peers' generator, written as the loop it is."""
    n, seed = 3_000, 11
    r = np.random.default_rng(seed)
    u = r.random(n)
    level = np.minimum(r.geometric(0.25, n) - 1, 19)
    quantity = np.round(r.exponential(3.0, n) + 0.001, 3)
    up = r.random(n) < 0.5
    gap = r.exponential(1_000_000, n).astype(np.int64)
    bid, ts = 300_000, 1_700_000_000_000_000_000
    made = [(ts, 0, 1, bid - k, 5.0) for k in range(20)] + [(ts, 0, -1, bid + 1 + k, 5.0) for k in range(20)]
    j = len(made)
    while len(made) < n:
        ts += int(gap[j]) + 1
        q, rises = float(quantity[j]), bool(up[j])
        if u[j] < 0.15:
            made.append((ts, 1, 1, bid + 1, q) if rises else (ts, 1, -1, bid, q))
        elif u[j] < 0.16 and rises:
            made += [(ts, 0, -1, bid + 1, 0.0), (ts, 0, 1, bid + 1, q), (ts, 0, -1, bid + 21, 5.0)]
            bid += 1
        elif u[j] < 0.16:
            made += [(ts, 0, 1, bid, 0.0), (ts, 0, -1, bid, q), (ts, 0, 1, bid - 20, 5.0)]
            bid -= 1
        else:
            k = int(level[j])
            made.append((ts, 0, 1, bid - k, q) if rises else (ts, 0, -1, bid + 1 + k, q))
        j += 1
    for column, expected in zip(events(n, seed), np.array(made[:n]).T, strict=True):
        np.testing.assert_array_equal(column.astype(float), expected)


def test_bars_hold_together() -> None:
    tape = bars_tape(5_000)
    assert (np.diff(tape["ts_local"]) == codes.MINUTE).all()
    assert (tape["ref"][1:] == tape["price"][:-1]).all()
    assert ((tape["value"] >> 32) >= 0).all() and ((tape["value"] & 0x80000000) == 0).all()
    assert tape["ref"][0] == 3_000_000 and bars_tape(5_000).tobytes() == tape.tobytes() != bars_tape(5_000, 8).tobytes()


def test_the_book_task_quotes_and_fills() -> None:
    machine = Machine(Composition(capacity=SMALL), compiled=False)
    _, session = played(machine, book_setup(), book_tape(6_000))
    facts = outcome(session)
    assert facts["rows"] == 6_000 and facts["fills"] > 0 and facts["order_actions"] > facts["orders"] > 40
    assert facts["journal_rows"] > facts["order_actions"]
    count = session.state[0]["count"]
    assert count["verdicts"] == count["refused"] == count["skipped"] == 0


def test_the_book_task_decides_at_the_peers_instants() -> None:
    """Every 100 ms from when the first row happened, not from when it was heard."""
    machine, tape = Machine(Composition(capacity=SMALL), compiled=False), book_tape(1_000)
    session = Session(machine, book_setup(), begins(tape))
    session.play(tape, 0)
    sent = {int(order["sent_ns"]) - BOOK_FROM for order in session.state[0]["fact"]["order"] if order["id"]}
    assert min(sent) == 100 * codes.MILLISECOND and not any(ns % (100 * codes.MILLISECOND) for ns in sent)
    bars = bars_tape(10)
    assert begins(bars) < int(bars["ts_local"][0])


def test_compiled_and_python_cross_send_the_same_orders() -> None:
    machine = Machine(Composition(strategies=("sma_cross", "python"), capacity=SMALL), compiled=False)
    tape = bars_tape(1_500)
    _, compiled = played(machine, bars_setup(), tape)
    _, python = played(machine, bars_setup(python=True), tape, python=True)
    assert outcome(compiled)["orders"] > 20
    assert outcome(python)["orders"] == outcome(compiled)["orders"]
    assert python.state[0]["count"]["woken"] == len(tape)


def test_the_python_cross_is_the_cross() -> None:
    closes = bars_tape(400)["price"] / 100.0
    strategy, held = Cross(), 0
    for n, close in enumerate(closes, start=1):
        target = strategy.on_bar(Bar(0, "1m", float(close), 0.0, 0), None)  # type: ignore[arg-type]
        held = held if target is None else target.quantity
        if n >= 30:
            assert (held > 0) == (closes[n - 10 : n].mean() > closes[n - 30 : n].mean())


def test_each_part_of_the_machine_stops_where_it_is_cut() -> None:
    """What is behind the cut leaves no trace, what is before it does, and no part takes itself for the whole."""
    composition = Composition(capacity=SMALL)
    whole = Machine(composition, compiled=False)
    tape = book_tape(2_000)
    told = inputs_of(whole, tape)
    market = told[told["kind"] < codes.REPORT]
    assert (told["kind"] >= codes.REPORT).any()
    counts, hashes = [], {whole.hash}
    for empty in CUTS.values():
        part = Part(composition, empty, compiled=False)
        state, out = fresh_state(part), rows(1 << 12)
        at, why = 0, codes.FULL
        while why == codes.FULL:
            at, why = part.run(state, market, at, len(market), out)
        assert (at, why) == (len(market), codes.END)
        s = state[0]
        counts.append(
            (bool(s["top"]["good"][0]), float(s["group"]["reference"][0]) > 0.0, float(s["flow"]["variance_ticks"][0]) > 0)
        )
        assert s["count"]["submits"] == 0
        hashes.add(part.hash)
    assert counts == [(False, False, False)] * 2 + [(False, False, False), (True, True, False), (True, True, True)]
    assert len(hashes) == len(CUTS) + 1


def test_every_room_is_priced_and_adds_up() -> None:
    tape = book_tape(400)
    machine = Machine(Composition(), compiled=False)
    found = list(priced(book_setup(), tape, inputs_of(machine, tape), turns=1, compiled=False))
    assert [name for name, _, _ in found] == [*CUTS, MACHINE, VENUE]
    np.testing.assert_allclose(np.cumsum([added for _, added, _ in found]), [so_far for _, _, so_far in found])


def test_the_long_tape_begins_again_from_snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The book that is repeated stays believable at every seam: otherwise nobody trades after the first one."""
    monkeypatch.setattr(bench_start, "CHUNK", 2_000)
    bench_start.long_tape(tmp_path / "tape", 5_000)
    tape = Tape.open(tmp_path / "tape")
    told = np.concatenate(list(tape.segments()))
    assert len(told) == 5_000 and (np.diff(told["ts_local"]) >= 0).all()
    assert ((told["marks"] & codes.SNAPSHOT) != 0).sum() == 3 * 40
    machine = Machine(Composition(capacity=SMALL), compiled=False)
    session = Session(machine, book_setup(), int(told[0]["ts_local"]) - 1)
    session.play(told, 0, 0, 4_100)
    before, verdicts = int(session.state[0]["count"]["submits"]), int(session.state[0]["count"]["verdicts"])
    session.play(told, 0, 4_100, 5_000)
    assert int(session.state[0]["count"]["submits"]) > before
    assert verdicts == 0


def test_an_unknown_item_is_named() -> None:
    with pytest.raises(BadUse, match="'C'"):
        bench(BenchOptions(item="C"))
