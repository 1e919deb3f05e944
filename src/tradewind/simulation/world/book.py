"""One instrument's book at the venue: sorted levels, best first, and the changes waiting for the next message."""

from __future__ import annotations

from typing import Any

from tradewind.domain.codes import BUY, SELL
from tradewind.kernel import maths
from tradewind.kernel.checksum import CRC32_START, crc32_decimal, crc32_final
from tradewind.kernel.jit import called, compiled

from .chance import exponential, normal, uniform
from .layout import LEVELS, STAGED

_SIZE_SPREAD = 1.2
_HOLE = 5.0  # mean spacings: a wider gap between neighbours is a hole
_REACH = 2.0  # of the mean span of a full side: farther levels are withdrawn in time


@compiled
def best(s: Any, i: int, side: int) -> int:
    """Price of the touch; a side is never empty between events."""
    return s.book[i].prices[side, 0]


@compiled
def crosses(side: int, price: int, limit: int) -> bool:
    """Whether an order of `side` at `limit` reaches a resting price of the other side."""
    return price <= limit if side == BUY else price >= limit


@called
def set_level(s: Any, i: int, side: int, price: int, quantity: int) -> None:
    """Set one level (0 removes it) and stage the change. A book that is full first withdraws its farthest level."""
    book, counts = s.book[i], s.instrument_of[i].counts
    n, sign = counts[side], -1 if side == BUY else 1
    k = 0
    while k < n and sign * book.prices[side, k] < sign * price:
        k += 1
    found = k < n and book.prices[side, k] == price
    if quantity == 0 and not found:
        return
    if quantity == 0:
        for j in range(k, n - 1):
            book.prices[side, j], book.quantities[side, j] = book.prices[side, j + 1], book.quantities[side, j + 1]
        counts[side] = n - 1
    elif not found:
        if n == LEVELS:
            if k == n:
                return
            n -= 1
            _stage(s, i, side, book.prices[side, n], 0)
        for j in range(n, k, -1):
            book.prices[side, j], book.quantities[side, j] = book.prices[side, j - 1], book.quantities[side, j - 1]
        counts[side] = n + 1
    if quantity != 0:
        book.prices[side, k], book.quantities[side, k] = price, quantity
    _stage(s, i, side, price, quantity)


@called
def _stage(s: Any, i: int, side: int, price: int, quantity: int) -> None:
    it, book = s.instrument_of[i], s.book[i]
    it.update_id += 1
    for k in range(it.staged):
        if book.changes[k, 1] == price and book.changes[k, 0] == side:
            book.changes[k, 2] = quantity
            return
    if it.staged < STAGED:
        k = it.staged
        book.changes[k, 0], book.changes[k, 1], book.changes[k, 2] = side, price, quantity
        it.staged = k + 1
    else:
        s.overflow = 2


@called
def draw_quantity(s: Any, i: int, log_usd: float, spread: float) -> int:
    """A quantity in units whose cost is lognormal about exp(log_usd), a whole number of lots, at least the smallest."""
    it = s.instrument_of[i]
    usd = maths.exp(log_usd + spread * max(min(normal(s), 3.5), -3.5))
    lots = int(usd / it.price * it.quantity_unit / it.lot)
    return max(lots * it.lot, it.smallest)


@called
def level_quantity(s: Any, i: int, k: int) -> int:
    """A size for the k-th level of a side: the touch is a wall, deeper levels hold less and grow slowly."""
    it = s.instrument_of[i]
    return draw_quantity(s, i, it.touch_usd if k == 0 else it.level_usd + 0.02 * k, _SIZE_SPREAD)


@called
def gap_units(s: Any, i: int) -> int:
    """A distance between two neighbouring levels, in price units: whole ticks, at least one."""
    it = s.instrument_of[i]
    ticks = int(it.fair_units * it.spacing * exponential(s) / it.tick)
    return (1 + ticks) * it.tick


@called
def beyond(s: Any, i: int, side: int) -> int:
    """The nearest price for `side` that neither the fair price nor the other side's touch objects to."""
    it = s.instrument_of[i]
    price = int(it.fair_units / it.tick) * it.tick
    if it.counts[1 - side] > 0:
        other = best(s, i, 1 - side)
        return min(price, other - it.tick) if side == BUY else max(price + it.tick, other + it.tick)
    return price if side == BUY else price + it.tick


@called
def refill(s: Any, i: int, least: int) -> None:
    """Add levels until both sides hold `least`: in the first wide hole behind the touch, else behind the farthest."""
    it, book = s.instrument_of[i], s.book[i]
    hole = (2 + int(_HOLE * it.fair_units * it.spacing / it.tick)) * it.tick
    for side in range(2):
        sign = -1 if side == BUY else 1
        while it.counts[side] < least:
            n, k = it.counts[side], 1
            while k < n and (book.prices[side, k] - book.prices[side, k - 1]) * sign <= hole:
                k += 1
            price = beyond(s, i, side) if n == 0 else book.prices[side, k - 1] + sign * min(gap_units(s, i), hole - it.tick)
            if price < it.tick:
                break
            set_level(s, i, side, price, level_quantity(s, i, min(k, n)))


@called
def forget_far(s: Any, i: int, least: int) -> None:
    """Withdraw the farthest level of a side where it has been left behind by the market."""
    it, book = s.instrument_of[i], s.book[i]
    for side in range(2):
        n = it.counts[side]
        reach = it.fair_units * it.spacing * _REACH * s.most_levels + it.tick * s.most_levels
        if n > least and abs(book.prices[side, n - 1] - book.prices[side, 0]) > reach:
            set_level(s, i, side, book.prices[side, n - 1], 0)


@called
def improve(s: Any, i: int, side: int) -> None:
    """Quote inside a wide spread: mostly one tick from the other side, never beyond what the fair price bears."""
    it = s.instrument_of[i]
    own, other = best(s, i, side), best(s, i, 1 - side)
    sign = 1 if side == BUY else -1
    room = (other - own) * sign // it.tick - 1  # free ticks between
    if room <= 0:
        return
    borne = int(sign * (it.fair_units - own) / it.tick + it.fair_units * it.tolerance / it.tick)
    step = min(room, borne)
    if step <= 0:
        return
    if uniform(s) > it.tight:
        step = 1 + int(uniform(s) * step * 0.999)
    set_level(s, i, side, own + sign * step * it.tick, level_quantity(s, i, 0))


@called
def checksum(s: Any, i: int) -> int:
    """CRC32 over the ten best levels a side, asks first, as Kraken's v2 book defines it."""
    it, book = s.instrument_of[i], s.book[i]
    crc = CRC32_START
    for side in (SELL, BUY):
        for k in range(min(10, it.counts[side])):
            crc = crc32_decimal(crc, book.prices[side, k])
            crc = crc32_decimal(crc, book.quantities[side, k])
    return crc32_final(crc)
