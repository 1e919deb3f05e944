"""Sizing: how much, before the review says whether."""

from typing import Any

from ..domain.layout import COST_DEN, COST_NUM, FRACTION, LOT, QUOTE_ASSET, RISK
from ..kernel.jit import called, compiled

MONEY = 1e-8


@compiled
def fixed_fraction(s: Any, i: int, fraction: float, price: int) -> int:
    """The quantity worth `fraction` of equity at `price`, rounded down to the lot; 0 without a rate."""
    rule = s.fact.rule[i]
    unit = float(price) * float(rule[COST_NUM]) / float(rule[COST_DEN]) * MONEY * s.group[rule[QUOTE_ASSET]].reference
    if unit <= 0.0:
        return 0
    return to_lot(s, i, fraction * s.budget.equity / unit)


@compiled
def volatility_target(s: Any, i: int, risk: float, volatility: float, confidence: float, price: int) -> int:
    """The quantity whose one-horizon deviation is `risk` of equity, scaled by confidence (0 to 1), rounded down to the lot."""
    if volatility <= 0.0:
        return 0
    return fixed_fraction(s, i, min(risk / volatility, 1.0) * confidence, price)


@compiled
def to_lot(s: Any, i: int, quantity: float) -> int:
    """Rounds down to the lot: always toward less risk."""
    lot = s.fact.rule[i, LOT]
    if quantity >= 4e18 or quantity <= 0.0:
        return 0
    return int(quantity) // lot * lot


@called
def renew(s: Any) -> None:
    """Each selector period: what one order of each strategy may be, on every instrument it has a right to."""
    for k in range(s.clock.n_strategies):
        for i in range(s.clock.n_instruments):
            if s.fact.right[k, i] != 0 and s.top[i].mid > 0.0:
                s.size_of[k, i].quantity = size(s, k, i, int(s.top[i].mid))


@compiled
def size(s: Any, k: int, i: int, price: int) -> int:
    """By volatility and confidence where the strategy names a risk, else by its fraction of equity."""
    p = s.parameter[k]
    if p[RISK] > 0.0:
        return volatility_target(s, i, p[RISK], s.signal[i].volatility, s.signal[i].confidence, price)
    if p[FRACTION] > 0.0:
        return fixed_fraction(s, i, p[FRACTION], price)
    return 0
