"""Cross-venue arbitrage of one asset, with leg risk.

When one venue's bid exceeds another's ask, both in the reporting currency, by more than both taker fees and `margin_bp`,
two immediate orders go out at once. Legs are not atomic: when all orders of a pair have ended and the net position is
not what it was, the rest is hedged by rule: an immediate order at the venue where it costs least, no matter the loss,
within `hedge_slip_bp`. A hedge that fails is tried again after the cooldown; what is below every venue's minimum stays as
dust and goes with the next pair. Each pair that needed a hedge doubles the pause before the next one, a clean pair ends
that. The report prices the hedges (cause LEG_HEDGED, see monitor.hedges).
"""

from typing import Any

from ...domain.codes import BUY, CAUTIOUS, GRADE_B, LIMIT_IOC, REDUCE_ONLY, SELL, SPOT, SYNCED
from ...domain.layout import (
    ACCESS,
    BARS_ONLY,
    BASE,
    BASE_NUM,
    CASH,
    COST_DEN,
    COST_NUM,
    LOT,
    MAX_AGE_NS,
    MIN_NOTIONAL,
    MIN_QUANTITY,
    PAYOFF,
    QUOTE_ASSET,
    TAKER_FEE_E7,
    TRACKS_BALANCE,
    TRADING_STATUS,
    VENUE,
)
from ...domain.reasons import (
    ACCESS_LOST,
    BOOK_NOT_SYNCED,
    EDGE_OVER_COST,
    EDGE_TOO_SMALL,
    LEG_HEDGED,
    LEGS_IN_FLIGHT,
    NO_REFERENCE,
    NOT_TRADING,
    ONE_VENUE_ONLY,
    QUANTITY_TOO_SMALL,
)
from ...kernel import rungs
from ...kernel.jit import called, compiled
from ..selector import part
from ..targets import because, marketable, note, nudged, want, wish

NAME = "arbitrage"
PARAMETERS = {"margin_bp": 1.0, "hedge_slip_bp": 30.0, "cooldown_ms": 500.0, "quantity": 0.0}
MARGIN, HEDGE_SLIP, COOLDOWN, QUANTITY = range(4)
# One record an asset, that of its group's first instrument. owed: net amount the last hedge was to close, in money units of
# the base; setbacks: pairs in a row that needed a hedge.
MEMORY = [("last_ns", "i8"), ("hedges", "i8"), ("hedged_ns", "i8"), ("owed", "i8"), ("setbacks", "i8")]
MOST_SETBACKS = 8
PLENTY = 1 << 60


@compiled
def on_touch(s: Any, k: int, i: int) -> None:
    if s.fact.right[k, i] == 0:
        return
    g = s.group[s.fact.rule[i, BASE]]
    if s.arbitrage[k, g.member[0]].owed != 0:
        settle_up(s, k, i, g)
    elif g.n_members < 2 or g.voters < 2:
        note(s, k, i, ONE_VENUE_ONLY, float(g.voters), 2.0)
    elif g.grade < GRADE_B:
        note(s, k, i, NO_REFERENCE, float(g.grade), float(GRADE_B))
    elif not usable(s, k, i):
        shut(s, k, i)
    else:
        search(s, k, i, g)


@compiled
def usable(s: Any, k: int, j: int) -> bool:
    """Whether a leg at instrument j could pass the review at all: right, a believed and fresh touch, a rate, a venue."""
    top = s.top[j]
    return (
        s.fact.right[k, j] != 0
        and top.good != 0
        and top.condition == SYNCED
        and top.bid > 0
        and top.ask > 0
        and s.clock.now - top.ts <= s.fact.limit[0, MAX_AGE_NS]
        and s.group[s.fact.rule[j, QUOTE_ASSET]].reference > 0.0
        and rungs.takes_at_once(s, j, REDUCE_ONLY)
    )


@called
def search(s: Any, k: int, i: int, g: Any) -> None:
    """Instrument i against every other member of its group, both ways. No pair begins where one leg alone would pass the review."""
    if not rungs.takes_at_once(s, i, CAUTIOUS):
        shut(s, k, i)
        return
    best = -1e18
    other = -1
    buy_here = 1
    ask = cost_in(s, i, s.top[i].ask, 1.0)
    bid = cost_in(s, i, s.top[i].bid, -1.0)
    for m in range(g.n_members):
        j = g.member[m]
        if j == i or not usable(s, k, j) or not rungs.takes_at_once(s, j, CAUTIOUS):
            continue
        if s.fact.rule[i, BARS_ONLY] != 0 and s.top[j].ts_venue != s.top[i].ts_venue:
            continue  # closes of different minutes are no two prices of one moment
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
    if other < 0:
        return
    best = nudged(s, EDGE_OVER_COST, k, i, best)
    margin = s.parameter[k][MARGIN]
    if best <= margin:
        note(s, k, i, EDGE_TOO_SMALL, best, margin)
    elif pausing(s, k, g) or any_in_flight(s, k, g):
        note(s, k, i, LEGS_IN_FLIGHT, best, margin)
    elif buy_here:
        strike(s, k, i, other, best, margin)
    else:
        strike(s, k, other, i, best, margin)


@called
def shut(s: Any, k: int, i: int) -> None:
    """Notes why no pair begins at instrument i, whatever the edge."""
    access = s.fact.rule[i, ACCESS]
    if rungs.takes_at_once(s, i, CAUTIOUS):
        note(s, k, i, BOOK_NOT_SYNCED, float(s.top[i].condition), 0.0)
    elif access > CAUTIOUS:
        note(s, k, i, ACCESS_LOST, float(access), float(CAUTIOUS))
    else:
        note(s, k, i, NOT_TRADING, float(s.fact.rule[i, TRADING_STATUS]), 0.0)


@compiled
def pausing(s: Any, k: int, g: Any) -> bool:
    """Whether the last pair is too recent; every setback in a row doubles the pause."""
    m = s.arbitrage[k, g.member[0]]
    pause = int(s.parameter[k][COOLDOWN] * 1e6) << min(m.setbacks, MOST_SETBACKS)
    return bool(m.last_ns != 0 and s.clock.now < max(m.last_ns, m.hedged_ns) + pause)


@compiled
def any_in_flight(s: Any, k: int, g: Any) -> bool:
    """Whether any order of the strategy on the asset is still live."""
    n_open = 0
    for m in range(g.n_members):
        n_open += s.fact.position[k, g.member[m]].n_open
    return bool(n_open > 0)


@compiled
def cost_in(s: Any, i: int, price: int, sign: float) -> float:
    """One whole base unit at `price` in the reporting currency, the taker fee added (sign 1) or taken off (-1)."""
    rule = s.fact.rule[i]
    return float(price) * s.top[i].scale * s.group[rule[QUOTE_ASSET]].reference * (1.0 + sign * 1e-7 * float(rule[TAKER_FEE_E7]))


@compiled
def strike(s: Any, k: int, buy_at: int, sell_at: int, edge: float, margin: float) -> None:
    """Both legs at once, of equal base amount, no larger than what stands at either touch, is wished, held and payable."""
    a = s.fact.rule[buy_at]
    b = s.fact.rule[sell_at]
    amount = min(s.top[buy_at].ask_quantity * a[BASE_NUM], s.top[sell_at].bid_quantity * b[BASE_NUM])
    amount = min(amount, part(s.share[k].weight, wished_amount(s, k, buy_at)))
    amount = min(amount, sellable(s, sell_at))
    amount = min(amount, payable(s, buy_at, s.top[buy_at].ask))
    amount = amount // common_lot(a[LOT] * a[BASE_NUM], b[LOT] * b[BASE_NUM])
    amount = amount * common_lot(a[LOT] * a[BASE_NUM], b[LOT] * b[BASE_NUM])
    buys = amount // a[BASE_NUM]
    sells = amount // b[BASE_NUM]
    if amount <= 0 or not enough(s, buy_at, s.top[buy_at].ask, buys) or not enough(s, sell_at, s.top[sell_at].bid, sells):
        note(s, k, buy_at, QUANTITY_TOO_SMALL, float(buys), float(a[MIN_QUANTITY]))
        return
    wish(s.target[k, buy_at, BUY, 0], s.top[buy_at].ask, buys, LIMIT_IOC)
    because(s.target[k, buy_at, BUY, 0], EDGE_OVER_COST, edge, margin)
    wish(s.target[k, sell_at, SELL, 0], s.top[sell_at].bid, sells, LIMIT_IOC)
    because(s.target[k, sell_at, SELL, 0], EDGE_OVER_COST, edge, margin)
    s.arbitrage[k, s.group[a[BASE]].member[0]].last_ns = s.clock.now
    want(s, k, buy_at)
    want(s, k, sell_at)


@compiled
def common_lot(a: int, b: int) -> int:
    """The least common multiple of two lots, in money units of the base."""
    x = a
    y = b
    while y != 0:
        rest = x % y
        x = y
        y = rest
    return a // x * b


@compiled
def enough(s: Any, j: int, price: int, quantity: int) -> bool:
    """Whether the venue takes an order that small."""
    rule = s.fact.rule[j]
    cost = float(price) * float(quantity) * float(rule[COST_NUM]) / float(rule[COST_DEN])
    return bool(quantity > 0 and quantity >= rule[MIN_QUANTITY] and cost >= float(rule[MIN_NOTIONAL]))


@compiled
def wished_amount(s: Any, k: int, i: int) -> int:
    """The base amount one leg may have, in money units."""
    quantity = int(s.parameter[k][QUANTITY])
    if quantity == 0:
        quantity = s.size_of[k, i].quantity
    return quantity * s.fact.rule[i, BASE_NUM]


@compiled
def sellable(s: Any, j: int) -> int:
    """The base amount that may be sold at instrument j's venue: what is free there, where balances are tracked."""
    rule = s.fact.rule[j]
    if rule[PAYOFF] != SPOT or s.fact.limit[0, TRACKS_BALANCE] == 0:
        return PLENTY
    return s.fact.ledger[CASH, rule[VENUE], rule[BASE]] - s.fact.reserved[rule[VENUE], rule[BASE]]


@compiled
def payable(s: Any, j: int, price: int) -> int:
    """The base amount the free quote balance pays for at `price`, all open fees included, where balances are tracked."""
    rule = s.fact.rule[j]
    if rule[PAYOFF] != SPOT or s.fact.limit[0, TRACKS_BALANCE] == 0:
        return PLENTY
    fees = 1.0 + 1e-7 * float(max(rule[TAKER_FEE_E7], 0))
    cash = float(s.fact.ledger[CASH, rule[VENUE], rule[QUOTE_ASSET]])
    free = cash - float(s.fact.reserved[rule[VENUE], rule[QUOTE_ASSET]]) * fees
    one = float(price) * float(rule[COST_NUM]) / float(rule[COST_DEN]) * fees
    if free <= 0.0 or one <= 0.0:
        return 0
    return int(min(free / one * 0.9999 * float(rule[BASE_NUM]), float(PLENTY)))


# Leg risk ----------------------------------------------------------------------------------------------------------------


@compiled
def on_end(s: Any, k: int, i: int) -> None:
    """After word of one of its orders: once all have ended, hedge what the pair left open; no headway waits a cooldown."""
    g = s.group[s.fact.rule[i, BASE]]
    if any_in_flight(s, k, g):
        return
    m = s.arbitrage[k, g.member[0]]
    net = int(nudged(s, LEG_HEDGED, k, i, float(open_amount(s, k, g))))
    if net == 0:
        if m.owed == 0:
            m.setbacks = 0
        m.owed = 0
    elif net != m.owed:
        hedge(s, k, i, net, g)


@called
def settle_up(s: Any, k: int, i: int, g: Any) -> None:
    """A hedge that could not be sent, or did not fill, is tried again after the cooldown."""
    m = s.arbitrage[k, g.member[0]]
    note(s, k, i, LEGS_IN_FLIGHT, float(m.owed) * 1e-8, 0.0)
    if s.clock.now < m.hedged_ns + int(s.parameter[k][COOLDOWN] * 1e6) or any_in_flight(s, k, g):
        return
    net = int(nudged(s, LEG_HEDGED, k, i, float(open_amount(s, k, g))))
    if net == 0:
        m.owed = 0
    else:
        hedge(s, k, i, net, g)


@compiled
def open_amount(s: Any, k: int, g: Any) -> int:
    """What the strategy holds of the asset over all venues, in money units of the base; it began with none."""
    net = 0
    for n in range(g.n_members):
        j = g.member[n]
        net += s.fact.position[k, j].quantity * s.fact.rule[j, BASE_NUM]
    return net


@called
def hedge(s: Any, k: int, i: int, net: int, g: Any) -> None:
    """One immediate order against the open amount `net` where it costs least; what no venue would take is dust."""
    side = SELL if net > 0 else BUY
    slip = s.parameter[k][HEDGE_SLIP] * 1e-4
    m = s.arbitrage[k, g.member[0]]
    went_on = m.owed != 0
    m.owed = 0
    m.hedged_ns = s.clock.now
    best = -1
    price = 0.0
    for n in range(g.n_members):
        j = g.member[n]
        if not enough(s, j, int(s.top[j].mid), lots_of(s, j, abs(net))):
            continue
        m.owed = net
        if not usable(s, k, j) or not may_hedge(s, k, j, side, net):
            continue
        if not enough(s, j, int(s.top[j].mid), hedge_size(s, j, side, net, slip)):
            continue
        p = cost_in(s, j, s.top[j].ask, 1.0) if side == BUY else -cost_in(s, j, s.top[j].bid, -1.0)
        if best < 0 or p < price:
            best = j
            price = p
    if not went_on:
        m.setbacks = m.setbacks + 1 if m.owed != 0 else 0
    if best < 0:
        return
    wish(s.target[k, best, side, 0], marketable(s, best, side, slip), hedge_size(s, best, side, net, slip), LIMIT_IOC)
    because(
        s.target[k, best, side, 0],
        LEG_HEDGED,
        float(net) * 1e-8,
        float(s.fact.rule[best, LOT] * s.fact.rule[best, BASE_NUM]) * 1e-8,
    )
    m.hedges += 1
    want(s, k, best)


@compiled
def may_hedge(s: Any, k: int, j: int, side: int, net: int) -> bool:
    """Where only reducing is allowed, a hedge must reduce the position at its own venue."""
    if max(s.fact.ladder.rung, rungs.left(s, j)) < REDUCE_ONLY:
        return True
    held = s.fact.position[k, j].quantity * s.fact.rule[j, BASE_NUM]
    return bool(held <= net if side == BUY else held >= net)


@compiled
def hedge_size(s: Any, j: int, side: int, net: int, slip: float) -> int:
    """How much of `net` instrument j can take now, in its quantity units."""
    can = payable(s, j, marketable(s, j, side, slip)) if side == BUY else sellable(s, j)
    return lots_of(s, j, min(abs(net), max(can, 0)))


@compiled
def lots_of(s: Any, j: int, amount: int) -> int:
    """The quantity of whole lots in a base amount."""
    rule = s.fact.rule[j]
    return amount // rule[BASE_NUM] // rule[LOT] * rule[LOT]
