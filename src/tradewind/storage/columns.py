"""Rows packed by column, as market logs of format 1 have them: read only, newer logs are coded by `rowcode`.

Rows were put in order of their source (a stable sort, so each stream keeps its own order); `source` and `ts_local` stay in
tape order. A column is then the difference to the row before (the value itself for side, marks and quantity), folded so that
small negative numbers are small (zigzag), cut into planes of equal significance, and each plane that is not zero is one zstd
frame.

    mask u8 of column 1 | (length u32 | frame) per set bit, lowest plane first | mask u8 of column 2 | …

Differences wrap, so any bits come back exactly.
"""

from __future__ import annotations

import struct

import numpy as np
import zstandard
from numpy.typing import NDArray

from tradewind.domain.rows import ROW, Rows

AS_IT_IS = frozenset({"side", "marks", "quantity"})
IN_TAPE_ORDER = frozenset({"source", "ts_local"})
_LENGTH = struct.Struct("<I")
Column = NDArray[np.signedinteger]


class Unreadable(Exception):
    """These bytes are no packed rows."""


def unpack(data: bytes | memoryview, count: int) -> Rows:
    """The `count` rows that were packed. Raises Unreadable."""
    view = memoryview(data)
    columns: dict[str, Column] = {}
    at = 0
    decompressor = zstandard.ZstdDecompressor()
    for name in ROW.names or ():
        folded, at = _unpack_column(view, at, count, ROW[name], decompressor)
        columns[name] = _unfold(folded, name not in AS_IT_IS)
    if at != len(view):
        raise Unreadable("bytes behind the last column")
    rows = np.zeros(count, ROW)
    order = np.argsort(columns["source"], kind="stable")
    for name, column in columns.items():
        if name in IN_TAPE_ORDER:
            rows[name] = column
        else:
            rows[name][order] = column
    return rows


def _unfold(folded: Column, differences: bool) -> Column:
    unsigned = folded.view(f"u{folded.dtype.itemsize}")
    out = (unsigned >> 1).view(folded.dtype) ^ -(folded & 1)
    return np.cumsum(out, dtype=folded.dtype) if differences else out


def _unpack_column(
    view: memoryview, at: int, count: int, dtype: np.dtype[np.signedinteger], decompressor: zstandard.ZstdDecompressor
) -> tuple[Column, int]:
    planes = np.zeros((dtype.itemsize, count), np.uint8)
    try:
        mask = view[at]
        at += 1
        for index in range(8):
            if mask >> index & 1:
                (size,) = _LENGTH.unpack_from(view, at)
                at += 4 + size
                if at > len(view):
                    raise Unreadable("a frame runs over the end")
                planes[index] = np.frombuffer(decompressor.decompress(view[at - size : at], max_output_size=count), np.uint8)
    except (IndexError, ValueError, struct.error, zstandard.ZstdError) as error:
        raise Unreadable(f"a column does not unpack: {error}") from error
    return np.ascontiguousarray(planes.T).view(dtype).reshape(count), at
