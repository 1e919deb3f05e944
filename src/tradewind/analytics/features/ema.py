"""Exponential moving averages of the close: fast 12, slow 26 (the MACD's pair).

Trigger: bar. Seeded with the simple mean of the first n closes, as TA-Lib does.
"""

from typing import Any

from ...kernel.jit import compiled

NAME = "ema"
MEMORY = [("fast", "f8"), ("slow", "f8"), ("sum_fast", "i8"), ("sum_slow", "i8")]
PER_FRAME = True
GIVES = {"fast": ("price", 12), "slow": ("price", 26)}
FAST, SLOW = 12, 26


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    b = s.bar[i, f]
    m = s.ema[i, f]
    n = b.closed
    close = float(b.c_close)
    if n <= FAST:
        m.sum_fast += b.c_close
        m.fast = float(m.sum_fast) / float(n)
    else:
        m.fast += 2.0 / (FAST + 1.0) * (close - m.fast)
    if n <= SLOW:
        m.sum_slow += b.c_close
        m.slow = float(m.sum_slow) / float(n)
    else:
        m.slow += 2.0 / (SLOW + 1.0) * (close - m.slow)
