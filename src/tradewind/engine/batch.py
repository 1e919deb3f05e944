"""Features over a whole frame of bars at once: a compiled loop over the very steps the machine runs.

There is no second formula. A small package is composed as a machine is (`compose`), with one page: it takes a bar into
`market.bars` and runs the chosen features' `on_bar`, then copies what they give into columns. So a column's value at a bar
is, bit for bit, what a strategy reads at that bar in backtest, paper and live.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..domain import codes, rows
from ..domain.errors import BadData, BadUse
from ..domain.instruments import Instrument
from ..domain.layout import Capacity
from ..domain.rows import Rows
from .compose import Composition, Machine
from .snapshot import State, fresh_state

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("open", "high", "low", "close", "volume")
CHUNK = 1 << 14  # bars turned into rows at a time: 1 MiB, so that they are still in the cache when the loop reads them
ONE = Capacity(instruments=1, venues=1, assets=2, strategies=1, sources=1, levels=8, orders=8, layers=1, timeframes=1, resting=8)
NEAR = 1e-6  # of a unit: how far a float may lie from the integer it means, or this far relative to its size:
ROUNDING = 1e-15
LARGEST = float(1 << 52)  # beyond it a float has no room for a half
REACH = 1 << 31  # price units a bar may reach beyond its open and close: half a row's value

PAGE = '''"""Generated: bars in, columns of features out."""

from tradewind.kernel.jit import compiled, entry
from tradewind.market import bars

NEAR, ROUNDING, LARGEST, REACH = {NUMBERS}

from .features import on_bar


@entry
def run(state, tape, start, stop, columns, first):
    """Feeds tape[start:stop]; the features after bar tape[n] stand in columns[:, first + n - start]. Returns where it ended."""
    s = state[0]
    stop = min(min(stop, tape.size), start + columns.shape[1] - first)
    for n in range(start, stop):
        if tape[n].instrument != 0:
            return n
        s.clock.now = tape[n].ts_local
        bars.take(s, tape[n], 0, 0)
        on_bar(s, 0, 0)
        copy(s, columns, first + n - start)
    return stop


@entry
def fill(tape, numbers, stop, powers):
    """Turns numbers[:, :stop] (open, high, low, close, volume) into bars; returns the first that is none, or stop."""
    for n in range(stop):
        row = tape[n]
        opened = units(numbers[0, n], powers[0])
        high = units(numbers[1, n], powers[0])
        low = units(numbers[2, n], powers[0])
        close = units(numbers[3, n], powers[0])
        volume = units(numbers[4, n], powers[1])
        above = high - max(opened, close)
        below = min(opened, close) - low
        if low <= 0 or opened < 0 or volume < 0 or above < 0 or below < 0 or above >= REACH or below >= REACH:
            return n
        row.ref = opened
        row.price = close
        row.quantity = volume
        row.value = (above << 32) | below
    return stop


@compiled
def units(x, power):
    """The integer x stands for in units of 1 / power, -1 where it is none."""
    scaled = x * power
    if not 0.0 <= scaled < LARGEST:
        return -1
    whole = int(scaled + 0.5)
    return whole if abs(scaled - float(whole)) <= max(NEAR, scaled * ROUNDING) else -1


@compiled
def copy(s, columns, n):
'''


class Loop(Machine):
    """The compiled loop of some features over the bars of one instrument and timeframe."""

    def __init__(self, names: Sequence[str], *, compiled: bool = True, cache: Path | None = None) -> None:
        super().__init__(Composition(strategies=(), features=tuple(names), capacity=ONE), compiled=compiled, cache=cache)
        deaf = [name for name, module in zip(names, self.features, strict=True) if not hasattr(module, "GIVES")]
        if deaf or not names:
            raise BadUse(
                f"{deaf[0]} listens to books or trades, not to bars" if deaf else "no feature is named",
                expected="features of bars: such as rsi or macd",
                todo="read features of books and trades from a backtest of a tape",
            )
        self.build = hashlib.sha256((self.build + self.page()).encode()).hexdigest()[:16]

    @property
    def outputs(self) -> list[tuple[str, str, int]]:
        """(`feature.field`, its unit, bars it needs) of every column, in order."""
        return [
            (f"{name}.{field}", unit, bars)
            for name, module in zip(self.composition.features, self.features, strict=True)
            for field, (unit, bars) in module.GIVES.items()
        ]

    def page(self) -> str:
        """The source of the loop."""
        fields = [(module.NAME, field) for module in self.features for field in module.GIVES]
        lines = [f"    columns[{n}, n] = s.{table}[0, 0].{field}\n" for n, (table, field) in enumerate(fields)]
        return PAGE.replace("{NUMBERS}", f"{NEAR}, {ROUNDING}, {LARGEST}, {REACH}") + "".join(lines)

    def _write(self, folder: Path) -> None:
        if (folder / "loop.py").exists():
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
        (aside / "__init__.py").write_text('"""A composed loop over bars."""\n')
        (aside / "features.py").write_text(self.feature_hooks())
        (aside / "loop.py").write_text(self.page())
        try:
            aside.rename(folder)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)  # another process was first; its package is the same

    @property
    def play(self) -> Any:
        """loop.run(state, tape, start, stop, columns, first) -> next; stops at a row of another instrument than 0."""
        return self._load("loop").run

    def rows_of(self, frame: pl.DataFrame, timeframe: int, instrument: Instrument) -> Iterator[Rows]:
        """The frame's bars as rows in the instrument's units, in chunks; the same array each time. Raises BadData."""
        missing = [name for name in COLUMNS if name not in frame.columns]
        if missing:
            raise BadData(f"the frame lacks {', '.join(missing)}", expected=", ".join(COLUMNS))
        words = [name for name in COLUMNS if not frame.schema[name].is_numeric()]
        if words:
            raise BadData(f"column {words[0]} is {frame.schema[words[0]]}", expected="numbers")
        fill, ends = self._load("loop").fill, _ends(frame, codes.TIMEFRAME_NS[timeframe])
        powers = np.array([10.0**instrument.price_exponent, 10.0**instrument.quantity_exponent])
        chunk, numbers = rows.rows(CHUNK), np.empty((len(COLUMNS), CHUNK))
        chunk["kind"], chunk["marks"], chunk["strategy"] = codes.BAR, codes.WHOLE, timeframe
        for start in range(0, frame.height, CHUNK):
            piece = frame[start : start + CHUNK]
            for n, name in enumerate(COLUMNS):
                numbers[n, : piece.height] = piece[name].to_numpy()
            good = fill(chunk, numbers, piece.height, powers)
            if good < piece.height:
                raise _bad_bar(piece.row(good, named=True), start + good, instrument)
            part = chunk[: piece.height]
            part["ts_venue"] = part["ts_local"] = ends[start : start + CHUNK]
            yield part

    def state(self, timeframe: int) -> State:
        """A state before the first bar, of that timeframe (a code)."""
        state = fresh_state(self)
        state[0]["frame_ns"], state[0]["frame_code"] = codes.TIMEFRAME_NS[timeframe], timeframe
        return state


def features(
    frame: pl.DataFrame,
    names: Sequence[str],
    timeframe: str,
    instrument: Instrument,
    loop: Loop | None = None,
) -> pl.DataFrame:
    """The features of a frame of bars, one row a bar: columns `feature.field`, null until the feature is warm.

    frame: open, high, low, close, volume and, where it has one, timestamp (the bar's beginning), oldest first; numbers in
    whole units of quote and base asset. timeframe: such as "1m". Prices come out in the quote asset, ratios as fractions.
    loop: of the same names, to use again. Raises BadUse for an unknown feature or timeframe, BadData for a bar that is none.
    """
    if timeframe not in codes.TIMEFRAME_NAMES:
        raise BadUse(f"no timeframe {timeframe!r}", expected=f"one of {', '.join(codes.TIMEFRAME_NAMES)}")
    import polars as pl

    code = codes.TIMEFRAME_NAMES.index(timeframe)
    loop = loop or Loop(names)
    columns = np.empty((len(loop.outputs), frame.height))
    powers = {"price": 10.0**instrument.price_exponent, "quantity": 10.0**instrument.quantity_exponent}
    divisors = np.array([[powers.get(unit, 1.0)] for _, unit, _ in loop.outputs])
    state, run, done = loop.state(code), loop.play, 0
    for chunk in loop.rows_of(frame, code, instrument):
        run(state, chunk, 0, len(chunk), columns, done)
        columns[:, done : done + len(chunk)] /= divisors
        done += len(chunk)
    made = [frame["timestamp"]] if "timestamp" in frame.columns else []
    for values, (name, _, warm) in zip(columns, loop.outputs, strict=True):
        cold = min(warm - 1, frame.height)
        made.append(pl.concat([pl.Series(name, [None] * cold, pl.Float64), pl.Series(name, values[cold:])]))
    return pl.DataFrame(made)


def _ends(frame: pl.DataFrame, step: int) -> NDArray[np.int64]:
    """When each bar was finished, ns; by count where the frame has no times."""
    if "timestamp" not in frame.columns:
        return np.arange(1, frame.height + 1, dtype=np.int64) * step
    ends = frame["timestamp"].dt.epoch("ns").to_numpy() + step
    wrong = np.flatnonzero(np.diff(ends) <= 0)
    if len(wrong):
        raise BadData("bars out of order", where=f"row {int(wrong[0]) + 1}", expected="each bar later than the one before")
    return np.asarray(ends, np.int64)


def _bad_bar(bar: dict[str, Any], at: int, instrument: Instrument) -> BadData:
    """What is wrong with a bar the loop did not take."""
    exponents = [instrument.price_exponent] * 4 + [instrument.quantity_exponent]
    for name, exponent in zip(COLUMNS, exponents, strict=True):
        scaled = math.nan if bar[name] is None else bar[name] * 10.0**exponent
        if not -LARGEST < scaled < LARGEST or abs(scaled - round(scaled)) > max(NEAR, abs(scaled) * ROUNDING):
            todo = "round it, or give an instrument with a larger exponent"
            return BadData(f"{name} {bar[name]} is no whole number of units of 1e-{exponent}", where=f"row {at}", todo=todo)
    opened, high, low, close, volume = (bar[name] for name in COLUMNS)
    if 0 < low <= min(opened, close) and max(opened, close) <= high and volume >= 0:
        todo = "give an instrument with a smaller price_exponent"
        return BadData("a bar that reaches 2^31 price units beyond its open and close", where=f"row {at}", todo=todo)
    expected = "0 < low <= open, close <= high, volume of 0 or more"
    return BadData("a bar whose prices cannot belong together", where=f"row {at}", expected=expected)
