"""Positions and what open orders could still make of them.

Every live order, UNKNOWN ones included, counts in full: `open_buy` and `open_sell` in the position, and the cash or
asset it could take in `reserved`.
"""

from typing import Any

from ..domain.codes import BUY, SPOT
from ..domain.layout import BASE, BASE_NUM, COST_DEN, COST_NUM, PAYOFF, QUOTE_ASSET, VENUE
from ..kernel.fixed import muldiv_up
from ..kernel.jit import compiled


@compiled
def leave_open(s: Any, o: Any, left: int) -> None:
    """From now on `left` of order o can still trade: exposure and reserve follow."""
    p = s.fact.position[o.strategy, o.instrument]
    rule = s.fact.rule[o.instrument]
    if o.side == BUY:
        p.open_buy += left - o.open_left
    else:
        p.open_sell += left - o.open_left
    o.open_left = left
    if rule[PAYOFF] != SPOT:
        return
    if o.side == BUY:
        bound = muldiv_up(o.price * left, rule[COST_NUM], rule[COST_DEN])
        s.fact.reserved[rule[VENUE], rule[QUOTE_ASSET]] += bound - o.bound
    else:
        bound = left * rule[BASE_NUM]
        s.fact.reserved[rule[VENUE], rule[BASE]] += bound - o.bound
    o.bound = bound
