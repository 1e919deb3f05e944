"""The bytes of a journal segment: how a batch is laid out, sealed, parsed and found again. No input or output here.

Everything is little-endian and a multiple of 64 bytes. A segment file is a segment header and then batches:

    segment header  64   magic "TWsegmnt" | version u32 | index u32 | first row u64 | chain before (32) | 0 u32 | crc32 u32
    batch header    64   magic "TWbatch\\1" | type u32 | count u32 | payload bytes u32 | payload crc32 u32
                         | first u64 | batch number u64 | 0 (20) | crc32 u32
    payload      n*64    type ROWS: `count` rows, `first` is the number of the first row in the journal
                         type TAIL: the same in a file that does not last
                         type TEXTS: `count` texts, `first` is the id of the first; each is its length u32 and its
                         UTF-8 bytes; zeros up to the next multiple of 64
    commit marker  128   a COMMIT row: ts_local = that of the last row, ref = rows in the batch, quantity = state digest,
                         value = first 8 bytes of the chain; then "TWcommit" | chain (32) | 0 (20) | crc32 u32

A crc32 at the end of a 64-byte piece is over all bytes of its piece before it; the marker's also over the COMMIT row.

    chain = SHA-256(chain before | batch header | payload | COMMIT row with value 0)

(BLAKE2b-256 in journals of format 1) and the chain before the first batch is the same hash of the bytes of journal.json. So the
chain names every byte that matters, the way rows were split into batches included; the same rows split otherwise give the same
rows and another chain. The chain of a TAIL leaves the payload out: its CRC in the header must do, for it lasts minutes and is paid
for every row.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2b, sha256
from typing import Any, NamedTuple

import numpy as np
from zlib_ng.zlib_ng import crc32

from tradewind.domain import codes
from tradewind.domain.rows import ROW, ROW_BYTES, Rows

from .files import Part

VERSION = 1
ROWS, TEXTS, TAIL = 1, 2, 3
HEADER_BYTES = MARKER_HALF = 64
MARKER_BYTES = 128
MOST_ROWS = 64  # a Sealer takes: beyond that the one copy costs more than three pieces handed to the kernel
AROUND = HEADER_BYTES + MARKER_BYTES  # bytes of a batch beside its payload
MAX_PAYLOAD = 1 << 22  # so that a batch's rows stay in cache, and a false length cannot ask for much
MOST_BYTES = AROUND + MAX_PAYLOAD  # of a batch

_SEGMENT = struct.Struct("<8sIIQ32sI")
_HEADER = struct.Struct("<8sIIIIQQ20x")
_SEAL = struct.Struct("<8s32s20x")
_COMMIT = struct.Struct("<bbhhhhhiqqqqqq")
_CRC = struct.Struct("<I")
_LENGTH = struct.Struct("<I")
# What a Sealer packs at once: the chain before and a header; of the COMMIT row what is not 0; its value (the first bytes of
# the chain) with the seal.
_BEGIN, _OWN_COMMIT, _OWN_SEAL = struct.Struct("<32s8sIIIIQQ20x"), struct.Struct("<b23xq8xqq8x"), struct.Struct("<8s8s32s20x")
_LAST_TS = struct.Struct("<24xq32x")
_CHAIN_BYTES = 32
_BODY = _CHAIN_BYTES + HEADER_BYTES
_COMMIT_KIND = codes.COMMIT
_COMMIT_HEAD = bytes([codes.COMMIT])
SEGMENT_MAGIC, BATCH_MAGIC, COMMIT_MAGIC = b"TWsegmnt", b"TWbatch\1", b"TWcommit"

assert _SEGMENT.size == _HEADER.size == _SEAL.size == 60 and _COMMIT.size == ROW_BYTES


class Invalid(Exception):
    """These bytes are no whole batch; the text says why."""


class Place(NamedTuple):
    """A commit boundary: what was written before it."""

    chain: bytes
    batches: int
    rows: int
    texts: int  # texts have the ids 1..texts


class Batch(NamedTuple):
    """One sealed batch. `rows` is empty for texts, `texts` for rows; `end` is the offset behind it."""

    first: int
    rows: Rows
    texts: list[str]
    digest: int
    place: Place  # after the batch
    end: int


def signed(word: int) -> int:
    """The int64 with the bits of a 64-bit `word`, signed or not."""
    return word - (1 << 64) if word >= 1 << 63 else word


Hash = Callable[[Part], Any]
"""A running digest of 32 bytes that begins with some bytes."""


def old_hash(data: Part = b"") -> Any:
    """BLAKE2b-256, of journals of format 1 and tails of market logs of format 1."""
    return blake2b(data, digest_size=_CHAIN_BYTES)


def hash_of(journal_format: int) -> Hash:
    """The hash of a journal's chain. Many processors have SHA-256 built in: half the time for a batch of a few hundred rows."""
    return old_hash if journal_format == 1 else sha256


def genesis(header: bytes, by: Hash = old_hash) -> bytes:
    """The chain before the first batch."""
    found: bytes = by(header).digest()
    return found


def segment_header(index: int, place: Place) -> bytes:
    """The 64 bytes a segment begins with: wholly determined by what stands before it."""
    head = _SEGMENT.pack(SEGMENT_MAGIC, VERSION, index, place.rows, place.chain, 0)
    return head + _CRC.pack(crc32(head))


def seal(kind: int, count: int, payload: Part, digest: int, place: Place, by: Hash = old_hash) -> tuple[bytes, bytes, Place]:
    """The header and the marker to write around `payload`, and the place behind them."""
    rows, first = (count, place.rows) if kind != TEXTS else (0, place.texts + 1)
    size = len(payload)
    last_ts = _LAST_TS.unpack_from(payload, size - ROW_BYTES)[0] if rows else 0
    header = _HEADER.pack(BATCH_MAGIC, kind, count, size, crc32(payload), first, place.batches)
    header += _CRC.pack(crc32(header))
    commit = _COMMIT.pack(codes.COMMIT, 0, 0, 0, 0, 0, 0, 0, 0, last_ts, 0, digest, rows, 0)
    chain = _chain(by, place.chain, header, payload if kind != TAIL else b"", commit)
    marker = commit[:-8] + chain[:8] + _SEAL.pack(COMMIT_MAGIC, chain)
    marker += _CRC.pack(crc32(marker))
    return header, marker, Place(chain, place.batches + 1, place.rows + rows, place.texts + count - rows)


class Sealer:
    """Seals small batches of rows, each in the same buffer: the step of a live machine waits for this.

    What it gives is what `seal` gives, in one piece; it stands until the next call.
    """

    def __init__(self, by: Hash = old_hash) -> None:
        # The chain before, then header, payload and marker: so the new chain is the hash of one piece.
        self._buffer = bytearray(_CHAIN_BYTES + AROUND + MOST_ROWS * ROW_BYTES)
        self._view = memoryview(self._buffer)
        self._head = self._view[_CHAIN_BYTES : _BODY - 4]
        self._cuts: dict[int, tuple[memoryview, ...]] = {}
        self._hash = by(b"")  # copying it costs less than making one

    def seal(self, payload: bytes, digest: int, place: Place) -> tuple[memoryview, Place]:
        """The bytes of a batch of at least one row, and the place behind it."""
        buffer, size = self._buffer, len(payload)
        count, end = size // ROW_BYTES, _BODY + size
        before, batches, rows, texts = place
        _BEGIN.pack_into(buffer, 0, before, BATCH_MAGIC, ROWS, count, size, crc32(payload), rows, batches)
        _CRC.pack_into(buffer, _BODY - 4, crc32(self._head))
        body, hashed, marker, whole = self._cuts.get(size) or self._cut(size, end)
        body[:] = payload
        (last_ts,) = _LAST_TS.unpack_from(payload, size - ROW_BYTES)
        _OWN_COMMIT.pack_into(buffer, end, _COMMIT_KIND, last_ts, digest, count)
        state = self._hash.copy()
        state.update(hashed)
        chain = state.digest()
        _OWN_SEAL.pack_into(buffer, end + ROW_BYTES - 8, chain, COMMIT_MAGIC, chain)
        _CRC.pack_into(buffer, end + MARKER_BYTES - 4, crc32(marker))
        return whole, tuple.__new__(Place, (chain, batches + 1, rows + count, texts))

    def _cut(self, size: int, end: int) -> tuple[memoryview, ...]:
        view = self._view
        pieces = (
            view[_BODY:end], view[: end + ROW_BYTES], view[end : end + MARKER_BYTES - 4],
            view[_CHAIN_BYTES : end + MARKER_BYTES],
        )  # fmt: skip
        self._cuts[size] = pieces
        return pieces


def _chain(by: Hash, before: bytes, header: bytes, payload: Part, commit: bytes) -> bytes:
    chain = by(before + header)
    chain.update(payload)
    chain.update(commit)
    found: bytes = chain.digest()
    return found


def pack_texts(texts: list[bytes]) -> bytes:
    """The payload of a batch of texts."""
    payload = b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))
    return payload + bytes(-len(payload) % ROW_BYTES)


def unpack_texts(payload: memoryview, count: int) -> list[str]:
    """The texts of a payload. Raises Invalid where they do not fill it exactly."""
    texts, at = [], 0
    for _ in range(count):
        (size,) = _LENGTH.unpack_from(payload, at) if at + 4 <= len(payload) else (len(payload),)
        if at + 4 + size > len(payload):
            raise Invalid("a text runs over the end of its batch")
        texts.append(str(payload[at + 4 : at + 4 + size], "utf-8"))
        at += 4 + size
    if len(payload) - at >= ROW_BYTES or any(payload[at:]):
        raise Invalid("bytes behind the last text of a batch")
    return texts


def parse(data: bytearray, at: int, place: Place, by: Hash = old_hash) -> Batch:
    """The batch at offset `at`, proven down to its last bit; its rows are a writable view of `data`.

    Raises Invalid with the reason.
    """
    view = memoryview(data)
    header = bytes(view[at : at + HEADER_BYTES])
    if len(header) < HEADER_BYTES or header[:8] != BATCH_MAGIC:
        raise Invalid("no batch begins here")
    _, kind, count, size, _, first, number = _HEADER.unpack_from(header)
    if _CRC.unpack_from(header, 60)[0] != crc32(header[:60]):
        raise Invalid("a batch header fails its CRC")
    end = at + AROUND + size
    if end > len(data):
        raise Invalid("the file ends inside a batch")
    payload = view[at + HEADER_BYTES : end - MARKER_BYTES]
    if kind not in (ROWS, TEXTS, TAIL) or (kind != TEXTS and size != count * ROW_BYTES):
        raise Invalid("a batch header contradicts itself")
    if (first, number) != (place.rows if kind != TEXTS else place.texts + 1, place.batches):
        raise Invalid(f"batch {number} stands where batch {place.batches} belongs")
    commit = _COMMIT.unpack_from(view, end - MARKER_BYTES)
    rebuilt_header, marker, after = seal(kind, count, payload, commit[11], place, by)
    if rebuilt_header != header:
        raise Invalid("rows or texts fail their CRC")
    if marker != view[end - MARKER_BYTES : end]:
        raise Invalid("a commit marker does not seal the bytes before it")
    rows = np.frombuffer(data, ROW, count if kind != TEXTS else 0, at + HEADER_BYTES)
    return Batch(first, rows, unpack_texts(payload, count) if kind == TEXTS else [], commit[11], after, end)


def find_marker(data: bytearray, at: int) -> int:
    """The offset of the first commit marker that is whole in itself, from `at` on; -1 where there is none."""
    found = data.find(COMMIT_MAGIC, max(at, 0))
    while found >= 0:
        start = found - MARKER_HALF
        if start >= at and found % MARKER_HALF == 0 and len(data) >= start + MARKER_BYTES:
            (crc,) = _CRC.unpack_from(data, start + MARKER_BYTES - 4)
            if data[start : start + 1] == _COMMIT_HEAD and crc == crc32(memoryview(data)[start : start + MARKER_BYTES - 4]):
                return start
        found = data.find(COMMIT_MAGIC, found + 1)
    return -1
