"""Book and trade pressure over two memories: imbalance, microprice edge, spread and trade flow, 5 s and 120 s.

`flow` gives the same quantities as they stand at a decision; this is their recent past, for those who choose to pay for
it on every touch. Trigger quote: each state of the touch counts for as long as it stood: x += (state - x) dt / (dt + τ).
Trigger trade: flows a second, (x τ + q) / (dt + τ). Trigger decision: the share of signed in total flow.

Imbalance: Cont, Kukanov, Stoikov, The Price Impact of Order Book Events (2014). Microprice: the size-weighted mid of
Gatheral and Oomen, Zero-intelligence realized variance estimation (2010), given as its edge over the mid.
"""

from typing import Any

from ...domain.codes import BUY
from ...kernel.jit import compiled

NAME = "pressure"
SCALE = [("tilt", "f8"), ("edge_bp", "f8"), ("width_bp", "f8"), ("signed", "f8"), ("total", "f8"), ("one_sided", "f8")]
MEMORY = [
    ("quick", SCALE), ("steady", SCALE), ("stood_since", "i8"), ("trade_at", "i8"), ("tilt", "f8"), ("edge_bp", "f8"),
    ("width_bp", "f8"),
]  # fmt: skip
PER_FRAME = False
QUICK_S, STEADY_S = 5.0, 120.0


@compiled
def on_quote(s: Any, i: int) -> None:
    m = s.pressure[i]
    if m.stood_since > 0:
        dt = float(s.clock.now - m.stood_since) * 1e-9
        age_touch(m, m.quick, dt / (dt + QUICK_S))
        age_touch(m, m.steady, dt / (dt + STEADY_S))
    m.stood_since = s.clock.now
    top = s.top[i]
    b = float(top.bid_quantity)
    a = float(top.ask_quantity)
    if b + a > 0.0:
        m.tilt = (b - a) / (b + a)
        m.width_bp = float(top.ask - top.bid) / top.mid * 1e4
        m.edge_bp = 0.5 * m.tilt * m.width_bp


@compiled
def age_touch(m: Any, scale: Any, weight: float) -> None:
    """What the touch has been since it last changed enters one memory."""
    scale.tilt += (m.tilt - scale.tilt) * weight
    scale.edge_bp += (m.edge_bp - scale.edge_bp) * weight
    scale.width_bp += (m.width_bp - scale.width_bp) * weight


@compiled
def on_trade(s: Any, row: Any) -> None:
    m = s.pressure[row.instrument]
    dt = float(s.clock.now - m.trade_at) * 1e-9 if m.trade_at > 0 else 0.0
    m.trade_at = s.clock.now
    q = float(row.quantity)
    add_flow(m.quick, q if row.side == BUY else -q, dt, QUICK_S)
    add_flow(m.steady, q if row.side == BUY else -q, dt, STEADY_S)


@compiled
def add_flow(scale: Any, signed: float, dt: float, memory_s: float) -> None:
    """One trade enters the flows a second of one memory."""
    scale.signed = (scale.signed * memory_s + signed) / (dt + memory_s)
    scale.total = (scale.total * memory_s + abs(signed)) / (dt + memory_s)


@compiled
def on_decision(s: Any, i: int) -> None:
    m = s.pressure[i]
    m.quick.one_sided = m.quick.signed / m.quick.total if m.quick.total > 0.0 else 0.0
    m.steady.one_sided = m.steady.signed / m.steady.total if m.steady.total > 0.0 else 0.0
