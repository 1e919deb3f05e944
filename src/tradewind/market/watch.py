"""The watch: once a second, what no row would bring. Ageing, jumps that stand, who strayed or froze, trust and quality.

Bars are looked at a moment after they ended, when every source had its say.
"""

from typing import Any

from ..domain.codes import GRADE_B, GRADE_C, INVALID, NEVER, SECOND, STALE, SYNCED
from ..domain.layout import BASE, JUMP_BP, QUOTE_ASSET, TRUST_ENTER, TRUST_LEAVE
from ..domain.reasons import (
    CROSSED_BOOK,
    DISTRUSTED,
    FROZEN_FEED,
    HOLE_IN_STREAM,
    IMPOSSIBLE_JUMP,
    OFF_CONSENSUS,
    QUOTE_DIFFERS,
    STALE_FEED,
)
from ..kernel.jit import called, compiled
from . import belief, compared, consensus
from .truth import YOUNG_BARS
from .verdicts import tell_touch

USUAL_STEP = 1.0 / 64.0  # of the running median, up or down a second; bars are fewer
USUAL_STEP_BARS = 1.0 / 16.0
DOUBTED_STEP = 1.0 / 64.0  # of that, while the source is doubted: a lie widens its limit slowly
DOUBTED_STEP_BARS = 1.0 / 4.0
FIRST_USUAL_BP = 5.0
LEAST_USUAL_BP = 0.5
USUAL_TIMES = 4.0  # the usual distance times this is granted
SCATTER_TIMES = 4.0  # and the votes' scatter times this
CALMING = 0.9  # what remains of a move of the reference at the next look: closes of one bar are as old as their last trades
OFF_SHARE = 0.1  # of the jump limit is granted at least
FROZEN_MOVE = 1e-3  # the others' move (ratio) that one touch cannot have missed, if its spread is not wider still
STILL_MORE = 2  # bars of one same close beyond a source's longest stand, and a quarter of it,
STILL_MOVE = 5e-4  # while the others moved so far (ratio), are no habit
SCORE_STEP = 1.0 / 16.0  # of trust, won or lost a second
SCORE_STEP_BARS = 1.0 / 4.0
SURE = 0.99
LONE_QUALITY = 0.8  # at best, of a source nobody confirms
QUOTE_NS = 5 * SECOND  # book and best quote may differ for so long
LASTING = (1 << (OFF_CONSENSUS - HOLE_IN_STREAM)) | (1 << (FROZEN_FEED - HOLE_IN_STREAM)) | (1 << (DISTRUSTED - HOLE_IN_STREAM))
PEG_TIMES = 2.0  # what a broken peg lost is granted twice: venues fall one after another, and further than they stay
LOOK_NS = SECOND  # from one watch to the next


@compiled
def quiet(s: Any) -> bool:
    """Whether a look at the sources would change nothing: each is alone, fresh and trusted, as where one venue gives bars."""
    return calm(s, 0) and (s.clock.n_instruments == 1 or calm_too(s))


@compiled
def calm(s: Any, i: int) -> bool:
    """Whether one source is: whole touch, full quality, nothing told."""
    trust = s.trust[i]
    well = trust.quality == LONE_QUALITY and trust.score > SURE and trust.told == 0
    return well and s.clock.now - s.top[i].ts <= trust.patience_ns - LOOK_NS and consensus.alone(s, i)  # as `age` counts


@called
def calm_too(s: Any) -> bool:
    """Whether all further sources are."""
    restless = 0
    for i in range(1, s.clock.n_instruments):
        restless += int(not calm(s, i))
    return restless == 0


@called
def watch(s: Any, out: Any) -> None:
    """Ages every source, judges again what stands, renews the references, then measures every source against them."""
    alone = 0
    for i in range(s.clock.n_instruments):
        age(s, i, out)
        top = s.top[i]
        if top.suspect != 0 and top.condition == SYNCED:
            if top.suspect == IMPOSSIBLE_JUMP:
                belief.believes(s, i, out)
            elif top.suspect == CROSSED_BOOK:
                belief.crossed(s, i, out)
        if top.condition != INVALID and top.suspect == 0:
            s.trust[i].told = 0
        elif consensus.strayed(top) and top.condition == SYNCED:
            s.trust[i].told &= LASTING
        if consensus.alone(s, i) and s.trust[i].score > SURE:
            s.trust[i].quality = LONE_QUALITY
            alone += 1
    if alone == s.clock.n_instruments:
        return  # nobody to compare with
    consensus.imply(s)
    consensus.strains(s)
    consensus.renew(s)
    for q in range(s.clock.n_assets):
        g = s.group[q]
        g.scatter = consensus.scattered(g)
        step = abs(g.reference - g.former) / g.former if g.former > 0.0 else 0.0
        g.unrest = max(step, CALMING * g.unrest)
        g.former = g.reference
        if g.n_quoted != 0 and q != s.clock.reporting:
            consensus.accustom(g)
    for i in range(s.clock.n_instruments):
        measure(s, i, out)


@compiled
def age(s: Any, i: int, out: Any) -> None:
    """A synced touch that has not been heard of for too long is stale until its next message.

    Told at the last look before the time is up: at the next one the silence may be over, and was too long all the same.
    """
    top = s.top[i]
    patience = s.trust[i].patience_ns
    if top.condition == SYNCED and s.clock.now - top.ts > patience - LOOK_NS:
        top.condition = STALE
        tell_touch(s, i, STALE_FEED, float(s.clock.now - top.ts) * 1e-9, float(patience) * 1e-9, out)


@compiled
def measure(s: Any, i: int, out: Any) -> None:
    """One source against the others: distance, limits, trust, weight, quality."""
    top = s.top[i]
    trust = s.trust[i]
    if top.condition == SYNCED and (top.good != 0 or top.suspect >= OFF_CONSENSUS):
        if trust.span_ns != 0 and s.clock.now > top.ts:
            compared.compare(s, i)
        grant(s, i)
        belief.weigh(s, i, out)
        thaw(s, i, out)
        if s.book[i].fed_by > 0:
            second_opinion(s, i, out)
        if trust.span_ns != 0 and s.clock.now - top.ts < trust.span_ns:
            compared.extremes(s, i, out)
            stands(s, i, out)
        habituate(s, i)
    rate(s, i, out)


@compiled
def grant(s: Any, i: int) -> None:
    """How far the source may stand off at this look."""
    trust = s.trust[i]
    g = s.group[s.fact.rule[i, BASE]]
    quoted = s.group[s.fact.rule[i, QUOTE_ASSET]]
    trust.grace = PEG_TIMES * (consensus.lost(g) + consensus.lost(quoted)) * 1e4
    if trust.span_ns != 0 and compared.is_met(s, i):
        reach = compared.leeway(s, i)
    else:
        unrest = (g.unrest + quoted.unrest) * 1e4 / max(trust.stretch, 1.0)
        reach = max(max(USUAL_TIMES * trust.usual, SCATTER_TIMES * g.scatter * 1e4), unrest)
        reach = max(reach, OFF_SHARE * float(s.fact.rule[i, JUMP_BP]))
    trust.reach = max(min(reach, trust.jump_bp), trust.grace)


@compiled
def habituate(s: Any, i: int) -> None:
    """Renews the usual distance. What is refused teaches slowly, so that a lie does not widen its own limit."""
    trust = s.trust[i]
    if s.group[s.fact.rule[i, BASE]].grade >= GRADE_B:
        step = USUAL_STEP if trust.span_ns == 0 else USUAL_STEP_BARS
        if s.top[i].suspect != 0 and (trust.span_ns == 0 or s.bar[i, 0].closed >= YOUNG_BARS):
            step *= DOUBTED_STEP if trust.span_ns == 0 else DOUBTED_STEP_BARS
        usual = trust.usual * (1.0 + step if trust.deviation > trust.usual else 1.0 - step)
        trust.usual = min(max(usual, LEAST_USUAL_BP), float(s.fact.rule[i, JUMP_BP]))


@compiled
def thaw(s: Any, i: int, out: Any) -> None:
    """Staleness by information: fresh stamps on one same touch while the others' price walked away from under it."""
    top = s.top[i]
    trust = s.trust[i]
    g = s.group[s.fact.rule[i, BASE]]
    missed = max(FROZEN_MOVE, float(top.ask - top.bid) / top.mid)
    if top.suspect == FROZEN_FEED:
        if trust.deviation * 1e-4 <= 0.5 * missed:
            top.suspect = 0  # the others came back to it
            top.good = 1
        return
    if s.clock.now - trust.moved_ns < belief.FROZEN_NS or trust.span_ns != 0 or trust.anchor <= 0.0 or g.grade < GRADE_B:
        return
    if abs(g.reference - trust.anchor) / trust.anchor > missed and trust.deviation * 1e-4 > missed:
        belief.refuse(s, i, FROZEN_FEED, float(s.clock.now - trust.moved_ns) * 1e-9, missed * 1e4, out)


@called
def stands(s: Any, i: int, out: Any) -> None:
    """A close that is told again and again for longer than is this source's habit, while the others' moved.

    Told, and no more: it may be right all the same. Who stands off is refused by `belief.stray`.
    """
    trust = s.trust[i]
    stood = s.top[i].ts - trust.moved_ns
    before = abs(trust.stood_ns)
    told = trust.stood_ns < 0
    trust.stood_ns = -stood if told else stood
    granted = trust.still_ns + (trust.still_ns >> 2) + STILL_MORE * trust.span_ns
    if stood == 0:
        trust.still_ns = max(trust.still_ns - (trust.still_ns >> 10), min(before, granted))
    elif stood > granted and not told and s.bar[i, 0].closed >= YOUNG_BARS and trust.anchor > 0.0:
        g = s.group[s.fact.rule[i, BASE]]
        if g.grade >= GRADE_B and abs(g.reference - trust.anchor) > STILL_MOVE * trust.anchor:
            trust.stood_ns = -stood  # told once, however long it stands
            tell_touch(s, i, FROZEN_FEED, float(stood) * 1e-9, float(granted) * 1e-9, out)


@called
def second_opinion(s: Any, i: int, out: Any) -> None:
    """Book against best quote: two channels of one venue that differ for long, or at one same id, are not both right."""
    q = s.quoted[i]
    top = s.top[i]
    trust = s.trust[i]
    if q.id <= 0 or q.price[0] <= 0 or q.price[1] <= 0:
        return
    off = abs(0.5 * float(q.price[0] + q.price[1]) - top.mid) / top.mid * 1e4
    limit = OFF_SHARE * float(s.fact.rule[i, JUMP_BP])
    if q.id == s.book[i].last_id and off > 0.0:
        tell_touch(s, i, QUOTE_DIFFERS, off, 0.0, out)
    elif off <= limit:
        trust.quoted_off = 0
    elif trust.quoted_off == 0:
        trust.quoted_off = s.clock.now
    elif s.clock.now - trust.quoted_off >= QUOTE_NS:
        tell_touch(s, i, QUOTE_DIFFERS, off, limit, out)


@compiled
def rate(s: Any, i: int, out: Any) -> None:
    """Trust by what was seen, left and entered at two levels; the weight of the vote; quality in [0, 1].

    Silence loses no trust, only weight and quality: a thin market that does not trade tells no lie.
    """
    top = s.top[i]
    trust = s.trust[i]
    known = s.group[s.fact.rule[i, BASE]].grade
    near = known < GRADE_B or trust.deviation <= trust.reach
    if top.condition == SYNCED:
        well = top.suspect == 0 or (top.suspect == DISTRUSTED and near)
        step = SCORE_STEP if trust.span_ns == 0 else SCORE_STEP_BARS
        trust.score += step * ((1.0 if well else 0.0) - trust.score)
        if trust.trusted != 0 and trust.score < s.tuning[TRUST_LEAVE]:
            trust.trusted = 0
            tell_touch(s, i, DISTRUSTED, trust.score, s.tuning[TRUST_LEAVE], out)
        elif trust.trusted == 0 and trust.score > s.tuning[TRUST_ENTER]:
            trust.trusted = 1
            if top.suspect == DISTRUSTED:
                top.suspect = 0
                top.good = 1
        if trust.trusted == 0 and top.suspect == 0:
            top.suspect = DISTRUSTED
            top.good = 0
    lag_ns = max(trust.lag_ns, 0) if trust.lag_ns != NEVER else 0
    aged = float(s.clock.now - top.ts + lag_ns) / float(max(trust.span_ns, SECOND))
    trust.weight = consensus.LEAST_WEIGHT + (1.0 - consensus.LEAST_WEIGHT) * trust.score / (1.0 + max(aged, 0.0))
    trust.quality = 0.0
    if top.condition == SYNCED and top.good != 0:
        fresh = 1.0 - 0.5 * min(1.0, float(s.clock.now - top.ts) / float(max(trust.patience_ns, 1)))
        agrees = 1.0 - 0.5 * min(1.0, trust.deviation / trust.reach)
        close = agrees if known >= GRADE_B else LONE_QUALITY if known == GRADE_C else 0.5
        trust.quality = trust.score * fresh * close
