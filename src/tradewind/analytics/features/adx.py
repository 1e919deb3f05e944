"""Directional movement over 14 bars: +DI, -DI and their average directional index.

J. Welles Wilder, New Concepts in Technical Trading Systems (1978). Trigger: bar. Sums of movement and range begin with 13
bars and then lose 1/14 a bar; ADX begins as the mean of the first 14 DX.
"""

from typing import Any

from ...kernel.jit import compiled

NAME = "adx"
MEMORY = [
    ("last_high", "i8"), ("last_low", "i8"), ("sum_plus", "f8"), ("sum_minus", "f8"), ("sum_range", "f8"), ("sum_dx", "f8"),
    ("plus_di", "f8"), ("minus_di", "f8"), ("adx", "f8"),
]  # fmt: skip
PER_FRAME = True
GIVES = {"plus_di": ("percent", 15), "minus_di": ("percent", 15), "adx": ("percent", 28)}
PERIOD = 14
RATE = 1.0 / PERIOD


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    b = s.bar[i, f]
    n = b.closed
    m = s.adx[i, f]
    rise = b.c_high - m.last_high
    drop = m.last_low - b.c_low
    m.last_high = b.c_high
    m.last_low = b.c_low
    if n < 2:
        return
    ring = s.past[i, f]
    former = ring[(n - 2) & (ring.size - 1)]
    keep = 1.0 - RATE if n > PERIOD else 1.0
    m.sum_plus = m.sum_plus * keep + (float(rise) if rise > 0 and rise > drop else 0.0)
    m.sum_minus = m.sum_minus * keep + (float(drop) if drop > 0 and drop > rise else 0.0)
    m.sum_range = m.sum_range * keep + float(max(b.c_high, former) - min(b.c_low, former))
    if n > PERIOD:
        index(m, n)


@compiled
def index(m: Any, n: int) -> None:
    """+DI, -DI, and DX into ADX; where nothing moved ADX stays."""
    if m.sum_range <= 0.0:
        return
    m.plus_di = 100.0 * m.sum_plus / m.sum_range
    m.minus_di = 100.0 * m.sum_minus / m.sum_range
    both = m.plus_di + m.minus_di
    dx = 100.0 * abs(m.plus_di - m.minus_di) / both if both > 0.0 else 0.0
    if n <= 2 * PERIOD:
        m.sum_dx += dx
        m.adx = m.sum_dx * RATE
    elif both > 0.0:
        m.adx += (dx - m.adx) * RATE
