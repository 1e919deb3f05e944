"""Returns of the close over 1, 5 and 20 bars, simple and logarithmic.

Trigger: bar. simple = (close - former) / former, from exact integers; log = log1p(simple), so that the logarithm of a
small move keeps all its digits. A lag that reaches before the first bar gives 0.
"""

from typing import Any

from ...kernel.jit import compiled
from ...kernel.maths import log1p

NAME = "past_returns"
MEMORY = [("simple1", "f8"), ("simple5", "f8"), ("simple20", "f8"), ("log1", "f8"), ("log5", "f8"), ("log20", "f8")]
PER_FRAME = True
GIVES = {
    "simple1": ("ratio", 2), "simple5": ("ratio", 6), "simple20": ("ratio", 21),
    "log1": ("ratio", 2), "log5": ("ratio", 6), "log20": ("ratio", 21),
}  # fmt: skip


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    m = s.past_returns[i, f]
    m.simple1 = change_over(s, i, f, 1)
    m.simple5 = change_over(s, i, f, 5)
    m.simple20 = change_over(s, i, f, 20)
    m.log1 = log1p(m.simple1)
    m.log5 = log1p(m.simple5)
    m.log20 = log1p(m.simple20)


@compiled
def change_over(s: Any, i: int, f: int, lag: int) -> float:
    """The simple return of the close over `lag` bars."""
    n = s.bar[i, f].closed
    if n <= lag:
        return 0.0
    ring = s.past[i, f]
    former = ring[(n - 1 - lag) & (ring.size - 1)]
    return float(s.bar[i, f].c_close - former) / float(former)
