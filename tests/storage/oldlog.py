"""A market log as format 1 wrote it: to see that what is on people's disks is still read."""

from __future__ import annotations

import struct
import zlib
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import zstandard

from tradewind.domain.rows import ROW, Rows
from tradewind.storage import batch, marketlayout
from tradewind.storage.columns import AS_IT_IS, IN_TAPE_ORDER, Column
from tradewind.storage.marketlayout import BLOCK_MAGIC, MarketManifest, SealedSegment

BLOCK, SEGMENT = 10, 40


def pack(rows: Rows) -> bytes:
    """Rows in columns, each in planes, each a zstd frame."""
    compressor = zstandard.ZstdCompressor(level=1)
    by_source = rows.take(np.argsort(rows["source"].copy(), kind="stable"))
    parts: list[bytes] = []
    for name in ROW.names or ():
        folded = _fold(np.ascontiguousarray((rows if name in IN_TAPE_ORDER else by_source)[name]), name not in AS_IT_IS)
        planes = np.ascontiguousarray(folded.view(np.uint8).reshape(len(folded), folded.dtype.itemsize).T)
        frames = [(index, compressor.compress(plane.data)) for index, plane in enumerate(planes) if plane.any()]
        parts.append(bytes([sum(1 << index for index, _ in frames)]))
        parts += [struct.pack("<I", len(frame)) + frame for _, frame in frames]
    return b"".join(parts)


def _fold(column: Column, differences: bool) -> Column:
    out = column.copy()
    if differences and len(column):
        np.subtract(column[1:], column[:-1], out=out[1:])
    return (out << 1) ^ (out >> (8 * column.dtype.itemsize - 1))


def write(folder: Path, rows: Rows, step: int = 3) -> None:
    """A log of format 1 with these rows, nothing pruned, its last rows in a plain tail in batches of `step`."""
    folder.mkdir()
    sealed: list[SealedSegment] = []
    for index in range(len(rows) // SEGMENT + 1):
        part = rows[index * SEGMENT : (index + 1) * SEGMENT]
        blocks = [part[at : at + BLOCK] for at in range(0, len(part) // BLOCK * BLOCK, BLOCK)]
        if not blocks:
            break
        before = bytes.fromhex(sealed[-1].digest) if sealed else bytes(32)
        data = marketlayout.segment_header(index, index * SEGMENT, before)
        for number, block in enumerate(blocks):
            data += _block(block, index * SEGMENT + number * BLOCK)
        (folder / f"{index:05d}.market").write_bytes(data)
        if len(part) == SEGMENT:
            digest = blake2b(data, digest_size=32).hexdigest()
            first, last = int(part["ts_local"][0]), int(part["ts_local"][-1])
            sealed.append(SealedSegment(first_ts=first, last_ts=last, bytes=len(data), digest=digest))
    _write_tail(folder / f"{len(rows) // BLOCK * BLOCK:015d}.tail", rows[len(rows) // BLOCK * BLOCK :], step)
    manifest = MarketManifest(
        made_by="an old release", instruments=[], streams=[], segment_rows=SEGMENT, block_rows=BLOCK, segments=sealed, format=1
    )
    (folder / "market.json").write_bytes(msgspec.json.encode(manifest.proven()))


def _block(rows: Rows, first_row: int) -> bytes:
    data = pack(rows)
    times = int(rows["ts_local"][0]), int(rows["ts_local"][-1])
    head = struct.pack("<8sIIIIQqq12x", BLOCK_MAGIC, len(rows), len(data), zlib.crc32(data), 0, first_row, *times)
    return head + struct.pack("<I", zlib.crc32(head)) + data + bytes(-len(data) % 64)


def _write_tail(path: Path, rows: Rows, step: int) -> None:
    place = batch.Place(batch.genesis(path.name.encode()), 0, 0, 0)
    for at in range(0, len(rows), step):
        part = rows[at : at + step]
        header, marker, place = batch.seal(batch.TAIL, len(part), part.tobytes(), 0, place)
        with open(path, "ab") as file:
            file.write(header + part.tobytes() + marker)
