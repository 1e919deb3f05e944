"""Commodity channel index over 20 bars: distance of the typical price from its mean, in mean absolute deviations.

Donald Lambert, Commodity Channel Index (Commodities, 1980). Trigger: bar. Typical prices are kept as high + low + close,
three times the price, so that every sum is an integer. A window of no width stands at 0.
"""

from typing import Any

from ...kernel.jit import compiled

NAME = "cci"
MEMORY = [("typicals", "i8", (20,)), ("total", "i8"), ("cci", "f8")]
PER_FRAME = True
GIVES = {"cci": ("number", 20)}
PERIOD = 20
LAMBERT = 0.015


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    b = s.bar[i, f]
    m = s.cci[i, f]
    at = (b.closed - 1) % PERIOD
    typical = b.c_high + b.c_low + b.c_close
    m.total += typical - m.typicals[at]
    m.typicals[at] = typical
    if b.closed < PERIOD:
        return
    away = 0
    for j in range(PERIOD):
        away += abs(PERIOD * m.typicals[j] - m.total)
    m.cci = float(PERIOD * typical - m.total) * PERIOD / (LAMBERT * float(away)) if away > 0 else 0.0
