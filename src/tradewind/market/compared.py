"""Bars side by side: how far a source's close, high and low lie from what the others say in the bar of the same moment.

Who is measured has no say in the measure. Granted is what the source's own habit is, the median distance of its last LOOKS bars
some times over, and what the bar itself explains: how wide it was, and how far the others stand from each other. So a venue whose
hours are ragged is granted ragged ones, and one that always meets the others is not.
"""

from typing import Any

from ..domain.layout import BASE, JUMP_BP, LOOKS, MAX_MEMBERS, QUOTE_ASSET
from ..domain.reasons import LONG_WICK
from ..kernel.jit import called, compiled
from . import consensus
from .verdicts import tell_touch

CLOSE, HIGH, LOW = range(3)
WITNESSES = 2  # fewer cannot tell who strayed
NO_PREMIUM = 2.5e-3  # a ratio; what goes beyond it is one
PREMIUM_EVERY = 8  # bars: so often a premium is reckoned anew
PARTIES = 3  # of two that part, one may lie
NEAR = 5.2e-3  # a ratio that is granted to everyone
HABIT_TIMES = 3.5  # the usual distance times this is,
RANGE_SHARE = 0.2  # this of the others' range: in an hour of five percent nobody meets to half of one,
SCATTER_TIMES = 4.0  # and the others' distance from each other times this
OWN_SHARE = 0.5  # of what is granted an extreme lies further off than its close: who stands off whole has none of his own
MANIA_SHARE = 0.333  # of the jump limit: what the reference moves beyond it in a long bar is a mania, when venues part
MANIA_TIMES = 8.0  # and is granted to closes so often,
CALM_SCATTER = 2e-3  # where the others part (ratio) further, in full from twice of it: a market that moves as one parts nobody


# Measuring -------------------------------------------------------------------------------------------------------------------


@called
def compare(s: Any, i: int) -> None:
    """Measures instrument i's latest bar beside the others', as many as have told theirs by now; its habit is of the bars before.

    Of a bar that was not believed nothing is known but its close.
    """
    b = s.bar[i, 0]
    h = s.habits[i]
    if h.end != b.last_end:
        h.n += int(h.others > 0)
        h.end = b.last_end
        h.others = 0
        h.told = 0
        h.apart[HIGH] = 0.0
        h.apart[LOW] = 0.0
        if h.n % PREMIUM_EVERY == 0:
            h.premium = usual_premium(s, i)
    h.stood[h.n % LOOKS] = stands(s, i)
    for edge in range(3 if is_believed(s, i) else 1):
        n = gather(s, i, i, edge)
        own = worth_at(s, i, edge)
        if n > 0 and own > 0.0:
            h.others = max(h.others, n)
            h.apart[edge] = own / median_of_sorted(h.said, n) - 1.0
            h.past[edge, h.n % LOOKS] = abs(h.apart[edge])


@compiled
def is_met(s: Any, i: int) -> bool:
    """Whether enough others told a bar of the latest's moment."""
    return bool(s.habits[i].end == s.bar[i, 0].last_end and s.habits[i].others >= WITNESSES)


@compiled
def is_believed(s: Any, j: int) -> bool:
    """Whether instrument j's latest bar became one: the close of one that did not is the touch's alone."""
    return bool(s.bar[j, 0].c_close == s.top[j].bid)


@called
def stands(s: Any, i: int) -> float:
    """How far (a ratio, with its sign) the close stands from the median of all, with its own among them."""
    n = gather(s, i, i, CLOSE)
    h = s.habits[i]
    own = worth_at(s, i, CLOSE)
    if n == 0 or own <= 0.0:
        return 0.0
    insert(h.said, n, own)
    return (1.0 + h.premium) * own / median_of_sorted(h.said, n + 1) - 1.0


@called
def usual_premium(s: Any, i: int) -> float:
    """The median of that over the bars before: what a source usually asks more is no deviation, nor a witness."""
    h = s.habits[i]
    n = min(h.n, LOOKS - 1)
    if n < PREMIUM_EVERY:
        return 0.0
    for k in range(n):
        insert(h.order, k, h.stood[(h.n - 1 - k) % LOOKS])
    x = median_of_sorted(h.order, n)
    return (1.0 if x > 0.0 else -1.0) * max(abs(x) - NO_PREMIUM, 0.0)


@called
def worth_at(s: Any, j: int, edge: int) -> float:
    """Close, high or low of instrument j's latest bar in reporting units, less its premium; 0 where its quote asset has no rate.

    A currency nobody trades is taken at par, or at its habit: what its pairs imply it to be worth just now would explain them away.
    """
    b = s.bar[j, 0]
    quoted = s.group[s.fact.rule[j, QUOTE_ASSET]]
    rate = quoted.reference
    if quoted.n_members == 0 and quoted.n_quoted != 0:
        rate = 1.0 if quoted.pegged != 0 else quoted.habit if quoted.n_settled > 0 else rate
    price = s.top[j].bid if edge == CLOSE else b.c_high if edge == HIGH else b.c_low
    return float(price) * s.top[j].scale * rate / (1.0 + s.habits[j].premium)


@called
def gather(s: Any, i: int, of: int, edge: int) -> int:
    """Puts what the others say at the moment of instrument `of`'s bar into i's list, in order; how many they are.

    Of a bar that was not believed there is but the close.
    """
    g = s.group[s.fact.rule[of, BASE]]
    said = s.habits[i].said
    n = 0
    for m in range(min(g.n_members, MAX_MEMBERS)):
        j = g.member[m]
        if joins(s, of, j) and (edge == CLOSE or is_believed(s, j)):
            insert(said, n, worth_at(s, j, edge))
            n += 1
    return n


@called
def joins(s: Any, of: int, j: int) -> bool:
    """Whether another instrument j told a bar of the moment of `of`'s, at a price that can be one."""
    if j == of or s.bar[j, 0].last_end != s.bar[of, 0].last_end or s.bar[j, 0].c_close <= 0:
        return False
    return bool(s.top[j].suspect == 0 or consensus.strayed(s.top[j])) and worth_at(s, j, CLOSE) > 0.0


@called
def is_short(s: Any, of: int) -> bool:
    """Whether fewer than two of the others are doubted by nobody."""
    g = s.group[s.fact.rule[of, BASE]]
    n = 0
    for m in range(min(g.n_members, MAX_MEMBERS)):
        n += int(s.top[g.member[m]].suspect == 0 and joins(s, of, g.member[m]))
    return n < WITNESSES


@compiled
def insert(said: Any, n: int, x: float) -> None:
    """Puts x among the first n, which are sorted."""
    k = n
    while k > 0 and said[k - 1] > x:
        said[k] = said[k - 1]
        k -= 1
    said[k] = x


@compiled
def median_of_sorted(said: Any, n: int) -> float:
    """The median of n sorted values."""
    return float(0.5 * (said[(n - 1) // 2] + said[n // 2]))


@called
def parted(s: Any, i: int, edge: int) -> float:
    """How far the others stand from each other: the median distance (a ratio) of what they say from its median."""
    h = s.habits[i]
    n = gather(s, i, i, edge)
    if n < PARTIES:
        return 0.0
    known = median_of_sorted(h.said, n)
    for k in range(n):
        insert(h.off, k, abs(h.said[k] - known))
    return float(h.off[n // 2]) / known


@called
def habitual(s: Any, i: int, edge: int) -> float:
    """The median distance (a ratio) of the bars before the latest; 0 where there are none."""
    h = s.habits[i]
    n = min(h.n, LOOKS - 1)
    for k in range(n):
        insert(h.order, k, h.past[edge, (h.n - 1 - k) % LOOKS])
    return median_of_sorted(h.order, n) if n > 0 else 0.0


# Judging ---------------------------------------------------------------------------------------------------------------------


@called
def granted(s: Any, i: int, edge: int) -> float:
    """How far (a ratio) the edge may lie from the others'. Who lies nearer than everyone may is not asked for more."""
    if abs(s.habits[i].apart[edge]) <= NEAR:
        return NEAR
    said = s.habits[i].said
    wide = 0.0
    n = gather(s, i, i, HIGH)
    if n > 0:
        top = median_of_sorted(said, n)
        n = gather(s, i, i, LOW)
        wide = top / median_of_sorted(said, n) - 1.0
    own = max(NEAR, HABIT_TIMES * habitual(s, i, edge))
    return max(own, max(RANGE_SHARE * wide, SCATTER_TIMES * parted(s, i, edge)))


@called
def leeway(s: Any, i: int) -> float:
    """How far (bp) the close may: in a mania venues part as far as the market moves."""
    most = granted(s, i, CLOSE) * 1e4
    if most <= NEAR * 1e4:
        return most
    share = min(max((parted(s, i, CLOSE) - CALM_SCATTER) / CALM_SCATTER, 0.0), 1.0)
    rule = s.fact.rule[i]
    unrest = (s.group[rule[BASE]].unrest + s.group[rule[QUOTE_ASSET]].unrest) * 1e4
    return max(most, share * MANIA_TIMES * max(unrest - MANIA_SHARE * float(rule[JUMP_BP]), 0.0))


@called
def stands_out(s: Any, i: int) -> bool:
    """Whether nobody's close lies further from the others' than i's: who is left alone by the others is the one who strayed.

    Who is doubted already hides nobody, unless too few others are left to tell.
    """
    g = s.group[s.fact.rule[i, BASE]]
    h = s.habits[i]
    few = is_short(s, i)
    for m in range(min(g.n_members, MAX_MEMBERS)):
        j = g.member[m]
        if joins(s, i, j) and (few or s.top[j].suspect == 0):
            n = gather(s, i, j, CLOSE)
            if n > 0 and abs(worth_at(s, j, CLOSE) / median_of_sorted(h.said, n) - 1.0) > abs(h.apart[CLOSE]):
                return False
    return True


@called
def extremes(s: Any, i: int, out: Any) -> None:
    """Tells a high above, or a low below, what the others saw."""
    h = s.habits[i]
    if h.end != s.bar[i, 0].last_end or not is_believed(s, i):
        return
    for edge in range(HIGH, LOW + 1):
        side = 1.0 if edge == HIGH else -1.0
        x = side * h.apart[edge]
        if x > NEAR and h.told & (1 << edge) == 0:
            limit = granted(s, i, edge)
            if x > limit and x - side * h.apart[CLOSE] > OWN_SHARE * limit:
                h.told |= 1 << edge
                tell_touch(s, i, LONG_WICK, x * 1e4, limit * 1e4, out)
