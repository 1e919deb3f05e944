"""The selector: how much of its wish each strategy gets, in 1/1024.

Every period each strategy's gain after fees, a ratio of equity, enters two exponential averages. Its score is the mean
divided by the deviation, shrunk toward zero by n / (n + shrink): few periods say little. The goal is
2 / (1 + exp(-8 score)) of its capital share, at most all of it, pulled back toward all by `shrinkage` and never below
`floor`: a strategy is full until it has shown a loss that noise does not explain. A weight leaves its place only for a goal
more than `hysteresis` away, or to become full again, and walks at most `step` a period. Each move is an EVIDENCE row.

What closes a position is never scaled, and legs that belong together are scaled by their strategy, alike.
"""

from typing import Any

from ..domain.codes import BUY, EVIDENCE
from ..domain.layout import COST_DEN, COST_NUM, QUOTE_ASSET
from ..domain.reasons import EDGE_OVER_COST, LEG_HEDGED, WEIGHT_MOVED
from ..kernel.emit import bounded_e9, emit
from ..kernel.jit import called, compiled
from ..kernel.maths import exp, sqrt

FULL = 1024
MONEY = 1e-8
TUNING = {
    "period_s": 60.0,
    "memory": 0.02,
    "shrink": 60.0,
    "step": 64.0,
    "floor": 128.0,
    "enabled": 1.0,
    "hysteresis": 0.05,
    "shrinkage": 0.5,
}
PERIOD, AVERAGING, SHRINK, STEP, FLOOR, ENABLED, HYSTERESIS, SHRINKAGE = range(8)


@compiled
def part(weight: int, quantity: int) -> int:
    """quantity * weight / 1024, rounded down, without leaving int64."""
    return (quantity >> 10) * weight + (((quantity & 1023) * weight) >> 10)


@compiled
def scaled(s: Any, k: int, i: int, side: int, t: Any) -> int:
    """The part of target t's quantity the strategy's weight allows; what closes its position passes whole."""
    weight = s.share[k].weight
    if weight == FULL or t.cause == LEG_HEDGED or t.cause == EDGE_OVER_COST:
        return int(t.quantity)
    held = s.fact.position[k, i].quantity
    closing = min(t.quantity, max(-held if side == BUY else held, 0))
    return int(closing + part(weight, t.quantity - closing))


@compiled
def worth_of(s: Any, k: int) -> float:
    """Strategy k's profit so far in reporting units: realised, unrealised at the believed mids, less fees."""
    total = 0.0
    for i in range(s.clock.n_instruments):
        p = s.fact.position[k, i]
        if p.traded == 0:
            continue
        rule = s.fact.rule[i]
        value = float(p.quantity) * s.top[i].mid * float(rule[COST_NUM]) / float(rule[COST_DEN])
        total += (value - float(p.basis) + float(p.realised) - float(p.charges)) * MONEY * s.group[rule[QUOTE_ASSET]].reference
    return total


@called
def select(s: Any, out: Any) -> None:
    """One period ends: measure every strategy and move the weights."""
    t = s.tuning
    for k in range(s.clock.n_strategies):
        share = s.share[k]
        now = worth_of(s, k)
        gain = (now - share.last_worth) / max(s.budget.equity, 1.0)
        share.last_worth = now
        share.worth = now
        share.n_seen += 1
        share.spread += t[AVERAGING] * ((gain - share.gain) * (gain - share.gain) - share.spread)
        share.gain += t[AVERAGING] * (gain - share.gain)
        if t[ENABLED] > 0.0:
            lean(s, k, out)


@compiled
def lean(s: Any, k: int, out: Any) -> None:
    """Moves one weight toward its goal and tells why."""
    share = s.share[k]
    t = s.tuning
    score = 0.0
    if share.spread > 0.0:
        score = share.gain / sqrt(share.spread) * float(share.n_seen) / (float(share.n_seen) + t[SHRINK])
    share.drive = score
    move = goal(score, t) - float(share.weight)
    if abs(move) <= t[HYSTERESIS] * float(FULL) and float(share.weight) + move < float(FULL):
        return
    step = int(min(max(move, -t[STEP]), t[STEP]))
    if step != 0:
        share.weight += step
        tell(s, k, score, out)


@compiled
def goal(score: float, t: Any) -> float:
    """The weight a score deserves, in 1/1024."""
    wish = min(2.0 * float(FULL) / (1.0 + exp(-8.0 * score)), float(FULL))
    return max(float(FULL) + (1.0 - t[SHRINKAGE]) * (wish - float(FULL)), min(t[FLOOR], float(FULL)))


@compiled
def tell(s: Any, k: int, score: float, out: Any) -> None:
    """The row that says a weight moved: its score, and where it stands now as a ratio."""
    r = emit(s, out, EVIDENCE, 0)
    r.strategy = k
    r.value = WEIGHT_MOVED
    r.price = bounded_e9(score)
    r.quantity = bounded_e9(float(s.share[k].weight) / float(FULL))
