"""Facts: the only place where what is true changes, and only by a row that the journal holds.

`apply` folds every kind of journaled row, the machine's own commands among them; recovery after an upgrade is this
function over the whole journal and nothing else. Opinions (books, features, weights) live elsewhere and may be lost.
"""

from typing import Any

from ..domain.codes import (
    ACKED,
    BALANCE,
    CANCEL,
    CANCEL_REFUSED,
    CANCELED_BY_VENUE,
    CHARGE,
    EXPIRED_BY_VENUE,
    FILL,
    HALT,
    LIMIT,
    NEVER_REACHED,
    OPERATOR,
    OUTCOME_UNKNOWN,
    REJECTED_BY_VENUE,
    REPORT,
    RIGHT,
    RULE,
    SUBMIT,
)
from ..domain.layout import BASE, COST_DEN, N_LIMITS, N_RULES, N_SEEN, QUOTE_ASSET, VENUE
from ..domain.orders import (
    FIRST_FINAL,
    FREE,
    ILLEGAL,
    ON_ACK,
    ON_CANCEL_REFUSED,
    ON_CANCEL_SENT,
    ON_CANCELED,
    ON_EXPIRE,
    ON_NEVER_REACHED,
    ON_NO_ANSWER,
    ON_PART,
    ON_REJECT,
    ON_WHOLE,
    PENDING,
    TRANSITION,
)
from ..domain.reasons import FAULT_RULE
from ..kernel.jit import called, compiled
from ..kernel.must import must
from . import ledger, positions


@compiled
def apply(s: Any, row: Any) -> None:
    """One journaled row changes what is true."""
    kind = row.kind
    if kind == SUBMIT:
        submit(s, row)
    elif kind == CANCEL:
        cancel(s, row)
    elif kind == REPORT:
        report(s, row)
    elif kind == FILL:
        hold(s, row)
    elif kind == CHARGE:
        charge_fill(s, row)
    else:
        settings(s, row)


@called
def settings(s: Any, row: Any) -> None:
    """Rules, limits, rights, money from outside, and the ladder."""
    kind = row.kind
    if kind == RULE:
        if must(s, 0 <= row.ref < N_RULES and in_tables(s, row.ref, row.value), FAULT_RULE):
            s.fact.rule[row.instrument, row.ref] = row.value
    elif kind == LIMIT:
        if must(s, 0 <= row.ref < N_LIMITS, FAULT_RULE):
            s.fact.limit[row.strategy + 1, row.ref] = row.value
    elif kind == RIGHT:
        if must(s, row.strategy >= 0, FAULT_RULE):
            s.fact.right[row.strategy, row.instrument] = row.value
    elif kind == BALANCE:
        if must(s, in_tables(s, VENUE, row.account) and in_tables(s, BASE, row.instrument), FAULT_RULE):
            ledger.deposit(s, row.account, row.instrument, row.quantity)
    elif kind == OPERATOR or kind == HALT:
        ladder = s.fact.ladder
        ladder.rung = row.value
        ladder.cause = row.ref
        ladder.since = row.ts_local


@compiled
def in_tables(s: Any, column: int, value: int) -> bool:
    """Whether a rule's value, where it names a venue or an asset, names one the tables have."""
    if column == VENUE:
        return 0 <= value < s.fact.ledger.shape[1]
    return (column != BASE and column != QUOTE_ASSET) or 0 <= value < s.fact.ledger.shape[2]


@compiled
def find(s: Any, order_id: int) -> Any:
    """The order's record: its slot is its id modulo the table, so an ended order stays until its slot is needed."""
    return s.fact.order[order_id & (s.fact.order.size - 1)]


@compiled
def known(s: Any, o: Any, order_id: int) -> bool:
    """Whether o is the order of that id; news of one nobody sent, or long forgotten, is counted. Only its fills change
    anything: money moved, so it is booked against suspense."""
    if o.id == order_id and o.status != FREE:
        return True
    s.fact.ids.n_odd += 1
    return False


@called
def submit(s: Any, row: Any) -> None:
    """A decided order begins to count, before a byte of it leaves."""
    o = find(s, row.ref)
    o.id = row.ref
    o.status = PENDING
    o.instrument = row.instrument
    o.strategy = row.strategy
    o.side = row.side
    o.layer = (row.value >> 8) & 255
    o.otype = row.value & 255
    o.price = row.price
    o.quantity = row.quantity
    o.filled = 0
    o.cost = 0
    o.sent_ns = row.ts_local
    o.held_quantity = 0
    o.open_left = 0
    o.bound = 0
    positions.leave_open(s, o, row.quantity)
    p = s.fact.position[o.strategy, o.instrument]
    p.n_open += 1
    s.fact.ids.n_open += 1
    s.fact.ids.next_id = max(s.fact.ids.next_id, row.ref)
    s.fact.working[o.strategy, o.instrument, o.side, o.layer] = row.ref


@compiled
def advance(s: Any, o: Any, event: int) -> None:
    """The order's next state by the table; its end releases what it had reserved."""
    old = o.status
    new = TRANSITION[old, event]
    if new == ILLEGAL:
        s.fact.ids.n_odd += 1
        return
    o.status = new
    if event == ON_CANCEL_SENT or new >= FIRST_FINAL:
        place = s.fact.working[o.strategy, o.instrument, o.side]
        if place[o.layer] == o.id:
            place[o.layer] = 0
    if new >= FIRST_FINAL and old < FIRST_FINAL:
        positions.leave_open(s, o, 0)
        s.fact.position[o.strategy, o.instrument].n_open -= 1
        s.fact.ids.n_open -= 1


@compiled
def cancel(s: Any, row: Any) -> None:
    """We asked the venue to take an order back."""
    o = find(s, row.ref)
    if known(s, o, row.ref):
        advance(s, o, ON_CANCEL_SENT)


@called
def report(s: Any, row: Any) -> None:
    """What a venue said of an order, fills apart."""
    o = find(s, row.ref)
    if not known(s, o, row.ref):
        return
    code = row.value
    if code == ACKED:
        advance(s, o, ON_ACK)
    elif code == REJECTED_BY_VENUE:
        advance(s, o, ON_REJECT)
    elif code == CANCELED_BY_VENUE:
        advance(s, o, ON_CANCELED)
    elif code == EXPIRED_BY_VENUE:
        advance(s, o, ON_EXPIRE)
    elif code == CANCEL_REFUSED:
        advance(s, o, ON_CANCEL_REFUSED)
    elif code == OUTCOME_UNKNOWN:
        advance(s, o, ON_NO_ANSWER)
    elif code == NEVER_REACHED:
        advance(s, o, ON_NEVER_REACHED)


@compiled
def placeable(s: Any, row: Any) -> bool:
    """Whether the instrument of a fill is known well enough to book it without its order."""
    return bool(0 <= row.instrument < s.fact.stray.size and s.fact.rule[row.instrument, COST_DEN] > 0)


@compiled
def stand_in(s: Any, row: Any) -> Any:
    """A record in the place of the order nobody knows, as the fill's first row describes it."""
    o = s.fact.stray[row.instrument]
    o.id = row.ref
    o.instrument = row.instrument
    o.strategy = ledger.nobody(s)
    o.side = row.side
    return o


@compiled
def hold(s: Any, row: Any) -> None:
    """The first row of a fill waits for its charge: in the order, or at the instrument where nobody knows the order."""
    o = find(s, row.ref)
    if not known(s, o, row.ref):
        if not placeable(s, row):
            return
        o = stand_in(s, row)
    o.held_price = row.price
    o.held_quantity = row.quantity
    o.held_trade = row.value
    o.held_marks = row.marks


@called
def charge_fill(s: Any, row: Any) -> None:
    """The second row of a fill: now it is booked, once, whatever the order's state."""
    o = find(s, row.ref)
    if not known(s, o, row.ref):
        if not placeable(s, row):
            return
        o = s.fact.stray[row.instrument]
        if o.id != row.ref or o.held_quantity <= 0:
            return
    quantity = o.held_quantity
    if quantity <= 0:
        s.fact.ids.n_odd += 1
        return
    o.held_quantity = 0
    if told_before(s, o.instrument, o.held_trade):
        s.fact.ids.n_twice += 1
        return
    if not must(s, in_tables(s, BASE, row.strategy), FAULT_RULE):
        return
    if not ledger.book_fill(s, o, o.held_price, quantity, row.value, row.quantity, row.strategy):
        return
    s.fact.ids.n_fills += 1
    if o.strategy == ledger.nobody(s):
        s.fact.ids.n_stray += 1
        o.filled += quantity
        return
    if o.status >= FIRST_FINAL:
        s.fact.ids.n_late += 1
        o.filled += quantity
        return
    o.filled += quantity
    positions.leave_open(s, o, max(o.quantity - o.filled, 0))
    advance(s, o, ON_WHOLE if o.filled >= o.quantity else ON_PART)


@compiled
def told_before(s: Any, i: int, trade_id: int) -> bool:
    """Whether this trade id was booked at its instrument; remembers it if not.

    A venue's ids rise, so the highest `N_SEEN` are kept in order and what was forgotten leaves a watermark: at or below it
    an id counts as told before. Ids are not negative; above the watermark they may come in any order.
    """
    if trade_id < s.fact.seen_from[i]:
        return True
    ring = s.fact.seen[i]
    n = s.fact.seen_at[i]
    first = max(n - N_SEEN, 0)
    at = n
    while at > first and ring[(at - 1) & (N_SEEN - 1)] > trade_id:
        at -= 1
    if at > first and ring[(at - 1) & (N_SEEN - 1)] == trade_id:
        return True
    remember(s, i, at, trade_id)
    return False


@compiled
def remember(s: Any, i: int, at: int, trade_id: int) -> None:
    """Puts a trade id in its place among the kept ones; where all are taken the lowest goes and becomes the watermark."""
    ring = s.fact.seen[i]
    n = s.fact.seen_at[i]
    if n >= N_SEEN and at == n - N_SEEN:
        s.fact.seen_from[i] = trade_id + 1
        return
    if n >= N_SEEN:
        s.fact.seen_from[i] = ring[n & (N_SEEN - 1)] + 1
    for k in range(n, at, -1):
        ring[k & (N_SEEN - 1)] = ring[(k - 1) & (N_SEEN - 1)]
    ring[at & (N_SEEN - 1)] = trade_id
    s.fact.seen_at[i] = n + 1
