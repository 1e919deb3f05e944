"""Working orders: how a decision becomes command rows, and how a changed mind takes them back.

Every command is emitted as a row and then applied as a fact, so what the journal says and what the machine believes
cannot differ.
"""

from typing import Any

from ..domain.codes import ACTIVE, ALERT, CANCEL, HALT, LIMIT_IOC, MOST_OFF, NO_MIDDLE, SUBMIT, WHOLE
from ..domain.orders import CANCELLING, FIRST_FINAL, FREE, UNKNOWN
from ..kernel.emit import emit, evidence
from ..kernel.jit import called, compiled

PROBES = 8  # slots looked at for a free one before the table counts as full


@compiled
def free_id(s: Any) -> int:
    """The next order id whose slot is free, or 0 where the table is full."""
    order_id = s.fact.ids.next_id
    for _ in range(PROBES):
        order_id += 1
        status = s.fact.order[order_id & (s.fact.order.size - 1)].status
        if status == FREE or status >= FIRST_FINAL:
            return order_id
    return 0


@compiled
def submit(s: Any, order_id: int, k: int, i: int, side: int, layer: int, t: Any, quantity: int, out: Any) -> Any:
    """EVIDENCE and SUBMIT rows for target t; returns the SUBMIT row, still to be applied as a fact."""
    evidence(s, out, i, k, order_id, t.cause, t.measured, t.threshold)
    r = emit(s, out, SUBMIT, i)
    r.marks = WHOLE & ~1
    r.side = side
    r.strategy = k
    r.account = 0
    r.price = t.price
    r.quantity = quantity
    r.ref = order_id
    r.value = t.otype | (layer << 8) | (off_middle(s, i, t.price) << 16)
    s.count.submits += 1
    return r


@compiled
def off_middle(s: Any, i: int, price: int) -> int:
    """Twice a price's distance from the middle of the touch, in price units: what it costs to trade is counted from there."""
    top = s.top[i]
    if top.bid <= 0 or top.ask <= 0:
        return NO_MIDDLE
    return max(1 - MOST_OFF, min(2 * price - top.bid - top.ask, MOST_OFF - 1))


@compiled
def cancellable(o: Any) -> bool:
    """A live order nobody has asked to cancel yet."""
    return FREE < o.status < FIRST_FINAL and o.status != CANCELLING and o.status != UNKNOWN


@compiled
def cancel(s: Any, o: Any, cause: int, out: Any) -> Any:
    """The CANCEL row of order o, still to be applied as a fact."""
    r = emit(s, out, CANCEL, o.instrument)
    r.strategy = o.strategy
    r.side = o.side
    r.price = o.price
    r.quantity = o.quantity
    r.ref = o.id
    r.value = cause
    s.count.cancels += 1
    return r


@called
def step_down(s: Any, rung: int, cause: int, out: Any) -> Any:
    """The HALT row that moves the ladder down, still to be applied as a fact."""
    r = emit(s, out, HALT, 0)
    r.value = rung
    r.ref = cause
    return r


@compiled
def alert(s: Any, code: int, detail: float, out: Any) -> None:
    """The ALERT row that tells people of something measured."""
    r = emit(s, out, ALERT, 0)
    r.value = code
    r.ref = int(detail)


@compiled
def may_open(s: Any) -> bool:
    """Whether the ladder allows new risk at all."""
    return s.fact.ladder.rung <= ACTIVE + 1


@compiled
def rests(t: Any) -> bool:
    """Whether the target's order may rest; one that may not is wished once."""
    return t.otype != LIMIT_IOC
