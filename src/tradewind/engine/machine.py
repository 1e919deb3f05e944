"""The machine: what happens to a row. This page is the picture of the system; every name on it is a room, or the account
(engine.account), which is the other half of it.

Rows come in, command rows go out, and nothing else is looked at: no clock, no network, no chance, no mode. Whoever drives
it (backtest, paper, live, replay) runs these very functions over the same kinds of rows.

    market row ─▶ truth ─▶ books ─▶ belief ─▶ consensus ─▶ features ─▶ signals ─▶ strategies ─▶ selector ─▶ review ─▶ orders ─▶ out
    own row    ─▶ facts: orders, positions, ledger, limits, ladder ─────────────────▲
    time       ─▶ bars, timers, selector, marks ────────────────────────────────────▲
"""

from typing import Any

from tradewind.analytics import confidence, signals
from tradewind.domain.codes import (
    BAR,
    DEPTH,
    END,
    FAULT,
    FIRST,
    FULL,
    LAST,
    MARKPRICE,
    NEVER,
    QUOTE,
    STREAM,
    TIMEFRAME_NS,
    TRADE,
    WOKEN,
)
from tradewind.domain.layout import BARS_ONLY, BOOK_DEPTH
from tradewind.kernel.accounts import at, box, number
from tradewind.kernel.jit import called, compiled, entry
from tradewind.market import bars, belief, books, consensus, truth, watch

from . import account, settings
from .account import has_room
from .slots import features, strategies


@entry
def run(state: Any, tape: Any, start: int, stop: int, out: Any) -> Any:
    """Feeds tape[start:stop]; returns where it stopped and why (END, FULL, WOKEN, FAULT). Commands are out[:clock.n_out]."""
    s = state[0]
    s.clock.n_out = s.clock.wakes = 0
    stop = min(stop, tape.size)
    i = start
    while i < stop:
        if not has_room(s, out):
            return i, FULL
        catch_up(s, tape[i].ts_local, out)
        if s.clock.next_due <= tape[i].ts_local:
            return i, FULL  # time itself needed all the room: the row waits
        on_row(s, tape[i], out)
        i += 1
        if s.clock.wakes + s.clock.fault != 0:
            return i, FAULT if s.clock.fault != 0 else WOKEN
    return i, END


@compiled
def on_row(s: Any, row: Any, out: Any) -> None:
    """One row changes what is true and what is believed; decisions follow where a message is whole."""
    s.clock.now = max(s.clock.now, row.ts_local)
    s.clock.n_rows += 1
    if not settings.fits(s, row):
        return
    if row.kind > MARKPRICE:
        on_own_row(s, row, out)
    elif truth.continues(s, row, out):
        on_market_row(s, row, out)


@compiled
def on_market_row(s: Any, row: Any, out: Any) -> None:
    if row.kind == BAR:
        on_bar(s, row, out)
    elif row.kind <= TRADE and not truth.sound(s, row, out):
        return
    elif row.kind == DEPTH:
        on_depth(s, row, out)
    elif row.kind == TRADE:
        if belief.credible(s, row, out):
            bars.add_trade(s, row)
            features.on_trade(s, row)
    elif row.kind == QUOTE:
        on_quote(s, row, out)
    elif row.kind == MARKPRICE:
        belief.marked(s, row, out)


@compiled
def on_depth(s: Any, row: Any, out: Any) -> None:
    """Levels enter the book one by one; the message is judged when it is whole."""
    i = row.instrument
    if row.marks & FIRST:
        truth.admits(s, row, out)
    if s.book[i].skip:
        return
    books.enter(s, row, out)
    if not row.marks & LAST:
        return
    if s.fact.rule[i, BOOK_DEPTH]:
        books.cut(s, i, s.fact.rule[i, BOOK_DEPTH])
    if truth.proves(s, row, out):
        s.count.messages += 1
        books.settle(s, row)
        books.compare(s, i)
        if s.top[i].moved:
            on_touch(s, i, out)


@compiled
def on_quote(s: Any, row: Any, out: Any) -> None:
    """A best quote checks the book it belongs to, or is the touch where there is no book."""
    i = row.instrument
    if books.quote(s, row):
        if s.book[i].fed_by > 0:
            books.compare(s, i)
        else:
            books.adopt(s, row)
            if s.top[i].moved:
                on_touch(s, i, out)


@compiled
def on_touch(s: Any, i: int, out: Any) -> None:
    """The best bid or ask changed: believe it or not, then see what it means and who wants to act on it."""
    if belief.believes(s, i, out):
        consensus.update(s, i)
        belief.weigh(s, i, out)
        if s.top[i].good != 0:
            on_good_touch(s, i, out)


@compiled
def on_good_touch(s: Any, i: int, out: Any) -> None:
    """A touch that is believed: features and the signal's deviation first, then the strategies that listen to touches."""
    features.on_quote(s, i)
    signals.renew_deviation(s, i)
    if strategies.HEARS_TOUCH:
        for n in range(number(s)):
            account.on_touch(at(s, n), i, box(s, n, out))


@compiled
def on_bar(s: Any, row: Any, out: Any) -> None:
    """A finished bar. Where one look tells that no room will ask anything, as of nearly all of a lone source's, none is asked."""
    if row.instrument == 0 and bars.is_shortest(s, row) and is_plain(s, row, 0, 0):
        on_plain_bar(s, row, 0, 0, out)
    else:
        on_other_bar(s, row, out)


@compiled
def is_plain(s: Any, row: Any, i: int, f: int) -> bool:
    """Whether truth, belief and consensus would take a bar as it is."""
    return truth.is_next(s, row, i, f) and belief.is_usual(s, row, i) and consensus.is_lone(s, row, i)


@compiled
def on_plain_bar(s: Any, row: Any, i: int, f: int, out: Any) -> None:
    """What `on_finished` does with a bar that is plain: of the first instrument, so that every table lies at a known place."""
    bars.touch(s, row, i)
    belief.accept(s, i)
    consensus.accept(s, i)
    on_good_touch(s, i, out)
    bars.take(s, row, i, f)
    on_closed_bar(s, i, f, out)
    if bars.has_longer(s, f):
        merge(s, i, f, out)


@called
def on_other_bar(s: Any, row: Any, out: Any) -> None:
    """Any bar. One of a timeframe nobody composed enters nothing; where bars are all there is, its close is the touch."""
    i = row.instrument
    f = bars.frame_of(s, row)
    if f >= 0:
        on_finished(s, row, i, f, out)
    elif truth.sound_bar(s, row, i, f, out) and s.fact.rule[i, BARS_ONLY]:
        truth.pace(s, row, i, f, TIMEFRAME_NS[row.strategy], out)
        bars.touch(s, row, i)
        on_touch(s, i, out)


@compiled
def on_finished(s: Any, row: Any, i: int, f: int, out: Any) -> None:
    """A bar from a source that has nothing finer; beside trades it is a second opinion and enters nothing."""
    if not truth.sound_bar(s, row, i, f, out):
        return
    before = s.top[i].mid
    if s.fact.rule[i, BARS_ONLY]:
        truth.pace(s, row, i, f, s.frame_ns[f], out)
        bars.touch(s, row, i)
        on_touch(s, i, out)
        if s.top[i].good == 0:
            bars.pass_over(s, row, f)
            return  # a bar whose close is not believed is no bar
    elif s.trust[i].last_trade != 0:
        belief.compare_candle(s, row, f, out)
        return
    bars.take(s, row, i, f)
    belief.trim(s, i, f, before, out)
    on_closed_bar(s, i, f, out)
    if bars.has_longer(s, f):
        merge(s, i, f, out)


@called
def merge(s: Any, i: int, f: int, out: Any) -> None:
    """A closed bar is a part of the bars of every longer timeframe."""
    for longer in range(f + 1, s.frame_ns.size):
        for step in range(2):
            if bars.merges(s, i, f, longer, step):
                on_closed_bar(s, i, longer, out)


@compiled
def on_closed_bar(s: Any, i: int, f: int, out: Any) -> None:
    features.on_bar(s, i, f)
    if f == 0:
        judge(s, i)
        confidence.learn(s, i)
        confidence.remember(s, i)
    for n in range(number(s)):
        account.on_closed_bar(at(s, n), i, f, box(s, n, out))


@compiled
def judge(s: Any, i: int) -> None:
    """What the market means right now: computed when somebody is about to decide, not before."""
    features.on_decision(s, i)
    signals.renew(s, i)
    confidence.assess(s, i)


@called
def on_own_row(s: Any, row: Any, out: Any) -> None:
    """Word of our orders, answers of strategies, settings, operators: the account's; how a stream stands: the market's."""
    if row.kind == STREAM:
        truth.announce(s, row, out)
    for n in range(number(s)):
        account.on_own_row(at(s, n), row, box(s, n, out))


# Time ------------------------------------------------------------------------------------------------------------------------


@compiled
def catch_up(s: Any, until: int, out: Any) -> None:
    """Everything that time alone brings and that fell due by `until`, in order of time."""
    while s.clock.next_due <= until:
        if not has_room(s, out):
            return
        s.clock.now = max(s.clock.now, s.clock.next_due)
        on_time(s, out)


@compiled
def on_time(s: Any, out: Any) -> None:
    now = s.clock.now
    if s.clock.bar_due <= now:
        close_bars(s, s.clock.bar_due, out)
    if s.clock.marked_due <= now:
        s.clock.marked_due = settings.next_mark(s)
        mark(s, out)
    if s.clock.select_due <= now:
        s.clock.select_due = settings.next_selection(s)
        for n in range(number(s)):
            account.select(at(s, n), box(s, n, out))
    if s.clock.timer_due <= now:
        ring(s, now, out)
    settings.look_ahead(s)


@called
def ring(s: Any, now: int, out: Any) -> None:
    """Every timer that is due."""
    s.clock.timer_due = NEVER
    for k in range(s.clock.n_strategies):
        for i in range(s.clock.n_instruments):
            t = s.timer[k, i]
            if t.due <= now:
                t.due += t.every
                on_timer(s, k, i, out)
            s.clock.timer_due = min(s.clock.timer_due, t.due)


@compiled
def on_timer(s: Any, k: int, i: int, out: Any) -> None:
    judge(s, i)
    for n in range(number(s)):
        account.on_timer(at(s, n), k, i, box(s, n, out))


@called
def close_bars(s: Any, end_ns: int, out: Any) -> None:
    s.clock.bar_due = bars.next_end(s, end_ns)
    for i in range(s.clock.n_instruments):
        for f in range(s.frame_ns.size):
            if (
                s.frame_ns[f] > 0
                and end_ns % s.frame_ns[f] == 0
                and s.fact.rule[i, BARS_ONLY] == 0
                and bars.closes(s, i, f, end_ns)
            ):
                on_closed_bar(s, i, f, out)


@compiled
def mark(s: Any, out: Any) -> None:
    """Who can still be believed, then what each account owns and risks."""
    if not watch.quiet(s):
        watch.watch(s, out)
    for n in range(number(s)):
        account.mark(at(s, n), box(s, n, out))
