"""Targets: what a strategy wishes. A target is a price, a quantity and its reason, on one layer of one side.

Strategies only write targets; the machine turns what changed into orders. `want` queues the pair (strategy, instrument)
once, however often it is called in a step.
"""

from typing import Any

from ..domain.codes import BUY
from ..domain.layout import TICK
from ..kernel.jit import compiled


@compiled
def wish(s: Any, k: int, i: int, side: int, layer: int, price: int, quantity: int, otype: int) -> None:
    """Sets one target; quantity 0 wishes nothing there."""
    t = s.target[k, i, side, layer]
    t.price = price
    t.quantity = quantity
    t.otype = otype


@compiled
def because(s: Any, k: int, i: int, side: int, layer: int, cause: int, measured: float, threshold: float) -> None:
    """Why the target stands as it does."""
    t = s.target[k, i, side, layer]
    t.cause = cause
    t.measured = measured
    t.threshold = threshold


@compiled
def want(s: Any, k: int, i: int) -> None:
    """Strategy k's targets on instrument i are to be worked in this step."""
    if s.is_wanted[k, i] == 0:
        s.is_wanted[k, i] = 1
        w = s.wanted[s.clock.n_wanted]
        w.strategy = k
        w.instrument = i
        s.clock.n_wanted += 1


@compiled
def note(s: Any, k: int, i: int, code: int, measured: float, threshold: float) -> None:
    """Why strategy k did nothing on instrument i just now."""
    n = s.noted[k, i]
    n.code = code
    n.measured = measured
    n.threshold = threshold
    n.ts = s.clock.now


@compiled
def nudged(s: Any, code: int, k: int, i: int, value: float) -> float:
    """The value a decision looks at, moved by the probe when `why` asks what would have changed it."""
    p = s.probe
    if p.code == code and p.strategy == k and (p.instrument == i or p.instrument == -1):
        return value + p.delta
    return value


@compiled
def in_flight(s: Any, k: int, i: int) -> bool:
    """Whether an order of strategy k on instrument i is still live."""
    return s.fact.position[k, i].n_open > 0


@compiled
def marketable(s: Any, i: int, side: int, slip: float) -> int:
    """The worst price, on the tick, an immediate order may pay that gives up to `slip` (a ratio) beyond the touch."""
    tick = s.fact.rule[i, TICK]
    if side == BUY:
        return int(float(s.top[i].ask) * (1.0 + slip)) // tick * tick
    return -(-int(float(s.top[i].bid) * (1.0 - slip)) // tick) * tick
