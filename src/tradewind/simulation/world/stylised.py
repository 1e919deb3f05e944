"""Stylised facts of a market's rows, to set a world beside a recording.

The facts are those of Cont (Quantitative Finance 1, 2001) that fit minutes: returns without memory, their size with
memory, fat tails; signs of trades that remember, arrivals that cluster; spread, depth by level, and volatility by the
interval it is measured on. Prices are mids at message ends by `ts_local`; from QUOTE rows where the instrument has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradewind.domain.codes import DEPTH, FIRST, LAST, QUOTE, SELL, SNAPSHOT, TRADE
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.kernel.jit import entry

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]

PROFILE = 20  # levels a side
_DEEPEST = 16_384  # levels a side held while rebuilding a book; the farthest are forgotten
_YEAR_S = 365.0 * 86_400.0
_LAGS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)
_INTERVALS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300)


@entry
def _rebuild(rows: Any, instrument: int, levels: Any, counts: Any, touches: Any, profile: Any) -> int:
    """Rebuild one book; touches (n, 5): ts_local, bid, its quantity, ask, its quantity, one line a message; how many lines.

    levels, counts: zeroed room, shapes (2, 2, levels) for prices and quantities of both sides, and (2,).
    """
    prices, quantities = levels[0], levels[1]
    n = 0
    for r in range(rows.size):
        row = rows[r]
        if row.instrument != instrument or row.kind != DEPTH:
            continue
        side, price, quantity = int(row.side), row.price, row.quantity
        if row.marks & SNAPSHOT and row.marks & FIRST:
            counts[0], counts[1] = 0, 0
        sign = 1 if side == SELL else -1
        k, high = 0, counts[side]
        while k < high:
            half = (k + high) >> 1
            if sign * prices[side, half] < sign * price:
                k = half + 1
            else:
                high = half
        found = k < counts[side] and prices[side, k] == price
        if quantity == 0 and found:
            for j in range(k, counts[side] - 1):
                prices[side, j], quantities[side, j] = prices[side, j + 1], quantities[side, j + 1]
            counts[side] -= 1
        elif quantity != 0 and k < prices.shape[1]:
            if not found:
                counts[side] = min(counts[side] + 1, prices.shape[1])
                for j in range(counts[side] - 1, k, -1):
                    prices[side, j], quantities[side, j] = prices[side, j - 1], quantities[side, j - 1]
            prices[side, k], quantities[side, k] = price, quantity
        if row.marks & LAST and counts[0] > 0 and counts[1] > 0:
            touches[n, 0] = row.ts_local
            touches[n, 1], touches[n, 2], touches[n, 3], touches[n, 4] = (
                prices[0, 0],
                quantities[0, 0],
                prices[1, 0],
                quantities[1, 0],
            )
            n += 1
            for both in range(2):
                for level in range(min(counts[both], profile.size)):
                    profile[level] += quantities[both, level]
    return n


def touches(rows: Rows, instrument: int) -> tuple[NDArray[np.int64], Floats]:
    """Best quotes, shape (n, 5): ts_local, bid, its quantity, ask, its quantity; and mean quantity by level, shape (20,)."""
    messages = int(np.count_nonzero((rows["instrument"] == instrument) & (rows["kind"] == DEPTH) & (rows["marks"] & LAST != 0)))
    found, profile = np.zeros((messages, 5), np.int64), np.zeros(PROFILE)
    n = _rebuild(rows, instrument, np.zeros((2, 2, _DEEPEST), np.int64), np.zeros(2, np.int64), found, profile)
    quotes = rows[(rows["instrument"] == instrument) & (rows["kind"] == QUOTE)]
    depth = found[:n]
    if quotes.size >= 2:
        bids, asks = quotes[quotes["marks"] & FIRST != 0], quotes[quotes["marks"] & LAST != 0]
        columns = (asks["ts_local"], bids["price"], bids["quantity"], asks["price"], asks["quantity"])
        return np.stack(columns, axis=1).astype(np.int64), profile / max(2 * n, 1)
    return depth, profile / max(2 * n, 1)


def on_grid(best: NDArray[np.int64], step_ns: int) -> Floats:
    """Log mids sampled every `step_ns`, the last one known."""
    grid = np.arange(best[0, 0], best[-1, 0] + 1, step_ns)
    k = np.searchsorted(best[:, 0], grid, side="right") - 1
    mids: Floats = np.log((best[k, 1] + best[k, 3]) / 2.0)
    return mids


def autocorrelation(x: Floats, lag: int) -> float:
    """Pearson correlation of x with itself `lag` later; NaN where it is not defined."""
    if x.size <= lag + 2 or x[:-lag].std() == 0.0 or x[lag:].std() == 0.0:
        return float("nan")
    return float(np.corrcoef(x[:-lag], x[lag:])[0, 1])


def orders_of(rows: Rows, instrument: int) -> tuple[NDArray[np.int64], Floats]:
    """Market orders told from prints: one venue millisecond and side is one order. Times (ns, venue's or ours) and signs."""
    prints = rows[(rows["instrument"] == instrument) & (rows["kind"] == TRADE)]
    times = np.where(prints["ts_venue"] != 0, prints["ts_venue"], prints["ts_local"]) // 1_000_000 * 1_000_000
    signs = np.where(prints["side"] == SELL, -1.0, 1.0)
    new = np.ones(prints.size, bool)
    new[1:] = (np.diff(times) != 0) | (np.diff(signs) != 0)
    return times[new], signs[new]


def facts(rows: Rows, instruments: list[Instrument], tape: str) -> pl.DataFrame:
    """One line a fact: columns tape, instrument, fact, value. Instruments without two quotes a minute apart are left out."""
    import polars as pl

    lines: list[dict[str, Any]] = []
    for k, instrument in enumerate(instruments):
        best, profile = touches(rows, k)
        if best.shape[0] > 2 and best[-1, 0] - best[0, 0] >= 60_000_000_000:
            found = _facts(rows, k, instrument, best, profile)
            lines += [
                {"tape": tape, "instrument": instrument.name, "fact": name, "value": float(value)} for name, value in found.items()
            ]
    return pl.DataFrame(lines, schema={"tape": pl.String, "instrument": pl.String, "fact": pl.String, "value": pl.Float64})


def _facts(rows: Rows, k: int, instrument: Instrument, best: NDArray[np.int64], profile: Floats) -> dict[str, float]:
    mine = rows[rows["instrument"] == k]
    seconds = (best[-1, 0] - best[0, 0]) / 1e9
    mids = (best[:, 1] + best[:, 3]) / 2.0
    usd = 10.0 ** -(instrument.price_exponent + instrument.quantity_exponent)
    spreads, per_second = (best[:, 3] - best[:, 1]) / mids * 1e4, np.diff(on_grid(best, 1_000_000_000))
    weights = np.diff(best[:, 0], append=best[-1, 0]).astype(float)
    times, signs = orders_of(rows, k)
    waits = np.diff(np.unique(times))
    prints = mine[mine["kind"] == TRADE]
    cost = prints["price"] * prints["quantity"].astype(float) * usd
    depth = mine[mine["kind"] == DEPTH]
    starts = np.flatnonzero(depth["marks"] & FIRST)
    lengths = np.diff(np.append(starts, depth.size))
    out = {
        "messages_per_s": np.count_nonzero(mine["marks"] & LAST) / seconds,
        "rows_per_depth_message": float(np.median(lengths)) if lengths.size else 0.0,
        "prints_per_min": prints.size / seconds * 60.0,
        "orders_per_min": times.size / seconds * 60.0,
        "order_value_median": float(np.median(cost)) if cost.size else 0.0,
        "order_value_p95": float(np.quantile(cost, 0.95)) if cost.size else 0.0,
        "spread_bp_mean": float(np.average(spreads, weights=weights)),
        "spread_bp_median": float(np.median(spreads)),
        "spread_bp_p95": float(np.quantile(spreads, 0.95)),
        "touch_value_median": float(np.median((best[:, 2] * mids + best[:, 4] * mids) / 2.0) * usd),
        "tenth_level_value": float(profile[9] * mids.mean() * usd),
        "mid_changes_per_s": np.count_nonzero(np.diff(mids)) / seconds,
        "kurtosis_1s": _kurtosis(per_second),
        "return_acf_1s": autocorrelation(per_second, 1),
        "wait_variation": float(waits.std() / waits.mean()) if waits.size > 2 else float("nan"),
    }
    for lag in (1, 5, 30):
        out[f"size_acf_{lag}s"] = autocorrelation(np.abs(per_second), lag)
    for lag in (1, 10, 50):
        out[f"sign_acf_{lag}"] = autocorrelation(signs, lag)
    for interval in (1, 10, 60):
        out[f"volatility_{interval}s"] = _volatility(best, interval)
    return out


def _kurtosis(x: Floats) -> float:
    deviation = x - x.mean()
    square = float((deviation * deviation).mean())
    return float((deviation**4).mean()) / (square * square) if square > 0.0 else float("nan")


def _volatility(best: NDArray[np.int64], interval_s: int) -> float:
    moves = on_grid(best, 1_000_000_000)
    if moves.size <= 2 * interval_s:
        return float("nan")
    steps = moves[interval_s:] - moves[:-interval_s]
    return float(np.sqrt((steps * steps).mean() / interval_s * _YEAR_S))


def curves(rows: Rows, instruments: list[Instrument], tape: str, names: list[str] | None = None) -> pl.DataFrame:
    """The facts that are curves: columns tape, instrument, curve, x, y; of the instruments named, else of all."""
    import polars as pl

    lines: list[tuple[str, str, str, float, float]] = []
    for k, instrument in enumerate(instruments):
        if names is not None and instrument.name not in names:
            continue
        best, profile = touches(rows, k)
        if best.shape[0] < 3:
            continue
        for curve, points in _curves(rows, k, instrument, best, profile).items():
            lines += [(tape, instrument.name, curve, float(x), float(y)) for x, y in points if np.isfinite(y)]
    columns = {"tape": pl.String, "instrument": pl.String, "curve": pl.String, "x": pl.Float64, "y": pl.Float64}
    return pl.DataFrame(lines, schema=columns, orient="row")


Points = list[tuple[float, float]]


def _curves(rows: Rows, k: int, instrument: Instrument, best: NDArray[np.int64], profile: Floats) -> dict[str, Points]:
    per_second = np.diff(on_grid(best, 1_000_000_000))
    times, signs = orders_of(rows, k)
    waits: Floats = np.diff(np.unique(times)).astype(np.float64) / 1e9
    spread = (best[:, 3] - best[:, 1]) / (best[:, 3] + best[:, 1]) * 2e4
    scale = 10.0 ** -(instrument.price_exponent + instrument.quantity_exponent) * float(best[:, 1].mean())
    return {
        "return autocorrelation, lag s": [(lag, autocorrelation(per_second, lag)) for lag in _LAGS],
        "|return| autocorrelation, lag s": [(lag, autocorrelation(np.abs(per_second), lag)) for lag in _LAGS],
        "trade sign autocorrelation, lag orders": [(lag, autocorrelation(signs, lag)) for lag in _LAGS],
        "volatility by interval s, annualised": [(s, _volatility(best, s)) for s in _INTERVALS_S],
        "P(|return| > x deviations), 1 s": _tail(np.abs(per_second) / max(float(per_second.std()), 1e-300)),
        "P(wait > x s) between orders": _tail(waits),
        "P(spread > x bp)": _tail(spread),
        "mean value by level, quote units": [
            (level + 1, profile[level] * scale) for level in range(PROFILE) if profile[level] > 0.0
        ],
    }


def _tail(x: Floats) -> Points:
    """Up to 60 points of the complementary distribution function, evenly spread in log probability."""
    if x.size < 10:
        return []
    ordered = np.sort(x)
    shares = np.geomspace(1.0, 2.0 / x.size, 60)
    return [(float(ordered[min(int((1.0 - p) * x.size), x.size - 1)]), float(p)) for p in shares]


_PALETTE = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f")


def figure(frame: pl.DataFrame) -> dict[str, Any]:
    """The curves of one or more tapes, side by side, as a plotly figure in plain form.

    `plotly.io.to_html` and `write_html` take it as it is; the floor imports no chart.
    """
    names = frame["curve"].unique(maintain_order=True).to_list()
    tapes = frame.select("tape", "instrument").unique(maintain_order=True).rows()
    lines = (len(names) + 1) // 2
    shape: dict[str, Any] = {"title": {"text": "Stylised facts"}, "height": 340 * lines, "annotations": [], "hovermode": "closest"}
    traces = []
    for n, curve in enumerate(names):
        suffix = str(n + 1) if n else ""
        left, low = 0.54 * (n % 2), 1.0 - (n // 2 + 0.78) / lines
        kind = "log" if curve.startswith("P(") else "linear"
        shape["xaxis" + suffix] = {"domain": [left, left + 0.46], "anchor": "y" + suffix, "type": kind}
        shape["yaxis" + suffix] = {"domain": [low, low + 0.7 / lines], "anchor": "x" + suffix, "type": kind}
        place = {"x": left, "y": low + 0.74 / lines, "xref": "paper", "yref": "paper", "xanchor": "left"}
        shape["annotations"].append(place | {"text": curve, "showarrow": False})
        for t, (tape, instrument) in enumerate(tapes):
            part = frame.filter((frame["curve"] == curve) & (frame["tape"] == tape) & (frame["instrument"] == instrument))
            trace: dict[str, Any] = {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"{tape} {instrument}",
                "legendgroup": str(t),
            }
            trace |= {"x": part["x"].to_list(), "y": part["y"].to_list(), "xaxis": "x" + suffix, "yaxis": "y" + suffix}
            traces.append(trace | {"showlegend": n == 0, "line": {"color": _PALETTE[t % len(_PALETTE)]}})
    return {"data": traces, "layout": shape}
