"""The machine's own bookkeeping: rows that fit, settings that become tables, and when time next matters."""

from typing import Any

from tradewind.domain.codes import (
    ACKED,
    CHARGE,
    E9,
    EXPIRED_BY_VENUE,
    LIMIT,
    MARKPRICE,
    MEMORY,
    NEVER,
    OUTCOME_UNKNOWN,
    PARAMETER,
    REJECTED_BY_VENUE,
    RIGHT,
    RULE,
    SECOND,
    SPOT,
    TARGET,
    TIMEFRAME_NS,
)
from tradewind.domain.layout import (
    BARS_ONLY,
    BASE,
    DEMOTION,
    EVERY_MS,
    FRAME_AT,
    JUMP_BP,
    MAX_MEMBERS,
    N_PARAMETERS,
    N_TUNING,
    N_WORDS,
    PAYOFF,
    PEGGED,
    PRICE_SCALE_E9,
    QUOTE_ASSET,
    REPORTING,
    STALE_NS,
    VENUE,
)
from tradewind.domain.reasons import FAULT_INSTRUMENT, FAULT_RULE, FAULT_SOURCE
from tradewind.kernel.jit import called, compiled
from tradewind.kernel.must import must
from tradewind.market import bars, consensus, truth, watch

SELECT_PERIOD_S = 0  # column of s.tuning (strategy.selector)


@compiled
def fits(s: Any, row: Any) -> bool:
    """Whether the row's indices lie inside the tables; a row that does not fit is a fault and changes nothing."""
    return (
        must(s, 0 <= row.instrument < s.top.size, FAULT_INSTRUMENT)
        and must(s, 0 <= row.source < s.source.size, FAULT_SOURCE)
        and must(s, row.kind <= MARKPRICE or -1 <= row.strategy < s.fact.right.shape[0] or row.kind == CHARGE, FAULT_RULE)
    )


@compiled
def is_answer(row: Any) -> bool:
    return bool(row.kind == TARGET)


@compiled
def tally(s: Any, row: Any) -> None:
    """Counts what venues said."""
    if row.kind == CHARGE:
        s.count.fills += 1
    elif row.value == ACKED:
        s.count.acks += 1
    elif row.value == REJECTED_BY_VENUE:
        s.count.rejects += 1
    elif row.value == EXPIRED_BY_VENUE:
        s.count.expired += 1
    elif row.value == OUTCOME_UNKNOWN:
        s.count.unknowns += 1


@called
def adopt(s: Any, row: Any) -> None:
    """A setting becomes part of the tables the rooms read."""
    kind = row.kind
    if kind == RULE:
        adopt_rule(s, row)
    elif kind == PARAMETER:
        adopt_parameter(s, row)
    elif kind == LIMIT:
        if row.ref == REPORTING and row.strategy == -1:
            s.clock.reporting = row.value
            s.clock.n_assets = max(s.clock.n_assets, row.value + 1)
            g = s.group[row.value]
            g.reference = 1.0
            g.grade = 3
    elif kind == RIGHT:
        adopt_right(s, row)
    elif kind == MEMORY:
        if must(s, 0 <= row.ref < N_WORDS, FAULT_RULE):
            s.memory[row.strategy, row.instrument, row.ref] = row.value
    s.count.adopted += 1


@compiled
def adopt_rule(s: Any, row: Any) -> None:
    i = row.instrument
    s.clock.n_instruments = max(s.clock.n_instruments, i + 1)
    if row.ref == PRICE_SCALE_E9:
        s.top[i].scale = float(row.value) / 1e9
    elif row.ref == VENUE:
        s.clock.n_venues = max(s.clock.n_venues, row.value + 1)
        consensus.census(s, i)
    elif row.ref == QUOTE_ASSET:
        s.clock.n_assets = max(s.clock.n_assets, row.value + 1)
        s.group[row.value].n_quoted += 1
    elif row.ref == PAYOFF:
        s.clock.n_contracts = contracts(s)
    elif row.ref == STALE_NS:
        s.trust[i].patience_ns = row.value
        s.trust[i].longest_ns += truth.SETTLED_NS  # the next bar finds its source's patience anew
    elif row.ref == JUMP_BP:
        truth.limit_jumps(s, i)
        s.trust[i].reach = watch.OFF_SHARE * float(row.value)
    elif row.ref == BASE:
        s.clock.n_assets = max(s.clock.n_assets, row.value + 1)
        g = s.group[row.value]
        if must(s, g.n_members < MAX_MEMBERS, FAULT_RULE):
            g.member[g.n_members] = i
            g.n_members += 1
            s.trust[i].score = 1.0
            s.trust[i].weight = 1.0
            s.trust[i].trusted = 1
            s.trust[i].lag_ns = NEVER
            s.trust[i].usual = watch.FIRST_USUAL_BP
            consensus.census(s, i)
    if row.ref == PEGGED:
        adopt_peg(s, i, row.value)
    if s.fact.rule[i, DEMOTION] > 0:
        s.group[s.fact.rule[i, BASE]].lesser = 1


@called
def adopt_peg(s: Any, i: int, which: int) -> None:
    if which & 1:
        s.group[s.fact.rule[i, BASE]].pegged = 1
    if which & 2:
        s.group[s.fact.rule[i, QUOTE_ASSET]].pegged = 1


@compiled
def contracts(s: Any) -> int:
    """How many instruments are no spot: what they would gain is part of what we own."""
    found = 0
    for i in range(s.clock.n_instruments):
        found += int(s.fact.rule[i, PAYOFF] != SPOT)
    return found


@compiled
def adopt_parameter(s: Any, row: Any) -> None:
    value = float(row.value) / float(E9)
    if row.strategy >= 0:
        if must(s, 0 <= row.ref < N_PARAMETERS, FAULT_RULE):
            s.parameter[row.strategy, row.ref] = value
    elif must(s, 0 <= row.ref < N_TUNING, FAULT_RULE):
        s.tuning[row.ref] = value
        f = row.ref - FRAME_AT
        if 0 <= f < s.frame_ns.size:
            s.frame_code[f] = int(value)
            s.frame_ns[f] = TIMEFRAME_NS[int(value)]


@compiled
def adopt_right(s: Any, row: Any) -> None:
    """A strategy may trade an instrument: it gets its full weight and its timer, time starts to matter."""
    k = row.strategy
    i = row.instrument
    s.clock.n_strategies = max(s.clock.n_strategies, k + 1)
    s.share[k].weight = 1024
    s.clock.unsized = 1
    every = int(s.parameter[k, EVERY_MS] * 1e6)
    s.timer[k, i].every = every
    s.timer[k, i].due = row.ts_local + every if every > 0 and row.value != 0 else NEVER
    s.clock.timer_due = min(s.clock.timer_due, s.timer[k, i].due)
    start(s)


@compiled
def start(s: Any) -> None:
    now = s.clock.now
    s.clock.mark_every = mark_period(s)
    if s.clock.bar_due == NEVER and s.frame_ns[0] > 0 and makes_bars(s):
        s.clock.bar_due = bars.next_end(s, now)
    s.clock.marked_due = min(s.clock.marked_due, last_mark(s))
    s.clock.select_due = min(s.clock.select_due, now + 1)
    look_ahead(s)


@compiled
def makes_bars(s: Any) -> bool:
    """Whether any instrument's bars are made here, of trades; a source of bars closes them itself."""
    made = 0
    for i in range(s.clock.n_instruments):
        made += int(s.fact.rule[i, BARS_ONLY] == 0)
    return made > 0


@compiled
def next_selection(s: Any) -> int:
    period = int(s.tuning[SELECT_PERIOD_S] * 1e9)
    return s.clock.now // period * period + period if period > 0 else NEVER


@compiled
def next_mark(s: Any) -> int:
    """When equity, exposure and the sources are measured next: every second; where there are only bars, a second after each."""
    due = s.clock.marked_due + s.clock.mark_every
    return int(due if due > s.clock.now else last_mark(s) + s.clock.mark_every)


@compiled
def mark_period(s: Any) -> int:
    return int(s.frame_ns[0] if s.fact.rule[0, BARS_ONLY] != 0 and s.frame_ns[0] > 0 else SECOND)


@compiled
def last_mark(s: Any) -> int:
    """The last moment of measuring up to now; a bar's other sources need a moment to have their say."""
    period = s.clock.mark_every
    wait = SECOND if period > SECOND else 0
    return int((s.clock.now - wait) // period * period + wait)


@compiled
def look_ahead(s: Any) -> None:
    """The earliest moment at which time alone brings something."""
    c = s.clock
    c.next_due = min(min(c.bar_due, c.marked_due), min(c.select_due, c.timer_due))
