"""Whole runs: the demo, the recordings, and what they must show."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tradewind.domain import codes, reasons
from tradewind.runtime.quotes import smallest
from tradewind.runtime.why import Explainer

from . import runs

BINANCE = ("ws/binance_hftbacktest/spot_btcusdt_20240808.gz", "ws/binance_hftbacktest/spot_ethusdt_20240808.gz")
DEPEG = "ohlcv/1m_2023-03_depeg"


def test_demo_runs_three_venues_and_three_strategies() -> None:
    result = runs.demo()
    assert result.venues == ["binance", "kraken", "coinbase"]
    assert result.strategies == ["market_maker", "swing", "arbitrage"]
    assert result.orders > 0
    assert result.fills > 0
    assert Path(result.report).stat().st_size > 100_000
    assert set(result.record.orders["strategy"].unique()) >= {"market_maker"}


def test_the_record_tells_prices_and_fills_in_one_unit() -> None:
    """Both are drawn in one plot, and what is held is valued by the mid."""
    record = runs.demo().record
    mids = dict(record.prices.group_by("instrument").agg(pl.col("mid").median()).iter_rows())
    for name, price in record.fills.select("instrument", "price").iter_rows():
        assert float(price) == pytest.approx(mids[name], rel=0.02)


def test_slippage_is_counted_from_the_middle_that_was_seen() -> None:
    """A quote earns about half the spread it rested in; an order that takes pays at least about half the one it met."""
    record = runs.demo().record
    fills = record.fills.join(record.orders.select("order_id", sent="price", sent_ns="ts_ns"), on="order_id")
    rested, took = fills.filter(pl.col("maker")), fills.filter(~pl.col("maker"))
    assert rested.filter(pl.col("slippage_bps") < 0).height > 0.9 * rested.height
    assert took.height > 5
    assert float(took["slippage_bps"].median()) > 0.0  # type: ignore[arg-type]


def test_every_part_of_the_profit_is_told_and_the_curve_ends_where_the_run_does() -> None:
    result = runs.demo()
    parts = [result.pnl[name] for name in (*result.strategies, "(holdings)")]
    assert sum(parts) == pytest.approx(result.pnl["all"], abs=1e-9)
    assert abs(result.pnl["(holdings)"]) > 1e-3, "the case: coins were dealt out and moved"
    assert result.record.capital + result.pnl["all"] == pytest.approx(result.equity, abs=1e-9)
    assert result.statistics["holdings"] == pytest.approx(result.pnl["(holdings)"], abs=1e-6)


def test_demo_is_the_same_every_time() -> None:
    first, again = runs.demo(), runs.demo.__wrapped__(10, 1)
    assert again.digest == first.digest
    assert again.machine_hash == first.machine_hash
    assert runs.demo(10, 2).digest != first.digest


@pytest.mark.real
def test_market_maker_trades_the_recording_and_the_others_say_why_not(shared_data: Path) -> None:
    result = runs.over(runs.tape(shared_data, "binance", *BINANCE), "100000 USDT")
    traded = set(result.record.fills["strategy"].unique())
    assert traded == {"market_maker"}
    assert result.pnl["swing"] == result.pnl["arbitrage"] == 0.0
    explainer = Explainer(Path(result.journal))
    middle = int(explainer.step_ts[len(explainer.step_ts) // 2])
    told = explainer.why_not("binance:BTC/USDT", middle)
    assert told.evidence["arbitrage"]["reason"] == "ONE_VENUE_ONLY"
    assert told.evidence["swing"]["reason"] in ("ASKED_NO_CHANGE", "NOT_ASKED")


@pytest.mark.real
def test_swing_and_arbitrage_trade_the_depeg(shared_data: Path) -> None:
    result = runs.over(runs.tape(shared_data, "ohlcv", DEPEG), "100000 USD")
    traded = set(result.record.fills["strategy"].unique())
    assert traded == {"swing", "arbitrage"}
    assert any("no book to quote into" in text for text in result.warnings)


def test_every_order_is_explained_by_running_its_decision_again() -> None:
    explainer = Explainer(Path(runs.demo().journal))
    ids = sorted(explainer.orders)
    chosen = ids[:: max(1, len(ids) // 200)][:200]
    hedges = [n for n, (evidence, _) in explainer.orders.items() if evidence["value"] == reasons.LEG_HEDGED]
    for order_id in {*chosen, *hedges}:
        evidence = explainer.why(order_id).evidence
        assert evidence["reproduced"], order_id
        assert evidence["kept_without"], order_id
        assert evidence["flips_with_margin"], order_id
    told = [explainer.why(order_id).evidence for order_id in chosen[:20]]
    assert any(evidence["cause"] == "QUOTE_PLACED" for evidence in told)


def test_the_margins_of_a_quote_are_the_smallest_that_move_it() -> None:
    """Position and touch, changed here by hand: at the margin the order is another, one lot or tick less and it stays."""
    explainer = Explainer(Path(runs.demo().journal))
    quotes = [n for n, (evidence, _) in explainer.orders.items() if evidence["value"] == reasons.QUOTE_PLACED]
    for order_id in quotes[:: len(quotes) // 12]:
        submit, number = explainer.orders[order_id][1], explainer.made_at[order_id]
        moving = {mover["name"]: mover for mover in explainer.why(order_id).evidence["movers"]}
        assert moving["touch"]["less"] == moving["touch"]["more"] == 1.0
        k, i = int(submit["strategy"]), int(submit["instrument"])
        x = explainer.plan.setup.instruments[i]
        way = 1 if submit["side"] == codes.BUY else -1  # toward where the inventory is full
        lots = round(moving["position"]["more" if way == 1 else "less"] * 10**x.quantity_exponent / x.lot)
        outcome = []
        for change in (way * (lots - 1), way * lots):
            explainer._before(number)
            explainer.replayer.state[0]["fact"]["position"]["quantity"][k, i] += change * x.lot
            outcome.append(explainer._same_order(explainer._run(explainer.steps[number], only_last=True), submit))
        assert outcome == [True, False], order_id


@pytest.mark.parametrize(("most", "limit"), [(0, 1), (1, 1), (5, 3), (8, 8), (1000, 777), (7, 8)])
def test_the_smallest_step_is_found(most: int, limit: int) -> None:
    asked: list[int] = []

    def keeps(step: int) -> bool:
        asked.append(step)
        return step < limit

    assert smallest(keeps, most) == (limit if limit <= most else None)
    assert len(asked) <= 2 * max(most, 1).bit_length()


def test_why_says_when_a_margin_does_not_flip() -> None:
    explainer = Explainer(Path(runs.demo().journal))
    for order_id in sorted(explainer.orders)[:50]:
        reason = explainer.why(order_id)
        says = "another or none" in reason.text
        assert says == reason.evidence["flips_with_margin"]
