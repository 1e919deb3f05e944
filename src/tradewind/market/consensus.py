"""Consensus: one reference price an asset, in the reporting currency, from all its sources.

The reference is the median of the eligible sources, so any one of three can be arbitrary and the reference still lies
within the other two's band. The group of an asset is every instrument with that base; its reference is at the same time
the asset's rate. Grade A: at least three agree; B: two agree; C: one source; none: two that disagree, or nobody. Without a
grade the reference stays what it last was: a bad print of one of two sources values nothing.
"""

from typing import Any

from ..domain.codes import GRADE_A, GRADE_B, GRADE_C, GRADE_NONE, SYNCED
from ..domain.layout import BASE, JUMP_BP, QUOTE_ASSET, STALE_NS
from ..domain.reasons import FROZEN_FEED, IMPOSSIBLE_JUMP, OFF_CONSENSUS
from ..kernel.jit import called, compiled


@compiled
def patience(s: Any, i: int) -> int:
    """How long instrument i may be silent, ns; a source of bars speaks once a bar and may miss one."""
    return s.fact.rule[i, STALE_NS] + 2 * s.trust[i].span_ns


@compiled
def eligible(s: Any, j: int) -> bool:
    """Whether instrument j may say what its asset is worth. One that just jumped may: that is how a real jump is confirmed."""
    top = s.top[j]
    heard = 0 < top.bid <= top.ask and top.condition == SYNCED and s.clock.now - top.ts <= patience(s, j)
    if not heard or top.suspect == OFF_CONSENSUS or top.suspect == FROZEN_FEED:
        return False
    return top.good + top.suspect != 0 and s.group[s.fact.rule[j, QUOTE_ASSET]].grade != GRADE_NONE


@compiled
def worth_of(s: Any, j: int) -> float:
    """The middle of instrument j's touch in reporting units; 0 where its quote asset has no rate."""
    top = s.top[j]
    return 0.5 * float(top.bid + top.ask) * top.scale * s.group[s.fact.rule[j, QUOTE_ASSET]].reference


@compiled
def update(s: Any, i: int) -> None:
    """Takes in the new touch of instrument i."""
    base = s.fact.rule[i, BASE]
    if base == s.clock.reporting:
        invert(s, i)
        return
    g = s.group[base]
    if g.n_members == 1:
        believe(s, g, g.member[0])
        return
    n = 0
    sure = 0
    for m in range(g.n_members):
        j = g.member[m]
        if eligible(s, j):
            x = worth_of(s, j)
            if x > 0.0:
                place(g, n, x)
                n += 1
                sure += s.top[j].good
    conclude(g, n, sure, float(s.fact.rule[i, JUMP_BP]) * 1e-4, s.clock.now)


@compiled
def believe(s: Any, g: Any, j: int) -> None:
    """A lone source: what it says is the reference, unless it is doubted; most of what bars bring comes this way."""
    g.ts = s.clock.now
    x = s.top[j].worth * s.group[s.fact.rule[j, QUOTE_ASSET]].reference if eligible(s, j) else 0.0
    g.voters = int(x > 0.0)
    if x > 0.0 and s.top[j].good != 0:
        g.reference = x
        g.band_low = x
        g.band_high = x
        g.dispersion = 0.0
        g.grade = GRADE_C
    else:
        g.grade = GRADE_NONE


@called
def invert(s: Any, i: int) -> None:
    """A pair that quotes the reporting currency in another asset gives that asset's rate, where nothing quotes it itself."""
    quoted = s.fact.rule[i, QUOTE_ASSET]
    g = s.group[quoted]
    if g.n_members != 0 or quoted == s.clock.reporting:
        return
    pairs = s.group[s.clock.reporting]
    n = 0
    sure = 0
    for m in range(pairs.n_members):
        j = pairs.member[m]
        top = s.top[j]
        heard = 0 < top.bid <= top.ask and top.condition == SYNCED and s.clock.now - top.ts <= patience(s, j)
        if heard and s.fact.rule[j, QUOTE_ASSET] == quoted and (top.good != 0 or top.suspect == IMPOSSIBLE_JUMP):
            place(g, n, 1.0 / (0.5 * float(top.bid + top.ask) * top.scale))
            n += 1
            sure += top.good
    conclude(g, n, sure, float(s.fact.rule[i, JUMP_BP]) * 1e-4, s.clock.now)


@called
def renew(s: Any) -> None:
    """Every reference anew: sources grow stale, and rates move, without a touch of their own."""
    for i in range(s.clock.n_instruments):
        base = s.fact.rule[i, BASE]
        g = s.group[base]
        if base == s.clock.reporting or (g.member[0] == i and not alone(s, i)):
            update(s, i)


@compiled
def alone(s: Any, i: int) -> bool:
    """Whether time by itself changes no reference here: a lone source that quotes the reporting currency and is not silent."""
    return bool(
        s.top[i].good != 0
        and s.top[i].condition == SYNCED
        and s.fact.rule[i, QUOTE_ASSET] == s.clock.reporting
        and s.group[s.fact.rule[i, BASE]].n_members == 1
        and s.group[s.fact.rule[i, BASE]].grade == GRADE_C
    )


@compiled
def place(g: Any, n: int, x: float) -> None:
    """Insertion into the sorted votes."""
    k = n
    while k > 0 and g.vote[k - 1] > x:
        g.vote[k] = g.vote[k - 1]
        k -= 1
    g.vote[k] = x


@compiled
def conclude(g: Any, n: int, sure: int, tolerance: float, now: int) -> None:
    """Grade and reference of n votes, `sure` of them by touches nobody doubts. A lone doubted touch decides nothing."""
    g.voters = n
    g.ts = now
    if n == 0 or (n == 1 and sure == 0):
        g.grade = GRADE_NONE
        return
    half = n // 2
    reference = g.vote[half] if n % 2 == 1 else 0.5 * (g.vote[half - 1] + g.vote[half])
    g.band_low = g.vote[0]
    g.band_high = g.vote[n - 1]
    g.dispersion = (g.band_high - g.band_low) / reference
    g.grade = grade_of(g, n, reference, tolerance)
    if g.grade != GRADE_NONE:
        g.reference = reference


@compiled
def within(g: Any, n: int, reference: float, tolerance: float) -> int:
    """How many of n votes lie within `tolerance` (a ratio) of the reference."""
    agree = 0
    for k in range(n):
        if abs(g.vote[k] - reference) <= tolerance * reference:
            agree += 1
    return agree


@called
def agreeing(s: Any, i: int, tolerance: float) -> int:
    """How many sources of instrument i's asset stand within `tolerance` of its reference."""
    g = s.group[s.fact.rule[i, BASE]]
    return within(g, g.voters, g.reference, tolerance)


@compiled
def grade_of(g: Any, n: int, reference: float, tolerance: float) -> int:
    """How many votes agree decides the grade."""
    agree = within(g, n, reference, tolerance)
    if agree >= 3:
        return GRADE_A
    if agree == 2:
        return GRADE_B
    return GRADE_C if n == 1 else GRADE_NONE
