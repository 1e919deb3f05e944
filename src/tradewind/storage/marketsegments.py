"""The packed part of a market log: blocks into segments, seals, pruning. A worker may do it while rows go on coming."""

from __future__ import annotations

import os
import re
from collections import deque
from contextlib import suppress
from pathlib import Path

import msgspec

from . import files
from .marketlayout import (
    BLOCK_MAGIC,
    DIGESTS,
    FORMAT,
    MANIFEST,
    SEALED_BY,
    MarketManifest,
    SealedSegment,
    padding,
    piece_header,
    segment_header,
)
from .marketreader import MarketReader

OUR_FILE = re.compile(r"market\.json(\.aside)?|\d{5,}\.market|\d{15}\.tail")


class Segments:
    """The open segment, the manifest, and the files of tails. `rows` is the number of the row behind the last block.

    A tail's file is needed until its block is on the disk. Then the next tail is written over it: bytes that the kernel has room
    for already cost a sixth of new ones.
    """

    def __init__(self, reader: MarketReader, disk: files.Disk, tails_kept: int) -> None:
        """Takes up what `reader` found; a torn block is cut. Raises Corrupt."""
        self._reader, self.manifest, self._disk, self._tails_kept = reader, reader.manifest, disk, tails_kept
        self.folder: Path = reader.folder
        self._fd = -1
        self._full: list[Path] = []  # tails whose blocks are not known to be on the disk
        self._spare: deque[Path] = deque()  # tails whose blocks are
        index = self.manifest.sealed
        data, blocks, self._size = reader.blocks(index)  # of its file; 0: its header is not written
        self._blocks = [(block.rows, block.first_ts, block.last_ts) for block in blocks]
        self.rows = index * self.manifest.segment_rows + sum(block.rows for block in blocks)
        self._hash = DIGESTS[SEALED_BY](data[: self._size])
        self._named = False  # whether the segment's name is known to be durable
        if self.manifest.format != FORMAT:
            self._put_manifest(msgspec.structs.replace(self.manifest, format=FORMAT))
        if len(data) > 0:
            self._fd = self._open(reader.path(index), self._size)
            self._disk.fsync(self._fd)
        self._remove_leftovers()
        self._seal_if_full()

    def begin_tail(self, path: Path) -> int:
        """A descriptor at the beginning of a tail's file: a spare one, with what is in it, or a new one."""
        if self._spare:
            self._disk.rename(self._spare.popleft(), path)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def add(self, data: files.Part, crc: int, rows: int, times: tuple[int, int]) -> None:
        """Writes the next block: its coded rows, their crc32, how many, ts_local of the first and the last."""
        if self._size == 0:
            index = self.manifest.sealed
            self._fd = self._open(self._reader.path(index), 0) if self._fd < 0 else self._fd
            header = segment_header(index, self.rows, self.manifest.digest)
            self._hash = DIGESTS[SEALED_BY](header)
            self._size = write_or_cut(self._disk, self._fd, 0, header)
        parts = piece_header(BLOCK_MAGIC, len(data), crc, self.rows, rows, times), data, padding(len(data))
        self._size += write_or_cut(self._disk, self._fd, self._size, *parts)
        for part in parts:
            self._hash.update(part)
        self._blocks.append((rows, *times))
        self._full.append(self._reader.tail_path(self.rows))
        self.rows += rows
        self._seal_if_full()
        if self._blocks and len(self._blocks) % self._tails_kept == 0:
            self.sync()

    def sync(self) -> None:
        """Makes every block durable, its segment's name too."""
        if self._fd >= 0:
            self._disk.datasync(self._fd)
        if not self._named:
            files.sync_folder(self.folder, self._disk)
            self._named = True
        self._release()

    def prune(self, before_row: int) -> int:
        """Removes sealed segments whose rows all lie before `before_row`; returns how many."""
        old = self.manifest
        pruned = min(max(before_row // old.segment_rows, old.pruned), old.sealed)
        gone = pruned - old.pruned
        if gone:
            digest = old.segments[gone - 1].digest
            self._put_manifest(msgspec.structs.replace(old, pruned=pruned, pruned_digest=digest, segments=old.segments[gone:]))
            for index in range(old.pruned, pruned):
                self._reader.path(index).unlink(missing_ok=True)
        return gone

    def remove_spares(self) -> None:
        """Removes the tails that wait to be written over."""
        while self._spare:
            self._spare.popleft().unlink(missing_ok=True)

    def _release(self) -> None:
        """Lets go the tails of blocks, which were just synced: as many as will be needed are kept to be written over."""
        self._spare.extend(self._full)
        self._full.clear()
        while len(self._spare) > self._tails_kept:
            self._spare.popleft().unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        """Removes what a life before left: pruned segments and the tails of packed rows. What holds those rows was synced."""
        for name in os.listdir(self.folder):
            number = int(name.partition(".")[0]) if OUR_FILE.fullmatch(name) and name[0].isdigit() else -1
            packed_tail = name.endswith(".tail") and 0 <= number < self.rows
            if packed_tail or (name.endswith(".market") and 0 <= number < self.manifest.pruned):
                (self.folder / name).unlink(missing_ok=True)

    def let_go(self) -> None:
        """Closes the open segment."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _seal_if_full(self) -> None:
        if sum(rows for rows, _, _ in self._blocks) < self.manifest.segment_rows:
            return
        self._disk.fsync(self._fd)
        self.let_go()
        sealed = SealedSegment(
            first_ts=self._blocks[0][1], last_ts=self._blocks[-1][2], bytes=self._size, digest=self._hash.hexdigest(), by=SEALED_BY
        )
        self._put_manifest(msgspec.structs.replace(self.manifest, segments=[*self.manifest.segments, sealed]))
        self._blocks, self._size, self._named = [], 0, True
        self._release()

    def _put_manifest(self, manifest: MarketManifest) -> None:
        files.write_whole(self.folder / MANIFEST, msgspec.json.encode(manifest.proven()), self._disk)
        self.manifest = self._reader.manifest = manifest

    def _open(self, path: Path, size: int) -> int:
        self._named = False
        return open_to_append(path, size, self._disk)


def open_to_append(path: Path, size: int, disk: files.Disk) -> int:
    """A descriptor to append with; what is behind `size` is cut."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    if os.fstat(fd).st_size > size:
        disk.truncate(fd, size)
    return fd


def write_or_cut(disk: files.Disk, fd: int, size: int, *parts: files.Part) -> int:
    """Writes every byte behind `size` or leaves the file as long as it was; returns how many. Raises OSError."""
    try:
        return files.write_all(fd, *parts, disk=disk)
    except BaseException:  # also on Ctrl-C: no half block may stay
        with suppress(OSError):
            disk.truncate(fd, size)
        raise
