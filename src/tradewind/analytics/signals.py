"""Signals: one score in [-1, 1] an instrument, with direction, horizon, confidence and the evidence it came from.

score = tanh(Σ weight × input). Inputs are dimensionless: book imbalance, trade-flow imbalance, distance of the microprice
and of the fast from the slow average, both in deviations of one horizon.
"""

from typing import Any

from ..kernel.jit import compiled
from ..kernel.maths import sqrt, tanh

TUNING = {"w_imbalance": 0.6, "w_flow": 0.5, "w_micro": 0.5, "w_trend": 0.8, "horizon_s": 60.0}
W_IMBALANCE, W_FLOW, W_MICRO, W_TREND, HORIZON = range(8, 13)  # columns of s.tuning


@compiled
def renew(s: Any, i: int) -> None:
    """Renews instrument i's signal from its features as they stand."""
    m = s.flow[i]
    g = s.signal[i]
    t = s.tuning
    mid = s.top[i].mid
    g.horizon_ns = int(t[HORIZON] * 1e9)
    g.volatility = sqrt(m.variance_ratio * t[HORIZON])
    deviation = g.volatility * mid
    x = t[W_IMBALANCE] * m.imbalance5
    if m.total > 0.0:
        x += t[W_FLOW] * m.signed / m.total
    if deviation > 0.0:
        x += t[W_MICRO] * (m.microprice - mid) / deviation if m.microprice > 0.0 else 0.0
        x += t[W_TREND] * (s.ema[i, 0].fast - s.ema[i, 0].slow) / deviation
    g.score = tanh(x)
    g.direction = 1 if g.score > 0.0 else -1 if g.score < 0.0 else 0
