"""Facts: news of an order in any order, any number of times, ends in one truth about money and position."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.nasty import BNB, BTC, CAPACITY, MARKETS, USDT, sided
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


def test_a_fill_told_again_after_any_number_of_others_is_booked_once() -> None:
    """The ids of a venue rise: what fell out of the memory lies below its watermark."""
    first = filled(1, 5, 100_00, 1)
    books = Books().tell(order_of(), first)
    for trade in range(6, 6 + 3 * layout.N_SEEN):
        books.tell(filled(1, trade, 100_00, 1))
        if trade % 50 == 0:
            books.tell(first)
    assert books.tell(first, filled(1, 4, 100_00, 1)).ids("n_fills") == 1 + 3 * layout.N_SEEN
    assert books.order(1)["filled"] == 1 + 3 * layout.N_SEEN


@pytest.mark.parametrize("seed", range(4))
def test_ids_out_of_order_within_the_window_are_each_booked_once(seed: int) -> None:
    """Each id is late by less than the window and told up to three times: the table holds exactly what a set would."""
    random, books, told = Random(seed), Books().tell(order_of()), set[int]()
    ids = sorted((trade + random.randrange(layout.N_SEEN // 2), trade) for trade in range(0, 1_500, 2))
    for n, (_, trade) in enumerate(ids):
        for other in {trade, ids[random.randrange(n + 1)][1]}:
            books.tell(filled(1, other, 100_00, 1))
            told.add(other)
            assert books.ids("n_fills") == len(told)
    assert books.objections() == []


def test_beyond_the_window_an_id_counts_as_told_and_the_auditor_objects() -> None:
    """What the window cannot hold is stated, not hidden: a first word of a trade older than the last N_SEEN is refused."""
    books = Books().tell(order_of())
    for trade in range(100, 101 + layout.N_SEEN):
        books.tell(filled(1, trade, 100_00, 1))
    assert books.objections() == []
    assert books.tell(filled(1, 99, 100_00, 1)).ids("n_twice") == 1
    assert books.objections()


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


STRANGERS = pytest.mark.parametrize("stranger", [0, 2, 1 + CAPACITY.orders, -1])


@STRANGERS
def test_news_of_strangers_changes_nothing_but_a_count(stranger: int) -> None:
    books = Books().tell(order_of())
    before = books.fact.copy()
    charge = filled(stranger, 5, 100_00, 3)[1:]
    books.tell([report(stranger, codes.CANCELED_BY_VENUE), row(codes.CANCEL, ref=stranger), *charge])
    before["ids"]["n_odd"] = 3
    assert books.fact.tobytes() == before.tobytes()


@STRANGERS
@pytest.mark.parametrize("side", [codes.BUY, codes.SELL])
def test_a_fill_of_a_stranger_moves_money_against_suspense(stranger: int, side: int) -> None:
    """The venue moved our money, so it is booked; why is unknown, so it is nobody's position (I6)."""
    sign = 1 if side == codes.BUY else -1
    told = sided(filled(stranger, 5, 100_00, 25_000, fee=7), side)
    books = Books().tell(order_of(), told, told)
    assert (books.cash(BTC), books.cash(USDT)) == (sign * UNIT // 4, -sign * 25 * UNIT - 7)
    suspended = [books.account(layout.SUSPENSE, asset) for asset in (BTC, USDT)]
    assert suspended == [-sign * UNIT // 4, sign * 25 * UNIT]
    assert (books.account(layout.FEES, USDT), books.account(layout.TRADING, USDT)) == (7, 0)
    nobody = books.position(SPOT_BTC, CAPACITY.strategies)
    assert (nobody["quantity"], nobody["basis"], nobody["charges"]) == (sign * 25_000, sign * 25 * UNIT, 7)
    assert (books.position(SPOT_BTC)["quantity"], books.order(1)["filled"]) == (0, 0)
    assert (books.ids("n_stray"), books.ids("n_fills"), books.ids("n_twice")) == (1, 1, 1)
    assert books.objections() == []


def test_a_contract_of_a_stranger_gains_in_suspense() -> None:
    bought = sided(filled(9, 1, 100_00, 1_000, i=LINEAR_BTC), codes.BUY)
    sold = sided(filled(8, 2, 90_00, 1_000, i=LINEAR_BTC), codes.SELL)
    books = Books().tell(bought, sold)
    assert (books.cash(USDT), books.account(layout.SUSPENSE, USDT), books.cash(BTC)) == (-10 * UNIT, 10 * UNIT, 0)
    assert books.objections() == []


def test_strangers_may_come_between_at_other_instruments_only() -> None:
    one, other = filled(8, 1, 100_00, 10), filled(9, 2, 100_00, 20, i=SPOT_DOGE)
    books = Books().tell([one[0], other[0], one[1], other[1]])
    assert (books.ids("n_stray"), books.objections()) == (2, [])
    torn, whole = filled(8, 3, 100_00, 10), filled(9, 4, 100_00, 20)
    books.tell([torn[0], whole[0], torn[1], whole[1]])
    assert (books.ids("n_stray"), books.objections()) == (3, [])


def test_a_fill_where_no_rule_says_what_it_costs_books_nothing() -> None:
    books = Books()
    books.fact["rule"][SPOT_BTC] = 0
    books.tell(filled(9, 1, 100_00, 10))
    assert (books.fault, books.fact["ledger"].any(), books.ids("n_stray")) == (0, False, 0)


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


def test_a_late_fill_of_a_forgotten_order_is_nobodys() -> None:
    """The memory of orders is bounded: when the slot has a new owner, the late fill moves money against suspense."""
    later = 1 + CAPACITY.orders
    books = Books().tell(order_of(), [report(1, codes.CANCELED_BY_VENUE)], order_of(ref=later))
    books.tell(filled(1, 1, 100_00, 100_000))
    assert (books.cash(BTC), books.order(later)["filled"], books.position(SPOT_BTC)["quantity"]) == (UNIT, 0, 0)
    assert (books.account(layout.SUSPENSE, USDT), books.ids("n_stray"), books.ids("n_late")) == (100 * UNIT, 1, 0)
    assert books.objections() == []
