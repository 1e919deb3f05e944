"""Bollinger bands: the mean of 20 closes and two population deviations around it.

John Bollinger, Bollinger on Bollinger Bands (2001). Trigger: bar. Sums of closes and of squared distances from an anchor
inside the window are integers, so n² variance is exact and a calm market after a storm keeps its narrow bands. A window
wider than 2^26 price units around the anchor is summed anew each bar, in floats around its own mean.
"""

from typing import Any

from ...kernel.jit import called, compiled
from ...kernel.maths import sqrt

NAME = "bollinger"
MEMORY = [
    ("total", "i8"), ("anchor", "i8"), ("squares", "i8"), ("wide", "i8"), ("middle", "f8"), ("upper", "f8"), ("lower", "f8"),
]  # fmt: skip
PER_FRAME = True
GIVES = {"middle": ("price", 20), "upper": ("price", 20), "lower": ("price", 20)}
PERIOD = 20
WIDTH = 2.0
REACH = 1 << 26  # PERIOD² × REACH² stays within 63 bits


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    m = s.bollinger[i, f]
    n = s.bar[i, f].closed
    ring = s.past[i, f]
    close = s.bar[i, f].c_close
    leaving = ring[(n - 1 - PERIOD) & (ring.size - 1)] if n > PERIOD else 0
    m.total += close - leaving
    size = min(n, PERIOD)
    distance = close - m.anchor
    if m.wide != 0 or n == 1 or abs(distance) > REACH:
        deviation = anew(s, i, f, size)
    else:
        gone = leaving - m.anchor if n > PERIOD else 0
        m.squares += distance * distance - gone * gone
        deviation = exact(m.total - size * m.anchor, m.squares, size)
    m.middle = float(m.total) / float(size)
    m.upper = m.middle + WIDTH * deviation
    m.lower = m.middle - WIDTH * deviation


@compiled
def exact(distances: int, squares: int, size: int) -> float:
    """The population deviation from integer sums: sqrt(n Σd² - (Σd)²) / n."""
    return sqrt(float(size * squares - distances * distances)) / float(size)


@called
def anew(s: Any, i: int, f: int, size: int) -> float:
    """Anchors the window at its newest close, sums it, and gives its deviation."""
    m = s.bollinger[i, f]
    n = s.bar[i, f].closed
    ring = s.past[i, f]
    m.anchor = s.bar[i, f].c_close
    m.squares = 0
    m.wide = 0
    spread = 0.0
    for j in range(n - size, n):
        distance = ring[j & (ring.size - 1)] - m.anchor
        if abs(distance) > REACH:
            m.wide = 1
        else:
            m.squares += distance * distance
        off = float(size * ring[j & (ring.size - 1)] - m.total)
        spread += off * off
    if m.wide == 0:
        return exact(m.total - size * m.anchor, m.squares, size)
    return sqrt(spread / float(size)) / float(size)
