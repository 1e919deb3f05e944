"""Features over a whole frame of bars at once: a compiled loop over the very steps the machine runs.

There is no second formula. A small package is composed as a machine is (`compose`), with one page: it takes a bar into
`market.bars` and runs the chosen features' `on_bar`, then copies what they give into columns. So a column's value at a bar
is, bit for bit, what a strategy reads at that bar in backtest, paper and live.
"""

from __future__ import annotations

import hashlib
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
NEAR = 1e-6  # of a unit: how far a float may lie from the integer it means (relative errors are checked as well)
ULPS = 4.0

PAGE = '''"""Generated: bars in, columns of features out."""

from tradewind.kernel.jit import compiled, entry
from tradewind.market import bars

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
        bars.take(s, tape[n], 0)
        on_bar(s, 0, 0)
        copy(s, columns, first + n - start)
    return stop


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
        return PAGE + "".join(lines)

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
    import polars as pl

    if timeframe not in codes.TIMEFRAME_NAMES:
        raise BadUse(f"no timeframe {timeframe!r}", expected=f"one of {', '.join(codes.TIMEFRAME_NAMES)}")
    code = codes.TIMEFRAME_NAMES.index(timeframe)
    loop = loop or Loop(names)
    columns = np.empty((len(loop.outputs), frame.height))
    state, run, done = loop.state(code), loop.play, 0
    for chunk in bar_rows(frame, code, instrument):
        run(state, chunk, 0, len(chunk), columns, done)
        done += len(chunk)
    powers = {"price": 10.0**instrument.price_exponent, "quantity": 10.0**instrument.quantity_exponent}
    made = {}
    for values, (name, unit, warm) in zip(columns, loop.outputs, strict=True):
        if unit in powers:
            values /= powers[unit]
        series = pl.Series(name, values)
        made[name] = pl.concat([pl.Series(name, [None] * min(warm - 1, len(series)), pl.Float64), series[warm - 1 :]])
    kept = [frame["timestamp"]] if "timestamp" in frame.columns else []
    return pl.DataFrame([*kept, *made.values()])


def bar_rows(frame: pl.DataFrame, timeframe: int, instrument: Instrument) -> Iterator[Rows]:
    """The frame's bars as rows in the instrument's units, in chunks; the same array each time. Raises BadData."""
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise BadData(f"the frame lacks {', '.join(missing)}", expected=", ".join(COLUMNS))
    step = codes.TIMEFRAME_NS[timeframe]
    powers = [10.0**instrument.price_exponent] * 4 + [10.0**instrument.quantity_exponent]
    ends = _ends(frame, step)
    chunk = rows.rows(CHUNK)
    chunk["kind"], chunk["marks"], chunk["strategy"] = codes.BAR, codes.WHOLE, timeframe
    for start in range(0, frame.height, CHUNK):
        piece = frame[start : start + CHUNK]
        units = {name: _units(piece, name, power, start) for name, power in zip(COLUMNS, powers, strict=True)}
        part = chunk[: piece.height]
        _fill(part, units, start)
        part["ts_venue"] = part["ts_local"] = ends[start : start + CHUNK]
        yield part


def _ends(frame: pl.DataFrame, step: int) -> NDArray[np.int64]:
    """When each bar was finished, ns; by count where the frame has no times."""
    if "timestamp" not in frame.columns:
        return np.arange(1, frame.height + 1, dtype=np.int64) * step
    ends = frame["timestamp"].dt.epoch("ns").to_numpy() + step
    wrong = np.flatnonzero(np.diff(ends) <= 0)
    if len(wrong):
        raise BadData("bars out of order", where=f"row {int(wrong[0]) + 1}", expected="each bar later than the one before")
    return np.asarray(ends, np.int64)


def _units(piece: pl.DataFrame, name: str, power: float, start: int) -> NDArray[np.int64]:
    values = piece[name].to_numpy().astype(np.float64) * power
    whole = np.rint(values)
    off = np.abs(values - whole) > np.minimum(np.maximum(ULPS * np.spacing(np.abs(values)), NEAR), 0.25)
    wrong = np.flatnonzero(off | ~(np.abs(values) < 1 << 53))
    if len(wrong):
        at = int(wrong[0])
        raise BadData(
            f"{name} {piece[name][at]} is no whole number of units of {1 / power:g}",
            where=f"row {start + at}",
            todo="round it, or give an instrument with a larger exponent",
        )
    return whole.astype(np.int64)


def _fill(part: Rows, units: dict[str, NDArray[np.int64]], start: int) -> None:
    top, bottom = np.maximum(units["open"], units["close"]), np.minimum(units["open"], units["close"])
    above, below = units["high"] - top, bottom - units["low"]
    wrong = np.flatnonzero((above < 0) | (below < 0) | (units["low"] <= 0) | (units["volume"] < 0))
    if len(wrong):
        raise BadData(
            "a bar whose prices cannot belong together",
            where=f"row {start + int(wrong[0])}",
            expected="0 < low <= open, close <= high, volume of 0 or more",
        )
    large = np.flatnonzero((above | below) >= 1 << 31)
    if len(large):
        raise BadData(
            "a bar that reaches 2^31 price units beyond its open and close",
            where=f"row {start + int(large[0])}",
            todo="give an instrument with a smaller price_exponent",
        )
    part["price"], part["ref"], part["quantity"] = units["close"], units["open"], units["volume"]
    part["value"] = (above << 32) | below
