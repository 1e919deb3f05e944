"""Working orders: what a wish becomes, told before it is true, and taken back when the wish moves."""

from __future__ import annotations

import sys

import pytest

from scripted import MS, Stage, instrument
from tradewind.domain import codes, orders, reasons
from tradewind.domain.codes import BUY, CANCEL, EVIDENCE, SELL, SUBMIT
from tradewind.domain.layout import Capacity
from tradewind.engine.prelude import Limits


def quoting(orders_: int = 256, **parameters: float) -> Stage:
    """A market maker with one lot a side."""
    stage = Stage(
        [instrument("a", tick=5, lot=10)], ("market_maker",), ({"quantity": 200.0, "every_ms": 100.0, **parameters},),
        capacity=Capacity(instruments=16, levels=64, orders=orders_, history=64), limits=Limits(orders_per_s=10_000),
    )  # fmt: skip
    shown(stage, 10000)
    return stage


def shown(stage: Stage, bid: int) -> None:
    stage.book(0, [(bid, 500)], [(bid + 20, 500)], after=100 * MS)


def test_every_order_is_told_with_its_reason_before_it_counts() -> None:
    """EVIDENCE, then SUBMIT of the same id, in one step; ids ascend and are never used twice, whatever becomes of orders."""
    stage = quoting(orders_=16, layers=2.0)
    for step in range(120):
        shown(stage, 10000 + 5 * (step % 7))
    told = [r for r in stage.journal if r["kind"] in (EVIDENCE, SUBMIT)]
    pairs = list(zip(told[::2], told[1::2], strict=True))
    assert len(pairs) > 100
    ids = []
    for evidence, submit in pairs:
        assert (int(evidence["kind"]), int(submit["kind"])) == (EVIDENCE, SUBMIT)
        assert evidence["ref"] == submit["ref"] and evidence["ts_local"] == submit["ts_local"]
        assert int(evidence["value"]) == reasons.QUOTE_PLACED
        ids.append(int(submit["ref"]))
    assert ids == sorted(set(ids))


def test_an_order_tells_where_the_middle_was() -> None:
    """A timer may ask before the message of the same moment has moved the touch."""
    stage = quoting(layers=2.0)
    before, seen = 10000, 0
    for step in range(40):
        at, bid = len(stage.journal), 10000 + 5 * (step % 7)
        shown(stage, bid)
        for row in stage.journal[at:]:
            if row["kind"] == SUBMIT:
                seen += 1
                off = int(row["value"]) >> 16
                assert off in {2 * int(row["price"]) - (2 * known + 20) for known in (before, bid)}
                assert (off < 0) == (row["side"] == BUY)
        before = bid
    assert seen > 30


def test_a_moved_wish_cancels_once_and_sends_anew() -> None:
    stage = quoting()
    for bid in (10000, 10000, 10005, 10005, 10005):
        shown(stage, bid)
    assert len(stage.said(SUBMIT)) == 4
    cancels = stage.said(CANCEL)
    assert [int(c["value"]) for c in cancels] == [reasons.PRICE_MOVED] * 2
    assert len({int(c["ref"]) for c in cancels}) == 2


def test_an_order_on_its_way_out_is_not_cancelled_again() -> None:
    stage = quoting()
    shown(stage, 10000)
    module = sys.modules["tradewind_twin.execution.orders"]
    o = stage.s["fact"]["order"][1]
    for status in range(len(orders.STATUS_NAMES)):
        o["status"] = status
        assert bool(module.cancellable(o)) == (status in (orders.PENDING, orders.WORKING, orders.PARTIAL))


def test_a_full_table_refuses_by_name() -> None:
    """No slot within reach: nothing is sent, nothing overwritten, and the reason is there to read."""
    stage = quoting(orders_=16)
    live = stage.s["fact"]["order"]
    live["status"] = orders.UNKNOWN
    stage.s["fact"]["working"][:] = 0
    before = live.copy()
    shown(stage, 10000)
    shown(stage, 10000)
    assert stage.said(SUBMIT) == []
    assert stage.s["noted"][0, 0]["code"] == reasons.TABLE_FULL
    assert (live == before).all()


def test_slots_of_live_orders_are_passed_over() -> None:
    stage = quoting(orders_=16)
    module = sys.modules["tradewind_twin.execution.orders"]
    stage.s["fact"]["order"][1:4]["status"] = orders.WORKING
    assert module.free_id(stage.s) == 4
    stage.s["fact"]["order"][2]["status"] = orders.CANCELED
    assert module.free_id(stage.s) == 2


@pytest.mark.parametrize("refused", [True, False])
def test_an_immediate_wish_is_wished_once(refused: bool) -> None:
    """Whether it was sent or refused, it does not come back by itself later."""
    stage = Stage([instrument("a", lot=10)], ("python",), ({},))
    stage.book(0, [(10000, 500)], [(10010, 500)])
    if refused:
        stage.s["fact"]["right"][0, 0] = 0
    stage.wish(0, 100)
    assert stage.s["target"][0, 0, BUY, 0]["quantity"] == 0
    stage.s["fact"]["right"][0, 0] = 1
    stage.wait(50 * MS)
    stage.wish(0, 0 if refused else 100)
    assert len(stage.said(SUBMIT)) == (0 if refused else 1)
    assert stage.said(SUBMIT, side=SELL) == []
    assert stage.reason == codes.END


def test_a_weight_that_leaves_no_lot_forgets_an_immediate_wish() -> None:
    """Scaled to nothing it is refused now, not sent later when the weight is back."""
    stage = Stage([instrument("a", lot=100)], ("python",), ({},))
    stage.book(0, [(10000, 500)], [(10010, 500)])
    stage.s["share"][0]["weight"] = 512
    stage.wish(0, 100)
    assert stage.s["noted"][0, 0]["code"] == reasons.QUANTITY_TOO_SMALL
    assert stage.s["target"][0, 0, BUY, 0]["quantity"] == 0
