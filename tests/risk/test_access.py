"""What is granted of an instrument alone: the rung of its rule ACCESS, the venue's own word, and rules that change under orders."""

from __future__ import annotations

import numpy as np
import pytest

from machines import default_machine
from scripted import MS, row
from tradewind.domain import codes, layout, reasons
from tradewind.domain.codes import BUY, CANCEL, RULE, SECOND, SELL, SUBMIT
from tradewind.domain.layout import ACCESS, TRADING_STATUS
from tradewind.domain.rows import ROW, Rows, rows
from tradewind.engine.prelude import Prelude
from tradewind.engine.snapshot import digest, fresh_state, fresh_venue

from .rooms import Desk
from .test_ladder import later, operator, quoting


def tell(desk: Desk, column: int, value: int, i: int = 0) -> None:
    """The feed tells of another rule, through the front door."""
    desk.feed(row(RULE, desk.now + MS, ref=column, value=value, instrument=i))


def live(desk: Desk, i: int = 0) -> set[int]:
    """Sides of the orders that stand at an instrument."""
    found = desk.s["fact"]["order"]
    return {int(o["side"]) for o in found if 0 < o["status"] < 6 and o["instrument"] == i}


def taken_back(desk: Desk, i: int = 0) -> list[int]:
    """Why orders at an instrument were cancelled since last asked, wishes that moved left out."""
    found = [int(c["value"]) for c in desk.said(CANCEL) if c["instrument"] == i]
    desk.journal.clear()
    return [cause for cause in found if cause not in (reasons.PRICE_MOVED, reasons.NO_LONGER_WANTED)]


@pytest.mark.parametrize("lost", [codes.CANCEL_ONLY, codes.HALTED, codes.DEAD])
def test_cancel_only_at_one_instrument_leaves_the_other_alone(lost: int) -> None:
    desk = quoting()
    later(desk)
    assert live(desk) == live(desk, 1) == {BUY, SELL}
    taken_back(desk)
    tell(desk, ACCESS, lost)
    assert set(taken_back(desk)) == {reasons.ACCESS_LOST}
    later(desk)
    later(desk)
    assert not live(desk) and live(desk, 1) == {BUY, SELL}
    assert not [x for x in desk.said(SUBMIT) if x["instrument"] == 0] and not taken_back(desk, 1)
    noted = desk.s["noted"][0, 0]
    assert (noted["code"], noted["measured"], noted["threshold"]) == (reasons.ACCESS_LOST, lost, codes.REDUCE_ONLY)
    tell(desk, ACCESS, codes.ACTIVE)
    later(desk)
    assert live(desk) == {BUY, SELL}


def test_reduce_only_keeps_what_reduces_also_after_a_fill() -> None:
    desk = quoting()
    desk.hold(1000)
    later(desk)
    tell(desk, ACCESS, codes.REDUCE_ONLY)
    later(desk)
    assert live(desk) == {SELL} and live(desk, 1) == {BUY, SELL}
    assert desk.s["noted"][0, 0]["code"] == reasons.ACCESS_LOST and desk.s["noted"][0, 0]["threshold"] == codes.CAUTIOUS
    ask = next(o for o in desk.s["fact"]["order"] if 0 < o["status"] < 6 and o["instrument"] == 0)
    desk.hold(int(ask["quantity"]) - 1010)
    taken_back(desk)
    desk.feed(row(codes.REPORT, desk.now + MS, ref=int(ask["id"]), value=codes.ACKED))
    assert reasons.ACCESS_LOST in taken_back(desk), "less is held than it would sell"


def test_the_worse_of_the_ladder_and_what_is_granted_holds() -> None:
    """Each alone, and both: the limits are halved once, and reducing still passes where either lets only that."""
    for ladder, granted, least in ((0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 1, 2), (1, 2, 2), (2, 3, 3), (3, 2, 3)):
        desk = Desk()
        desk.hold(300)
        desk.rung(ladder)
        desk.fact(RULE, ref=ACCESS, value=granted)
        assert (desk.review(SELL, 10000, 300) == 0) == (least < codes.CANCEL_ONLY)
        refused = reasons.HALTED_BY_LADDER if ladder >= 2 and ladder >= granted else reasons.ACCESS_LOST
        desk.limit(layout.MAX_NOTIONAL, 1_90000000)
        assert desk.review() == (reasons.NOTIONAL_TOO_LARGE if least == codes.CAUTIOUS else refused)
        desk.limit(layout.MAX_NOTIONAL, 2_10000000)
        assert desk.review() == (0 if least == codes.CAUTIOUS else refused)
        assert desk.review(i=1) == (0 if ladder < codes.REDUCE_ONLY else reasons.HALTED_BY_LADDER)


WORDS = {  # what each word of a venue still takes: (a new order, a new one that only rests, one that reduces)
    codes.TRADING: (True, True, True), codes.STATUS_LIMIT_ONLY: (True, True, True),
    codes.STATUS_POST_ONLY: (False, True, False), codes.STATUS_REDUCE_ONLY: (False, False, True),
    codes.STATUS_HALT: (False, False, False), codes.STATUS_CANCEL_ONLY: (False, False, False),
    codes.STATUS_DELISTED: (False, False, False), 99: (False, False, False),
}  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_what_a_venues_word_still_takes(word: int) -> None:
    desk = Desk()
    desk.hold(300)
    desk.fact(RULE, ref=TRADING_STATUS, value=word)
    new = desk.review()
    desk.otype = codes.LIMIT_POST_ONLY
    resting = desk.review()
    desk.otype = codes.LIMIT_GTC
    reducing = desk.review(SELL, 10000, 300)
    assert tuple(code == 0 for code in (new, resting, reducing)) == WORDS[word]
    assert {new, resting, reducing} <= {0, reasons.NOT_TRADING}


KEPT = {
    codes.STATUS_LIMIT_ONLY: {BUY, SELL}, codes.STATUS_POST_ONLY: {BUY, SELL}, codes.STATUS_REDUCE_ONLY: {SELL},
    codes.STATUS_HALT: set(), codes.STATUS_CANCEL_ONLY: set(), codes.STATUS_DELISTED: set(),
}  # fmt: skip


@pytest.mark.parametrize("word", KEPT)
def test_orders_a_venues_new_word_does_not_let_rest_are_taken_back(word: int) -> None:
    desk = quoting()
    desk.hold(1000)
    later(desk)
    taken_back(desk)
    tell(desk, TRADING_STATUS, word)
    later(desk)
    assert live(desk) == KEPT[word] and live(desk, 1) == {BUY, SELL}
    assert set(taken_back(desk)) == ({reasons.NOT_TRADING} if KEPT[word] != {BUY, SELL} else set())


CHANGES = [  # orders of 200 stand at 99.95, 99.90 and 100.15, 100.20, by a tick of 5
    (layout.TICK, 10, reasons.PRICE_OFF_TICK, {9990, 10020}), (layout.TICK, 1, 0, {9990, 9995, 10015, 10020}),
    (layout.LOT, 30, reasons.QUANTITY_OFF_LOT, set()), (layout.LOT, 20, 0, {9990, 9995, 10015, 10020}),
    (layout.MIN_QUANTITY, 210, reasons.QUANTITY_TOO_SMALL, set()), (layout.MIN_QUANTITY, 200, 0, {9990, 9995, 10015, 10020}),
    (layout.MIN_NOTIONAL, 2_00100000, reasons.NOTIONAL_TOO_SMALL, {10015, 10020}),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value", "cause", "kept"), CHANGES)
def test_open_orders_stand_up_to_new_rules_or_go(column: int, value: int, cause: int, kept: set[int]) -> None:
    desk = quoting()
    later(desk)
    taken_back(desk)
    tell(desk, column, value)
    waiting = desk.s["fact"]["order"]
    assert {int(o["price"]) for o in waiting if 0 < o["status"] < 4 and o["instrument"] == 0} == kept
    assert set(taken_back(desk)) == ({cause} if cause else set())
    assert live(desk, 1) == {BUY, SELL}
    if cause:
        assert desk.s["noted"][0, 0]["code"] == cause, "its numbers are noted for `why`"


def test_a_full_page_of_orders_goes_at_once() -> None:
    """New rules are told once: whatever else that step had said, no order is left behind."""
    desk = Desk()
    for n in range(200):
        desk.submit(BUY, 9000 - 5 * n, 200, layer=n % 4)
    desk.out = np.zeros(640, ROW)  # of which a step that writes has not all
    desk.s["clock"]["n_out"] = 0
    tell(desk, layout.LOT, 30)
    assert len(desk.said(CANCEL)) == 200


def test_nothing_of_the_instrument_shuts_the_ladder_itself() -> None:
    desk = quoting()
    later(desk)
    tell(desk, ACCESS, codes.CANCEL_ONLY)
    assert desk.s["fact"]["ladder"]["rung"] == codes.ACTIVE and not desk.said(codes.HALT)
    operator(desk, codes.CANCEL_ONLY)
    later(desk)
    assert not live(desk, 1)


def script() -> tuple[Desk, Rows]:
    """A market of two venues with every kind of rule row in it, and the desk that wrote it."""
    desk = Desk(
        strategies=("market_maker", "python", "arbitrage"),
        parameters=({"quantity": 200.0, "every_ms": 100.0, "layers": 2.0}, {}, {"quantity": 200.0}),
    )
    tape: list[Rows] = []
    play = desk.play

    def kept(told: Rows) -> None:
        tape.append(told.copy())
        play(told)

    desk.play = kept  # type: ignore[method-assign]
    steps = [(ACCESS, 2), (ACCESS, 0), (layout.TICK, 10), (TRADING_STATUS, 5), (ACCESS, 3), (TRADING_STATUS, 0), (ACCESS, 1)]
    for n, (column, value) in enumerate(steps):
        desk.book(1, [(10000 + 50 * (n % 2), 500)], [(10010 + 50 * (n % 2), 500)])
        later(desk, SECOND)
        tell(desk, column, value)
    later(desk)
    return desk, np.concatenate(tape)


@pytest.mark.parametrize("compiled", [False, True])
def test_compiled_and_plain_say_the_same(compiled: bool) -> None:
    desk, tape = script()
    told = []
    for machine in (desk.machine, default_machine(compiled)):
        state, physics, out = fresh_state(machine), fresh_venue(machine), rows(1 << 14)
        prelude = Prelude(machine, desk.setup, int(tape["ts_local"][0]) - SECOND)
        prelude.set_up_venue(physics)
        said = []
        for part in (prelude.rows(), tape):
            at, reason = machine.drive(state, physics, part, 0, len(part), 0, out)
            assert (at, reason) == (len(part), codes.END)
            said.append(out[: int(state[0]["clock"]["n_out"])].copy())
        assert digest(state) == digest(state.copy())
        told.append(np.concatenate(said))
    causes = told[0][told[0]["kind"] == CANCEL]["value"].tolist()
    assert {reasons.ACCESS_LOST, reasons.PRICE_OFF_TICK, reasons.NOT_TRADING} <= set(causes)
    assert np.array_equal(told[0], told[1])


def test_the_sentence_tells_both_rungs() -> None:
    """What `why-not` prints of a refusal as noted."""
    desk = Desk()
    desk.fact(RULE, ref=ACCESS, value=codes.REDUCE_ONLY)
    noted = desk.s["noted"][0, 0]
    said = reasons.sentence(desk.review(), float(noted["measured"]), float(noted["threshold"]))
    assert "granted rung 2 " in said and said.endswith("the order needed rung 1 or better")
