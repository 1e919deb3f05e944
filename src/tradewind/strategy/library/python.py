"""The seat of a strategy written in Python: it is woken by rows and its answers are rows.

A wake says that something it listens to happened. The answer arrives as a TARGET row of its own, `think_ns` later; it
wishes a position, and the seat trades the difference with an immediate order at the touch (price 0) or no worse than the
answer's price. An answer that names an expiry (value) and comes later is dropped with a reason.
"""

from typing import Any

from ...domain.codes import BUY, LIMIT_IOC, SELL, WAKE
from ...domain.layout import FRAMES, LOT, TICK
from ...domain.reasons import ALREADY_THERE, ANSWER_EXPIRED, ASKED_NO_CHANGE, LEGS_IN_FLIGHT, STRATEGY_WISH
from ...kernel.emit import emit
from ...kernel.jit import compiled
from ..targets import because, in_flight, marketable, note, nudged, want, wish

NAME = "python"
PARAMETERS = {"slip_bp": 20.0}
SLIP = 0


@compiled
def on_bar(s: Any, k: int, i: int, f: int, out: Any) -> None:
    if s.fact.right[k, i] == 0 or int(s.parameter[k][FRAMES]) >> f & 1 == 0:
        return
    b = s.bar[i, f]
    note(s, k, i, ASKED_NO_CHANGE, float(b.c_close), 0.0)
    s.clock.wake_number += 1
    r = emit(s, out, WAKE, i)
    r.strategy = k
    r.price = b.c_close
    r.quantity = b.c_volume
    r.ref = s.clock.wake_number
    r.value = f
    s.clock.wakes += 1
    s.count.woken += 1


@compiled
def on_answer(s: Any, k: int, row: Any) -> None:
    """A TARGET row: trade the difference between the wished and the present position."""
    i = row.instrument
    s.count.answers += 1
    if 0 < row.value < s.clock.now:
        s.count.late_answers += 1
        note(s, k, i, ANSWER_EXPIRED, 0.0, 0.0)
        return
    wished = int(nudged(s, STRATEGY_WISH, k, i, float(row.quantity)))
    gap = wished - s.fact.position[k, i].quantity
    if in_flight(s, k, i):
        note(s, k, i, LEGS_IN_FLIGHT, 0.0, 0.0)
        return
    lot = s.fact.rule[i, LOT]
    quantity = abs(gap) // lot * lot
    if quantity == 0:
        note(s, k, i, ALREADY_THERE, float(gap), float(lot))
        return
    side = BUY if gap > 0 else SELL
    price = marketable(s, i, side, s.parameter[k][SLIP] * 1e-4)
    tick = s.fact.rule[i, TICK]
    if row.price > 0:
        price = min(price, row.price // tick * tick) if side == BUY else max(price, -(-row.price // tick) * tick)
    wish(s.target[k, i, side, 0], price, quantity, LIMIT_IOC)
    because(s.target[k, i, side, 0], STRATEGY_WISH, float(gap), float(lot))
    want(s, k, i)
