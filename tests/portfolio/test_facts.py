"""Facts: news of an order in any order, any number of times, ends in one truth about money and position."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.nasty import BNB, BTC, CAPACITY, MARKETS, USDT
from tradewind.domain import codes, layout
from tradewind.domain.orders import CANCELED, FIRST_FINAL, FREE, PENDING
from tradewind.domain.reasons import FAULT_MONEY_OVERFLOW, FAULT_RULE

from .books import LINEAR_BTC, SPOT_BTC, SPOT_DOGE, UNIT, Books, Row, fill, filled, order_of, report, row

TERMS = ("quantity", "charges", "traded", "open_buy", "open_sell", "n_open")


def truth(books: Books, i: int) -> tuple[Any, ...]:
    """What no order of arrival may change: the position, what it cost in all, and (spot) every account."""
    p = books.position(i)
    money = b"" if i == LINEAR_BTC else books.fact["ledger"].tobytes() + books.fact["reserved"].tobytes()
    fees = books.fact["ledger"][layout.FEES].tobytes()
    return (*(int(p[name]) for name in TERMS), int(p["realised"] - p["basis"]), int(books.order(2)["filled"]), fees, money)


def life(i: int, parts: list[tuple[int, int, int]], end: int) -> list[list[Row]]:
    """Messages of order 2: acknowledged, fills of (price, quantity, fee), our cancel, an end."""
    fills = [
        filled(2, n, price, quantity, i=i, fee=fee, asset=(USDT, BNB, BTC)[n % 3]) for n, (price, quantity, fee) in enumerate(parts)
    ]
    return [[report(2, codes.ACKED)], *fills, [row(codes.CANCEL, instrument=i, ref=2)], [report(2, end)]]


def opened(i: int, held: int, side: int, quantity: int) -> Books:
    """Books with a position of `held` from order 1, and order 2 sent."""
    books = Books().tell(
        order_of(abs(held), i=i, side=codes.SELL if held < 0 else codes.BUY), filled(1, 99, 100_00, abs(held), i=i)
    )
    return books.tell(order_of(quantity, 120_00, ref=2, i=i, side=side))


def test_every_permutation_of_seven_messages() -> None:
    """Fill before ack, fill after cancel, end before everything: 5,040 orders of arrival, one truth (O7)."""
    parts = [(90_00, 30_000, 11), (95_01, 20_000, -4), (96_00, 1, 3)]
    messages = [*life(SPOT_BTC, parts, codes.CANCELED_BY_VENUE), [report(2, codes.OUTCOME_UNKNOWN)]]
    start = opened(SPOT_BTC, -20_000, codes.BUY, 100_000)
    assert len(messages) == 7
    wanted = truth(start.copy().tell(*messages), SPOT_BTC)
    for some in itertools.permutations(messages):
        books = start.copy().tell(*some)
        assert truth(books, SPOT_BTC) == wanted, some
        assert books.order(2)["status"] >= FIRST_FINAL


@settings(max_examples=60)
@given(st.data())
def test_permuted_and_repeated_news_books_each_fill_once(data: st.DataObject) -> None:
    """Any arrangement with any repetition: the same truth, each fill once, and the auditor agrees (O6, O7, O8)."""
    i = data.draw(st.sampled_from((SPOT_BTC, SPOT_DOGE, LINEAR_BTC)))
    side = data.draw(st.sampled_from((codes.BUY, codes.SELL)))
    held = data.draw(st.integers(-90, 90).filter(bool))
    part = st.tuples(st.integers(80_00, 120_00), st.integers(1, 40), st.integers(-9, 99))
    parts = data.draw(st.lists(part, min_size=1, max_size=4))
    end = data.draw(st.sampled_from((codes.CANCELED_BY_VENUE, codes.EXPIRED_BY_VENUE, codes.REJECTED_BY_VENUE)))
    messages = [*life(i, parts, end), [report(2, codes.CANCELED_BY_VENUE)]]
    start = opened(i, held, side, 160)
    wanted = truth(start.copy().tell(*messages), i)
    again = data.draw(st.lists(st.sampled_from(messages), max_size=5))
    books = start.copy().tell(*data.draw(st.permutations(messages + again)))
    assert truth(books, i) == wanted
    assert books.ids("n_fills") == len(parts) + 1
    assert books.objections() == []


def test_a_fill_told_twice_is_booked_once() -> None:
    told = filled(1, 7, 100_00, 40_000, fee=5)
    books = Books().tell(order_of(), told, told)
    assert (books.ids("n_twice"), books.order(1)["filled"], books.cash(BTC)) == (1, 40_000, 40_000_000)


def test_one_trade_id_at_two_instruments_is_two_fills() -> None:
    books = Books().tell(order_of(), order_of(ref=2, i=SPOT_DOGE), filled(1, 7, 100_00, 4), filled(2, 7, 100_00, 4, i=SPOT_DOGE))
    assert (books.ids("n_twice"), books.ids("n_fills")) == (0, 2)


def test_trade_id_zero_is_a_trade() -> None:
    assert Books().tell(order_of(), filled(1, 0, 100_00, 4)).ids("n_fills") == 1


def test_repetitions_are_known_as_far_back_as_the_table_says() -> None:
    """The memory is bounded: a fill told again after N_SEEN others of its instrument is booked again, and the auditor objects."""
    first = filled(1, 1000, 100_00, 1)
    near, far = Books().tell(order_of(), first), Books().tell(order_of(), first)
    for trade in range(layout.N_SEEN):
        far.tell(filled(1, trade, 100_00, 1))
        if trade < layout.N_SEEN - 1:
            near.tell(filled(1, trade, 100_00, 1))
    assert near.tell(first).objections() == []
    assert far.tell(first).objections()


def test_late_fill_after_cancel_moves_money_and_not_the_status() -> None:
    books = Books().tell(order_of(), [report(1, codes.CANCELED_BY_VENUE)])
    assert books.reserved(USDT) == 0
    books.tell(filled(1, 1, 100_00, 25_000))
    assert (books.order(1)["status"], books.order(1)["filled"], books.ids("n_late")) == (CANCELED, 25_000, 1)
    assert (books.cash(BTC), books.cash(USDT), books.reserved(USDT)) == (UNIT // 4, -25 * UNIT, 0)
    assert (books.position(SPOT_BTC)["quantity"], books.position(SPOT_BTC)["open_buy"]) == (25_000, 0)


def test_the_charge_of_another_order_may_come_between() -> None:
    one, other = filled(1, 1, 100_00, 10), filled(2, 2, 100_00, 20)
    books = Books().tell(order_of(), order_of(ref=2), [one[0], other[0], one[1], other[1]])
    assert (books.order(1)["filled"], books.order(2)["filled"]) == (10, 20)


@pytest.mark.parametrize("stranger", [0, 2, 1 + CAPACITY.orders, -1])
def test_news_of_strangers_changes_nothing_but_a_count(stranger: int) -> None:
    books = Books().tell(order_of())
    before = books.fact.copy()
    odd = filled(stranger, 5, 100_00, 3)
    books.tell([report(stranger, codes.CANCELED_BY_VENUE), row(codes.CANCEL, ref=stranger), *odd])
    before["ids"]["n_odd"] = 4
    assert books.fact.tobytes() == before.tobytes()


def test_a_charge_without_its_fill_books_nothing() -> None:
    books = Books().tell(order_of(), filled(1, 5, 100_00, 3)[1:])
    assert (books.ids("n_odd"), books.order(1)["status"], books.cash(USDT)) == (1, PENDING, 0)


@pytest.mark.parametrize("asset", [-1, CAPACITY.assets, 300])
def test_a_fee_in_no_asset_is_a_fault_that_books_nothing(asset: int) -> None:
    books = Books().tell(order_of(), filled(1, 5, 100_00, 3, fee=1, asset=asset))
    assert books.fault == FAULT_RULE
    assert (books.fact["ledger"].any(), books.order(1)["filled"], books.ids("n_fills")) == (False, 0, 0)


def test_a_product_beyond_the_range_is_a_fault_that_books_nothing() -> None:
    books = Books().tell(order_of(), fill(1, SPOT_BTC, 1 << 40, 1 << 40, 5, (1, 0, USDT)))
    assert books.fault == FAULT_MONEY_OVERFLOW
    assert (books.fact["ledger"].any(), books.order(1)["filled"], books.ids("n_fills")) == (False, 0, 0)


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": codes.RULE, "ref": layout.N_RULES},
        {"kind": codes.RULE, "ref": layout.VENUE, "value": CAPACITY.venues},
        {"kind": codes.RULE, "ref": layout.BASE, "value": CAPACITY.assets},
        {"kind": codes.RULE, "ref": layout.QUOTE_ASSET, "value": -1},
        {"kind": codes.LIMIT, "ref": layout.N_LIMITS},
        {"kind": codes.RIGHT, "strategy": -1, "value": 1},
        {"kind": codes.BALANCE, "account": CAPACITY.venues, "quantity": 5},
        {"kind": codes.BALANCE, "instrument": CAPACITY.assets, "quantity": 5},
    ],
)
def test_a_setting_outside_the_tables_is_a_fault_that_changes_nothing(bad: dict[str, int]) -> None:
    books = Books()
    before = books.fact.tobytes()
    assert books.tell([row(**bad)]).fault == FAULT_RULE
    assert books.fact.tobytes() == before


def test_money_from_outside_comes_from_opening() -> None:
    books = Books().tell([row(codes.BALANCE, instrument=USDT, quantity=50), row(codes.BALANCE, instrument=USDT, quantity=-20)])
    assert (books.cash(USDT), books.account(layout.OPENING, USDT)) == (30, -30)


def test_the_ladder_follows_operators_and_the_machine() -> None:
    books = Books().tell([row(codes.HALT, value=codes.REDUCE_ONLY, ref=96, ts_local=5)])
    assert [*books.fact["ladder"].item()][:3] == [codes.REDUCE_ONLY, 96, 5]
    assert books.tell([row(codes.OPERATOR, value=codes.OP_RESUME)]).fact["ladder"]["rung"] == codes.ACTIVE


def test_an_order_slot_begins_clean() -> None:
    """What the former order of the slot left behind does not reach the new one."""
    later = 1 + CAPACITY.orders
    books = Books().tell(order_of(), filled(1, 1, 100_00, 10)[:1], [report(1, codes.CANCELED_BY_VENUE)])
    books.tell(order_of(ref=later), filled(later, 2, 100_00, 10)[1:])
    assert (books.order(later)["filled"], books.order(later)["id"], books.ids("n_odd")) == (0, later, 1)
    assert books.objections() == []
    assert MARKETS[SPOT_BTC].cost(100_00, 10) == 10**6
    assert FREE == 0  # a zeroed table holds no orders


def test_a_fill_of_a_forgotten_order_is_not_booked_and_the_auditor_says_so() -> None:
    """The memory of orders is bounded too: when the slot has a new owner the late fill is counted, and the audit is short of it."""
    later = 1 + CAPACITY.orders
    books = Books().tell(order_of(), [report(1, codes.CANCELED_BY_VENUE)], order_of(ref=later))
    assert books.objections() == []
    books.tell(filled(1, 1, 100_00, 10))
    assert (books.ids("n_odd"), books.cash(BTC), books.order(later)["filled"]) == (2, 0, 0)
    assert any("position.quantity" in objection for objection in books.objections())
