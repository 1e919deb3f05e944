"""The review before every order. It returns 0 or the reason code of the first check that refused; nobody can bypass it.

Worst case throughout: every open order, UNKNOWN ones included, counts as filled. An order that only reduces the
book-wide position passes the exposure limits, never the hygiene ones.
"""

from typing import Any

from ..domain.codes import BUY, CANCEL_ONLY, CAUTIOUS, GRADE_A, GRADE_B, GRADE_NONE, REDUCE_ONLY, SPOT, SYNCED
from ..domain.layout import (
    BASE,
    BASE_NUM,
    CASH,
    COLLAR_A_BP,
    COLLAR_B_BP,
    COLLAR_C_BP,
    COST_DEN,
    COST_NUM,
    LOT,
    MAX_AGE_NS,
    MAX_GROSS,
    MAX_NET,
    MAX_NOTIONAL,
    MAX_OPEN,
    MAX_POSITION,
    MIN_GRADE,
    MIN_NOTIONAL,
    MIN_QUANTITY,
    PAYOFF,
    QUOTE_ASSET,
    TAKER_FEE_E7,
    TICK,
    TRACKS_BALANCE,
    VENUE,
)
from ..domain.reasons import (
    BALANCE_TOO_SMALL,
    BOOK_UNTRUSTED,
    DATA_TOO_OLD,
    GROSS_LIMIT,
    HALTED_BY_LADDER,
    NET_LIMIT,
    NO_GRADE,
    NO_RATE,
    NO_RIGHT,
    NOTIONAL_TOO_LARGE,
    NOTIONAL_TOO_SMALL,
    POSITION_LIMIT,
    PRICE_OFF_TICK,
    PRICE_OUTSIDE_COLLAR,
    QUANTITY_OFF_LOT,
    QUANTITY_TOO_SMALL,
    RANGE_EXCEEDED,
    SELF_CROSS,
    TOO_MANY_OPEN,
)
from ..kernel.jit import compiled
from . import limits

MONEY = 1e-8


@compiled
def review(s: Any, k: int, i: int, side: int, price: int, quantity: int) -> int:
    """0 where strategy k may send this order now, else why not; the numbers are in s.noted[k, i]."""
    reason = permitted(s, k, i)
    if reason == 0:
        reason = well_formed(s, k, i, price, quantity)
    if reason == 0:
        reason = collared(s, k, i, side, price)
    if reason == 0:
        reason = affordable(s, k, i, side, price, quantity)
    if reason == 0:
        reason = exposure(s, k, i, side, price, quantity)
    if reason == 0:
        reason = own_side(s, k, i, side, price)
    if reason == 0:
        reason = limits.spend(s, k, i)
    return reason


@compiled
def permitted(s: Any, k: int, i: int) -> int:
    """Right, ladder, book, age of the data."""
    if s.fact.right[k, i] == 0:
        return limits.note(s, k, i, NO_RIGHT, 0.0, 0.0)
    rung = s.fact.ladder.rung
    if rung >= CANCEL_ONLY:
        return limits.note(s, k, i, HALTED_BY_LADDER, float(rung), 0.0)
    top = s.top[i]
    if top.condition != SYNCED or top.good == 0:
        return limits.note(s, k, i, BOOK_UNTRUSTED, float(top.condition), 0.0)
    oldest = s.fact.limit[0, MAX_AGE_NS]
    if s.clock.now - top.ts > oldest:
        return limits.note(s, k, i, DATA_TOO_OLD, float(s.clock.now - top.ts) * 1e-9, float(oldest) * 1e-9)
    return 0


@compiled
def well_formed(s: Any, k: int, i: int, price: int, quantity: int) -> int:
    """Tick, lot, minima: what the venue would refuse anyway, refused here with its numbers."""
    rule = s.fact.rule[i]
    if price <= 0 or price % rule[TICK] != 0:
        return limits.note(s, k, i, PRICE_OFF_TICK, float(price), float(rule[TICK]))
    if quantity <= 0 or quantity < rule[MIN_QUANTITY]:
        return limits.note(s, k, i, QUANTITY_TOO_SMALL, float(quantity), float(rule[MIN_QUANTITY]))
    if quantity % rule[LOT] != 0:
        return limits.note(s, k, i, QUANTITY_OFF_LOT, float(quantity), float(rule[LOT]))
    if price >= (1 << 62) // quantity:
        return limits.note(s, k, i, RANGE_EXCEEDED, float(price), float(quantity))
    cost = notional(s, i, price, quantity)
    if cost < float(rule[MIN_NOTIONAL]) * MONEY:
        return limits.note(s, k, i, NOTIONAL_TOO_SMALL, cost, float(rule[MIN_NOTIONAL]) * MONEY)
    return 0


@compiled
def notional(s: Any, i: int, price: int, quantity: int) -> float:
    """Whole units of the quote asset."""
    rule = s.fact.rule[i]
    return float(price * quantity) * float(rule[COST_NUM]) / float(rule[COST_DEN]) * MONEY


@compiled
def collared(s: Any, k: int, i: int, side: int, price: int) -> int:
    """The price stays near the reference; how near depends on how many sources agree on it."""
    rule = s.fact.rule[i]
    g = s.group[rule[BASE]]
    rate = s.group[rule[QUOTE_ASSET]].reference
    if rate <= 0.0:
        return limits.note(s, k, i, NO_RATE, 0.0, 0.0)
    needed = s.fact.limit[0, MIN_GRADE]
    if g.grade == GRADE_NONE or g.grade < needed:
        if not reduces(s, i, side):
            return limits.note(s, k, i, NO_GRADE, float(g.grade), float(max(needed, 1)))
    collar = float(rule[COLLAR_A_BP] if g.grade == GRADE_A else rule[COLLAR_B_BP] if g.grade == GRADE_B else rule[COLLAR_C_BP])
    off = (float(price) * s.top[i].scale * rate - g.reference) / g.reference * 1e4
    if (off > collar and side == BUY) or (off < -collar and side != BUY):
        return limits.note(s, k, i, PRICE_OUTSIDE_COLLAR, off, collar)
    return 0


@compiled
def reduces(s: Any, i: int, side: int) -> bool:
    """Whether an order of this side can only make the book-wide position smaller."""
    net = 0
    for k in range(s.clock.n_strategies):
        p = s.fact.position[k, i]
        net += p.quantity + p.open_buy if side == BUY else p.quantity - p.open_sell
    return net < 0 if side == BUY else net > 0


@compiled
def affordable(s: Any, k: int, i: int, side: int, price: int, quantity: int) -> int:
    """Spot orders need free balance at their venue, everything open already deducted."""
    rule = s.fact.rule[i]
    if rule[PAYOFF] != SPOT or s.fact.limit[0, TRACKS_BALANCE] == 0:
        return 0
    venue = rule[VENUE]
    asset = rule[QUOTE_ASSET] if side == BUY else rule[BASE]
    free = float(s.fact.ledger[CASH, venue, asset] - s.fact.reserved[venue, asset]) * MONEY
    if side == BUY:
        needs = notional(s, i, price, quantity) * (1.0 + 1e-7 * float(max(rule[TAKER_FEE_E7], 0)))
    else:
        needs = float(quantity * rule[BASE_NUM]) * MONEY
    if needs > free:
        return limits.note(s, k, i, BALANCE_TOO_SMALL, needs, free)
    return 0


@compiled
def exposure(s: Any, k: int, i: int, side: int, price: int, quantity: int) -> int:
    """Order size, position, gross and net in the reporting currency, for the book and for the strategy."""
    rate = s.group[s.fact.rule[i, QUOTE_ASSET]].reference
    adds = notional(s, i, price, quantity) * rate
    rung = s.fact.ladder.rung
    if reduces(s, i, side):
        return 0
    if rung >= REDUCE_ONLY:
        return limits.note(s, k, i, HALTED_BY_LADDER, float(rung), 0.0)
    share = 0.5 if rung == CAUTIOUS else 1.0
    for scope in (0, k + 1):
        limit = s.fact.limit[scope]
        if adds > share * float(limit[MAX_NOTIONAL]) * MONEY:
            return limits.note(s, k, i, NOTIONAL_TOO_LARGE, adds, share * float(limit[MAX_NOTIONAL]) * MONEY)
        after = limits.position_worth(s, scope, i, side, price, quantity) * rate
        if after > share * float(limit[MAX_POSITION]) * MONEY:
            return limits.note(s, k, i, POSITION_LIMIT, after, share * float(limit[MAX_POSITION]) * MONEY)
    limit = s.fact.limit[0]
    if s.budget.gross + adds > share * float(limit[MAX_GROSS]) * MONEY:
        return limits.note(s, k, i, GROSS_LIMIT, s.budget.gross + adds, share * float(limit[MAX_GROSS]) * MONEY)
    after = abs(s.budget.net + (adds if side == BUY else -adds))
    if after > share * float(limit[MAX_NET]) * MONEY and after > abs(s.budget.net):
        return limits.note(s, k, i, NET_LIMIT, after, share * float(limit[MAX_NET]) * MONEY)
    if s.fact.ids.n_open >= limit[MAX_OPEN]:
        return limits.note(s, k, i, TOO_MANY_OPEN, float(s.fact.ids.n_open), float(limit[MAX_OPEN]))
    return 0


@compiled
def own_side(s: Any, k: int, i: int, side: int, price: int) -> int:
    """No order may meet one of our own: the other side's working orders of every strategy are looked at."""
    other = 1 - side
    for j in range(s.clock.n_strategies):
        p = s.fact.position[j, i]
        if (p.open_sell if side == BUY else p.open_buy) == 0:
            continue
        for layer in range(s.fact.working[j, i, other].size):
            order_id = s.fact.working[j, i, other, layer]
            if order_id == 0:
                continue
            o = s.fact.order[order_id & (s.fact.order.size - 1)]
            if (side == BUY and price >= o.price) or (side != BUY and price <= o.price):
                return limits.note(s, k, i, SELF_CROSS, float(price), float(o.price))
    return 0
