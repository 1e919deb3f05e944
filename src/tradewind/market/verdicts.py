"""Verdicts: how it is told that something was not believed, once an episode, and by the name that fits the fault best.

A VERDICT row carries a measured value and the threshold it broke; its stream, number and id name the row it is about, or
the stream of the touch where time or comparison brought it to light.
"""

from typing import Any

from ..domain.layout import BASE, QUOTE_ASSET, VENUE
from ..domain.reasons import HOLE_IN_STREAM, WRONG_INSTRUMENT, WRONG_SCALE
from ..kernel.emit import verdict
from ..kernel.jit import called, compiled

NEIGHBOURS = 0.05  # assets this near to each other (ratio) cannot be taken for one another
ALIKE_BP = 50.0  # a touch this near to another instrument's of the same venue is taken for that one's
POWERS = 9  # powers of ten that are looked at, both ways
ROUNDING = 0.05  # how far from a power of ten a wrong unit may lie: the market moves meanwhile


@compiled
def is_news(s: Any, i: int, code: int) -> bool:
    """Whether this episode has not been told of the code yet; from now on it has."""
    trust = s.trust[i]
    bit = 1 << (code - HOLE_IN_STREAM)
    if trust.told & bit:
        return False
    trust.told |= bit
    trust.blame = code
    return True


@called
def tell_row(s: Any, row: Any, code: int, measured: float, threshold: float, out: Any) -> None:
    """One row is not believed. Told once an episode, instrument and code; the watch ends the episode of what stands well again."""
    if is_news(s, row.instrument, code):
        r = verdict(s, out, row.instrument, code, measured, threshold)
        r.source = row.source
        r.stream_seq = row.stream_seq
        r.ref = row.ref


@called
def tell_touch(s: Any, i: int, code: int, measured: float, threshold: float, out: Any) -> None:
    """The instrument's touch, or its silence, is not believed."""
    if is_news(s, i, code):
        r = verdict(s, out, i, code, measured, threshold)
        r.source = s.top[i].heard_from
        r.stream_seq = s.source[s.top[i].heard_from].last_seq
        r.ref = s.book[i].last_id


@called
def tell_stray(s: Any, i: int, code: int, measured: float, threshold: float, out: Any) -> None:
    """A touch stands where it cannot: as another unit or another instrument where it looks like one, else by `code`."""
    top = s.top[i]
    worth = 0.5 * float(top.bid + top.ask) * top.scale
    rate = s.group[s.fact.rule[i, QUOTE_ASSET]].reference
    known = s.group[s.fact.rule[i, BASE]].reference
    ratio = worth / (top.mid * top.scale) if top.mid > 0.0 else 0.0
    factor = power_of_ten(ratio)
    if factor == 0.0 and rate > 0.0 and known > 0.0:  # its own last price is old, or was believed for a moment
        ratio = worth * rate / known
        factor = power_of_ten(ratio)
    if factor != 0.0:
        tell_touch(s, i, WRONG_SCALE, ratio, factor, out)
    elif resembles_another(s, i, worth):
        tell_touch(s, i, WRONG_INSTRUMENT, measured, ALIKE_BP, out)
    else:
        tell_touch(s, i, code, measured, threshold, out)


@compiled
def power_of_ten(ratio: float) -> float:
    """The power of ten (not 1) that the ratio stands for, or 0."""
    factor = 10.0
    for _ in range(POWERS):
        if abs(ratio - factor) <= ROUNDING * factor:
            return factor
        if abs(ratio * factor - 1.0) <= ROUNDING:
            return 1.0 / factor
        factor *= 10.0
    return 0.0


@compiled
def resembles_another(s: Any, i: int, worth: float) -> bool:
    """Whether another instrument of the venue, of another asset, stands at this price: data under the wrong symbol.

    One that stands where this one should (two stablecoins at par) tells nothing.
    """
    rate = s.group[s.fact.rule[i, QUOTE_ASSET]].reference
    known = s.group[s.fact.rule[i, BASE]].reference / rate if rate > 0.0 else 0.0
    for j in range(s.clock.n_instruments):
        other = s.top[j]
        if s.fact.rule[j, VENUE] == s.fact.rule[i, VENUE] and s.fact.rule[j, BASE] != s.fact.rule[i, BASE] and other.good != 0:
            there = other.mid * other.scale
            if abs(worth - there) * 1e4 <= ALIKE_BP * there and abs(known - there) > NEIGHBOURS * there:
                return True
    return False
