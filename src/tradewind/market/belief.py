"""Belief: can what a message made be believed (plausibility)? A touch, a trade, a mark, a candle, an extreme of a bar.

The touch is judged against its own past, then against the other sources (`consensus`), and refused while it stands off. What
no row would bring is `market.watch`.
"""

from typing import Any

from ..domain.codes import GRADE_B, GRADE_C, GRADE_NONE, MINUTE, SECOND, SYNCED
from ..domain.layout import BARS_ONLY, BASE, JUMP_BP, QUOTE_ASSET, VENUE
from ..domain.reasons import (
    BOOK_LOST_SIDE,
    CANDLE_DIFFERS,
    CROSSED_BOOK,
    DISTRUSTED,
    FROZEN_FEED,
    IMPOSSIBLE_JUMP,
    LONG_WICK,
    MARK_DIFFERS,
    OFF_CONSENSUS,
    WRONG_INSTRUMENT,
    WRONG_SCALE,
)
from ..kernel.jit import called, compiled
from . import compared, consensus
from .truth import LOWER_HALF, invalidate, is_news_of_trade, low_below
from .verdicts import power_of_ten, tell_row, tell_stray, tell_touch

CROSSED_TOLERANCE_NS = SECOND  # venues show crossed books for moments; longer is a fault
CONFIRM_NS = SECOND  # a jump nobody else can confirm is believed once it stood this long (seen by the next watch)
NAMED_NS = MINUTE  # and this long where it looks like another unit or another instrument
MARK_NS = 10 * SECOND  # how long a mark price can vouch
OFF_NS = 4 * SECOND  # standing off further than `trust.reach` for this long is a lie, however smoothly it began
STEP_SHARE = 0.5  # of the distance: who got there by a step this large is told at once
WORSE_TIMES = 4.0  # so much further off than when it was told is told again
BACK_SHARE = 0.5  # of `trust.reach`: it comes back only when it is well inside, for BACK_NS
BACK_NS = SECOND // 2
FROZEN_NS = 10 * SECOND
STILL_BARS = 4  # of one same close, and off: it stands still, wherever the others came from
MARK_SHARE = 1.0 / 6.0  # of the jump limit, between mark and market
CANDLE_BP = 10.0  # between a venue's candle and its own trades


# Plausibility ----------------------------------------------------------------------------------------------------------------


@compiled
def believes(s: Any, i: int, out: Any) -> bool:
    """Whether the touch a message made can be taken in. Sets top.good; a refusal becomes a VERDICT row once an episode."""
    top = s.top[i]
    if top.bid <= 0 or top.ask <= 0:
        return refuse(s, i, BOOK_LOST_SIDE, float(top.bid) * top.scale, float(top.ask) * top.scale, out)
    if top.bid > top.ask or (top.bid == top.ask and s.fact.rule[i, BARS_ONLY] == 0):
        return crossed(s, i, out)
    mid = 0.5 * float(top.bid + top.ask)
    trust = s.trust[i]
    moved = mid != top.mid
    if moved:
        trust.stride = abs(mid - top.mid)
        if top.mid > 0.0:
            most = trust.jump_bp * 1e-4 * top.mid
            if trust.stride > most and not confirmed(s, i, mid):
                return refuse(s, i, IMPOSSIBLE_JUMP, trust.stride / top.mid * 1e4, most / top.mid * 1e4, out)
        moves(s, i, mid)
    top.worth = mid * top.scale
    if top.suspect == 0:
        top.good = 1
    else:
        relent(top, moved)
    return True


@compiled
def moves(s: Any, i: int, mid: float) -> None:
    """The touch stands somewhere else from now on."""
    s.top[i].mid = mid
    s.trust[i].moved_ns = s.clock.now
    s.trust[i].anchor = s.group[s.fact.rule[i, BASE]].reference


@compiled
def accept(s: Any, i: int) -> None:
    """Takes in the touch of a bar that `is_usual`."""
    top = s.top[i]
    mid = 0.5 * float(top.bid + top.ask)
    if mid != top.mid:
        s.trust[i].stride = abs(mid - top.mid)
        moves(s, i, mid)
    top.worth = mid * top.scale
    top.good = 1


@compiled
def is_usual(s: Any, row: Any, i: int) -> bool:
    """Whether a bar's close moves a touch nobody doubts by less than a jump, and its extremes lie near the close: `believes` and
    `trim` would ask nothing."""
    near = s.trust[i].jump_bp * 1e-4
    mid = s.top[i].mid
    if s.top[i].suspect != 0 or abs(0.5 * float(row.price + row.price) - mid) > near * mid:
        return False
    close = float(row.price)
    high = float(max(row.price, row.ref) + (row.value >> 32))
    low = float(min(row.price, row.ref) - (row.value & LOWER_HALF))
    return high <= (1.0 + near) * close and low * (1.0 + near) >= close


@called
def relent(top: Any, moved: bool) -> None:
    """A doubted touch that looks well again is good, but for one that strayed: weigh and watch alone let it come back."""
    if consensus.strayed(top) and not (moved and top.suspect == FROZEN_FEED):
        top.good = 0
    else:
        top.suspect = 0
        top.good = 1


@called
def crossed(s: Any, i: int, out: Any) -> bool:
    """A crossed touch is never used; one that stays takes the book with it."""
    top = s.top[i]
    if top.suspect == CROSSED_BOOK and s.clock.now - top.changed_ns > CROSSED_TOLERANCE_NS and top.condition == SYNCED:
        invalidate(s, i)
    factor = power_of_ten(float(top.bid) / float(top.ask))
    if factor != 0.0:
        tell_touch(s, i, WRONG_SCALE, float(top.bid) / float(top.ask), factor, out)
    return refuse(s, i, CROSSED_BOOK, float(top.bid) * top.scale, float(top.ask) * top.scale, out)


@called
def confirmed(s: Any, i: int, mid: float) -> bool:
    """Whether a jump is real: somebody else stands there, and no more stayed behind; or, alone, it stood long enough.

    Alone a currency still has a witness: what its pairs imply it to be worth (renewed once a second).
    """
    top = s.top[i]
    trust = s.trust[i]
    jump = trust.jump_bp * 1e-4
    if trust.stride <= (jump + trust.grace * 1e-4) * top.mid and trust.grace > 0.0:
        return True
    g = s.group[s.fact.rule[i, BASE]]
    scale = top.scale * s.group[s.fact.rule[i, QUOTE_ASSET]].reference
    others = 0
    there = 0
    behind = 0
    siblings = 0  # the venue's own other pairs: witnesses only where there is no other venue
    for m in range(g.n_members):
        j = g.member[m]
        if j == i or scale <= 0.0 or not consensus.eligible(s, j):
            continue
        if s.fact.rule[j, VENUE] == s.fact.rule[i, VENUE]:
            siblings += int(abs(consensus.worth_of(s, j) - mid * scale) <= jump * mid * scale)
            continue
        x = consensus.worth_of(s, j)
        others += 1
        if abs(x - mid * scale) <= jump * mid * scale:
            there += 1
        elif abs(x - top.mid * scale) <= jump * top.mid * scale:
            behind += 1
    if others > 0:
        return there >= max(behind, 1)
    if g.implied > 0.0:  # no other source, but pairs quoted in it: they say where it stands
        if abs(g.implied - mid * scale) <= jump * mid * scale:
            return True
        if abs(g.implied - top.mid * scale) <= jump * top.mid * scale:
            return False
    if siblings > 0:
        return True
    if top.suspect == IMPOSSIBLE_JUMP and abs(mid - trust.doubted) <= jump * trust.doubted:
        named = trust.blame == WRONG_SCALE or trust.blame == WRONG_INSTRUMENT
        return s.clock.now - top.changed_ns >= (NAMED_NS if named else CONFIRM_NS)
    trust.doubted = mid
    top.changed_ns = s.clock.now
    return False


@called
def refuse(s: Any, i: int, code: int, measured: float, threshold: float, out: Any) -> bool:
    """Marks the touch unusable and tells it once an episode."""
    top = s.top[i]
    top.good = 0
    if top.suspect != code:
        top.suspect = code
        top.changed_ns = s.clock.now
        if code == IMPOSSIBLE_JUMP or code == OFF_CONSENSUS:
            tell_stray(s, i, code, measured, threshold, out)
        else:
            tell_touch(s, i, code, measured, threshold, out)
    elif code == IMPOSSIBLE_JUMP and s.trust[i].span_ns != 0:
        tell_stray(s, i, code, measured, threshold, out)  # since then the others had their say: it may have another name
    consensus.update(s, i)
    return False


@compiled
def credible(s: Any, row: Any, out: Any) -> bool:
    """Whether a market trade is news and can have happened beside the touch; a bad print enters no bar, no feature."""
    top = s.top[row.instrument]
    slack = s.trust[row.instrument].reach * 1e-4 * top.mid
    price = float(row.price)
    if top.good == 0 or price > float(top.ask) + slack or price < float(top.bid) - slack:
        if not plausible(s, row, out):
            is_news_of_trade(s, row, out)  # the print is bad, its number was heard
            return False
    return is_news_of_trade(s, row, out)


@called
def plausible(s: Any, row: Any, out: Any) -> bool:
    """A trade off the touch is told and left out; without a good touch, one off the mark or the other sources by a jump is."""
    i = row.instrument
    top = s.top[i]
    trust = s.trust[i]
    g = s.group[s.fact.rule[i, BASE]]
    rate = s.group[s.fact.rule[i, QUOTE_ASSET]].reference
    known = top.mid
    limit = trust.reach
    if top.good == 0:
        limit = float(s.fact.rule[i, JUMP_BP])
        known = 0.0
        if trust.mark_price > 0.0 and s.clock.now - trust.mark_ns <= MARK_NS:
            known = trust.mark_price
        elif rate > 0.0 and (g.grade >= GRADE_B or (g.grade == GRADE_C and consensus.strayed(top))):
            known = g.reference / (rate * top.scale)
    if known <= 0.0:
        return True
    off = abs(float(row.price) - known) / known * 1e4
    if consensus.strayed(top):  # its own touch is another measure: what meets neither was traded nowhere
        limit = trust.reach
        off = min(off, abs(float(row.price) - top.mid) / top.mid * 1e4)
    if top.good == 0 and off <= limit:
        return True
    tell_row(s, row, IMPOSSIBLE_JUMP, off, limit, out)
    return False


@compiled
def weigh(s: Any, i: int, out: Any) -> None:
    """After consensus: refuses the source's touch while it stands off the others."""
    top = s.top[i]
    g = s.group[s.fact.rule[i, BASE]]
    if g.grade >= GRADE_B or (top.suspect == OFF_CONSENSUS and g.grade >= GRADE_C):
        quoted = s.group[s.fact.rule[i, QUOTE_ASSET]]
        rate = quoted.reference
        if rate <= 0.0 or quoted.grade == GRADE_NONE:
            return  # by a rate nobody vouches for, nobody is judged
        trust = s.trust[i]
        off = abs(top.worth * rate - g.reference) / g.reference * 1e4
        if trust.span_ns != 0 and s.clock.now > top.ts and compared.is_met(s, i):
            off = abs(s.habits[i].apart[compared.CLOSE]) * 1e4
        trust.deviation = off
        if off > trust.reach or top.suspect == OFF_CONSENSUS:
            stray(s, i, off, out)
        else:
            trust.off_since = 0
    elif g.grade == GRADE_NONE and g.voters == 2:
        quarrel(s, i, out)


@called
def quarrel(s: Any, i: int, out: Any) -> None:
    """Two disagree and there is no third: nobody is believed, and the one who has just moved there is named."""
    trust = s.trust[i]
    top = s.top[i]
    g = s.group[s.fact.rule[i, BASE]]
    apart = (g.band_high - g.band_low) / g.band_low
    if apart * 1e4 <= trust.grace:
        return
    stepped = trust.stride > STEP_SHARE * apart * top.mid
    if trust.span_ns == 0:
        stepped = stepped and trust.moved_ns == s.clock.now
    elif not (trust.moved_ns == top.ts < s.clock.now < top.ts + trust.span_ns):
        return  # bars are compared when both are there
    for m in range(g.n_members):
        j = g.member[m]
        if j != i and trust.span_ns != 0 and s.trust[j].stride > STEP_SHARE * apart * s.top[j].mid:
            stepped = False
    if stepped:
        tell_stray(s, i, IMPOSSIBLE_JUMP, apart * 1e4, consensus.PAIR_SHARE * float(s.fact.rule[i, JUMP_BP]), out)


@called
def stray(s: Any, i: int, off: float, out: Any) -> None:
    """Off by a jump, or by a step nobody else made, or a little for long while two others agree: a lie, and told as one.

    It ends well inside, after a while. Bars are judged when all sources had their say (`s.clock.now` is past the touch).
    """
    top = s.top[i]
    trust = s.trust[i]
    now = s.clock.now
    jump = trust.jump_bp
    if top.suspect == OFF_CONSENSUS:
        if off > BACK_SHARE * trust.reach:
            trust.off_since = now
            if trust.span_ns != 0:
                grows(s, i, off, out)
        elif now - trust.off_since >= BACK_NS:
            top.suspect = 0
            top.good = 1
            trust.off_since = 0
            if trust.span_ns != 0:
                trust.told = 0  # what it does from now on is another episode, even if its trust is still low
        return
    if top.suspect != 0 and (trust.span_ns == 0 or top.suspect != DISTRUSTED):
        return
    if trust.off_since == 0:
        trust.off_since = now
    if trust.span_ns == 0:
        stepped = trust.stride * 1e4 > STEP_SHARE * off * top.mid and trust.moved_ns == now
        due = stepped or now - trust.off_since >= OFF_NS
    else:
        due = top.ts < now < top.ts + trust.span_ns
    if off > max(jump, trust.reach) or (due and is_witnessed(s, i)):
        trust.off_since = now
        trust.doubted = off
        if left_behind(s, i, off):
            refuse(s, i, FROZEN_FEED, float(now - trust.moved_ns) * 1e-9, trust.reach, out)
        else:
            refuse(s, i, OFF_CONSENSUS, off, trust.reach, out)


@called
def is_witnessed(s: Any, i: int) -> bool:
    """Whether two others say that it is this source who strayed."""
    if s.trust[i].span_ns != 0 and compared.is_met(s, i):
        return compared.stands_out(s, i)
    return consensus.agreeing(s, i, s.trust[i].reach * 1e-4) >= 2


@called
def grows(s: Any, i: int, off: float, out: Any) -> None:
    """A source of bars that stands off: it has stood still all the while, or is now much further off than when that was told."""
    trust = s.trust[i]
    if s.clock.now <= s.top[i].ts:
        return  # the others have not had their say
    trust.doubted = min(trust.doubted, max(off, trust.reach))
    if left_behind(s, i, off):
        tell_touch(s, i, FROZEN_FEED, float(s.clock.now - trust.moved_ns) * 1e-9, trust.reach, out)
    elif off > WORSE_TIMES * trust.doubted:
        trust.doubted = off
        trust.told = 0
        tell_stray(s, i, OFF_CONSENSUS, off, trust.reach, out)


@called
def left_behind(s: Any, i: int, off: float) -> bool:
    """Whether a touch stands off because it has long stood still while the reference walked away from it."""
    trust = s.trust[i]
    walked = abs(s.group[s.fact.rule[i, BASE]].reference - trust.anchor) * 1e4
    stood = s.clock.now - trust.moved_ns
    if trust.span_ns != 0 and stood >= STILL_BARS * trust.span_ns:
        return True
    return bool(stood >= max(FROZEN_NS, 2 * trust.span_ns) and walked > STEP_SHARE * off * trust.anchor)


@called
def marked(s: Any, row: Any, out: Any) -> None:
    """Mark against our market, index against the other sources: a venue's own opinion of its price is one more witness."""
    i = row.instrument
    top = s.top[i]
    trust = s.trust[i]
    trust.mark_price = float(row.price)
    trust.mark_ns = row.ts_local
    jump = float(s.fact.rule[i, JUMP_BP])
    if top.good != 0:
        off = abs(float(row.price) - top.mid) / top.mid * 1e4
        if off > MARK_SHARE * jump:
            tell_row(s, row, MARK_DIFFERS, off, MARK_SHARE * jump, out)
    g = s.group[s.fact.rule[i, BASE]]
    rate = s.group[s.fact.rule[i, QUOTE_ASSET]].reference
    if row.value > 0 and g.grade >= GRADE_B and rate > 0.0:
        off = abs(float(row.value) * top.scale * rate - g.reference) / g.reference * 1e4
        if off > MARK_SHARE * jump:
            tell_row(s, row, MARK_DIFFERS, off, MARK_SHARE * jump, out)


# Bars and candles ------------------------------------------------------------------------------------------------------------


@compiled
def trim(s: Any, i: int, f: int, before: float, out: Any) -> None:
    """An extreme further than a jump from the close, the last middle and the reference is not used until others saw it."""
    b = s.bar[i, f]
    most = 1.0 + s.trust[i].jump_bp * 1e-4
    if float(b.c_high) > most * float(b.c_close) or float(b.c_low) * most < float(b.c_close):
        trimmed(s, i, f, before, out)


@called
def trimmed(s: Any, i: int, f: int, before: float, out: Any) -> None:
    """The part of `trim` that is seldom needed."""
    b = s.bar[i, f]
    jump = s.trust[i].jump_bp + s.trust[i].grace
    most = 1.0 + jump * 1e-4
    close = float(b.c_close)
    g = s.group[s.fact.rule[i, BASE]]
    unit = s.top[i].scale * s.group[s.fact.rule[i, QUOTE_ASSET]].reference
    known = g.reference / unit if unit > 0.0 and g.grade != GRADE_NONE else close
    before = before if before > 0.0 else close
    high = max(max(close, before), known)
    low = min(min(close, before), known)
    quoted = s.group[s.fact.rule[i, QUOTE_ASSET]]
    for m in range(quoted.n_members):  # where the currency's own sources disagree, each of them may be right
        x = consensus.worth_of(s, quoted.member[m]) * s.top[i].scale
        if x > 0.0 and g.grade != GRADE_NONE:
            high = max(high, g.reference / x)
            low = min(low, g.reference / x)
    high *= most
    low /= most
    if float(b.c_high) > high or float(b.c_low) < low:
        off = max(float(b.c_high) / high, low / float(b.c_low)) * most - 1.0
        tell_touch(s, i, LONG_WICK, off * 1e4, jump, out)
        b.c_high = min(b.c_high, int(high))
        b.c_low = max(b.c_low, int(low))
        b.c_open = max(min(b.c_open, b.c_high), b.c_low)


@called
def compare_candle(s: Any, row: Any, f: int, out: Any) -> None:
    """A venue's candle against the bar we made of its trades, at the same end: the trades stay, the difference is told."""
    b = s.bar[row.instrument, f]
    if b.last_end != row.ts_venue or b.c_close <= 0:
        return
    high = max(row.price, row.ref) + (row.value >> 32)
    low = min(row.price, row.ref) - low_below(row.value)
    worst = max(max(abs(row.price - b.c_close), abs(row.ref - b.c_open)), max(abs(high - b.c_high), abs(low - b.c_low)))
    off = float(worst) / float(b.c_close) * 1e4
    if off > CANDLE_BP:
        tell_row(s, row, CANDLE_DIFFERS, off, CANDLE_BP, out)
