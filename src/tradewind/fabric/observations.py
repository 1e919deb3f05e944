"""External numbers: each with the time it speaks of and the time it was published; what is known at a moment goes by the second.

From CSV or Parquet, from JSON over HTTP, from a webhook (`webhook`); all become OBSERVATION rows on a tape, and from there the
lake's table. A number may be published again for the same event: the younger publication holds from then on, and only then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import Rows, rows
from tradewind.storage.lake import Lake
from tradewind.storage.tape import Tape, TapeWriter
from tradewind.venues.adapter import Answer, Ask

from .spec import moment
from .transport import Transport

if TYPE_CHECKING:
    import polars as pl

VENUE = "external"
LARGEST = 1 << 62


class Observation(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One number: times in ns UTC, the value in 1e-9."""

    published_ns: int
    event_ns: int
    value_e9: int


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns (or keys of a JSON record) hold what. published: "" where the source tells none: then `delay_ns` after it."""

    value: str = "value"
    event: str = "event"
    published: str = "published"
    delay_ns: int = 0


def from_file(path: Path, columns: Columns) -> list[Observation]:
    """The observations of a CSV or Parquet file. Raises BadUse, and BadData naming the row that is none."""
    import polars as pl

    try:
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
        else:  # every cell as it is written: a float would have rounded it already
            frame = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadUse(str(error).splitlines()[0], where=str(path), expected="a CSV file with a header, or Parquet") from error
    return from_records(frame.iter_rows(named=True), columns, str(path))


def from_answer(answer: Answer, columns: Columns, path: Sequence[str] = ()) -> list[Observation]:
    """The observations in a JSON answer: a list of records, found by walking `path`. Without a time of publication, when it came.

    Raises BadData where the answer is no such list.
    """
    try:
        found: Any = msgspec.json.decode(answer.body)
        for key in path:
            found = found[int(key)] if isinstance(found, list) else found[key]
        if not isinstance(found, list):
            raise KeyError("a list")
    except (msgspec.DecodeError, KeyError, IndexError, ValueError, TypeError, RecursionError) as error:
        raise BadData(f"no list of records: {error}", where="/".join(path) or "the answer", expected="a JSON list") from error
    if answer.status != 200:
        raise BadData(f"status {answer.status}", where="the answer", expected="200")
    return from_records(found, columns, "the answer", answer.received_ns)


async def fetch(transport: Transport, url: str, columns: Columns, path: Sequence[str] = ()) -> list[Observation]:
    """The observations at an https address now. Raises BadUse, Unreachable, OutcomeUnknown, BadData."""
    parts = urlsplit(url)
    ask = Ask(path=parts.path or "/", query=tuple(parse_qsl(parts.query)), purpose="history")
    return from_answer(await transport.ask(f"{parts.scheme}://{parts.netloc}", ask), columns, path)


def from_records(records: Iterable[Any], columns: Columns, where: str, heard_ns: int = 0) -> list[Observation]:
    """The observations of records, sorted by publication. Raises BadData naming the first that is none."""
    found = []
    for n, record in enumerate(records):
        try:
            event = _time(record[columns.event])
            published = _time(record[columns.published]) if columns.published else heard_ns or event + columns.delay_ns
            if published < event and columns.published:
                raise BadData("published before it happened", expected="published >= event, or no column of publication")
            found.append(Observation(published_ns=published, event_ns=event, value_e9=_value(record[columns.value])))
        except (BadData, BadUse) as error:
            raise BadData(error.what, where=f"{where}, record {n + 1}", expected=error.expected) from error
        except (KeyError, TypeError, AttributeError) as error:
            have = ", ".join(record) if isinstance(record, dict) else type(record).__name__
            raise BadData(f"lacks {error}", where=f"{where}, record {n + 1}", expected=f"one of {have}") from error
    return sorted(found)


def tape_of(folder: Path, name: str, unit: str, found: Sequence[Observation]) -> Tape:
    """The observations as a tape at `folder`, each heard when it was published."""
    series = Instrument(venue=VENUE, symbol=name, base=name, quote=unit, price_exponent=0, quantity_exponent=9)
    with TapeWriter(folder, [series], [Stream(venue=VENUE, channel="observation", instrument=0)], "tradewind observe") as writer:
        writer.append(rows_of(found))
        writer.close({"observations": name})
    return Tape.open(folder)


def rows_of(found: Sequence[Observation], source: int = 0, instrument: int = 0, first_seq: int = 1) -> Rows:
    """OBSERVATION rows in order of publication."""
    ordered = sorted(found)
    made = rows(len(ordered))
    made["kind"], made["marks"], made["strategy"] = codes.OBSERVATION, codes.WHOLE, -1
    made["source"], made["instrument"] = source, instrument
    made["stream_seq"] = np.arange(first_seq, first_seq + len(ordered))
    for field, name in (("ts_local", "published_ns"), ("ts_venue", "published_ns"), ("ref", "event_ns"), ("value", "value_e9")):
        made[field] = [getattr(one, name) for one in ordered]
    return made


def as_of(lake: Lake, name: str, moments: pl.Series) -> pl.Series:
    """The value known at each moment (ns): of the last publication not after it; null before the first. In plain numbers."""
    import polars as pl

    kept = lake.scan("observations").filter((pl.col("venue") == VENUE) & pl.col("instrument").str.starts_with(f"{name}/"))
    told = kept.select("published_ns", "event_ns", "value_e9", "at").collect().sort("published_ns", "event_ns", "at")
    if not told.height:
        raise BadUse(f"no observations named {name!r}", where="external.name", todo="take them in with `tradewind data observe`")
    known = np.searchsorted(told["published_ns"].to_numpy(), moments.to_numpy(), side="right") - 1
    values = told["value_e9"].to_numpy()[np.maximum(known, 0)].astype(np.float64) / 1e9
    return pl.Series(values).set(pl.Series(known < 0), None)


def _time(value: Any) -> int:
    """ns UTC of an ISO text or a count since 1970 in s, ms, µs or ns (by its size). Raises BadData, BadUse."""
    if hasattr(value, "timestamp"):
        return moment(value.isoformat(), 0)
    text = str(value).strip()
    if text.lstrip("-").isdigit():
        count = int(text)
        for unit in (codes.SECOND, codes.MILLISECOND, codes.MICROSECOND, 1):
            if abs(count) * unit < 1 << 62 and abs(count) < 100_000_000_000 * (codes.SECOND // unit):
                return count * unit
        raise BadData(f"{text} is no time", expected="seconds, ms, µs or ns since 1970")
    found = moment(text.replace("Z", "+00:00"), -1)
    if found < 0:
        raise BadData("an empty time", expected="ISO text or a count since 1970")
    return found


def _value(value: Any) -> int:
    """The number in 1e-9, exactly where it has no more than nine decimals. Raises BadData."""
    try:
        scaled = Decimal(str(value)).scaleb(9)
        if scaled.is_finite() and abs(scaled) < LARGEST:
            return int(scaled.to_integral_value())
    except InvalidOperation:
        pass
    raise BadData(f"{value!r} is no number below {LARGEST // codes.E9:,}", expected="a decimal number")
