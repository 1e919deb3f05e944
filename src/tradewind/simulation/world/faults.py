"""Faults put into the world's feeds, planned or at random, and the truth written down about each.

An instrument has at most one fault at a time, a venue one of its own (clock, lie). A fault that harms the chain or the
content of depth messages ends with a RESYNC snapshot at its end, as a rim that noticed would fetch one.
"""

from __future__ import annotations

from typing import Any

from tradewind.domain.codes import BUY, DEPTH, NEVER, SELL, STREAM, TRADE, WHOLE
from tradewind.domain.codes import GAP as STREAM_GAP
from tradewind.kernel.jit import called, compiled

from .book import best, checksum, draw_quantity
from .chance import below, exponential, uniform
from .layout import (
    CLOCK_JUMP,
    CROSSED,
    DECIMAL_SHIFT,
    DEPEG,
    FAULT_KINDS,
    FROZEN,
    GAP,
    INSTRUMENTS,
    LYING,
    NO_FAULT,
    STALE_BOOK,
    SWAPPED,
    WICK,
)
from .messages import begin, put
from .process import break_peg, note


@compiled
def is_venue_wide(fault: int) -> bool:
    """Whether it befalls a venue and not one instrument."""
    return fault in (CLOCK_JUMP, LYING)


@compiled
def spoils_book(fault: int) -> bool:
    """Whether the book heard is wrong or unproven until the next snapshot."""
    return fault <= SWAPPED or fault in (DECIMAL_SHIFT, CROSSED, STALE_BOOK, GAP)


@called
def fault_due(s: Any, place: int) -> int:
    """Where in `due` the end of the fault at `place` (instrument, or INSTRUMENTS + venue) stands."""
    n = s.n_instruments
    return 2 * n + place if place < INSTRUMENTS else 3 * n + place - INSTRUMENTS


@called
def touch(s: Any, i: int, rows: int, ref_id: int) -> None:
    """Note that the fault of instrument i changed a message."""
    t = s.trouble[i]
    t.hits += rows
    if t.ref_id == 0:
        t.ref_id = ref_id


@called
def start(s: Any, queue: Any, fault: int, place: int, span: int, magnitude: float) -> None:
    """Begin a fault now; one that is still running at the same place must have been ended before."""
    if fault == DEPEG:
        break_peg(s, place, magnitude, span // 4, span - span // 4)
        return
    t = s.trouble[place]
    t.fault, t.start, t.finish, t.span, t.magnitude = fault, s.now, s.now + span, span, magnitude
    t.ref_id, t.hits = 0, 0
    s.due[fault_due(s, place)] = t.finish
    if fault == CLOCK_JUMP:
        s.venue_of[place - INSTRUMENTS].clock_offset_ns = int(magnitude * 1e9)
    elif fault == LYING:
        v = s.venue_of[place - INSTRUMENTS]
        v.lie, v.lie_start, v.lie_end = magnitude, s.now, t.finish
    elif fault == FROZEN:
        s.due[place] = max(s.due[place], t.finish)
        s.due[s.n_instruments + place] = NEVER
        t.hits = 1
    elif fault == CROSSED:
        _cross(s, queue, place, magnitude)
    elif fault == WICK:
        _wick(s, queue, place, magnitude)
    elif fault == GAP:
        _announce(s, queue, place)


@called
def _cross(s: Any, queue: Any, i: int, magnitude: float) -> None:
    it = s.instrument_of[i]
    price = best(s, i, SELL) + (1 + int(it.fair_units * magnitude / it.tick)) * it.tick
    it.update_id += 1
    begin(s, i, it.depth_source, DEPTH)
    s.message_ref = it.update_id
    proof = checksum(s, i) if s.venue_of[it.venue].checksum else it.sent_id
    put(s, queue, BUY, WHOLE, price, draw_quantity(s, i, it.level_usd, 0.5), proof)
    it.sent_id = it.update_id
    touch(s, i, 1, it.update_id)


@called
def _wick(s: Any, queue: Any, i: int, magnitude: float) -> None:
    it = s.instrument_of[i]
    side = SELL if magnitude < 0.0 else BUY
    price = int(best(s, i, 1 - side) * (1.0 + magnitude) / it.tick) * it.tick
    begin(s, i, it.trade_source, TRADE)
    for _ in range(3):
        it.trade_id += 1
        s.message_ref = it.trade_id
        put(s, queue, side, WHOLE, price, draw_quantity(s, i, it.trade_usd, 0.5), 0)
        touch(s, i, 1, it.trade_id)


@called
def _announce(s: Any, queue: Any, i: int) -> None:
    it = s.instrument_of[i]
    for source in (it.depth_source, it.trade_source, it.quote_source):
        if source >= 0:
            begin(s, i, source, STREAM)
            s.message_ref = 0
            put(s, queue, 0, WHOLE, 0, 0, STREAM_GAP)
            touch(s, i, 1, it.update_id)


@called
def lie_of(s: Any, venue: int) -> float:
    """How far a lying venue's log price stands from the truth now: a smooth hump of height `lie`."""
    v = s.venue_of[venue]
    if v.lie == 0.0 or s.now >= v.lie_end:
        return 0.0
    u = (s.now - v.lie_start) / (v.lie_end - v.lie_start)
    return 16.0 * v.lie * u * u * (1.0 - u) * (1.0 - u)


@compiled
def _reached(s: Any, place: int) -> float:
    """How far a lie got that may have been cut before its height."""
    v = s.venue_of[place - INSTRUMENTS]
    return float(v.lie if 2 * s.now >= v.lie_start + v.lie_end else lie_of(s, place - INSTRUMENTS))


@called
def finish(s: Any, place: int) -> bool:
    """End the fault at `place` and write its truth; whether a RESYNC snapshot must follow.

    One that had no message to spoil yet is prolonged instead.
    """
    t = s.trouble[place]
    fault = int(t.fault)
    if place < INSTRUMENTS and t.hits == 0:
        t.finish += max(t.span, 1_000_000)
        s.due[fault_due(s, place)] = t.finish
        return False
    note(s, fault, place, t.start, s.now, _reached(s, place) if fault == LYING else t.magnitude)
    line = s.truth[s.n_truths - 1]
    line.ref_id, line.hits = t.ref_id, t.hits
    t.fault = NO_FAULT
    s.due[fault_due(s, place)] = NEVER
    if place >= INSTRUMENTS:
        v = s.venue_of[place - INSTRUMENTS]
        v.clock_offset_ns, v.lie, v.lie_start, v.lie_end = 0, 0.0, 0, 0
        return False
    return spoils_book(fault)


@called
def at_random(s: Any, queue: Any) -> None:
    """Start a fault of a drawn kind at a drawn place, with its usual length and size, if that place is free."""
    u, fault = uniform(s), 1
    while fault < FAULT_KINDS - 1 and u >= s.fault_shares[fault]:
        u -= s.fault_shares[fault]
        fault += 1
    place = INSTRUMENTS + below(s, s.n_venues) if is_venue_wide(fault) else below(s, s.n_instruments)
    sign = 1.0 if uniform(s) < 0.5 else -1.0
    strength = 0.5 + exponential(s)
    if s.trouble[place].fault != NO_FAULT or s.fault_shares[fault] == 0.0:
        return
    span = int(2e9 * strength)
    magnitude = 0.0
    if fault in (FROZEN, STALE_BOOK, GAP):
        span = int(8e9 * strength)
    elif fault == DECIMAL_SHIFT:
        span, magnitude = int(5e8 * strength), 10.0 if sign > 0.0 else 0.1
    elif fault == CROSSED:
        magnitude = 0.001 * strength
    elif fault == WICK:
        span, magnitude = 1_000_000, sign * min(0.05 * strength, 0.5)
    elif fault == CLOCK_JUMP:
        span, magnitude = int(10e9 * strength), sign * 2.0 * strength
    elif fault == LYING:
        span, magnitude = int(120e9 * strength), sign * 0.004 * strength
    start(s, queue, fault, place, span, magnitude)
