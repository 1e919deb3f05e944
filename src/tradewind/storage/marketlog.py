"""The market log: every market row a live run heard, coded, chained, and thrown away when retention says so.

A row is coded once, as it comes (`rowcode`), and its few bytes lie in the tail's file before anybody names it. A full tail's
bytes are a block: a worker writes them into the open segment, seals it, syncs, and removes tails that are in blocks; nobody
waits for that. The same rows give the same segments, however they came in pieces; `marketlayout` has their bytes.

A full segment is sealed: the digest of its file goes into the manifest and into the next segment's header. Rows have
numbers that never change; row n lies in segment n // SEGMENT_ROWS, so a journal's TAPE rows can name rows here as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec
from zlib_ng.zlib_ng import crc32

from tradewind.domain.errors import BadUse, TradewindError
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import ROW, W_TS_LOCAL, Rows

from . import files
from .background import Inline, Worker
from .marketlayout import FRAME_MAGIC, MANIFEST, MarketManifest, SealedSegment, padding, piece_header
from .marketreader import MarketReader, Tail
from .marketsegments import Segments, open_to_append, write_or_cut

if TYPE_CHECKING:
    from .rowcode import Words

__all__ = ["MANIFEST", "MarketLog", "MarketManifest", "MarketReader", "SealedSegment", "Tail"]

BLOCK_ROWS = 1 << 17  # so that the worker's steps, each begun with cold caches, are paid once for many rows
SEGMENT_ROWS = 1 << 20
STAGED_ROWS = 256  # so that a call to the kernel and a header are paid once for many rows
NO_TIMES = 0, 0  # of a frame: it is found by its number
TAILS_KEPT = 4  # blocks after which a log that nobody syncs syncs itself, so that its old tails can go


class MarketLog:
    """Appends market rows.

    `append` may hold up to STAGED_ROWS back; what `flush` covered survives the death of this process, what `sync` covered
    that of the machine. A journal that names rows of this log is written after their flush. After any failed write or sync
    it refuses everything; with a worker of its own, what failed there is told at the next call.
    """

    _tail_fd: int
    _lock: int
    _segments: Segments
    _named: bool  # whether the tail's name is known to be durable

    def __init__(
        self,
        folder: Path | str,
        instruments: Sequence[Instrument],
        streams: Sequence[Stream],
        made_by: str,
        disk: files.Disk = files.DISK,
        worker: Worker | None = None,
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
        self._begin(folder, disk, worker)

    @classmethod
    def reopen(cls, folder: Path | str, disk: files.Disk = files.DISK, worker: Worker | None = None) -> Self:
        """Continues the market log at `folder`; a torn end is cut, an older format brought up. Raises Corrupt, BadUse."""
        self = cls.__new__(cls)
        self._begin(MarketReader(folder).folder, disk, worker)
        return self

    @property
    def rows(self) -> int:
        """The number of the next row."""
        return self._packed + self._filled

    @property
    def manifest(self) -> MarketManifest:
        """What is sealed and pruned so far."""
        return self._segments.manifest

    @property
    def worker_ns(self) -> int:
        """What the worker's own clock says its thread took so far."""
        return self._worker.spent_ns

    def append(self, rows: Rows) -> None:
        """Adds rows. Raises NoRoom or TradewindError, and refuses from then on."""
        if self._refusal or self._lock < 0:
            self._must_stand()
        if rows.dtype is not ROW and rows.dtype != ROW:
            raise BadUse(f"rows of type {rows.dtype}", where=str(self.folder), expected="domain.rows.ROW")
        words = self._words_of(rows)
        filled = self._filled + len(words)
        if filled < self._block_rows:
            if len(words):
                self._keep(words)
            if filled - self._flushed >= STAGED_ROWS:
                self._write_frame()
            return
        while len(words):
            part = words[: self._block_rows - self._filled]
            self._keep(part)
            words = words[len(part) :]
            if self._filled - self._flushed >= STAGED_ROWS or self._filled == self._block_rows:
                self._write_frame()
            if self._filled == self._block_rows:
                with self._or_refuse():
                    self._pack_tail()

    def flush(self) -> None:
        """Returns when every row so far is in the hands of the kernel."""
        if self._refusal or self._lock < 0:
            self._must_stand()
        if self._filled > self._flushed:
            self._write_frame()

    def sync(self) -> None:
        """Returns when every row so far survives a loss of power."""
        self._must_stand()
        self.flush()
        with self._or_refuse():
            self._worker.wait()
            self._segments.sync()
            if self._tail_fd >= 0:
                self._disk.datasync(self._tail_fd)
            if not self._named:
                files.sync_folder(self.folder, self._disk)
            self._named = True

    def prune(self, before_row: int) -> int:
        """Removes sealed segments whose rows all lie before `before_row`; returns how many.

        The caller keeps a verified snapshot taken at or behind that row.
        """
        self._must_stand()
        with self._or_refuse():
            self._worker.wait()
            return self._segments.prune(before_row)

    def close(self) -> None:
        """Flushes and lets the folder go. Closing twice, or after a failure, only lets go."""
        try:
            if self._lock >= 0 and not self._refusal:
                self.flush()
                with self._or_refuse():
                    self._worker.wait()
                    self._segments.remove_spares()
        finally:
            self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _begin(self, folder: Path, disk: files.Disk, worker: Worker | None) -> None:
        self.folder, self._disk, self._refusal, self._worker = folder, disk, "", worker or Inline()
        self._tail_fd = self._lock = -1
        self._named = False
        with files.disk_errors(folder):
            self._lock = files.lock_folder(folder)
            try:
                self._recover(MarketReader(folder))
            except BaseException:  # also on Ctrl-C: the lock must not stay
                self._let_go()
                raise

    def _recover(self, reader: MarketReader) -> None:
        from .rowcode import Coder, words_of  # they bring the compiler with them

        self._words_of = words_of
        self._reader, self._block_rows = reader, reader.manifest.block_rows
        self._coder = Coder(self._block_rows)
        self._segments = Segments(reader, self._disk, TAILS_KEPT)
        self._packed = self._segments.rows
        self._start_tail()
        while True:
            self._take_tail(reader.tail(self._packed))
            if self._filled < self._block_rows:
                break
            self._pack_tail()

    def _start_tail(self) -> None:
        self._coder.begin()
        self._filled = self._flushed = 0  # rows that are coded, and how many of them the tail's file has
        self._written = self._crc = self._tail_size = 0  # their bytes, the crc32 of those, and what the file takes
        self._first_ts = 0

    def _take_tail(self, tail: Tail) -> None:
        for part in tail.rows:
            self._keep(self._words_of(part))
        size = tail.whole
        if tail.old and self._filled:
            frame = b"".join(self._frame())
            files.write_whole(tail.path, frame, self._disk)
            size = len(frame)
        if tail.size:  # what is cut is gone before anything is written: what was lost will be numbered again
            self._tail_fd, self._tail_size = open_to_append(tail.path, size, self._disk), size
            self._disk.fsync(self._tail_fd)
        self._crc = crc32(self._coder.view[: self._coder.size])
        self._flushed, self._written = self._filled, self._coder.size

    def _keep(self, words: Words) -> None:
        if not self._filled and len(words):
            self._first_ts = int(words[0, W_TS_LOCAL])
        self._coder.add(words)
        self._filled += len(words)

    def _frame(self) -> tuple[files.Part, ...]:
        """The frame of what is coded and not written; `_crc` goes on over it."""
        body = self._coder.view[self._written : self._coder.size]
        size = len(body)
        self._crc = crc32(body, self._crc)
        number, rows = self._packed + self._flushed, self._filled - self._flushed
        return piece_header(FRAME_MAGIC, size, self._crc, number, rows, NO_TIMES), body, padding(size)

    def _write_frame(self) -> None:
        """Puts what is coded and not written into the tail's file, by one call to the kernel where it takes all."""
        try:
            if self._tail_fd < 0:
                self._tail_fd, self._named = self._segments.begin_tail(self._reader.tail_path(self._packed)), False
            self._tail_size += write_or_cut(self._disk, self._tail_fd, self._tail_size, *self._frame())
        except BaseException as error:  # no way out may leave a frame half counted
            with self._or_refuse():
                raise error
        self._flushed, self._written = self._filled, self._coder.size

    def _pack_tail(self) -> None:
        """The full tail becomes a block; its file goes only when the block is known to be on the disk."""
        crc, rows, times, add = self._crc, self._filled, (self._first_ts, self._coder.last_ts), self._segments.add
        coder, data = self._coder, self._coder.hand_over()

        def pack() -> None:
            add(data, crc, rows, times)
            coder.take_back(data)

        self._worker.do(pack)
        self._packed += rows
        if self._tail_fd >= 0:
            os.close(self._tail_fd)
            self._tail_fd = -1
        self._start_tail()

    @contextmanager
    def _or_refuse(self) -> Iterator[None]:
        """Latches the refusal of everything later; an OSError is raised as the error it means."""
        try:
            with files.disk_errors(self.folder):
                yield
        except BaseException as error:  # whatever broke off, what the disk holds is unknown
            self._refusal = str(error) or type(error).__name__
            raise

    def _let_go(self) -> None:
        self._worker.close()
        if hasattr(self, "_segments"):
            self._segments.let_go()
        for fd in (self._tail_fd, self._lock):
            if fd >= 0:
                os.close(fd)
        self._tail_fd = self._lock = -1

    def _must_stand(self) -> None:
        if self._refusal or self._lock < 0:
            raise TradewindError(f"the market log takes nothing more: {self._refusal or 'it is closed'}", where=str(self.folder))
