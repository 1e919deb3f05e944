"""Truth: is the message whole (integrity), and can what it made be believed (plausibility)?

Integrity judges a message and invalidates the book; a depth row is never refused alone. Plausibility judges the touch a
message made, and refuses the derived value: the row stays on the tape, the verdict becomes a row of its own.
"""

from typing import Any

from ..domain.codes import BUY, DEPTH, INVALID, PROOF_CHAIN, PROOF_CRC32, RESYNC, SECOND, SELL, SNAPSHOT, STALE, SYNCED
from ..domain.layout import BARS_ONLY, BASE, JUMP_BP, PROOF, QUOTE_ASSET, STALE_NS
from ..domain.reasons import (
    BOOK_LOST_SIDE,
    BROKEN_BAR,
    CHAIN_BROKEN,
    CHECKSUM_WRONG,
    CROSSED_BOOK,
    HOLE_IN_STREAM,
    IMPOSSIBLE_JUMP,
    OFF_CONSENSUS,
)
from ..kernel.checksum import crc32_decimal
from ..kernel.emit import verdict
from ..kernel.jit import called, compiled

SEQ_MASK = (1 << 31) - 1
CROSSED_TOLERANCE_NS = SECOND  # venues show crossed books for moments; longer is a fault
CONFIRM_NS = 2 * SECOND  # a jump nobody else can confirm is believed after it stood this long
TRUST_STEP = 1.0 / 64.0


@compiled
def continues(s: Any, row: Any, out: Any) -> bool:
    """Whether the row follows the last one of its stream; a hole between rim and machine invalidates the book."""
    source = s.source[row.source]
    expected = (source.last_seq + 1) & SEQ_MASK
    first_or_announced = source.last_seq == 0 or row.marks & RESYNC
    source.last_ts = row.ts_local
    if row.stream_seq == expected or first_or_announced:
        source.last_seq = row.stream_seq
        return True
    return hole(s, row, out)


@called
def hole(s: Any, row: Any, out: Any) -> bool:
    """Counts a hole; a row told twice is dropped, a missing one takes the book with it."""
    source = s.source[row.source]
    source.holes += 1
    s.count.holes_seen += 1
    verdict(s, out, row.instrument, HOLE_IN_STREAM, row.stream_seq, source.last_seq)
    behind = (source.last_seq - row.stream_seq) & SEQ_MASK
    if behind < SEQ_MASK // 2:
        return False
    source.last_seq = row.stream_seq
    if row.kind == DEPTH:
        invalidate(s, row.instrument)
    return row.kind != DEPTH or row.marks & SNAPSHOT != 0


@compiled
def invalidate(s: Any, i: int) -> None:
    """Nobody may read this book until a snapshot heals it."""
    top = s.top[i]
    top.condition = INVALID
    top.good = 0
    s.book[i].skip = 1
    s.count.invalidated += 1


@compiled
def admits(s: Any, row: Any, out: Any) -> bool:
    """At the first row of a depth message: whether the message belongs on this book."""
    i = row.instrument
    b = s.book[i]
    b.skip = 0
    if row.marks & SNAPSHOT:
        return True
    if s.top[i].condition != SYNCED:
        b.skip = 1
        s.count.skipped += 1
        return False
    if s.fact.rule[i, PROOF] == PROOF_CHAIN:
        if row.value == b.last_id:
            return True
        return joins(s, row, out)
    return True


@called
def joins(s: Any, row: Any, out: Any) -> bool:
    """A message whose previous id is not the book's: old, the first after a snapshot, or a gap."""
    b = s.book[row.instrument]
    if row.ref <= b.last_id:
        b.skip = 1
        s.count.skipped += 1
        return False
    if b.joined == 0 and row.value <= b.last_id:
        return True
    verdict(s, out, row.instrument, CHAIN_BROKEN, row.value, b.last_id)
    invalidate(s, row.instrument)
    return False


@compiled
def proves(s: Any, row: Any, out: Any) -> bool:
    """At the last row of a depth message: whether the venue's own proof agrees with the book."""
    i = row.instrument
    if s.fact.rule[i, PROOF] != PROOF_CRC32:
        return True
    if checksum(s, i) == row.value:
        return True
    verdict(s, out, i, CHECKSUM_WRONG, row.value, row.ref)
    invalidate(s, i)
    return False


@called
def checksum(s: Any, i: int) -> int:
    """CRC32 over the ten best asks, then the ten best bids, each price and quantity as bare digits (Kraken, book v2)."""
    crc = 0xFFFFFFFF
    for side in (SELL, BUY):
        n = s.book[i].depth[side]
        for k in range(n - 1, max(n - 11, -1), -1):
            crc = crc32_decimal(crc, abs(s.level_key[i, side, k]))
            crc = crc32_decimal(crc, s.level_quantity[i, side, k])
    return crc ^ 0xFFFFFFFF


@compiled
def believes(s: Any, i: int, out: Any) -> bool:
    """Whether the touch a message made can be used. Sets top.good; a refusal becomes a VERDICT row once an episode."""
    top = s.top[i]
    if top.bid <= 0 or top.ask <= 0:
        return refuse(s, i, BOOK_LOST_SIDE, top.bid, out)
    if top.bid > top.ask or (top.bid == top.ask and s.fact.rule[i, BARS_ONLY] == 0):
        return crossed(s, i, out)
    mid = 0.5 * float(top.bid + top.ask)
    if top.mid > 0.0:
        off = abs(mid - top.mid) / top.mid * 1e4
        if off > float(s.fact.rule[i, JUMP_BP]) and not confirmed(s, i, mid):
            return refuse(s, i, IMPOSSIBLE_JUMP, int(mid), out)
    top.mid = mid
    top.worth = mid * top.scale
    if top.suspect != 0 and top.suspect != OFF_CONSENSUS:
        top.suspect = 0
    top.good = 1
    return True


@called
def crossed(s: Any, i: int, out: Any) -> bool:
    """A crossed touch is never used; one that stays takes the book with it."""
    top = s.top[i]
    if top.suspect == CROSSED_BOOK and s.clock.now - top.changed_ns > CROSSED_TOLERANCE_NS and top.condition == SYNCED:
        invalidate(s, i)
    return refuse(s, i, CROSSED_BOOK, top.bid, out)


@called
def confirmed(s: Any, i: int, mid: float) -> bool:
    """A jump is real if the other sources stand there too, or if it stood long enough where nobody else can say."""
    top = s.top[i]
    g = s.group[s.fact.rule[i, BASE]]
    if g.voters >= 2 and g.reference > 0.0:
        jump = float(s.fact.rule[i, JUMP_BP])
        rate = s.group[s.fact.rule[i, QUOTE_ASSET]].reference
        return rate > 0.0 and abs(mid * top.scale * rate - g.reference) / g.reference * 1e4 <= jump
    return top.suspect == IMPOSSIBLE_JUMP and s.clock.now - top.changed_ns > CONFIRM_NS


@called
def refuse(s: Any, i: int, code: int, what: int, out: Any) -> bool:
    """Marks the touch unusable and tells it once an episode."""
    top = s.top[i]
    top.good = 0
    if top.suspect != code:
        top.suspect = code
        top.changed_ns = s.clock.now
        verdict(s, out, i, code, what, s.book[i].last_id)
    return False


@compiled
def weigh(s: Any, i: int, out: Any) -> None:
    """After consensus: moves the source's trust, and refuses its touch while it stands off the others."""
    top = s.top[i]
    g = s.group[s.fact.rule[i, BASE]]
    trust = s.trust[i]
    if g.voters < 2 or g.reference <= 0.0:
        return
    off = abs(top.worth * s.group[s.fact.rule[i, QUOTE_ASSET]].reference - g.reference) / g.reference * 1e4
    trust.deviation = off
    if off > float(s.fact.rule[i, JUMP_BP]):
        trust.score -= TRUST_STEP * trust.score
        refuse(s, i, OFF_CONSENSUS, int(top.mid), out)
    else:
        trust.score += TRUST_STEP * (1.0 - trust.score)
        if top.suspect == OFF_CONSENSUS:
            top.suspect = 0


@compiled
def age(s: Any, i: int) -> None:
    """A synced book that has not been heard of for too long is stale until its next message."""
    top = s.top[i]
    if top.condition == SYNCED and s.clock.now - top.ts > s.fact.rule[i, STALE_NS]:
        top.condition = STALE


@compiled
def sound_bar(s: Any, row: Any, out: Any) -> bool:
    """Whether a bar's four prices can belong together; a broken one is told and left out."""
    value = row.value
    low_below = (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
    bottom = min(row.price, row.ref)
    if (value >> 32) >= 0 and low_below >= 0 and bottom - low_below > 0 and row.quantity >= 0:
        return True
    verdict(s, out, row.instrument, BROKEN_BAR, row.price, row.ts_venue)
    return False
