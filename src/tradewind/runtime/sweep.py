"""`tradewind sweep`: one backtest per combination of parameters, through one compiled machine.

A point differs from the configuration by nothing but the values of PARAMETER rows in its prelude. Points whose market is the
same share it (`crowd`): the market's rooms run once for all of them. A few points, or a tape with settings in it, get a state and
a venue each, put back to the beginning as bytes. Points with a strategy in Python go through a session. All give the same, and
every point is a trial and enters the trials file.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse, MachineFault, StrategyFault
from tradewind.domain.reasons import sentence
from tradewind.domain.rows import Rows, rows
from tradewind.engine.compose import Machine, is_plain, straight
from tradewind.engine.prelude import COMMON, Prelude, Setup
from tradewind.engine.snapshot import fresh_state, fresh_venue, restore
from tradewind.monitor import estimators
from tradewind.storage.recording import open_tape
from tradewind.storage.tape import Tape

from . import crowd, trials
from .config import Loaded
from .crowd import Crowd
from .options import SweepOptions
from .overdue import watched
from .planning import SIZING, Plan, declared, first_row_ts, plan
from .seats import word_of
from .session import Session

Say = Callable[[str], None]
Point = Mapping[str, float]
"""Values by `strategy.parameter`."""
Planned = tuple[int, Point, list[int]]
"""A point's number, itself, and the prelude rows that hold its parameters."""
FEW = 16  # points: fewer are not worth compiling the shared driver
TIMES = ".every_ms"  # what splits markets: points are dealt to threads by it
OUT_ROWS = 1 << 14
CUTS = 256  # equity samples of a point


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one point gave; money in the reporting currency, ratios as fractions, Sharpe a year over its samples."""

    parameters: dict[str, float]
    equity: float
    gain: float
    sharpe: float | None
    drawdown: float
    orders: int
    fills: int
    refused: int


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """All points of a sweep, in the order of the grid."""

    points: list[Outcome]
    best: Outcome
    rows_per_s: float
    trials: int
    machine_hash: str
    warnings: list[str]


class Track:
    """What a thread plays on: a state, a venue, room for journal rows; for more than one seat a crowd."""

    def __init__(self, machine: Machine, prelude: Prelude, seats: int = 1) -> None:
        self.state, self.physics, self.out = fresh_state(machine), fresh_venue(machine), rows(OUT_ROWS)
        prelude.set_up_venue(self.physics)
        self.first_state, self.first_physics = self.state.copy(), self.physics.copy()
        machine.drive(self.state, self.physics, rows(1), 0, 0, 0, self.out)  # compiled or loaded before threads begin
        self._drive, self._straight = machine.drive, straight(machine.drive)
        self.crowd = Crowd(machine, seats) if seats > 1 else None
        self._priced: list[bool] = []
        self._floats, self._equity = self.state.view(np.float64).data, word_of(machine.state_dtype, "budget", "equity")

    def reset(self) -> None:
        """Back to before the first row."""
        restore(self.state, self.first_state)
        restore(self.physics, self.first_physics)
        self._priced = []

    def play(self, tape: Rows, stops: Sequence[int]) -> list[float]:
        """Plays from row 0 to the last of `stops`; returns the equity at each. Raises MachineFault."""
        drive = self._straight if is_plain(tape) else self._drive
        state, physics, out, floats, equity = self.state, self.physics, self.out, self._floats, self._equity
        curve: list[float] = []
        at = 0
        for stop in stops:
            while at < stop:
                at, why = drive(state, physics, tape, at, stop, 0, out)
                if why == codes.FAULT:
                    self._fail(at)
            curve.append(floats[equity])
            self._priced.append(bool(self._priced and self._priced[-1]) or crowd.is_priced(state[0], state[0]))
        return curve

    @property
    def priced(self) -> list[bool]:
        """At each stop since the last point joined, whether everything held had a price."""
        return self._priced if self.crowd is None else self.crowd.priced

    def joins(self) -> bool:
        """Whether the point that has played its prelude can be played together with those before it since `play_on`."""
        return self.crowd is None or self.crowd.takes(self.state, self.physics)

    def play_on(self, tape: Rows, stops: Sequence[int]) -> Sequence[Any]:
        """Plays all points that joined; returns the equity of each at every one of `stops`. Raises MachineFault."""
        return self.play(tape, stops) if self.crowd is None else self.crowd.play(tape, stops)

    def counts(self) -> list[Any]:
        """What each point that joined did; then they leave."""
        if self.crowd is None:
            return [self.state[0]["count"]]
        return self.crowd.leave()

    def _fail(self, at: int) -> None:
        fault = int(self.state[0]["clock"]["fault"]) or int(self.physics[0]["clock"]["fault"])
        raise MachineFault(sentence(fault), where=f"row {at}", todo="run this point as a backtest")


def sweep_machine(
    machine: Machine, setup: Setup, tape: Sequence[Rows], grid: Sequence[Point], *, threads: int = 1, names: Sequence[str] = ()
) -> list[Outcome]:
    """One outcome a point, in order. tape: its segments. names: the strategies', else those of their modules."""
    prelude = Prelude(machine, setup, int(tape[0][0]["ts_local"]) - 1)
    begin = prelude.rows()
    plans = [(n, point, [_place(machine, begin, key, names) for key in point]) for n, point in enumerate(grid)]
    threads = max(1, min(threads, len(grid)))
    seats = min(crowd.SEATS, -(-len(grid) // threads)) if not why_apart(grid, tape) else 1
    tracks = [Track(machine, prelude, seats) for _ in range(threads)]
    found: list[Outcome | None] = [None] * len(grid)
    plans.sort(key=lambda planned: [value for key, value in planned[1].items() if key.endswith(TIMES)])
    waiting = iter([plans[n : n + seats] for n in range(0, len(plans), seats)])  # shared: who is free takes the next

    def work(track: Track) -> None:
        try:
            for planned in waiting:
                for n, outcome in _outcomes(track, begin, tape, planned):
                    found[n] = outcome
        finally:
            for _ in waiting:  # after a fault nobody begins another point
                pass

    if len(tracks) == 1:
        work(tracks[0])
    else:
        with ThreadPoolExecutor(len(tracks)) as pool:
            list(pool.map(work, tracks))
    return [outcome for outcome in found if outcome is not None]


def why_apart(grid: Sequence[Point], tape: Sequence[Rows]) -> str:
    """Why points are played one by one; "" where those with the same market share it."""
    if len(grid) < FEW:
        return f"fewer than {FEW} points"
    return "" if crowd.can_share(tape) else "the tape speaks to accounts: settings or an operator"


def _place(machine: Machine, begin: Rows, key: str, names: Sequence[str]) -> int:
    """The prelude row that holds a parameter. Raises BadUse."""
    name, _, parameter = key.partition(".")
    known = list(names) or [module.NAME for module in machine.strategies]
    if name not in known:
        raise BadUse(f"no strategy {name!r} runs here", where=key, expected=f"one of {', '.join(known)}")
    k = known.index(name)
    columns = {p: at for at, p in enumerate(machine.strategies[k].PARAMETERS)} | COMMON
    if parameter not in columns:
        raise BadUse(f"{name} has no parameter {parameter!r}", where=key, expected=f"one of {', '.join(columns)}")
    at = np.flatnonzero((begin["kind"] == codes.PARAMETER) & (begin["strategy"] == k) & (begin["ref"] == columns[parameter]))
    if len(at) == 0:
        raise BadUse(f"{key} is not set", where=key, todo=f"give it a value in the configuration: strategies.{name}.{parameter}")
    return int(at[-1])


def _outcomes(track: Track, begin: Rows, tape: Sequence[Rows], planned: Sequence[Planned]) -> Iterator[tuple[int, Outcome]]:
    """The outcomes of a few points, by number: side by side where their market is the same."""
    ts = _times(tape)
    while planned:
        seated: list[Planned] = []
        apart: list[Planned] = []
        for one in planned:
            _, point, places = one
            mine = begin.copy()
            for at, value in zip(places, point.values(), strict=True):
                mine["value"][at] = round(value * codes.E9)
            track.reset()
            track.play(mine, [len(mine)])
            (seated if track.joins() else apart).append(one)
        curves: list[Any] = []
        for segment in tape:
            curves += track.play_on(segment, _stops(len(segment)))
        whole = _begins(ts, track.priced[-len(ts) :])
        for (n, point, _), curve, count in zip(seated, np.array(curves).reshape(-1, len(seated)).T, track.counts(), strict=True):
            yield n, _summary(point, curve[whole:], ts[whole:], count)
        planned = apart


@cache
def _stops(n: int) -> list[int]:
    """Where n rows are cut for samples of equity: the ends of at most CUTS stretches."""
    step = max(-(-n // CUTS), 1)
    return [min(start + step, n) for start in range(0, n, step)]


def _times(tape: Sequence[Rows]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """When each stop of a tape's segments is."""
    return np.concatenate([segment["ts_local"][np.array(_stops(len(segment))) - 1] for segment in tape])


def _begins(ts: np.ndarray[Any, np.dtype[np.int64]], priced: Sequence[bool]) -> int:
    """The first stop whose equity was marked when everything held had a price; the machine marks it once a second."""
    if not any(priced):
        return len(ts) - 1
    return min(int(np.searchsorted(ts, ts[list(priced).index(True)] + codes.SECOND)), len(ts) - 1)


def _summary(
    point: Point, curve: np.ndarray[Any, np.dtype[np.float64]], ts: np.ndarray[Any, np.dtype[np.int64]], count: Any
) -> Outcome:
    """Equity, as the machine marks it once a second, at the end of every stretch; from the first where all of it has a price."""
    returns = np.diff(curve) / curve[:-1] if (curve > 0.0).all() else np.zeros(0)
    per_year = estimators.YEAR_NS * len(returns) / max(int(ts[-1] - ts[0]), 1)
    return Outcome(
        parameters=dict(point), equity=float(curve[-1]), gain=float(curve[-1] / curve[0] - 1.0) if curve[0] > 0.0 else 0.0,
        sharpe=None if estimators.is_flat(returns) else estimators.sharpe(returns, per_year),
        drawdown=-float(estimators.drawdowns(curve).min()),
        orders=int(count["submits"]), fills=int(count["fills"]), refused=int(count["refused"]),
    )  # fmt: skip


# The command -----------------------------------------------------------------------------------------------------------------


def grid_of(axes: Sequence[str]) -> list[dict[str, float]]:
    """Every combination of `STRATEGY.PARAMETER=A,B,C` axes. Raises BadUse."""
    values: dict[str, list[float]] = {}
    for axis in axes:
        key, equals, listed = axis.partition("=")
        try:
            numbers = [float(x) for x in listed.split(",")]
        except ValueError:
            numbers = []
        if not equals or not numbers or "." not in key or not np.isfinite(numbers).all():
            raise BadUse(f"{axis!r} is no axis", where="--grid", expected="STRATEGY.PARAMETER=A,B,C")
        if key in values:
            raise BadUse(f"{key} is named twice", where="--grid", todo="put all its values into one --grid")
        values[key] = numbers
    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]


def sweep(options: SweepOptions, loaded: Loaded, *, say: Say = lambda text: None) -> Sweep:
    """Plays every point over the tape, adds each to the trials, and gives them all. Raises the errors of `domain.errors`."""
    tape = open_tape(options.tape)
    if tape.rows == 0:
        raise BadData("the tape is empty", where=str(options.tape), expected="at least one row", todo="import it again")
    grid = grid_of(options.grid)
    made = plan(loaded, tape, options.think)
    machine = made.machine()
    threads = options.workers or os.cpu_count() or 1
    apart = "a strategy in Python" if made.seats else why_apart(grid, list(tape.segments()))
    how = f"one by one ({apart})" if apart else "side by side in one market"
    say(f"machine {machine.hash}: {len(grid)} points over {tape.rows:,} rows, {how}")
    start = time.perf_counter()
    if made.seats:
        with watched(say, loaded.config.run.answer_limit_ns):
            points = [_told_apart(machine, made, tape, point) for point in grid]
    else:
        points = sweep_machine(machine, made.setup, list(tape.segments()), grid, threads=threads, names=made.names)
    seconds = time.perf_counter() - start
    points = [_on_capital(point, made.capital) for point in points]
    out = Path(loaded.config.run.out)
    out.mkdir(parents=True, exist_ok=True)
    told = made.to_json()
    tried = trials.add_all(
        out, "+".join(made.names), machine.hash, [(f"{told}{point.parameters}", point.equity) for point in points]
    )
    best = max(points, key=lambda point: point.gain)
    warnings = list(made.notes)
    if tried > 1:
        warnings.append(f"the best of {tried} trials: expect less of it on data it has not seen")
    return Sweep(
        points=points, best=best, rows_per_s=len(points) * tape.rows / max(seconds, 1e-9), trials=tried,
        machine_hash=machine.hash, warnings=warnings,
    )  # fmt: skip


def _on_capital(point: Outcome, capital: float) -> Outcome:
    """The outcome on what was given, which is the first peak too: the first stretch may have lost some of it."""
    gain = point.equity / capital - 1.0
    return msgspec.structs.replace(point, gain=gain, drawdown=max(point.drawdown, -gain))


def _told_apart(machine: Machine, made: Plan, tape: Tape, point: Point) -> Outcome:
    """`_seated`; a strategy that fails, or never answers, is told with the combination at which it does."""
    try:
        return _seated(machine, made, tape, point)
    except StrategyFault as error:
        combination = " ".join(f"{key}={value:g}" for key, value in point.items())
        error.todo = f"mend the strategy, or leave out {combination}; no point of this sweep was kept"
        raise error.at(f"combination {combination}") from None


def _seated(machine: Machine, made: Plan, tape: Tape, point: Point) -> Outcome:
    """One point of a plan with strategies in Python: their objects get the values, compiled ones their PARAMETER rows."""
    changed = _changed(made, point)
    segments = list(tape.segments())
    session = Session(machine, changed.setup, first_row_ts(segments[0]), changed.make_seats())
    curve, priced = [], []
    for number, segment in enumerate(segments):
        for start, stop in pairwise([0, *_stops(len(segment))]):
            session.play(segment, number, start, stop)
            curve.append(float(session.state["budget"]["equity"][0]))
            priced.append(crowd.is_priced(session.state[0], session.state[0]))
    ts = _times(segments)
    whole = _begins(ts, priced)
    return _summary(point, np.array(curve)[whole:], ts[whole:], session.state[0]["count"])


def _changed(made: Plan, point: Point) -> Plan:
    """The plan with a point's values. Raises BadUse for a strategy that is not in it."""
    strategies, seats = list(made.setup.strategies), dict(made.seats)
    for key, value in point.items():
        name, _, parameter = key.partition(".")
        if name not in made.names:
            raise BadUse(f"no strategy {name!r} runs here", where=key, expected=f"one of {', '.join(made.names)}")
        k = made.names.index(name)
        if k in seats and parameter not in (*COMMON, *SIZING):
            known = declared("python", seats[k])
            if parameter not in known:
                raise BadUse(f"{name} has no parameter {parameter!r}", where=key, expected=f"one of {', '.join(known)}")
            seats[k] = msgspec.structs.replace(seats[k], parameters={**seats[k].parameters, parameter: value})
        else:
            values = {**strategies[k].parameters, parameter: value}
            strategies[k] = msgspec.structs.replace(strategies[k], parameters=values)
    return msgspec.structs.replace(made, setup=msgspec.structs.replace(made.setup, strategies=strategies), seats=seats)
