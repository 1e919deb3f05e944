"""The market maker: Avellaneda and Stoikov's closed forms, targets on ticks, inventory, and leaving a bad book."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripted import MS, Stage, instrument
from tradewind.domain import codes, layout, reasons
from tradewind.domain.codes import BUY, CANCEL, SELL, SUBMIT
from tradewind.strategy.library import market_maker


def closed(name: str, *values: float) -> float:
    """A formula of the uncompiled machine."""
    maker()
    return float(getattr(sys.modules["tradewind_twin.strategy.library.market_maker"], name)(*values))


def maker(**parameters: float) -> Stage:
    """One instrument with a tick of 0.05, quoted every 100 ms."""
    parameters = {"quantity": 200.0, "every_ms": 100.0, **parameters}
    return Stage([instrument("a", tick=5, lot=10)], ("market_maker",), (parameters,))


def shown(stage: Stage, bid: int = 10000, ask: int = 10020, after: int = 100 * MS) -> None:
    """The touch, some time later."""
    stage.book(0, [(bid, 500), (bid - 100, 500)], [(ask, 500), (ask + 100, 500)], after=after)


def targets(stage: Stage, side: int) -> list[tuple[int, int]]:
    """Price and quantity of every layer."""
    return [(int(t["price"]), int(t["quantity"])) for t in stage.s["target"][0, 0, side]]


def hold(stage: Stage, quantity: int) -> None:
    """Gives the strategy an inventory."""
    stage.s["fact"]["position"][0, 0]["quantity"] = quantity


# Published figures: Avellaneda, Stoikov 2008, section 3.3: γ = 0.1, σ = 2, T = 1, κ = 1.5, A = 140 ------------------------------


@pytest.mark.parametrize(("gamma", "spread"), [(0.1, 1.6908), (0.01, 1.3689), (0.5, 3.1507)])
def test_spread_at_published_parameters(gamma: float, spread: float) -> None:
    """γσ²(T - t) + (2/γ) ln(1 + γ/κ) at t = 0."""
    exact = gamma * 4.0 * 1.0 + 2.0 / gamma * math.log(1.0 + gamma / 1.5)
    assert 2.0 * closed("half_spread", gamma, 4.0, 1.0, 1.5) == pytest.approx(exact, rel=1e-14)
    assert exact == pytest.approx(spread, abs=5e-5)


@pytest.mark.parametrize(("gamma", "printed"), [(0.1, 1.49), (0.01, 1.35)])
def test_mean_spread_is_the_printed_one(gamma: float, printed: float) -> None:
    """The paper's tables 1 and 2 print the spread's mean over the horizon."""
    mean = np.mean([2.0 * closed("half_spread", gamma, 4.0, 1.0 - t, 1.5) for t in np.linspace(0.0, 1.0, 201)])
    assert mean == pytest.approx(printed, abs=0.005)


def test_spread_without_risk_aversion_is_that_of_a_monopolist() -> None:
    """γ → 0: the spread becomes 2/κ and inventory no longer matters."""
    assert 2.0 * closed("half_spread", 1e-9, 4.0, 1.0, 1.5) == pytest.approx(2.0 / 1.5, rel=1e-6)
    assert closed("reservation", 100.0, 7.0, 1e-12, 4.0, 1.0) == pytest.approx(100.0)


@pytest.mark.parametrize("q", [-3.0, 0.0, 1.0, 5.0])
def test_reservation_price_at_published_parameters(q: float) -> None:
    """s - qγσ²(T - t): 0.4 below the mid a unit held."""
    assert closed("reservation", 100.0, q, 0.1, 4.0, 1.0) == pytest.approx(100.0 - 0.4 * q, rel=1e-15)
    assert closed("reservation", 100.0, q, 0.1, 4.0, 0.0) == 100.0


def test_paper_simulation_is_reproduced() -> None:
    """The paper's own experiment (γ = 0.1, dt = 0.005, 1,000 paths): the inventory strategy earns less and varies far less."""
    gamma, sigma, horizon, kappa, pace, dt = 0.1, 2.0, 1.0, 1.5, 140.0, 0.005
    maker()
    module = sys.modules["tradewind_twin.strategy.library.market_maker"]
    random = np.random.default_rng(5)
    ends = {}
    for aware in (True, False):
        s, q, cash = np.full(1000, 100.0), np.zeros(1000), np.zeros(1000)
        for step in range(200):
            left = horizon - step * dt
            half = module.half_spread(gamma, sigma * sigma, left, kappa)
            centre = module.reservation(s, q if aware else 0.0 * q, gamma, sigma * sigma, left)
            for sign, price in ((1.0, centre - half), (-1.0, centre + half)):
                hit = random.random(1000) < pace * np.exp(-kappa * sign * (s - price)) * dt
                q, cash = q + sign * hit, cash - sign * hit * price
            s = s + sigma * math.sqrt(dt) * random.choice([-1.0, 1.0], 1000)
        ends[aware] = (float(np.mean(cash + q * s)), float(np.std(cash + q * s)), float(np.std(q)))
    assert ends[True][0] == pytest.approx(62.94, abs=2.5)  # table 1: profit 62.94, deviation 5.89, final q 2.80
    assert ends[True][1] == pytest.approx(5.89, abs=1.0)
    assert ends[True][2] == pytest.approx(2.80, abs=0.5)
    assert ends[False][0] == pytest.approx(67.21, abs=2.5)  # symmetric: 67.21, 13.43, 8.66
    assert ends[False][1] == pytest.approx(13.43, abs=2.0)
    assert ends[False][2] == pytest.approx(8.66, abs=1.0)


# What it does with them ------------------------------------------------------------------------------------------------------


@given(
    gamma=st.sampled_from([0.0, 1e-3, 0.1, 2.0]), units=st.integers(-15, 15), away=st.integers(-4, 4), lean=st.floats(-30, 30),
    skew=st.floats(-3, 3), variance=st.floats(0, 1e4), spread=st.integers(1, 5), layers=st.integers(1, 3),
)  # fmt: skip
@settings(max_examples=80)
def test_targets_lie_on_ticks_and_never_cross(
    gamma: float, units: int, away: int, lean: float, skew: float, variance: float, spread: int, layers: int
) -> None:
    """Whatever the parameters: on the tick, a bid under the best ask, an ask over the best bid, inventory inside its limit."""
    stage = STAGE
    p = stage.s["parameter"][0]
    p[market_maker.GAMMA], p[market_maker.AWAY], p[market_maker.LEAN], p[market_maker.SKEW] = gamma, away, lean, skew
    p[market_maker.LAYERS] = layers
    stage.s["flow"][0]["variance_ticks"] = variance
    stage.s["signal"][0]["score"] = 1.0
    hold(stage, units * 200)
    top = stage.s["top"][0]
    top["bid"], top["ask"] = 10000, 10000 + 5 * spread
    sys.modules["tradewind_twin.strategy.library.market_maker"].on_timer(stage.s, 0, 0)
    bids, asks = targets(stage, BUY)[:layers], targets(stage, SELL)[:layers]
    for price, _ in bids:
        assert price % 5 == 0 and price < top["ask"]
    for price, _ in asks:
        assert price % 5 == 0 and price > top["bid"]
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks)
    assert units + sum(q > 0 for _, q in bids) <= max(10, units)
    assert units - sum(q > 0 for _, q in asks) >= min(-10, units)


STAGE = maker()
shown(STAGE)


def test_inventory_moves_the_reservation_price_down() -> None:
    """Long: both quotes sink by qγσ²T; short: they rise."""
    quotes = {}
    for units in (-2, 0, 2):
        stage = maker(gamma=0.1, kappa=1.5, horizon_s=1.0)
        shown(stage)
        stage.s["flow"][0]["variance_ticks"] = 40.0
        hold(stage, units * 200)
        sys.modules["tradewind_twin.strategy.library.market_maker"].on_timer(stage.s, 0, 0)
        quotes[units] = targets(stage, BUY)[0][0], targets(stage, SELL)[0][0]
    assert quotes[2][0] < quotes[0][0] < quotes[-2][0]
    assert quotes[2][1] < quotes[0][1] < quotes[-2][1]
    assert quotes[0] == (10010 - 2 * 5 - 5, 10010 + 3 * 5), "mid 2002 ticks, half spread 2 + 0.65: 1999 and 2005 ticks"


@pytest.mark.parametrize("how", ["stale", "unbelieved"])
def test_a_bad_book_is_left(how: str) -> None:
    """Quotes are withdrawn as soon as the book cannot be read, and come back with it."""
    stage = maker()
    for _ in range(3):
        shown(stage)
    assert len(stage.said(SUBMIT)) == 2
    if how == "stale":
        stage.s["top"][0]["condition"] = codes.STALE
    else:
        stage.s["top"][0]["good"] = 0
    stage.wait(200 * MS)
    assert {int(c["ref"]) for c in stage.said(CANCEL)} == {1, 2}
    assert stage.s["noted"][0, 0]["code"] == reasons.BOOK_NOT_SYNCED
    for _ in range(3):
        shown(stage)
    assert len(stage.said(SUBMIT)) == 4


def test_no_new_order_while_the_quote_is_right() -> None:
    """A touch that stands still costs no message; one that moves costs two cancels and two orders."""
    stage = maker()
    for _ in range(5):
        shown(stage)
    assert (len(stage.said(SUBMIT)), len(stage.said(CANCEL))) == (2, 0)
    shown(stage, 10005, 10025)
    shown(stage, 10005, 10025)
    assert (len(stage.said(SUBMIT)), len(stage.said(CANCEL))) == (4, 2)


def test_a_full_inventory_only_unwinds() -> None:
    stage = maker(max_inventory=2.0)
    hold(stage, 400)
    shown(stage)
    shown(stage)
    assert targets(stage, BUY)[0][1] == 0
    assert targets(stage, SELL)[0][1] == 200
    assert stage.s["noted"][0, 0]["code"] == reasons.INVENTORY_FULL


def test_it_says_whether_it_has_no_size_or_no_weight() -> None:
    stage = maker(quantity=0.0)
    shown(stage)
    stage.s["size_of"]["quantity"][:] = 3
    stage.s["fact"]["rule"][0, layout.LOT] = 10
    stage.wait(100 * MS)
    noted = stage.s["noted"][0, 0]
    assert (noted["code"], noted["measured"], noted["threshold"]) == (reasons.NOT_SIZED, 3.0, 10.0)
    stage.s["size_of"]["quantity"][:] = 30
    stage.s["share"]["weight"][:] = 0
    stage.wait(100 * MS)
    assert stage.s["noted"][0, 0]["code"] == reasons.WEIGHT_ZERO
