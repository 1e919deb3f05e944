"""Consensus: one reference price an asset, in the reporting currency, from all its sources.

The reference is the weighted median of the eligible sources. Weights fall with age, known lag and lost trust, but no further
than LEAST_WEIGHT, so any one of three can be arbitrary and the reference still lies within the other two's band. A venue has
one voice: its pairs of one asset share its weight, and grades count venues. The group of an asset is every instrument with
that base; its reference is at the same time the asset's rate. Grade A: at least three agree; B: two agree; C: one venue; none:
two that disagree, or nobody. Without a grade the reference stays what it last was: a bad print of one of two sources values
nothing. Where an asset's own sources disagree, or it has none, what the pairs quoted in it imply is the witness (`imply`, once
a second); then its habit, where it is a currency that has long stood still (`settle`).

A source of less trust (rule DEMOTION: one that comes through the bridge) has a vote, but lends no grade above its own: the grade
is what the others alone would agree on (`demote`).
"""

from typing import Any

from ..domain.codes import GRADE_A, GRADE_B, GRADE_C, GRADE_NONE, SYNCED
from ..domain.layout import BARS_ONLY, BASE, DEMOTION, JUMP_BP, MAX_MEMBERS, OFF_PAR, QUOTE_ASSET, VENUE
from ..domain.reasons import DISTRUSTED, FROZEN_FEED, IMPOSSIBLE_JUMP, OFF_CONSENSUS
from ..kernel.jit import called, compiled

LEAST_WEIGHT = 0.6  # over a half: two votes outweigh any one
PAIR_SHARE = 0.14  # of the jump limit: two sources further apart than this, and no third, disagree
IMPLIED_WEIGHT = 0.8
LONE_STEP = 1.0 / 64.0  # of the way a look: a rate by one pair alone follows slowly, or the pair could never be off
LONE_STEP_BARS = 1.0 / 8.0
IMPLIED = -1  # voices that are no venue's
HABIT = -2
SETTLING = 60  # looks until a currency has a habit
HABIT_LOOKS = 600  # over which it is the mean
PEG_LOST = 5e-3  # a peg (ratio) that two witnesses saw so far off is broken: what it lost is granted to whatever it prices
PEG_MEMORY = 1.0 / 3600.0  # of the strain fades a look; bars are fewer
PEG_MEMORY_BARS = 1.0 / 60.0
CALM = 5e-4  # a currency whose rate strays further from its habit (ratio, mean) has none


@compiled
def eligible(s: Any, j: int) -> bool:
    """Whether instrument j may say what its asset is worth. One that just jumped may: that is how a real jump is confirmed."""
    top = s.top[j]
    heard = 0 < top.bid <= top.ask and top.condition == SYNCED and s.clock.now - top.ts <= s.trust[j].patience_ns
    if not heard or strayed(top):
        return False
    return top.good + top.suspect != 0 and s.group[s.fact.rule[j, QUOTE_ASSET]].grade != GRADE_NONE


@compiled
def strayed(top: Any) -> bool:
    """Whether a touch, whole in itself, is doubted beside the others'."""
    return bool(top.suspect == OFF_CONSENSUS or top.suspect == FROZEN_FEED or top.suspect == DISTRUSTED)


@compiled
def worth_of(s: Any, j: int) -> float:
    """The middle of instrument j's touch in reporting units; 0 where its quote asset has no rate."""
    top = s.top[j]
    return 0.5 * float(top.bid + top.ask) * top.scale * s.group[s.fact.rule[j, QUOTE_ASSET]].reference


@compiled
def update(s: Any, i: int) -> None:
    """Takes in the new touch of instrument i."""
    base = s.fact.rule[i, BASE]
    if base == s.clock.reporting:
        invert(s, i)
        return
    g = s.group[base]
    if g.n_members == 1:
        believe(s, g, i)
        return
    n = 0
    sure = 0
    for m in range(g.n_members):
        j = g.member[m]
        if eligible(s, j):
            x = worth_of(s, j)
            if x > 0.0:
                place(g, n, x, s.trust[j].weight, s.fact.rule[j, VENUE])
                n += 1
                sure += s.top[j].good
    if g.shared != 0:
        divide(g, n)
    tolerance = s.trust[i].jump_bp * 1e-4
    conclude(g, n, sure, tolerance, s.clock.now)
    if g.n_quoted != 0:
        settle(s, g, n, sure, tolerance)
    if g.lesser != 0 and g.grade > GRADE_C:
        demote(s, g, tolerance)


@called
def settle(s: Any, g: Any, n: int, sure: int, tolerance: float) -> None:
    """A currency's sources that disagree need a third witness: what its pairs imply, else its habit, whichever one of them meets.

    A stablecoin that is under no strain has par for a habit until it has one of its own.
    Where two agree the reference is the nearer to the habit, so that one of them cannot lead it away bit by bit. Where only
    one is left that the habit contradicts, and another is heard and doubted, the habit values until one of them gives way.
    """
    calm = g.n_settled >= SETTLING and g.restless < CALM
    known = calm or (g.pegged != 0 and g.strain < PEG_LOST)
    usual = g.habit if calm else 1.0
    pair = PAIR_SHARE * tolerance
    if g.grade == GRADE_NONE and n > 0:
        near = within(g, n, g.implied, pair) if g.implied > 0.0 else 0
        usual_near = within(g, n, usual, pair) if known else 0
        if g.implied > 0.0 and (0 < near < n or usual_near == 0):
            third(s, g, n, sure, tolerance, g.implied, IMPLIED)
        elif usual_near > 0:
            third(s, g, n, sure, tolerance, usual, HABIT)
            g.grade = min(g.grade, GRADE_B)
    elif calm and g.grade == GRADE_B and n == 2:
        g.reference = min(max(g.habit, g.band_low), g.band_high)
    elif calm and g.grade == GRADE_C and within(g, n, g.habit, pair) == 0:
        for m in range(g.n_members):
            j = g.member[m]
            if strayed(s.top[j]) and heard(s, j) and within(g, n, worth_of(s, j), pair) == 0:
                g.reference = g.habit  # and not where the doubted one says the same: then both are right


@called
def third(s: Any, g: Any, n: int, sure: int, tolerance: float, x: float, voice: int) -> None:
    """Concludes again with one more witness."""
    if n < MAX_MEMBERS:
        place(g, n, x, IMPLIED_WEIGHT, voice)
        conclude(g, n + 1, sure + 1, tolerance, s.clock.now)


@called
def demote(s: Any, g: Any, tolerance: float) -> None:
    """The grade by the sources that may lend it: three venues for A, two for B; a lesser one agrees without lifting it."""
    full = 0
    good = 0
    for m in range(g.n_members):
        j = g.member[m]
        off = s.fact.rule[j, DEMOTION]
        if off <= GRADE_A - GRADE_B and eligible(s, j):
            near = abs(worth_of(s, j) - g.reference) <= tolerance * g.reference
            for k in range(m):
                if s.fact.rule[g.member[k], VENUE] == s.fact.rule[j, VENUE]:
                    near = False  # that venue has been asked
            good += int(near)
            full += int(near and off <= 0)
    g.grade = min(g.grade, GRADE_A if full >= 3 else GRADE_B if good >= 2 else GRADE_C)


@compiled
def accustom(g: Any) -> None:
    """One more look at what a currency is worth: its habit, and how far it strays from it. What nobody confirms teaches nothing."""
    if g.grade >= GRADE_B or (g.grade == GRADE_C and g.n_members < 2):
        g.n_settled = min(g.n_settled + 1, HABIT_LOOKS)
        if g.n_settled == 1:
            g.habit = g.reference
        step = 1.0 / float(g.n_settled)
        g.restless += step * (abs(g.reference - g.habit) / g.habit - g.restless)
        g.habit += step * (g.reference - g.habit)


@called
def census(s: Any, i: int) -> None:
    """Finds out whether two sources of instrument i's asset are of one venue."""
    g = s.group[s.fact.rule[i, BASE]]
    g.shared = 0
    for m in range(g.n_members):
        for k in range(m):
            if s.fact.rule[g.member[m], VENUE] == s.fact.rule[g.member[k], VENUE]:
                g.shared = 1


@compiled
def believe(s: Any, g: Any, j: int) -> None:
    """A lone source: what it says is the reference, unless it is doubted; most of what bars bring comes this way."""
    g.ts = s.clock.now
    top = s.top[j]
    quoted = s.group[s.fact.rule[j, QUOTE_ASSET]]
    x = top.worth * quoted.reference
    good = top.good != 0 and quoted.grade != GRADE_NONE  # a good touch is whole and doubted by nobody
    if good and x > 0.0 and top.condition == SYNCED and s.clock.now - top.ts <= s.trust[j].patience_ns:
        follow(g, x)
    else:
        g.voters = int(eligible(s, j))
        g.grade = GRADE_NONE


@compiled
def follow(g: Any, x: float) -> None:
    """The reference is what the one source says."""
    g.voters = 1
    g.grade = GRADE_C
    g.reference = x
    g.band_low = x
    g.band_high = x
    g.dispersion = 0.0


@compiled
def is_lone(s: Any, row: Any, i: int) -> bool:
    """Whether instrument i is its asset's one source and what a bar of it closes at will be the reference."""
    base = s.fact.rule[i, BASE]
    quoted = s.group[s.fact.rule[i, QUOTE_ASSET]]
    if base == s.clock.reporting or s.group[base].n_members != 1 or quoted.grade == GRADE_NONE:
        return False
    if s.clock.now - row.ts_local > s.trust[i].patience_ns:
        return False
    return 0.5 * float(row.price + row.price) * s.top[i].scale * quoted.reference > 0.0


@compiled
def accept(s: Any, i: int) -> None:
    """Takes in the touch of a bar of a source that `is_lone`."""
    g = s.group[s.fact.rule[i, BASE]]
    g.ts = s.clock.now
    follow(g, s.top[i].worth * s.group[s.fact.rule[i, QUOTE_ASSET]].reference)


@called
def invert(s: Any, i: int) -> None:
    """A pair that quotes the reporting currency in another asset gives that asset's rate, where nothing quotes it itself."""
    quoted = s.fact.rule[i, QUOTE_ASSET]
    g = s.group[quoted]
    if g.n_members != 0 or quoted == s.clock.reporting:
        return
    pairs = s.group[s.clock.reporting]
    n = 0
    sure = 0
    for m in range(pairs.n_members):
        j = pairs.member[m]
        top = s.top[j]
        heard = 0 < top.bid <= top.ask and top.condition == SYNCED and s.clock.now - top.ts <= s.trust[j].patience_ns
        if heard and s.fact.rule[j, QUOTE_ASSET] == quoted and (top.good != 0 or top.suspect == IMPOSSIBLE_JUMP):
            place(g, n, 1.0 / (0.5 * float(top.bid + top.ask) * top.scale), 1.0, n)
            n += 1
            sure += top.good
    conclude(g, n, sure, float(s.fact.rule[i, JUMP_BP]) * 1e-4, s.clock.now)


@called
def renew(s: Any) -> None:
    """Every reference anew: sources grow stale, and rates move, without a touch of their own."""
    for i in range(s.clock.n_instruments):
        base = s.fact.rule[i, BASE]
        g = s.group[base]
        if base == s.clock.reporting or (g.member[0] == i and not alone(s, i)):
            update(s, i)


@called
def imply(s: Any) -> None:
    """What each quote asset must be worth for the pairs quoted in it to agree with pairs of the same base that are not."""
    for q in range(s.clock.n_assets):
        g = s.group[q]
        g.implied = 0.0
        if g.n_quoted == 0 or q == s.clock.reporting or (g.grade != GRADE_NONE and g.n_members > 0):
            continue  # nobody asks, or its own sources agree
        n = 0
        for j in range(s.clock.n_instruments):
            if n < MAX_MEMBERS and s.fact.rule[j, QUOTE_ASSET] == q and heard(s, j):
                x = elsewhere(s, s.fact.rule[j, BASE], q)
                if x > 0.0:
                    place(g, n, x / (0.5 * float(s.top[j].bid + s.top[j].ask) * s.top[j].scale), 1.0, n)
                    n += 1
        if n > 0:
            tolerance = PAIR_SHARE * float(s.fact.rule[0, JUMP_BP]) * 1e-4
            x = median_of(g, n)
            close = within(g, n, x, tolerance)
            if 2 * close > n:
                g.implied = x
            if n == 1 and g.n_members == 0 and g.reference > 0.0:
                most = 3.0 * tolerance * g.reference
                step = LONE_STEP_BARS if s.fact.rule[0, BARS_ONLY] != 0 else LONE_STEP
                g.vote[0] = g.reference + step * min(max(x - g.reference, -most), most)
            if g.n_members == 0:
                conclude(g, n, close, tolerance, s.clock.now)


@called
def strains(s: Any) -> None:
    """How far each stablecoin stands from par by two witnesses: two sources of its own, or one and a pair quoted in it.

    A single one may lie. A venue that lies with all it has lets its pairs say the opposite of its source, and pairs of one venue
    alone are no witness. Once a second; spends the votes of other groups.
    """
    fades = PEG_MEMORY_BARS if s.fact.rule[0, BARS_ONLY] != 0 else PEG_MEMORY
    s.pegs.n_off_par = 0
    for q in range(s.clock.n_assets):
        g = s.group[q]
        if g.pegged != 0:
            now = max(witnessed(s, q, -1.0), witnessed(s, q, 1.0))
            g.strain = max(now, g.strain * (1.0 - fades))
            g.off_par = int(g.strain > (0.5 * OFF_PAR if g.off_par != 0 else OFF_PAR))
            s.pegs.n_off_par += g.off_par


@called
def witnessed(s: Any, q: int, side: float) -> float:
    """How far above (side 1) or below (-1) par two witnesses see asset q, a ratio; 0 where they do not."""
    first = 0.0
    second = 0.0
    pair = 0.0
    for j in range(s.clock.n_instruments):
        if not heard(s, j):
            continue
        if s.fact.rule[j, BASE] == q:
            off = side * (worth_of(s, j) - 1.0)
            second = max(second, min(first, off))
            first = max(first, off)
        elif s.fact.rule[j, QUOTE_ASSET] == q:
            x = elsewhere(s, s.fact.rule[j, BASE], q)
            if x > 0.0:
                pair = max(pair, side * (x / (0.5 * float(s.top[j].bid + s.top[j].ask) * s.top[j].scale) - 1.0))
    return max(second, min(first, pair))


@compiled
def lost(g: Any) -> float:
    """What a broken peg lost, a ratio; 0 where it holds, or there is none."""
    return float(g.strain) if g.strain > PEG_LOST else 0.0


@compiled
def alone(s: Any, i: int) -> bool:
    """Whether time by itself changes no reference here: a lone source that quotes the reporting currency and is not silent."""
    return bool(
        s.top[i].good != 0
        and s.top[i].condition == SYNCED
        and s.fact.rule[i, QUOTE_ASSET] == s.clock.reporting
        and s.group[s.fact.rule[i, BASE]].n_members == 1
        and s.group[s.fact.rule[i, BASE]].grade == GRADE_C
    )


@compiled
def heard(s: Any, j: int) -> bool:
    """Whether instrument j shows a whole, fresh touch that did not just jump."""
    top = s.top[j]
    whole = 0 < top.bid <= top.ask and top.condition == SYNCED and top.suspect != IMPOSSIBLE_JUMP
    return bool(whole and s.clock.now - top.ts <= s.trust[j].patience_ns)


@compiled
def elsewhere(s: Any, base: int, quoted: int) -> float:
    """The median of asset `base` by the pairs not quoted in `quoted`; 0 where there are none. Uses the votes of its group."""
    g = s.group[base]
    n = 0
    for m in range(g.n_members):
        j = g.member[m]
        if s.fact.rule[j, QUOTE_ASSET] != quoted and eligible(s, j):
            x = worth_of(s, j)
            if x > 0.0:
                place(g, n, x, s.trust[j].weight, s.fact.rule[j, VENUE])
                n += 1
    if g.shared != 0:
        divide(g, n)
    return median_of(g, n) if n > 0 else 0.0


@compiled
def place(g: Any, n: int, x: float, weight: float, voice: int) -> None:
    """Insertion into the sorted votes; `voice` is whose it is."""
    k = n
    while k > 0 and g.vote[k - 1] > x:
        g.vote[k] = g.vote[k - 1]
        g.pull[k] = g.pull[k - 1]
        g.voice[k] = g.voice[k - 1]
        k -= 1
    g.vote[k] = x
    g.pull[k] = weight
    g.voice[k] = voice


@called
def divide(g: Any, n: int) -> None:
    """The votes of one voice share one weight."""
    for k in range(n):
        same = 0
        for m in range(n):
            same += int(g.voice[m] == g.voice[k])
        g.pull[k] = g.pull[k] / float(same)


@called
def voices(g: Any, n: int, x: float, tolerance: float) -> int:
    """How many voices have a vote within `tolerance` (a ratio) of x."""
    count = 0
    for k in range(n):
        fresh = abs(g.vote[k] - x) <= tolerance * x
        for m in range(k):
            if g.voice[m] == g.voice[k] and abs(g.vote[m] - x) <= tolerance * x:
                fresh = False
        count += int(fresh)
    return count


@compiled
def median_of(g: Any, n: int) -> float:
    """The weighted median of n votes; of two their weighted mean."""
    if n == 1:
        return float(g.vote[0])
    if n == 2:
        return float((g.vote[0] * g.pull[0] + g.vote[1] * g.pull[1]) / (g.pull[0] + g.pull[1]))
    total = 0.0
    for k in range(n):
        total += g.pull[k]
    k = 0
    below = g.pull[0]
    while 2.0 * below < total and k < n - 1:
        k += 1
        below += g.pull[k]
    if 2.0 * below == total and k < n - 1:
        return float(0.5 * (g.vote[k] + g.vote[k + 1]))
    return float(g.vote[k])


@called
def scattered(g: Any) -> float:
    """The median distance of the votes from the reference, a ratio; 0 where fewer than three venues vote. Spends the weights.

    Two venues and a habit do not scatter: one of the two lies, or both are right, and neither may widen the limit.
    """
    n = g.voters
    if n < 3 or (n == 3 and min(min(g.voice[0], g.voice[1]), g.voice[2]) < 0):
        return 0.0
    for k in range(n):
        x = abs(g.vote[k] - g.reference) / g.reference
        m = k
        while m > 0 and g.pull[m - 1] > x:
            g.pull[m] = g.pull[m - 1]
            m -= 1
        g.pull[m] = x
    return float(g.pull[(n - 1) // 2 if n > 5 else n // 2])  # of six the nearer half's: three that lie excuse nobody


@compiled
def conclude(g: Any, n: int, sure: int, tolerance: float, now: int) -> None:
    """Grade and reference of n votes, `sure` of them by touches nobody doubts. A lone doubted touch decides nothing."""
    g.voters = n
    g.ts = now
    if n == 0 or (n == 1 and sure == 0):
        g.grade = GRADE_NONE
        return
    reference = median_of(g, n)
    g.band_low = g.vote[0]
    g.band_high = g.vote[n - 1]
    g.dispersion = (g.band_high - g.band_low) / reference
    g.grade = grade_of(g, n, reference, tolerance)
    if g.grade != GRADE_NONE:
        g.reference = reference


@compiled
def within(g: Any, n: int, reference: float, tolerance: float) -> int:
    """How many of n votes lie within `tolerance` (a ratio) of the reference."""
    agree = 0
    for k in range(n):
        if abs(g.vote[k] - reference) <= tolerance * reference:
            agree += 1
    return agree


@called
def agreeing(s: Any, i: int, tolerance: float) -> int:
    """How many voices about instrument i's asset stand within `tolerance` of its reference."""
    g = s.group[s.fact.rule[i, BASE]]
    return voices(g, g.voters, g.reference, tolerance)


@compiled
def grade_of(g: Any, n: int, reference: float, tolerance: float) -> int:
    """How many votes agree decides the grade."""
    if g.shared != 0:
        return shared_grade(g, n, reference, tolerance)
    if n == 2:
        return GRADE_B if g.band_high - g.band_low <= PAIR_SHARE * tolerance * g.band_low else GRADE_NONE
    agree = within(g, n, reference, tolerance)
    if agree >= 3:
        return GRADE_A
    if agree == 2:
        return GRADE_B
    return GRADE_C if n == 1 else GRADE_NONE


@called
def shared_grade(g: Any, n: int, reference: float, tolerance: float) -> int:
    """The same where a venue has several votes: venues count. Two of them agree where two neighbouring votes of theirs do."""
    heard_of = voices(g, n, reference, 1e18)
    if heard_of >= 3:
        agree = voices(g, n, reference, tolerance)
        return GRADE_A if agree >= 3 else GRADE_B if agree == 2 else GRADE_NONE
    for k in range(1, n):
        apart = g.voice[k] != g.voice[k - 1] or heard_of == 1
        if apart and g.vote[k] - g.vote[k - 1] <= PAIR_SHARE * tolerance * g.vote[k - 1]:
            return GRADE_B if heard_of == 2 else GRADE_C
    return GRADE_C if n == 1 else GRADE_NONE
