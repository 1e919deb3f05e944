"""An inventory-aware quoting market maker.

Quotes around a reservation price r = mid + lean × score × half spread − skew × inventory, at a half spread δ, on a timer.
With `gamma` > 0 both follow Avellaneda and Stoikov (High-frequency trading in a limit order book, 2008, eqs. 29 and 30,
stationary form with horizon `horizon_s`):

    r = mid − q γ σ² T         δ = ½ γ σ² T + (1/γ) ln(1 + γ/κ)

in ticks, q in units of the quote size; σ is the realised volatility in ticks per √s, κ the decay of fill intensity per
tick. With gamma = 0 it quotes `away_ticks` behind the touch, leaning by `skew_ticks` a unit of inventory.
"""

from typing import Any

from ...domain.codes import BUY, LIMIT_POST_ONLY, SELL, SYNCED
from ...domain.layout import LOT, TICK
from ...domain.reasons import BOOK_NOT_SYNCED, INVENTORY_FULL, NOT_SIZED, QUOTE_PLACED, WEIGHT_ZERO
from ...kernel.jit import compiled
from ...kernel.maths import log1p
from ..targets import because, note, nudged, want, wish

NAME = "market_maker"
PARAMETERS = {
    "quantity": 0.0,  # quantity units an order; 0: the size its capital share buys
    "away_ticks": 1.0,
    "layers": 1.0,
    "gap_ticks": 1.0,
    "skew_ticks": 0.0,
    "lean": 0.0,
    "max_inventory": 10.0,  # in orders, the layers that could still fill included
    "gamma": 0.0,
    "kappa": 1.5,
    "horizon_s": 60.0,
}
QUANTITY, AWAY, LAYERS, GAP, SKEW, LEAN, MAX_INVENTORY, GAMMA, KAPPA, HORIZON = range(10)


@compiled
def reservation(mid: float, units: float, gamma: float, variance: float, horizon: float) -> float:
    """Avellaneda–Stoikov's indifference price, in the unit of mid."""
    return mid - units * gamma * variance * horizon


@compiled
def half_spread(gamma: float, variance: float, horizon: float, kappa: float) -> float:
    """Avellaneda–Stoikov's optimal half spread, in the unit of 1/kappa."""
    return 0.5 * gamma * variance * horizon + log1p(gamma / kappa) / gamma


@compiled
def on_timer(s: Any, k: int, i: int) -> None:
    top = s.top[i]
    p = s.parameter[k]
    if top.good == 0 or top.condition != SYNCED:
        note(s, k, i, BOOK_NOT_SYNCED, float(top.condition), 0.0)
        withdraw(s, k, i, int(p[LAYERS]))
        return
    tick = s.fact.rule[i, TICK]
    lot = s.fact.rule[i, LOT]
    quantity = int(p[QUANTITY])
    if quantity == 0:
        quantity = s.size_of[k, i].quantity // lot * lot
    if quantity <= 0 or s.share[k].weight == 0:
        if quantity <= 0:
            note(s, k, i, NOT_SIZED, float(s.size_of[k, i].quantity), float(lot))
        else:
            note(s, k, i, WEIGHT_ZERO, 0.0, 0.0)
        withdraw(s, k, i, int(p[LAYERS]))
        return
    units = float(s.fact.position[k, i].quantity) / float(quantity)
    quote_layers(s, k, i, tick, quantity, units)
    want(s, k, i)


@compiled
def quote_layers(s: Any, k: int, i: int, tick: int, quantity: int, units: float) -> None:
    """Targets of every layer on both sides."""
    top = s.top[i]
    p = s.parameter[k]
    shift = p[LEAN] * s.signal[i].score - p[SKEW] * units
    if p[GAMMA] > 0.0:
        mid = 0.5 * float(top.bid + top.ask) / float(tick)
        variance = s.flow[i].variance_ticks
        centre = reservation(mid, units, p[GAMMA], variance, p[HORIZON]) + p[LEAN] * s.signal[i].score
        away = half_spread(p[GAMMA], variance, p[HORIZON], p[KAPPA])
        bid = int(centre - away) * tick
        ask = (int(centre + away) + 1) * tick
    else:
        bid = top.bid + (int(shift) - int(p[AWAY])) * tick
        ask = top.ask + (int(shift) + int(p[AWAY])) * tick
    bid = min(int(nudged(s, QUOTE_PLACED, k, i, float(bid))), top.ask - tick)
    ask = max(int(nudged(s, QUOTE_PLACED, k, i, float(ask))), top.bid + tick)
    full = p[MAX_INVENTORY]
    if units >= full or units <= -full:
        note(s, k, i, INVENTORY_FULL, units, full)
    for layer in range(int(p[LAYERS])):
        step = int(p[GAP]) * layer * tick
        wish(s.target[k, i, BUY, layer], bid - step, quantity if units + float(layer) < full else 0, LIMIT_POST_ONLY)
        because(s.target[k, i, BUY, layer], QUOTE_PLACED, float(bid - step), float(top.bid))
        wish(s.target[k, i, SELL, layer], ask + step, quantity if units - float(layer) > -full else 0, LIMIT_POST_ONLY)
        because(s.target[k, i, SELL, layer], QUOTE_PLACED, float(ask + step), float(top.ask))


@compiled
def withdraw(s: Any, k: int, i: int, layers: int) -> None:
    for layer in range(layers):
        wish(s.target[k, i, BUY, layer], 0, 0, LIMIT_POST_ONLY)
        wish(s.target[k, i, SELL, layer], 0, 0, LIMIT_POST_ONLY)
    want(s, k, i)
