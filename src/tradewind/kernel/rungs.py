"""How much trading is left at one instrument, beside the ladder of the whole book: what is heard of it, what its venue takes."""

from typing import Any

from ..domain.codes import (
    ACTIVE,
    CANCEL_ONLY,
    REDUCE_ONLY,
    STATUS_LIMIT_ONLY,
    STATUS_POST_ONLY,
    STATUS_REDUCE_ONLY,
    TRADING,
)
from ..domain.layout import ACCESS, TRADING_STATUS
from .jit import compiled


@compiled
def by_word(status: int) -> int:
    """The rung a venue's own word leaves, whatever kinds of orders it takes beside. An unknown word leaves none."""
    if status == TRADING or status == STATUS_POST_ONLY or status == STATUS_LIMIT_ONLY:
        return ACTIVE
    return REDUCE_ONLY if status == STATUS_REDUCE_ONLY else CANCEL_ONLY


@compiled
def left(s: Any, i: int) -> int:
    """The rung at instrument i by its rules alone: the worse of what the fabric grants and what the venue's word leaves."""
    rule = s.fact.rule[i]
    if rule[ACCESS] | rule[TRADING_STATUS] == 0:
        return ACTIVE
    return max(rule[ACCESS], by_word(rule[TRADING_STATUS]))


@compiled
def takes_at_once(s: Any, i: int, worst: int) -> bool:
    """Whether instrument i stands on rung `worst` or better and its venue takes orders that trade at once."""
    return left(s, i) <= worst and s.fact.rule[i, TRADING_STATUS] != STATUS_POST_ONLY
