"""A moving-average cross on closed bars, long or flat: the classic yardstick, and the strategy of a sweep.

Sums of closes are integers, so the averages carry no drift; they are compared by cross-multiplication.
"""

from typing import Any

from ...domain.codes import BUY, LIMIT_IOC, SELL
from ...domain.layout import LOT
from ...domain.reasons import ALREADY_THERE, CROSS_DOWN, CROSS_UP, LEGS_IN_FLIGHT, WARMING_UP
from ...kernel.jit import compiled
from ..targets import because, in_flight, marketable, note, nudged, want, wish

NAME = "sma_cross"
PARAMETERS = {"fast": 10.0, "slow": 30.0, "quantity": 0.0, "slip_bp": 50.0, "frame": 0.0}
FAST, SLOW, QUANTITY, SLIP, FRAME = range(5)
MEMORY = [("sum_fast", "i8"), ("sum_slow", "i8"), ("long", "i8")]


@compiled
def on_bar(s: Any, k: int, i: int, f: int) -> None:
    p = s.parameter[k]
    if f != int(p[FRAME]):
        return
    fast = int(p[FAST])
    slow = int(p[SLOW])
    n = s.bar[i, f].closed
    ring = s.past[i, f]
    mask = ring.size - 1
    m = s.sma_cross[k, i]
    if slow > mask:
        note(s, k, i, WARMING_UP, float(mask), float(slow))  # the ring of closes is shorter than the average: never
        return
    close = ring[(n - 1) & mask]
    m.sum_fast += close - (ring[(n - 1 - fast) & mask] if n > fast else 0)
    m.sum_slow += close - (ring[(n - 1 - slow) & mask] if n > slow else 0)
    if n < slow:
        note(s, k, i, WARMING_UP, float(n), float(slow))
        return
    gap = nudged(s, CROSS_UP, k, i, float(m.sum_fast * slow - m.sum_slow * fast) / float(slow * fast))
    held = s.fact.position[k, i].quantity
    if in_flight(s, k, i):
        note(s, k, i, LEGS_IN_FLIGHT, 0.0, 0.0)
    elif gap > 0.0 and held == 0:
        quantity = int(p[QUANTITY])
        if quantity == 0:
            lot = s.fact.rule[i, LOT]
            quantity = s.size_of[k, i].quantity // lot * lot
        go(s, k, i, BUY, quantity, gap, CROSS_UP)
    elif gap <= 0.0 and held > 0:
        go(s, k, i, SELL, held, gap, CROSS_DOWN)
    else:
        note(s, k, i, ALREADY_THERE, gap, 0.0)


@compiled
def go(s: Any, k: int, i: int, side: int, quantity: int, gap: float, cause: int) -> None:
    """An immediate order that may pay up to slip_bp over the touch."""
    if quantity <= 0:
        return
    price = marketable(s, i, side, s.parameter[k][SLIP] * 1e-4)
    wish(s.target[k, i, side, 0], price, quantity, LIMIT_IOC)
    because(s.target[k, i, side, 0], cause, gap, 0.0)
    want(s, k, i)
