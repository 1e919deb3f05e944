"""Realised volatility: the root of the mean squared log return over 30 and 120 bars, and the shorter one a year.

Andersen, Bollerslev, Diebold, Labys, Modeling and Forecasting Realized Volatility (Econometrica 71, 2003), with bars as
the grid. Trigger: bar. The mean return is taken as zero. A year has 365.25 days: this market does not close.
"""

from typing import Any

from ...domain.codes import DAY
from ...kernel.jit import compiled
from ...kernel.maths import log1p, sqrt
from ..windows import slid, window

NAME = "realised_volatility"
MEMORY = [("rv30", "f8"), ("rv120", "f8"), ("annual30", "f8"), ("squares30", window(30)), ("squares120", window(120))]
PER_FRAME = True
GIVES = {"rv30": ("ratio", 31), "rv120": ("ratio", 121), "annual30": ("ratio", 31)}
YEAR_NS = 365.25 * DAY


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    n = s.bar[i, f].closed
    if n < 2:
        return
    m = s.realised_volatility[i, f]
    ring = s.past[i, f]
    former = ring[(n - 2) & (ring.size - 1)]
    r = log1p(float(s.bar[i, f].c_close - former) / float(former))
    m.rv30 = sqrt(slid(m.squares30, r * r) / float(min(n - 1, 30)))
    m.rv120 = sqrt(slid(m.squares120, r * r) / float(min(n - 1, 120)))
    if s.frame_ns[f] > 0:
        m.annual30 = m.rv30 * sqrt(YEAR_NS / float(s.frame_ns[f]))
