"""Relative strength index over 14 bars.

J. Welles Wilder, New Concepts in Technical Trading Systems (1978). Trigger: bar. Mean gain and loss begin as simple means
of the first 14 changes, then move by 1/14 a bar. A market that has not moved at all stands at the neutral 50.
"""

from typing import Any

from ...kernel.jit import compiled

NAME = "rsi"
MEMORY = [("sum_gain", "i8"), ("sum_loss", "i8"), ("gain", "f8"), ("loss", "f8"), ("rsi", "f8")]
PER_FRAME = True
GIVES = {"rsi": ("percent", 15)}
PERIOD = 14
RATE = 1.0 / PERIOD


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    n = s.bar[i, f].closed
    if n < 2:
        return
    m = s.rsi[i, f]
    ring = s.past[i, f]
    change = s.bar[i, f].c_close - ring[(n - 2) & (ring.size - 1)]
    if n <= PERIOD + 1:
        m.sum_gain += max(change, 0)
        m.sum_loss += max(-change, 0)
        m.gain = float(m.sum_gain) * RATE
        m.loss = float(m.sum_loss) * RATE
    else:
        m.gain += (float(max(change, 0)) - m.gain) * RATE
        m.loss += (float(max(-change, 0)) - m.loss) * RATE
    moved = m.gain + m.loss
    m.rsi = 100.0 * m.gain / moved if moved > 0.0 else 50.0
