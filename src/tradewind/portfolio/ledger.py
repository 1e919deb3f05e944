"""Double entry in integer money units: each posting moves one amount between two accounts of one asset.

ledger[kind, venue, asset]: CASH is what the venue owes us, TRADING the other side of every exchange, FEES what trading
cost, OPENING where money came from, ROUNDING the difference between what a venue reported and what price times quantity
gives, SUSPENSE the other side of what nobody has explained: fills of orders that are not, or no longer, known. For every
asset all accounts sum to zero, always.
"""

from typing import Any

from ..domain.codes import BUY, SPOT
from ..domain.layout import (
    BASE,
    BASE_NUM,
    CASH,
    COST_DEN,
    COST_NUM,
    FEES,
    OPENING,
    PAYOFF,
    QUOTE_ASSET,
    ROUNDING,
    SUSPENSE,
    TRADING,
    VENUE,
)
from ..domain.reasons import FAULT_MONEY_OVERFLOW
from ..kernel.fixed import LARGEST, OVERFLOW, muldiv_half_even
from ..kernel.jit import called, compiled
from ..kernel.must import must


@compiled
def post(s: Any, debit: int, credit: int, venue: int, asset: int, amount: int) -> None:
    """Moves `amount` of an asset from account `credit` to account `debit`."""
    s.fact.ledger[debit, venue, asset] += amount
    s.fact.ledger[credit, venue, asset] -= amount


@compiled
def exact_cost(s: Any, i: int, price: int, quantity: int) -> int:
    """Price times quantity in money units of the quote asset, half to even."""
    rule = s.fact.rule[i]
    return muldiv_half_even(price * quantity, rule[COST_NUM], rule[COST_DEN])


@compiled
def nobody(s: Any) -> Any:
    """The row of the position table behind the last strategy's: fills of orders nobody knows."""
    return s.fact.right.shape[0]


@called
def book_fill(s: Any, o: Any, price: int, quantity: int, cost: int, fee: int, fee_asset: int) -> bool:
    """Books one fill of order o: both legs, the fee, the rounding; then the position. False where nothing was booked."""
    i = o.instrument
    rule = s.fact.rule[i]
    venue = rule[VENUE]
    if not must(s, 0 <= price < LARGEST // quantity, FAULT_MONEY_OVERFLOW):
        return False
    exact = exact_cost(s, i, price, quantity)
    if not must(s, exact != OVERFLOW, FAULT_MONEY_OVERFLOW):
        return False
    sign = 1 if o.side == BUY else -1
    against = SUSPENSE if o.strategy == nobody(s) else TRADING
    if rule[PAYOFF] == SPOT:
        post(s, CASH, against, venue, rule[BASE], sign * quantity * rule[BASE_NUM])
        post(s, CASH, against, venue, rule[QUOTE_ASSET], -sign * exact)
        post(s, CASH, ROUNDING, venue, rule[QUOTE_ASSET], -sign * (cost - exact))
    post(s, FEES, CASH, venue, fee_asset, fee)
    o.cost += cost
    gained = move(s, o, sign, quantity, cost, fee if fee_asset == rule[QUOTE_ASSET] else 0)
    if rule[PAYOFF] != SPOT:
        post(s, CASH, against, venue, rule[QUOTE_ASSET], gained)
    return True


@compiled
def move(s: Any, o: Any, sign: int, quantity: int, cost: int, fee: int) -> int:
    """The position after a fill, at average cost; returns what the fill realised, in money units of the quote asset.

    A fill that reverses the position closes it first and opens the rest at its own price.
    """
    p = s.fact.position[o.strategy, o.instrument]
    held = p.quantity
    gained = 0
    if held == 0 or (held > 0) == (sign > 0):
        p.basis += sign * cost
    else:
        closing = min(quantity, abs(held))
        cost_closed = cost if closing == quantity else muldiv_half_even(cost, closing, quantity)
        basis_closed = p.basis if closing == abs(held) else muldiv_half_even(p.basis, closing, abs(held))
        gained = -sign * cost_closed - basis_closed
        p.realised += gained
        p.basis += sign * (cost - cost_closed) - basis_closed
    p.quantity = held + sign * quantity
    p.charges += fee
    p.traded += cost
    return gained


@compiled
def deposit(s: Any, venue: int, asset: int, amount: int) -> None:
    """Money that came from, or went to, the outside."""
    post(s, CASH, OPENING, venue, asset, amount)


@compiled
def open_gain(s: Any, i: int) -> float:
    """What open contracts of instrument i would gain at the last believed mid, in whole units of the reporting currency."""
    rule = s.fact.rule[i]
    mid = s.top[i].mid
    total = 0.0
    if mid > 0.0:
        for k in range(s.fact.position.shape[0]):
            p = s.fact.position[k, i]
            total += float(p.quantity) * mid * float(rule[COST_NUM]) / float(rule[COST_DEN]) - float(p.basis)
    return total * 1e-8 * s.group[rule[QUOTE_ASSET]].reference


@compiled
def total_worth(s: Any) -> float:
    """Everything we own, in whole units of the reporting currency; assets without a rate count nothing."""
    total = 0.0
    n = s.clock.n_assets
    for venue in range(s.clock.n_venues):
        for asset in range(s.group.size):  # a bound the compiler knows: it need not prepare for many
            if asset == n:
                break
            total += float(s.fact.ledger[CASH, venue, asset]) * s.group[asset].reference
    total *= 1e-8
    if s.clock.n_contracts != 0:
        for i in range(s.clock.n_instruments):
            if s.fact.rule[i, PAYOFF] != SPOT:
                total += open_gain(s, i)
    return total
