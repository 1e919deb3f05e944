"""The market log: every market row a live run heard, packed, chained, and thrown away when retention says so.

    market.json             MarketManifest: what is sealed, what is pruned; written whole at every seal and prune
    00000.market …          segments: a header and blocks of exactly BLOCK_ROWS packed rows (`columns`)
    000000000000000.tail    the rows after the last block, plain, in the batches of `batch`; named by its first row

    segment header  64   magic "TWmarket" | version u32 | index u32 | first row u64 | digest of the segment before (32)
                         | 0 u32 | crc32 u32
    block header    64   magic "TWblock\\1" | rows u32 | bytes u32 | crc32 of the bytes u32 | 0 u32 | first row u64
                         | first ts_local i64 | last ts_local i64 | 0 (12) | crc32 u32
    block                the bytes, and zeros up to the next multiple of 64

A full segment is sealed: the BLAKE2b-256 of its file goes into the manifest and into the next segment's header. Rows have
numbers that never change; row n lies in segment n // SEGMENT_ROWS, so a journal's TAPE rows can name rows here as well.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import msgspec
import numpy as np
import zstandard

from tradewind.domain.errors import BadData, BadUse, Corrupt, TradewindError
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import ROW, ROW_BYTES, Rows

from . import batch, columns, files

FORMAT = 1
MANIFEST = "market.json"
BLOCK_ROWS = 1 << 15  # a block's columns stay in cache: larger ones pack slower and no smaller
SEGMENT_ROWS = 1 << 20
STAGED_ROWS = 256  # so that a call to the kernel and a seal are paid once for many rows
TAILS_KEPT = 8  # blocks after which a log that nobody syncs syncs itself, so that its old tails can go
OUR_FILE = re.compile(r"market\.json(\.aside)?|\d{5,}\.market|\d{15}\.tail")
GENESIS = bytes(32)

_SEGMENT = struct.Struct("<8sIIQ32sI")
_BLOCK = struct.Struct("<8sIIIIQqq12x")
_CRC = struct.Struct("<I")
SEGMENT_MAGIC, BLOCK_MAGIC = b"TWmarket", b"TWblock\1"
HEADER_BYTES = 64
assert _SEGMENT.size == _BLOCK.size == HEADER_BYTES - 4


class SealedSegment(msgspec.Struct, frozen=True, kw_only=True):
    """A full segment; both times are ts_local in ns, `digest` is the hex BLAKE2b-256 of its file."""

    first_ts: int
    last_ts: int
    bytes: int
    digest: str


class MarketManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a market log holds. Segments before `pruned` are gone; `pruned_digest` is that of the last of them."""

    made_by: str
    instruments: list[Instrument]
    streams: list[Stream]
    segment_rows: int
    block_rows: int
    pruned: int = 0
    pruned_digest: str = GENESIS.hex()
    segments: list[SealedSegment] = []
    format: int = FORMAT
    proof: str = ""  # hex BLAKE2b-256 of this manifest's JSON without it

    def proven(self) -> MarketManifest:
        """The same manifest with its proof."""
        bare = msgspec.structs.replace(self, proof="")
        return msgspec.structs.replace(self, proof=blake2b(msgspec.json.encode(bare), digest_size=32).hexdigest())

    @property
    def digest(self) -> bytes:
        """The digest of the last sealed segment."""
        return bytes.fromhex(self.segments[-1].digest if self.segments else self.pruned_digest)

    @property
    def sealed(self) -> int:
        """How many segments were ever sealed: the index of the open one."""
        return self.pruned + len(self.segments)


class Block(NamedTuple):
    """Where a block lies in its segment's file."""

    at: int
    size: int
    rows: int
    first_ts: int
    last_ts: int
    end: int


def segment_header(index: int, first_row: int, before: bytes) -> bytes:
    """The 64 bytes a segment begins with."""
    head = _SEGMENT.pack(SEGMENT_MAGIC, FORMAT, index, first_row, before, 0)
    return head + _CRC.pack(zlib.crc32(head))


def pack_block(rows: Rows, first_row: int, compressor: zstandard.ZstdCompressor) -> bytes:
    """The block of `rows`, its header and padding included."""
    data = columns.pack(rows, compressor)
    times = int(rows["ts_local"][0]), int(rows["ts_local"][-1])
    head = _BLOCK.pack(BLOCK_MAGIC, len(rows), len(data), zlib.crc32(data), 0, first_row, *times)
    return head + _CRC.pack(zlib.crc32(head)) + data + bytes(-len(data) % HEADER_BYTES)


def parse_block(data: bytes | bytearray, at: int, first_row: int) -> Block:
    """The block at offset `at`, proven by its CRCs. Raises batch.Invalid."""
    head = data[at : at + HEADER_BYTES]
    if len(head) < HEADER_BYTES or head[:8] != BLOCK_MAGIC:
        raise batch.Invalid("no block begins here")
    _, count, size, crc, _, first, first_ts, last_ts = _BLOCK.unpack_from(head)
    if _CRC.unpack_from(head, HEADER_BYTES - 4)[0] != zlib.crc32(head[:-4]) or first != first_row:
        raise batch.Invalid(
            "a block header fails its CRC" if first == first_row else f"row {first} stands where {first_row} belongs"
        )
    end = at + HEADER_BYTES + size + -size % HEADER_BYTES
    if end > len(data):
        raise batch.Invalid("the file ends inside a block")
    body = memoryview(data)[at + HEADER_BYTES : at + HEADER_BYTES + size]
    if zlib.crc32(body) != crc or any(data[at + HEADER_BYTES + size : end]):
        raise batch.Invalid("a block fails its CRC")
    return Block(at + HEADER_BYTES, size, count, first_ts, last_ts, end)


def later_block(data: bytes | bytearray, at: int) -> bool:
    """Whether a whole block lies anywhere behind offset `at`."""
    found = data.find(BLOCK_MAGIC, at + 1)
    while found >= 0:
        if found % HEADER_BYTES == 0 and found + HEADER_BYTES <= len(data):
            try:
                parse_block(data, found, struct.unpack_from("<Q", data, found + 24)[0])
                return True
            except batch.Invalid:
                pass
        found = data.find(BLOCK_MAGIC, found + 1)
    return False


class MarketReader:
    """Reads a market log, sealed or still growing. Changes nothing."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()
        path = self.folder / MANIFEST
        if not path.is_file():
            raise BadUse("no market.json here", where=str(self.folder), expected="a market log's folder")
        with files.disk_errors(path):
            data = path.read_bytes()
        try:
            self.manifest = msgspec.json.decode(data, type=MarketManifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Corrupt(f"does not read as a market log's manifest: {error}", where=str(path)) from error
        if self.manifest.format != FORMAT:
            raise BadData(f"market log format {self.manifest.format}", where=str(path), expected=f"format {FORMAT}")
        if data != msgspec.json.encode(self.manifest.proven()):
            raise Corrupt("fails its own proof", where=str(path), expected="what was written there")

    @property
    def first_row(self) -> int:
        """The number of the first row that retention has left."""
        return self.manifest.pruned * self.manifest.segment_rows

    def blocks(self, index: int) -> tuple[bytearray, list[Block], int]:
        """A segment's bytes, its whole blocks, and the offset behind the last of them.

        Raises Corrupt where a sealed segment is not what was sealed, or a whole block follows broken bytes.
        """
        path = self.path(index)
        sealed = index < self.manifest.sealed
        if not path.is_file():
            if sealed:
                raise Corrupt("the segment is missing", where=str(path))
            return bytearray(), [], 0
        with files.disk_errors(path):
            data = bytearray(path.read_bytes())
        blocks: list[Block] = []
        at = HEADER_BYTES
        try:
            if data[:at] != segment_header(index, index * self.manifest.segment_rows, self._digest_before(index)):
                at = 0
                raise batch.Invalid("this segment does not continue the one before it")
            while at < len(data):
                blocks.append(parse_block(data, at, index * self.manifest.segment_rows + sum(block.rows for block in blocks)))
                at = blocks[-1].end
        except batch.Invalid as reason:
            if sealed or later_block(data, at):
                raise Corrupt(str(reason), where=f"{path} offset {at}", expected="what was written there") from reason
        if sealed and sum(block.rows for block in blocks) != self.manifest.segment_rows:
            raise Corrupt("the segment is shorter than when it was sealed", where=str(path))
        return data, blocks, at

    def segment(self, index: int) -> Rows:
        """The rows of one segment, of the open one with its tail. Raises Corrupt, BadData where it is pruned or not begun."""
        if not self.manifest.pruned <= index <= self.manifest.sealed:
            raise BadData(f"segment {index} is not in this market log", where=str(self.folder))
        return np.concatenate([np.zeros(0, ROW), *(rows for _, rows in self._parts(index))])

    def rows(self, start: int = 0) -> Iterator[Rows]:
        """Every row from number `start` on that retention has left, block by block, the plain tail last."""
        for index in range(max(start // self.manifest.segment_rows, self.manifest.pruned), self.manifest.sealed + 1):
            for number, rows in self._parts(index):
                if number + len(rows) > start:
                    yield rows[max(start - number, 0) :]

    def _parts(self, index: int) -> Iterator[tuple[int, Rows]]:
        data, blocks, _ = self.blocks(index)
        number = index * self.manifest.segment_rows
        for block in blocks:
            yield number, self._unpack(index, data, block)
            number += block.rows
        full = index == self.manifest.sealed
        while full:  # a crash may leave several tails whose blocks never reached the disk
            before = number
            for part in self.tail(number).rows:
                yield number, part
                number += len(part)
            full = number - before == self.manifest.block_rows

    def tail(self, first_row: int) -> Tail:
        """The plain rows that begin at `first_row`. Raises Corrupt."""
        path = self.tail_path(first_row)
        place = batch.Place(batch.genesis(path.name.encode()), 0, 0, 0)
        if not path.is_file():
            later = [name for name in os.listdir(self.folder) if name.endswith(".tail") and name > path.name]
            if later:
                raise Corrupt(f"rows {first_row} and on are missing before {later[0]}", where=str(self.folder))
            return Tail(path, [], place, 0, 0)
        with files.disk_errors(path):
            data = bytearray(path.read_bytes())
        rows: list[Rows] = []
        at = 0
        try:
            while at < len(data):
                found = batch.parse(data, at, place)
                rows.append(found.rows)
                place, at = found.place, found.end
        except batch.Invalid as reason:
            if batch.find_marker(data, at) >= 0:
                raise Corrupt(f"{reason}, and a whole commit marker follows", where=f"{path} offset {at}") from reason
        return Tail(path, rows, place, at, len(data))

    def verify(self) -> int:
        """Proves every segment and unpacks every block; returns the number of the row behind the last. Raises Corrupt."""
        for index in range(self.manifest.pruned, self.manifest.sealed):
            path = self.path(index)
            data, _, _ = self.blocks(index)
            if blake2b(data, digest_size=32).hexdigest() != self.manifest.segments[index - self.manifest.pruned].digest:
                raise Corrupt("the segment is not what was sealed", where=str(path))
        return self.first_row + sum(len(part) for part in self.rows())

    def path(self, index: int) -> Path:
        """The file of segment `index`."""
        return self.folder / f"{index:05d}.market"

    def tail_path(self, first_row: int) -> Path:
        """The file of the plain rows from `first_row` on."""
        return self.folder / f"{first_row:015d}.tail"

    def _digest_before(self, index: int) -> bytes:
        if index == self.manifest.pruned:
            return bytes.fromhex(self.manifest.pruned_digest)
        return bytes.fromhex(self.manifest.segments[index - self.manifest.pruned - 1].digest)

    def _unpack(self, index: int, data: bytearray, block: Block) -> Rows:
        try:
            return columns.unpack(memoryview(data)[block.at : block.at + block.size], block.rows)
        except columns.Unreadable as error:
            raise Corrupt(str(error), where=f"{self.path(index)} offset {block.at}") from error


class Tail(NamedTuple):
    """The plain rows behind the last block: its file, its rows, and how much of the file is whole."""

    path: Path
    rows: list[Rows]
    place: batch.Place
    whole: int
    size: int


class MarketLog:
    """Appends market rows.

    `append` may hold up to STAGED_ROWS back; what `flush` covered survives the death of this process, what `sync` covered
    that of the machine. A journal that names rows of this log is written after their flush. After any failed write or sync
    it refuses everything.
    """

    manifest: MarketManifest
    _fd: int  # of the open segment
    _size: int  # of its file; 0: its header is not written
    _tail_fd: int
    _lock: int
    _named: bool  # whether all names in the folder are known to be durable

    def __init__(
        self,
        folder: Path | str,
        instruments: Sequence[Instrument],
        streams: Sequence[Stream],
        made_by: str,
        disk: files.Disk = files.DISK,
    ) -> None:
        folder = Path(folder).resolve()
        manifest = MarketManifest(
            made_by=made_by, instruments=list(instruments), streams=list(streams), segment_rows=SEGMENT_ROWS, block_rows=BLOCK_ROWS
        )
        with files.disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            foreign = sorted(name for name in os.listdir(folder) if name != MANIFEST + ".aside")
            if foreign:
                raise BadUse(f"holds {foreign[0]!r}", where=str(folder), expected="an empty folder for a new market log")
            files.write_whole(folder / MANIFEST, msgspec.json.encode(manifest.proven()), disk)
        self._begin(folder, disk)

    @classmethod
    def reopen(cls, folder: Path | str, disk: files.Disk = files.DISK) -> Self:
        """Continues the market log at `folder`; a torn end is cut. Raises Corrupt, BadUse."""
        self = cls.__new__(cls)
        self._begin(MarketReader(folder).folder, disk)
        return self

    @property
    def rows(self) -> int:
        """The number of the next row."""
        return self._packed + self._filled

    def append(self, rows: Rows) -> None:
        """Adds rows. Raises NoRoom or TradewindError, and refuses from then on."""
        self._must_stand()
        if rows.dtype != ROW:
            raise BadUse(f"rows of type {rows.dtype}", where=str(self.folder), expected="domain.rows.ROW")
        if not rows.flags.c_contiguous:
            rows = np.ascontiguousarray(rows)
        filled = self._filled + len(rows)
        if filled - self._flushed < STAGED_ROWS and filled < self.manifest.block_rows:
            self._keep(rows)
            return
        with self._or_refuse():
            while len(rows):
                part = rows[: self.manifest.block_rows - self._filled]
                self._keep(part)
                rows = rows[len(part) :]
                if self._filled - self._flushed >= STAGED_ROWS or self._filled == self.manifest.block_rows:
                    self._write_staged()
                if self._filled == self.manifest.block_rows:
                    self._pack_tail()

    def flush(self) -> None:
        """Returns when every row so far is in the hands of the kernel."""
        self._must_stand()
        with self._or_refuse():
            self._write_staged()

    def sync(self) -> None:
        """Returns when every row so far survives a loss of power."""
        self._must_stand()
        with self._or_refuse():
            self._write_staged()
            for fd in (self._fd, self._tail_fd):
                if fd >= 0:
                    self._disk.datasync(fd)
            if not self._named:
                files.sync_folder(self.folder, self._disk)
            self._named = True
            self._remove_leftovers()

    def prune(self, before_row: int) -> int:
        """Removes sealed segments whose rows all lie before `before_row`; returns how many.

        The caller keeps a verified snapshot taken at or behind that row.
        """
        self._must_stand()
        old = self.manifest
        pruned = min(max(before_row // old.segment_rows, old.pruned), old.sealed)
        gone = pruned - old.pruned
        if gone:
            digest = old.segments[gone - 1].digest
            with self._or_refuse():
                self._put_manifest(msgspec.structs.replace(old, pruned=pruned, pruned_digest=digest, segments=old.segments[gone:]))
                self._remove_leftovers()
        return gone

    def close(self) -> None:
        """Flushes and lets the folder go. Closing twice, or after a failure, only lets go."""
        try:
            if self._lock >= 0 and not self._refusal:
                self.flush()
        finally:
            self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _begin(self, folder: Path, disk: files.Disk) -> None:
        self.folder, self._disk, self._refusal = folder, disk, ""
        self._fd = self._tail_fd = self._lock = -1
        self._named = False
        self._compressor = zstandard.ZstdCompressor(level=columns.LEVEL)
        with files.disk_errors(folder):
            self._lock = files.lock_folder(folder)
            try:
                self._recover(MarketReader(folder))
            except BaseException:
                self._let_go()
                raise

    def _recover(self, reader: MarketReader) -> None:
        self._reader, self.manifest = reader, reader.manifest
        self._buffer = np.zeros(self.manifest.block_rows, ROW)
        self._bytes = self._buffer.view(np.uint8)
        index = self.manifest.sealed
        data, blocks, self._size = reader.blocks(index)
        self._blocks = [(block.rows, block.first_ts, block.last_ts) for block in blocks]
        self._packed = index * self.manifest.segment_rows + sum(block.rows for block in blocks)
        self._filled = self._flushed = 0  # rows in the buffer, and how many of them the tail's file has
        self._hash = blake2b(data[: self._size], digest_size=32)
        if len(data) > 0:
            self._fd = self._open(reader.path(index), self._size)
            self._disk.fsync(self._fd)
        self._remove_leftovers()
        self._seal_if_full()
        while True:
            self._take_tail(reader.tail(self._packed))
            if self._filled < self.manifest.block_rows:
                break
            self._pack_tail()

    def _take_tail(self, tail: Tail) -> None:
        self._place, self._tail_size = tail.place, tail.whole
        for part in tail.rows:
            self._keep(part)
        self._flushed = self._filled
        if tail.size:
            self._tail_fd = self._open(tail.path, tail.whole)

    def _keep(self, part: Rows) -> None:
        end = self._filled + len(part)
        self._bytes[self._filled * ROW_BYTES : end * ROW_BYTES] = part.view(np.uint8)  # by fields it costs 30 times more
        self._filled = end

    def _open(self, path: Path, size: int) -> int:
        """A descriptor to append with; what is behind `size` is cut."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if os.fstat(fd).st_size > size:
            self._disk.truncate(fd, size)
        self._named = False
        return fd

    def _write_staged(self) -> None:
        part = self._buffer[self._flushed : self._filled]
        if not len(part):
            return
        path = self._reader.tail_path(self._packed)
        if self._tail_fd < 0:
            self._tail_fd, self._tail_size = self._open(path, 0), 0
            self._place = batch.Place(batch.genesis(path.name.encode()), 0, 0, 0)
        payload = part.view(np.uint8).data
        header, marker, place = batch.seal(batch.TAIL, len(part), payload, 0, int(part["ts_local"][-1]), self._place)
        self._tail_size += self._write(self._tail_fd, self._tail_size, header, payload, marker)
        self._place = place
        self._flushed = self._filled

    def _pack_tail(self) -> None:
        """The full tail becomes a block; its file goes only when the block is known to be on the disk."""
        if self._size == 0:
            index = self.manifest.sealed
            self._fd = self._open(self._reader.path(index), 0) if self._fd < 0 else self._fd
            header = segment_header(index, self._packed, self.manifest.digest)
            self._hash = blake2b(header, digest_size=32)
            self._size = self._write(self._fd, 0, header)
        rows = self._buffer[: self._filled]
        data = pack_block(rows, self._packed, self._compressor)
        self._size += self._write(self._fd, self._size, data)
        self._hash.update(data)
        self._blocks.append((self._filled, int(rows["ts_local"][0]), int(rows["ts_local"][-1])))
        self._packed += self._filled
        self._filled = self._flushed = 0
        if self._tail_fd >= 0:
            os.close(self._tail_fd)
            self._tail_fd = -1
        self._seal_if_full()
        if len(self._blocks) % TAILS_KEPT == 0 and self._fd >= 0:
            self._disk.datasync(self._fd)
            self._remove_leftovers()

    def _seal_if_full(self) -> None:
        if sum(rows for rows, _, _ in self._blocks) < self.manifest.segment_rows:
            return
        self._disk.fsync(self._fd)
        os.close(self._fd)
        self._fd = -1
        sealed = SealedSegment(
            first_ts=self._blocks[0][1], last_ts=self._blocks[-1][2], bytes=self._size, digest=self._hash.hexdigest()
        )
        self._put_manifest(msgspec.structs.replace(self.manifest, segments=[*self.manifest.segments, sealed]))
        self._blocks, self._size = [], 0
        self._remove_leftovers()

    def _put_manifest(self, manifest: MarketManifest) -> None:
        files.write_whole(self.folder / MANIFEST, msgspec.json.encode(manifest.proven()), self._disk)
        self.manifest = self._reader.manifest = manifest

    def _remove_leftovers(self) -> None:
        """Removes pruned segments and the tails of packed rows. Only after what holds those rows was synced."""
        for name in os.listdir(self.folder):
            number = int(name.partition(".")[0]) if OUR_FILE.fullmatch(name) and name[0].isdigit() else -1
            packed_tail = name.endswith(".tail") and 0 <= number < self._packed
            if packed_tail or (name.endswith(".market") and 0 <= number < self.manifest.pruned):
                (self.folder / name).unlink(missing_ok=True)

    def _write(self, fd: int, size: int, *parts: files.Part) -> int:
        try:
            return files.write_all(fd, *parts, disk=self._disk)
        except BaseException:
            with suppress(OSError):
                self._disk.truncate(fd, size)
            raise

    @contextmanager
    def _or_refuse(self) -> Iterator[None]:
        """Latches the refusal of everything later; an OSError is raised as the error it means."""
        try:
            with files.disk_errors(self.folder):
                yield
        except BaseException as error:
            self._refusal = str(error) or type(error).__name__
            raise

    def _let_go(self) -> None:
        for fd in (self._fd, self._tail_fd, self._lock):
            if fd >= 0:
                os.close(fd)
        self._fd = self._tail_fd = self._lock = -1

    def _must_stand(self) -> None:
        if self._refusal or self._lock < 0:
            raise TradewindError(f"the market log takes nothing more: {self._refusal or 'it is closed'}", where=str(self.folder))
