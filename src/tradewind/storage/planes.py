"""One column of rows as planes of bytes, compiled: differences, folding and cutting in two passes over memory in cache.

Imported where rows are first packed: it brings the compiler with it.
"""

from typing import Any

from tradewind.kernel.jit import entry


@entry
def cut(words: Any, order: Any, place: Any, differences: bool, folded: Any, planes: Any) -> int:
    """Writes the planes of a column, the lowest first; returns the bit set of those that are not all zero.

    words: int64 of shape (rows, 8), the rows' bytes. order: which row comes when. place: word, shift and width in bits of the
    column. folded: int64 of at least as many rows, for work. planes: uint8 of shape (8, at least as many rows).
    """
    n = order.size
    word, shift, width = place[0], place[1], place[2]
    before = 0
    held = 0
    for k in range(n):
        value = (words[order[k], word] >> shift) << (64 - width) >> (64 - width)
        d = value - before if differences else value
        before = value
        d = d << (64 - width) >> (64 - width)
        z = (d << 1) ^ (d >> 63)
        folded[k] = z
        if k > 0:
            held |= z
    mask = 0
    for index in range(width >> 3):
        plane = planes[index]
        first = (folded[0] >> (8 * index)) & 255
        if (held >> (8 * index)) & 255 != 0:
            for k in range(n):
                plane[k] = (folded[k] >> (8 * index)) & 255
            mask |= 1 << index
        elif first != 0:
            plane[:n] = 0
            plane[0] = first
            mask |= 1 << index
    return mask
