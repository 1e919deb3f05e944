"""The selector: how much of its wish each strategy gets, in 1/1024.

Every period each strategy's gain after costs, a ratio of equity, enters two exponential averages. Its score is the mean
divided by the deviation, shrunk toward zero by n / (n + shrink): few periods say little. Weights move toward
1/(1 + exp(-score)) of the capital share times two, at most `step` a period (hysteresis), and never below `floor`.
"""

from typing import Any

from ..domain.layout import COST_DEN, COST_NUM, QUOTE_ASSET
from ..kernel.jit import called, compiled
from ..kernel.maths import exp, sqrt

FULL = 1024
MONEY = 1e-8
TUNING = {"period_s": 60.0, "memory": 0.02, "shrink": 60.0, "step": 64.0, "floor": 128.0, "enabled": 1.0}
PERIOD, AVERAGING, SHRINK, STEP, FLOOR, ENABLED = range(6)


@compiled
def scaled(s: Any, k: int, quantity: int) -> int:
    """The part of a wished quantity the strategy's weight allows."""
    w = s.share[k].weight
    return quantity if w == FULL else (quantity >> 10) * w + (((quantity & 1023) * w) >> 10)


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
def select(s: Any) -> None:
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
            lean(share, t)


@compiled
def lean(share: Any, t: Any) -> None:
    score = 0.0
    if share.spread > 0.0:
        score = share.gain / sqrt(share.spread) * float(share.n_seen) / (float(share.n_seen) + t[SHRINK])
    share.drive = score
    goal = 2.0 * float(FULL) / (1.0 + exp(-8.0 * score))
    goal = min(max(goal, t[FLOOR]), float(FULL))
    move = goal - float(share.weight)
    if move > t[STEP]:
        move = t[STEP]
    if move < -t[STEP]:
        move = -t[STEP]
    share.weight += int(move)
