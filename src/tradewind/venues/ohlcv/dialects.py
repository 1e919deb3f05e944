"""The ways in which others write bars down: parquet, freqtrade's feather, LEAN's zips, CryptoDataDownload's and Bitfinex's CSV.

Found by content, not by name; the name (or, for LEAN and freqtrade, the folder) says venue and pair. What a dialect is known to
do wrong is refused with its reason: bytes of a spreadsheet's locale, a second header, columns nobody named. Units of time may
change within a file and are judged number by number.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from tradewind.domain.errors import BadData
from tradewind.venues.lines import Progress, Refusals, blocks

COLUMNS = ("open", "high", "low", "close", "volume")
MAX_ZIP_BYTES = 256 << 20  # of one file within a LEAN zip
MS_FROM = 100_000_000_000  # a stamp from here on is in ms, below it in s
SECOND, MILLISECOND = 1_000_000_000, 1_000_000
_TEXTS = ("%Y-%m-%d %I-%p", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d", "%Y%m%d %H:%M", "%Y-%m-%d %H:%M")
_FREQTRADE = re.compile(r"([A-Z0-9]+)_([A-Z0-9]+)(_[A-Z0-9]+)?-[0-9]+[mhdw](-\w+)?\.feather")
_LEAN = re.compile(r"(?:([0-9]{8})_)?([a-z]+)(?:_(minute|hour|daily))?(?:_(trade|quote))?\.csv")
_BITFINEX = ("time", "open", "close", "high", "low", "volume")
_LEAN_COLUMNS = ("time", *COLUMNS)
Row = tuple[int, float, float, float, float, float]


class Told(NamedTuple):
    """What a file says: whose bars they are, and they themselves with the column `timestamp` (UTC) beside COLUMNS."""

    venue: str
    pair: str
    frame: pl.DataFrame


def read(path: Path, refusals: Refusals, progress: Progress | None = None) -> Told:
    """The bars of a file. Raises BadData where it is none of the dialects."""
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise BadData(f"cannot be read: {error.strerror or error}", where=str(path), expected="a readable file") from error
    if head[:4] == b"PAR1":
        return Told(*_venue_pair(path), _frame(path, pl.read_parquet))
    if head[:6] == b"ARROW1":
        return _freqtrade(path)
    if head[:4] == b"PK\x03\x04":
        return _lean(path, refusals)
    if path.suffix == ".parquet":
        raise BadData("is no parquet file", where=str(path), expected="a parquet file of bars")
    return _csv(path, refusals, progress)


def _venue_pair(path: Path) -> tuple[str, str]:
    """Of kraken_btcusd.parquet, Binance_BTCUSDT_1h_2017.csv.zst."""
    venue, pair = (*path.name.partition(".")[0].lower().split("_"), "", "")[:2]
    if not venue.isalnum() or not pair.isalnum():
        raise BadData("its name does not say venue and pair", where=str(path), expected="such as kraken_btcusd.parquet")
    return venue, pair


def _frame(path: Path, reader: Callable[[Path], pl.DataFrame]) -> pl.DataFrame:
    try:
        frame = reader(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise BadData(f"is no file of its kind: {error}", where=str(path), expected="a parquet or feather file of bars") from error
    frame = frame.rename({"date": "timestamp"}) if "date" in frame.columns and "timestamp" not in frame.columns else frame
    missing = [name for name in (*COLUMNS, "timestamp") if name not in frame.columns]
    if missing:
        raise BadData(
            f"lacks the columns {', '.join(missing)}", where=str(path), expected="open, high, low, close, volume, timestamp"
        )
    kind = frame.schema["timestamp"]
    if not isinstance(kind, pl.Datetime) or kind.time_zone not in (None, "UTC"):
        raise BadData(f"timestamp is {kind}", where=str(path), expected="a UTC time")
    if not all(frame.schema[name].is_numeric() for name in COLUMNS):
        raise BadData("open, high, low, close or volume is text", where=str(path), expected="numbers")
    if frame["timestamp"].null_count():
        raise BadData("a bar without a time", where=str(path), expected="a time for every bar")
    return frame


def _freqtrade(path: Path) -> Told:
    """BASE_QUOTE-5m.feather in a folder named for the exchange; marks and funding rates are no bars of trades."""
    named = _FREQTRADE.fullmatch(path.name)
    if named is None:
        return Told(*_venue_pair(path), _frame(path, pl.read_ipc))
    if named[4] not in (None, "-futures"):
        raise BadData(f"{named[4][1:]} are no bars of trades", where=str(path), expected="a file of traded bars")
    folder = path.parent.parent if path.parent.name == "futures" else path.parent
    venue = folder.name.lower() if folder.name.isalnum() else "freqtrade"
    return Told(venue, (named[1] + named[2]).lower(), _frame(path, pl.read_ipc))


# Text ------------------------------------------------------------------------------------------------------------------------


def _lean(path: Path, refusals: Refusals) -> Told:
    """One CSV in a zip: ms of the day (the file's date), or a date and time; the folder names the venue."""
    try:
        with zipfile.ZipFile(path) as archive:
            (inside,) = archive.infolist()
            if inside.file_size > MAX_ZIP_BYTES:
                raise BadData(f"{inside.file_size} bytes in a zip", where=str(path), expected=f"at most {MAX_ZIP_BYTES}")
            text = archive.read(inside)
    except (zipfile.BadZipFile, ValueError, RuntimeError, NotImplementedError, OSError, EOFError) as error:
        raise BadData(f"is no zip of one file: {error}", where=str(path), expected="a LEAN zip") from error
    named = _LEAN.fullmatch(inside.filename)
    if named is None:
        raise BadData(f"holds {inside.filename[:40]!r}", where=str(path), expected="a LEAN file: 20180404_btcusd_minute_trade.csv")
    if "quote" in (named[4] or "", path.stem.rpartition("_")[2]):
        raise BadData("quote bars are no bars of trades", where=str(path), expected="a LEAN trade file")
    place = {"minute": 2, "hour": 1, "daily": 1}.get(named[3] or path.parent.name, 1)
    day = _time(f"{named[1][:4]}-{named[1][4:6]}-{named[1][6:]}") if named[1] else 0
    rows = _table(_numbered(io.BytesIO(text)), _LEAN_COLUMNS, ",", (path.name, refusals), day)
    return Told(path.parents[place].name.lower(), named[2], _told(rows, path, refusals))


def _numbered(stream: io.BytesIO) -> Iterator[tuple[int, bytes]]:
    return enumerate((line.rstrip(b"\r\n") for line in stream), 1)


def _csv(path: Path, refusals: Refusals, progress: Progress | None) -> Told:
    lines = ((at, line.rstrip(b"\r")) for number, some in blocks(path, refusals, progress) for at, line in enumerate(some, number))
    for at, line in lines:
        separator = ";" if line.count(b";") > line.count(b",") else ","
        cells = [cell.strip().lower() for cell in line.decode("utf-8-sig", "replace").split(separator)]
        if {"open", "high", "low", "close"} <= set(cells):
            columns = tuple(_column(cell) for cell in cells)
            rows = _table(lines, columns, separator, (path.name, refusals), 0)
            return Told(*_venue_pair(path), _told(rows, path, refusals))
        if len(cells) == len(_BITFINEX) and cells[0].isdigit():
            if not path.parent.name.lower().startswith("bitfinex"):
                raise BadData("no header says which column is which", where=str(path), expected="a header, or Bitfinex's own order")
            rows = _table(_again((at, line), lines), _BITFINEX, separator, (path.name, refusals), 0)
            return Told("bitfinex", path.name.partition("_")[0].lower(), _told(rows, path, refusals))
        if at > 3:
            break
    raise BadData("no header of bars in its first lines", where=str(path), expected="open, high, low, close among the columns")


def _again(first: tuple[int, bytes], rest: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    yield first
    yield from rest


def _column(cell: str) -> str:
    if cell in ("unix", "unix timestamp", "timestamp"):
        return "time"
    return "volume" if cell.startswith("volume") else cell


def _table(
    lines: Iterator[tuple[int, bytes]], columns: tuple[str, ...], separator: str, whose: tuple[str, Refusals], day: int
) -> list[Row]:
    """Rows of text; `columns` may name volume twice: the first is the base asset's. A time is a `time`, else a `date`."""
    when = columns.index("time") if "time" in columns else columns.index("date") if "date" in columns else -1
    if when < 0 or "volume" not in columns:
        raise BadData("a header without a time or a volume", where=whose[0], expected="date or unix, and volume")
    at = [columns.index(name) for name in COLUMNS]
    rows = list[Row]()
    for number, line in lines:
        if not line.strip():
            continue
        try:
            cells = line.decode("ascii").split(separator)
            if len(cells) != len(columns):
                raise BadData("a line with another number of columns than the header", expected=f"{len(columns)}")
            numbers = [float(cells[k]) for k in at]
            rows.append((day + _time(cells[when].strip(), in_day=day > 0), *numbers))  # type: ignore[arg-type]
        except UnicodeDecodeError:
            whose[1].add("bytes that are no ASCII: a spreadsheet's locale has changed a number", whose[0], number, line)
        except ValueError:
            whose[1].add("a number that cannot be read", whose[0], number, line)
        except BadData as error:
            whose[1].add(error.what, whose[0], number, line)
    return rows


def _time(text: str, in_day: bool = False) -> int:
    """ns UTC of unix seconds, unix ms or a date; `in_day`: ms since midnight. Raises BadData."""
    if text.partition(".")[0].isdigit() and text.isascii() and len(text) < 16 and (len(text) != 8 or in_day):
        stamp = int(text.partition(".")[0])
        return stamp * (MILLISECOND if in_day or stamp >= MS_FROM else SECOND)
    for form in _TEXTS:
        try:
            moment = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return int(moment.timestamp()) * SECOND + moment.microsecond * 1_000
    raise BadData("a time that cannot be read", expected="unix seconds or ms, or such as 2019-03-12 11-PM")


def _told(rows: list[Row], path: Path, refusals: Refusals) -> pl.DataFrame:
    if not rows:
        raise BadData(f"no bar in it can be used: {refusals.first()}", where=str(path), expected="bars with numbers")
    frame = pl.DataFrame(rows, schema=["timestamp", *COLUMNS], orient="row")
    return frame.with_columns(pl.from_epoch("timestamp", time_unit="ns").dt.replace_time_zone("UTC"))
