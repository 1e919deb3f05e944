"""What we may: exposure at worst case, the order-rate budget, and the note a refusal leaves."""

from typing import Any

from ..domain.codes import BUY, SECOND
from ..domain.layout import COST_DEN, COST_NUM, ORDERS_PER_S, QUOTE_ASSET
from ..domain.reasons import RATE_LIMIT
from ..kernel.jit import compiled

MONEY = 1e-8


@compiled
def note(s: Any, k: int, i: int, code: int, measured: float, threshold: float) -> int:
    """Leaves word of why strategy k did not act on instrument i; returns the code."""
    n = s.noted[k, i]
    n.code = code
    n.measured = measured
    n.threshold = threshold
    n.ts = s.clock.now
    return code


@compiled
def position_worth(s: Any, scope: int, i: int, side: int, price: int, quantity: int) -> float:
    """Worst-case position of instrument i after the order, in whole quote units, of strategy scope - 1 or (0) of the book."""
    net = quantity if side == BUY else -quantity
    first = 0 if scope == 0 else scope - 1
    last = s.clock.n_strategies if scope == 0 else scope
    for j in range(first, last):
        p = s.fact.position[j, i]
        net += p.quantity + (p.open_buy if side == BUY else -p.open_sell)
    rule = s.fact.rule[i]
    return abs(float(net)) * float(price) * float(rule[COST_NUM]) / float(rule[COST_DEN]) * MONEY


@compiled
def spend(s: Any, k: int, i: int) -> int:
    """Takes one order out of the rate budget (token bucket of one second's depth)."""
    b = s.budget
    per_s = s.fact.limit[0, ORDERS_PER_S]
    full = per_s * SECOND
    elapsed = min(s.clock.now - b.ts, SECOND)
    b.tokens_e9 = min(full, b.tokens_e9 + elapsed * per_s)
    b.ts = s.clock.now
    if b.tokens_e9 < SECOND:
        return note(s, k, i, RATE_LIMIT, float(b.tokens_e9) * 1e-9, float(per_s))
    b.tokens_e9 -= SECOND
    return 0


@compiled
def measure(s: Any) -> None:
    """Gross and net exposure of all positions at the last believed mids, open orders at worst case, in reporting units."""
    gross = 0.0
    net = 0.0
    for i in range(s.clock.n_instruments):
        rule = s.fact.rule[i]
        unit = s.top[i].mid * float(rule[COST_NUM]) / float(rule[COST_DEN]) * MONEY * s.group[rule[QUOTE_ASSET]].reference
        held = 0
        most = 0
        for k in range(s.clock.n_strategies):
            p = s.fact.position[k, i]
            held += p.quantity
            most += max(abs(p.quantity + p.open_buy), abs(p.quantity - p.open_sell))
        gross += float(most) * unit
        net += float(held) * unit
    s.budget.gross = gross
    s.budget.net = net
