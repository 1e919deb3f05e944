"""The simulated venue: commands and market rows in, reports out. The machine does not know whether it is there.

`accept` takes command rows as they are emitted; `act` lets those that have arrived change the venue; `deliver` hands the
next report that is due to the driver; `before` shows it a market row before the machine sees it, `after` the new touch.
It reads the machine's book, which is causal because a report never comes faster than the feed (`latency`). Every ring is
bounded; a full one is a fault, never a lost order.
"""

from typing import Any

from ..domain.codes import (
    ACKED,
    BAR,
    BUY,
    CANCEL,
    CANCEL_REFUSED,
    CANCELED_BY_VENUE,
    CHARGE,
    DEPTH,
    EXPIRED_BY_VENUE,
    FILL,
    FIRST,
    LAST,
    LIMIT_IOC,
    LIMIT_POST_ONLY,
    MAKER_FILL,
    NEVER,
    REJECTED_BY_VENUE,
    REPORT,
    SELL,
    SUBMIT,
    SYNCED,
    TRADE,
    WHOLE,
)
from ..domain.reasons import FAULT_QUEUE_FULL, TABLE_FULL
from ..kernel.jit import called, compiled
from ..kernel.levels import quantity_at
from . import latency, matching, queue

# Commands in -------------------------------------------------------------------------------------------------------------


@compiled
def accept(v: Any, out: Any, first: int, last: int) -> None:
    """Command rows out[first:last] set out for their venues."""
    for n in range(first, last):
        r = out[n]
        if r.kind == SUBMIT or r.kind == CANCEL:
            send(v, r)


@compiled
def send(v: Any, r: Any) -> None:
    desk = v.schedule[r.instrument].desk
    d = v.desk[desk]
    ring = v.asked[desk]
    if d.ask_tail - d.ask_head >= ring.size:
        v.clock.fault = FAULT_QUEUE_FULL
    a = ring[d.ask_tail & (ring.size - 1)]
    a.due = latency.arrives(d, r.ts_local)
    a.kind = r.kind
    a.id = r.ref
    a.instrument = r.instrument
    a.side = r.side
    a.price = r.price
    a.quantity = r.quantity
    a.otype = r.value & 255
    d.ask_tail += 1
    v.clock.next_due = min(v.clock.next_due, a.due)


@called
def act(v: Any, s: Any, now: int) -> None:
    """Every request that has arrived by `now` changes the venue, desk by desk in order of arrival."""
    for desk in range(v.clock.n_desks):
        d = v.desk[desk]
        ring = v.asked[desk]
        while d.ask_head < d.ask_tail and ring[d.ask_head & (ring.size - 1)].due <= now:
            a = ring[d.ask_head & (ring.size - 1)]
            v.clock.now = a.due
            if a.kind == SUBMIT:
                place(v, s, a)
            else:
                withdraw(v, a)
            d.ask_head += 1


@called
def place(v: Any, s: Any, a: Any) -> None:
    """An order arrives: it takes, rests, expires or is refused."""
    r = v.resting[a.id & (v.resting.size - 1)]
    r.id = a.id
    r.live = 1
    r.instrument = a.instrument
    r.side = a.side
    r.price = a.price
    r.leaves = a.quantity
    r.otype = a.otype
    r.ahead = 0
    r.traded = 0
    r.since = v.clock.now
    i = a.instrument
    if v.schedule[i].bars_only != 0:
        matching.report(v, r, ACKED, r.leaves)
        rest(v, i, r)
        return
    top = s.top[i]
    if top.condition != SYNCED:
        refuse(v, r)
        return
    crosses = a.price >= top.ask > 0 if a.side == BUY else a.price <= top.bid
    if crosses and a.otype == LIMIT_POST_ONLY:
        refuse(v, r)
        return
    matching.report(v, r, ACKED, r.leaves)
    if crosses:
        matching.take(v, s, r)
    if r.live == 0:
        return
    if a.otype == LIMIT_IOC:
        r.live = 0
        matching.report(v, r, EXPIRED_BY_VENUE, r.leaves)
        return
    r.ahead = quantity_at(s, i, a.side, a.price)
    rest(v, i, r)


@compiled
def refuse(v: Any, r: Any) -> None:
    r.live = 0
    matching.report(v, r, REJECTED_BY_VENUE, r.leaves)


@compiled
def rest(v: Any, i: int, r: Any) -> None:
    """The order joins its lane; a full lane refuses it, as a venue's limit of open orders would."""
    lane = v.lane[i]
    n = lane.n_rest[r.side]
    if n >= lane.slot.shape[1]:
        r.live = 0
        t = matching.tell(v, r, REPORT, TABLE_FULL, r.leaves, EXPIRED_BY_VENUE)
        t.trade = 0
        return
    lane.slot[r.side, n] = r.id & (v.resting.size - 1)
    lane.n_rest[r.side] = n + 1
    v.clock.n_at_rest += 1
    matching.span(v, i, r.side)


@called
def withdraw(v: Any, a: Any) -> None:
    """A cancel arrives: the order is gone, or the venue does not know it any more."""
    r = v.resting[a.id & (v.resting.size - 1)]
    if r.id != a.id or r.live == 0:
        matching.tell(v, a, REPORT, 0, 0, CANCEL_REFUSED)
        return
    lane = v.lane[r.instrument]
    for j in range(lane.n_rest[r.side]):
        if v.resting[lane.slot[r.side, j]].id == a.id:
            matching.part(v, lane, r.side, j)
            break
    r.live = 0
    matching.span(v, r.instrument, r.side)
    matching.report(v, r, CANCELED_BY_VENUE, r.leaves)


# The market as it passes -----------------------------------------------------------------------------------------------------


@compiled
def opens(v: Any, row: Any) -> None:
    """A bar is about to pass: what trades at its open is heard while the bar still lasts, not after its close."""
    lane = v.lane[row.instrument]
    if lane.n_rest[BUY] + lane.n_rest[SELL] > 0 and v.schedule[row.instrument].bars_only != 0:
        matching.open_bar(v, row)


@compiled
def before(v: Any, s: Any, row: Any) -> None:
    """A market row, while the machine's book is still as it was."""
    kind = row.kind
    lane = v.lane[row.instrument]
    if kind == DEPTH:
        side = int(row.side)
        if lane.n_rest[side] > 0 and min(lane.near[side], lane.far[side]) <= row.price <= max(lane.near[side], lane.far[side]):
            v.clock.now = row.ts_local
            requeue(v, s, row, side)
    elif kind == TRADE:
        own = SELL if row.side == BUY else BUY
        if lane.n_rest[own] > 0 and (row.price <= lane.near[own] if own == BUY else row.price >= lane.near[own]):
            v.clock.now = row.ts_local
            matching.sweep(v, row.instrument, own, row.price, row.quantity, 0)
    elif kind == BAR:
        if lane.n_rest[BUY] + lane.n_rest[SELL] > 0 and v.schedule[row.instrument].bars_only != 0:
            v.clock.now = row.ts_local
            matching.meet_bar(v, row)


@called
def requeue(v: Any, s: Any, row: Any, side: int) -> None:
    """The level of one of our prices changes: what stands ahead of us follows the queue model."""
    lane = v.lane[row.instrument]
    model = v.desk[v.schedule[row.instrument].desk].queue_model
    for j in range(lane.n_rest[side]):
        r = v.resting[lane.slot[side, j]]
        if r.price == row.price:
            old = quantity_at(s, row.instrument, side, row.price) if model != 0 else 0
            queue.shrink(r, model, old, row.quantity)


@compiled
def after(v: Any, s: Any, row: Any) -> None:
    """The touch has moved: opposing quotes that reach our orders fill them."""
    i = row.instrument
    top = s.top[i]
    lane = v.lane[i]
    if lane.n_rest[BUY] > 0 and 0 < top.ask <= lane.near[BUY]:
        v.clock.now = row.ts_local
        matching.sweep(v, i, BUY, top.ask, 0, 1)
    if lane.n_rest[SELL] > 0 and top.bid >= lane.near[SELL] and top.bid > 0:
        v.clock.now = row.ts_local
        matching.sweep(v, i, SELL, top.bid, 0, 1)


# Reports out --------------------------------------------------------------------------------------------------------------------


@compiled
def schedule_next(v: Any) -> None:
    """The earliest thing that will happen at any desk, or in the inbox of answers."""
    soonest = v.inbox[0].ts_local if v.clock.n_inbox > 0 else NEVER
    for desk in range(v.clock.n_desks):
        d = v.desk[desk]
        if d.ask_head < d.ask_tail:
            soonest = min(soonest, v.asked[desk, d.ask_head & (v.asked.shape[1] - 1)].due)
        if d.tell_head < d.tell_tail:
            soonest = min(soonest, v.told[desk, d.tell_head & (v.told.shape[1] - 1)].due)
    v.clock.next_due = soonest


@compiled
def next_desk(v: Any, until: int) -> int:
    """The desk whose oldest report is due first, by `until`; -1 where none is."""
    best = -1
    due = until + 1
    for desk in range(v.clock.n_desks):
        d = v.desk[desk]
        if d.tell_head < d.tell_tail and v.told[desk, d.tell_head & (v.told.shape[1] - 1)].due < due:
            best = desk
            due = v.told[desk, d.tell_head & (v.told.shape[1] - 1)].due
    return best


@called
def write(v: Any, desk: int, out: Any, n: int, now: int) -> int:
    """The oldest report of a desk as input rows out[n:]; returns how many rows it is."""
    d = v.desk[desk]
    t = v.told[desk, d.tell_head & (v.told.shape[1] - 1)]
    d.tell_head += 1
    blank(out[n], t, max(t.due, now))
    r = out[n]
    r.kind = t.kind
    r.quantity = t.quantity
    r.ref = t.id
    r.price = t.price
    if t.kind != FILL:
        r.value = t.code
        return 1
    r.marks = FIRST | (MAKER_FILL if t.maker != 0 else 0)
    r.value = t.trade
    blank(out[n + 1], t, max(t.due, now))
    c = out[n + 1]
    c.kind = CHARGE
    c.marks = LAST
    c.ref = t.id
    c.quantity = t.charge
    c.strategy = v.schedule[t.instrument].quote_asset
    c.value = t.paid
    return 2


@compiled
def blank(r: Any, t: Any, ts: int) -> None:
    r.side = t.side
    r.marks = WHOLE
    r.source = 0
    r.instrument = t.instrument
    r.account = 0
    r.strategy = -1
    r.stream_seq = 0
    r.ts_venue = t.due
    r.ts_local = ts
    r.price = 0
    r.quantity = 0
    r.ref = 0
    r.value = 0


@called
def pop_answer(v: Any, out: Any, n: int, now: int) -> int:
    """The first answer waiting in the inbox as out[n]; returns 1."""
    out[n] = v.inbox[0]
    out[n].ts_local = max(out[n].ts_local, now)
    v.clock.n_inbox -= 1
    for j in range(v.clock.n_inbox):
        v.inbox[j] = v.inbox[j + 1]
    return 1
