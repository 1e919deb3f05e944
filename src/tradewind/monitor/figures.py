"""What a statistics table holds, as values: figures with units, intervals and reasons, and warnings."""

from __future__ import annotations

import msgspec

from ..domain import codes
from ..domain.codes import DAY

ANNUAL_SPAN_NS = 30 * DAY  # a shorter run says nothing of a year
FEW_SAMPLES = 30
FEW_TRADES = 30


class Figure(msgspec.Struct, frozen=True, omit_defaults=True):
    """A number for people: `note` says how it was made, or, where `value` is None, why it does not exist.

    unit: ratio, money, number, times (of capital), bps, ns, count. low, high: LEVEL interval. error: standard error.
    """

    value: float | None
    unit: str
    note: str = ""
    low: float | None = None
    high: float | None = None
    error: float | None = None


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of the whole run or of one strategy, in the order in which a table shows them."""

    pnl: Figure
    total_return: Figure
    buy_and_hold: Figure
    cagr: Figure
    volatility: Figure
    sharpe: Figure
    sharpe_adjusted: Figure
    sortino: Figure
    max_drawdown: Figure
    under_water: Figure
    calmar: Figure
    exposure_mean: Figure
    exposure_max: Figure
    time_in_market: Figure
    traded: Figure
    turnover: Figure
    gross_edge: Figure
    fees: Figure
    fees_bps: Figure
    slippage: Figure
    slippage_bps: Figure
    orders: Figure
    fills: Figure
    maker_share: Figure
    trades: Figure
    hit_rate: Figure
    profit_factor: Figure
    trade_mean: Figure
    holding: Figure


class Caution(msgspec.Struct, frozen=True):
    """One warning: `level` is `serious` where the headline must not be believed as it stands, else `note`."""

    level: str
    text: str


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the whole and of each strategy by name, the sampling behind them, and what to beware of."""

    currency: str
    interval_ns: int  # 0 where there was nothing to sample
    samples: int
    span_ns: int
    sampling: str
    whole: Performance
    strategies: dict[str, Performance]
    holdings: float | None = None  # profit of the whole that is no strategy's: what opening balances gained by themselves
    cautions: tuple[Caution, ...]


def duration(ns: float) -> str:
    """A duration in its largest fitting unit, for sentences."""
    for unit, name in (
        (2 * 365 * DAY, "year"),
        (DAY, "day"),
        (codes.HOUR, "hour"),
        (codes.MINUTE, "minute"),
        (codes.SECOND, "second"),
    ):
        if ns >= unit:
            count = ns / (365 * DAY if name == "year" else unit)
            text = f"{count:,.0f}" if count >= 20 or count == int(count) else f"{count:.1f}"
            return f"{text} {name}{'' if text == '1' else 's'}"
    return f"{ns / codes.MILLISECOND:.1f} ms"
