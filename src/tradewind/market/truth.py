"""Truth: is the message whole (integrity), and can what it made be believed (plausibility)?

Integrity judges a message and invalidates the book; a depth row is never refused alone. Plausibility judges the touch a
message made, and refuses the derived value: the row stays on the tape, the verdict becomes a row of its own, told once
an episode. `watch` does once a second what no row would bring: ageing, jumps that stand, sources that drifted or froze.
"""

from typing import Any

from ..domain.codes import (
    BUY,
    DEPTH,
    EMPTY,
    GAP,
    GRADE_B,
    GRADE_C,
    INVALID,
    MINUTE,
    PROOF_CHAIN,
    PROOF_CRC32,
    QUOTE,
    RESYNC,
    SECOND,
    SELL,
    SNAPSHOT,
    STALE,
    SYNCED,
    TIMEFRAME_NS,
)
from ..domain.layout import BARS_ONLY, BASE, JUMP_BP, PROOF, QUOTE_ASSET
from ..domain.reasons import (
    BAD_PRICE,
    BAD_QUANTITY,
    BOOK_LOST_SIDE,
    BROKEN_BAR,
    CHAIN_BROKEN,
    CHECKSUM_WRONG,
    CROSSED_BOOK,
    FROZEN_FEED,
    HOLE_IN_STREAM,
    IMPOSSIBLE_JUMP,
    OFF_CONSENSUS,
    OLD_MESSAGE,
    STALE_FEED,
    TIME_BACKWARD,
)
from ..kernel.checksum import crc32_decimal
from ..kernel.emit import verdict
from ..kernel.jit import called, compiled
from ..kernel.maths import sqrt
from . import consensus
from .books import FROM_QUOTES

SEQ_MASK = (1 << 31) - 1
TORN = -1  # id of a best quote of which a row is missing
MOST_UNITS = 1 << 60  # a price or quantity beyond is no number of any market
CROSSED_TOLERANCE_NS = SECOND  # venues show crossed books for moments; longer is a fault
CONFIRM_NS = SECOND  # a jump nobody else can confirm is believed once it stood this long (seen by the next watch)
BACKWARD_NS = SECOND // 10  # a venue's stamps may jitter by less
TRUST_STEP = 1.0 / 64.0
OFF_SHARE = 0.1  # of the jump limit: standing off further than this for OFF_NS is a lie, however smoothly it began
OFF_NS = 5 * SECOND
BACK_SHARE = 0.5 * OFF_SHARE  # and it comes back only when it is well inside, for BACK_NS
BACK_NS = SECOND // 2
FROZEN_NS = 10 * SECOND
FROZEN_MOVE = 1e-3  # the others' move (ratio) that one touch cannot have missed, if its spread is not wider still


# Integrity -------------------------------------------------------------------------------------------------------------------


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
    """Counts a hole; a row told twice is dropped, a missing one takes the book (or the half-told quote) with it."""
    source = s.source[row.source]
    i = row.instrument
    source.holes += 1
    s.count.holes_seen += 1
    tell(s, i, HOLE_IN_STREAM, row.stream_seq, source.last_seq, out)
    behind = (source.last_seq - row.stream_seq) & SEQ_MASK
    if behind < SEQ_MASK // 2:
        return False
    source.last_seq = row.stream_seq
    if row.kind == DEPTH:
        invalidate(s, i)
        return row.marks & SNAPSHOT != 0
    if row.kind == QUOTE:
        lose_quote(s, i)
    return True


@called
def tell(s: Any, i: int, code: int, refused: int, ref: int, out: Any) -> None:
    """One VERDICT row an episode, instrument and code; `watch` ends the episode of what stands well again."""
    bit = 1 << (code - HOLE_IN_STREAM)
    if s.trust[i].told & bit == 0:
        s.trust[i].told |= bit
        verdict(s, out, i, code, refused, ref)


@called
def invalidate(s: Any, i: int) -> None:
    """Nobody may read this book until a snapshot heals it, and it votes no more."""
    s.book[i].skip = 1
    s.count.invalidated += 1
    condemn(s, i, INVALID)


@called
def condemn(s: Any, i: int, condition: int) -> None:
    """The instrument's touch may not be used, and the consensus must do without it from now on."""
    s.top[i].condition = condition
    s.top[i].good = 0
    consensus.update(s, i)


@called
def lose_quote(s: Any, i: int) -> None:
    """A best quote lost a row: it counts for nothing; where it was the touch, the next whole one heals."""
    s.quoted[i].id = TORN
    if s.book[i].fed_by == FROM_QUOTES:
        condemn(s, i, INVALID)


@called
def announce(s: Any, row: Any) -> None:
    """The rim says how a stream stands. It can only take trust away: what makes a book good again is its snapshot.

    The row carries the stream's next number; a stream that does not feed the book does not condemn it.
    """
    if row.stream_seq != 0:
        s.source[row.source].last_seq = row.stream_seq
    i = row.instrument
    feeder = s.book[i].fed_by
    if row.value != SYNCED and (feeder <= 0 or feeder == row.source + 1):
        condemn(s, i, row.value)


@compiled
def sound(s: Any, row: Any, out: Any) -> bool:
    """Whether price and quantity of a DEPTH, QUOTE or TRADE row can be numbers of a market at all."""
    if (0 < row.price <= MOST_UNITS and 0 <= row.quantity <= MOST_UNITS) or row.marks & EMPTY:
        return True
    return unsound(s, row, out)


@called
def unsound(s: Any, row: Any, out: Any) -> bool:
    """The message holding such a number is worth nothing, and so is the book it belonged to."""
    i = row.instrument
    if 0 < row.price <= MOST_UNITS:
        tell(s, i, BAD_QUANTITY, row.quantity, row.ref, out)
    else:
        tell(s, i, BAD_PRICE, row.price, row.ref, out)
    if row.kind == DEPTH:
        invalidate(s, i)
    elif row.kind == QUOTE:
        lose_quote(s, i)
    return False


@compiled
def admits(s: Any, row: Any, out: Any) -> bool:
    """At the first row of a depth message: whether the message belongs on this book."""
    i = row.instrument
    b = s.book[i]
    b.skip = 0
    if row.marks & (SNAPSHOT | RESYNC) or s.top[i].condition != SYNCED or b.fed_by < 0:
        if not resumes(s, row, out):
            return False
        if row.marks & SNAPSHOT:
            return True
    if s.fact.rule[i, PROOF] == PROOF_CHAIN:
        if row.value == b.last_id:
            return True
        return joins(s, row, out)
    return True


@called
def resumes(s: Any, row: Any, out: Any) -> bool:
    """Where the book is not simply synced: a snapshot heals it unless it is old news, silence ends with any message."""
    i = row.instrument
    b = s.book[i]
    top = s.top[i]
    if row.marks & SNAPSHOT:
        known = top.condition == SYNCED and s.fact.rule[i, PROOF] == PROOF_CHAIN and row.marks & RESYNC == 0
        if not (known and row.ref < b.last_id):
            return True
        tell(s, i, OLD_MESSAGE, row.ref, b.last_id, out)
    elif row.marks & RESYNC:
        condemn(s, i, GAP)
    elif top.condition == STALE and b.fed_by >= 0:
        top.condition = SYNCED
        return True
    b.skip = 1
    s.count.skipped += 1
    return False


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
    tell(s, row.instrument, CHAIN_BROKEN, row.value, b.last_id, out)
    invalidate(s, row.instrument)
    return False


@compiled
def proves(s: Any, row: Any, out: Any) -> bool:
    """At the last row of a depth message: whether the venue's own proof agrees with the book."""
    i = row.instrument
    if row.ts_venue < s.top[i].ts_venue:
        backward(s, row, out)
    if s.fact.rule[i, PROOF] != PROOF_CRC32:
        return True
    if checksum(s, i) == row.value:
        return True
    tell(s, i, CHECKSUM_WRONG, row.value, row.ref, out)
    invalidate(s, i)
    return False


@called
def backward(s: Any, row: Any, out: Any) -> None:
    """The venue's stamps went back: noted, not refused, because nothing is decided by them."""
    was = s.top[row.instrument].ts_venue
    if row.ts_venue > 0 and was - row.ts_venue > BACKWARD_NS:
        tell(s, row.instrument, TIME_BACKWARD, row.ts_venue, was, out)


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


# Plausibility ----------------------------------------------------------------------------------------------------------------


@compiled
def believes(s: Any, i: int, out: Any) -> bool:
    """Whether the touch a message made can be taken in. Sets top.good; a refusal becomes a VERDICT row once an episode."""
    top = s.top[i]
    if top.bid <= 0 or top.ask <= 0:
        return refuse(s, i, BOOK_LOST_SIDE, top.bid, out)
    if top.bid > top.ask or (top.bid == top.ask and s.fact.rule[i, BARS_ONLY] == 0):
        return crossed(s, i, out)
    mid = 0.5 * float(top.bid + top.ask)
    trust = s.trust[i]
    if mid != top.mid:
        if top.mid > 0.0:
            most = float(s.fact.rule[i, JUMP_BP]) * max(1.0, trust.stretch) * 1e-4 * top.mid
            if abs(mid - top.mid) > most and not confirmed(s, i, mid):
                return refuse(s, i, IMPOSSIBLE_JUMP, int(mid), out)
        top.mid = mid
        trust.moved_ns = s.clock.now
        trust.anchor = s.group[s.fact.rule[i, BASE]].reference
    top.worth = mid * top.scale
    if top.suspect == OFF_CONSENSUS:
        top.good = 0  # weigh alone lets it come back
    else:
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
    """Whether a jump is real: somebody else stands there, and no more stayed behind; or, alone, it stood long enough."""
    top = s.top[i]
    trust = s.trust[i]
    jump = float(s.fact.rule[i, JUMP_BP]) * 1e-4 * max(1.0, trust.stretch)
    g = s.group[s.fact.rule[i, BASE]]
    scale = top.scale * s.group[s.fact.rule[i, QUOTE_ASSET]].reference
    others = 0
    there = 0
    behind = 0
    for m in range(g.n_members):
        j = g.member[m]
        if j == i or scale <= 0.0 or not consensus.eligible(s, j):
            continue
        x = consensus.worth_of(s, j)
        others += 1
        if abs(x - mid * scale) <= jump * mid * scale:
            there += 1
        elif abs(x - top.mid * scale) <= jump * top.mid * scale:
            behind += 1
    if others > 0:
        return there >= max(behind, 1)
    if top.suspect == IMPOSSIBLE_JUMP and abs(mid - trust.doubted) <= jump * trust.doubted:
        return s.clock.now - top.changed_ns >= CONFIRM_NS
    trust.doubted = mid
    top.changed_ns = s.clock.now
    return False


@called
def refuse(s: Any, i: int, code: int, what: int, out: Any) -> bool:
    """Marks the touch unusable and tells it once an episode."""
    top = s.top[i]
    top.good = 0
    if top.suspect != code:
        top.suspect = code
        top.changed_ns = s.clock.now
        tell(s, i, code, what, s.book[i].last_id, out)
    consensus.update(s, i)
    return False


@compiled
def credible(s: Any, row: Any, out: Any) -> bool:
    """Whether a market trade can have happened beside the touch we know; a single bad print enters no bar, no feature."""
    top = s.top[row.instrument]
    if top.good == 0 or abs(float(row.price) - top.mid) * 1e4 <= float(s.fact.rule[row.instrument, JUMP_BP]) * top.mid:
        return True
    tell(s, row.instrument, IMPOSSIBLE_JUMP, row.price, row.ref, out)
    return False


@compiled
def weigh(s: Any, i: int, out: Any) -> bool:
    """After consensus: moves the source's trust, refuses its touch while it stands off the others; whether it is good."""
    top = s.top[i]
    g = s.group[s.fact.rule[i, BASE]]
    if g.grade >= GRADE_B or (top.suspect == OFF_CONSENSUS and g.grade >= GRADE_C):
        rate = s.group[s.fact.rule[i, QUOTE_ASSET]].reference
        if rate <= 0.0:
            return bool(top.good != 0)
        trust = s.trust[i]
        off = abs(top.worth * rate - g.reference) / g.reference * 1e4
        near = float(s.fact.rule[i, JUMP_BP]) * OFF_SHARE
        trust.deviation = off
        trust.score += TRUST_STEP * ((1.0 if off <= near else 0.0) - trust.score)
        if off > near or top.suspect == OFF_CONSENSUS:
            stray(s, i, off, out)
        else:
            trust.off_since = 0
    return bool(top.good != 0)


@called
def stray(s: Any, i: int, off: float, out: Any) -> None:
    """Far off at once, or a little off for long while two others agree closely, is a lie; it ends well inside, after a while."""
    top = s.top[i]
    trust = s.trust[i]
    now = s.clock.now
    jump = float(s.fact.rule[i, JUMP_BP])
    if top.suspect == OFF_CONSENSUS:
        if off > BACK_SHARE * jump:
            trust.off_since = now
        elif now - trust.off_since >= BACK_NS:
            top.suspect = 0
            top.good = 1
            trust.off_since = 0
        return
    if trust.off_since == 0:
        trust.off_since = now
    long_off = trust.span_ns == 0 and now - trust.off_since >= OFF_NS
    if off > jump or (long_off and consensus.agreeing(s, i, OFF_SHARE * jump * 1e-4) >= 2):
        trust.off_since = now
        refuse(s, i, OFF_CONSENSUS, int(top.mid), out)


# What only time tells --------------------------------------------------------------------------------------------------------


@called
def watch(s: Any, out: Any) -> None:
    """Once a second: ages every source, judges again what stands, renews the references, looks for who strayed or froze."""
    alone = 0
    for i in range(s.clock.n_instruments):
        age(s, i, out)
        top = s.top[i]
        if top.suspect != 0 and top.condition == SYNCED:
            if top.suspect == IMPOSSIBLE_JUMP:
                believes(s, i, out)
            elif top.suspect == CROSSED_BOOK:
                crossed(s, i, out)
        if top.condition != INVALID and top.suspect == 0:
            s.trust[i].told = 0
        alone += int(consensus.alone(s, i))
    if alone == s.clock.n_instruments:
        return  # nobody to compare with
    consensus.renew(s)
    for i in range(s.clock.n_instruments):
        top = s.top[i]
        if top.condition == SYNCED and (top.good != 0 or top.suspect == OFF_CONSENSUS):
            weigh(s, i, out)
            thaw(s, i, out)


@compiled
def age(s: Any, i: int, out: Any) -> None:
    """A synced touch that has not been heard of for too long is stale until its next message."""
    top = s.top[i]
    if top.condition == SYNCED and s.clock.now - top.ts > consensus.patience(s, i):
        top.condition = STALE
        tell(s, i, STALE_FEED, (s.clock.now - top.ts) // SECOND, s.book[i].last_id, out)


@compiled
def thaw(s: Any, i: int, out: Any) -> None:
    """Staleness by information: fresh stamps on one same touch while the others' price walked away from under it."""
    top = s.top[i]
    trust = s.trust[i]
    g = s.group[s.fact.rule[i, BASE]]
    if s.clock.now - trust.moved_ns < FROZEN_NS or trust.span_ns != 0 or trust.anchor <= 0.0 or g.grade < GRADE_B:
        return
    missed = max(FROZEN_MOVE, float(top.ask - top.bid) / top.mid)
    if abs(g.reference - trust.anchor) / trust.anchor > missed and trust.deviation * 1e-4 > missed:
        refuse(s, i, FROZEN_FEED, int(top.mid), out)


# Bars ------------------------------------------------------------------------------------------------------------------------


@compiled
def sound_bar(s: Any, row: Any, out: Any) -> bool:
    """Whether a bar's four prices can belong together; a broken one is told and left out."""
    value = row.value
    low_below = (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
    bottom = min(row.price, row.ref)
    if (value >> 32) >= 0 and low_below >= 0 and bottom - low_below > 0 and row.quantity >= 0:
        return True
    tell(s, row.instrument, BROKEN_BAR, row.price, row.ts_venue, out)
    return False


@compiled
def pace(s: Any, row: Any) -> None:
    """A source of bars speaks once a bar, and moves by the root of the bar's length: its limits stretch accordingly."""
    trust = s.trust[row.instrument]
    span_ns = TIMEFRAME_NS[row.strategy]
    if trust.span_ns != span_ns:
        trust.span_ns = span_ns
        trust.stretch = sqrt(float(span_ns) / float(MINUTE))
