"""`tradewind bench`: our own figures on the peers' tasks, with every room composed and every journal row produced.

A: a moving-average cross over bars, compiled and as a Python strategy woken on every bar, and a sweep of it. B: quoting
both sides of a book every 100 ms under latency, queue position and fees; then one step at a time, as live. D: indicators.
rooms: what each room of B costs. start: cold and warm starts. memory: what a long tape needs.
Each record says which machine it was, how many orders and fills it made and what was left of the money.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tradewind import __version__
from tradewind.domain import codes
from tradewind.domain.errors import BadUse, TradewindError
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import Rows, rows
from tradewind.engine.compose import Composition, Machine, straight
from tradewind.engine.prelude import Latency, Limits, Setup, StrategySetup
from tradewind.engine.snapshot import fresh_state
from tradewind.storage.journal import JournalHeader, JournalWriter, expand
from tradewind.strategies.base import Bar, Market, Target

from .bench_tapes import BAR_COIN, BOOK_COIN, bars_tape, begins, book_tape
from .options import BenchOptions
from .seats import word_of
from .session import Session
from .sweep import sweep_machine

Say = Callable[[str], None]
Record = dict[str, Any]
RUNS = 3  # timed runs after a warm one; the median counts
STEPS = 50_000
BARS_COMPOSITION = Composition(strategies=("sma_cross", "python"), capacity=Capacity(instruments=16))
ONE_BTC = 100_000  # quantity units of the bars' instrument


def bench(options: BenchOptions, *, say: Say = lambda text: None) -> list[Record]:
    """One record a figure, in the form of the shared benchmarks. Raises BadUse for an unknown item."""
    items = {"A": bars, "B": book, "D": indicators, "rooms": room_costs, "start": start_times, "memory": peaks}
    if options.item is not None and options.item not in items:
        raise BadUse(f"no item {options.item!r}", expected=f"one of {', '.join(items)}")
    found: list[Record] = []
    for name, item in items.items():
        if options.item in (None, name):
            for record in item(options.n, say) if name != "memory" else peaks(options.n, say, full=options.full):
                say(f"{record['item']} {record['figure']}: {record['value']:,} {record['unit']}")
                found.append(record)
    return found


def _record(item: str, figure: str, value: float, unit: str, machine: Machine | None = None, **more: Any) -> Record:
    known = {} if machine is None else {"machine_hash": machine.hash, "build": machine.build}
    return {
        "item": item, "peer": "tradewind", "figure": figure, "value": float(f"{value:.5g}"), "unit": unit,
        **known, **more, "ver": f"tradewind={__version__}",
    }  # fmt: skip


# Tasks ---------------------------------------------------------------------------------------------------------------------


def bars_setup(*, python: bool = False) -> Setup:
    """Long or flat by a 10/30 cross with one whole coin, compiled or in Python; 0.1 % fee."""
    compiled = StrategySetup(parameters={"quantity": float(ONE_BTC), "slip_bp": 20.0}, instruments=() if python else (0,))
    seat = StrategySetup(parameters={"frames": 1.0}, instruments=(0,) if python else ())
    return Setup(
        instruments=[BAR_COIN], reporting="USDT", strategies=[compiled, seat], balances={("bench", "USDT"): 1e9},
        timeframes=("1m",), bars_only=True, stale_ns=5 * codes.MINUTE, limits=Limits(max_age_ns=5 * codes.MINUTE),
        tuning={"enabled": 0.0, "period_s": 86_400.0},
    )  # fmt: skip


def book_setup() -> Setup:
    """A quote of 0.01 one tick behind the touch on both sides, renewed every 100 ms; 2 ms feed, 5 ms either way."""
    quoting = StrategySetup(parameters={"quantity": 10.0, "every_ms": 100.0, "max_inventory": 100.0}, instruments=(0,))
    return Setup(
        instruments=[BOOK_COIN], reporting="USDT", strategies=[quoting, StrategySetup(), StrategySetup()],
        balances={("bench", "BTC"): 1e5, ("bench", "USDT"): 1e9}, latencies={"bench": Latency(partial_fills=False)},
        limits=Limits(orders_per_s=10_000), tuning={"enabled": 0.0},
    )  # fmt: skip


class Cross:
    """The 10/30 cross as a strategy in Python: running sums of closes, a target where the sign changes."""

    wakes = ("bar", "1m")

    def __init__(self) -> None:
        self.parameters: Mapping[str, float] = {}
        self.closes: deque[float] = deque(maxlen=30)
        self.fast = self.slow = 0.0
        self.long = False

    def on_bar(self, bar: Bar, market: Market) -> Target | None:
        """One coin while the fast average is above the slow one, else none."""
        closes, close = self.closes, bar.close
        if len(closes) == 30:
            self.slow -= closes[0]
        self.slow += close
        self.fast += close - (closes[-10] if len(closes) >= 10 else 0.0)
        closes.append(close)
        if len(closes) < 30:
            return None
        long = self.fast * 3.0 > self.slow
        if long == self.long:
            return None
        self.long = long
        return Target(ONE_BTC if long else 0)


# Runs ----------------------------------------------------------------------------------------------------------------------


def played(machine: Machine, setup: Setup, tape: Rows, *, python: bool = False) -> tuple[float, Session]:
    """Seconds of one run over the whole tape, without its set-up, and the session."""
    seats = {1: (Cross(), codes.MILLISECOND)} if python else None
    session = Session(machine, setup, begins(tape), seats)  # type: ignore[arg-type]
    start = time.perf_counter()
    session.play(tape, 0)
    return time.perf_counter() - start, session


def outcome(session: Session) -> Record:
    """What a run did: orders sent, everything asked of the venue, fills, money left, journal rows."""
    count = session.state[0]["count"]
    submits, cancels = int(count["submits"]), int(count["cancels"])
    return {
        "rows": session.rows, "orders": submits, "order_actions": submits + cancels, "fills": int(count["fills"]),
        "equity": round(session.equity(), 2), "journal_rows": session.emitted, "digest": session.digest,
    }  # fmt: skip


def _median_run(machine: Machine, setup: Setup, tape: Rows, *, python: bool = False) -> tuple[float, Record]:
    played(machine, setup, tape[: min(len(tape), 100_000)], python=python)
    done = [played(machine, setup, tape, python=python) for _ in range(RUNS)]
    taken = [seconds for seconds, _ in done]
    rates = [float(f"{len(tape) / seconds:.4g}") for seconds in taken]
    return float(np.median(taken)), {**outcome(done[-1][1]), "runs": rates}


def bars(n: int | None, say: Say) -> Iterator[Record]:
    """Item A."""
    machine = Machine(BARS_COMPOSITION)
    tape = bars_tape(n or 1_000_000)
    say("A: composing the machine")
    seconds, facts = _median_run(machine, bars_setup(), tape)
    yield _record("A", "bars_per_s", len(tape) / seconds, "bar/s", machine, note="compiled strategy", **facts)
    seconds, facts = _median_run(machine, bars_setup(python=True), tape, python=True)
    yield _record(
        "A", "bars_per_s_python", len(tape) / seconds, "bar/s", machine, note="Python strategy woken on every bar", **facts
    )
    yield sweep_figure(machine, tape[: max(len(tape) // 10, 1000)])


def sweep_figure(machine: Machine, tape: Rows, combos: int = 1000) -> Record:
    """The cross with `combos` pairs of lengths over the same bars."""
    side = round(combos**0.5)
    pairs = [{"sma_cross.fast": 5 + a, "sma_cross.slow": 50 + 5 * b} for a in range(side) for b in range(-(-combos // side))][
        :combos
    ]
    threads = os.cpu_count() or 1
    sweep_machine(machine, bars_setup(), [tape[:1000]], pairs[:64], threads=threads)
    start = time.perf_counter()
    points = sweep_machine(machine, bars_setup(), [tape], pairs, threads=threads)
    seconds = time.perf_counter() - start
    return _record(
        "A-sweep", "combo_bars_per_s", combos * len(tape) / seconds, "combo*bar/s", machine, combos=combos, bars=len(tape),
        threads=threads, orders=sum(p.orders for p in points), fills=sum(p.fills for p in points),
        equity=round(max(p.equity for p in points), 2), note="best equity; the same machine, every room, many accounts a market",
    )  # fmt: skip


def book(n: int | None, say: Say) -> Iterator[Record]:
    """Item B."""
    machine = Machine(Composition())
    tape = book_tape(n or 5_000_000)
    say("B: composing the machine")
    seconds, facts = _median_run(machine, book_setup(), tape)
    note = "2 ms feed, 5 ms order and report latency, risk-averse queue, no partial fills"
    yield _record("B", "events_per_s", len(tape) / seconds, "ev/s", machine, note=note, **facts)
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder:
        yield from _journalled(machine, tape, Path(folder))
        yield from _steps(machine, tape[:STEPS], Path(folder))


def _header(machine: Machine) -> JournalHeader:
    return JournalHeader(
        run="bench", machine_hash=machine.hash, build=machine.build, configuration="{}", instruments=[BOOK_COIN], streams=[],
        tape=None, made_by=f"tradewind {__version__}", created_ts=0,
    )  # fmt: skip


def _journalled(machine: Machine, tape: Rows, folder: Path) -> Iterator[Record]:
    with JournalWriter(folder / "whole", _header(machine), "process") as writer:
        session = Session(machine, book_setup(), begins(tape), None, writer)
        start = time.perf_counter()
        session.play(tape, 0)
        seconds = time.perf_counter() - start
    written = sum(path.stat().st_size for path in (folder / "whole").rglob("*") if path.is_file())
    facts = {**outcome(session), "journal_mb": round(written / 2**20, 1)}
    yield _record("B", "events_per_s_journalled", len(tape) / seconds, "ev/s", machine, note="journal written to files", **facts)


# One step, as live -----------------------------------------------------------------------------------------------------------


class _Kept:
    def __init__(self) -> None:
        self.parts: list[Rows] = []

    def append(self, rows: Rows, digest: int = 0) -> None:
        """Keeps a copy."""
        self.parts.append(rows.copy())


class _One:
    """A tape in memory as the only segment."""

    def __init__(self, tape: Rows) -> None:
        self.tape = tape

    def segment(self, index: int) -> Rows:
        """The tape."""
        return self.tape


def inputs_of(machine: Machine, tape: Rows) -> Rows:
    """Everything the machine was told in a run, in order: prelude, market, reports."""
    kept = _Kept()
    Session(machine, book_setup(), begins(tape), None, kept).play(tape, 0)
    told = np.concatenate(list(expand(kept.parts, _One(tape))))
    given: Rows = told[(told["kind"] < codes.EVIDENCE) | (told["kind"] == codes.COMMIT)]
    return given


def _steps(machine: Machine, tape: Rows, folder: Path) -> Iterator[Record]:
    told = inputs_of(machine, tape)
    for journalled in (False, True):
        with JournalWriter(folder / f"steps{int(journalled)}", _header(machine), "process") as writer:
            taken = _step_times(machine, told, writer if journalled else None)
        for name, share in (("median", 50), ("p99", 99), ("p999", 99.9)):
            figure = f"step_{'journalled_' if journalled else ''}{name}"
            yield _record("B", figure, float(np.percentile(taken, share)), "ns", machine, rows=len(taken), note="one row a call")


def _step_times(machine: Machine, told: Rows, writer: JournalWriter | None) -> np.ndarray[Any, np.dtype[np.int64]]:
    """ns of every step: one row in; before its commands could leave, it and they are appended where there is a journal."""
    state, step = fresh_state(machine), rows(1 + 1024)
    one, out = step[:1], step[1:]
    machine.run(state, one, 0, 0, out)
    run, n_out = straight(machine.run), state.view(np.int64).data
    at = word_of(machine.state_dtype, "clock", "n_out")
    taken = np.zeros(len(told), np.int64)
    now = time.perf_counter_ns
    for k in range(len(told)):
        one[0] = told[k]
        start = now()
        run(state, one, 0, 1, out)
        if writer is not None:
            n = n_out[at]
            writer.append(step[: 1 + n] if n else one)
        taken[k] = now() - start
    return taken[len(told) // 10 :]  # the first steps load code and touch memory for the first time


# Rooms, starts, memory ------------------------------------------------------------------------------------------------------


def room_costs(n: int | None, say: Say) -> Iterator[Record]:
    """What each room adds to item B, in the order of the machine's page."""
    from .bench_rooms import rooms as priced

    machine, tape = Machine(Composition()), book_tape(n or 300_000)
    for room, added, so_far in priced(book_setup(), tape, inputs_of(machine, tape), say=say):
        yield _record(
            "B-rooms", "ns_per_row", added, "ns", machine, room=room, ns_with_rooms_before=float(f"{so_far:.5g}"), rows=len(tape)
        )


def start_times(n: int | None, say: Say) -> Iterator[Record]:
    """Cold compile, warm composition, warm command line."""
    from .bench_start import starts

    say("start: compiling with empty caches")
    for figure, seconds, facts in starts():
        yield _record("start", figure, seconds, "s", None, **facts)


def peaks(n: int | None, say: Say, *, full: bool = False) -> Iterator[Record]:
    """Peak memory of whole backtests."""
    from .bench_start import memory

    for rows_, peak, facts in memory(*((n,) if n else (5_000_000, 50_000_000) if full else (5_000_000,))):
        yield _record("memory", f"peak_{rows_}_rows", peak, "MB", None, **facts)


# Other programs --------------------------------------------------------------------------------------------------------------


def indicators(n: int | None, say: Say) -> Iterator[Record]:
    """Item D, by the script beside the sources."""
    script = Path(__file__).resolve().parents[3] / "benchmarks" / "indicators.py"
    if not script.is_file():
        say("D: benchmarks/indicators.py comes with the sources, not with the package")
        return
    arguments = [sys.executable, str(script), *(["--rows", str(n)] if n else [])]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TradewindError(done.stderr.strip().splitlines()[-1], where=script.name, todo="run it by itself")
    for line in done.stdout.splitlines():
        yield json.loads(line)
