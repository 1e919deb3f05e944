"""From a venue to us: messages get their times, wait on their way, and leave in journal order.

Each stream is a queue in which times of arrival never decrease. A message leaves when the world's clock has reached its
arrival: everything made later arrives later, so the tape is merged by (ts_local, source, stream_seq) without sorting.
"""

from __future__ import annotations

from typing import Any

from tradewind.domain.codes import FIRST, LAST, NEVER, SYNTHETIC
from tradewind.domain.rows import SEQ_MASK
from tradewind.kernel import maths
from tradewind.kernel.jit import called, compiled

from .chance import normal
from .layout import QUEUED

_MASK = QUEUED - 1
_SLOWEST_NS = 400_000_000.0


@called
def begin(s: Any, i: int, source: int, kind: int) -> None:
    """Open a message of instrument i on stream `source`: its venue time and its arrival. The caller sets `message_ref`."""
    venue = s.venue_of[s.instrument_of[i].venue]
    busy = 1.0 + 0.5 * s.instrument_of[i].fast / s.instrument_of[i].rate
    late = min(venue.spread_ns * busy * maths.exp(0.6 * normal(s)), _SLOWEST_NS)
    stream = s.stream[source]
    s.message_local = max(stream.last_local, s.now + venue.floor_ns + int(late))
    s.message_venue = s.now + venue.clock_offset_ns
    s.message_source, s.message_instrument, s.message_kind = source, i, kind
    stream.last_local = s.message_local
    if stream.head == stream.end:
        stream.head_ts = s.message_local
        s.next_release = min(s.next_release, s.message_local)


@called
def put(s: Any, queue: Any, side: int, marks: int, price: int, quantity: int, value: int) -> None:
    """Add one row to the message opened last."""
    stream = s.stream[s.message_source]
    if stream.end - stream.head >= QUEUED:
        s.overflow = 1
        return
    row = queue[s.message_source, stream.end & _MASK]
    row.kind, row.side, row.marks = s.message_kind, side, marks | SYNTHETIC
    row.source, row.instrument, row.account, row.strategy = s.message_source, s.message_instrument, 0, 0
    row.stream_seq = stream.seq
    row.ts_venue, row.ts_local = s.message_venue, s.message_local
    row.price, row.quantity, row.ref, row.value = price, quantity, s.message_ref, value
    stream.seq = (stream.seq + 1) & SEQ_MASK
    stream.end += 1


@compiled
def mark_of(k: int, n: int) -> int:
    """FIRST and LAST of row k among the n of a message."""
    return (FIRST if k == 0 else 0) | (LAST if k == n - 1 else 0)


@called
def release(s: Any, queue: Any, out: Any, n: int, room: int) -> int:
    """Move whole messages that have arrived by now into `out` from row n on; the new n.

    Stops early, with `next_release` still due, where fewer than `room` rows are free.
    """
    while s.next_release <= s.now and n + room <= out.size:
        best, first = NEVER, -1
        for k in range(s.n_streams):
            if s.stream[k].head_ts < best:
                best, first = s.stream[k].head_ts, k
        if best > s.now:
            s.next_release = best
            break
        n = _move(s, queue, out, n, first)
    return n


@called
def _move(s: Any, queue: Any, out: Any, n: int, source: int) -> int:
    stream = s.stream[source]
    more = True
    while more:
        out[n] = queue[source, stream.head & _MASK]
        more = (int(out[n].marks) & LAST) == 0
        stream.head += 1
        n += 1
    stream.head_ts = queue[source, stream.head & _MASK].ts_local if stream.head < stream.end else NEVER
    return n
