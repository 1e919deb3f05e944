"""What the report draws, as plain plotly specifications. Colours are names of the page's CSS variables.

Venue and strategy names are escaped here: plotly reads its texts as a small HTML. A plot that has nothing to show is None.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..domain import codes
from ..domain.codes import BUY, MILLISECOND, SELL
from . import thin, words
from .estimators import drawdowns
from .figures import Statistics
from .parts import parts
from .record import EXPOSURE, PNL, RunRecord
from .trips import holdings

Plot = dict[str, Any]

POINTS = 6000  # of all lines of one plot together
MOST_FILLS = 6000  # markers of all price plots together
MOST_LINES = 8
MOST_INSTRUMENTS = 12
MONEY_TICKS = ",.6~g"
MOST_SPELLS = 1500  # bars of the stream plot beside the synced ones
STATE_COLOURS = {
    codes.UNAVAILABLE: "var(--ink-soft)",
    codes.SYNCED: "var(--synced)",
    codes.GAP: "var(--bad)",
    codes.BACKFILLING: "var(--s0)",
    codes.STALE: "var(--warn)",
    codes.INVALID: "var(--s3)",
}


def _ms(ts_ns: NDArray[np.int64]) -> list[int]:
    return [int(x) for x in ts_ns // MILLISECOND]


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [float(f"{x:.7g}") if np.isfinite(x) else None for x in values]


def _time(record: RunRecord) -> Plot:
    """A time axis from the first to the last equity row."""
    ts = record.equity["ts_ns"]
    return {"type": "date"} | ({"range": _ms(ts.to_numpy()[[0, -1]])} if len(ts) > 1 else {})


def _colour(index: int) -> str:
    return f"var(--s{index % 6})"


def _line(ts: NDArray[np.int64], values: NDArray[np.float64], name: str, lines: int, **style: Any) -> Plot:
    """A line over time, thinned to its share of POINTS."""
    picked = thin.extremes(values, max(60, POINTS // (4 * max(1, lines))))
    return {
        "type": "scatter", "mode": "lines", "name": escape(name), "x": _ms(ts[picked]), "y": _numbers(values[picked]),
        "line": {"width": 1.6} | style.pop("line", {}),
    } | style  # fmt: skip


def equity(record: RunRecord, held: NDArray[np.float64] | None) -> Plot | None:
    """Equity beside buy and hold, and its drawdown below."""
    ts, curve = record.equity["ts_ns"].to_numpy(), record.equity["equity"].to_numpy()
    if len(ts) < 2:
        return None
    data = []
    unit = f"%{{y:,.2f}} {escape(record.currency)}"
    if held is not None:
        style = {"color": "var(--ink-soft)", "width": 1.3, "dash": "dot"}
        data.append(_line(ts, held, "buy and hold", 3, hovertemplate=unit, line=style))
    lost = drawdowns(np.append(record.capital, curve))[1:]
    data.append(_line(ts, curve, "equity", 3, hovertemplate=unit, line={"color": "var(--accent)", "width": 2}))
    data.append(
        _line(
            ts, lost, "drawdown", 3, yaxis="y2", showlegend=False, hovertemplate="%{y:.2%}",
            line={"color": "var(--bad)", "width": 1.2}, fill="tozeroy", fillcolor="var(--bad-soft)",
        )
    )  # fmt: skip
    layout = {
        "xaxis": _time(record) | {"anchor": "y2"},
        "yaxis": {"domain": [0.36, 1], "title": {"text": escape(record.currency)}, "tickformat": MONEY_TICKS},
        "yaxis2": {"domain": [0, 0.28], "tickformat": ".2~%", "title": {"text": "drawdown"}, "rangemode": "tozero"},
    }
    return {"data": data, "layout": layout, "height": 460}


def contribution(record: RunRecord) -> Plot | None:
    """Net profit of each strategy, and of all, over time."""
    names = [name for name in record.strategies if PNL + name in record.equity.columns]
    ts = record.equity["ts_ns"].to_numpy()
    if not names or len(ts) < 2:
        return None
    unit = f"%{{y:,.2f}} {escape(record.currency)}"
    total = record.equity["equity"].to_numpy() - record.capital
    data = [_line(ts, total, "all", len(names) + 1, hovertemplate=unit, line={"color": "var(--ink)", "width": 2.2})]
    for i, name in enumerate(names[:MOST_LINES]):
        pnl = record.equity[PNL + name].to_numpy()
        data.append(_line(ts, pnl, name, len(names) + 1, hovertemplate=unit, line={"color": _colour(i)}))
    return {
        "data": data,
        "layout": {"xaxis": _time(record), "yaxis": {"title": {"text": escape(record.currency)}, "tickformat": MONEY_TICKS}},
        "height": 320,
    }


def prices(record: RunRecord) -> Iterator[tuple[str, Plot, str]]:
    """For each instrument its name, its price with our fills on it, and what was left out of the drawing."""
    names = record.instruments[:MOST_INSTRUMENTS]
    drawn = _drawn(record, {name: max(300, MOST_FILLS // len(names)) for name in names})
    for name in names:
        part = record.prices.filter(pl.col("instrument") == name)
        data = []
        if part.height:
            mid = _line(part["ts_ns"].to_numpy(), part["mid"].to_numpy(), "mid", 2, line={"color": "var(--ink-soft)", "width": 1.2})
            data.append(mid | {"hovertemplate": "mid %{y:,.8~g}<extra></extra>"})
        data += _markers(drawn[name], record.currency)
        shown, filled = drawn[name].height, record.fill_counts.get(name, 0)
        left_out = f"{shown:,} of {filled:,} fills are drawn, spread evenly." if shown < filled else ""
        layout = {"xaxis": _time(record), "yaxis": {"tickformat": ",.8~g"}, "hovermode": "closest"}
        yield name, {"data": data, "layout": layout, "height": 400}, left_out


def _drawn(record: RunRecord, most: dict[str, int]) -> dict[str, pl.DataFrame]:
    """By instrument, at most so many of its fills, spread evenly."""
    picked = {name: thin.evenly(record.fill_counts.get(name, 0), count) for name, count in most.items()}
    before = dict.fromkeys(most, 0)
    kept: dict[str, list[pl.DataFrame]] = {name: [] for name in most}
    for frame in parts(record.fills):
        for name in most:
            part = frame.filter(pl.col("instrument") == name)
            first, last = np.searchsorted(picked[name], (before[name], before[name] + part.height))
            kept[name].append(part[picked[name][first:last] - before[name]])
            before[name] += part.height
    return {name: pl.concat(frames) for name, frames in kept.items()}


def _markers(fills: pl.DataFrame, currency: str) -> Iterator[Plot]:
    """Triangles, up for bought and down for sold, smaller where there are many."""
    size = 9 if fills.height < 150 else 7 if fills.height < 600 else 5
    for side, name, symbol, colour in (
        (BUY, "bought", "triangle-up", "var(--buy)"),
        (SELL, "sold", "triangle-down", "var(--sell)"),
    ):
        for role in ("maker", "taker"):
            part = fills.filter((pl.col("side") == side) & (pl.col("maker") == (role == "maker")))
            if not part.height:
                continue
            yield {
                "type": "scatter", "mode": "markers", "name": f"{name}, {role}", "x": _ms(part["ts_ns"].to_numpy()),
                "y": _numbers(part["price"].to_numpy()), "text": list(_about(part, currency)),
                "hovertemplate": f"<b>{name} at %{{y:,.8~g}}</b>, {role}<br>%{{text}}<extra></extra>",
                "marker": {
                    "symbol": symbol if role == "maker" else symbol + "-open", "color": colour, "size": size, "opacity": 0.8,
                    "line": {"width": 1.2, "color": colour},
                },
            }  # fmt: skip


def _about(fills: pl.DataFrame, currency: str) -> Iterator[str]:
    columns = fills.select("order_id", "strategy", "quantity", "cost", "fee")
    for order, strategy, quantity, cost, fee in columns.iter_rows():
        paid = f"{words.money(cost, escape(currency))} · fee {words.money(fee)}"
        yield f"order {order} · {escape(strategy)}<br>{quantity:.8g} · {paid}"


def inventory(record: RunRecord) -> Plot | None:
    """What was held of each instrument, at its price then, and gross exposure behind."""
    ts = record.equity["ts_ns"].to_numpy()
    if len(ts) < 2:
        return None
    data, unit = [], f"%{{y:,.2f}} {escape(record.currency)}"
    if EXPOSURE[:-1] in record.equity.columns:
        gross = record.equity[EXPOSURE[:-1]].cast(pl.Float64).to_numpy()
        data.append(
            _line(ts, gross, "gross exposure", 3, hovertemplate=unit, fill="tozeroy", fillcolor="var(--line-soft)",
                  line={"color": "var(--ink-faint)", "width": 0.8})
        )  # fmt: skip
    grid = ts[thin.evenly(len(ts), 900)]
    for i, (name, held) in enumerate(list(holdings(record.fills, grid).items())[:MOST_LINES]):
        value = held.quantity * _price_at(record, name, grid, held.price)
        data.append(_line(grid, value, name, 6, hovertemplate=unit, line={"color": _colour(i), "shape": "hv", "width": 1.3}))
    layout = {"xaxis": _time(record), "yaxis": {"title": {"text": escape(record.currency)}, "tickformat": MONEY_TICKS}}
    return {"data": data, "layout": layout, "height": 340} if data else None


def _price_at(record: RunRecord, instrument: str, grid: NDArray[np.int64], paid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Price in the reporting currency at each moment: the mid, else what was paid."""
    part = record.prices.filter(pl.col("instrument") == instrument)
    if not part.height:
        return paid
    price = part["mid"].to_numpy() * (part["rate"].to_numpy() if "rate" in part.columns else 1.0)
    at = np.searchsorted(part["ts_ns"].to_numpy(), grid, side="right") - 1
    found: NDArray[np.float64] = price[np.maximum(at, 0)]
    return found


def waterfall(measured: Statistics) -> Plot | None:
    """From gross edge over fees and slippage to what was left."""
    whole = measured.whole
    edge, fees, slippage, pnl = (figure.value for figure in (whole.gross_edge, whole.fees, whole.slippage, whole.pnl))
    if edge is None or fees is None or slippage is None or pnl is None:
        return None
    steps = [edge, -fees, -slippage, pnl]
    slipped = "slippage" if slippage >= 0 else "slippage, earned"
    bar = {
        "type": "waterfall", "x": ["gross edge", "fees", slipped, "net"], "y": _numbers(np.array(steps)),
        "measure": ["absolute", "relative", "relative", "total"], "text": [words.money(step) for step in steps],
        "textposition": "outside", "cliponaxis": False,
        "hovertemplate": f"%{{x}}: %{{text}} {escape(measured.currency)}<extra></extra>",
        "connector": {"line": {"color": "var(--line)", "width": 1}}, "increasing": {"marker": {"color": "var(--good)"}},
        "decreasing": {"marker": {"color": "var(--bad)"}}, "totals": {"marker": {"color": "var(--accent)"}},
    }  # fmt: skip
    layout = {
        "yaxis": {"title": {"text": escape(measured.currency)}, "tickformat": MONEY_TICKS},
        "xaxis": {"showgrid": False},
        "showlegend": False,
        "bargap": 0.45,
        "hovermode": "closest",
    }
    return {"data": [bar], "layout": layout, "height": 330}


def streams(record: RunRecord) -> Plot | None:
    """State of each stream over time: a synced bar from end to end, other spells laid over it."""
    frame = record.quality.streams
    if not frame.height:
        return None
    end = max(int(frame["ts_ns"].max()), int(record.equity["ts_ns"].max() or 0))  # type: ignore[arg-type]
    spells = frame.sort("stream", "ts_ns", maintain_order=True).with_columns(
        length=pl.col("ts_ns").shift(-1).over("stream").fill_null(end) - pl.col("ts_ns")
    )
    synced = frame.group_by("stream").agg(pl.col("ts_ns").min()).with_columns(length=end - pl.col("ts_ns")).sort("stream")
    other = spells.filter((pl.col("state") != codes.SYNCED) & (pl.col("length") > 0))
    other = other.sort("length", descending=True).head(MOST_SPELLS)
    states = sorted(other["state"].unique().to_list())
    data = [_spells(synced, codes.SYNCED), *(_spells(other.filter(pl.col("state") == state), state) for state in states)]
    layout = {
        "barmode": "overlay", "bargap": 0.5, "hovermode": "closest", "xaxis": _time(record),
        "yaxis": {"type": "category", "automargin": True, "autorange": "reversed", "showgrid": False},
    }  # fmt: skip
    return {"data": data, "layout": layout, "height": 120 + 30 * synced.height}


def _spells(part: pl.DataFrame, state: int) -> Plot:
    colour = STATE_COLOURS.get(state, "var(--warn)")
    length = part["length"].to_numpy()
    return {
        "type": "bar", "orientation": "h", "name": words.state_name(state),
        "y": [escape(name) for name in part["stream"].to_list()],
        "base": _ms(part["ts_ns"].to_numpy()), "x": _ms(length), "text": [words.span(ns) for ns in length], "textposition": "none",
        "hovertemplate": f"%{{y}}<br>{words.state_name(state)} for %{{text}}<extra></extra>",
        # The outline keeps a spell of a second visible in a day.
        "marker": {"color": colour, "line": {"color": colour, "width": 0 if state == codes.SYNCED else 1.5}},
    }  # fmt: skip


def dispersion(record: RunRecord) -> Plot | None:
    """How far the sources of one price were apart, over time."""
    frame = record.quality.dispersion
    names = frame["instrument"].unique(maintain_order=True).to_list()[:MOST_LINES]
    data = []
    for i, name in enumerate(names):
        part = frame.filter(pl.col("instrument") == name)
        style = {"hovertemplate": "%{y:.2f} bps", "line": {"color": _colour(i), "width": 1.2}}
        data.append(_line(part["ts_ns"].to_numpy(), part["dispersion_bps"].to_numpy(), name, len(names), **style))
    layout = {"xaxis": _time(record), "yaxis": {"title": {"text": "bps"}, "rangemode": "tozero"}, "showlegend": True}
    return {"data": data, "layout": layout, "height": 260} if data else None


def believed(record: RunRecord) -> Plot | None:
    """How far each source was believed, over time: those that were believed least on average, the least first."""
    frame = record.quality.believed
    means = frame.group_by("instrument", maintain_order=True).agg(pl.col("quality").mean()).sort("quality", maintain_order=True)
    data = []
    for i, name in enumerate(means["instrument"].to_list()[:MOST_LINES]):
        part = frame.filter(pl.col("instrument") == name)
        style = {"hovertemplate": "%{y:.2f}", "line": {"color": _colour(i), "width": 1.2, "shape": "hv"}}
        data.append(_line(part["ts_ns"].to_numpy(), part["quality"].to_numpy(), name, len(means), **style))
    layout = {"xaxis": _time(record), "yaxis": {"title": {"text": "quality"}, "range": [0.0, 1.02]}, "showlegend": True}
    return {"data": data, "layout": layout, "height": 260} if data else None


def reliability(record: RunRecord) -> Plot | None:
    """What was predicted against what came true; the bars are two standard errors of a share."""
    frame = record.calibration.filter(pl.col("count") > 0)
    if not frame.height:
        return None
    predicted, realised, count = (frame[name].to_numpy() for name in ("predicted", "realised", "count"))
    error = 2.0 * np.sqrt(np.clip(realised * (1.0 - realised), 1e-9, None) / count)
    low = max(0.0, float(min(predicted.min(), (realised - error).min())) - 0.03)
    high = min(1.0, float(max(predicted.max(), (realised + error).max())) + 0.03)
    ideal = {
        "type": "scatter", "mode": "lines", "x": [low, high], "y": [low, high], "name": "ideal", "hoverinfo": "skip",
        "line": {"color": "var(--ink-soft)", "dash": "dot", "width": 1.2},
    }  # fmt: skip
    points = {
        "type": "scatter", "mode": "lines+markers", "x": _numbers(predicted), "y": _numbers(realised), "name": "signals",
        "text": [f"{n:,} signals" for n in count.tolist()], "line": {"color": "var(--accent)", "width": 1.4},
        "hovertemplate": "said %{x:.1%}, came true %{y:.1%}<br>%{text}<extra></extra>",
        "marker": {"size": _numbers(6.0 + 12.0 * np.sqrt(count / count.max())), "color": "var(--accent)"},
        "error_y": {"type": "data", "array": _numbers(error), "color": "var(--ink-soft)", "thickness": 1, "width": 3},
    }  # fmt: skip
    axis = {"tickformat": ".0%", "range": [low, high]}
    layout = {
        "xaxis": axis | {"title": {"text": "confidence said"}}, "yaxis": axis | {"title": {"text": "came true"}},
        "hovermode": "closest", "showlegend": False,
    }  # fmt: skip
    return {"data": [ideal, points], "layout": layout, "height": 360}


def calibration_error(record: RunRecord) -> float | None:
    """Expected calibration error: the mean distance of said and true shares, weighted by count; None without signals."""
    frame = record.calibration.filter(pl.col("count") > 0)
    if not frame.height:
        return None
    predicted, realised, count = (frame[name].to_numpy() for name in ("predicted", "realised", "count"))
    return float((np.abs(predicted - realised) * count).sum() / count.sum())
