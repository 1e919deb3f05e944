"""Targets: what a strategy wishes. A target is a price, a quantity and its reason, on one layer of one side.

Strategies only write targets; the machine turns what changed into orders. `want` queues the pair (strategy, instrument)
once, however often it is called in a step.
"""

from typing import Any

from ..domain.codes import BUY, NEVER, SELL
from ..domain.layout import TICK
from ..kernel.jit import called, compiled


@compiled
def wish(t: Any, price: int, quantity: int, otype: int) -> None:
    """Sets target t, a record of s.target[strategy, instrument, side, layer]; quantity 0 wishes nothing there."""
    t.price = price
    t.quantity = quantity
    t.otype = otype


@compiled
def because(t: Any, cause: int, measured: float, threshold: float) -> None:
    """Why target t stands as it does."""
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
    """The worst price, on the tick, an immediate order may pay that gives up to `slip` (a ratio) beyond the touch.

    It stays one tick inside our own resting orders, whoever's they are: it takes what others offer before them.
    """
    tick = s.fact.rule[i, TICK]
    if side == BUY:
        return min(int(float(s.top[i].ask) * (1.0 + slip)) // tick * tick, best_own(s, i, SELL) - tick)
    return max(-(-int(float(s.top[i].bid) * (1.0 - slip)) // tick) * tick, best_own(s, i, BUY) + tick)


@called
def best_own(s: Any, i: int, side: int) -> int:
    """The best price of our own working orders on one side of instrument i; NEVER or 0 where there is none."""
    best = 0 if side == BUY else NEVER
    for k in range(s.clock.n_strategies):
        p = s.fact.position[k, i]
        if (p.open_buy if side == BUY else p.open_sell) == 0:
            continue
        for layer in range(s.fact.working.shape[3]):
            order_id = s.fact.working[k, i, side, layer]
            if order_id != 0:
                price = s.fact.order[order_id & (s.fact.order.size - 1)].price
                best = max(best, price) if side == BUY else min(best, price)
    return best
