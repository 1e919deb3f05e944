"""Numbers, durations and times as people read them, and the rows of a statistics table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from ..domain import codes
from ..domain.codes import DAY, HOUR, MINUTE, SECOND
from .figures import Figure, Performance

NO_VALUE = "–"
MINUS = "\u2212"

STATE_NAMES = {
    codes.UNAVAILABLE: "unavailable",
    codes.SYNCED: "synced",
    codes.GAP: "gap",
    codes.BACKFILLING: "back-filling",
    codes.STALE: "stale",
    codes.INVALID: "invalid",
}
"""Names of stream states; `state_name` covers codes of later releases."""


class Row(msgspec.Struct, frozen=True):
    """One line of a statistics table: the field of `Performance`, its title, and the group it opens, if any."""

    field: str
    title: str
    group: str = ""


ROWS = (
    Row("pnl", "Profit and loss", "Result"),
    Row("total_return", "Return"),
    Row("buy_and_hold", "Buy and hold of the same capital"),
    Row("cagr", "Return a year, compounded"),
    Row("volatility", "Volatility", "Risk"),
    Row("sharpe", "Sharpe ratio"),
    Row("sharpe_adjusted", "Sharpe ratio, adjusted"),
    Row("sortino", "Sortino ratio"),
    Row("max_drawdown", "Deepest drawdown"),
    Row("under_water", "Longest time under water"),
    Row("calmar", "Calmar ratio"),
    Row("exposure_mean", "Exposure, mean", "Exposure"),
    Row("exposure_max", "Exposure, most"),
    Row("time_in_market", "Time in the market"),
    Row("traded", "Traded", "Cost"),
    Row("turnover", "Turnover"),
    Row("gross_edge", "Gross edge"),
    Row("fees", "Fees"),
    Row("fees_bps", "Fees, relative"),
    Row("slippage", "Slippage"),
    Row("slippage_bps", "Slippage, relative"),
    Row("orders", "Orders", "Trading"),
    Row("fills", "Fills"),
    Row("maker_share", "Maker share"),
    Row("trades", "Closed trades"),
    Row("hit_rate", "Hit rate"),
    Row("profit_factor", "Profit factor"),
    Row("trade_mean", "Profit per trade, mean"),
    Row("holding", "Holding time, mean"),
)


_SCALES = (("d", DAY, "h", HOUR), ("h", HOUR, "min", MINUTE), ("min", MINUTE, "s", SECOND))


def rows(performance: Performance) -> Iterator[tuple[Row, Figure]]:
    """The table's lines with their figures, in order."""
    for row in ROWS:
        yield row, getattr(performance, row.field)


def shown(figure: Figure, currency: str) -> str:
    """The value with its unit, or a dash."""
    return NO_VALUE if figure.value is None else quantity(figure.value, figure.unit, currency)


def interval(figure: Figure, currency: str) -> str:
    """`low to high`, or nothing where the figure has no interval."""
    if figure.low is None or figure.high is None:
        return ""
    low, high = (quantity(x, figure.unit, currency) for x in (figure.low, figure.high))
    return f"{low} to {high}"


def quantity(value: float, unit: str, currency: str = "") -> str:
    """A value in one of the units of `Figure`, for people."""
    if unit == "ratio":
        return percent(value)
    if unit == "money":
        return money(value, currency)
    if unit == "ns":
        return span(value)
    if unit == "count":
        return f"{value:,.0f}"
    return signed(f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}") + {"bps": " bps", "times": " ×"}.get(unit, "")


def signed(text: str) -> str:
    """The same number with a true minus sign, and none before a zero."""
    if text[:1] != "-":
        return text
    return MINUS + text[1:] if text.strip("-0.,%") else text[1:]


def percent(ratio: float) -> str:
    """A ratio in percent, with more decimals where it is small."""
    size = abs(ratio) * 100
    decimals = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 0.1 or size == 0 else 3 if size >= 0.01 else 4
    return signed(f"{ratio * 100:,.{decimals}f}") + " %"


def share(part: float, whole: float) -> str:
    """A part of a count in percent, where a part that exists is never shown as nothing."""
    ratio = part / whole
    return "< 0.1 %" if 0 < ratio < 0.0005 else f"{ratio * 100:.1f} %"


def money(value: float, currency: str = "") -> str:
    """An amount with its currency: decimals while they matter, millions past ten of them."""
    size = abs(value)
    if size >= 1e7:
        text = f"{value / 1e6:,.1f} M" if size < 1e10 else f"{value / 1e9:,.1f} bn"
    else:
        text = f"{value:,.0f}" if size >= 1e5 else f"{value:,.2f}" if size >= 0.01 or size == 0 else f"{value:.2g}"
    return signed(text) + (f" {currency}" if currency else "")


def span(ns: float) -> str:
    """A duration in its two largest units."""
    if ns < MINUTE:
        return f"{ns / SECOND:.1f} s" if ns >= SECOND else f"{ns / codes.MILLISECOND:.1f} ms" if ns else "0 s"
    name, big, lesser, small = next(scale for scale in _SCALES if ns >= scale[1])
    first, second = divmod(round(ns / small), big // small)
    return f"{first:,} {name}" + (f" {second} {lesser}" if second and first < 100 else "")


def moment(ts_ns: int) -> str:
    """A time as `2024-08-05 14:03:07 UTC`, cut to the second."""
    return datetime.fromtimestamp(ts_ns // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def state_name(code: int) -> str:
    """The name of a stream's state."""
    return STATE_NAMES.get(code, f"state {code}")
