"""The bytes of a market log: its manifest, the headers of its segments, and pieces of rows, each proven alone.

    market.json             MarketManifest: what is sealed, what is pruned; written whole at every seal and prune
    00000.market …          segments: a header and blocks of exactly `block_rows` rows
    000000000000000.tail    frames: the rows after the last block, as they came; named by the first of them. Behind them may lie
                            frames of a tail before, over which these are written: their numbers are lower

    segment header  64   magic "TWmarket" | version u32 | index u32 | first row u64 | digest of the segment before (32)
                         | 0 u32 | crc32 u32
    piece header    64   magic "TWblock\\1" or "TWframe\\1" | rows u32 | bytes u32 | crc32 of the bytes u32 | codec u32
                         | first row u64 | first ts_local i64 | last ts_local i64 | 0 (12) | crc32 u32
    piece                the bytes, and zeros up to the next multiple of 64

The frames of a tail are one block in the making: their bytes together are the block's, and the crc32 of each goes on from the
one before it, so that of the last is the block's. Codec 1 is `rowcode`; 0 is `columns`, which format 1 had, whose tails are
batches of `batch`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2b, sha256
from typing import Any, NamedTuple

import msgspec
from zlib_ng.zlib_ng import crc32

from tradewind.domain.errors import BadData, Corrupt
from tradewind.domain.instruments import Instrument, Stream

from . import batch
from .files import Part

FORMAT, OLD_FORMATS = 3, (1, 2)  # format 2 wrote every tail into a file of its own
MANIFEST = "market.json"
GENESIS = bytes(32)
_ZEROS = bytes(64)
COLUMNS, ROWCODE = 0, 1

_SEGMENT = struct.Struct("<8sIIQ32sI")
_PIECE = struct.Struct("<8sIIIIQqq12x")
_CRC = struct.Struct("<I")
SEGMENT_VERSION = 1
SEGMENT_MAGIC, BLOCK_MAGIC, FRAME_MAGIC = b"TWmarket", b"TWblock\1", b"TWframe\1"
HEADER_BYTES = 64
assert _SEGMENT.size == _PIECE.size == HEADER_BYTES - 4


def _blake2b(data: Part = b"") -> Any:
    return blake2b(data, digest_size=32)


def _blake3(data: Part = b"") -> Any:
    from blake3 import blake3

    return blake3(data)


SEALED_BY = "blake3"
DIGESTS: dict[str, Callable[[Part], Any]] = {"blake2b": _blake2b, "sha256": sha256, SEALED_BY: _blake3}
"""By the name in a manifest, a running digest that begins with some bytes. Formats 1 and 2 had the first two, six and three times
as slow as the third."""


class SealedSegment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A full segment; both times are ts_local in ns, `digest` is that of its file in hex, `by` the name in DIGESTS."""

    first_ts: int
    last_ts: int
    bytes: int
    digest: str
    by: str = "blake2b"


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


def read_manifest(data: bytes, where: str) -> MarketManifest:
    """The manifest in the bytes of market.json, proven. Raises Corrupt, BadData."""
    try:
        manifest = msgspec.json.decode(data, type=MarketManifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"does not read as a market log's manifest: {error}", where=where) from error
    if manifest.format not in (*OLD_FORMATS, FORMAT):
        raise BadData(
            f"market log format {manifest.format}", where=where, expected=f"format {', '.join(map(str, OLD_FORMATS))} or {FORMAT}",
            todo=f"read it with the release that wrote it ({manifest.made_by}) or a later one",
        )  # fmt: skip
    if data != msgspec.json.encode(manifest.proven()):
        raise Corrupt("fails its own proof", where=where, expected="what was written there")
    return manifest


class Piece(NamedTuple):
    """Where a block or a frame lies in its file."""

    at: int
    size: int
    rows: int
    codec: int
    crc: int
    first_ts: int
    last_ts: int
    end: int


def segment_header(index: int, first_row: int, before: bytes) -> bytes:
    """The 64 bytes a segment begins with."""
    head = _SEGMENT.pack(SEGMENT_MAGIC, SEGMENT_VERSION, index, first_row, before, 0)
    return head + _CRC.pack(crc32(head))


def piece_header(magic: bytes, size: int, crc: int, first_row: int, rows: int, times: tuple[int, int]) -> bytes:
    """The 64 bytes before `size` bytes of coded rows; times: ts_local of the first and the last."""
    head = _PIECE.pack(magic, rows, size, crc, ROWCODE, first_row, *times)
    return head + _CRC.pack(crc32(head))


def padding(size: int) -> bytes:
    """The zeros behind `size` bytes."""
    return _ZEROS[: -size % HEADER_BYTES]


def parse_piece(data: Part, at: int, magic: bytes, first_row: int, crc_before: int = 0) -> Piece:
    """The block or frame at offset `at`, proven by its CRCs. Raises batch.Invalid."""
    head = bytes(data[at : at + HEADER_BYTES])
    if len(head) < HEADER_BYTES or head[:8] != magic:
        raise batch.Invalid("no block or frame begins here")
    _, count, size, crc, codec, first, first_ts, last_ts = _PIECE.unpack_from(head)
    if _CRC.unpack_from(head, HEADER_BYTES - 4)[0] != crc32(head[:-4]):
        raise batch.Invalid("a header fails its CRC")
    if first != first_row:
        raise batch.Invalid(f"row {first} stands where {first_row} belongs")
    end = at + HEADER_BYTES + size + -size % HEADER_BYTES
    if end > len(data):
        raise batch.Invalid("the file ends inside a block or frame")
    body = memoryview(data)[at + HEADER_BYTES : at + HEADER_BYTES + size]
    if crc32(body, crc_before) != crc or any(data[at + HEADER_BYTES + size : end]):
        raise batch.Invalid("rows fail their CRC")
    return Piece(at + HEADER_BYTES, size, count, codec, crc, first_ts, last_ts, end)


def later_block(data: bytes | bytearray, at: int) -> bool:
    """Whether a whole block lies anywhere behind offset `at`."""
    for found in _found(data, at, BLOCK_MAGIC):
        try:
            parse_piece(data, found, BLOCK_MAGIC, _first_row(data, found))
            return True
        except batch.Invalid:
            pass
    return False


def later_frame(data: bytes | bytearray, at: int, first_row: int) -> bool:
    """Whether the header of a frame of the tail that begins at `first_row` lies anywhere behind offset `at`.

    Only the header: the frame's CRC goes on from bytes that may be lost.
    """
    for found in _found(data, at, FRAME_MAGIC):
        head = data[found : found + HEADER_BYTES]
        whole = _CRC.unpack_from(head, HEADER_BYTES - 4)[0] == crc32(head[:-4])
        if whole and _first_row(data, found) >= first_row:
            return True
    return False


def _found(data: bytes | bytearray, at: int, magic: bytes) -> list[int]:
    """Where headers with this magic may begin behind offset `at`."""
    places = []
    found = data.find(magic, at + 1)
    while found >= 0:
        if found % HEADER_BYTES == 0 and found + HEADER_BYTES <= len(data):
            places.append(found)
        found = data.find(magic, found + 1)
    return places


def _first_row(data: bytes | bytearray, at: int) -> int:
    found: tuple[int] = struct.unpack_from("<Q", data, at + 24)
    return found[0]
