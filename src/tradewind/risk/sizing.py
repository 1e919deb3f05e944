"""Sizing: how much, before the review says whether."""

from ..domain.layout import COST_DEN, COST_NUM, LOT, QUOTE_ASSET
from ..kernel.jit import compiled

MONEY = 1e-8


@compiled
def fixed_fraction(s, i: int, fraction: float, price: int) -> int:
    """The quantity worth `fraction` of equity at `price`, rounded down to the lot; 0 without a rate."""
    rule = s.fact.rule[i]
    unit = float(price) * float(rule[COST_NUM]) / float(rule[COST_DEN]) * MONEY * s.group[rule[QUOTE_ASSET]].reference
    if unit <= 0.0:
        return 0
    return to_lot(s, i, fraction * s.budget.equity / unit)


@compiled
def volatility_target(s, i: int, risk: float, volatility: float, confidence: float, price: int) -> int:
    """The quantity whose one-horizon deviation is `risk` of equity, scaled by confidence (0 to 1), rounded down to the lot."""
    if volatility <= 0.0:
        return 0
    return fixed_fraction(s, i, min(risk / volatility, 1.0) * confidence, price)


@compiled
def to_lot(s, i: int, quantity: float) -> int:
    """Rounds down to the lot: always toward less risk."""
    lot = s.fact.rule[i, LOT]
    if quantity >= 4e18 or quantity <= 0.0:
        return 0
    return int(quantity) // lot * lot
