"""Each estimator against a plain reference, against empyrical where it is installed, and where no number exists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.codes import DAY, HOUR, MINUTE, SECOND
from tradewind.monitor import estimators as est

from . import naive

PER_YEAR = 365 * 24 * 60.0


def returns_of(seed: int, n: int = 700) -> np.ndarray:
    random = np.random.default_rng(seed)
    noise = random.standard_t(4, n) * 1e-4
    return noise + 0.3 * np.roll(noise, 1) + 2e-6


@pytest.mark.parametrize("seed", range(5))
def test_ratios_equal_plain_references(seed: int) -> None:
    returns = returns_of(seed)
    plain = returns.tolist()
    assert est.sharpe(returns, PER_YEAR) == pytest.approx(naive.sharpe(plain, PER_YEAR), rel=1e-9)
    assert est.sortino(returns, PER_YEAR) == pytest.approx(naive.sortino(plain, PER_YEAR), rel=1e-9)
    assert est.volatility(returns, PER_YEAR) == pytest.approx(naive.deviation(plain) * PER_YEAR**0.5, rel=1e-9)
    assert est.lo_error(returns, PER_YEAR) == pytest.approx(naive.lo_error(plain, PER_YEAR), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_ratios_equal_empyrical(seed: int) -> None:
    empyrical = pytest.importorskip("empyrical", reason="empyrical-reloaded is not installed")
    returns = returns_of(seed, 400)
    curve = np.append(1.0, np.cumprod(1.0 + returns))
    assert est.sharpe(returns, 365.0) == pytest.approx(empyrical.sharpe_ratio(returns, annualization=365), rel=1e-9)
    assert est.sortino(returns, 365.0) == pytest.approx(empyrical.sortino_ratio(returns, annualization=365), rel=1e-9)
    assert est.volatility(returns, 365.0) == pytest.approx(empyrical.annual_volatility(returns, annualization=365), rel=1e-9)
    assert est.drawdowns(curve).min() == pytest.approx(empyrical.max_drawdown(returns), rel=1e-9)
    yearly = est.cagr(float(curve[-1]), 400 * DAY)
    assert yearly == pytest.approx(empyrical.annual_return(returns, annualization=365), rel=1e-9)
    assert yearly / -est.drawdowns(curve).min() == pytest.approx(empyrical.calmar_ratio(returns, annualization=365), rel=1e-9)


@given(st.lists(st.integers(90, 110), min_size=2, max_size=30), st.data())
def test_drawdown_and_time_under_water_equal_plain_references(curve: list[int], data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.integers(1, 50), min_size=len(curve), max_size=len(curve)))
    ts = np.cumsum(steps)
    values = np.array(curve, np.float64)
    assert est.drawdowns(values).min() == pytest.approx(naive.drawdown(values.tolist()), abs=1e-12)
    assert est.under_water(ts, values) == naive.under_water(ts.tolist(), values.tolist())


@given(st.lists(st.integers(1, 40), min_size=3, max_size=60), st.integers(1, 30))
def test_sampling_takes_the_last_known_value(steps: list[int], interval: int) -> None:
    ts = np.cumsum(np.array(steps, np.int64))
    values = np.arange(len(ts), dtype=np.float64)
    assert est.sampled(ts, values, interval).tolist() == naive.sampled(ts.tolist(), values.tolist(), interval)


@pytest.mark.parametrize(
    ("spacing", "span", "expected"),
    [
        (SECOND, 20 * SECOND, SECOND),
        (SECOND, 99 * MINUTE, SECOND),
        (SECOND, 100 * MINUTE, MINUTE),
        (MINUTE, 50 * MINUTE, MINUTE),
        (MINUTE, 31 * DAY, HOUR),
        (HOUR, 300 * DAY, DAY),
        (7 * DAY, 700 * DAY, 7 * DAY),
    ],
)
def test_sampling_interval_follows_the_frame(spacing: int, span: int, expected: int) -> None:
    assert est.sampling_interval(np.arange(0, span + 1, spacing, dtype=np.int64)) == expected


def test_nothing_is_divided_by_zero() -> None:
    flat, rising = np.zeros(50), np.full(50, 1e-7)
    for returns in (flat, rising, np.zeros(0), np.zeros(1)):
        assert est.sharpe(returns, 365.0) is None
        assert est.sharpe_adjusted(returns, 365.0) is None
        assert est.lo_error(returns, 365.0) is None
        assert est.sortino(returns, 365.0) is None
        assert est.needed_samples(returns) is None
    assert est.cagr(0.0, DAY) is None
    assert est.cagr(1e9, SECOND) is None
    assert est.drawdowns(np.array([0.0, 0.0, -1.0])).tolist() == [0.0, 0.0, 0.0]


def test_lo_error_of_independent_normal_returns_is_the_closed_form() -> None:
    returns = np.random.default_rng(1).normal(0.05, 1.0, 200_000)
    ratio = returns.mean() / returns.std()
    assert est.lo_error(returns, 1.0) == pytest.approx(((1 + ratio**2 / 2) / len(returns)) ** 0.5, rel=0.03)


def test_autocorrelation_widens_the_error_and_shrinks_the_adjusted_ratio() -> None:
    noise = np.random.default_rng(2).normal(0.0, 1.0, 20_001)
    trending = noise[1:] + 0.9 * noise[:-1] + 0.02
    independent = (1.0 / trending.size) ** 0.5
    assert est.lo_error(trending, 1.0) > 1.2 * independent
    assert abs(est.sharpe_adjusted(trending, 1.0)) < 0.85 * abs(est.sharpe(trending, 1.0))


def test_bootstrap_is_seeded_and_covers_as_it_claims() -> None:
    hits = 0
    for seed in range(60):
        returns = np.random.default_rng(seed).normal(0.1, 1.0, 300)
        bounds = est.Intervals(returns, 1.0, np.random.default_rng(0)).sharpe
        hits += bounds.low <= 0.1 <= bounds.high
    assert 50 <= hits <= 60
    same = [est.Intervals(returns_of(1), PER_YEAR, np.random.default_rng(5)).sortino for _ in range(2)]
    assert (same[0].low, same[0].high) == (same[1].low, same[1].high)


def test_stationary_bootstrap_keeps_blocks_of_the_stated_mean_length() -> None:
    n = 1000
    index = est.resample(n, 400, np.random.default_rng(3))
    follows = ((index[:, 1:] - index[:, :-1]) % n == 1).mean()
    assert 1.0 / (1.0 - follows) == pytest.approx(est.block_length(n), rel=0.05)
    assert index.min() == 0
    assert index.max() == n - 1


def test_needed_samples_would_tell_the_ratio_from_zero() -> None:
    returns = np.random.default_rng(4).normal(0.05, 1.0, 400)
    needed = est.needed_samples(returns)
    error = est.lo_error(returns, 1.0) * (400 / needed) ** 0.5
    assert abs(est.sharpe(returns, 1.0)) / error == pytest.approx(est.Z, rel=0.01)
