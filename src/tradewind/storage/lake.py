"""The lake: Delta tables of everything the tapes hold, partitioned by venue, instrument and day.

A projection: each row names the raw row it was made of, and `fabric.verify` makes it again and compares. Files are written
by Polars and committed to the Delta log in one transaction a batch, so a reader sees all of a batch or nothing of it; the
tables read as they are in Spark, Trino, DuckDB or Polars. The root is a folder or the URL of an object store.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec
from zlib_ng.zlib_ng import crc32

from tradewind.domain.errors import BadUse, did_you_mean

from . import files
from .projection import TABLES, Piece, Table, day_text, schema

if TYPE_CHECKING:
    import polars as pl
    from deltalake import DeltaTable

PARTITION = ("venue", "instrument", "day")
GROUP_ROWS = 1 << 17  # rows of a Parquet row group: an hour of a busy market, so that a query of an hour reads one or two
LEVEL = 3  # of zstd, where a partition is written again; what is appended is packed with lz4, which is quicker
DAY_NS = 86_400_000_000_000
TIMES = ("ts_local", "ts_venue", "published_ns")
DELTA_TYPES = {"String": "string", "Int8": "byte", "Int16": "short", "Int32": "integer", "Int64": "long"}
GREW = {"rules": ("status",)}  # columns that files of older releases lack: what they would have held is 0
UNSAFE = {ord(char): f"%{ord(char):02X}" for char in "%/\\:*?\"<>|#=[]{}^ '"}


ASIDE = ".aside"  # of a file that is being written: its name holds the crc32 of its bytes, so that damage is found before reading
NAMED = re.compile(r"-([0-9a-f]{8})\.parquet$")
ASKING = ("select", "with", "show", "explain", "")
LITERAL = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
READS = re.compile(r"\b((?:read|scan)_\w+)\s*\(", re.IGNORECASE)
QUOTED = re.compile(r"['\"](\w+)['\"]")


class Part(NamedTuple):
    """Which partition: the values of its three columns."""

    venue: str
    instrument: str
    day: str


class Kept(msgspec.Struct, frozen=True):
    """What a table holds, from its log alone."""

    table: str
    files: int
    rows: int
    bytes: int
    version: int


class Lake:
    """The tables below one root. `options` go to the object store where the root is a URL; `clock` dates removals."""

    def __init__(self, root: Path | str, options: Mapping[str, str] | None = None, clock: Callable[[], int] = time.time_ns) -> None:
        self.clock = clock
        self.remote = "://" in str(root)
        self.root = str(root) if self.remote else str(Path(root).absolute())
        self.options = dict(options or {})
        self._open: dict[str, DeltaTable] = {}

    def place(self, table: str) -> str:
        """Where a table lies."""
        return f"{self.root}/{table}"

    # Writing -------------------------------------------------------------------------------------------------------------

    def append(self, pieces: Iterable[Piece]) -> int:
        """Adds pieces, one commit a table; returns the rows added. Raises NoRoom, OSError as the disk or store does."""
        by_table: dict[str, list[Piece]] = {}
        for piece in pieces:
            if piece.frame.height:
                by_table.setdefault(piece.table, []).append(piece)
        for name, mine in by_table.items():
            self._add(name, mine)
        return sum(piece.frame.height for mine in by_table.values() for piece in mine)

    def replace(self, table: str, part: Part, frame: pl.DataFrame) -> None:
        """Makes `frame` the whole content of one partition, in one commit; an empty one removes it."""
        gone = self._files(table).filter(_is(part))["path"].to_list()
        if self.remote:
            where = " AND ".join(f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in part._asdict().items())
            self._write_remote([Piece(table, *part, frame)], mode="overwrite", predicate=where)
        elif frame.height or gone:
            self._commit(table, [self._write(Piece(table, *part, frame), packed=True)] if frame.height else [], gone)

    def compact(self, table: str, least: int = 2) -> int:
        """Joins the files of each partition that has `least` of them into one, in order of time; returns how many it saved."""
        saved = 0
        for part, mine in self._files(table).group_by(*(f"partition.{name}" for name in PARTITION)):
            if mine.height >= least:
                where = Part(str(part[0]), str(part[1]), str(part[2]))
                self.replace(table, where, self.part(table, where).sort("ts_local", "origin", "at"))
                saved += mine.height - 1
        return saved

    def prune(self, table: str, before_day: str) -> int:
        """Takes the partitions of days before `before_day` out of the table; returns their rows. Their files go by `vacuum`."""
        import polars as pl

        old = self._files(table).filter(pl.col("partition.day") < pl.lit(before_day).str.to_date())
        if old.height:
            self._commit(table, [], old["path"].to_list())
        return int(old["num_records"].sum())

    def vacuum(self, table: str, hours: int = 168) -> int:
        """Deletes files that no version of the last `hours` needs; returns how many."""
        found = self._table(table)
        return len(found.vacuum(hours, dry_run=False, enforce_retention_duration=False)) if found else 0

    def _add(self, table: str, mine: list[Piece]) -> None:
        if self.remote:
            self._write_remote(mine, mode="append")
        else:
            self._commit(table, [self._write(piece, packed=False) for piece in mine], [])

    def _write_remote(self, mine: list[Piece], **how: Any) -> None:
        """Through delta-rs, which knows the object stores; slower, because it takes the partitions apart again."""
        import polars as pl
        from deltalake import write_deltalake

        table = mine[0].table
        found = self._grown(table)
        frames = [
            piece.frame.with_columns(
                venue=pl.lit(piece.venue), instrument=pl.lit(piece.instrument), day=pl.lit(piece.day).str.to_date()
            )
            for piece in mine
        ]
        write_deltalake(found, pl.concat(frames), **how)

    def _write(self, piece: Piece, *, packed: bool) -> Any:
        """Writes a file and gives the log's entry for it. packed: a third smaller, a third slower."""
        from deltalake.transaction import AddAction

        frame = piece.frame
        folder = "/".join(
            f"{name}={getattr(piece, name).translate(UNSAFE)}" for name in PARTITION
        )  # as Hive, Spark and delta-rs spell it: other readers take the partition from the path
        aside = Path(f"{self.place(piece.table)}/{folder}/{uuid.uuid4().hex}{ASIDE}")
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            if packed:
                frame.write_parquet(aside, compression="zstd", compression_level=LEVEL, row_group_size=GROUP_ROWS)
            else:
                frame.write_parquet(aside, compression="lz4", row_group_size=GROUP_ROWS)
        except BaseException as error:  # also on Ctrl-C: half a file is none
            aside.unlink(missing_ok=True)
            if f"os error {errno.ENOSPC}" in str(error):  # Polars tells it as an error of computing
                raise files.disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), self.root) from error
            raise
        path = f"{folder}/{aside.stem}-{_crc_of(aside):08x}.parquet"
        target = f"{self.place(piece.table)}/{path}"
        aside.rename(target)
        times = [name for name in TIMES if name in frame.columns]
        stats = {
            "numRecords": frame.height,
            "minValues": {name: frame[name].min() for name in times},
            "maxValues": {name: frame[name].max() for name in times},
            "nullCount": dict.fromkeys(times, 0),
        }
        part = {name: getattr(piece, name) for name in PARTITION}
        return AddAction(path, Path(target).stat().st_size, part, 0, True, msgspec.json.encode(stats).decode())

    def _commit(self, table: str, added: list[Any], removed: list[str]) -> None:
        from deltalake.transaction import RemoveAction

        found = self._grown(table)
        actions = [*added, *(RemoveAction(path, True, self.clock() // 1_000_000) for path in removed)]
        found.create_write_transaction(actions, "append", found.schema(), list(PARTITION))
        found.update_incremental()

    def _grown(self, table: str) -> DeltaTable:
        """The table to write to, with the columns that an older release did not have."""
        found = self._table(table) or self._create(table)
        known = {field.name for field in found.schema().fields}
        missing = [field for field in _declared(TABLES[table]).fields if field.name not in known]
        if missing:
            found.alter.add_columns(missing)
        return found

    def _create(self, table: str) -> DeltaTable:
        from deltalake import DeltaTable

        made = DeltaTable.create(
            self.place(table), _declared(TABLES[table]), partition_by=list(PARTITION), storage_options=self.options or None
        )
        self._open[table] = made
        return made

    # Reading -------------------------------------------------------------------------------------------------------------

    def tables(self) -> list[Kept]:
        """Every table that exists, and how much is in it."""
        found = []
        for name in TABLES:
            table = self._table(name)
            if table is not None:
                files = self._files(name)
                sizes = int(files["num_records"].sum()), int(files["size_bytes"].sum())
                found.append(Kept(name, files.height, *sizes, table.version()))
        return found

    def parts(self, table: str) -> list[Part]:
        """Its partitions, in order."""
        found = self._files(table).select(*(f"partition.{name}" for name in PARTITION)).unique().sort(pl_all())
        return [Part(str(row[0]), str(row[1]), str(row[2])) for row in found.iter_rows()]

    def part(self, table: str, part: Part) -> pl.DataFrame:
        """All rows of one partition, without the partition columns."""
        return self._scan(table, self._files(table).filter(_is(part))["path"].to_list()).collect()

    def scan(self, table: str, series: tuple[str, str] | None = None, start_ns: int = 0, stop_ns: int = 1 << 62) -> pl.LazyFrame:
        """The rows with start_ns <= ts_venue (published_ns of observations) < stop_ns, partition columns included.

        series: (venue, instrument). Files are chosen by the log, row groups by their statistics. Rows without a venue's
        time are found by ts_local.
        """
        import polars as pl

        found = self._files(table)
        if series is not None:
            found = found.filter(pl.col("partition.venue") == series[0], pl.col("partition.instrument") == series[1])
        first, last = start_ns // DAY_NS, min((stop_ns - 1) // DAY_NS, 1 << 20)
        days = pl.col("partition.day").cast(pl.Int32)
        chosen = self._scan(table, found.filter(days.is_between(first, last))["path"].to_list(), partitions=True)
        if start_ns <= 0 and stop_ns >= 1 << 62:
            return chosen
        event = pl.col("published_ns" if table == "observations" else "ts_venue")
        inside = event.is_between(start_ns, stop_ns - 1)
        return chosen.filter(inside | ((event <= 0) & pl.col("ts_local").is_between(start_ns, stop_ns - 1)))

    def rules(self, series: tuple[str, str], at_ns: int) -> dict[str, Any]:
        """The rules of an instrument that held at a time, as the row of the table; {} where none is known."""
        import polars as pl

        known = self.scan("rules", series).filter(pl.col("ts_local") <= at_ns).sort("ts_local", "at").tail(1).collect()
        return known.to_dicts()[0] if known.height else {}

    def digests(self, table: str) -> dict[Part, str]:
        """The canonical digest of every partition: of its rows in order of origin, not of how they lie in files.

        One of which a file is gone or has other bytes than were written has what is wrong with it in the place of a digest.
        """
        return {part: self._damage(table, part) or digest_of(self.part(table, part)) for part in self.parts(table)}

    def _damage(self, table: str, part: Part) -> str:
        """What is wrong with a partition's files; "" where nothing is, or where they lie with somebody who proves them."""
        for path in () if self.remote else self._files(table).filter(_is(part))["path"].to_list():
            place, named = Path(f"{self.place(table)}/{path}"), NAMED.search(path)  # files of older releases say nothing
            if not place.is_file():
                return f"{place.name} is gone"
            if named and _crc_of(place) != int(named[1], 16):
                return f"{place.name} is not what was written"
        return ""

    def query(self, sql: str) -> pl.DataFrame:
        """The answer to a SELECT over the tables, with `price`, `quantity`, `ts` and such in plain numbers beside the units.

        Raises BadUse with the reason where it is no query of these tables alone: nothing is changed, no other file is read.
        """
        import polars as pl

        frames = {name: _plain(self.scan(name)) for name in TABLES if self._table(name) is not None}
        expected = f"a SELECT over {', '.join(sorted(frames)) or 'no table yet'}"
        bare = LITERAL.sub(" ", sql)
        if bare.split(None, 1)[:1] and bare.split(None, 1)[0].strip("(").lower() not in ASKING:
            raise BadUse("it is no question", where="the query", expected=expected)
        if reads := READS.search(bare):
            raise BadUse(f"{reads[1]} reads what is not in the lake", where="the query", expected=expected)
        try:
            return pl.SQLContext(frames).execute(sql, eager=True)
        except pl.exceptions.PolarsError as error:
            what = str(error).splitlines()[0]
            todo = did_you_mean(QUOTED.findall(what)[:1], _words(frames), 2)
            raise BadUse(what, where="the query", expected=expected, todo=todo) from error

    def _table(self, name: str) -> DeltaTable | None:
        from deltalake import DeltaTable

        if name not in self._open:
            if not DeltaTable.is_deltatable(self.place(name), self.options or None):
                return None
            self._open[name] = DeltaTable(self.place(name), storage_options=self.options or None)
        else:
            self._open[name].update_incremental()
        return self._open[name]

    def _files(self, table: str) -> pl.DataFrame:
        """The log's live files: path, num_records, size_bytes, partition.*."""
        import polars as pl

        found = self._table(table)
        types = pl.Schema({"path": pl.String, "size_bytes": pl.Int64, "num_records": pl.Int64})
        types.update({"partition.venue": pl.String(), "partition.instrument": pl.String(), "partition.day": pl.Date()})
        if found is None:
            return pl.DataFrame(schema=types)
        actions = pl.DataFrame(found.get_add_actions(flatten=True))
        if not actions.height:
            return pl.DataFrame(schema=types)
        # The log spells a path as a URL does; the file's own name already holds a percent sign where a value had a slash.
        paths = pl.Series("path", [unquote(path) for path in actions["path"].to_list()], pl.String)
        return actions.with_columns(paths).select(*types).cast(types)

    def _scan(self, table: str, paths: list[str], *, partitions: bool = False) -> pl.LazyFrame:
        import polars as pl

        types = schema(TABLES[table])
        parts = {"venue": pl.String(), "instrument": pl.String(), "day": pl.Date()} if partitions else {}
        if not paths:
            return pl.LazyFrame(schema={**types, **parts})
        younger: dict[str, Any] = {"schema": {**types, **parts}, "missing_columns": "insert"} if table in GREW else {}
        found = pl.scan_parquet(
            [f"{self.place(table)}/{quote(path) if self.remote else path}" for path in paths],
            hive_partitioning=partitions,
            hive_schema=parts or None,
            glob=False,
            storage_options=self.options or None,
            **younger,
        )
        return found.with_columns(pl.col(name).fill_null(0) for name in GREW.get(table, ()))


def _crc_of(path: Path) -> int:
    """The crc32 of a file's bytes, read where the system keeps them."""
    if not path.stat().st_size:
        return 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        return crc32(held)


def _words(frames: Mapping[str, pl.LazyFrame]) -> list[str]:
    """What a query may name: tables and their columns."""
    return sorted({*frames, *(name for frame in frames.values() for name in frame.collect_schema().names())})


def digest_of(frame: pl.DataFrame) -> str:
    """Hex sha256 over the columns of rows sorted by (origin, at): name, type and values, little-endian."""
    ordered = frame.sort("origin", "at")
    found = hashlib.sha256()
    for name in sorted(ordered.columns):
        values = ordered[name].to_numpy()
        found.update(f"{name}:{ordered[name].dtype}:{len(values)}\n".encode())
        found.update(values.tobytes() if values.dtype != object else "\n".join(values).encode())
    return found.hexdigest()


def pl_all() -> pl.Expr:
    """Every column."""
    import polars as pl

    return pl.all()


def _is(part: Part) -> pl.Expr:
    import polars as pl

    return (
        (pl.col("partition.venue") == part.venue)
        & (pl.col("partition.instrument") == part.instrument)
        & (pl.col("partition.day") == pl.lit(part.day).str.to_date())
    )


def _declared(table: Table) -> Any:
    """The table's schema as Delta names it."""
    from deltalake import Field, Schema
    from deltalake.schema import PrimitiveType

    columns = {**{name: DELTA_TYPES[str(kind)] for name, kind in schema(table).items()}, "venue": "string", "instrument": "string"}
    return Schema([Field(name, PrimitiveType(kind)) for name, kind in {**columns, "day": "date"}.items()])


def _plain(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The view a person queries: numbers in whole units and times as times, beside the raw columns."""
    import polars as pl

    names = frame.collect_schema().names()
    added = []
    for name in names:
        if name.endswith("_units"):
            exponent = "quantity_exponent" if name in ("quantity_units", "volume_units") else "price_exponent"
            added.append((pl.col(name) / pl.lit(10.0).pow(pl.col(exponent))).alias(name.removesuffix("_units")))
    clock = next(name for name in ("ts_venue", "published_ns") if name in names)
    when = pl.when(pl.col(clock) > 0).then(pl.col(clock)).otherwise(pl.col("ts_local"))
    return frame.with_columns(*added, when.cast(pl.Datetime("ns", "UTC")).alias("ts"))


__all__ = ["Kept", "Lake", "Part", "day_text", "digest_of"]
