"""Sizing: how much, before the review says whether."""

from typing import Any

from ..domain.layout import FRACTION, LOT, RISK
from ..kernel.jit import called, compiled
from . import limits


@compiled
def fixed_fraction(s: Any, i: int, fraction: float, price: int) -> int:
    """The quantity worth `fraction` of equity at `price`, rounded down to the lot; 0 without a rate."""
    unit = limits.unit_worth(s, i, float(price))
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
    """Rounds down to the lot: always toward less risk; what is no quantity gives 0."""
    if not 0.0 < quantity < 4e18:
        return 0
    return whole_lots(s, i, int(quantity))


@compiled
def whole_lots(s: Any, i: int, quantity: int) -> int:
    """The most lots that `quantity` holds, in quantity units."""
    lot = s.fact.rule[i, LOT]
    return quantity // lot * lot


@called
def renew(s: Any, every: bool) -> None:
    """What one order of each strategy may be, wherever it has a right; `every` False: only where nothing was known yet."""
    s.clock.unsized = 0
    for k in range(s.clock.n_strategies):
        if s.parameter[k, FRACTION] <= 0.0 and s.parameter[k, RISK] <= 0.0:
            continue
        for i in range(s.clock.n_instruments):
            if s.fact.right[k, i] == 0:
                continue
            if s.top[i].mid > 0.0 and (every or s.size_of[k, i].quantity == 0):
                s.size_of[k, i].quantity = size(s, k, i, int(s.top[i].mid))
            s.clock.unsized += int(s.size_of[k, i].quantity == 0)


@compiled
def size(s: Any, k: int, i: int, price: int) -> int:
    """By volatility and confidence where the strategy names a risk, else by its fraction of equity; less at a weak grade."""
    p = s.parameter[k]
    part = limits.SIZE_BY_GRADE[limits.grade_at(s, i)]
    if p[RISK] > 0.0:
        return volatility_target(s, i, p[RISK], s.signal[i].volatility, s.signal[i].confidence * part, price)
    return fixed_fraction(s, i, p[FRACTION] * part, price)
