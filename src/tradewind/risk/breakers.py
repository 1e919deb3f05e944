"""Breakers: what steps the ladder down by itself."""

from typing import Any

from ..domain.codes import ACTIVE, REDUCE_ONLY
from ..domain.layout import DRAWDOWN_E4
from ..kernel.jit import compiled


@compiled
def drawdown_rung(s: Any) -> int:
    """The rung equity asks for: REDUCE_ONLY once it fell further below its peak than the limit, else 0.

    The ladder never climbs by itself; an operator's resume forgives the fall so far: the peak starts anew.
    """
    b = s.budget
    ladder = s.fact.ladder
    if b.equity > b.peak or (ladder.rung == ACTIVE and 0 < b.marked_ns <= ladder.since):
        b.peak = b.equity
    b.marked_ns = s.clock.now
    limit = float(s.fact.limit[0, DRAWDOWN_E4]) * 1e-4
    if limit > 0.0 and b.peak > 0.0 and b.equity < b.peak * (1.0 - limit):
        return REDUCE_ONLY
    return 0
