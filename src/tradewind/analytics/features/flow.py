"""Microstructure: what book and trades say at the touch.

Trigger quote: the variance of the mid. Trigger trade: signed and total flow. Trigger decision: imbalance, microprice,
spread, read from the book when somebody is about to decide.
"""

from typing import Any

from ...domain.codes import BUY, SELL
from ...domain.layout import TICK
from ...kernel.jit import compiled

NAME = "flow"
MEMORY = [
    ("mid", "f8"), ("since", "i8"), ("variance_ticks", "f8"), ("variance_ratio", "f8"), ("signed", "f8"), ("total", "f8"),
    ("imbalance", "f8"), ("imbalance5", "f8"), ("microprice", "f8"), ("spread_bp", "f8"),
]  # fmt: skip
PER_FRAME = False
TAU_S = 30.0  # memory of the variances
TRADE_STEP = 0.05  # memory of the flows, a trade
DEEP = 5  # levels of the deep imbalance


@compiled
def on_quote(s: Any, i: int) -> None:
    """Variance of the mid a second, in ticks² and as a ratio, each change weighted by the time it took."""
    m = s.flow[i]
    mid = s.top[i].mid
    if m.mid > 0.0:
        dt = float(s.clock.now - m.since) * 1e-9
        move = (mid - m.mid) / float(s.fact.rule[i, TICK])
        ratio = (mid - m.mid) / m.mid
        weight = 1.0 / (dt + TAU_S)
        m.variance_ticks += (move * move - m.variance_ticks * dt) * weight
        m.variance_ratio += (ratio * ratio - m.variance_ratio * dt) * weight
    m.mid = mid
    m.since = s.clock.now


@compiled
def on_trade(s: Any, row: Any) -> None:
    m = s.flow[row.instrument]
    q = float(row.quantity)
    m.signed += TRADE_STEP * ((q if row.side == BUY else -q) - m.signed)
    m.total += TRADE_STEP * (q - m.total)


@compiled
def on_decision(s: Any, i: int) -> None:
    top = s.top[i]
    if top.bid == top.ask or top.mid <= 0.0:  # a market known by bars alone; a touch nobody believed yet
        return
    m = s.flow[i]
    b = float(top.bid_quantity)
    a = float(top.ask_quantity)
    if b + a <= 0.0:
        return
    m.imbalance = (b - a) / (b + a)
    m.imbalance5 = deep(s, i)
    m.microprice = (float(top.bid) * a + float(top.ask) * b) / (a + b)
    m.spread_bp = float(top.ask - top.bid) / top.mid * 1e4


@compiled
def deep(s: Any, i: int) -> float:
    """Imbalance of the best `DEEP` levels a side."""
    b = 0
    a = 0
    n = s.book[i].depth[BUY]
    for j in range(max(n - DEEP, 0), n):
        b += s.level_quantity[i, BUY, j]
    n = s.book[i].depth[SELL]
    for j in range(max(n - DEEP, 0), n):
        a += s.level_quantity[i, SELL, j]
    return float(b - a) / (float(b + a) + 1.0)
