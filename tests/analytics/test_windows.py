"""Windows against sums of their own, and the features TA-Lib does not have against naive formulas."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.analytics.windows import window
from tradewind.domain import layout
from tradewind.engine.batch import Loop, features
from tradewind.kernel import twin

from . import bars

W5 = np.dtype(window(5))


@pytest.fixture(scope="module")
def windows() -> ModuleType:
    return twin.load("analytics.windows", layout.field_names(W5))


@given(values=st.lists(st.floats(0.0, 1e12), max_size=60))
def test_a_sliding_sum_is_the_sum_of_its_window(windows: ModuleType, values: list[float]) -> None:
    w = np.zeros(1, W5)[0]
    for n, value in enumerate(values, 1):
        assert windows.slid(w, value) == pytest.approx(math.fsum(values[max(n - 5, 0) : n]), rel=1e-15, abs=0.0)


def test_what_left_the_window_leaves_no_trace(windows: ModuleType) -> None:
    """Adding and subtracting would keep 1e16's rounding error for ever."""
    w = np.zeros(1, W5)[0]
    for value in (0.1, 1e16, 0.3):
        windows.slid(w, value)
    last = [windows.slid(w, 0.1) for _ in range(5)][-1]
    assert last == pytest.approx(0.5, rel=1e-15)


@given(values=st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=20))
def test_extremes(windows: ModuleType, values: list[int]) -> None:
    ring = np.array(values, np.int64)
    assert (windows.highest(ring), windows.lowest(ring)) == (max(values), min(values))


def test_log_returns(loop: Loop) -> None:
    frame = bars.random_bars(400, 2)
    made, close = features(frame, bars.OF_BARS, "1m", bars.COIN, loop), frame["close"].to_list()
    for lag in (1, 5, 20):
        naive = [math.log(close[n] / close[n - lag]) for n in range(lag, 400)]
        np.testing.assert_allclose(made[f"returns.log{lag}"].to_numpy()[lag:], naive, rtol=1e-10, atol=1e-15)


def test_realised_volatility(loop: Loop) -> None:
    frame = bars.random_bars(600, 2)
    made = features(frame, bars.OF_BARS, "5m", bars.COIN, loop)
    r = np.diff(np.log(frame["close"].to_numpy()))
    for n in (30, 120):
        naive = [math.sqrt(math.fsum(r[k - n : k] ** 2) / n) for k in range(n, len(r) + 1)]
        np.testing.assert_allclose(made[f"realised_volatility.rv{n}"].to_numpy()[n:], naive, rtol=1e-10)
    a_year = math.sqrt(365.25 * 24 * 12)
    ratio = made["realised_volatility.annual30"] / made["realised_volatility.rv30"]
    np.testing.assert_allclose(ratio.drop_nulls().to_numpy(), a_year, rtol=1e-14)


@pytest.mark.parametrize("exponent", [2, 6])
def test_bands_of_fine_units(loop: Loop, exponent: int) -> None:
    """Beyond 2^26 units around the anchor the window is summed in floats: the same bands."""
    frame = bars.random_bars(500, 4)
    coin = bars.COIN.__class__(venue="t", symbol="t", base="C", quote="USD", price_exponent=exponent, quantity_exponent=5)
    made = features(frame, bars.OF_BARS, "1m", coin, loop)
    closes = frame["close"].to_numpy()
    naive = [closes[k - 20 : k].mean() + 2 * closes[k - 20 : k].std() for k in range(20, 501)]
    np.testing.assert_allclose(made["bollinger.upper"].to_numpy()[19:], naive, rtol=1e-12)


def test_wide_windows_become_narrow_again(loop: Loop) -> None:
    close = pl.Series([1e9, 9e9] * 15 + [2e9, 2e9 + 2] * 30)
    frame = pl.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": pl.ones(90, eager=True)})
    coin = bars.COIN.__class__(venue="t", symbol="t", base="C", quote="USD", price_exponent=0, quantity_exponent=0)
    made = features(frame, bars.OF_BARS, "1m", coin, loop)
    width = made["bollinger.upper"] - made["bollinger.middle"]
    assert width[25] == pytest.approx(8e9, rel=1e-12)
    assert width[-40:].to_list() == [2.0] * 40
