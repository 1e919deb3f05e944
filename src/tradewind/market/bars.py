"""Bars of the composed timeframes, from trades by time, or taken whole from a source of bars.

`past` keeps the closes of the last `history` bars as integers in price units, so that windowed sums are exact.
"""

from ..domain.codes import NEVER
from ..kernel.jit import compiled


@compiled
def add_trade(s, row) -> None:
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
def closes(s, i: int, k: int, end_ns: int) -> bool:
    """Closes the bar in the making if anything traded in it."""
    b = s.bar[i, k]
    if b.trades == 0:
        return False
    finish(s, i, k, end_ns)
    return True


@compiled
def finish(s, i: int, k: int, end_ns: int) -> None:
    b = s.bar[i, k]
    b.c_open = b.open
    b.c_high = b.high
    b.c_low = b.low
    b.c_close = b.close
    b.c_volume = b.volume
    b.last_end = end_ns
    ring = s.past[i, k]
    ring[b.closed & (ring.size - 1)] = b.close
    b.closed += 1
    b.volume = 0
    b.trades = 0


@compiled
def next_end(s, now: int) -> int:
    """The first boundary of any timeframe after `now`."""
    soonest = NEVER
    for k in range(s.frame_ns.size):
        soonest = min(soonest, (now // s.frame_ns[k] + 1) * s.frame_ns[k])
    return soonest


@compiled
def sound(row) -> bool:
    """Whether the four prices of a BAR row can belong together."""
    value = row.value
    low_below = (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
    top = max(row.price, row.ref)
    bottom = min(row.price, row.ref)
    return (value >> 32) >= 0 and low_below >= 0 and bottom - low_below > 0 and row.quantity >= 0 and top > 0


@compiled
def take(s, row, k: int) -> None:
    """A finished bar becomes the closed bar of timeframe k."""
    i = row.instrument
    b = s.bar[i, k]
    value = row.value
    b.open = row.ref
    b.close = row.price
    b.high = max(row.price, row.ref) + (value >> 32)
    b.low = min(row.price, row.ref) - ((value & 0xFFFFFFFF) - ((value & 0x80000000) << 1))
    b.volume = row.quantity
    b.trades = 1
    finish(s, i, k, row.ts_venue)


@compiled
def merge(s, i: int, k: int) -> None:
    """The bar that just closed at timeframe 0 goes into the one in the making at the longer timeframe k."""
    a = s.bar[i, 0]
    b = s.bar[i, k]
    if b.trades == 0:
        b.open = a.c_open
        b.high = a.c_high
        b.low = a.c_low
    b.high = max(b.high, a.c_high)
    b.low = min(b.low, a.c_low)
    b.close = a.c_close
    b.volume += a.c_volume
    b.trades += 1
    b.end_ns = a.last_end
