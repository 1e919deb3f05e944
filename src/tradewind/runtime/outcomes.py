"""Orders and fills of a run, folded from its journal part by part: what is kept is a compact record of each, on disk if many.

An order's record is written when it is sent and again when a report or a fill comes, however late. Order ids rise by one, so a
record's place follows from its id and no index is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tradewind.domain import codes, orders, reasons
from tradewind.domain.instruments import Instrument
from tradewind.domain.pieces import gathered
from tradewind.domain.rows import ROW, Rows
from tradewind.monitor.parts import Table
from tradewind.monitor.record import FILL_COLUMNS, ORDER_COLUMNS
from tradewind.storage.spool import PART_ROWS, Records, Spool

STATUS_OF = {
    codes.ACKED: orders.WORKING, codes.REJECTED_BY_VENUE: orders.REJECTED, codes.CANCELED_BY_VENUE: orders.CANCELED,
    codes.EXPIRED_BY_VENUE: orders.EXPIRED, codes.OUTCOME_UNKNOWN: orders.UNKNOWN, codes.NEVER_REACHED: orders.NEVER_ACCEPTED,
}  # fmt: skip
ORDER = np.dtype([
    ("ts", "i8"), ("id", "i8"), ("price", "i8"), ("quantity", "i8"), ("filled", "i8"), ("middle", "i8"), ("cause", "i4"),
    ("strategy", "i2"), ("instrument", "i2"), ("side", "i1"), ("status", "i1"), ("unused", "V6"),
])  # fmt: skip
FILL = np.dtype([
    ("ts", "i8"), ("id", "i8"), ("price", "i8"), ("quantity", "i8"), ("middle", "i8"), ("cost", "i8"), ("fee", "i8"),
    ("instrument", "i2"), ("asset", "i2"), ("strategy", "i2"), ("side", "i1"), ("maker", "i1"),
])  # fmt: skip
UNKNOWN_OWNER = -1  # of a fill whose order is not in this journal
Indices = NDArray[np.int64]
Column = Callable[[Records], Any]


class Outcomes:
    """Takes rows in journal order; then `orders` and `fills` hold one record each, `verdicts` counts by reason code."""

    def __init__(self, folder: Path) -> None:
        self.orders, self.fills = Spool(ORDER, folder), Spool(FILL, folder)
        self.verdicts: Counter[int] = Counter()
        self._ids: list[tuple[int, int]] = []  # first id and number of the records of each run of ids without a gap
        self._next_id = -1
        self._evidence = self._fills = self._charges = np.zeros(0, ROW)  # whose counterpart comes in a later part

    def take(self, told: Iterable[Rows]) -> None:
        """Folds rows, however they are cut."""
        for part in gathered(_wanted(told), PART_ROWS):  # live journals come in batches of a few
            kind = part["kind"]
            self._sent(part[kind == codes.SUBMIT], part[kind == codes.EVIDENCE])
            fills = part[kind == codes.FILL]
            self._heard(part[kind == codes.REPORT], fills)
            self._filled(fills, part[kind == codes.CHARGE])
            codes_, counts = np.unique(part["value"][kind == codes.VERDICT], return_counts=True)
            self.verdicts.update(dict(zip(codes_.tolist(), counts.tolist(), strict=True)))

    def _sent(self, submits: Rows, evidence: Rows) -> None:
        evidence = np.concatenate([self._evidence, evidence[evidence["ref"] > 0]])
        last = int(submits["ref"][-1]) if len(submits) else self._next_id - 1
        self._evidence = evidence[evidence["ref"] > last]
        if not len(submits):
            return
        made = np.zeros(len(submits), ORDER)
        for ours, theirs in (
            ("ts", "ts_local"), ("id", "ref"), ("price", "price"), ("quantity", "quantity"), ("strategy", "strategy"),
            ("instrument", "instrument"), ("side", "side"),
        ):  # fmt: skip
            made[ours] = submits[theirs]
        off = submits["value"] >> 16
        made["middle"] = np.where(off == codes.NO_MIDDLE, 0, 2 * submits["price"] - off)
        made["cause"], made["status"] = _last_value(evidence, submits["ref"]), orders.PENDING
        ids = submits["ref"]
        before = np.append(self._next_id - 1, ids[:-1])
        self._ids += [(int(ids[k]), len(self.orders) + int(k)) for k in np.flatnonzero(ids != before + 1)]
        self._next_id = last + 1
        self.orders.append(made)

    def _heard(self, reports: Rows, fills: Rows) -> None:
        status = np.full(256, -1, np.int8)
        status[list(STATUS_OF)] = list(STATUS_OF.values())
        said = status[np.clip(reports["value"], 0, 255)]
        reports, said = reports[said >= 0], said[said >= 0]
        at, got = self._places(reports["ref"]), self._places(fills["ref"])
        for start, mine in _pages(np.concatenate([at, got])):
            page = self.orders.read(start, start + mine)
            of, bought = _within(at, start, mine), _within(got, start, mine)
            page["status"][at[of] - start] = said[of]  # of several the last stands
            np.add.at(page["filled"], got[bought] - start, fills["quantity"][bought])
            self.orders.write(start, page)

    def _filled(self, fills: Rows, charges: Rows) -> None:
        fills, charges = np.concatenate([self._fills, fills]), np.concatenate([self._charges, charges])
        n = min(len(fills), len(charges))
        self._fills, self._charges = fills[n:], charges[n:]
        fills, charges = fills[:n], charges[:n]
        if not n:
            return
        made = np.zeros(n, FILL)
        for ours, theirs in (
            ("ts", "ts_local"), ("id", "ref"), ("price", "price"), ("quantity", "quantity"), ("instrument", "instrument"),
            ("side", "side"),
        ):  # fmt: skip
            made[ours] = fills[theirs]
        made["cost"], made["fee"], made["asset"] = charges["value"], charges["quantity"], charges["strategy"]
        made["maker"], made["strategy"] = (fills["marks"] & codes.MAKER_FILL) != 0, UNKNOWN_OWNER
        at = self._places(fills["ref"])
        for start, mine in _pages(at):
            of, page = _within(at, start, mine), self.orders.read(start, start + mine)
            order = page[at[of] - start]
            made["strategy"][of], made["middle"][of] = order["strategy"], order["middle"]
        self.fills.append(made)

    def _places(self, ids: NDArray[np.int64]) -> Indices:
        """Numbers of the records of orders; −1 where an order is not of this journal."""
        if not self._ids:
            return np.full(len(ids), -1, np.int64)
        first, number = np.array(self._ids).T
        run = np.searchsorted(first, ids, side="right") - 1
        at = number[np.maximum(run, 0)] + ids - first[np.maximum(run, 0)]
        ends = np.append(number[1:], len(self.orders))
        return np.where((run >= 0) & (at < ends[np.maximum(run, 0)]), at, -1)


def _wanted(told: Iterable[Rows]) -> Iterator[Rows]:
    """The rows of kinds that matter here."""
    wanted = np.zeros(256, bool)
    wanted[[codes.EVIDENCE, codes.SUBMIT, codes.REPORT, codes.FILL, codes.CHARGE, codes.VERDICT]] = True
    yield from (part[wanted[part["kind"].view(np.uint8)]] for part in told)


def _last_value(evidence: Rows, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """By order, the value of the last row that names it; 0 where none does."""
    if not len(evidence):
        return np.zeros(len(ids), np.int64)
    order = np.argsort(evidence["ref"], kind="stable")
    ref, value = evidence["ref"][order], evidence["value"][order]
    at = np.maximum(np.searchsorted(ref, ids, side="right") - 1, 0)
    return np.where(ref[at] == ids, value[at], 0)


def _pages(at: Indices) -> Iterator[tuple[int, int]]:
    """First record and length of the stretches that hold all places, none longer than a page."""
    known = at[at >= 0]
    for page in np.unique(known // PART_ROWS).tolist():
        mine = known[known // PART_ROWS == page]
        start = int(mine.min())
        yield start, int(mine.max()) + 1 - start


def _within(at: Indices, start: int, count: int) -> Indices:
    return np.flatnonzero((at >= start) & (at < start + count))


# Frames ----------------------------------------------------------------------------------------------------------------------


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What turns integers into amounts and names: strategies, instruments, and each asset's last known rate."""

    strategies: Sequence[str]
    instruments: Sequence[Instrument]
    rates: NDArray[np.float64]
    quotes: NDArray[np.int64]  # by instrument, its quote asset


class Long:
    """A long frame whose rows lie in a spool (`monitor.parts.Parts`)."""

    def __init__(self, spool: Spool, columns: Mapping[str, Column], schema: Mapping[str, Any]) -> None:
        self._spool, self._columns, self._schema = spool, columns, schema

    @property
    def height(self) -> int:
        """Rows of all parts."""
        return len(self._spool)

    def frames(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """The parts, in order."""
        wanted = {name: self._schema[name] for name in columns or self._schema}
        for records in self._spool.parts(PART_ROWS) if len(self._spool) else (self._spool.read(0, 0),):
            yield pl.DataFrame({name: self._columns[name](records) for name in wanted}, schema=wanted)


def tables(found: Outcomes, known: Known) -> tuple[Table, Table]:
    """Orders and fills with the columns of the run record; a short one as a plain frame."""
    made = Long(found.orders, _order_columns(known), ORDER_COLUMNS), Long(found.fills, _fill_columns(known), FILL_COLUMNS)
    placed, filled = (next(long.frames()) if long.height <= PART_ROWS else long for long in made)
    return placed, filled


def _order_columns(known: Known) -> dict[str, Column]:
    scale_p, scale_q = _scales(known.instruments)
    strategies, instruments = pl.Series(known.strategies, dtype=pl.String), pl.Series([x.name for x in known.instruments])
    states = pl.Series(orders.STATUS_NAMES)

    def status(r: Records) -> pl.Series:
        return states.gather(np.where(r["filled"] >= r["quantity"], orders.FILLED, r["status"]).astype(np.int64))

    def cause(r: Records) -> pl.Series:
        named, at = np.unique(r["cause"], return_inverse=True)
        return pl.Series([reasons.name(code) for code in named.tolist()], dtype=pl.String).gather(at)

    return {
        "ts_ns": lambda r: r["ts"], "order_id": lambda r: r["id"], "strategy": lambda r: strategies.gather(_wide(r["strategy"])),
        "instrument": lambda r: instruments.gather(_wide(r["instrument"])), "side": lambda r: _wide(r["side"]),
        "price": lambda r: r["price"] / scale_p[r["instrument"]], "quantity": lambda r: r["quantity"] / scale_q[r["instrument"]],
        "status": status, "cause": cause,
    }  # fmt: skip


def _fill_columns(known: Known) -> dict[str, Column]:
    scale_p, scale_q = _scales(known.instruments)
    strategies, instruments = pl.Series(known.strategies, dtype=pl.String), pl.Series([x.name for x in known.instruments])

    def slippage(r: Records) -> NDArray[np.float64]:
        """Against the middle of the touch when the order was sent; none where that is not known."""
        against = np.where(r["middle"] > 0, r["middle"], 2 * r["price"])
        worse = 2 * r["price"] / against - 1
        return np.where(r["side"] == codes.BUY, worse, -worse) * 1e4

    return {
        "ts_ns": lambda r: r["ts"], "order_id": lambda r: r["id"],
        "strategy": lambda r: strategies.gather(_wide(np.maximum(r["strategy"], 0))),
        "instrument": lambda r: instruments.gather(_wide(r["instrument"])), "side": lambda r: _wide(r["side"]),
        "price": lambda r: r["price"] / scale_p[r["instrument"]], "quantity": lambda r: r["quantity"] / scale_q[r["instrument"]],
        "cost": lambda r: r["cost"] * 1e-8 * known.rates[known.quotes[r["instrument"]]],
        "fee": lambda r: r["fee"] * 1e-8 * known.rates[r["asset"]], "maker": lambda r: r["maker"] != 0, "slippage_bps": slippage,
    }  # fmt: skip


def _scales(instruments: Sequence[Instrument]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = [(10.0**x.price_exponent, 10.0**x.quantity_exponent) for x in instruments]
    price, quantity = np.array(found).reshape(-1, 2).T.copy()
    return price, quantity


def _wide(values: Any) -> NDArray[np.int64]:
    return np.ascontiguousarray(values, np.int64)
