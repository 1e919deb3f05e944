"""The ways in which others write bars down: parquet, freqtrade's feather, LEAN's zips, CryptoDataDownload's and Bitfinex's CSV.

Found by content, not by name; the name (or, for LEAN and freqtrade, the folder) says venue and pair. What a dialect is known to
do wrong is refused with its reason: bytes of a spreadsheet's locale, a second header, columns nobody named. Units of time may
change within a file and are judged number by number.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tradewind.domain.errors import BadData
from tradewind.venues.lines import Progress, Refusals, texts
from tradewind.venues.ohlcv import cells

COLUMNS = ("open", "high", "low", "close", "volume")
MAX_ZIP_BYTES = 256 << 20  # of one file within a LEAN zip
MS_FROM = 100_000_000_000  # a stamp from here on is in ms, below it in s
SECOND, MILLISECOND = 1_000_000_000, 1_000_000
_TEXTS = ("%Y-%m-%d %I-%p", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d", "%Y%m%d %H:%M", "%Y-%m-%d %H:%M")
_FREQTRADE = re.compile(r"([A-Z0-9]+)_([A-Z0-9]+)(_[A-Z0-9]+)?-[0-9]+[mhdw](-\w+)?\.feather")
_LEAN = re.compile(r"(?:([0-9]{8})_)?([a-z]+)(?:_(minute|hour|daily))?(?:_(trade|quote))?\.csv")
_BITFINEX = ("time", "open", "close", "high", "low", "volume")
_LEAN_COLUMNS = ("time", *COLUMNS)
CHUNK_BARS = 1 << 13
Bars = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Times of beginning in ns, and (n, 5): open, high, low, close, volume."""


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
    rows = _table(iter([text + b"\n"]), _LEAN_COLUMNS, ",", (path.name, refusals), day)
    return Told(path.parents[place].name.lower(), named[2], _told(rows, path, refusals))


def _csv(path: Path, refusals: Refusals, progress: Progress | None) -> Told:
    pieces = texts(path, refusals, progress)
    text = next(pieces, b"")
    at = 0
    for number in range(1, 5):
        end = text.find(b"\n", at)
        line = text[at:end].rstrip(b"\r") if end >= 0 else b""
        separator = ";" if line.count(b";") > line.count(b",") else ","
        names = [cell.strip().lower() for cell in line.decode("utf-8-sig", "replace").split(separator)]
        if {"open", "high", "low", "close"} <= set(names):
            columns = tuple(_column(cell) for cell in names)
            rows = _table(chain([text[end + 1 :]], pieces), columns, separator, (path.name, refusals), 0, number)
            return Told(*_venue_pair(path), _told(rows, path, refusals))
        if len(names) == len(_BITFINEX) and names[0].isdigit():
            if not path.parent.name.lower().startswith("bitfinex"):
                raise BadData("no header says which column is which", where=str(path), expected="a header, or Bitfinex's own order")
            rows = _table(chain([text[at:]], pieces), _BITFINEX, separator, (path.name, refusals), 0, number - 1)
            return Told("bitfinex", path.name.partition("_")[0].lower(), _told(rows, path, refusals))
        if end < 0:
            break
        at = end + 1
    raise BadData("no header of bars in its first lines", where=str(path), expected="open, high, low, close among the columns")


def _column(cell: str) -> str:
    if cell in ("unix", "unix timestamp", "timestamp"):
        return "time"
    return "volume" if cell.startswith("volume") else cell


def _table(
    pieces: Iterator[bytes], columns: tuple[str, ...], separator: str, whose: tuple[str, Refusals], day: int, number: int = 0
) -> Bars:
    """Bars of whole lines, `number` of which came before; `columns` may name volume twice: the first is the base asset's.

    A time is a `time`, else a `date`. Usual lines are read by compiled code (`cells`), the others here, with a reason if refused.
    """
    when = columns.index("time") if "time" in columns else columns.index("date") if "date" in columns else -1
    if when < 0 or "volume" not in columns:
        raise BadData("a header without a time or a volume", where=whose[0], expected="date or unix, and volume")
    places = [columns.index(name) for name in COLUMNS]
    table = np.array([len(columns), ord(separator), when, day, *places, 0], np.int64)
    times, numbers = list[NDArray[np.int64]](), list[NDArray[np.float64]]()
    some, told = _room()
    for text in pieces:
        at = 0
        while at < len(text):
            count = cells.bars(text, at, table, some, told)
            if count:
                times.append(some[:count])
                numbers.append(told[:count])
                some, told = (some[count:], told[count:]) if count < len(some) else _room()
                number, at = number + count, int(table[cells.C_AT])
                continue
            end = text.index(b"\n", at)
            line, at, number = text[at:end].rstrip(b"\r"), end + 1, number + 1
            row = _line(line, (columns, separator, when, day), (whose[1], whose[0], number)) if line.strip() else None
            if row is not None:
                times.append(np.array([row[0]], np.int64))
                numbers.append(np.array([row[1]], np.float64))
    if not times:
        return np.zeros(0, np.int64), np.zeros((0, len(COLUMNS)), np.float64)
    return np.concatenate(times), np.concatenate(numbers)


def _room() -> Bars:
    return np.empty(CHUNK_BARS, np.int64), np.empty((CHUNK_BARS, len(COLUMNS)), np.float64)


def _line(
    line: bytes, shape: tuple[tuple[str, ...], str, int, int], whose: tuple[Refusals, str, int]
) -> tuple[int, list[float]] | None:
    """(time, numbers) of an unusual line; None where it is refused."""
    (columns, separator, when, day), (refusals, file, number) = shape, whose
    try:
        found = line.decode("ascii").split(separator)
        if len(found) != len(columns):
            raise BadData("a line with another number of columns than the header", expected=f"{len(columns)}")
        return day + _time(found[when].strip(), in_day=day > 0), [float(found[columns.index(name)]) for name in COLUMNS]
    except UnicodeDecodeError:
        refusals.add("bytes that are no ASCII: a spreadsheet's locale has changed a number", file, number, line)
    except ValueError:
        refusals.add("a number that cannot be read", file, number, line)
    except BadData as error:
        refusals.add(error.what, file, number, line)
    return None


def _time(text: str, in_day: bool = False) -> int:
    """ns UTC of unix seconds, unix ms or a date; `in_day`: ms since midnight. Raises BadData."""
    if text.partition(".")[0].isdigit() and text.isascii() and len(text) < 16 and (len(text) != 8 or in_day):
        stamp = int(text.partition(".")[0])
        if stamp < (cells.LATEST_MS if in_day or stamp >= MS_FROM else cells.LATEST_S):
            return stamp * (MILLISECOND if in_day or stamp >= MS_FROM else SECOND)
    for form in _TEXTS:
        try:
            moment = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return int(moment.timestamp()) * SECOND + moment.microsecond * 1_000
    raise BadData("a time that cannot be read", expected="unix seconds or ms, or such as 2019-03-12 11-PM")


def _told(bars: Bars, path: Path, refusals: Refusals) -> pl.DataFrame:
    times, numbers = bars
    if not len(times):
        raise BadData(f"no bar in it can be used: {refusals.first()}", where=str(path), expected="bars with numbers")
    frame = pl.DataFrame({"timestamp": times, **{name: numbers[:, k] for k, name in enumerate(COLUMNS)}})
    return frame.with_columns(pl.from_epoch("timestamp", time_unit="ns").dt.replace_time_zone("UTC"))
