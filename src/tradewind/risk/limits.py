"""What we may: exposure at worst case, the order-rate budget, and the note a refusal leaves."""

from typing import Any

from ..domain.codes import BUY, GRADE_A, GRADE_NONE, SECOND
from ..domain.layout import BASE, COST_DEN, COST_NUM, DEMOTION, ORDERS_PER_S, QUOTE_ASSET
from ..domain.reasons import RATE_LIMIT
from ..kernel.jit import called, compiled

MONEY = 1e-8
SIZE_BY_GRADE = (0.0, 0.5, 1.0, 1.0)  # none, C, B, A: what one source alone says is traded at half size


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
def unit_worth(s: Any, i: int, price: float) -> float:
    """Reporting units for one quantity unit of instrument i at `price`."""
    rule = s.fact.rule[i]
    return price * float(rule[COST_NUM]) / float(rule[COST_DEN]) * MONEY * s.group[rule[QUOTE_ASSET]].reference


@compiled
def most_grade(s: Any, i: int) -> int:
    """The best grade instrument i can be traded at: its source may be of less trust (rule DEMOTION)."""
    return max(GRADE_NONE, min(GRADE_A, GRADE_A - s.fact.rule[i, DEMOTION]))


@compiled
def grade_at(s: Any, i: int) -> int:
    """The grade at which instrument i is traded: its asset's, or less where its own source is of less trust."""
    return min(s.group[s.fact.rule[i, BASE]].grade, most_grade(s, i))


@compiled
def most_of_size(s: Any, i: int) -> float:
    """The part of a limit on order and position that instrument i may use."""
    return SIZE_BY_GRADE[most_grade(s, i)]


@compiled
def unclaimed(s: Any, i: int) -> Any:
    """The position of instrument i that came of orders nobody knows: no strategy's, but the book's."""
    return s.fact.position[s.fact.position.shape[0] - 1, i].quantity


@compiled
def worst(s: Any, scope: int, i: int, side: int) -> int:
    """Position of instrument i if every open order of `side` filled: of strategy scope - 1, or (0) of the book."""
    first = 0 if scope == 0 else scope - 1
    last = s.clock.n_strategies if scope == 0 else scope
    net = unclaimed(s, i) if scope == 0 else 0
    for k in range(first, last):
        p = s.fact.position[k, i]
        net += p.quantity + (p.open_buy if side == BUY else -p.open_sell)
    return net


@called
def totals(s: Any, scope: int, k: int, i: int, change: int, unit: float) -> Any:
    """Gross, highest and lowest net exposure of `scope` at worst case, as if strategy k's order of `change` were open too.

    In reporting units, at the last believed mids; instrument i at no less than `unit`. change: negative is a sale.
    """
    gross = 0.0
    high = 0.0
    low = 0.0
    first = 0 if scope == 0 else scope - 1
    last = s.clock.n_strategies if scope == 0 else scope
    for j in range(s.clock.n_instruments):
        left = unclaimed(s, j) if scope == 0 else 0
        one = 0.0
        for n in range(first, last):
            p = s.fact.position[n, j]
            most = p.quantity + p.open_buy
            least = p.quantity - p.open_sell
            if j == i and n == k:
                most += max(change, 0)
                least += min(change, 0)
            if most | least | left == 0:
                continue
            if one == 0.0:
                one = unit_worth(s, j, s.top[j].mid)
                if j == i:
                    one = max(one, unit)
            gross += float(max(abs(most), abs(least)) + abs(left)) * one
            high += float(most + left) * one
            low += float(least + left) * one
            left = 0
    return gross, high, low


@compiled
def spend(s: Any, k: int, i: int) -> int:
    """Takes one order out of the rate budget, a token bucket one second deep: n at once, n a second, never 2n within one."""
    b = s.budget
    per_s = s.fact.limit[0, ORDERS_PER_S]
    elapsed = max(min(s.clock.now - b.ts, SECOND), 0)
    b.tokens_e9 = min(per_s * SECOND, b.tokens_e9 + elapsed * per_s)
    b.ts = max(s.clock.now, b.ts)
    if b.tokens_e9 < SECOND:
        return note(s, k, i, RATE_LIMIT, float(b.tokens_e9) * 1e-9, float(per_s))
    b.tokens_e9 -= SECOND
    return 0
