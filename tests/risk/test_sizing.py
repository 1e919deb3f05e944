"""Sizes: fixed fraction, volatility and confidence, grades; always down to the lot."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.domain import codes, layout

from .rooms import Desk, room


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


@given(st.floats(0, 1), st.floats(0, 1e9), st.integers(1, 10**7), st.sampled_from([1, 3, 10, 700]))
@settings(max_examples=200)
def test_fixed_fraction_rounds_down(desk: Desk, fraction: float, equity: float, price: int, lot: int) -> None:
    """The largest whole number of lots that the money buys, never one more."""
    desk.s["fact"]["rule"][0, layout.LOT] = lot
    desk.s["budget"]["equity"] = equity
    quantity = int(room("risk.sizing").fixed_fraction(desk.s, 0, fraction, price))
    unit = price * 1e-6  # whole dollars for a quantity of 1e-4 at cents
    assert quantity % lot == 0
    assert quantity * unit <= fraction * equity * (1 + 1e-12)
    assert (quantity + lot) * unit > fraction * equity * (1 - 1e-12)


@given(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([1, 3, 10, 700]))
def test_to_lot_never_rounds_up(desk: Desk, quantity: float, lot: int) -> None:
    """What is no quantity gives nothing."""
    desk.s["fact"]["rule"][0, layout.LOT] = lot
    got = int(room("risk.sizing").to_lot(desk.s, 0, quantity))
    assert got % lot == 0
    assert got == 0 or got <= quantity < got + lot
    assert got > 0 or not lot <= quantity < 4e18 or math.isnan(quantity)


def test_volatility_target(desk: Desk) -> None:
    """One deviation of one horizon moves `risk` of equity, scaled by confidence; never more than the equity itself."""
    size = room("risk.sizing")
    desk.s["fact"]["rule"][0, layout.LOT] = 1
    desk.s["budget"]["equity"] = 10_000.0
    whole = size.volatility_target(desk.s, 0, 0.01, 0.02, 1.0, 10000)
    assert whole == 500_000  # half the equity: 50 BTC at 100
    assert size.volatility_target(desk.s, 0, 0.01, 0.04, 1.0, 10000) == whole // 2
    assert size.volatility_target(desk.s, 0, 0.01, 0.02, 0.5, 10000) == whole // 2
    assert size.volatility_target(desk.s, 0, 0.01, 1e-9, 1.0, 10000) == 2 * whole
    assert size.volatility_target(desk.s, 0, 0.01, 0.0, 1.0, 10000) == 0


@pytest.mark.parametrize(("grade", "part"), [(codes.GRADE_NONE, 0), (codes.GRADE_C, 0.5), (codes.GRADE_B, 1), (codes.GRADE_A, 1)])
def test_size_by_grade(desk: Desk, grade: int, part: float) -> None:
    """One source alone is traded at half size, no agreement not at all."""
    desk.s["fact"]["rule"][0, layout.LOT] = 1
    desk.s["budget"]["equity"] = 10_000.0
    desk.s["parameter"][0, layout.FRACTION] = 0.1
    desk.s["parameter"][0, layout.RISK] = 0.0
    desk.s["group"][desk.names.asset("BTC")]["grade"] = grade
    assert room("risk.sizing").size(desk.s, 0, 0, 10000) == round(100_000 * part)


@pytest.mark.parametrize(("grade", "part"), [(codes.GRADE_NONE, 0), (codes.GRADE_C, 0.5), (codes.GRADE_A, 1)])
@pytest.mark.parametrize("volatility", [0.02, 0.0025])
def test_a_grade_halves_what_a_calm_market_caps(desk: Desk, grade: int, part: float, volatility: float) -> None:
    """The whole equity is the most at grade A, so half of it is at C, however small the volatility is."""
    desk.s["fact"]["rule"][0, layout.LOT] = 1
    desk.s["budget"]["equity"] = 10_000.0
    desk.s["parameter"][0, layout.RISK] = 0.01
    desk.s["signal"][0]["volatility"], desk.s["signal"][0]["confidence"] = volatility, 0.5
    desk.s["group"][desk.names.asset("BTC")]["grade"] = grade
    whole = min(0.01 / volatility, 1.0) * 0.5 * 10_000.0 / 0.01
    assert room("risk.sizing").size(desk.s, 0, 0, 10000) == round(whole * part)
    desk.s["parameter"][0, layout.RISK] = 0.0


@pytest.mark.parametrize(("demotion", "part"), [(0, 1), (1, 1), (2, 0.5), (3, 0), (7, 0), (-5, 1)])
def test_a_source_of_less_trust_caps_the_size(desk: Desk, demotion: int, part: float) -> None:
    """However many others agree on the asset's price."""
    desk.s["budget"]["equity"] = 10_000.0
    desk.s["fact"]["rule"][0, layout.LOT] = 1
    desk.s["parameter"][0, layout.FRACTION] = 0.1
    desk.s["parameter"][0, layout.RISK] = 0.0
    desk.s["group"][desk.names.asset("BTC")]["grade"] = codes.GRADE_A
    desk.s["fact"]["rule"][0, layout.DEMOTION] = demotion
    assert room("risk.sizing").size(desk.s, 0, 0, 10000) == round(100_000 * part)
    desk.s["fact"]["rule"][0, layout.DEMOTION] = 0


def test_sizes_are_there_as_soon_as_there_is_a_price() -> None:
    """Not a selector period later, which may be an hour."""
    desk = Desk(parameters=({"fraction": 0.01}, {}), tuning={"period_s": 3600.0})
    assert desk.s["size_of"][0, 0]["quantity"] == 0
    desk.shown()
    desk.now += codes.SECOND
    desk.shown()
    assert desk.s["size_of"][0, 0]["quantity"] > 0
