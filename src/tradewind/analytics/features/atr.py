"""Average true range over 14 bars.

J. Welles Wilder, New Concepts in Technical Trading Systems (1978). Trigger: bar. The true range begins with the second
bar; the average begins as the simple mean of the first 14 ranges, then moves by 1/14 a bar.
"""

from typing import Any

from ...kernel.jit import compiled

NAME = "atr"
MEMORY = [("sum_range", "i8"), ("true_range", "f8"), ("atr", "f8")]
PER_FRAME = True
GIVES = {"true_range": ("price", 2), "atr": ("price", 15)}
PERIOD = 14
RATE = 1.0 / PERIOD


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    b = s.bar[i, f]
    n = b.closed
    if n < 2:
        return
    m = s.atr[i, f]
    ring = s.past[i, f]
    former = ring[(n - 2) & (ring.size - 1)]
    reach = max(b.c_high, former) - min(b.c_low, former)
    m.true_range = float(reach)
    if n <= PERIOD + 1:
        m.sum_range += reach
        m.atr = float(m.sum_range) / float(n - 1)
    else:
        m.atr += (m.true_range - m.atr) * RATE
