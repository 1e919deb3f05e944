"""Signals: one score in [-1, 1] an instrument, with direction, horizon, confidence and the evidence it came from.

score = squashed(Σ weight × input). Inputs are dimensionless: book imbalance, trade-flow imbalance, distance of the microprice
and of the fast from the slow average, both in deviations of one horizon. The evidence is what each of them carried.
"""

from typing import Any

from ..kernel.jit import compiled
from ..kernel.maths import sqrt

TUNING = {"w_imbalance": 0.6, "w_flow": 0.5, "w_micro": 0.5, "w_trend": 0.8, "horizon_s": 60.0}
W_IMBALANCE, W_FLOW, W_MICRO, W_TREND, HORIZON = range(8, 13)  # columns of s.tuning
EVIDENCE = ("nothing", "book imbalance", "trade flow", "microprice", "trend")


@compiled
def renew_deviation(s: Any, i: int) -> None:
    """How far instrument i's mid goes in one horizon. With the touch, not with the score: a root and a division take long, and the
    processor does them beside what lies between."""
    g = s.signal[i]
    g.volatility = sqrt(s.flow[i].variance_ratio * s.tuning[HORIZON])
    deviation = g.volatility * s.top[i].mid
    g.per_deviation = 1.0 / deviation if deviation > 0.0 else 0.0


@compiled
def renew(s: Any, i: int) -> None:
    """Renews instrument i's signal from its features as they stand."""
    m = s.flow[i]
    g = s.signal[i]
    t = s.tuning
    g.horizon_ns = int(t[HORIZON] * 1e9)
    book = t[W_IMBALANCE] * m.imbalance5
    tape = t[W_FLOW] * m.signed / m.total if m.total > 0.0 else 0.0
    micro = t[W_MICRO] * (m.microprice - s.top[i].mid) * g.per_deviation if m.microprice > 0.0 else 0.0
    trend = t[W_TREND] * (s.ema[i, 0].fast - s.ema[i, 0].slow) * g.per_deviation
    g.book = book
    g.tape = tape
    g.micro = micro
    g.trend = trend
    g.score = squashed(book + tape + micro + trend)
    g.direction = int(g.score > 0.0) - int(g.score < 0.0)  # no branch: nobody can guess it


@compiled
def squashed(x: float) -> float:
    """The Padé form of the hyperbolic tangent, x (27 + x²) / (27 + 9 x²), and ±1 from 3 on: its shape at a tenth of its cost."""
    x = max(min(x, 3.0), -3.0)  # at ±3 the form is ±1; a choice, not a branch that nobody can guess
    return x * (27.0 + x * x) / (27.0 + 9.0 * x * x)


def strongest(signal: Any) -> str:
    """What carried most of a signal's score: a name of EVIDENCE."""
    parts = [0.0, *(abs(float(signal[part])) for part in ("book", "tape", "micro", "trend"))]
    return EVIDENCE[parts.index(max(parts))]
