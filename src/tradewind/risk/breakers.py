"""Breakers: what steps the ladder down by itself."""

from typing import Any

from ..domain.codes import REDUCE_ONLY
from ..domain.layout import DRAWDOWN_E4
from ..kernel.jit import compiled


@compiled
def drawdown_rung(s: Any) -> int:
    """The rung equity asks for: REDUCE_ONLY once it fell further below its peak than the limit, else 0."""
    b = s.budget
    if b.equity > b.peak:
        b.peak = b.equity
    limit = float(s.fact.limit[0, DRAWDOWN_E4]) * 1e-4
    if limit > 0.0 and b.peak > 0.0 and b.equity < b.peak * (1.0 - limit):
        return REDUCE_ONLY
    return 0
