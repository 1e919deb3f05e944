"""The journal: every row the machine consumed and every row it said, in that order, provable to the last bit.

    journal.json                    JournalHeader, written once
    00000.journal, 00001.journal …  segments of at most 64 MiB; `batch` has their bytes

A backtest does not store market rows: a row of kind TAPE (ref = start, value = stop, quantity = segment index of the tape
that the header names) stands for them; `expand` puts them back. Texts are interned: a row carries the id, the text lies in
a batch of its own before it.

What is behind the last whole commit marker is a torn tail and may be cut. What is wrong before a whole commit marker is
corruption: `Corrupt` names file and offset, and nothing is cut, because what was once acknowledged would be lost. A machine
that lost power before its last bytes reached the disk in order may therefore have to ask its operator; the durability
`power`, which syncs every batch before it returns, keeps that to the one batch that nobody was told of.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse, Corrupt, TradewindError
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.ports import Segments
from tradewind.domain.rows import ROW, ROW_BYTES, Rows

from . import batch as layout
from . import files
from .batch import MOST_ROWS, Batch, Place, Sealer
from .recording import open_tape
from .tape import Tape, TapeSegment
from .window import Window

FORMAT, OLD_FORMAT = 2, 1
HEADER_FILE = "journal.json"
SEGMENT_BYTES = 64 << 20
MAX_TEXT = 1 << 16  # a venue's refusal is a line, not a book
BATCH_ROWS = layout.MAX_PAYLOAD // ROW_BYTES
SEGMENT_NAME = re.compile(r"\d{5,}\.journal")
Durability = Literal["process", "power"]


class TapeReference(msgspec.Struct, frozen=True, kw_only=True):
    """The tape whose rows the TAPE rows of a journal stand for; without a digest, the market log the run itself wrote."""

    path: str
    digest: str
    segments: list[TapeSegment]

    @classmethod
    def of(cls, tape: Tape) -> TapeReference:
        """The reference to `tape`, by its absolute path and its hashes."""
        return cls(path=str(tape.folder.resolve()), digest=tape.digest, segments=tape.manifest.segments)

    def open(self, folder: Path | str | None = None) -> Tape:
        """The tape, at `folder` where it was moved. Raises BadUse where it is missing, BadData where it is another one."""
        tape = open_tape(folder or self.path)
        if self.digest and tape.digest != self.digest:
            raise BadData("another tape than this journal was made from", where=str(tape.folder), expected=f"digest {self.digest}")
        return tape


class JournalHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote a journal, by what machine, from what. `created_ts` is ns UTC by the caller's clock."""

    run: str
    machine_hash: str
    build: str
    configuration: str
    instruments: list[Instrument]
    streams: list[Stream] = []
    tape: TapeReference | None = None
    made_by: str
    created_ts: int
    notes: dict[str, Any] = {}
    format: int = FORMAT


class Recovery(NamedTuple):
    """What `recover` found and did: the place of the last commit marker, and the bytes cut behind it."""

    place: Place
    cut_file: str
    cut_at: int
    cut_bytes: int
    cut_why: str

    @property
    def head(self) -> str:
        """The last chain value, in hex."""
        return self.place.chain.hex()


class Proof(NamedTuple):
    """A journal that holds together up to `head`. Whole batches cut off its end show only against a published proof."""

    head: str
    batches: int
    rows: int
    texts: int
    tail_bytes: int


def decode_header(data: bytes, path: Path) -> JournalHeader:
    """The header in the bytes of journal.json. Raises Corrupt or BadData."""
    try:
        header = msgspec.json.decode(data, type=JournalHeader)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"does not read as a journal's header: {error}", where=str(path)) from error
    if header.format not in (OLD_FORMAT, FORMAT):
        raise BadData(
            f"journal format {header.format}", where=str(path), expected=f"format {OLD_FORMAT} or {FORMAT}",
            todo=f"read it with the release that wrote it ({header.made_by}) or a later one",
        )  # fmt: skip
    return header


class JournalReader:
    """Reads a journal, proving every batch on the way. Never changes it, but for `recover`."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()
        path = self.folder / HEADER_FILE
        if not path.is_file():
            raise BadUse("no journal.json here", where=str(self.folder), expected="a journal's folder")
        with files.disk_errors(path):
            data = path.read_bytes()
        self.header = decode_header(data, path)
        self.by = layout.hash_of(self.header.format)
        self._begin = Place(layout.genesis(data, self.by), 0, 0, 0)
        self._texts: list[str] = []
        self.place = self._begin  # how far the last iteration came
        self.end = (0, 0)  # the same as (segment, offset); offset 0: not even the segment's header stands
        self.tail = Recovery(self._begin, "", 0, 0, "")

    def batches(self) -> Iterator[Batch]:
        """Every batch up to the last commit marker. Rows are writable copies of what is on disk.

        A torn tail ends the iteration (`tail` says where); Corrupt ends it with an error.
        """
        self._texts, self.place, self.end, self.tail = [], self._begin, (0, 0), Recovery(self._begin, "", 0, 0, "")
        paths = self._segments()
        for index, path in enumerate(paths):
            at = 0
            with Window(path) as window:
                try:
                    at = self._check_segment_header(window.data, index)
                    while window.base + at < window.size:
                        at = window.ahead(at, layout.MOST_BYTES)
                        found = layout.parse(window.data, at, self.place, self.by)
                        at = found.end
                        self._texts += found.texts
                        self.place, self.end = found.place, (index, window.base + at)
                        yield found
                except layout.Invalid as reason:
                    self._judge_tail(paths, index, self._load(path), window.base + at, str(reason))
                    return

    def rows(self) -> Iterator[Rows]:
        """The rows of every batch, in order."""
        for found in self.batches():
            if len(found.rows):
                yield found.rows

    def text(self, number: int) -> str:
        """The text with id `number`, as far as the iteration has come; empty for 0."""
        if not 0 <= number <= len(self._texts):
            raise BadData(f"text {number} is not in the journal", where=str(self.folder), expected=f"0..{len(self._texts)}")
        return self._texts[number - 1] if number else ""

    @property
    def texts(self) -> list[str]:
        """The interned texts as far as the iteration has come; the id is the index + 1."""
        return list(self._texts)

    def recover(self, disk: files.Disk = files.DISK) -> Recovery:
        """Reads all, cuts a torn tail and says so. Raises Corrupt, and then cuts nothing; BadUse while a writer holds it."""
        with files.disk_errors(self.folder):
            lock = files.lock_folder(self.folder)
        try:
            for _ in self.batches():
                pass
            if self.tail.cut_bytes:
                with files.disk_errors(self.folder):
                    self._cut(disk)
        finally:
            os.close(lock)
        return self.tail._replace(place=self.place)

    def _segments(self) -> list[Path]:
        with files.disk_errors(self.folder):
            names = [name for name in os.listdir(self.folder) if SEGMENT_NAME.fullmatch(name)]
        paths = sorted((self.folder / name for name in names), key=lambda path: int(path.stem))
        for index, path in enumerate(paths):
            if path.name != f"{index:05d}.journal":
                raise Corrupt("missing", where=str(self.folder / f"{index:05d}.journal"), expected=f"it before {path.name}")
        return paths

    def _load(self, path: Path) -> bytearray:
        with files.disk_errors(path), open(path, "rb", buffering=0) as file:
            data = bytearray(os.fstat(file.fileno()).st_size)
            size = file.readinto(data)
        return data if size == len(data) else data[:size]

    def _check_segment_header(self, data: bytearray, index: int) -> int:
        expected = layout.segment_header(index, self.place)
        if data[: layout.HEADER_BYTES] == expected:
            self.end = (index, layout.HEADER_BYTES)
            return layout.HEADER_BYTES
        if index == 0:
            raise layout.Invalid(f"this segment was not begun under this {HEADER_FILE}")
        raise layout.Invalid("this segment does not continue the one before it")

    def _judge_tail(self, paths: Sequence[Path], index: int, data: bytearray, at: int, why: str) -> None:
        cut = len(data) - at
        marker = layout.find_marker(data, at)
        for path in paths[index + 1 :]:
            if marker >= 0:
                break
            later = self._load(path)
            cut += len(later)
            marker = layout.find_marker(later, 0)
        if marker >= 0:
            raise Corrupt(
                f"{why}, and a whole commit marker follows: this is no torn tail",
                where=f"{paths[index]} offset {at}",
                expected="what was written there",
                todo="do not trade on it; keep a copy, and take the mirror or rebuild from the venue into a new journal",
            )
        self.tail = Recovery(self.place, paths[index].name, at, max(cut, 1), why)

    def _cut(self, disk: files.Disk) -> None:
        keep, size = self.end
        for path in reversed(self._segments()):
            index = int(path.stem)
            if index > keep or (index == keep and size == 0):
                path.unlink()
            elif index == keep and path.stat().st_size > size:
                fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                try:
                    disk.truncate(fd, size)
                    disk.fsync(fd)
                finally:
                    os.close(fd)
        files.sync_folder(self.folder, disk)


class JournalWriter:
    """Appends to a journal, alone: the folder is locked against every other writer.

    `durability` says what a returned `append` has survived: "process" the death of this process, "power" that of the
    machine. After any failed write or sync the writer refuses everything: a sync that failed once proves nothing later.
    """

    def __init__(
        self, folder: Path | str, header: JournalHeader, durability: Durability = "process", disk: files.Disk = files.DISK
    ) -> None:
        self._prepare(Path(folder).resolve(), durability, disk, layout.hash_of(header.format))
        data = msgspec.json.format(msgspec.json.encode(header), indent=1) + b"\n"
        with files.disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = files.lock_folder(self.folder)
            try:
                foreign = sorted(name for name in os.listdir(self.folder) if name != HEADER_FILE + ".aside")
                if foreign:
                    raise BadUse(
                        f"holds {foreign[0]!r}", where=str(self.folder), expected="a new or empty folder for a new journal"
                    )
                files.write_whole(self.folder / HEADER_FILE, data, disk)
                files.sync_folder(self.folder.parent, disk)
            except BaseException:  # also on Ctrl-C: the lock must not stay
                os.close(self._lock)
                raise
        self.place = Place(layout.genesis(data, self._by), 0, 0, 0)

    @classmethod
    def reopen(cls, folder: Path | str, durability: Durability = "process", disk: files.Disk = files.DISK) -> JournalWriter:
        """Recovers the journal at `folder` and continues its chain. Raises Corrupt, BadUse."""
        reader = JournalReader(folder)
        reader.recover(disk)
        self = cls.__new__(cls)
        self._prepare(reader.folder, durability, disk, reader.by)
        with files.disk_errors(self.folder):
            self._lock = files.lock_folder(self.folder)
            try:
                self._continue(reader)
            except BaseException:  # also on Ctrl-C: the lock must not stay
                self._let_go()
                raise
        return self

    def _continue(self, reader: JournalReader) -> None:
        self.place = reader.place
        self._ids.update((text, number) for number, text in enumerate(reader.texts, 1))
        index, self._size = reader.end
        if self._size:
            self._index, self._path = index, self.folder / f"{index:05d}.journal"
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            if os.fstat(self._fd).st_size != self._size:  # between the recovery's lock and ours
                raise BadUse("another process wrote here just now", where=str(self.folder), todo="stop it, then start again")
        self.sync()

    def _prepare(self, folder: Path, durability: Durability, disk: files.Disk, by: layout.Hash) -> None:
        if durability not in ("process", "power"):
            raise BadUse(f"durability {durability!r}", expected="'process' or 'power'")
        self.folder, self._disk, self._power = folder, disk, durability == "power"
        self._fd = self._lock = self._index = -1
        self._path = folder  # of the current segment
        self._size = 0  # of the current segment, up to its last commit marker
        self._by: layout.Hash = by
        self._seal = Sealer(by).seal
        self._write_one = os.write if type(disk) is files.Disk else disk.write  # one call less for the step that waits for it
        self._ids: dict[str, int] = {}
        self._pending: list[bytes] = []
        self._unsynced: list[Path] = []  # full segments that no sync has covered yet
        self._named = False  # whether the segment's name is known to be durable
        self._refusal = ""

    @property
    def head(self) -> str:
        """The last chain value, in hex: publish it with `place.batches`, and no one can shorten the journal unseen."""
        return self.place.chain.hex()

    def append(self, rows: Rows, digest: int = 0) -> Place:
        """Writes `rows` as one batch by one call to the kernel; more than 65,536 as several.

        `digest` is 64 bits of the state's digest after the last of them, or 0. Texts interned since the last append go
        before them. No rows and no digest writes nothing. Raises NoRoom or TradewindError, and refuses from then on.
        """
        if rows.dtype is not ROW and rows.dtype != ROW:
            raise BadUse(f"rows of type {rows.dtype}", where=str(self.folder), expected="domain.rows.ROW")
        count = len(rows)
        if 0 < count <= MOST_ROWS and not self._pending:
            whole, place = self._seal(rows.tobytes(), layout.signed(digest) if digest else 0, self.place)
            self._write(place, whole)
            return place
        if not rows.flags.c_contiguous:
            rows = np.ascontiguousarray(rows)
        while count > BATCH_ROWS:
            self._write_rows(rows[:BATCH_ROWS], 0)
            rows = rows[BATCH_ROWS:]
            count = len(rows)
        if count or digest:
            self._write_rows(rows, layout.signed(digest))
        return self.place

    def intern(self, text: str) -> int:
        """The id of `text`, which rows of the next `append` may carry."""
        number = self._ids.get(text)
        if number is None:
            data = text.encode("utf-8", "backslashreplace")
            if len(data) > MAX_TEXT:
                raise BadUse(f"a text of {len(data)} bytes", where=str(self.folder), expected=f"at most {MAX_TEXT}")
            self._pending.append(data)
            number = self._ids[text] = len(self._ids) + 1
        return number

    def sync(self) -> None:
        """Returns when everything appended or interned so far survives a loss of power."""
        self._must_stand()
        self._write_texts()
        self._sync_segments()

    def close(self) -> None:
        """Writes what is pending and lets the folder go. Closing twice, or after a failure, only lets go."""
        try:
            if self._lock >= 0 and not self._refusal:
                self._write_texts()
        finally:
            self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _write_rows(self, rows: Rows, digest: int) -> None:
        count = len(rows)
        payload: files.Part = rows.view(np.uint8).data
        parts, place = self._take_texts() if self._pending else ([], self.place)
        header, marker, place = layout.seal(layout.ROWS, count, payload, digest, place, self._by)
        self._write(place, *parts, header, payload, marker)

    def _write_texts(self) -> None:
        if self._pending:
            parts, place = self._take_texts()
            self._write(place, *parts)

    def _take_texts(self) -> tuple[list[files.Part], Place]:
        parts: list[files.Part] = []
        place = self.place
        while self._pending:
            texts: list[bytes] = []
            size = 0
            while self._pending and size + len(self._pending[0]) + 4 <= layout.MAX_PAYLOAD:
                size += len(self._pending[0]) + 4
                texts.append(self._pending.pop(0))
            payload = layout.pack_texts(texts)
            header, marker, place = layout.seal(layout.TEXTS, len(texts), payload, 0, place, self._by)
            parts += [header, payload, marker]
        return parts, place

    def _write(self, place: Place, *parts: files.Part) -> None:
        if self._refusal or self._lock < 0:
            self._must_stand()
        size = len(parts[0]) if len(parts) == 1 else sum(map(len, parts))
        try:
            if self._fd < 0 or (self._size + size > SEGMENT_BYTES and self._size > layout.HEADER_BYTES):
                self._begin_segment()
            done = self._write_one(self._fd, parts[0]) if len(parts) == 1 else self._disk.write(self._fd, *parts)
            if done < size:
                files.write_all(self._fd, memoryview(b"".join(parts))[done:], disk=self._disk)
        except BaseException as error:  # also on Ctrl-C: no half batch may stay
            self._cut_back()
            self._refuse(error)
            raise
        self._size += size
        self.place = place
        if self._power:
            self._sync_segments()

    def _begin_segment(self) -> None:
        if self._fd >= 0:
            if not self._power:
                self._unsynced.append(self._path)
            os.close(self._fd)
        self._fd, self._size, self._index = -1, 0, self._index + 1
        self._path = self.folder / f"{self._index:05d}.journal"
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._named = False
        self._size = files.write_all(self._fd, layout.segment_header(self._index, self.place), disk=self._disk)

    def _sync_segments(self) -> None:
        try:
            for path in self._unsynced:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    self._disk.fsync(fd)
                finally:
                    os.close(fd)
            if self._fd >= 0:
                self._disk.datasync(self._fd)
            if not self._named:
                files.sync_folder(self.folder, self._disk)
        except BaseException as error:  # after a sync that broke off nothing is known
            self._refuse(error)
            raise
        self._unsynced.clear()
        self._named = True

    def _refuse(self, error: BaseException) -> None:
        """Latches the refusal of everything later; an OSError is raised as the error it means."""
        known = files.disk_error(error, self._path) if isinstance(error, OSError) else error
        self._refusal = str(known) or type(known).__name__
        if known is not error:
            raise known from error

    def _must_stand(self) -> None:
        if self._refusal or self._lock < 0:
            raise TradewindError(
                f"the journal takes nothing more: {self._refusal or 'it is closed'}",
                where=str(self.folder),
                todo="start again: recovery reads what is safe" if self._refusal else "",
            )

    def _cut_back(self) -> None:
        """Leaves nothing half on the disk; where even that fails, recovery will cut it."""
        with suppress(OSError):
            if self._fd >= 0 and self._size == 0:  # a new segment without its header
                self._path.unlink(missing_ok=True)
            elif self._fd >= 0:
                self._disk.truncate(self._fd, self._size)

    def _let_go(self) -> None:
        for fd in (self._fd, self._lock):
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock = -1


def expand(rows: Iterable[Rows], source: Segments) -> Iterator[Rows]:
    """The same rows with each TAPE row replaced by the rows it stands for. Raises BadData where they are not there."""
    index, segment = -1, np.zeros(0, ROW)
    for part in rows:
        at = 0
        for mark in np.flatnonzero(part["kind"] == codes.TAPE).tolist():
            if at < mark:
                yield part[at:mark]
            at = mark + 1
            wanted, start, stop = (int(part[mark][name]) for name in ("quantity", "ref", "value"))
            if wanted != index:
                index, segment = wanted, source.segment(wanted)
            if not 0 <= start <= stop <= len(segment):
                raise BadData(f"a TAPE row names rows {start} to {stop} of segment {wanted}, which has {len(segment)}")
            yield segment[start:stop]
        if at < len(part):
            yield part[at:]


def verify(folder: Path | str, published: Proof | None = None) -> Proof:
    """Proves a journal alone: every header, CRC and link of the chain over all segments. Raises Corrupt.

    Any edit, deletion or change of order before the head is found. Whole batches missing at the end are found against
    a head `published` earlier: the journal must have had that very chain value after that many batches.
    """
    reader = JournalReader(folder)
    met = published is None or (published.batches == 0 and reader.place.chain.hex() == published.head)
    for found in reader.batches():
        if published is not None and found.place.batches == published.batches:
            met = found.place.chain.hex() == published.head
    place = reader.place
    if published is not None and not met:
        short = place.batches < published.batches
        raise Corrupt(
            f"ends after batch {place.batches}" if short else f"has another chain at batch {published.batches}",
            where=str(reader.folder),
            expected=f"the published head {published.head} after batch {published.batches}",
        )
    return Proof(place.chain.hex(), place.batches, place.rows, place.texts, reader.tail.cut_bytes)
