"""Snapshots: the state of a run at one place of its journal and market log, each in a file that proves itself.

    000000000012345.snapshot   named by the number of the market log's next row
        magic "TWsnap\\1\\0" | header bytes u32 | header (JSON) | one zstd frame with all parts | BLAKE2b-256 of all before it

A snapshot is verified when its file was read back and gave the very bytes that were written; only then may anybody throw away
what stands before it. The last two are kept, so that damage to one costs time and not the run.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import zstandard

from tradewind.domain.errors import Corrupt

from . import files
from .files import Part

FORMAT = 1
KEPT = 2
MAGIC = b"TWsnap\1\0"
PROOF_BYTES = 32
OUR_FILE = re.compile(r"\d{15}\.snapshot")
_LENGTH = struct.Struct("<I")


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Where and of what a snapshot was taken. `chain`, `batches` and `rows` are the journal's place, chain in hex."""

    machine_hash: str
    build: str
    ts_local: int
    market_row: int  # of the market log: the next
    chain: str
    batches: int
    rows: int
    sizes: list[int] = []  # of the parts, in bytes
    extras: dict[str, Any] = {}
    format: int = FORMAT


class Snapshot(NamedTuple):
    """A snapshot that was read and proved."""

    moment: Moment
    parts: list[bytes]


class Snapshots:
    """The snapshots of one run, in a folder of their own."""

    def __init__(self, folder: Path | str, disk: files.Disk = files.DISK) -> None:
        self.folder, self._disk = Path(folder).resolve(), disk
        with files.disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def take(self, moment: Moment, parts: Sequence[Part]) -> Snapshot:
        """Writes a snapshot, reads it back, compares every byte, then removes all but the last KEPT.

        Raises Corrupt where the disk gives back something else, NoRoom, TradewindError.
        """
        moment = msgspec.structs.replace(moment, sizes=[len(part) for part in parts])
        raw = b"".join(parts)
        header = msgspec.json.encode(moment)
        body = zstandard.ZstdCompressor(level=1).compress(raw)
        data = MAGIC + _LENGTH.pack(len(header)) + header + body
        path = self.path(moment.market_row)
        with files.disk_errors(path):
            files.write_whole(path, data + _proof(data), self._disk)
        found = self.load(path)
        if b"".join(found.parts) != raw or msgspec.json.encode(found.moment) != header:
            raise Corrupt(
                "the disk gave back another snapshot than was written", where=str(path), todo="treat this disk as failing"
            )
        with files.disk_errors(self.folder):
            for old in self.paths()[:-KEPT]:
                old.unlink()
        return found

    def paths(self) -> list[Path]:
        """The files, oldest first."""
        with files.disk_errors(self.folder):
            return sorted(self.folder / name for name in os.listdir(self.folder) if OUR_FILE.fullmatch(name))

    def oldest_row(self) -> int:
        """The market row of the oldest snapshot kept: nothing from there on may be thrown away. 0 where there is none."""
        paths = self.paths()
        return int(paths[0].stem) if paths else 0

    def newest(self) -> Iterator[Snapshot]:
        """The snapshots that prove themselves, newest first; damaged ones are passed over."""
        for path in reversed(self.paths()):
            try:
                yield self.load(path)
            except Corrupt:
                continue

    def path(self, market_row: int) -> Path:
        """The file of the snapshot taken before that row."""
        return self.folder / f"{market_row:015d}.snapshot"

    def load(self, path: Path) -> Snapshot:
        """Reads one and proves it. Raises Corrupt."""
        with files.disk_errors(path):
            data = path.read_bytes()
        whole, proof = data[:-PROOF_BYTES], data[-PROOF_BYTES:]
        if whole[: len(MAGIC)] != MAGIC or _proof(whole) != proof:
            raise Corrupt("fails its own proof", where=str(path), expected="a snapshot as it was written")
        at = len(MAGIC) + _LENGTH.size
        (size,) = _LENGTH.unpack_from(whole, len(MAGIC))
        try:
            moment = msgspec.json.decode(whole[at : at + size], type=Moment)
            raw = zstandard.ZstdDecompressor().decompress(whole[at + size :])
        except (msgspec.DecodeError, zstandard.ZstdError) as error:
            raise Corrupt(f"does not read as a snapshot: {error}", where=str(path)) from error
        if moment.format != FORMAT or sum(moment.sizes) != len(raw):
            raise Corrupt("contradicts itself", where=str(path), expected=f"format {FORMAT} and parts of the sizes it names")
        parts, begin = [], 0
        for part in moment.sizes:
            parts.append(raw[begin : begin + part])
            begin += part
        return Snapshot(moment, parts)


def _proof(data: bytes) -> bytes:
    return blake2b(data, digest_size=PROOF_BYTES).digest()
