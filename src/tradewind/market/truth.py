"""Truth: is the message whole (integrity), and can what it made be believed (plausibility)?

Integrity judges a message and invalidates the book; a depth row is never refused alone. Plausibility judges the touch a
message made, and refuses the derived value: the row stays on the tape, the verdict becomes a row of its own, told once
an episode. What no row would bring (ageing, trust, what stands) is `market.watch`, once a second.
"""

from typing import Any

from ..domain.codes import (
    BUY,
    DEPTH,
    EMPTY,
    GAP,
    INVALID,
    MINUTE,
    NEVER,
    PROOF_CHAIN,
    PROOF_CRC32,
    QUOTE,
    RESYNC,
    SECOND,
    SELL,
    SNAPSHOT,
    STALE,
    SYNCED,
)
from ..domain.layout import BARS_ONLY, JUMP_BP, PROOF, STALE_NS
from ..domain.reasons import (
    BAD_PRICE,
    BAD_QUANTITY,
    BROKEN_BAR,
    CHAIN_BROKEN,
    CHECKSUM_WRONG,
    CLOCK_JUMPED,
    HOLE_IN_STREAM,
    OLD_MESSAGE,
    OUT_OF_ORDER,
    STALE_FEED,
    STREAM_DOWN,
    TIME_BACKWARD,
    TOLD_TWICE,
    TRADES_MISSING,
)
from ..kernel.checksum import crc32_decimal
from ..kernel.jit import called, compiled
from ..kernel.maths import sqrt
from . import consensus
from .books import FROM_QUOTES
from .verdicts import tell_row

SEQ_MASK = (1 << 31) - 1
TORN = -1  # id of a best quote of which a row is missing
NEGATIVE_HALVES = (1 << 31) - (1 << 63)  # the sign bits of both halves of a bar's value
LOWER_HALF = (1 << 32) - 1
MOST_UNITS = 1 << 60  # a price or quantity beyond is no number of any market
REMEMBERED = 63  # trade ids before the last of which it is known whether they came: the bits of one word
ALL_HEARD = -1  # every bit: the last 64 trade ids were dense
MANY_OLD = 256  # so many old trades in a row are no replay but a venue that counts anew
LATE_BARS = 8  # a bar this many bars late is out of order, an older one is old news
SETTLED_NS = 64  # a longest silence this close to one bar is one bar
YOUNG_BARS = 48  # until then a source of bars is only learned, not told of, for its silence
MOST_BARS = 60  # of silence a source of bars may get used to
BACKWARD_NS = SECOND // 10  # a venue's stamps may jitter by less
CLOCK_STEP_NS = 3 * SECOND // 4  # stamps further than this from their usual lag are a clock's, not the network's
CLOCK_SET_NS = MINUTE  # a lag that stands this long is usual
AGAIN_NS = 5 * SECOND  # a trade this old, beyond its usual lag, is told twice; an older one is replayed


# Integrity -------------------------------------------------------------------------------------------------------------------


@compiled
def continues(s: Any, row: Any, out: Any) -> bool:
    """Whether the row follows the last one of its stream; a hole between rim and machine invalidates the book."""
    source = s.source[row.source]
    source.last_ts = row.ts_local
    if row.stream_seq == (source.last_seq + 1) & SEQ_MASK:
        source.last_seq = row.stream_seq
        return True
    return leaps(s, row, out)


@called
def leaps(s: Any, row: Any, out: Any) -> bool:
    """Whether a row that is not its stream's next may stand: the first, or announced.

    Else a hole: counted; a row told twice is dropped, a missing one takes the book (or the half-told quote) with it.
    """
    source = s.source[row.source]
    i = row.instrument
    if source.last_seq == 0 or row.marks & RESYNC:
        source.last_seq = row.stream_seq
        return True
    source.holes += 1
    s.count.holes_seen += 1
    behind = (source.last_seq - row.stream_seq) & SEQ_MASK
    missing = (row.stream_seq - source.last_seq - 1) & SEQ_MASK
    tell_row(s, row, HOLE_IN_STREAM, float(missing if behind >= SEQ_MASK // 2 else -behind), 0.0, out)
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
def announce(s: Any, row: Any, out: Any) -> None:
    """The rim says how a stream stands. It can only take trust away: what makes a book good again is its snapshot.

    The row carries the stream's next number; a stream that does not feed the book does not condemn it.
    """
    if row.stream_seq != 0:
        s.source[row.source].last_seq = row.stream_seq
    i = row.instrument
    feeder = s.book[i].fed_by
    if row.value != SYNCED:
        tell_row(s, row, STREAM_DOWN, float(row.value), float(SYNCED), out)
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
        tell_row(s, row, BAD_QUANTITY, float(row.quantity), 0.0, out)
    else:
        tell_row(s, row, BAD_PRICE, float(row.price) * s.top[i].scale, 0.0, out)
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
        tell_row(s, row, OLD_MESSAGE, float(b.last_id - row.ref), 0.0, out)
    elif row.marks & RESYNC:
        condemn(s, i, GAP)
    elif top.condition == STALE and b.fed_by >= 0:
        top.condition = SYNCED
        return True
    elif b.joined != 0 and row.value == b.last_id and s.fact.rule[i, PROOF] == PROOF_CHAIN:
        tell_row(s, row, OUT_OF_ORDER, float(row.ref - b.last_id), 0.0, out)  # what the chain was broken for comes after all
    b.skip = 1
    s.count.skipped += 1
    return False


@called
def joins(s: Any, row: Any, out: Any) -> bool:
    """A message whose previous id is not the book's: old, the first after a snapshot, or a gap."""
    b = s.book[row.instrument]
    if row.ref <= b.last_id:
        if b.joined != 0:  # before that, the venue's buffer may overlap its snapshot
            tell_row(s, row, TOLD_TWICE if row.ref == b.last_id else OLD_MESSAGE, float(row.ref), float(b.last_id), out)
        b.skip = 1
        s.count.skipped += 1
        return False
    if b.joined == 0 and row.value <= b.last_id:
        return True
    tell_row(s, row, CHAIN_BROKEN, float(row.value - b.last_id), 0.0, out)
    invalidate(s, row.instrument)
    return False


@compiled
def proves(s: Any, row: Any, out: Any) -> bool:
    """At the last row of a depth message: whether the venue's own proof agrees with the book."""
    i = row.instrument
    trust = s.trust[i]
    if row.ts_venue < s.top[i].ts_venue or abs(row.ts_local - row.ts_venue - trust.lag_ns) > CLOCK_STEP_NS:
        odd_time(s, row, out)
    else:
        trust.odd_since = 0
    if s.fact.rule[i, PROOF] != PROOF_CRC32:
        return True
    found = checksum(s, i)
    if found == row.value:
        if row.ref < s.book[i].last_id and row.marks & (SNAPSHOT | RESYNC) == 0:
            tell_row(s, row, OUT_OF_ORDER, float(s.book[i].last_id - row.ref), 0.0, out)
        if row.ref == s.book[i].last_id and row.value == s.book[i].proven and row.marks & SNAPSHOT == 0:
            tell_row(s, row, TOLD_TWICE, float(row.ref), float(row.ref), out)
        s.book[i].proven = row.value
        return True
    tell_row(s, row, CHECKSUM_WRONG, float(found), float(row.value), out)
    invalidate(s, i)
    return False


@called
def odd_time(s: Any, row: Any, out: Any) -> None:
    """The venue's stamps went back, or left their usual lag: noted, not refused, because nothing is decided by them.

    The first lag heard is taken for usual, and so is one that has stood for long: a clock that was set.
    """
    if row.ts_venue <= 0 or row.marks & SNAPSHOT:
        return  # a picture is fetched, not streamed: it has a lag of its own
    trust = s.trust[row.instrument]
    back = s.top[row.instrument].ts_venue - row.ts_venue
    if back > BACKWARD_NS:
        tell_row(s, row, TIME_BACKWARD, float(back) * 1e-9, float(BACKWARD_NS) * 1e-9, out)
    lag = row.ts_local - row.ts_venue
    if trust.lag_ns == NEVER or (trust.odd_since > 0 and row.ts_local - trust.odd_since > CLOCK_SET_NS):
        trust.lag_ns = lag
        trust.odd_since = 0
    elif abs(lag - trust.lag_ns) > CLOCK_STEP_NS:
        if trust.odd_since == 0:  # told once, for as long as it stands
            trust.odd_since = row.ts_local
            tell_row(s, row, CLOCK_JUMPED, float(lag - trust.lag_ns) * 1e-9, float(CLOCK_STEP_NS) * 1e-9, out)


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
def is_news_of_trade(s: Any, row: Any, out: Any) -> bool:
    """Whether a trade's id continues; one heard before must not be counted twice."""
    trust = s.trust[row.instrument]
    if row.ref == trust.last_trade + 1:
        trust.last_trade = row.ref
        trust.heard_trades = (trust.heard_trades << 1) | 1
        trust.n_old = 0
        return True
    return odd_trade(s, row, out)


@called
def odd_trade(s: Any, row: Any, out: Any) -> bool:
    """An id that does not follow: trades are missing, come late, or come again. Ids prove nothing until 64 of them were dense."""
    trust = s.trust[row.instrument]
    ahead = row.ref - trust.last_trade
    if row.ref == 0:
        return True
    if trust.last_trade == 0 or row.marks & RESYNC or trust.n_old >= MANY_OLD:
        trust.last_trade = row.ref
        trust.heard_trades = 1
        trust.n_old = 0
        return True
    if ahead > 0:
        if trust.heard_trades == ALL_HEARD:
            tell_row(s, row, TRADES_MISSING, float(ahead - 1), 0.0, out)
        trust.last_trade = row.ref
        trust.heard_trades = (trust.heard_trades << ahead) | 1 if ahead < REMEMBERED else 1
        trust.n_old = 0
        return True
    if ahead > -REMEMBERED and (trust.heard_trades >> -ahead) & 1 == 0:
        tell_row(s, row, OUT_OF_ORDER, float(-ahead), 0.0, out)
        trust.heard_trades |= 1 << -ahead
        return True
    trust.n_old += 1
    young = row.ts_venue > 0 and trust.lag_ns != NEVER and row.ts_local - row.ts_venue - trust.lag_ns < AGAIN_NS
    again = ahead > -REMEMBERED or young  # a busy market trades more often than is remembered
    tell_row(s, row, TOLD_TWICE if again else OLD_MESSAGE, float(row.ref), float(trust.last_trade), out)
    return False


# Bars ------------------------------------------------------------------------------------------------------------------------


@compiled
def low_below(value: int) -> int:
    """The lower half of a bar's value: how far its low lies under open and close."""
    return (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)


@compiled
def sound_bar(s: Any, row: Any, i: int, f: int, out: Any) -> bool:
    """Whether a bar's four prices can belong together and its time is the next; else it is told and left out."""
    if not is_whole(row):
        return broken(s, row, out)
    if f >= 0 and s.fact.rule[i, BARS_ONLY] != 0:
        span = s.frame_ns[f]
        ahead = row.ts_venue - s.bar[i, f].last_end
        if row.ts_venue - row.ts_local > span >> 1:
            return odd_bar(s, row, f, out)
        if ahead != span and (ahead <= 0 or (ahead % span != 0 and ahead < row.ts_venue)):  # seldom a division
            return odd_bar(s, row, f, out)
    return True


@compiled
def is_whole(row: Any) -> bool:
    """Whether a bar's four prices can belong together."""
    return row.value & NEGATIVE_HALVES == 0 and min(row.price, row.ref) > row.value & LOWER_HALF and row.quantity >= 0


@compiled
def is_next(s: Any, row: Any, i: int, f: int) -> bool:
    """Whether a whole bar follows the last one of a settled source that has nothing finer: `sound_bar` and `pace` would ask
    nothing."""
    span = s.frame_ns[f]
    if not is_whole(row) or s.fact.rule[i, BARS_ONLY] == 0:
        return False
    if row.ts_venue - s.bar[i, f].last_end != span or row.ts_venue - row.ts_local > span >> 1:
        return False
    return is_paced(s, i, span, row.ts_local - s.top[i].ts)


@called
def left_out(s: Any, row: Any) -> None:
    """A bar that is left out: its source is not silent all the same."""
    if s.fact.rule[row.instrument, BARS_ONLY] != 0:
        s.trust[row.instrument].odd_since = row.ts_local


@called
def broken(s: Any, row: Any, out: Any) -> bool:
    """Tells a bar that contradicts itself; a price of nothing is called so."""
    left_out(s, row)
    scale = s.top[row.instrument].scale
    low = min(row.price, row.ref) - low_below(row.value)
    high = max(row.price, row.ref) + (row.value >> 32)
    if row.quantity < 0:
        tell_row(s, row, BAD_QUANTITY, float(row.quantity), 0.0, out)
    elif low <= 0:
        tell_row(s, row, BAD_PRICE, float(low) * scale, 0.0, out)
    tell_row(s, row, BROKEN_BAR, float(low) * scale, float(high) * scale, out)
    return False


@called
def odd_bar(s: Any, row: Any, f: int, out: Any) -> bool:
    """A bar whose time is not the next: told twice, late, old news, or by a wrong clock. None enters."""
    left_out(s, row)
    span = s.frame_ns[f]
    b = s.bar[row.instrument, f]
    behind = b.last_end - row.ts_venue
    if row.ts_venue - row.ts_local > span // 2 or behind % span != 0:
        tell_row(s, row, CLOCK_JUMPED, float(row.ts_venue - row.ts_local) * 1e-9, float(span // 2) * 1e-9, out)
    elif behind == 0:
        scale = s.top[row.instrument].scale
        tell_row(s, row, TOLD_TWICE, float(row.price) * scale, float(b.c_close) * scale, out)
    else:
        tell_row(s, row, OUT_OF_ORDER if behind <= LATE_BARS * span else OLD_MESSAGE, float(behind) * 1e-9, 0.0, out)
    return False


@compiled
def limit_jumps(s: Any, i: int) -> None:
    """How far the touch may jump at once: the rule's limit, wider for longer bars."""
    s.trust[i].jump_bp = float(s.fact.rule[i, JUMP_BP]) * max(1.0, s.trust[i].stretch)


@compiled
def pace(s: Any, row: Any, i: int, f: int, span_ns: int, out: Any) -> None:
    """A source of bars speaks once a bar, every span_ns, and moves by the root of that: its limits stretch accordingly.

    It may be silent for as long as it has been before, and a little more.
    """
    gap = row.ts_local - s.top[i].ts
    if not is_paced(s, i, span_ns, gap):
        accustom(s, row, f, span_ns, gap, out)


@compiled
def is_paced(s: Any, i: int, span_ns: int, gap: int) -> bool:
    """Whether a source of bars is known to be silent for `gap` by nature, and for one bar at most."""
    return s.trust[i].span_ns == span_ns and gap <= s.trust[i].longest_ns < span_ns + SETTLED_NS


@called
def accustom(s: Any, row: Any, f: int, span_ns: int, gap: int, out: Any) -> None:
    """Learns how long a source of bars is silent by nature: fast at first, then by a quarter at most for what was too long."""
    i = row.instrument
    trust = s.trust[i]
    young = f < 0 or s.bar[i, f].closed < YOUNG_BARS
    if trust.span_ns != span_ns:
        trust.span_ns = span_ns
        trust.stretch = sqrt(float(span_ns) / float(MINUTE))
        trust.longest_ns = 3 * span_ns
        limit_jumps(s, i)
    granted = trust.longest_ns + (span_ns >> 1)
    gap = min(gap, row.ts_local - trust.odd_since) if s.top[i].ts > 0 else span_ns
    learned = gap + (gap >> (1 if gap > 4 * span_ns else 2)) - (span_ns >> 1) if gap > span_ns else span_ns
    if trust.told & 1:
        learned = span_ns  # HOLE_IN_STREAM: rows were lost, their source was not silent
    elif gap > granted and not young:
        if s.top[i].condition == SYNCED:
            tell_row(s, row, STALE_FEED, float(gap) * 1e-9, float(granted) * 1e-9, out)
        learned = granted + (granted >> (1 if granted > 3 * span_ns else 3)) - (span_ns >> 1)
    excess = trust.longest_ns - span_ns
    fades = span_ns >> 5 if young else max(excess >> 11, span_ns >> 10)
    learned = min(learned, 2 * trust.longest_ns)
    trust.longest_ns = min(max(max(trust.longest_ns - fades, learned), span_ns), MOST_BARS * span_ns)
    trust.patience_ns = trust.longest_ns + (span_ns >> 1)
    if young:
        trust.patience_ns = max(s.fact.rule[i, STALE_NS] + span_ns, trust.patience_ns)
