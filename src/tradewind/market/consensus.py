"""Consensus: one reference price an asset, in the reporting currency, from all its sources.

The reference is the median of the eligible sources, so any one of three can be arbitrary and the reference still lies
within the other two's band. The group of an asset is every instrument with that base; its reference is at the same time
the asset's rate. Grade A: at least three agree; B: two agree; C: one source; none: two that disagree, or nobody.
"""

from typing import Any

from ..domain.codes import GRADE_A, GRADE_B, GRADE_C, GRADE_NONE, SYNCED
from ..domain.layout import BASE, JUMP_BP, QUOTE_ASSET, STALE_NS
from ..kernel.jit import compiled


@compiled
def update(s: Any, i: int) -> None:
    """Takes in the new touch of instrument i."""
    g = s.group[s.fact.rule[i, BASE]]
    n = 0
    for m in range(g.n_members):
        j = g.member[m]
        top = s.top[j]
        if top.bid <= 0 or top.bid > top.ask or top.condition != SYNCED:
            continue
        if s.clock.now - top.ts > s.fact.rule[j, STALE_NS] or top.good + top.suspect == 0:
            continue
        rate = s.group[s.fact.rule[j, QUOTE_ASSET]].reference
        if rate <= 0.0:
            continue
        place(g, n, 0.5 * float(top.bid + top.ask) * top.scale * rate)
        n += 1
    conclude(g, n, float(s.fact.rule[i, JUMP_BP]) * 1e-4, s.clock.now)


@compiled
def place(g: Any, n: int, x: float) -> None:
    """Insertion into the sorted votes."""
    k = n
    while k > 0 and g.vote[k - 1] > x:
        g.vote[k] = g.vote[k - 1]
        k -= 1
    g.vote[k] = x


@compiled
def conclude(g: Any, n: int, tolerance: float, now: int) -> None:
    g.voters = n
    g.ts = now
    if n == 0:
        g.grade = GRADE_NONE
        return
    half = n // 2
    g.reference = g.vote[half] if n % 2 == 1 else 0.5 * (g.vote[half - 1] + g.vote[half])
    g.band_low = g.vote[0]
    g.band_high = g.vote[n - 1]
    g.dispersion = (g.band_high - g.band_low) / g.reference
    g.grade = grade_of(g, n, tolerance)


@compiled
def grade_of(g: Any, n: int, tolerance: float) -> int:
    """How many votes lie within `tolerance` (a ratio) of the reference decides the grade."""
    agree = 0
    for k in range(n):
        if abs(g.vote[k] - g.reference) <= tolerance * g.reference:
            agree += 1
    if agree >= 3:
        return GRADE_A
    if agree == 2:
        return GRADE_B
    return GRADE_C if n == 1 else GRADE_NONE
