"""Breakers: what steps the ladder down by itself."""

from typing import Any

from ..domain.codes import ACTIVE, REDUCE_ONLY
from ..domain.layout import DRAWDOWN_E4, MAX_SUSPENSE, SUSPENSE
from ..kernel.jit import called, compiled

ENDLESS = 9e18  # as a float that still is an int64


@compiled
def drawdown_rung(s: Any) -> int:
    """The rung equity asks for: REDUCE_ONLY once it fell further below its peak than the limit, else 0.

    The ladder never climbs by itself; an operator's resume forgives the fall so far: the peak starts anew.
    """
    b = s.budget
    ladder = s.fact.ladder
    if b.equity > b.peak or (b.marked_ns <= ladder.since and b.marked_ns > 0 and ladder.rung == ACTIVE):
        b.peak = b.equity
    b.marked_ns = s.clock.now
    limit_e4 = s.fact.limit[0, DRAWDOWN_E4]
    if limit_e4 > 0 and b.peak > 0.0 and b.equity < b.peak * (1.0 - float(limit_e4) * 1e-4):
        return REDUCE_ONLY
    return 0


@called
def suspended(s: Any) -> float:
    """Worth of what nobody has explained, in money units of the reporting currency; endless where an asset of it has no rate.

    An exchange leaves one asset in SUSPENSE and takes another out: what went in and what came out are summed
    apart, the larger counts.
    """
    given = 0.0
    taken = 0.0
    for venue in range(s.clock.n_venues):
        for asset in range(s.clock.n_assets):
            amount = float(s.fact.ledger[SUSPENSE, venue, asset])
            if amount != 0.0:
                rate = s.group[asset].reference
                if rate <= 0.0:
                    return ENDLESS
                given += max(amount, 0.0) * rate
                taken -= min(amount, 0.0) * rate
    return max(given, taken)


@compiled
def suspense_rung(s: Any, worth: float) -> int:
    """The rung that `worth` in SUSPENSE asks for. Asked where a fill of nobody was booked: a resume accepts what lies there."""
    return REDUCE_ONLY if worth > float(s.fact.limit[0, MAX_SUSPENSE]) else 0
