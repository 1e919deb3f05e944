"""Bars of the composed timeframes, from trades by time, or taken whole from a source of bars.

`past` keeps the closes of the last `history` bars as integers in price units, so that windowed sums are exact.
"""

from typing import Any

from ..domain.codes import NEVER, SYNCED
from ..kernel.jit import called, compiled


@compiled
def add_trade(s: Any, row: Any) -> None:
    """A trade enters the bar in the making of every timeframe."""
    for k in range(s.frame_ns.size):
        b = s.bar[row.instrument, k]
        if b.trades == 0:
            b.open = row.price
            b.high = row.price
            b.low = row.price
        b.high = max(b.high, row.price)
        b.low = min(b.low, row.price)
        b.close = row.price
        b.volume += row.quantity
        b.trades += 1


@compiled
def closes(s: Any, i: int, k: int, end_ns: int) -> bool:
    """Closes the bar in the making if anything traded in it."""
    b = s.bar[i, k]
    if b.trades == 0:
        return False
    finish(s, i, k, end_ns)
    return True


@compiled
def finish(s: Any, i: int, k: int, end_ns: int) -> None:
    b = s.bar[i, k]
    b.c_open = b.open
    b.c_high = b.high
    b.c_low = b.low
    b.c_close = b.close
    b.c_volume = b.volume
    b.volume = 0
    b.trades = 0
    closed(s, i, k, end_ns)


@compiled
def closed(s: Any, i: int, k: int, end_ns: int) -> None:
    """The closed bar of timeframe k is whole: its close joins the past ones."""
    b = s.bar[i, k]
    b.last_end = end_ns
    ring = s.past[i, k]
    ring[b.closed & (ring.size - 1)] = b.c_close
    b.closed += 1


@compiled
def next_end(s: Any, now: int) -> int:
    """The first boundary of any timeframe after `now`."""
    soonest = NEVER
    for k in range(s.frame_ns.size):
        if s.frame_ns[k] > 0:
            soonest = min(soonest, (now // s.frame_ns[k] + 1) * s.frame_ns[k])
    return soonest


@compiled
def take(s: Any, row: Any, i: int, k: int) -> None:
    """A finished bar, a sound one, becomes the closed bar of timeframe k."""
    b = s.bar[i, k]
    value = row.value
    b.c_open = row.ref
    b.c_high = max(row.price, row.ref) + (value >> 32)
    b.c_low = min(row.price, row.ref) - (value & 0xFFFFFFFF)
    b.c_close = row.price
    b.c_volume = row.quantity
    closed(s, i, k, row.ts_venue)


@called
def pass_over(s: Any, row: Any, f: int) -> None:
    """A bar that is not believed is none, but it was heard: the next one follows it, and it is not told twice."""
    if f >= 0:
        s.bar[row.instrument, f].last_end = row.ts_venue
        s.bar[row.instrument, f].c_high = s.bar[row.instrument, f].c_close
        s.bar[row.instrument, f].c_low = s.bar[row.instrument, f].c_close


@compiled
def is_shortest(s: Any, row: Any) -> bool:
    """Whether a BAR row belongs to the first of the composed timeframes."""
    return bool(s.frame_code[0] == row.strategy and s.frame_ns[0] > 0)


@compiled
def frame_of(s: Any, row: Any) -> int:
    """The timeframe a BAR row belongs to, -1 where it is none of the composed ones."""
    for f in range(s.frame_code.size):
        if s.frame_code[f] == row.strategy and s.frame_ns[f] > 0:
            return f
    return -1


@compiled
def touch(s: Any, row: Any, i: int) -> None:
    """Where a market is known by bars alone, its touch is the close."""
    top = s.top[i]
    top.moved = 1
    top.bid = row.price
    top.ask = row.price
    top.bid_quantity = row.quantity
    top.ask_quantity = row.quantity
    top.ts = row.ts_local
    top.ts_venue = row.ts_venue
    top.heard_from = row.source
    top.last_price = row.price
    top.condition = SYNCED


@compiled
def has_longer(s: Any, f: int) -> bool:
    return bool(f + 1 < s.frame_ns.size and s.frame_ns[f + 1] > 0)


@compiled
def merges(s: Any, i: int, f: int, longer: int, step: int) -> bool:
    """The bar that just closed at timeframe f goes into the longer one; True where that closed a bar of the longer one.

    Step 0 closes what is left of a former bucket (its last parts never came), step 1 takes the bar in.
    """
    length = s.frame_ns[longer]
    a = s.bar[i, f]
    b = s.bar[i, longer]
    if length <= 0:
        return False
    end_ns = (a.last_end - 1) // length * length + length
    if step == 0:
        if b.trades == 0 or b.end_ns == end_ns:
            return False
        finish(s, i, longer, b.end_ns)
        return True
    if b.trades == 0:
        b.open = a.c_open
        b.high = a.c_high
        b.low = a.c_low
        b.end_ns = end_ns
    b.high = max(b.high, a.c_high)
    b.low = min(b.low, a.c_low)
    b.close = a.c_close
    b.volume += a.c_volume
    b.trades += 1
    if a.last_end != end_ns:
        return False
    finish(s, i, longer, end_ns)
    return True
