"""What a run leaves behind for its reader: frames, counts and identity, checked once, then only read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property

import msgspec
import numpy as np
import polars as pl

from ..domain.errors import BadData
from .parts import Table, parts

PNL, EXPOSURE = "pnl:", "exposure:"  # prefixes of the per-strategy columns of `equity`

EQUITY_COLUMNS = {"ts_ns": pl.Int64, "equity": pl.Float64}
FILL_COLUMNS = {
    "ts_ns": pl.Int64, "order_id": pl.Int64, "strategy": pl.String, "instrument": pl.String, "side": pl.Int64, "price": pl.Float64,
    "quantity": pl.Float64, "cost": pl.Float64, "fee": pl.Float64, "maker": pl.Boolean, "slippage_bps": pl.Float64,
}  # fmt: skip
ORDER_COLUMNS = {
    "ts_ns": pl.Int64, "order_id": pl.Int64, "strategy": pl.String, "instrument": pl.String, "side": pl.Int64, "price": pl.Float64,
    "quantity": pl.Float64, "status": pl.String, "cause": pl.String,
}  # fmt: skip
PRICE_COLUMNS = {"ts_ns": pl.Int64, "instrument": pl.String, "mid": pl.Float64}
STREAM_COLUMNS = {"ts_ns": pl.Int64, "stream": pl.String, "state": pl.Int64}
DISPERSION_COLUMNS = {"ts_ns": pl.Int64, "instrument": pl.String, "dispersion_bps": pl.Float64}
BELIEVED_COLUMNS = {"ts_ns": pl.Int64, "instrument": pl.String, "quality": pl.Float64}
CALIBRATION_COLUMNS = {"bin": pl.Int64, "predicted": pl.Float64, "realised": pl.Float64, "count": pl.Int64}


def _empty(columns: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(columns))


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How far the data could be believed.

    streams: one row per change of a stream's state (codes UNAVAILABLE … INVALID); a state lasts until the next row.
    believed: how far each source was believed, 0 to 1 (`market.watch.rate`): its trust, less for age and distance.
    quarantined, grades: counts by name; a grade's count is of judged reference prices.
    """

    streams: pl.DataFrame = msgspec.field(default_factory=lambda: _empty(STREAM_COLUMNS))
    dispersion: pl.DataFrame = msgspec.field(default_factory=lambda: _empty(DISPERSION_COLUMNS))
    believed: pl.DataFrame = msgspec.field(default_factory=lambda: _empty(BELIEVED_COLUMNS))
    quarantined: Mapping[str, int] = {}
    grades: Mapping[str, int] = {}


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One finished run. Money is in `currency`; times are ns UTC; a frame may be empty.

    equity: ts_ns, equity, and where known exposure (gross notional), `pnl:<strategy>` (net, cumulated) and
        `exposure:<strategy>`; ts_ns strictly increasing.
    fills: side is codes.BUY or SELL; price in the quote asset; cost (> 0) and fee (negative: rebate) in `currency`;
        slippage_bps against the mid at decision, positive where it cost us.
    fills, orders: frames, or parts of them where memory should not hold them; `parts` reads both alike.
    prices: mid in the quote asset, and where it is not `currency` a column `rate` (currency per quote asset).
    think_ns: by strategy, the thinking time that a Python strategy was charged.
    trials: runs of this family so far, this one too.

    Raises BadData where a frame lacks a column or holds what no run can leave.
    """

    title: str
    equity: pl.DataFrame
    capital: float
    currency: str
    fills: Table = msgspec.field(default_factory=lambda: _empty(FILL_COLUMNS))
    orders: Table = msgspec.field(default_factory=lambda: _empty(ORDER_COLUMNS))
    prices: pl.DataFrame = msgspec.field(default_factory=lambda: _empty(PRICE_COLUMNS))
    calibration: pl.DataFrame = msgspec.field(default_factory=lambda: _empty(CALIBRATION_COLUMNS))
    quality: Quality = msgspec.field(default_factory=Quality)
    why_not: Mapping[str, int] = {}
    warnings: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()
    think_ns: Mapping[str, int] = {}
    trials: int = 1
    rows: int = 0
    machine_hash: str = ""
    digest: str = ""
    journal: str = ""
    config: str = ""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.capital) and self.capital > 0):
            raise BadData(f"capital is {self.capital}", where="run record", expected="a finite amount above 0")
        for name, table, columns in self._tables():
            for frame in parts(table):
                _check_columns(name, frame, columns)
        _check_equity(self.equity)
        _check_fills(self.fills)

    def _tables(self) -> tuple[tuple[str, Table, Mapping[str, type[pl.DataType]]], ...]:
        return (
            ("equity", self.equity, EQUITY_COLUMNS),
            ("fills", self.fills, FILL_COLUMNS),
            ("orders", self.orders, ORDER_COLUMNS),
            ("prices", self.prices, PRICE_COLUMNS),
            ("calibration", self.calibration, CALIBRATION_COLUMNS),
            ("quality.streams", self.quality.streams, STREAM_COLUMNS),
            ("quality.dispersion", self.quality.dispersion, DISPERSION_COLUMNS),
            ("quality.believed", self.quality.believed, BELIEVED_COLUMNS),
        )

    @cached_property
    def strategies(self) -> tuple[str, ...]:
        """Names of the strategies, those of the equity columns first, then others that filled or ordered."""
        names = [column[len(PNL) :] for column in self.equity.columns if column.startswith(PNL)]
        for table in (self.fills, self.orders):
            for frame in parts(table, "strategy"):
                names += frame["strategy"].unique(maintain_order=True).to_list()
        return tuple(dict.fromkeys(names))

    @cached_property
    def fill_counts(self) -> Mapping[str, int]:
        """By instrument, its fills; most filled first."""
        counts: Counter[str] = Counter()
        for frame in parts(self.fills, "instrument"):
            counts.update(dict(frame["instrument"].value_counts(sort=True).iter_rows()))
        return dict(counts.most_common())

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments with a reference price or a fill, most filled first."""
        return tuple(dict.fromkeys([*self.fill_counts, *self.prices["instrument"].unique(maintain_order=True).to_list()]))

    @property
    def span_ns(self) -> int:
        """From the first to the last equity row; 0 where there are fewer than two."""
        ts = self.equity["ts_ns"]
        return int(ts[-1] - ts[0]) if len(ts) > 1 else 0


def _check_columns(name: str, frame: pl.DataFrame, columns: Mapping[str, type[pl.DataType]]) -> None:
    for column, kind in columns.items():
        if column not in frame.columns:
            raise BadData(f"column {column} is missing", where=f"run record, {name}", expected=", ".join(columns))
        if frame[column].dtype != kind:
            raise BadData(f"column {column} is {frame[column].dtype}", where=f"run record, {name}", expected=str(kind))
        if frame[column].null_count():
            raise BadData(f"column {column} has holes", where=f"run record, {name}", expected="a value in every row")


def _check_equity(equity: pl.DataFrame) -> None:
    for column in equity.columns:
        values = equity[column].to_numpy()
        if values.dtype == np.float64 and not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise BadData(f"{column} is {values[row]} in row {row}", where="run record, equity", expected="finite numbers")
    steps = np.diff(equity["ts_ns"].to_numpy())
    if (steps <= 0).any():
        row = int(np.flatnonzero(steps <= 0)[0]) + 1
        raise BadData(
            f"ts_ns does not increase at row {row}", where="run record, equity", expected="one row a moment, in time order"
        )


def _check_fills(fills: Table) -> None:
    last = None
    for part in parts(fills, "ts_ns", "price", "quantity", "cost", "fee", "slippage_bps"):
        for column in ("price", "quantity", "cost", "fee", "slippage_bps"):
            if not np.isfinite(part[column].to_numpy()).all():
                raise BadData(f"{column} is not finite", where="run record, fills", expected="finite numbers")
        if part.height and part["quantity"].to_numpy().min() <= 0:
            raise BadData("a fill of nothing", where="run record, fills", expected="quantity above 0, with the sign in side")
        ts = part["ts_ns"].to_numpy()
        if (np.diff(ts) < 0).any() or (last is not None and part.height and ts[0] < last):
            raise BadData("fills are not in time order", where="run record, fills", expected="ts_ns never decreasing")
        last = int(ts[-1]) if part.height else last
