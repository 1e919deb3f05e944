"""Sorted price levels, read by whoever needs a book: ascending keys (see market.books), best last."""

from typing import Any

from ..domain.codes import BUY
from .jit import called, compiled


@compiled
def bisect(keys: Any, key: int, n: int) -> int:
    """The last index under n whose key is at most `key`, or -1."""
    low = 0
    high = n
    while low < high:
        middle = (low + high) // 2
        if keys[middle] <= key:
            low = middle + 1
        else:
            high = middle
    return low - 1


@called
def quantity_at(s: Any, i: int, side: int, price: int) -> int:
    """What rests at a price, 0 where nothing does."""
    key = price if side == BUY else -price
    keys = s.level_key[i, side]
    k = bisect(keys, key, s.book[i].depth[side])
    return s.level_quantity[i, side, k] if k >= 0 and keys[k] == key else 0
