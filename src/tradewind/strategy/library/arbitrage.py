"""Cross-venue arbitrage of one asset, with leg risk.

When one venue's bid exceeds another's ask, both in the reporting currency, by more than both taker fees and `margin_bp`,
two immediate orders go out at once. Legs are not atomic: when all orders of a pair have ended and the net position is
not what it was, the rest is hedged by rule: an immediate order at the venue with the better price, no matter the loss,
within `hedge_slip_bp`. The report prices those hedges (cause LEG_HEDGED).
"""

from typing import Any

from ...domain.codes import BUY, GRADE_B, LIMIT_IOC, SELL
from ...domain.layout import BASE, BASE_NUM, CASH, COST_DEN, COST_NUM, LOT, QUOTE_ASSET, TAKER_FEE_E7, TICK, VENUE
from ...domain.reasons import EDGE_OVER_COST, EDGE_TOO_SMALL, LEG_HEDGED, LEGS_IN_FLIGHT, NO_REFERENCE, ONE_VENUE_ONLY
from ...kernel.jit import called, compiled
from ..targets import because, in_flight, note, nudged, want, wish

NAME = "arbitrage"
PARAMETERS = {"margin_bp": 1.0, "hedge_slip_bp": 30.0, "cooldown_ms": 500.0, "quantity": 0.0}
MARGIN, HEDGE_SLIP, COOLDOWN, QUANTITY = range(4)
MEMORY = [("home", "i8"), ("last_ns", "i8"), ("hedges", "i8"), ("hedged_ns", "i8")]


@compiled
def on_touch(s: Any, k: int, i: int) -> None:
    g = s.group[s.fact.rule[i, BASE]]
    if s.fact.right[k, i] == 0:
        return
    if g.n_members < 2 or g.voters < 2:
        note(s, k, i, ONE_VENUE_ONLY, float(g.voters), 2.0)
        return
    if g.grade < GRADE_B:
        note(s, k, i, NO_REFERENCE, float(g.grade), float(GRADE_B))
        return
    search(s, k, i, g)


@called
def search(s: Any, k: int, i: int, g: Any) -> None:
    """Instrument i against every other member of its group, both ways."""
    best = -1e18
    other = -1
    buy_here = 1
    ask = cost_in(s, i, s.top[i].ask, 1.0)
    bid = cost_in(s, i, s.top[i].bid, -1.0)
    for m in range(g.n_members):
        j = g.member[m]
        if j == i or s.fact.right[k, j] == 0 or s.top[j].good == 0 or s.top[j].bid <= 0:
            continue
        here = (cost_in(s, j, s.top[j].bid, -1.0) / ask - 1.0) * 1e4
        there = (bid / cost_in(s, j, s.top[j].ask, 1.0) - 1.0) * 1e4
        if here > best:
            best = here
            other = j
            buy_here = 1
        if there > best:
            best = there
            other = j
            buy_here = 0
    if other < 0 or ask <= 0.0:
        return
    best = nudged(s, EDGE_OVER_COST, k, i, best)
    margin = s.parameter[k][MARGIN]
    if best <= margin:
        note(s, k, i, EDGE_TOO_SMALL, best, margin)
    elif (
        in_flight(s, k, i)
        or in_flight(s, k, other)
        or s.clock.now < s.arbitrage[k, s.fact.rule[i, BASE]].last_ns + int(s.parameter[k][COOLDOWN] * 1e6)
    ):
        note(s, k, i, LEGS_IN_FLIGHT, best, margin)
    elif buy_here:
        strike(s, k, i, other, best, margin)
    else:
        strike(s, k, other, i, best, margin)


@compiled
def cost_in(s: Any, i: int, price: int, sign: float) -> float:
    """One whole base unit at `price` in the reporting currency, the taker fee added (sign 1) or taken off (-1)."""
    rule = s.fact.rule[i]
    return float(price) * s.top[i].scale * s.group[rule[QUOTE_ASSET]].reference * (1.0 + sign * 1e-7 * float(rule[TAKER_FEE_E7]))


@compiled
def strike(s: Any, k: int, buy_at: int, sell_at: int, edge: float, margin: float) -> None:
    """Both legs at once, of equal base amount, no larger than what stands at either touch and what is held."""
    a = s.fact.rule[buy_at]
    b = s.fact.rule[sell_at]
    amount = min(s.top[buy_at].ask_quantity * a[BASE_NUM], s.top[sell_at].bid_quantity * b[BASE_NUM])
    amount = min(amount, wished_amount(s, k, buy_at))
    amount = min(amount, s.fact.ledger[CASH, b[VENUE], b[BASE]] - s.fact.reserved[b[VENUE], b[BASE]])
    amount = min(amount, payable(s, buy_at))
    step = max(a[LOT] * a[BASE_NUM], b[LOT] * b[BASE_NUM])
    amount = amount // step * step
    if amount <= 0:
        note(s, k, buy_at, EDGE_TOO_SMALL, edge, margin)
        return
    wish(s, k, buy_at, BUY, 0, s.top[buy_at].ask, amount // a[BASE_NUM], LIMIT_IOC)
    because(s, k, buy_at, BUY, 0, EDGE_OVER_COST, edge, margin)
    wish(s, k, sell_at, SELL, 0, s.top[sell_at].bid, amount // b[BASE_NUM], LIMIT_IOC)
    because(s, k, sell_at, SELL, 0, EDGE_OVER_COST, edge, margin)
    s.arbitrage[k, a[BASE]].last_ns = s.clock.now
    want(s, k, buy_at)
    want(s, k, sell_at)


@compiled
def wished_amount(s: Any, k: int, i: int) -> int:
    """The base amount one leg may have, in money units."""
    quantity = int(s.parameter[k][QUANTITY])
    if quantity == 0:
        quantity = s.size_of[k, i].quantity
    return quantity * s.fact.rule[i, BASE_NUM]


@compiled
def payable(s: Any, i: int) -> int:
    """The base amount the free quote balance pays for at the ask, fee included, in money units."""
    rule = s.fact.rule[i]
    free = float(s.fact.ledger[CASH, rule[VENUE], rule[QUOTE_ASSET]] - s.fact.reserved[rule[VENUE], rule[QUOTE_ASSET]])
    one = float(s.top[i].ask) * float(rule[COST_NUM]) / float(rule[COST_DEN]) * (1.0 + 1e-7 * float(rule[TAKER_FEE_E7]))
    if free <= 0.0 or one <= 0.0:
        return 0
    return int(min(free / one, 4e9) * 0.999) * rule[BASE_NUM]


@compiled
def on_end(s: Any, k: int, i: int) -> None:
    """After the end of one of its orders: hedge what a pair left open."""
    base = s.fact.rule[i, BASE]
    g = s.group[base]
    net = 0
    for m in range(g.n_members):
        j = g.member[m]
        if in_flight(s, k, j):
            return
        net += s.fact.position[k, j].quantity * s.fact.rule[j, BASE_NUM]
    net = int(nudged(s, LEG_HEDGED, k, i, float(net)))
    if net != 0:
        hedge(s, k, i, net, g)


@called
def hedge(s: Any, k: int, i: int, net: int, g: Any) -> None:
    """One immediate order against the open amount `net` (money units of the base) where it costs least."""
    side = SELL if net > 0 else BUY
    best = -1
    price = 0.0
    for m in range(g.n_members):
        j = g.member[m]
        if s.top[j].good == 0 or s.fact.right[k, j] == 0 or abs(net) // s.fact.rule[j, BASE_NUM] < s.fact.rule[j, LOT]:
            continue
        p = cost_in(s, j, s.top[j].ask, 1.0) if side == BUY else -cost_in(s, j, s.top[j].bid, -1.0)
        if best < 0 or p < price:
            best = j
            price = p
    if best < 0:
        return
    rule = s.fact.rule[best]
    quantity = abs(net) // rule[BASE_NUM] // rule[LOT] * rule[LOT]
    slip = s.parameter[k][HEDGE_SLIP] * 1e-4
    top = s.top[best]
    if side == BUY:
        limit = int(float(top.ask) * (1.0 + slip)) // rule[TICK] * rule[TICK]
    else:
        limit = int(float(top.bid) * (1.0 - slip)) // rule[TICK] * rule[TICK] + rule[TICK]
    wish(s, k, best, side, 0, limit, quantity, LIMIT_IOC)
    because(s, k, best, side, 0, LEG_HEDGED, float(net), float(rule[LOT]))
    s.arbitrage[k, rule[BASE]].hedges += 1
    s.arbitrage[k, rule[BASE]].hedged_ns = s.clock.now
    want(s, k, best)
