"""Reads a market log, sealed or still growing, of either format; `marketlayout` has its bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tradewind.domain.errors import BadData, BadUse, Corrupt
from tradewind.domain.rows import ROW, Rows

from . import batch, columns, files
from .marketlayout import (
    BLOCK_MAGIC,
    COLUMNS,
    DIGESTS,
    FRAME_MAGIC,
    HEADER_BYTES,
    MANIFEST,
    ROWCODE,
    Piece,
    later_block,
    later_frame,
    parse_piece,
    read_manifest,
    segment_header,
)

if TYPE_CHECKING:
    from .rowcode import Decoder


class MarketReader:
    """Reads a market log, sealed or still growing. Changes nothing."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()
        path = self.folder / MANIFEST
        if not path.is_file():
            raise BadUse("no market.json here", where=str(self.folder), expected="a market log's folder")
        with files.disk_errors(path):
            data = path.read_bytes()
        self.manifest = read_manifest(data, str(path))

    @property
    def first_row(self) -> int:
        """The number of the first row that retention has left."""
        return self.manifest.pruned * self.manifest.segment_rows

    def blocks(self, index: int) -> tuple[bytearray, list[Piece], int]:
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
        blocks: list[Piece] = []
        at = HEADER_BYTES
        try:
            if data[:at] != segment_header(index, index * self.manifest.segment_rows, self._digest_before(index)):
                at = 0
                raise batch.Invalid("this segment does not continue the one before it")
            while at < len(data):
                first = index * self.manifest.segment_rows + sum(block.rows for block in blocks)
                blocks.append(parse_piece(data, at, BLOCK_MAGIC, first))
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
        """The rows behind the last block, which begin at `first_row`. Raises Corrupt."""
        path = self.tail_path(first_row)
        if not path.is_file():
            later = [name for name in os.listdir(self.folder) if name.endswith(".tail") and name > path.name]
            if later:
                raise Corrupt(f"rows {first_row} and on are missing before {later[0]}", where=str(self.folder))
            return Tail(path, [], 0, 0)
        with files.disk_errors(path):
            data = bytearray(path.read_bytes())
        if data[: len(batch.BATCH_MAGIC)] == batch.BATCH_MAGIC:
            return _old_tail(path, data)
        rows: list[Rows] = []
        at = crc = 0
        number, decoder = first_row, _decoder()
        try:
            while at < len(data):
                frame = parse_piece(data, at, FRAME_MAGIC, number, crc)
                rows.append(self._decoded(decoder, path, data, frame))
                number, crc, at = number + frame.rows, frame.crc, frame.end
        except batch.Invalid as reason:
            if later_frame(data, at, first_row):
                with files.disk_errors(path):
                    if path.read_bytes() != data:  # written over as it was read
                        return self.tail(first_row)
                raise Corrupt(f"{reason}, and another frame follows", where=f"{path} offset {at}") from reason
        return Tail(path, rows, at, len(data))

    def verify(self) -> int:
        """Proves every segment and unpacks every block; returns the number of the row behind the last. Raises Corrupt."""
        for index in range(self.manifest.pruned, self.manifest.sealed):
            path = self.path(index)
            data, _, _ = self.blocks(index)
            sealed = self.manifest.segments[index - self.manifest.pruned]
            if sealed.by not in DIGESTS or DIGESTS[sealed.by](data).hexdigest() != sealed.digest:
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

    def _unpack(self, index: int, data: bytearray, block: Piece) -> Rows:
        return self._decoded(_decoder(), self.path(index), data, block)

    def _decoded(self, decoder: Decoder, path: Path, data: bytearray, piece: Piece) -> Rows:
        body = memoryview(data)[piece.at : piece.at + piece.size]
        try:
            if piece.codec == COLUMNS:
                return columns.unpack(body, piece.rows)
            if piece.codec == ROWCODE:
                return decoder.take(body, piece.rows)
        except columns.Unreadable as error:
            raise Corrupt(str(error), where=f"{path} offset {piece.at}") from error
        raise BadData(
            f"rows coded by codec {piece.codec}", where=f"{path} offset {piece.at}", expected=f"codec {COLUMNS} or {ROWCODE}",
            todo=f"read it with the release that wrote it ({self.manifest.made_by}) or a later one",
        )  # fmt: skip


def _decoder() -> Decoder:
    from .rowcode import Decoder  # brings the compiler with it

    return Decoder()


class Tail(NamedTuple):
    """The rows behind the last block: their file, and how much of it is whole; `old`: in batches of format 1."""

    path: Path
    rows: list[Rows]
    whole: int
    size: int
    old: bool = False


def _old_tail(path: Path, data: bytearray) -> Tail:
    """A tail of format 1: plain rows in batches. Raises Corrupt."""
    place = batch.Place(batch.genesis(path.name.encode()), 0, 0, 0)
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
    return Tail(path, rows, at, len(data), old=True)
