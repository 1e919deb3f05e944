"""The statistics of a run: each a figure with its unit, its interval where it has one, and a reason where it has no value.

`statistics(record)` measures the whole run and each strategy alike. Conventions, also printed under the table: markets
trade 365 × 24 h; returns are simple, of equal intervals, on the given capital; the riskless rate is 0; intervals are
95 % of a stationary bootstrap with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import polars as pl

from . import estimators as est
from .cautions import cautions
from .estimators import Floats, Ints
from .figures import ANNUAL_SPAN_NS, FEW_SAMPLES, Figure, Performance, Statistics, duration
from .record import EXPOSURE, PNL, RunRecord
from .tally import Tally, tallies

SEED = 20240805


class _Course(msgspec.Struct, frozen=True):
    """What is measured: a curve of money and what was done to get it."""

    ts_ns: Ints
    curve: Floats
    exposure: Floats | None
    tally: Tally
    interval_ns: int
    returns: Floats | str  # of equal intervals, or why there are none
    bounds: est.Intervals | None  # None where there are too few returns


def statistics(record: RunRecord) -> Statistics:
    """Measures the run; the same record gives the same figures, bit for bit."""
    ts = record.equity["ts_ns"].to_numpy()
    interval = est.sampling_interval(ts) if len(ts) > 2 else 0
    held = buy_and_hold(record)
    sums = tallies(record)
    course = _course(record, None, interval, sums[None])
    whole = _perform(record, course, held)
    samples = 0 if isinstance(course.returns, str) else len(course.returns)
    strategies = {name: _perform(record, _course(record, name, interval, sums[name]), held) for name in record.strategies}
    return Statistics(
        currency=record.currency,
        interval_ns=interval,
        samples=samples,
        span_ns=record.span_ns,
        sampling=_sampling(course),
        whole=whole,
        strategies=strategies,
        holdings=_holdings(whole, strategies),
        cautions=tuple(cautions(record, whole, course.returns, interval)),
    )


def _holdings(whole: Performance, strategies: Mapping[str, Performance]) -> float | None:
    parts = [part.pnl.value for part in strategies.values()]
    if whole.pnl.value is None or not parts or None in parts:
        return None
    return whole.pnl.value - sum(part for part in parts if part is not None)


def to_builtins(measured: Statistics) -> dict[str, Any]:
    """The statistics as plain JSON-ready values."""
    plain: dict[str, Any] = msgspec.to_builtins(measured)
    return plain


def buy_and_hold(record: RunRecord) -> Floats | None:
    """What the same capital, split equally over the instruments at their first prices, was worth at each equity row.

    Over the instruments that were traded, or all with a price where none was. None where there is no price.
    """
    traded = list(record.fill_counts)
    prices = record.prices.filter(pl.col("instrument").is_in(traded)) if traded else record.prices
    ts = record.equity["ts_ns"].to_numpy()
    curves = []
    for _, part in prices.group_by(["instrument"], maintain_order=True):
        mid = part["mid"].to_numpy() * (part["rate"].to_numpy() if "rate" in part.columns else 1.0)
        good = np.isfinite(mid) & (mid > 0.0)
        if good.any():
            at = np.searchsorted(part["ts_ns"].to_numpy()[good], ts, side="right") - 1
            curves.append(mid[good][np.maximum(at, 0)] / mid[good][0])
    if not curves or not len(ts):
        return None
    curve: Floats = record.capital * np.mean(curves, axis=0)
    return curve


def _sampling(course: _Course) -> str:
    if isinstance(course.returns, str):
        return course.returns
    length, yearly = duration(course.interval_ns), est.YEAR_NS / course.interval_ns
    return f"{len(course.returns):,} returns of {length} each, annualised by the square root of {yearly:,.0f} (365 × 24 h a year)"


def _course(record: RunRecord, strategy: str | None, interval: int, tally: Tally) -> _Course:
    frame = record.equity
    curve, exposure = frame["equity"].to_numpy(), EXPOSURE[:-1]
    if strategy is not None:
        pnl = frame[PNL + strategy].to_numpy() if PNL + strategy in frame.columns else np.zeros(0)
        curve, exposure = record.capital + pnl, EXPOSURE + strategy
    held = frame[exposure].cast(pl.Float64).to_numpy() if exposure in frame.columns else None
    ts = frame["ts_ns"].to_numpy()[: len(curve)]
    returns = _returns(ts, curve, interval)
    bounds = None
    if not isinstance(returns, str) and len(returns) >= FEW_SAMPLES and not est.is_flat(returns):
        bounds = est.Intervals(returns, est.YEAR_NS / interval, np.random.default_rng(SEED))
    return _Course(ts, curve, held, tally, interval, returns, bounds)


def _returns(ts: Ints, curve: Floats, interval: int) -> Floats | str:
    if not len(curve):
        return "no equity curve was recorded"
    if not interval:
        return "too few equity rows"
    points = est.sampled(ts, curve, interval)
    if (points <= 0.0).any():
        return "equity fell to zero or below, after which a return has no meaning"
    returns: Floats = points[1:] / points[:-1] - 1.0
    return returns if len(returns) >= 2 else "fewer than two sampling intervals"


def _perform(record: RunRecord, course: _Course, held: Floats | None) -> Performance:
    return Performance(
        **_growth(record, course, held), **_risk(record, course), **_exposure(course), **_costs(record, course), **_deals(course)
    )


def _growth(record: RunRecord, course: _Course, held: Floats | None) -> dict[str, Figure]:
    if not len(course.curve):
        nothing = "no equity curve was recorded"
        names = {"pnl": "money", "total_return": "ratio", "buy_and_hold": "ratio", "cagr": "ratio"}
        return {name: Figure(None, unit, nothing) for name, unit in names.items()}
    capital, span = record.capital, record.span_ns
    pnl = float(course.curve[-1]) - capital
    yearly: float | None = None
    if span < ANNUAL_SPAN_NS:
        why = f"a run of {duration(span)} says nothing of a year; {duration(ANNUAL_SPAN_NS)} at least"
    else:
        yearly = est.cagr(1.0 + pnl / capital, span)
        why = "" if yearly is not None else "equity ended at zero or below" if pnl <= -capital else "beyond any meaning"
    low, high = (course.bounds.total_return.low, course.bounds.total_return.high) if course.bounds else (None, None)
    hold = Figure(None, "ratio", "no reference prices") if held is None else Figure(float(held[-1]) / capital - 1.0, "ratio")
    return {
        "pnl": Figure(pnl, "money", f"from {capital:,.2f}, net of fees, open positions at the last price"),
        "total_return": Figure(pnl / capital, "ratio", "on the given capital", low, high),
        "buy_and_hold": hold,
        "cagr": Figure(yearly, "ratio", why),
    }


def _risk(record: RunRecord, course: _Course) -> dict[str, Figure]:
    figures = _ratios(course)
    units = {"max_drawdown": "ratio", "under_water": "ns", "calmar": "number"}
    if not len(course.curve):
        return figures | {name: Figure(None, unit, "no equity curve was recorded") for name, unit in units.items()}
    # The capital itself is the first peak, even where the first row is already below it.
    ts, curve = np.append(course.ts_ns[:1], course.ts_ns), np.append(record.capital, course.curve)
    depth = float(est.drawdowns(curve).min())
    length, recovered = est.under_water(ts, curve)
    yearly = est.cagr(float(curve[-1]) / record.capital, record.span_ns) if record.span_ns >= ANNUAL_SPAN_NS else None
    calmar = Figure(None, "number", "no drawdown") if depth == 0.0 else Figure(None, "number", "needs a yearly return")
    if yearly is not None and depth < 0.0:
        calmar = Figure(yearly / -depth, "number")
    return figures | {
        "max_drawdown": Figure(depth, "ratio", "from the highest equity so far"),
        "under_water": Figure(float(length), "ns", "" if recovered else "not recovered at the end"),
        "calmar": calmar,
    }


def _ratios(course: _Course) -> dict[str, Figure]:
    returns, bounds = course.returns, course.bounds
    if isinstance(returns, str):
        return _without_ratios(returns)
    if len(returns) < FEW_SAMPLES:
        return _without_ratios(f"only {len(returns)} intervals of {duration(course.interval_ns)}; {FEW_SAMPLES} at least")
    if bounds is None:
        return _without_ratios("equity moved at one constant rate or not at all")
    per_year = est.YEAR_NS / course.interval_ns
    error, down = est.lo_error(returns, per_year), est.sortino(returns, per_year)
    lags = est.lag_window(len(returns))
    falling = Figure(None, "number", "no losing interval")
    if down is not None:
        falling = Figure(down, "number", "bootstrap interval", bounds.sortino.low, bounds.sortino.high)
    note = f"bootstrap interval; Lo's standard error {error:.2f}" if error is not None else "bootstrap interval"
    return {
        "volatility": Figure(est.volatility(returns, per_year), "ratio", "a year", bounds.volatility.low, bounds.volatility.high),
        "sharpe": Figure(est.sharpe(returns, per_year), "number", note, bounds.sharpe.low, bounds.sharpe.high, error),
        "sharpe_adjusted": Figure(
            est.sharpe_adjusted(returns, per_year), "number", f"autocorrelation over {lags} lags taken out (Lo 2002)"
        ),
        "sortino": falling,
    }


def _without_ratios(why: str) -> dict[str, Figure]:
    units = {"volatility": "ratio", "sharpe": "number", "sharpe_adjusted": "number", "sortino": "number"}
    return {name: Figure(None, unit, why) for name, unit in units.items()}


def _exposure(course: _Course) -> dict[str, Figure]:
    names = ("exposure_mean", "exposure_max", "time_in_market")
    if course.exposure is None or len(course.ts_ns) < 2:
        return {name: Figure(None, "ratio", "exposure was not recorded") for name in names}
    if (course.curve <= 0.0).any():
        return {name: Figure(None, "ratio", "equity fell to zero or below") for name in names}
    share, lasted = course.exposure / course.curve, np.diff(course.ts_ns).astype(np.float64)
    mean, within = (float((x[:-1] * lasted).sum() / lasted.sum()) for x in (share, (course.exposure > 0.0).astype(np.float64)))
    return {
        "exposure_mean": Figure(mean, "ratio", "gross notional over equity, weighted by time"),
        "exposure_max": Figure(float(share.max()), "ratio"),
        "time_in_market": Figure(within, "ratio"),
    }


def _costs(record: RunRecord, course: _Course) -> dict[str, Figure]:
    traded, fee, slipped = course.tally.traded, course.tally.fees, course.tally.slipped
    pnl = float(course.curve[-1]) - record.capital if len(course.curve) else None
    edge = (
        Figure(None, "money", "no equity curve was recorded")
        if pnl is None
        else Figure(pnl + fee + slipped, "money", "before fees and slippage")
    )
    figures = {
        "traded": Figure(traded, "money"),
        "turnover": Figure(traded / record.capital, "times", "of the capital, both sides"),
        "gross_edge": edge,
        "fees": Figure(fee, "money", "rebates taken off" if course.tally.rebates else ""),
        "slippage": Figure(slipped, "money", "against the mid at decision; negative was earned"),
    }
    for name, amount in (("fees_bps", fee), ("slippage_bps", slipped)):
        figures[name] = (
            Figure(amount / traded * 1e4, "bps", "of what was traded")
            if traded > 0.0
            else Figure(None, "bps", "nothing was traded")
        )
    return figures


def _deals(course: _Course) -> dict[str, Figure]:
    tally = course.tally
    figures = {
        "orders": Figure(float(tally.orders), "count"),
        "fills": Figure(float(tally.fills), "count"),
        "maker_share": Figure(min(tally.made / tally.traded, 1.0), "ratio", "of what was traded")
        if tally.traded > 0.0
        else Figure(None, "ratio", "nothing was traded"),
        "trades": Figure(float(tally.trades), "count", "closing fills, first in, first out"),
    }
    if not tally.trades:
        units = {"hit_rate": "ratio", "profit_factor": "number", "trade_mean": "money", "holding": "ns"}
        return figures | {name: Figure(None, unit, "no trade was closed") for name, unit in units.items()}
    return figures | {
        "hit_rate": Figure(tally.winners / tally.trades, "ratio", "trades that won after fees"),
        "profit_factor": Figure(tally.won / tally.lost, "number", "won over lost, after fees")
        if tally.lost > 0.0
        else Figure(None, "number", "no losing trade"),
        "trade_mean": Figure(tally.profit / tally.trades, "money", "after fees"),
        "holding": Figure(tally.aged_ns / tally.trades, "ns"),
    }
