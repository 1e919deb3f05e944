"""Positions: what open orders could still make of them, and what they reserve."""

from __future__ import annotations

import pytest

from chaos.nasty import BTC, USDT
from tradewind.domain import codes

from .books import LINEAR_BTC, SPOT_BTC, UNIT, Books, filled, order_of, report

LIVE = {
    "pending": [],
    "working": [report(1, codes.ACKED)],
    "unknown": [report(1, codes.OUTCOME_UNKNOWN)],
    "cancel refused": [report(1, codes.CANCEL_REFUSED)],
}
ENDS = (codes.CANCELED_BY_VENUE, codes.EXPIRED_BY_VENUE, codes.REJECTED_BY_VENUE, codes.NEVER_REACHED)


@pytest.mark.parametrize("news", LIVE.values(), ids=LIVE)
def test_a_live_order_counts_in_full(news: list[tuple[int, ...]]) -> None:
    """UNKNOWN ones included: nobody has proved that they are gone."""
    books = Books().tell(order_of(), news)
    assert (books.position(SPOT_BTC)["open_buy"], books.reserved(USDT), books.ids("n_open")) == (100_000, 100 * UNIT, 1)
    assert not books.objections()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("side", [codes.BUY, codes.SELL])
def test_an_end_releases_once(side: int, end: int) -> None:
    books = Books().tell(order_of(side=side), [report(1, end)], [report(1, end)])
    p = books.position(SPOT_BTC)
    assert (p["open_buy"], p["open_sell"], p["n_open"], books.ids("n_open")) == (0, 0, 0, 0)
    assert not books.fact["reserved"].any()


def test_a_sale_reserves_the_asset() -> None:
    books = Books().tell(order_of(side=codes.SELL), filled(1, 1, 100_00, 30_000))
    assert (books.reserved(BTC), books.reserved(USDT), books.position(SPOT_BTC)["open_sell"]) == (70_000_000, 0, 70_000)


def test_a_contract_reserves_nothing_but_counts() -> None:
    books = Books().tell(order_of(1_000, i=LINEAR_BTC))
    assert not books.fact["reserved"].any()
    assert books.position(LINEAR_BTC)["open_buy"] == 1_000


def test_what_is_left_of_a_reserve_is_rounded_up() -> None:
    """Half a money unit is still reserved: market 1 counts prices in 0.1 and quantities in 1e-8."""
    books = Books().tell(order_of(5, 1, i=1))
    assert books.fact["reserved"][1, 1] == 1


def test_a_fill_beyond_the_order_leaves_nothing_open() -> None:
    """What a venue may not do, but did: the money is booked, nothing below zero stays open."""
    books = Books().tell(order_of(10), filled(1, 1, 100_00, 12))
    assert (books.position(SPOT_BTC)["quantity"], books.position(SPOT_BTC)["open_buy"], books.reserved(USDT)) == (12, 0, 0)
    assert not books.objections()
