"""Estimators on plain arrays of returns. No NaN leaves here: a number that does not exist is None.

Returns are simple returns of equal intervals; `per_year` is how many such intervals a year of 365 × 24 h has.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..domain.codes import DAY, HOUR, MINUTE, SECOND

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

YEAR_NS = 365 * DAY
SAMPLINGS = (DAY, HOUR, MINUTE, SECOND)
ENOUGH = 100  # samples wanted before a coarser sampling is preferred
LEVEL = 0.95
Z = 1.959963984540054  # two-sided normal quantile of LEVEL
RESAMPLES = 2000
_CHUNK = 1 << 20  # resampled values held at once


def sampling_interval(ts_ns: Ints) -> int:
    """The coarsest of day, hour, minute, second that still gives ENOUGH samples and is no finer than the frame's rows.

    Where none gives enough, the finest that the rows can carry; their own median spacing where it is beyond a day.
    """
    spacing = int(np.median(np.diff(ts_ns)))
    span = int(ts_ns[-1] - ts_ns[0])
    carried = [interval for interval in SAMPLINGS if interval >= spacing]
    for interval in carried:
        if span // interval >= ENOUGH:
            return interval
    return carried[-1] if carried else spacing


def sampled(ts_ns: Ints, values: Floats, interval_ns: int) -> Floats:
    """The last known value at each multiple of the interval after the first row; an unfinished last interval is left out."""
    grid = np.arange(ts_ns[0], ts_ns[-1] + 1, interval_ns)
    picked: Floats = values[np.searchsorted(ts_ns, grid, side="right") - 1]
    return picked


def is_flat(returns: Floats) -> bool:
    """Whether the returns differ by no more than rounding, so that a ratio to their deviation means nothing."""
    return len(returns) < 2 or float(np.ptp(returns)) <= 1e-12 * max(1e-3, float(np.abs(returns).max()))


def volatility(returns: Floats, per_year: float) -> float | None:
    """Annualised sample standard deviation."""
    return None if len(returns) < 2 else float(returns.std(ddof=1)) * math.sqrt(per_year)


def sharpe(returns: Floats, per_year: float) -> float | None:
    """Annualised mean over standard deviation; riskless rate 0."""
    return None if is_flat(returns) else float(returns.mean() / returns.std(ddof=1)) * math.sqrt(per_year)


def sortino(returns: Floats, per_year: float) -> float | None:
    """Annualised mean over downside deviation (root mean square of the losses over all intervals); target 0."""
    downside = _downside(returns) if len(returns) else 0.0
    return None if downside == 0.0 else float(returns.mean()) / downside * math.sqrt(per_year)


def _downside(returns: Floats) -> float:
    losses = np.minimum(returns, 0.0)
    return math.sqrt(float(np.mean(losses * losses)))


def cagr(growth: float, span_ns: int) -> float | None:
    """The yearly rate that makes `growth` (end over start) in the span; None past what a float can say."""
    if growth <= 0.0 or span_ns <= 0:
        return None
    exponent = math.log(growth) * YEAR_NS / span_ns
    return math.expm1(exponent) if exponent < 700.0 else None


def drawdowns(curve: Floats) -> Floats:
    """Share lost from the highest value so far, 0 or negative."""
    peaks = np.maximum.accumulate(curve)
    shares: Floats = np.where(peaks > 0.0, curve / np.where(peaks > 0.0, peaks, 1.0) - 1.0, 0.0)
    return shares


def under_water(ts_ns: Ints, curve: Floats) -> tuple[int, bool]:
    """The longest time from a peak until it is reached again, in ns, and whether it was (else it lasts to the end)."""
    at_peak = np.flatnonzero(curve >= np.maximum.accumulate(curve))
    peaks = np.append(ts_ns[at_peak], ts_ns[-1])
    lengths = np.diff(peaks)
    # Two peaks in neighbouring rows have no water between them.
    lengths[:-1][np.diff(at_peak) == 1] = 0
    longest = int(lengths.argmax())
    return int(lengths[longest]), longest < len(lengths) - 1 or int(lengths[longest]) == 0


def lag_window(n: int) -> int:
    """Newey and West's (1994) rule of thumb for the Bartlett window: 4 (n/100)^(2/9)."""
    return min(n - 1, int(4.0 * (n / 100.0) ** (2.0 / 9.0)))


def long_run_variance(values: Floats) -> float:
    """Newey–West variance of the values' mean times n, with the Bartlett window of `lag_window`."""
    centred = values - values.mean()
    n, lags = len(values), lag_window(len(values))
    total: float = float(centred @ centred) / n
    for lag in range(1, lags + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * float(centred[lag:] @ centred[:-lag]) / n
    return total


def lo_error(returns: Floats, per_year: float) -> float | None:
    """Lo's standard error of the annualised Sharpe ratio, robust to autocorrelation and fat tails.

    Lo, The Statistics of Sharpe Ratios (2002), GMM estimator for non-IID returns, by the delta method on mean and
    variance with a Newey–West long-run variance. IID normal returns give sqrt((1 + SR²/2) / n).
    """
    if is_flat(returns):
        return None
    deviation = float(returns.std())
    z = (returns - returns.mean()) / deviation
    ratio = float(returns.mean()) / deviation
    influence = z - 0.5 * ratio * (z * z - 1.0)
    return math.sqrt(long_run_variance(influence) / len(returns) * per_year)


def sharpe_adjusted(returns: Floats, per_year: float) -> float | None:
    """The annualised Sharpe ratio with autocorrelation taken out of the square-root-of-time rule (Lo 2002, eta of q).

    The variance of a year is per_year times the long-run variance; autocorrelations beyond `lag_window` count as 0.
    """
    if is_flat(returns):
        return None
    variance = long_run_variance(returns) * len(returns) / (len(returns) - 1)
    return float(returns.mean()) / math.sqrt(variance) * math.sqrt(per_year) if variance > 0.0 else None


def needed_samples(returns: Floats) -> int | None:
    """How many such samples would tell this Sharpe ratio from 0 at LEVEL; None where it is 0 or does not exist."""
    error, ratio = lo_error(returns, 1.0), sharpe(returns, 1.0)
    if error is None or ratio is None or abs(ratio) < 1e-9:
        return None
    return math.ceil(len(returns) * (Z * error / ratio) ** 2)


def block_length(n: int) -> float:
    """Mean block of the stationary bootstrap: the cube root of n, the order that is optimal for a variance."""
    return max(1.0, math.cbrt(n))


def resample(n: int, draws: int, generator: np.random.Generator) -> Ints:
    """Indices of shape (draws, n) of the stationary bootstrap of Politis and Romano (1994), wrapped around."""
    fresh = generator.random((draws, n)) < 1.0 / block_length(n)
    fresh[:, 0] = True
    starts = generator.integers(0, n, (draws, n))
    places = np.arange(n)
    last = np.maximum.accumulate(np.where(fresh, places, 0), axis=1)
    wrapped: Ints = (np.take_along_axis(starts, last, axis=1) + places - last) % n
    return wrapped


class Interval:
    """The middle LEVEL of bootstrap values; `low` and `high` are None where too many of them do not exist."""

    __slots__ = ("high", "low")

    def __init__(self, values: Floats) -> None:
        finite = values[np.isfinite(values)]
        tail = 50.0 * (1.0 - LEVEL)
        self.low: float | None = None
        self.high: float | None = None
        if len(finite) >= 0.95 * len(values):
            self.low, self.high = (float(x) for x in np.percentile(finite, (tail, 100.0 - tail)))


class Intervals:
    """Bootstrap intervals of total return, volatility, Sharpe and Sortino from one set of resamples."""

    __slots__ = ("sharpe", "sortino", "total_return", "volatility")

    def __init__(self, returns: Floats, per_year: float, generator: np.random.Generator) -> None:
        n, scale = len(returns), math.sqrt(per_year)
        growth = np.log1p(np.maximum(returns, -1.0 + 1e-15))
        losses = np.minimum(returns, 0.0) ** 2
        columns = np.empty((4, RESAMPLES))
        step = max(1, _CHUNK // n)
        for first in range(0, RESAMPLES, step):
            place = slice(first, min(first + step, RESAMPLES))
            index = resample(n, place.stop - first, generator)
            drawn = returns[index]
            mean, deviation = drawn.mean(axis=1), drawn.std(axis=1, ddof=1)
            downside = np.sqrt(losses[index].mean(axis=1))
            columns[0, place] = np.expm1(np.minimum(growth[index].sum(axis=1), 700.0))
            columns[1, place] = deviation * scale
            columns[2, place] = scale * _ratio(mean, deviation)
            columns[3, place] = scale * _ratio(mean, downside)
        self.total_return, self.volatility, self.sharpe, self.sortino = (Interval(column) for column in columns)


def _ratio(above: Floats, below: Floats) -> Floats:
    """Elementwise quotient; infinity, which `Interval` leaves out, where the divisor is 0."""
    full = np.full(len(above), np.inf)
    np.divide(above, below, out=full, where=below > 0.0)
    return full
