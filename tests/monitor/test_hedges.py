"""Hedges are priced against the leg that failed, in the record's currency, fees included."""

from __future__ import annotations

import polars as pl
import pytest

from tradewind.domain.codes import BUY, SELL
from tradewind.monitor.hedges import hedges, section
from tradewind.monitor.record import FILL_COLUMNS, ORDER_COLUMNS, RunRecord

LEG, HEDGE = "EDGE_OVER_COST", "LEG_HEDGED"


def order(n: int, venue: str, side: int, price: float, cause: str, quantity: float = 1.0, quote: str = "USD") -> tuple[object, ...]:
    return (n * 1000, n, "arbitrage", f"{venue}:BTC/{quote}", side, price, quantity, "FILLED", cause)


def fill(n: int, venue: str, side: int, price: float, quantity: float, cost: float, fee: float) -> tuple[object, ...]:
    return (n * 1000 + 1, n, "arbitrage", f"{venue}:BTC/USD", side, price, quantity, cost, fee, False, 0.0)


def record(orders: list[tuple[object, ...]], fills: list[tuple[object, ...]], rates: dict[str, float] | None = None) -> RunRecord:
    prices = pl.DataFrame(
        [(0, name, 100.0, rate) for name, rate in (rates or {}).items()],
        schema={"ts_ns": pl.Int64, "instrument": pl.String, "mid": pl.Float64, "rate": pl.Float64}, orient="row",
    )  # fmt: skip
    return RunRecord(
        title="legs", capital=1000.0, currency="USD",
        equity=pl.DataFrame({"ts_ns": [0, 10_000], "equity": [1000.0, 999.0]}),
        orders=pl.DataFrame(orders, schema=ORDER_COLUMNS, orient="row"),
        fills=pl.DataFrame(fills, schema=FILL_COLUMNS, orient="row"), prices=prices,
    )  # fmt: skip


def test_an_unsold_leg_is_priced() -> None:
    """Struck to sell at 101, sold in two parts at 99.5 and 99 elsewhere: 1.75 lost on one coin, and the fee."""
    r = record(
        [order(1, "a", BUY, 100.0, LEG), order(2, "b", SELL, 101.0, LEG), order(3, "a", SELL, 98.0, HEDGE)],
        [fill(3, "a", SELL, 99.5, 0.5, 49.75, 0.05), fill(3, "a", SELL, 99.0, 0.5, 49.5, 0.05)],
    )
    (line,) = hedges(r).iter_rows(named=True)
    assert (line["failed"], line["hedged_at"], line["quantity"]) == ("b:BTC/USD", "a:BTC/USD", 1.0)
    assert line["price_cost"] == pytest.approx(101.0 - 99.25)
    assert line["total_cost"] == pytest.approx(101.0 - 99.25 + 0.1)
    page = section(r)
    assert "1 failed legs" in page and "b:BTC/USD" in page


def test_a_hedge_may_gain_and_currencies_are_converted() -> None:
    """An unbought leg at 100 USDT of 0.9, bought at 89: one cheaper than struck."""
    r = record(
        [order(1, "a", BUY, 100.0, LEG, quote="USDT"), order(2, "b", SELL, 95.0, LEG), order(3, "b", BUY, 98.0, HEDGE)],
        [fill(3, "b", BUY, 89.0, 2.0, 178.0, 0.0)], {"a:BTC/USDT": 0.9, "b:BTC/USD": 1.0},
    )  # fmt: skip
    (line,) = hedges(r).iter_rows(named=True)
    assert line["leg_price"] == pytest.approx(90.0)
    assert line["total_cost"] == pytest.approx(-2.0)


def test_nothing_hedged_says_nothing() -> None:
    r = record([order(1, "a", BUY, 100.0, LEG), order(2, "b", SELL, 101.0, HEDGE)], [])
    assert hedges(r).height == 0
    assert section(r) == ""
