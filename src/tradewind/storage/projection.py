"""Rows as columns with honest names: what a row of each lake table holds, and the way from a tape's rows to it.

A table keeps every integer as it lies on the tape, beside the exponents that make it a number, and the place it came from:
`origin` (the first 8 bytes of the segment's sha256, signed) and `at`, the row's index in that segment. So a lake row can
always be held against the raw row it was made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes, layout
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import ROW, Rows

if TYPE_CHECKING:
    import polars as pl

TEXT = "text"
PLACE = {"ts_local": "ts_local", "ts_venue": "ts_venue"}
LINEAGE = {"marks": "marks"}
LEVEL = {**PLACE, "side": "side", "price_units": "price", "quantity_units": "quantity"}
STRETCH = 1 << 12  # rows whose 256 KiB stay in the cache while their columns are taken
NARROW = {"i1": "Int8", "i2": "Int16", "i4": "Int32", "i8": "Int64"}


class Table(msgspec.Struct, frozen=True):
    """One table of the lake: the kinds of rows in it, and its columns with the field of a row each is taken from."""

    name: str
    kinds: tuple[int, ...]
    columns: dict[str, str]  # "" marks a number that is computed, TEXT a text
    about: str


TRADES = Table("trades", (codes.TRADE,), {**LEVEL, "trade_id": "ref", **LINEAGE}, "market trades; side is the aggressor's")
QUOTES = Table("quotes", (codes.QUOTE,), {**LEVEL, "update_id": "ref", **LINEAGE}, "best bid and ask, one row a side")
DEPTH = Table(
    "depth", (codes.DEPTH,), {**LEVEL, "update_id": "ref", "proof": "value", **LINEAGE}, "book levels as set; quantity 0 removes"
)
BARS = Table(
    "bars",
    (codes.BAR,),
    {
        **PLACE, "timeframe": "strategy", "open_units": "ref", "high_units": "", "low_units": "", "close_units": "price",
        "volume_units": "quantity", **LINEAGE,
    },
    "finished bars; ts_venue is the bar's end",
)  # fmt: skip
FUNDING = Table(
    "funding",
    (codes.FUNDING, codes.MARKPRICE),
    {**PLACE, "kind": "kind", "price_units": "price", "value": "value", "next_ns": "ref", **LINEAGE},
    "funding rates in 1e-9 (kind 6) and mark prices with the index price (kind 7)",
)
STREAMS = Table(
    "streams",
    (codes.STREAM, codes.CLOCK),
    {**PLACE, "kind": "kind", "source": "source", "value": "value", "cause": "ref", **LINEAGE},
    "what the rim said of its streams (kind 8) and clocks (kind 9)",
)  # fmt: skip
OBSERVATIONS = Table(
    "observations",
    (codes.OBSERVATION,),
    {"ts_local": "ts_local", "published_ns": "ts_venue", "event_ns": "ref", "value_e9": "value", "source": "source", **LINEAGE},
    "external numbers in 1e-9, as of their publication",
)
ROW_FIELDS = (
    "kind", "side", "marks", "source", "strategy", "stream_seq", "ts_venue", "ts_local", "price", "quantity", "ref", "value",
)  # fmt: skip
QUARANTINE = Table(
    "quarantine", (), {**{name: name for name in ROW_FIELDS}, "reason": ""}, "refused rows, whole, with the code of the reason"
)
MINUTES = Table(
    "minutes",
    (),
    {
        **PLACE, "open_units": "ref", "high_units": "", "low_units": "", "close_units": "price", "volume_units": "quantity",
        "trades": "",
    },
    "bars of a minute made from the trades that were taken; ts_venue is the bar's end",
)  # fmt: skip
RULE_NAMES = ("tick", "lot", "min_quantity", "min_notional", "maker_fee_e7", "taker_fee_e7", "payoff", "proof", "status")
RULE_OF = {
    layout.TICK: "tick", layout.LOT: "lot", layout.MIN_QUANTITY: "min_quantity", layout.MIN_NOTIONAL: "min_notional",
    layout.MAKER_FEE_E7: "maker_fee_e7", layout.TAKER_FEE_E7: "taker_fee_e7", layout.TRADING_STATUS: "status",
}  # fmt: skip
"""What a RULE row of a tape changes of them, by the column it names."""
RULES = Table(
    "rules",
    (),
    {**PLACE, **dict.fromkeys(("symbol", "base", "quote"), TEXT), **dict.fromkeys(RULE_NAMES, "")},
    "trading rules of an instrument and whether it trades (status), as of ts_local; the fields are those of "
    "domain.instruments.Instrument",
)
TABLES = {table.name: table for table in (TRADES, QUOTES, DEPTH, BARS, FUNDING, STREAMS, OBSERVATIONS, QUARANTINE, MINUTES, RULES)}
OF_KIND = {kind: table for table in TABLES.values() for kind in table.kinds}
CHANNELS = {
    "trades": "trade", "quotes": "quote", "depth": "depth", "bars": "bar", "funding": "funding", "streams": "stream",
    "observations": "observation",
}  # fmt: skip
"""The channel whose rows a table holds; with venue and instrument it names a series."""
EXPONENTS = ("price_exponent", "quantity_exponent")
ORIGIN = ("origin", "at")


class Source(NamedTuple):
    """Where rows come from: the segment's origin and the tape's lists."""

    origin: int
    instruments: Sequence[Instrument]


class Piece(NamedTuple):
    """Rows of one table, instrument and day, as columns; `day` is YYYY-MM-DD (UTC) of the event's time."""

    table: str
    venue: str
    instrument: str
    day: str
    frame: pl.DataFrame


def origin_of(sha256: str) -> int:
    """The `origin` of a segment by its hex sha256."""
    return int.from_bytes(bytes.fromhex(sha256[:16]), "big", signed=True)


def pieces(rows: Rows, at: NDArray[np.integer], source: Source, reasons: NDArray[np.int16] | None = None) -> Iterator[Piece]:
    """The rows cut by table, instrument and day. at: their index in the segment; reasons: sends them to quarantine instead.

    Rows of kinds no table takes are left out.
    """
    group = rows["kind"].astype(np.int32) << 16 | rows["instrument"]
    if len(rows) and not np.all(group == group[0]):
        order = np.argsort(group, kind="stable")
        rows, at, group = rows.take(order), at[order], group[order]
        reasons = None if reasons is None else reasons[order]
    stamped = rows["ts_venue"]
    event = np.where(stamped > 0, stamped, rows["ts_local"]) // codes.DAY
    changed = (np.diff(group) != 0) | (np.diff(event) != 0)
    for start, stop in runs(changed, len(rows)):
        table = QUARANTINE if reasons is not None else OF_KIND.get(int(rows["kind"][start]))
        if table is None:
            continue
        part = rows[start:stop]
        instrument = source.instruments[int(part["instrument"][0])]
        why = None if reasons is None else reasons[start:stop]
        frame = projected(table, part, at[start:stop], source.origin, instrument, why)
        yield Piece(table.name, instrument.venue, short_name(instrument), day_text(int(event[start])), frame)


def runs(changed: NDArray[np.bool_], n: int) -> Iterator[tuple[int, int]]:
    """[start, stop) of the stretches between the places where something changed."""
    cuts = (np.flatnonzero(changed) + 1).tolist()
    yield from zip([0, *cuts], [*cuts, n], strict=True) if n else ()


def projected(
    table: Table, rows: Rows, at: NDArray[np.integer], origin: int, instrument: Instrument, why: NDArray[np.int16] | None
) -> pl.DataFrame:
    """The rows of one instrument as the table's columns."""
    import polars as pl

    made = [pl.Series(name, column) for name, column in _columns(table, rows).items()]
    n = len(rows)
    if table is BARS:
        high, low = reach(rows)
        made += [pl.Series("high_units", high), pl.Series("low_units", low)]
    if why is not None:
        made.append(pl.Series("reason", np.ascontiguousarray(why)))
    made += [
        pl.repeat(instrument.price_exponent, n, dtype=pl.Int8, eager=True).alias("price_exponent"),
        pl.repeat(instrument.quantity_exponent, n, dtype=pl.Int8, eager=True).alias("quantity_exponent"),
        pl.repeat(origin, n, dtype=pl.Int64, eager=True).alias("origin"),
        pl.Series("at", at.astype(np.int32)),
    ]
    return pl.DataFrame(made).select(*schema(table))


def _columns(table: Table, rows: Rows) -> dict[str, NDArray[np.integer]]:
    """The plain columns, filled stretch by stretch: each stretch is read from memory once for all of them."""
    made = {name: np.empty(len(rows), ROW[field]) for name, field in table.columns.items() if field}
    for start in range(0, len(rows), STRETCH):
        part = rows[start : start + STRETCH]
        for name, column in made.items():
            column[start : start + STRETCH] = part[table.columns[name]]
    return made


def schema(table: Table) -> dict[str, pl.DataType]:
    """Columns and Polars types of a table, without the partition columns."""
    import polars as pl

    found: dict[str, pl.DataType] = {}
    for name, field in table.columns.items():
        kind = ROW[field].str[1:] if field in (ROW.names or ()) else ("i2" if name == "reason" else "i8")
        found[name] = pl.String() if field == TEXT else getattr(pl, NARROW[kind])()
    for name in EXPONENTS:
        found[name] = pl.Int8()
    return {**found, "origin": pl.Int64(), "at": pl.Int32()}


def rules_of(instrument: Instrument, at: int, origin: int, since_ns: int) -> Piece:
    """The rules of an instrument as of a time. at: its number on the tape, or the RULE row that changed them."""
    import polars as pl

    told = {name: getattr(instrument, name) for name in (*RULE_NAMES, "symbol", "base", "quote", *EXPONENTS)}
    row = {**told, "ts_local": since_ns, "ts_venue": since_ns, "origin": origin, "at": at}
    kinds = schema(RULES)
    frame = pl.DataFrame({name: [row[name]] for name in kinds}, schema=kinds)
    return Piece(RULES.name, instrument.venue, short_name(instrument), day_text(since_ns // codes.DAY), frame)


def reach(rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """High and low of BAR rows, in price units."""
    value = rows["value"]
    below = (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
    return np.maximum(rows["price"], rows["ref"]) + (value >> 32), np.minimum(rows["price"], rows["ref"]) - below


def short_name(instrument: Instrument) -> str:
    """The instrument's name without its venue: BASE/QUOTE, with `:perp` or `:inverse` for a contract."""
    return instrument.name.partition(":")[2]


def day_text(day: int) -> str:
    """YYYY-MM-DD of a day counted from 1970."""
    return str(np.datetime64(day, "D"))


def day_number(text: str) -> int:
    """The reverse."""
    return int(np.datetime64(text, "D").astype(np.int64))
