"""What is true behind all venues: the latent log price of each asset.

A common factor and an own part per asset; regimes that switch (calm, trend, volatile, crash), a slow wave of
volatility, jumps; stablecoins drawn to their peg, which now and then break it for a while and come back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tradewind.kernel import maths
from tradewind.kernel.jit import called

from .chance import exponential, normal, uniform
from .layout import CRASH, DEPEG, FALLING, JUMP, LOGGED, PEGGED, RECOVERING, REGIME, TREND

STEP_NS = 20_000_000
_STEP_S = 0.02
_ROOT_STEP = 0.1414213562373095  # its square root
_BASIS_STEPS = 50  # the basis of an instrument wanders once a second

# by regime: calm, trend, volatile, crash
MEAN_S = np.array([420.0, 240.0, 100.0, 12.0])
VOLATILITY = np.array([0.75, 0.95, 2.0, 4.0])
ACTIVITY = np.array([0.8, 1.1, 1.8, 3.0])
JUMPS_PER_S = np.array([1 / 150.0, 1 / 90.0, 1 / 40.0, 1 / 6.0])
_JUMP = 0.0003  # three quarters of the mean size of a jump in a regime of volatility 1
_TREND = 0.000008  # drift per second of a trend, on average
_CRASH = -0.00035
_NEXT = np.array([[0.0, 0.70, 0.98, 1.0], [0.65, 0.65, 0.97, 1.0], [0.50, 0.92, 0.92, 1.0], [0.0, 0.10, 1.0, 1.0]])  # cumulative
_WAVE, _WAVE_S = 0.6, 120.0  # deviation and memory of log volatility within a regime
_PEG_PULL = 1 / 200.0
_WANDER_S, _WANDER_ROOT = 90.0, 0.149  # memory of a basis, and the root of twice its inverse
_PEG_NOISE = 0.00002  # per root second


@called
def note(s: Any, fault: int, place: int, start: int, finish: int, magnitude: float) -> None:
    """Write one line of truth; the driver fetches them long before the table is full."""
    if s.n_truths < LOGGED:
        t = s.truth[s.n_truths]
        t.fault, t.place, t.start, t.finish, t.magnitude = fault, place, start, finish, magnitude
        t.ref_id, t.hits = 0, 0
        s.n_truths += 1


@called
def switch_regime(s: Any) -> None:
    """Enter the next regime of the Markov chain, its length exponential."""
    u, old = uniform(s), s.regime
    new = 0
    while new < 3 and u >= _NEXT[old, new]:
        new += 1
    length_s = MEAN_S[new] * (0.4 + 0.6 * exponential(s)) / s.tempo
    s.regime, s.regime_until = new, s.now + int(length_s * 1e9)
    s.drift = 0.0
    if new == TREND:
        s.drift = (_TREND if uniform(s) < 0.5 else -_TREND) * (0.5 + uniform(s))
    if new == CRASH:
        s.drift = _CRASH * (0.5 + exponential(s))
    note(s, REGIME, -1, s.now, s.regime_until, float(new))


@called
def break_peg(s: Any, a: int, depth: float, fall_ns: int, recovery_ns: int) -> None:
    """Let a stablecoin fall to 1 - depth within about `fall_ns` and come back within `recovery_ns`."""
    asset = s.asset[a]
    asset.phase, asset.phase_until = FALLING, s.now + fall_ns
    asset.peg, asset.pull = maths.log(1.0 - depth), 3e9 / fall_ns
    asset.depth, asset.recovery_ns = depth, recovery_ns
    note(s, DEPEG, a, s.now, s.now + fall_ns + recovery_ns, depth)


@called
def _step_stable(s: Any, a: int) -> None:
    asset = s.asset[a]
    if asset.phase == FALLING and s.now >= asset.phase_until:
        asset.phase, asset.phase_until = RECOVERING, s.now + asset.recovery_ns
        asset.peg, asset.pull = 0.0, 4e9 / asset.recovery_ns
    elif asset.phase == RECOVERING and s.now >= asset.phase_until:
        asset.phase, asset.pull = PEGGED, _PEG_PULL
    elif asset.phase == PEGGED and s.depeg_rate > 0.0 and uniform(s) < s.depeg_rate * s.tempo * _STEP_S:
        break_peg(s, a, 0.01 + 0.1 * uniform(s), int(600e9 / s.tempo), int(6000e9 / s.tempo))
    noise = (
        _PEG_NOISE * s.volatility
        if asset.phase == PEGGED
        else _PEG_NOISE * 8.0 + 0.02 * maths.sqrt(s.tempo) * abs(asset.level) * 0.1
    )
    pull = min(asset.pull * (s.tempo if asset.phase == PEGGED else 1.0) * _STEP_S, 1.0)
    asset.level += pull * (asset.peg - asset.level) + noise * _ROOT_STEP * normal(s)


@called
def prepare(s: Any) -> None:
    """Turn the prices and sizes of the spec into logs; here, so that they have the same bits everywhere."""
    for a in range(s.n_assets):
        s.asset[a].level = maths.log(s.asset[a].level)
    for i in range(s.n_instruments):
        it = s.instrument_of[i]
        it.touch_usd, it.level_usd, it.trade_usd = maths.log(it.touch_usd), maths.log(it.level_usd), maths.log(it.trade_usd)


@called
def step(s: Any) -> None:
    """Move every latent price by one step of `STEP_NS`."""
    if s.steps == 0:
        prepare(s)
    if s.now >= s.regime_until:
        switch_regime(s)
    root = maths.sqrt(s.tempo)
    s.log_vol += -s.log_vol * min(_STEP_S * s.tempo / _WAVE_S, 1.0) + _WAVE * maths.sqrt(
        min(2.0 * s.tempo * _STEP_S / _WAVE_S, 1.0)
    ) * normal(s)
    common = normal(s)
    wave = VOLATILITY[s.regime] * s.volatility * maths.exp(s.log_vol) * root * _ROOT_STEP
    drift = s.drift * s.volatility * s.tempo * _STEP_S
    if uniform(s) < JUMPS_PER_S[s.regime] * s.tempo * _STEP_S:
        size = exponential(s)
        jump = (_JUMP if uniform(s) < 0.5 else -_JUMP) * VOLATILITY[s.regime] * s.volatility * size * maths.sqrt(size)
        note(s, JUMP, -1, s.now, s.now, jump)
        drift += jump
    for a in range(s.n_assets):
        asset = s.asset[a]
        if asset.stable:
            _step_stable(s, a)
        elif asset.deviation > 0.0:
            asset.level += asset.beta * drift + asset.deviation * wave * (asset.loading * common + asset.own * normal(s))
    s.steps += 1
    if s.steps % _BASIS_STEPS == 0:
        for i in range(s.n_instruments):
            it = s.instrument_of[i]
            step_size = s.venue_of[it.venue].wander * _WANDER_ROOT * root * (0.3 if s.asset[it.base_asset].stable else 1.0)
            it.wander += -it.wander * min(s.tempo / _WANDER_S, 1.0) + step_size * normal(s)
