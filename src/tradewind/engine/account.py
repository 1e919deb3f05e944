"""The account: what somebody who trades does with what the market means. The other half of the machine's picture.

`a` is the record of the machine, or one of many accounts in a shared market (kernel.accounts): it reads the market's tables and
writes its own. Every strategy of a composition lives in each account.
"""

from typing import Any

from tradewind.domain.codes import CANCEL_ONLY, CHARGE, REDUCE_ONLY, REPORT, RULE, STREAM
from tradewind.domain.reasons import (
    DRAWDOWN,
    LADDER_CANCEL,
    NO_LONGER_WANTED,
    OFF_PEG,
    PRICE_MOVED,
    SUSPENSE_TOO_LARGE,
    TABLE_FULL,
)
from tradewind.execution import orders
from tradewind.kernel import rungs
from tradewind.kernel.jit import called, compiled
from tradewind.portfolio import facts, ledger
from tradewind.risk import breakers, review, sizing
from tradewind.strategy import selector

from . import settings
from .slots import strategies

ROOM = 512  # free rows of `out` a step may need: every layer of a few pairs, three rows each
KEPT_ROOM = ROOM // 2  # of it stays for wishes: new rules are told once, so all they end goes at once


@compiled
def has_room(s: Any, out: Any) -> Any:
    return s.clock.n_out <= out.size - ROOM


# Something happened ----------------------------------------------------------------------------------------------------------


@compiled
def on_touch(a: Any, i: int, out: Any) -> None:
    strategies.on_touch(a, i, out)
    work_wishes(a, out)


@compiled
def on_closed_bar(a: Any, i: int, f: int, out: Any) -> None:
    strategies.on_bar(a, i, f, out)
    work_wishes(a, out)


@compiled
def on_timer(a: Any, k: int, i: int, out: Any) -> None:
    a.count.decisions += 1
    strategies.on_timer(a, k, i, out)
    work_wishes(a, out)


@compiled
def on_word(a: Any, row: Any, out: Any) -> None:
    """A row that reaches this account alone: its venue's reports, its strategies' answers."""
    a.clock.now = max(a.clock.now, row.ts_local)
    a.clock.n_rows += 1
    if settings.fits(a, row):
        on_own_row(a, row, out)


@called
def on_own_row(a: Any, row: Any, out: Any) -> None:
    """Word of our orders, answers of strategies, settings, operators."""
    n_stray = a.fact.ids.n_stray
    facts.apply(a, row)
    if a.clock.fault != 0:
        return
    if a.fact.ids.n_stray != n_stray:
        suspect(a, out)
    if row.kind == CHARGE or row.kind == REPORT:
        o = facts.find(a, row.ref)
        settings.tally(a, row)
        strategies.on_end(a, o.strategy, o.instrument, out)
    elif settings.is_answer(row):
        strategies.on_answer(a, row.strategy, row, out)
    elif row.kind != STREAM:
        settings.adopt(a, row)
    if a.fact.ladder.rung >= REDUCE_ONLY and a.fact.ids.n_open > 0:
        cancel_all(a, out)
    if a.fact.ids.n_open > 0 and (row.kind == RULE or rungs.left(a, row.instrument) >= REDUCE_ONLY):
        revalidate(a, row.instrument, out)
    work_wishes(a, out)


# Time ------------------------------------------------------------------------------------------------------------------------


@compiled
def mark(a: Any, out: Any) -> None:
    """What we own, what we risk, and whether the ladder must step down."""
    if a.pegs.n_off_par != 0 and a.fact.ids.n_open > 0:
        shelter(a, out)
    a.budget.equity = ledger.total_worth(a)
    rung = breakers.drawdown_rung(a)
    if rung > a.fact.ladder.rung:
        retreat(a, rung, DRAWDOWN, out)
    if a.clock.unsized != 0:
        sizing.renew(a, False)


@compiled
def select(a: Any, out: Any) -> None:
    """A period of the selector ends: weights move, and with them what an order may be."""
    selector.select(a, out)
    sizing.renew(a, True)


@called
def suspect(a: Any, out: Any) -> None:
    """A fill of an order nobody knows was booked: too much unexplained money is a reason to take no more risk."""
    worth = breakers.suspended(a)
    rung = breakers.suspense_rung(a, worth)
    if rung > a.fact.ladder.rung:
        orders.alert(a, SUSPENSE_TOO_LARGE, worth, out)
        retreat(a, rung, SUSPENSE_TOO_LARGE, out)


@called
def retreat(a: Any, rung: int, cause: int, out: Any) -> None:
    """The ladder steps down by itself: what it no longer allows is taken back."""
    facts.apply(a, orders.step_down(a, rung, cause, out))
    cancel_all(a, out)


# From wish to order ------------------------------------------------------------------------------------------------------------


@compiled
def work_wishes(a: Any, out: Any) -> None:
    """Every pair of strategy and instrument whose targets changed in this step: seldom any."""
    if a.clock.n_wanted > 0:
        work_all(a, out)


@called
def work_all(a: Any, out: Any) -> None:
    while a.clock.n_wanted > 0:
        a.clock.n_wanted -= 1
        w = a.wanted[a.clock.n_wanted]
        a.is_wanted[w.strategy, w.instrument] = 0
        work(a, w.strategy, w.instrument, out)


@compiled
def work(a: Any, k: int, i: int, out: Any) -> None:
    """Keep the order that is right, cancel the one that is not, submit what is missing."""
    for side in range(2):
        for layer in range(a.target.shape[3]):
            t = a.target[k, i, side, layer]
            order_id = a.fact.working[k, i, side, layer]
            if t.quantity == 0 and order_id == 0:
                continue
            quantity = sizing.whole_lots(a, i, selector.scaled(a, k, i, side, t))
            if order_id != 0:
                o = facts.find(a, order_id)
                if quantity > 0 and o.price == t.price:
                    continue
                if orders.cancellable(o):
                    facts.apply(a, orders.cancel(a, o, PRICE_MOVED if quantity > 0 else NO_LONGER_WANTED, out))
            if t.quantity > 0:
                enter(a, k, i, side, layer, t, quantity, out)


@compiled
def enter(a: Any, k: int, i: int, side: int, layer: int, t: Any, quantity: int, out: Any) -> None:
    """One new order, if the review lets it pass."""
    refused = review.review(a, k, i, side, t, quantity)
    order_id = orders.free_id(a)
    if refused != 0 or order_id == 0:
        a.count.refused += 1
        a.noted[k, i].code = refused if refused != 0 else TABLE_FULL
    else:
        facts.apply(a, orders.submit(a, order_id, k, i, side, layer, t, quantity, out))
    if not orders.rests(t):
        t.quantity = 0


@called
def cancel_all(a: Any, out: Any) -> None:
    """The ladder forbids resting orders, or (REDUCE_ONLY) those that add risk: take every such one back."""
    for slot in range(a.fact.order.size):
        o = a.fact.order[slot]
        if not orders.cancellable(o) or not has_room(a, out):
            continue
        if a.fact.ladder.rung >= CANCEL_ONLY or review.adds_risk(a, o):
            facts.apply(a, orders.cancel(a, o, LADDER_CANCEL, out))


@called
def revalidate(a: Any, i: int, out: Any) -> None:
    """Takes back the orders at instrument i that its rules, its venue's word or what the fabric grants no longer let rest."""
    for slot in range(a.fact.order.size):
        o = a.fact.order[slot]
        if o.instrument != i or not orders.cancellable(o) or a.clock.n_out > out.size - KEPT_ROOM:
            continue
        cause = review.unfit(a, o)
        if cause != 0:
            facts.apply(a, orders.cancel(a, o, cause, out))


@called
def shelter(a: Any, out: Any) -> None:
    """Takes back what would add risk in a stablecoin that lost its peg."""
    for slot in range(a.fact.order.size):
        o = a.fact.order[slot]
        if orders.cancellable(o) and has_room(a, out) and review.is_unpegged(a, o.instrument) and review.adds_risk(a, o):
            facts.apply(a, orders.cancel(a, o, OFF_PEG, out))
