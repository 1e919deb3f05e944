"""Sliding windows over bars: sums that cannot drift, and extremes.

Integers slide exactly by themselves (add what enters, take off what leaves). Floats do not: what was rounded on the way in
does not leave again. `slid` therefore never subtracts: it keeps the running sum of the present block and the suffix sums of
the block before, so every result is a sum of at most N numbers, whatever passed through before.
"""

from typing import Any

from ..domain.codes import NEVER
from ..kernel.jit import compiled


def window(n: int) -> list[tuple[object, ...]]:
    """Memory of a sliding float sum over the last n values."""
    return [("head", "f8"), ("slot", "i8"), ("suffix", "f8", (n,))]


@compiled
def slid(w: Any, x: float) -> float:
    """Takes x into the window; gives the sum of the last n values (of all, while there are fewer)."""
    n = w.suffix.size
    w.suffix[w.slot] = x
    w.head += x
    w.slot += 1
    if w.slot < n:
        return w.head + w.suffix[w.slot]
    for j in range(n - 2, -1, -1):
        w.suffix[j] += w.suffix[j + 1]
    w.slot = 0
    w.head = 0.0
    return w.suffix[0]


@compiled
def highest(ring: Any) -> int:
    """The largest number of a full ring."""
    found = -NEVER
    for j in range(ring.size):
        found = max(found, ring[j])
    return found


@compiled
def lowest(ring: Any) -> int:
    """The smallest number of a full ring."""
    found = NEVER
    for j in range(ring.size):
        found = min(found, ring[j])
    return found
