"""What the others say of an asset while one source is about to be made to lie: the measure of how hard a planted fault is.

A fault is hard where its deviation from consensus is at least max(5 x the source's own median deviation of the hour before,
0.5 %). The deviation is of the same thing: closes from the others' closes, highs from their highs. An hour holds sixty bars of a
minute and one of an hour, so the median is that of the last `LOOKS` bars.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows

HARD_SHARE = 0.005
HARD_TIMES = 5.0
LOOKS = 60
CLOSE, HIGH, LOW = 0, 1, 2

Floats = NDArray[np.float64]


class Peers:
    """The bars of every asset's sources side by side. Only what the tape held before anything was planted."""

    def __init__(self, rows: Rows, instruments: Sequence[Instrument]) -> None:
        bars = rows[rows["kind"] == codes.BAR]
        self.tables: dict[str, tuple[NDArray[np.int64], Floats]] = {}
        self.place: list[tuple[str, int]] = []
        for base in {x.base for x in instruments}:
            members = [i for i, x in enumerate(instruments) if x.base == base]
            of = [bars[bars["instrument"] == i] for i in members]
            times = np.unique(np.concatenate([part["ts_local"] for part in of]))
            table = np.full((3, len(members), len(times)), np.nan)
            for k, (part, i) in enumerate(zip(of, members, strict=True)):
                below = (part["value"] & 0xFFFFFFFF) - ((part["value"] & 0x80000000) << 1)
                high = np.maximum(part["price"], part["ref"]) + (part["value"] >> 32)
                low = np.minimum(part["price"], part["ref"]) - below
                at = np.searchsorted(times, part["ts_local"])
                table[:, k, at] = np.array([part["price"], high, low]) / 10.0 ** instruments[i].price_exponent
            self.tables[base] = times, table
        for i, x in enumerate(instruments):
            self.place.append((x.base, sum(y.base == x.base for y in instruments[:i])))

    def others(self, i: int, ts: int, what: int = CLOSE) -> Floats:
        """What the asset's other sources say in the bar that came at `ts`."""
        base, k = self.place[i]
        times, table = self.tables[base]
        at = int(np.searchsorted(times, ts))
        if at >= len(times) or times[at] != ts:
            return np.empty(0)
        said = np.delete(table[what, :, at], k)
        found: Floats = said[~np.isnan(said)]
        return found

    def limit(self, i: int, ts: int, what: int = CLOSE) -> float:
        """From which deviation (a ratio) on a fault of this source is hard at `ts`."""
        base, k = self.place[i]
        times, table = self.tables[base]
        at = int(np.searchsorted(times, ts))
        past = table[what, :, max(at - LOOKS, 0) : at]
        past = past[:, ~np.isnan(past[k])]
        past = past[:, (~np.isnan(past)).sum(axis=0) > 1]
        if past.shape[1] == 0:
            return HARD_SHARE
        off = np.abs(past[k] / np.nanmedian(past, axis=0) - 1.0)
        return max(HARD_SHARE, HARD_TIMES * float(np.median(off)))

    def deviation(self, i: int, ts: int, price: float, what: int = CLOSE) -> float:
        """How far (a ratio, with its sign) a price stands from what the others say at `ts`; 0 where nobody says anything."""
        said = self.others(i, ts, what)
        return price / float(np.median(said)) - 1.0 if len(said) else 0.0
