"""Finished bars from files of many dialects (`dialects`), merged over venues into one tape.

A file's floats become integers by rounding to the nearest unit. The unit is the coarsest power of ten (down to 1e-10 for
prices, 1e-8 for volumes) on which every number of the file lies within the error of a float. A number that is not the very
float its integer stands for, such as a sum made with floats, is counted as rounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tradewind.domain import codes
from tradewind.domain import rows as row
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.venues.imported import Grids, Imported, Sink, Streams
from tradewind.venues.lines import Progress, Refusals
from tradewind.venues.ohlcv import cells
from tradewind.venues.ohlcv.dialects import COLUMNS, Told, read
from tradewind.venues.symbols import split_symbol

MAX_PRICE_EXPONENT, MAX_VOLUME_EXPONENT = 10, 8
EXACT = float(1 << 53)  # beyond it a float no longer holds every integer
ULPS = 4.0  # how many units in the last place a decimal number may be off after one product
FEW = 0.001  # the share of odd prices that may be rounded, so that the others keep an honest unit
MOST_OFF = 0.25  # of a unit, however large the number is
HALF_RANGE = 1 << 31
Floats = NDArray[np.float64]


class BarImporter:
    """Turns bar files into rows, sorted by the time each bar was finished. Use once: `run`."""

    def __init__(self, files: Sequence[Path], refusals: Refusals, progress: Progress | None = None) -> None:
        self.files, self._refusals, self._progress = list(files), refusals, progress
        self._streams = Streams()
        self._files: dict[str, dict[str, Any]] = {}

    def proofs(self) -> tuple[dict[int, int], dict[int, int]]:
        """Bars prove nothing."""
        return {}, {}

    def run(self, sink: Sink) -> Imported:
        """Read every file, give all bars to `sink`, by (ts_local, source). Raises BadData where a file holds no bars."""
        pieces, grids = [], Grids()
        for path in self.files:
            pieces.append(self._bars(path))
            if self._progress is not None:
                size = path.stat().st_size
                self._progress(path.name, size, size)
        rows = _in_order(pieces)
        self._streams.number(rows)
        grids.see(rows)
        made = self._streams.instruments
        lots = [grids.settle(index, instrument)[1][1] for index, instrument in enumerate(made)]
        sink(rows)
        notes: dict[str, Any] = {
            "ticks_and_lots": "one unit: the coarsest that holds the file's numbers",
            "files": self._files,
            "rounded": sum(file["rounded"] for file in self._files.values()),
            "coarser_lots_possible": {made[index].name: lot for index, lot in enumerate(lots) if lot > 1},
        }
        return Imported(instruments=made, streams=self._streams.streams, scales=[(1, 1)] * len(made), notes=notes)

    def _bars(self, path: Path) -> Rows:
        told = read(path, self._refusals, self._progress)
        frame = told.frame
        opened = frame["timestamp"].dt.epoch("ns").to_numpy()
        numbers = {name: frame[name].cast(pl.Float64).to_numpy() for name in COLUMNS}
        good = self._usable(path.name, opened, numbers)
        if not good.any():
            raise BadData(f"no bar in it can be used: {self._refusals.first()}", where=str(path), expected="bars with numbers")
        timeframe = _timeframe(opened[good], path)
        good &= self._on_grid(path.name, opened, good, codes.TIMEFRAME_NS[timeframe])
        order = np.flatnonzero(good)[np.argsort(opened[good], kind="stable")]
        numbers = {name: values[order] for name, values in numbers.items()}
        price_exponent, volume_exponent = _exponents(numbers)
        powers = [10.0**price_exponent] * 4 + [10.0**volume_exponent]
        units = {name: np.rint(numbers[name] * power) for name, power in zip(COLUMNS, powers, strict=True)}
        rows, fits = _rows(units)
        for index in np.flatnonzero(~fits).tolist():
            reason = f"a bar that does not fit units of 1e-{price_exponent} and 1e-{volume_exponent}"
            self._refusals.add(
                reason, path.name, int(order[index]) + 1, str({name: float(numbers[name][index]) for name in COLUMNS})
            )
        if not fits.any():
            raise BadData(f"no bar in it can be used: {self._refusals.first()}", where=str(path), expected="bars of honest size")
        instrument = self._instrument(path, told, price_exponent, volume_exponent)
        rows["ts_venue"] = rows["ts_local"] = opened[order] + codes.TIMEFRAME_NS[timeframe]
        rows["strategy"], rows["instrument"] = timeframe, instrument
        rows["source"] = self._streams.source(instrument, "bar")
        rows = rows[fits]
        self._note(path, rows, timeframe, _roundings(numbers, units, powers))
        return rows

    def _usable(self, file: str, opened: NDArray[np.int64], numbers: dict[str, Floats]) -> NDArray[np.bool_]:
        """Bars with finite numbers, none negative. Broken ranges (high below low) stay: truth refuses those by name."""
        stack = np.stack([numbers[name] for name in COLUMNS])
        finite = np.isfinite(stack).all(axis=0)
        negative = finite & (stack < 0).any(axis=0)
        large = finite & (stack >= EXACT).any(axis=0)
        for wrong, reason in (
            (~finite, "a bar with a missing or infinite number"),
            (negative, "a bar with a negative number"),
            (large & ~negative, "a bar with a number beyond 2^53"),
        ):
            for index in np.flatnonzero(wrong).tolist():
                self._refusals.add(reason, file, index + 1, str({name: float(numbers[name][index]) for name in COLUMNS}))
        return np.asarray(finite & ~negative & ~large, np.bool_)

    def _on_grid(self, file: str, opened: NDArray[np.int64], good: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
        """Bars that begin at a whole step; the first of several for one."""
        off = good & (opened % step != 0)
        first = np.zeros(len(opened), np.bool_)
        candidates = np.flatnonzero(good & ~off)
        steps = np.diff(opened[candidates])
        once = (steps > 0).all() or (steps < 0).all()
        first[candidates if once else candidates[np.unique(opened[candidates], return_index=True)[1]]] = True
        for wrong, reason in ((off, "a bar that begins off its timeframe"), (good & ~off & ~first, "a second bar for one time")):
            for index in np.flatnonzero(wrong).tolist():
                self._refusals.add(reason, file, index + 1, str(int(opened[index])))
        return first

    def _instrument(self, path: Path, told: Told, price_exponent: int, volume_exponent: int) -> int:
        venue, pair = told.venue, told.pair
        base, quote = split_symbol(pair)
        key = f"{venue}:{pair.upper()}"
        made = Instrument(
            venue=venue,
            symbol=pair.upper(),
            base=base,
            quote=quote,
            price_exponent=price_exponent,
            quantity_exponent=volume_exponent,
        )
        index = self._streams.instrument(key, lambda _: made)
        if self._streams.instruments[index] != made:
            raise BadData("another file of this pair has other decimals", where=str(path), todo="import one file a pair")
        return index

    def _note(self, path: Path, rows: Rows, timeframe: int, rounded: int) -> None:
        step = codes.TIMEFRAME_NS[timeframe]
        made = self._streams.instruments[int(rows["instrument"][0])]
        flat = (rows["quantity"] == 0) & (rows["value"] == 0) & (rows["price"] == rows["ref"])
        self._files[path.name] = {
            "bars": len(rows),
            "timeframe": codes.TIMEFRAME_NAMES[timeframe],
            "price_exponent": made.price_exponent,
            "quantity_exponent": made.quantity_exponent,
            "rounded": rounded,
            "missing_bars": int((rows["ts_local"][-1] - rows["ts_local"][0]) // step + 1 - len(rows)),
            "flat_without_volume": int(flat.sum()),
        }


def _in_order(pieces: list[Rows]) -> Rows:
    """Bars of all files by (ts_local, source); each piece is in order of time."""
    if len(pieces) == 1:
        return pieces[0]
    rows = np.concatenate(pieces)
    source, times = np.ascontiguousarray(rows["source"]), np.ascontiguousarray(rows["ts_local"])
    told_in_order = (source[1:] >= source[:-1]).all()
    return rows[np.argsort(times, kind="stable") if told_in_order else np.lexsort((source, times))]


def _timeframe(opened: NDArray[np.int64], path: Path) -> int:
    """The code of the commonest step between bars."""
    steps = np.diff(np.sort(opened))
    steps = steps[steps > 0]
    step = int(np.median(steps)) if len(steps) else 0
    if 2 * int((steps == step).sum()) <= len(steps) and step:
        step = Counter(steps.tolist()).most_common(1)[0][0]
    if step not in codes.TIMEFRAME_NS:
        raise BadData(
            f"bars are {step} ns apart", where=str(path), expected=f"two bars or more, by {', '.join(codes.TIMEFRAME_NAMES)}"
        )
    return codes.TIMEFRAME_NS.index(step)


def _exponents(numbers: dict[str, Floats]) -> tuple[int, int]:
    """(price exponent, volume exponent): the coarsest that hold every number.

    Where a few odd prices would make the unit so fine that a bar's range no longer fits its 32 bits, they are rounded instead.
    """
    prices = np.concatenate([numbers[name] for name in COLUMNS[:4]])
    price = _coarsest(prices, MAX_PRICE_EXPONENT, 0.0)
    if ((numbers["high"] - numbers["low"]) * 10.0**price >= HALF_RANGE).any():
        price = _coarsest(prices, MAX_PRICE_EXPONENT, FEW)
    return price, _coarsest(numbers["volume"], MAX_VOLUME_EXPONENT, 0.0)


def _coarsest(values: Floats, most: int, share_off: float) -> int:
    """The first power of ten on which all but a share of the values lie, beyond what a float's error explains."""
    few = int(share_off * len(values))
    fits = (exponent for exponent in range(most) if cells.off_grid(values, 10.0**exponent, few, (ULPS, MOST_OFF)) <= few)
    return next(fits, most)


def _roundings(numbers: dict[str, Floats], units: dict[str, Floats], powers: list[float]) -> int:
    """How many numbers are not the very float that their integer of units stands for."""
    return sum(int((units[name] / power != numbers[name]).sum()) for name, power in zip(COLUMNS, powers, strict=True))


def _rows(units: dict[str, Floats]) -> tuple[Rows, NDArray[np.bool_]]:
    """Bar rows without their place and time, and which of them fit. `units` are whole numbers, still floats."""
    fits = np.stack([units[name] < EXACT for name in COLUMNS]).all(axis=0)
    whole = {name: np.where(fits, values, 0.0).astype(np.int64) for name, values in units.items()}
    above = whole["high"] - np.maximum(whole["open"], whole["close"])
    below = np.minimum(whole["open"], whole["close"]) - whole["low"]
    fits &= (above >= -HALF_RANGE) & (above < HALF_RANGE) & (below >= -HALF_RANGE) & (below < HALF_RANGE)
    out = row.rows(len(fits))
    out["kind"], out["marks"] = codes.BAR, codes.WHOLE
    out["price"], out["ref"], out["quantity"] = whole["close"], whole["open"], whole["volume"]
    out["value"] = (above << 32) | (below & 0xFFFFFFFF)
    return out, fits
