"""The Python seat, the average cross, and the prices immediate orders may pay."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import MS, START, Stage, instrument, row
from tradewind.domain import codes, reasons
from tradewind.domain.codes import BUY, EVIDENCE, SELL, SUBMIT
from tradewind.engine.prelude import Limits
from tradewind.strategies.base import Market


def seat(**parameters: float) -> Stage:
    stage = Stage([instrument("a", tick=5, lot=10)], ("python",), ({"slip_bp": 10.0, **parameters},))
    stage.book(0, [(10000, 500)], [(10010, 500)])
    return stage


def test_a_wish_trades_the_difference() -> None:
    stage = seat()
    stage.wish(0, 100)
    stage.wait(30 * MS)
    assert stage.position(0) == 100
    stage.wish(0, 60)
    stage.wait(30 * MS)
    assert stage.position(0) == 60
    assert [(int(o["side"]), int(o["quantity"])) for o in stage.said(SUBMIT)] == [(BUY, 100), (SELL, 40)]
    assert {int(e["value"]) for e in stage.said(EVIDENCE)} == {reasons.STRATEGY_WISH}
    stage.wish(0, 69)
    assert stage.s["noted"][0, 0]["code"] == reasons.ALREADY_THERE, "nine units are no lot"


def test_answers_that_come_too_late_or_too_soon() -> None:
    stage = seat()
    stage.feed(row(codes.TARGET, stage.now + 2, strategy=0, quantity=100, value=stage.now + 1))
    assert stage.s["noted"][0, 0]["code"] == reasons.ANSWER_EXPIRED
    stage.wish(0, 100)
    stage.wish(0, 200)
    assert stage.s["noted"][0, 0]["code"] == reasons.LEGS_IN_FLIGHT
    assert len(stage.said(SUBMIT)) == 1


@pytest.mark.parametrize(("wish", "worst", "price"), [(100, 10013, 10010), (100, 0, 10020), (-100, 9996, 10000), (-100, 0, 9990)])
def test_the_answers_price_bounds_the_order_on_the_tick(wish: int, worst: int, price: int) -> None:
    """A worst price off the tick is rounded toward the strategy, never past what it named."""
    stage = seat()
    stage.wish(0, wish, worst)
    (order,) = stage.said(SUBMIT)
    assert int(order["price"]) == price


@given(st.integers(1, 10**7), st.integers(0, 1000), st.sampled_from([1, 5, 10, 25]), st.sampled_from([0.0, 1e-4, 5e-3, 0.5]))
def test_marketable_prices(low: int, spread: int, tick: int, slip: float) -> None:
    """On the tick, at or through the touch, never worse than the slip allows."""
    stage = STAGE
    stage.s["fact"]["rule"][0, 6] = tick
    bid, ask = low * tick, (low + 1 + spread) * tick
    stage.s["top"][0]["bid"], stage.s["top"][0]["ask"] = bid, ask
    price = sys.modules["tradewind_twin.strategy.targets"].marketable
    buy, sell = int(price(stage.s, 0, BUY, slip)), int(price(stage.s, 0, SELL, slip))
    assert buy % tick == sell % tick == 0
    assert ask <= buy <= ask * (1 + slip) + 1e-6
    assert bid * (1 - slip) - 1 <= sell <= bid


STAGE = seat()


def test_average_cross_equals_a_plain_one() -> None:
    """Long while the mean of the last 3 closes is over that of the last 8, by plain sums."""
    random = np.random.default_rng(3)
    stage = Stage(
        [instrument("a")], ("sma_cross",), ({"fast": 3.0, "slow": 8.0, "quantity": 100.0},),
        bars_only=True, timeframes=("1m", "5m", "1h"),
    )  # fmt: skip
    closes: list[int] = []
    wished: list[tuple[int, int]] = []
    held = 0
    price = 10_000
    frame = codes.TIMEFRAME_NAMES.index("1m")
    for minute in range(120):
        new = price + int(random.normal(0, 30))
        end = START // codes.MINUTE * codes.MINUTE + (minute + 1) * codes.MINUTE
        stage.market(0, [row(codes.BAR, end, price=new, ref=price, quantity=50, strategy=frame)])
        price = new
        closes.append(new)
        if len(closes) >= 8:
            up = sum(closes[-3:]) * 8 > sum(closes[-8:]) * 3
            if up and not held:
                wished.append((minute, BUY))
            if not up and held:
                wished.append((minute, SELL))
            held = int(up)
    first = START // codes.MINUTE * codes.MINUTE
    got = [((int(o["ts_local"]) - first) // codes.MINUTE - 1, int(o["side"])) for o in stage.said(SUBMIT)]
    assert len(wished) > 6
    assert got == wished


def test_an_average_longer_than_the_memory_of_closes_never_trades() -> None:
    stage = Stage([instrument("a")], ("sma_cross",), ({"fast": 3.0, "slow": 64.0, "quantity": 100.0},), bars_only=True)
    frame = codes.TIMEFRAME_NAMES.index("1m")
    for minute in range(150):
        end = START // codes.MINUTE * codes.MINUTE + (minute + 1) * codes.MINUTE
        stage.market(0, [row(codes.BAR, end, price=10_000 + minute, ref=10_000, quantity=50, strategy=frame)])
    assert stage.said(SUBMIT) == []
    assert stage.s["noted"][0, 0]["code"] == reasons.WARMING_UP


# What `market.target` wishes --------------------------------------------------------------------------------------------------


def looking(coins: float, payoff: int = codes.SPOT) -> tuple[Stage, Market]:
    """A stage whose account has that many coins at the start, with lots of 10 and a full size of 100, and its strategy's view."""
    stage = Stage(
        [instrument("a", lot=10, payoff=payoff)], balances={("a", "USD"): 1e6, ("a", "BTC"): coins},
        limits=Limits(max_age_ns=3600 * codes.SECOND),
    )  # fmt: skip
    stage.book(0, [(10000, 50_000)], [(10010, 50_000)])
    stage.s["size_of"][0, 0]["quantity"] = 100
    return stage, Market(stage.state, 0, list(stage.setup.instruments))


@pytest.mark.parametrize(("share", "quantity"), [(0.57, 50), (-0.57, -50), (-1.0, -100), (1.0, 100), (-0.04, 0)])
def test_a_share_is_whole_lots_toward_zero(share: float, quantity: int) -> None:
    """A short position was rounded away from zero: 60 where a long one was 50."""
    assert looking(0.0, codes.LINEAR)[1].target(share).quantity == quantity


@pytest.mark.parametrize(("coins", "quantity"), [(0.0, 0), (0.0015, -10), (0.0049, -40), (1.0, -100)])
def test_a_share_below_zero_on_spot_closes_what_is_held(coins: float, quantity: int) -> None:
    """The whole order was refused for want of coins, and the position stayed; what others have there may still be sold."""
    stage, market = looking(coins)
    stage.wish(0, 70)
    stage.wait(100 * MS)
    assert stage.position(0) == 70
    target = market.target(-1.0)
    assert target.quantity == quantity
    stage.wish(0, target.quantity)
    stage.wait(100 * MS)
    assert stage.position(0) == quantity
