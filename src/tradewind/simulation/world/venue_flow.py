"""What happens at a venue: makers follow the fair price, orders arrive in bursts, the book and the prints say so.

An event of an instrument is one decision somebody takes there: when the fair price has left the touch by more than the
tolerance, the stale side is swept or pulled; else a trade by someone who knows nothing, a new quote, or a change in the
book. Arrivals excite themselves on two time scales (Hawkes with exponential kernels, by thinning); the signs of trades
come in runs of heavy-tailed length (after Lillo, Mike and Farmer 2005), so they remember.
"""

from __future__ import annotations

from typing import Any

from tradewind.domain.codes import BUY, DEPTH, FIRST, LAST, NEVER, QUOTE, RESYNC, SELL, SNAPSHOT, TRADE, WHOLE
from tradewind.kernel import maths
from tradewind.kernel.jit import called, compiled

from .book import best, checksum, crosses, draw_quantity, forget_far, improve, level_quantity, refill, set_level
from .chance import below, exponential, normal, pick, uniform
from .faults import lie_of, touch
from .layout import DECIMAL_SHIFT, DROPPED, DUPLICATED, GAP, LEVELS, NO_FAULT, STAGED, STALE_BOOK, SWAPPED
from .messages import begin, mark_of, put
from .process import ACTIVITY

LEAST_LEVELS = 12
_FAST_BRANCHING, _SLOW_BRANCHING = 0.45, 0.25  # events caused by an event, by kernel
_FAST_PER_S, _SLOW_PER_S = 20.0, 0.3
_NEWS_WEIGHT = 0.2  # of an order that corrects a stale touch, in what it causes
_TRADE_SPREAD = 2.0
_EARLY = STAGED // 2  # a batch as long as this does not wait for its time


@called
def follow_fair(s: Any, i: int) -> None:
    """Bring the instrument's fair price to now: correction towards the latent price, own noise, basis, the venue's lie."""
    it = s.instrument_of[i]
    venue = s.venue_of[it.venue]
    dt = (s.now - it.last_ns) * 1e-9
    it.last_ns = s.now
    truth = s.asset[it.base_asset].level - s.asset[it.quote_asset].level + it.basis + it.wander + lie_of(s, it.venue)
    gain = 1.0 - maths.exp(-venue.follow * dt)
    it.fair += (truth - it.fair) * gain + venue.noise * maths.sqrt(dt) * normal(s)
    it.price = maths.exp(it.fair)
    it.fair_units = it.price * it.price_unit
    it.fast *= maths.exp(-_FAST_PER_S * dt)
    it.slow *= maths.exp(-_SLOW_PER_S * dt)


@compiled
def intensity(s: Any, i: int) -> float:
    """Events per second of instrument i, as of its last event."""
    it = s.instrument_of[i]
    calm = it.rate * (1.0 - _FAST_BRANCHING - _SLOW_BRANCHING)
    return calm * s.activity * ACTIVITY[s.regime] + it.fast + it.slow


@called
def schedule(s: Any, i: int) -> None:
    """Put the next candidate of instrument i's arrivals, under the intensity now as bound."""
    it = s.instrument_of[i]
    it.bound = intensity(s, i)
    s.due[i] = s.now + 1 + int(exponential(s) / it.bound * 1e9)


@called
def excite(s: Any, i: int, weight: float) -> None:
    """Let a trade draw others after it; intensity is capped, as a venue's engine is."""
    it = s.instrument_of[i]
    trades = it.trade_share
    it.fast = min(it.fast + weight * _FAST_BRANCHING * _FAST_PER_S / trades, 12.0 * it.rate * s.activity)
    it.slow = min(it.slow + weight * _SLOW_BRANCHING * _SLOW_PER_S / trades, 3.0 * it.rate * s.activity)


@called
def event(s: Any, queue: Any, i: int) -> None:
    """One arrival at instrument i, thinned; then its messages and the next candidate."""
    it = s.instrument_of[i]
    follow_fair(s, i)
    if uniform(s) * it.bound <= intensity(s, i):
        act(s, queue, i)
        refill(s, i, LEAST_LEVELS)
        if uniform(s) < 0.7 * it.tight * it.tight:
            tighten(s, i)
        if s.venue_of[it.venue].batch_ns == 0 or it.staged > _EARLY:
            flush(s, queue, i)
        elif s.due[s.n_instruments + i] == NEVER and it.staged > 0:
            batch_ns = s.venue_of[it.venue].batch_ns
            s.due[s.n_instruments + i] = (s.now // batch_ns + 1) * batch_ns
        quote(s, queue, i)
    schedule(s, i)


@called
def act(s: Any, queue: Any, i: int) -> None:
    """Decide what the event is."""
    it = s.instrument_of[i]
    reach = it.fair_units * it.tolerance
    if it.fair_units > best(s, i, SELL) + reach:
        return correct(s, queue, i, BUY)
    if it.fair_units < best(s, i, BUY) - reach:
        return correct(s, queue, i, SELL)
    u = uniform(s)
    if u < it.trade_share:
        return noise_trade(s, queue, i)
    if u < it.trade_share + 0.25 + 0.5 * it.tight and tighten(s, i):
        return None
    return rearrange(s, i)


@called
def tighten(s: Any, i: int) -> bool:
    """Quote inside the spread on the side the fair price leans to; whether there was room."""
    bid, ask = best(s, i, BUY), best(s, i, SELL)
    if ask - bid <= s.instrument_of[i].tick:
        return False
    improve(s, i, BUY if s.instrument_of[i].fair_units > 0.5 * (bid + ask) else SELL)
    return True


@called
def correct(s: Any, queue: Any, i: int, side: int) -> None:
    """The touch is stale: somebody takes it, makers pull what is left beyond the fair price, new quotes follow."""
    it, book = s.instrument_of[i], s.book[i]
    limit = int(it.fair_units)
    if uniform(s) < 0.6:
        consume(s, queue, i, side, limit, draw_quantity(s, i, it.trade_usd + 3.0, _TRADE_SPREAD))
        excite(s, i, _NEWS_WEIGHT)
    other = 1 - side
    while it.counts[other] > 0 and crosses(side, book.prices[other, 0], limit):
        set_level(s, i, other, book.prices[other, 0], 0)
    refill(s, i, LEAST_LEVELS)
    if uniform(s) < it.tight:
        improve(s, i, side)


@called
def noise_trade(s: Any, queue: Any, i: int) -> None:
    """A trade without news; its side continues a run or is anybody's, and it leaves a small mark on the fair price."""
    it = s.instrument_of[i]
    if it.run_left <= 0:
        it.run_sign = below(s, 2)
        it.run_left = min(int(maths.exp(exponential(s) / 1.25)), 400)
    side = it.run_sign
    if uniform(s) < 0.12:
        side = below(s, 2)
    else:
        it.run_left -= 1
    touch_price = best(s, i, 1 - side)
    reach = int(0.5 * it.fair_units * it.tolerance)
    limit = touch_price + reach if side == BUY else touch_price - reach
    consume(s, queue, i, side, limit, draw_quantity(s, i, it.trade_usd, _TRADE_SPREAD))
    it.fair += (0.03 if side == BUY else -0.03) * it.tolerance
    excite(s, i, 1.0)


@called
def consume(s: Any, queue: Any, i: int, side: int, limit: int, quantity: int) -> None:
    """Match an incoming order of `side` against the other side up to `limit`: one print a level, and its effect."""
    it, book, other = s.instrument_of[i], s.book[i], 1 - side
    heard = s.trouble[i].fault != GAP
    if heard and crosses(side, book.prices[other, 0], limit):
        begin(s, i, it.trade_source, TRADE)
    while quantity > 0 and it.counts[other] > 1 and crosses(side, book.prices[other, 0], limit):
        price = book.prices[other, 0]
        taken = min(quantity, book.quantities[other, 0])
        it.trade_id += 1
        if heard:
            s.message_ref = it.trade_id
            put(s, queue, side, WHOLE, _shown(s, i, price, it.trade_id), taken, 0)
        set_level(s, i, other, price, book.quantities[other, 0] - taken)
        quantity -= taken


@called
def rearrange(s: Any, i: int) -> None:
    """Add, change or cancel one level, most often near the touch; the number of levels is held about its mean."""
    it, book = s.instrument_of[i], s.book[i]
    side = below(s, 2)
    forget_far(s, i, LEAST_LEVELS)
    n = it.counts[side]
    k = pick(s, n)
    price, quantity = book.prices[side, k], book.quantities[side, k]
    if uniform(s) < 0.5 + 0.06 * (0.5 * (LEAST_LEVELS + s.most_levels) - n):
        gap = abs(book.prices[side, min(k + 1, n - 1)] - price) // it.tick
        if gap > 1 and uniform(s) < 0.6:
            step = (1 + below(s, gap - 1)) * it.tick
            set_level(s, i, side, price - step if side == BUY else price + step, level_quantity(s, i, k + 1))
        elif uniform(s) < 0.3:
            refill(s, i, min(n + 1, s.most_levels))
        else:
            set_level(s, i, side, price, level_quantity(s, i, k))
    elif n > LEAST_LEVELS and uniform(s) < (0.1 if k == 0 else 0.7):
        set_level(s, i, side, price, 0)
    else:
        left = int(quantity * uniform(s)) // it.lot * it.lot
        if left >= it.smallest:
            set_level(s, i, side, price, left)


@called
def flush(s: Any, queue: Any, i: int) -> None:
    """Send the staged changes as one depth message, or as the fault of the moment has it."""
    it = s.instrument_of[i]
    s.due[s.n_instruments + i] = NEVER
    n, fault = it.staged, s.trouble[i].fault
    if n == 0:
        return
    fresh = s.trouble[i].hits == 0
    if fault in (GAP, STALE_BOOK) or (fault == DROPPED and fresh):
        touch(s, i, n, it.update_id)
        if fault == DROPPED:
            s.trouble[i].magnitude = provable(s, i)
    elif fault == SWAPPED and fresh and n > 1:
        half = n // 2
        middle = max(it.sent_id + 1, it.update_id - (n - half))
        touch(s, i, n, it.update_id)
        _send(s, queue, i, half, n, middle, it.update_id)
        _send(s, queue, i, 0, half, it.sent_id, middle)
    else:
        _send(s, queue, i, 0, n, it.sent_id, it.update_id)
        if fault == DUPLICATED and fresh:
            touch(s, i, n, it.update_id)
            _send(s, queue, i, 0, n, it.sent_id, it.update_id)
    it.sent_id, it.staged = it.update_id, 0


@called
def provable(s: Any, i: int) -> float:
    """1 where the venue's proof covers a staged change: ids cover every one, a checksum the ten best levels a side; else 0."""
    it, book = s.instrument_of[i], s.book[i]
    if s.venue_of[it.venue].checksum == 0:
        return 1.0
    for k in range(it.staged):
        side = book.changes[k, 0]
        tenth = min(it.counts[side], 10) - 1
        if (
            tenth < 9
            or book.changes[k, 1] == book.prices[side, tenth]
            or not crosses(side, book.changes[k, 1], book.prices[side, tenth])
        ):
            return 1.0
    return 0.0


@called
def _send(s: Any, queue: Any, i: int, start: int, stop: int, before: int, after: int) -> None:
    it, changes = s.instrument_of[i], s.book[i].changes
    begin(s, i, it.depth_source, DEPTH)
    s.message_ref = after
    proof = 0
    if s.venue_of[it.venue].checksum:
        proof = checksum(s, i)
    for k in range(start, stop):
        marks = mark_of(k - start, stop - start)
        value = proof if marks & LAST else 0
        if s.venue_of[it.venue].checksum == 0 and marks & FIRST:
            value = before
        put(s, queue, changes[k, 0], marks, _shown(s, i, changes[k, 1], after), changes[k, 2], value)


@called
def _shown(s: Any, i: int, price: int, ref_id: int) -> int:
    """The price as the feed gives it: another power of ten while a decimal shift lasts."""
    if s.trouble[i].fault != DECIMAL_SHIFT:
        return price
    touch(s, i, 1, ref_id)
    return max(int(price * s.trouble[i].magnitude + 0.5), 1)


@called
def snapshot(s: Any, queue: Any, i: int, marks: int) -> None:
    """Send the whole book; what was staged is part of it."""
    it, book = s.instrument_of[i], s.book[i]
    s.due[s.n_instruments + i] = NEVER
    it.staged = 0
    it.update_id += 1
    it.sent_id = it.update_id
    begin(s, i, it.depth_source, DEPTH)
    s.message_ref = it.update_id
    n_bids, n = it.counts[BUY], it.counts[BUY] + it.counts[SELL]
    proof = checksum(s, i) if s.venue_of[it.venue].checksum else 0
    for m in range(n):
        side, k = (BUY, m) if m < n_bids else (SELL, m - n_bids)
        all_marks = mark_of(m, n) | SNAPSHOT | marks
        value = proof if m == n - 1 else 0
        put(s, queue, side, all_marks, book.prices[side, k], book.quantities[side, k], value)


@called
def quote(s: Any, queue: Any, i: int) -> None:
    """Send the best quote if the venue has such a channel and it changed."""
    it, book = s.instrument_of[i], s.book[i]
    if it.quote_source < 0 or s.trouble[i].fault == GAP:
        return
    bid, bid_quantity = book.prices[BUY, 0], book.quantities[BUY, 0]
    ask, ask_quantity = book.prices[SELL, 0], book.quantities[SELL, 0]
    old = it.shown
    if old[0] == bid and old[1] == bid_quantity and old[2] == ask and old[3] == ask_quantity:
        return
    old[0], old[1], old[2], old[3] = bid, bid_quantity, ask, ask_quantity
    begin(s, i, it.quote_source, QUOTE)
    s.message_ref = it.update_id
    put(s, queue, BUY, FIRST, _shown(s, i, bid, it.update_id), bid_quantity, 0)
    put(s, queue, SELL, LAST, _shown(s, i, ask, it.update_id), ask_quantity, 0)


@called
def open_market(s: Any, queue: Any, i: int) -> None:
    """Build instrument i's first book about the latent price and send its opening snapshot."""
    it = s.instrument_of[i]
    it.last_ns = s.now
    it.fair = s.asset[it.base_asset].level - s.asset[it.quote_asset].level + it.basis
    follow_fair(s, i)
    refill(s, i, (LEAST_LEVELS + s.most_levels) // 2)
    snapshot(s, queue, i, 0)
    quote(s, queue, i)
    schedule(s, i)


@called
def resync(s: Any, queue: Any, i: int) -> None:
    """What a rim does after a break: join the stream again, take the whole book."""
    snapshot(s, queue, i, RESYNC)


assert NO_FAULT == 0 and LEVELS > LEAST_LEVELS
