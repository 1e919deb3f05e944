"""Queue position: how much rests ahead of an order at its price, which a feed of levels does not tell.

Risk-averse: only trades move an order forward, and a level can never hold more ahead than it holds. Probability: what
disappears from a level without a trade left from ahead with probability f(ahead) / (f(ahead) + f(behind)), f(x) = x²,
taken as its expectation.
"""

from typing import Any

from ..kernel.jit import compiled

RISK_AVERSE, PROBABILITY = 0, 1


@compiled
def shrink(r: Any, model: int, old: int, new: int) -> None:
    """The level of resting order r went from `old` to `new`; what trades already took from ahead does not leave twice."""
    gone = old - new - r.traded
    r.traded = 0
    if model == PROBABILITY and gone > 0:
        front = float(r.ahead)
        back = float(max(old - r.ahead, 0))
        weight = front * front + back * back
        if weight > 0.0:
            r.ahead -= int(float(gone) * (front * front / weight))
    r.ahead = max(min(r.ahead, new), 0)
