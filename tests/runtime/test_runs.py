"""Whole runs: the demo, the recordings, and what they must show."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    for order_id in chosen:
        evidence = explainer.why(order_id).evidence
        assert evidence["reproduced"], order_id
        assert evidence["kept_without"], order_id
    flipped = sum(explainer.why(order_id).evidence["flips_with_margin"] for order_id in chosen)
    assert flipped >= 0.97 * len(chosen)


def test_why_says_when_a_margin_does_not_flip() -> None:
    explainer = Explainer(Path(runs.demo().journal))
    for order_id in sorted(explainer.orders)[:50]:
        reason = explainer.why(order_id)
        says = "another or none" in reason.text
        assert says == reason.evidence["flips_with_margin"]
