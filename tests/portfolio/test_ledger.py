"""The ledger: both legs, fees, rounding, average cost through zero, and what it is all worth."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.nasty import BNB, BTC, CAPACITY, FIELDS, MARKETS, USDT
from tradewind.domain import codes, layout
from tradewind.kernel import twin

from .books import LINEAR_BTC, SPOT_BTC, UNIT, Books, fill, filled, order_of


def traded(books: Books, *trades: tuple[int, int], i: int = SPOT_BTC) -> Books:
    """Whole orders of (signed quantity, price), numbered on."""
    for quantity, price in trades:
        ref = books.ids("next_id") + 1
        side = codes.BUY if quantity > 0 else codes.SELL
        books.tell(order_of(abs(quantity), price, ref=ref, i=i, side=side), filled(ref, ref, price, abs(quantity), i=i))
    return books


def test_a_purchase_moves_both_legs_against_trading() -> None:
    books = Books().tell(order_of(), filled(1, 1, 100_00, 100_000))
    assert (books.cash(BTC), books.cash(USDT)) == (UNIT, -100 * UNIT)
    assert (books.account(layout.TRADING, BTC), books.account(layout.TRADING, USDT)) == (-UNIT, 100 * UNIT)


@pytest.mark.parametrize(("asset", "charges"), [(USDT, 7), (BTC, 0), (BNB, 0)])
def test_a_fee_is_taken_in_the_asset_the_venue_names(asset: int, charges: int) -> None:
    """No fee enters basis or quantity; one in the quote asset is told to the strategy as well."""
    books = Books().tell(order_of(), filled(1, 1, 100_00, 100_000, fee=7, asset=asset))
    before = Books().tell(order_of(), filled(1, 1, 100_00, 100_000))
    assert (books.account(layout.FEES, asset), books.cash(asset)) == (7, before.cash(asset) - 7)
    position = books.position(SPOT_BTC)
    assert (position["charges"], position["basis"], position["quantity"]) == (charges, 100 * UNIT, 100_000)


def test_a_rebate_is_a_negative_fee() -> None:
    books = Books().tell(order_of(), filled(1, 1, 100_00, 100_000, fee=-7))
    assert (books.account(layout.FEES, USDT), books.cash(USDT)) == (-7, 7 - 100 * UNIT)


@pytest.mark.parametrize(("side", "cash"), [(codes.BUY, -1003), (codes.SELL, 1003)])
def test_what_a_venue_rounded_stands_in_rounding(side: int, cash: int) -> None:
    books = Books().tell(order_of(1, 100, side=side), fill(1, SPOT_BTC, 100, 1, 1, (1003, 0, USDT)))
    sign = 1 if side == codes.BUY else -1
    assert (books.cash(USDT), books.account(layout.ROUNDING, USDT), books.account(layout.TRADING, USDT)) == (
        cash,
        sign * 3,
        sign * 1000,
    )


@pytest.mark.parametrize(
    ("trades", "quantity", "basis", "realised"),
    [
        ([(2, 100), (-1, 110)], 1, 100, 10),
        ([(-2, 100), (1, 90)], -1, -100, 10),
        ([(1, 100), (-3, 110)], -2, -220, 10),
        ([(-1, 100), (3, 110)], 2, 220, -10),
        ([(1, 100), (1, 110), (-1, 120)], 1, 105, 15),
        ([(1, 100), (-1, 110), (-1, 120), (1, 100)], 0, 0, 30),
    ],
    ids=["long reduced", "short reduced", "long reversed", "short reversed", "averaged", "there and back"],
)
def test_average_cost(trades: list[tuple[int, int]], quantity: int, basis: int, realised: int) -> None:
    """In whole coins at whole prices."""
    p = traded(Books(), *((q * 100_000, price * 100) for q, price in trades)).position(SPOT_BTC)
    assert (p["quantity"], p["basis"], p["realised"]) == (quantity * 100_000, basis * UNIT, realised * UNIT)


def test_a_flat_position_has_no_basis_left() -> None:
    """Thirds do not divide: the last part takes the remainder along."""
    p = traded(Books(), (3, 100_01), (-1, 100), (-1, 100), (-1, 100)).position(SPOT_BTC)
    assert (p["quantity"], p["basis"]) == (0, 0)


def test_a_contract_settles_only_gains() -> None:
    books = traded(Books(), (1_000, 100_00), (-400, 110_00), i=LINEAR_BTC)
    assert (books.cash(BTC), books.cash(USDT)) == (0, 4 * UNIT)
    assert books.account(layout.TRADING, USDT) == -4 * UNIT


TRADES = st.lists(st.tuples(st.integers(-500, 500).filter(bool), st.integers(1, 20_000)), min_size=1, max_size=12)


@given(TRADES, st.sampled_from((SPOT_BTC, LINEAR_BTC)))
def test_realised_less_basis_is_all_that_was_paid(trades: list[tuple[int, int]], i: int) -> None:
    """Exactly, whatever was rounded on the way; quantity is the sum of fills; every asset's accounts sum to zero."""
    books = traded(Books(), *trades, i=i)
    p = books.position(i)
    paid = sum((1 if q > 0 else -1) * MARKETS[i].cost(price, abs(q)) for q, price in trades)
    assert int(p["realised"]) - int(p["basis"]) == -paid
    assert int(p["quantity"]) == sum(q for q, _ in trades)
    assert not books.fact["ledger"].sum(axis=(0, 1)).any()
    if i == SPOT_BTC:
        assert books.cash(USDT) == -paid


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 20_000)), min_size=2, max_size=8), st.integers(1, 100))
def test_average_cost_stays_within_a_unit_of_the_ideal(purchases: list[tuple[int, int]], share: int) -> None:
    """Against exact fractions: one reduction is off by at most half a money unit."""
    books = traded(Books(), *purchases)
    before = books.position(SPOT_BTC).copy()
    sold = max(1, int(before["quantity"]) * share // 100)
    after = traded(books, (-sold, 50_00)).position(SPOT_BTC)
    ideal = Fraction(int(before["basis"]) * (int(before["quantity"]) - sold), int(before["quantity"]))
    assert abs(int(after["basis"]) - ideal) <= Fraction(1, 2)


# Worth -------------------------------------------------------------------------------------------------------------------

DTYPE = layout.state_dtype(CAPACITY)


def worth(books: Books, mids: dict[int, float], rates: dict[int, float]) -> Any:
    """`total_worth` of the books in a whole state."""
    state = np.zeros(1, DTYPE)
    s = state[0]
    s["fact"] = books.fact
    s["clock"]["n_assets"], s["clock"]["n_venues"] = 7, CAPACITY.venues
    s["clock"]["n_strategies"], s["clock"]["n_instruments"] = CAPACITY.strategies, len(MARKETS)
    s["clock"]["n_contracts"] = 1
    for i, mid in mids.items():
        s["top"]["mid"][i] = mid
    for asset, rate in rates.items():
        s["group"]["reference"][asset] = rate
    return twin.load("portfolio.ledger", FIELDS).total_worth(s)


def test_coins_are_worth_their_rate() -> None:
    books = traded(Books(), (100_000, 100_00))
    assert worth(books, {}, {USDT: 1.0, BTC: 130.0}) == pytest.approx(30.0)


def test_open_contracts_are_worth_their_open_gain() -> None:
    """A contract bought at 100 and not yet sold at 130 is 30 richer, before it is closed and after."""
    books = traded(Books(), (1_000, 100_00), i=LINEAR_BTC)
    rates = {USDT: 1.0}
    assert worth(books, {LINEAR_BTC: 130_00.0}, rates) == pytest.approx(30.0)
    assert worth(books, {}, rates) == 0.0  # no price seen yet: at cost
    assert worth(traded(books, (-1_000, 130_00), i=LINEAR_BTC), {LINEAR_BTC: 77_00.0}, rates) == pytest.approx(30.0)


def test_a_short_contract_loses_when_the_price_rises() -> None:
    assert worth(traded(Books(), (-1_000, 100_00), i=LINEAR_BTC), {LINEAR_BTC: 130_00.0}, {USDT: 0.5}) == pytest.approx(-15.0)
