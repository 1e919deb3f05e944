"""Fees: what the venue charges, and the cost it reports."""

from typing import Any

from ..kernel.fixed import muldiv_half_even, muldiv_up
from ..kernel.jit import compiled


@compiled
def cost_of(c: Any, price: int, quantity: int) -> int:
    """Money units of the quote asset, half to even."""
    return muldiv_half_even(price * quantity, c.cost_num, c.cost_den)


@compiled
def fee_on(c: Any, paid: int, maker: int) -> int:
    """The fee on a cost, in money units of the quote asset; rounded up, so a rebate is rounded toward the venue."""
    return muldiv_up(paid, c.maker_fee_e7 if maker != 0 else c.taker_fee_e7, 10_000_000)
