"""Simple moving averages of the close over 10, 20 and 30 bars.

Trigger: bar. The sums are integers, so nothing drifts. Before a window is full its average is that of the bars there are.
"""

from typing import Any

from ...kernel.jit import compiled

NAME = "sma"
MEMORY = [("sum10", "i8"), ("sum20", "i8"), ("sum30", "i8"), ("sma10", "f8"), ("sma20", "f8"), ("sma30", "f8")]
PER_FRAME = True
GIVES = {"sma10": ("price", 10), "sma20": ("price", 20), "sma30": ("price", 30)}


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    m = s.sma[i, f]
    n = s.bar[i, f].closed
    m.sum10 += entered(s, i, f, 10)
    m.sum20 += entered(s, i, f, 20)
    m.sum30 += entered(s, i, f, 30)
    m.sma10 = float(m.sum10) / float(min(n, 10))
    m.sma20 = float(m.sum20) / float(min(n, 20))
    m.sma30 = float(m.sum30) / float(min(n, 30))


@compiled
def entered(s: Any, i: int, f: int, window: int) -> int:
    """By how much the sum over the last `window` closes changed with this bar."""
    n = s.bar[i, f].closed
    ring = s.past[i, f]
    return s.bar[i, f].c_close - (ring[(n - 1 - window) & (ring.size - 1)] if n > window else 0)
