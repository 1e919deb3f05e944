"""Stochastic oscillator 14 / 3 / 3: where the close stands in the range of 14 bars.

George Lane, Lane's Stochastics (Technical Analysis of Stocks & Commodities, 1984). Trigger: bar. fast_k is raw, slow_k its
mean over 3 bars, slow_d the mean of slow_k over 3. A range of no width stands at the neutral 50.
"""

from typing import Any

from ...kernel.jit import compiled
from ..windows import highest, lowest

NAME = "stochastic"
MEMORY = [
    ("highs", "i8", (14,)), ("lows", "i8", (14,)), ("fast_k", "f8"), ("slow_k", "f8"), ("slow_d", "f8"),
    ("fast_k1", "f8"), ("fast_k2", "f8"), ("slow_k1", "f8"), ("slow_k2", "f8"),
]  # fmt: skip
PER_FRAME = True
GIVES = {"fast_k": ("percent", 14), "slow_k": ("percent", 16), "slow_d": ("percent", 18)}
PERIOD = 14


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    b = s.bar[i, f]
    m = s.stochastic[i, f]
    m.highs[(b.closed - 1) % PERIOD] = b.c_high
    m.lows[(b.closed - 1) % PERIOD] = b.c_low
    if b.closed < PERIOD:
        return
    low = lowest(m.lows)
    width = highest(m.highs) - low
    m.fast_k2 = m.fast_k1
    m.fast_k1 = m.fast_k
    m.fast_k = 100.0 * float(b.c_close - low) / float(width) if width > 0 else 50.0
    m.slow_k2 = m.slow_k1
    m.slow_k1 = m.slow_k
    m.slow_k = (m.fast_k + m.fast_k1 + m.fast_k2) / 3.0
    m.slow_d = (m.slow_k + m.slow_k1 + m.slow_k2) / 3.0
