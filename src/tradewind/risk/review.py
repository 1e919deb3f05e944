"""The review before every order. It returns 0 or the reason code of the first check that refused; nobody can bypass it.

Worst case throughout: every open order, UNKNOWN ones included, counts as filled. An order that can only make both its
strategy's and the book's position smaller passes the exposure limits, never the hygiene ones. The rate budget is asked
last: only an order that passed everything else is counted.
"""

from typing import Any

from ..domain.codes import (
    BUY,
    CANCEL_ONLY,
    CAUTIOUS,
    GRADE_A,
    GRADE_B,
    GRADE_NONE,
    LIMIT_POST_ONLY,
    REDUCE_ONLY,
    SPOT,
    STATUS_POST_ONLY,
    STATUS_REDUCE_ONLY,
    SYNCED,
    TRADING,
)
from ..domain.layout import (
    ACCESS,
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
    OFF_PAR,
    PAYOFF,
    QUOTE_ASSET,
    TAKER_FEE_E7,
    TICK,
    TRACKS_BALANCE,
    TRADING_STATUS,
    VENUE,
)
from ..domain.orders import FIRST_FINAL, FREE
from ..domain.reasons import (
    ACCESS_LOST,
    BALANCE_TOO_SMALL,
    BOOK_UNTRUSTED,
    DATA_TOO_OLD,
    GROSS_LIMIT,
    HALTED_BY_LADDER,
    NET_LIMIT,
    NO_GRADE,
    NO_RATE,
    NO_RIGHT,
    NOT_TRADING,
    NOTIONAL_TOO_LARGE,
    NOTIONAL_TOO_SMALL,
    OFF_PEG,
    POSITION_LIMIT,
    PRICE_OFF_TICK,
    PRICE_OUTSIDE_COLLAR,
    QUANTITY_OFF_LOT,
    QUANTITY_TOO_SMALL,
    RANGE_EXCEEDED,
    SELF_CROSS,
    TOO_MANY_OPEN,
)
from ..kernel import rungs
from ..kernel.jit import called, compiled
from . import limits

MONEY = 1e-8


@compiled
def review(s: Any, k: int, i: int, side: int, t: Any, quantity: int) -> int:
    """0 where strategy k may send an order for target t now, else why not; the numbers are in s.noted[k, i]."""
    price = t.price
    reason = permitted(s, k, i)
    if reason == 0:
        reason = well_formed(s, k, i, price, quantity)
    if reason != 0:
        return reason
    lessens = reduces(s, k, i, side, quantity)
    reason = taken(s, k, i, t.otype, lessens)
    if reason == 0:
        reason = collared(s, k, i, side, price, lessens)
    if reason == 0 and not lessens:
        reason = at_par(s, k, i)
    if reason == 0:
        reason = affordable(s, k, i, side, price, quantity)
    if reason == 0 and not lessens:
        reason = exposure(s, k, i, side, price, quantity)
    if reason == 0:
        reason = own_side(s, k, i, side, price)
    if reason == 0:
        reason = limits.spend(s, k, i)
    return reason


@compiled
def permitted(s: Any, k: int, i: int) -> int:
    """Right, the venue's own word, ladder, what the fabric grants, book, age of the data, number of open orders."""
    if s.fact.right[k, i] == 0:
        return limits.note(s, k, i, NO_RIGHT, 0.0, 0.0)
    status = s.fact.rule[i, TRADING_STATUS]
    if status != TRADING and rungs.by_word(status) >= CANCEL_ONLY:
        return limits.note(s, k, i, NOT_TRADING, float(status), 0.0)
    rung = s.fact.ladder.rung
    if rung >= CANCEL_ONLY:
        return limits.note(s, k, i, HALTED_BY_LADDER, float(rung), 0.0)
    access = s.fact.rule[i, ACCESS]
    if access >= CANCEL_ONLY:
        return limits.note(s, k, i, ACCESS_LOST, float(access), float(REDUCE_ONLY))
    top = s.top[i]
    if top.condition != SYNCED or top.good == 0:
        return limits.note(s, k, i, BOOK_UNTRUSTED, float(top.condition), 0.0)
    oldest = s.fact.limit[0, MAX_AGE_NS]
    if s.clock.now - top.ts > oldest:
        return limits.note(s, k, i, DATA_TOO_OLD, float(s.clock.now - top.ts) * 1e-9, float(oldest) * 1e-9)
    most = s.fact.limit[0, MAX_OPEN]
    if s.fact.ids.n_open >= most:
        return limits.note(s, k, i, TOO_MANY_OPEN, float(s.fact.ids.n_open), float(most))
    return 0


@compiled
def taken(s: Any, k: int, i: int, otype: int, lessens: bool) -> int:
    """Whether the venue's word for the instrument lets this kind of order in. Every order of ours names its limit price."""
    status = s.fact.rule[i, TRADING_STATUS]
    if (status == STATUS_REDUCE_ONLY and not lessens) or (status == STATUS_POST_ONLY and otype != LIMIT_POST_ONLY):
        return limits.note(s, k, i, NOT_TRADING, float(status), 0.0)
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
def reduces(s: Any, k: int, i: int, side: int, quantity: int) -> bool:
    """Whether the order, filled whole behind all open ones of its side, leaves both positions short of a turn through zero."""
    if side == BUY:
        return limits.worst(s, 0, i, side) + quantity <= 0 and limits.worst(s, k + 1, i, side) + quantity <= 0
    return limits.worst(s, 0, i, side) - quantity >= 0 and limits.worst(s, k + 1, i, side) - quantity >= 0


@compiled
def adds_risk(s: Any, o: Any) -> bool:
    """Whether a live order could do anything but make the position smaller: such orders go when only reducing is allowed."""
    held = s.fact.position[o.strategy, o.instrument].quantity
    book = limits.unclaimed(s, o.instrument)
    for k in range(s.clock.n_strategies):
        book += s.fact.position[k, o.instrument].quantity
    if o.side == BUY:
        return max(held, book) + o.open_left > 0
    return min(held, book) - o.open_left < 0


@called
def unfit(s: Any, o: Any) -> int:
    """Why a live order may not rest under the rules that hold now, its numbers noted; 0 where it may."""
    k = o.strategy
    i = o.instrument
    status = s.fact.rule[i, TRADING_STATUS]
    access = s.fact.rule[i, ACCESS]
    worst = rungs.left(s, i)
    if worst >= CANCEL_ONLY or (worst >= REDUCE_ONLY and adds_risk(s, o)):
        if access >= worst:
            return limits.note(s, k, i, ACCESS_LOST, float(access), float(worst - 1))
        return limits.note(s, k, i, NOT_TRADING, float(status), 0.0)
    return well_formed(s, k, i, o.price, o.quantity)


@compiled
def collared(s: Any, k: int, i: int, side: int, price: int, lessens: bool) -> int:
    """The price stays near the reference; how near depends on how many sources agree on it. Better prices are no danger."""
    rule = s.fact.rule[i]
    g = s.group[rule[BASE]]
    rate = s.group[rule[QUOTE_ASSET]].reference
    if rate <= 0.0:
        return limits.note(s, k, i, NO_RATE, 0.0, 0.0)
    needed = max(s.fact.limit[0, MIN_GRADE], GRADE_NONE + 1)
    grade = limits.grade_at(s, i)
    if g.reference <= 0.0 or (grade < needed and not lessens):
        return limits.note(s, k, i, NO_GRADE, float(grade), float(needed))
    collar = float(rule[COLLAR_A_BP] if grade == GRADE_A else rule[COLLAR_B_BP] if grade == GRADE_B else rule[COLLAR_C_BP])
    off = (float(price) * s.top[i].scale * rate - g.reference) / g.reference * 1e4
    if (off > collar and side == BUY) or (off < -collar and side != BUY):
        return limits.note(s, k, i, PRICE_OUTSIDE_COLLAR, off, collar)
    return 0


@compiled
def is_unpegged(s: Any, i: int) -> bool:
    """Whether a stablecoin that instrument i is, or is priced in, stands too far off its peg."""
    return bool(s.group[s.fact.rule[i, BASE]].off_par + s.group[s.fact.rule[i, QUOTE_ASSET]].off_par != 0)


@compiled
def at_par(s: Any, k: int, i: int) -> int:
    """What depends on a stablecoin that lost its peg may only be reduced, whatever the ladder says."""
    if s.pegs.n_off_par != 0 and is_unpegged(s, i):
        strain = max(s.group[s.fact.rule[i, BASE]].strain, s.group[s.fact.rule[i, QUOTE_ASSET]].strain)
        most = OFF_PAR
        return limits.note(s, k, i, OFF_PEG, strain, most)
    return 0


@compiled
def affordable(s: Any, k: int, i: int, side: int, price: int, quantity: int) -> int:
    """Spot orders need free balance at their venue, everything open already deducted, with the fees it may cost."""
    rule = s.fact.rule[i]
    if rule[PAYOFF] != SPOT or s.fact.limit[0, TRACKS_BALANCE] == 0:
        return 0
    venue = rule[VENUE]
    asset = rule[QUOTE_ASSET] if side == BUY else rule[BASE]
    free = float(s.fact.ledger[CASH, venue, asset]) * MONEY
    open_already = float(s.fact.reserved[venue, asset]) * MONEY
    if side == BUY:
        fee = 1e-7 * float(max(rule[TAKER_FEE_E7], 0))
        free -= open_already * (1.0 + fee)
        needs = notional(s, i, price, quantity) * (1.0 + fee)
    else:
        free -= open_already
        needs = float(quantity * rule[BASE_NUM]) * MONEY
    if needs > free:
        return limits.note(s, k, i, BALANCE_TOO_SMALL, needs, free)
    return 0


@compiled
def exposure(s: Any, k: int, i: int, side: int, price: int, quantity: int) -> int:
    """Order size, position, gross and net in the reporting currency, for the book and for the strategy.

    Everything counts at the order's price or the mid, whichever is higher: a bid far below must not hide what it would hold.
    Order and position on a source of less trust may be no more than the part its grade allows.
    """
    rung = s.fact.ladder.rung
    if rung >= REDUCE_ONLY:
        return limits.note(s, k, i, HALTED_BY_LADDER, float(rung), 0.0)
    access = s.fact.rule[i, ACCESS]
    if access >= REDUCE_ONLY:
        return limits.note(s, k, i, ACCESS_LOST, float(access), float(CAUTIOUS))
    unit = limits.unit_worth(s, i, max(float(price), s.top[i].mid))
    share = (0.5 if max(rung, access) == CAUTIOUS else 1.0) * MONEY
    own = share * limits.most_of_size(s, i)
    for scope in (0, k + 1):
        limit = s.fact.limit[scope]
        most = own * float(limit[MAX_NOTIONAL])
        if float(quantity) * unit > most:
            return limits.note(s, k, i, NOTIONAL_TOO_LARGE, float(quantity) * unit, most)
        sign = 1 if side == BUY else -1
        after = float(sign * limits.worst(s, scope, i, side) + quantity) * unit
        most = own * float(limit[MAX_POSITION])
        if after > most:
            return limits.note(s, k, i, POSITION_LIMIT, after, most)
        gross, high, low = limits.totals(s, scope, k, i, sign * quantity, unit)
        most = share * float(limit[MAX_GROSS])
        if gross > most:
            return limits.note(s, k, i, GROSS_LIMIT, gross, most)
        after = high if side == BUY else -low
        most = share * float(limit[MAX_NET])
        if after > most:
            return limits.note(s, k, i, NET_LIMIT, after, most)
    return 0


@compiled
def own_side(s: Any, k: int, i: int, side: int, price: int) -> int:
    """No order may meet one of our own: every live order of the other side, of every strategy, is looked at."""
    other = 1 - side
    unseen = 0
    for j in range(s.clock.n_strategies):
        p = s.fact.position[j, i]
        left = p.open_sell if side == BUY else p.open_buy
        if left == 0:
            continue
        unseen += left
        for layer in range(s.fact.working[j, i, other].size):
            order_id = s.fact.working[j, i, other, layer]
            if order_id == 0:
                continue
            o = s.fact.order[order_id & (s.fact.order.size - 1)]
            unseen -= o.open_left
            if meets(o, side, price):
                return limits.note(s, k, i, SELF_CROSS, float(price), float(o.price))
    if unseen > 0:
        return departing(s, k, i, side, price, unseen)
    return 0


@compiled
def meets(o: Any, side: int, price: int) -> bool:
    """Whether an order of `side` at `price` would trade with order o of the other side."""
    return bool(price >= o.price if side == BUY else price <= o.price)


@called
def departing(s: Any, k: int, i: int, side: int, price: int, unseen: int) -> int:
    """Orders that no longer stand on a layer but live: being cancelled, or unknown. Young ids first, until all are seen."""
    mask = s.fact.order.size - 1
    for back in range(s.fact.order.size):
        order_id = s.fact.ids.next_id - back
        o = s.fact.order[order_id & mask]
        if o.id != order_id or o.instrument != i or o.side == side or not FREE < o.status < FIRST_FINAL:
            continue
        if s.fact.working[o.strategy, i, o.side, o.layer] == order_id:
            continue
        if meets(o, side, price):
            return limits.note(s, k, i, SELF_CROSS, float(price), float(o.price))
        unseen -= o.open_left
        if unseen <= 0:
            return 0
    return 0
