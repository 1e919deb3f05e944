"""Matching: where our orders meet the recorded market.

The market does not react to us. A resting order is filled when the opposing best quote reaches through its price, and by
trades at its price once what stood ahead is gone; an aggressive one takes what the book shows, level by level.
"""

from typing import Any

from ..domain.codes import BUY, CHARGE, EXPIRED_BY_VENUE, FILL, LIMIT_IOC, LIMIT_POST_ONLY, NEVER, REPORT, SELL, TIMEFRAME_NS
from ..domain.reasons import FAULT_QUEUE_FULL
from ..kernel.jit import called, compiled
from . import fees, latency


@compiled
def tell(v: Any, o: Any, kind: int, price: int, quantity: int, code: int) -> Any:
    """One report on o, a request or a resting order, under way to us; in order behind the earlier ones of its desk."""
    desk = v.schedule[o.instrument].desk
    d = v.desk[desk]
    ring = v.told[desk]
    if d.tell_tail - d.tell_head >= ring.size:
        v.clock.fault = FAULT_QUEUE_FULL
    t = ring[d.tell_tail & (ring.size - 1)]
    t.due = latency.returns(d, v.clock.now)
    t.kind = kind
    t.id = o.id
    t.instrument = o.instrument
    t.side = o.side
    t.price = price
    t.quantity = quantity
    t.code = code
    d.tell_tail += 1
    v.clock.next_due = min(v.clock.next_due, t.due)
    return t


@called
def report(v: Any, r: Any, code: int, quantity: int) -> None:
    """A REPORT of resting order r."""
    tell(v, r, REPORT, 0, quantity, code)


@called
def fill(v: Any, r: Any, price: int, quantity: int, maker: int) -> None:
    """A FILL with its CHARGE; told as one."""
    c = v.schedule[r.instrument]
    v.clock.trade_id += 1
    paid = fees.cost_of(c, price, quantity)
    t = tell(v, r, FILL, price, quantity, CHARGE)
    t.trade = v.clock.trade_id
    t.paid = paid
    t.charge = fees.fee_on(c, paid, maker)
    t.maker = maker
    r.leaves -= quantity
    if r.leaves == 0:
        r.live = 0


@compiled
def span(v: Any, i: int, side: int) -> None:
    """Nearest and farthest own price, so that most rows are dismissed by a comparison."""
    lane = v.lane[i]
    low = NEVER
    high = -NEVER
    for j in range(lane.n_rest[side]):
        p = v.resting[lane.slot[side, j]].price
        low = min(low, p)
        high = max(high, p)
    lane.near[side] = high if side == BUY else low
    lane.far[side] = low if side == BUY else high


@compiled
def part(v: Any, lane: Any, side: int, at: int) -> None:
    """Takes one order out of its lane; the others keep their order of time."""
    v.clock.n_at_rest -= 1
    lane.n_rest[side] -= 1
    for j in range(at, lane.n_rest[side]):
        lane.slot[side, j] = lane.slot[side, j + 1]


@called
def sweep(v: Any, i: int, own: int, price: int, quantity: int, through: int) -> None:
    """An aggressor reached `price` against our side `own`: better prices fill whole, that price after its queue.

    through = 1: a quote stands there, so the price itself fills whole too. What one of our orders takes of a trade at its
    price the next one does not get.
    """
    lane = v.lane[i]
    partial = v.desk[v.schedule[i].desk].partial_fills
    left = quantity
    j = 0
    while j < lane.n_rest[own]:
        r = v.resting[lane.slot[own, j]]
        beyond = r.price > price if own == BUY else r.price < price
        got = 0
        if beyond or (through != 0 and r.price == price):
            got = r.leaves
        elif r.price == price:
            r.traded += quantity
            r.ahead -= left
            if r.ahead < 0:
                got = min(r.leaves, -r.ahead) if partial != 0 else r.leaves
                left = max(left - got, 0)
                r.ahead = 0
        if got > 0:
            fill(v, r, r.price, got, 1)
        if r.live == 0:
            part(v, lane, own, j)
        else:
            j += 1
    span(v, i, own)


@called
def take(v: Any, s: Any, r: Any) -> None:
    """An aggressive order walks the other side of the book as it stands."""
    i = r.instrument
    other = SELL if r.side == BUY else BUY
    n = s.book[i].depth[other]
    if n == 0:
        take_touch(v, s, r)
        return
    j = n - 1
    while r.leaves > 0 and j >= 0:
        price = s.level_key[i, other, j] if other == BUY else -s.level_key[i, other, j]
        if (r.side == BUY and price > r.price) or (r.side != BUY and price < r.price):
            return
        fill(v, r, price, min(r.leaves, s.level_quantity[i, other, j]), 0)
        j -= 1


@compiled
def take_touch(v: Any, s: Any, r: Any) -> None:
    """Against an instrument that shows only its best quote: what stands there, no more."""
    top = s.top[r.instrument]
    price = top.ask if r.side == BUY else top.bid
    there = top.ask_quantity if r.side == BUY else top.bid_quantity
    if price > 0 and ((r.side == BUY and price <= r.price) or (r.side != BUY and price >= r.price)):
        fill(v, r, price, min(r.leaves, there), 0)


@called
def open_bar(v: Any, row: Any) -> None:
    """Physics of a market known only by bars, first part: what trades at the open, half a spread away on either side.

    Immediate orders trade there or expire. A resting order the open has gapped through trades there too, as a taker; one that
    is post-only waits for its own price. All this happened when the bar opened, or when the order came if that was later.
    """
    i = row.instrument
    opened = row.ts_local - (TIMEFRAME_NS[row.strategy] if 0 <= row.strategy < len(TIMEFRAME_NS) else 0)
    half = row.ref * v.schedule[i].spread_half_e6 // 1_000_000
    lane = v.lane[i]
    for side in (BUY, SELL):
        price = row.ref + half if side == BUY else row.ref - half
        j = 0
        while j < lane.n_rest[side]:
            r = v.resting[lane.slot[side, j]]
            v.clock.now = max(r.since, opened)
            crosses = price <= r.price if side == BUY else price >= r.price
            if crosses and r.otype != LIMIT_POST_ONLY:
                fill(v, r, price, r.leaves, 0)
            elif r.otype == LIMIT_IOC:
                report(v, r, EXPIRED_BY_VENUE, r.leaves)
                r.live = 0
            if r.live == 0:
                part(v, lane, side, j)
            else:
                j += 1
        span(v, i, side)


@called
def meet_bar(v: Any, row: Any) -> None:
    """Second part: resting orders trade at their own price where the bar's range passed it; when, only its end tells."""
    i = row.instrument
    value = row.value
    high = max(row.price, row.ref) + (value >> 32)
    low = min(row.price, row.ref) - ((value & 0xFFFFFFFF) - ((value & 0x80000000) << 1))
    lane = v.lane[i]
    for side in (BUY, SELL):
        j = 0
        while j < lane.n_rest[side]:
            r = v.resting[lane.slot[side, j]]
            if low < r.price if side == BUY else high > r.price:
                fill(v, r, r.price, r.leaves, 1)
                part(v, lane, side, j)
            else:
                j += 1
        span(v, i, side)
