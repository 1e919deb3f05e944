"""The card of a dataset: what is in it, where it came from, how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tradewind.domain.codes import MILLISECOND

from . import html, pages, words
from .html import text

if TYPE_CHECKING:
    from tradewind.fabric.datasets import Manifest

BINS = 60
POINTS = 2000


def render(manifest: Manifest, frame: pl.DataFrame, record: Mapping[str, Any]) -> str:
    """The card as text; record: the dataset's row in the records."""
    drawings: dict[str, Any] = {}
    drawn = _label(frame, drawings) + _prices(frame, drawings)
    told = _columns(frame) + _quality(manifest) + _inputs(manifest) + _facts(manifest)
    facts = f"{manifest.rows:,} rows · {words.moment(manifest.first_ts)} to {words.moment(manifest.last_ts)} · id {manifest.id}"
    tainted = int(frame["tainted"].sum())
    said = f"{tainted:,} rows ({tainted / max(frame.height, 1):.1%}) read something that was not believed or is missing. "
    said += f"The label looks {words.span(manifest.label_horizon_ns)} ahead, the features {words.span(manifest.lookback_ns)} back."
    if record["state"] != "valid":
        said = f"STALE: {record['why']}. " + said
    head = pages.head(f"Dataset {manifest.spec.name}", facts, said)
    return pages.page(f"Dataset {manifest.spec.name}", f"{head}<main>{drawn}{told}</main>", drawings)


def _label(frame: pl.DataFrame, drawings: dict[str, Any]) -> str:
    data = []
    for n, name in enumerate(frame["instrument"].unique(maintain_order=True).to_list()):
        values = frame.filter(pl.col("instrument") == name)["label"].drop_nulls().to_numpy()
        if len(values):
            counts, edges = np.histogram(values, BINS)
            middles = (edges[1:] + edges[:-1]) / 2
            data.append(
                {"type": "bar", "name": escape(name), "x": middles.tolist(), "y": counts.tolist(),
                 "marker": {"color": f"var(--s{n % 6})"}, "opacity": 0.7}
            )  # fmt: skip
    if not data:
        return ""
    layout = {"barmode": "overlay", "bargap": 0, "xaxis": {"title": {"text": "label"}}, "yaxis": {"title": {"text": "rows"}}}
    drawings["label"] = {"data": data, "layout": layout, "height": 280}
    return html.section("label", "What is to be foretold", "How the label is distributed, by instrument.", html.plot("label"))


def _prices(frame: pl.DataFrame, drawings: dict[str, Any]) -> str:
    data = []
    for n, name in enumerate(frame["instrument"].unique(maintain_order=True).to_list()):
        mine = frame.filter(pl.col("instrument") == name)
        thin = mine.gather_every(max(1, mine.height // POINTS))
        times = (thin["ts"] // MILLISECOND).to_list()
        data.append({"type": "scatter", "mode": "lines", "name": escape(name), "x": times, "y": thin["close"].to_list(),
                     "line": {"color": f"var(--s{n % 6})", "width": 1.4}})  # fmt: skip
        bad = mine.filter(pl.col("bar_tainted")).head(POINTS)
        if bad.height:
            at = (bad["ts"] // MILLISECOND).to_list()
            data.append(
                {"type": "scatter", "mode": "markers", "name": escape(f"{name}, tainted"), "x": at,
                 "y": bad["close"].to_list(), "marker": {"color": "var(--bad)", "size": 6, "symbol": "x"}}
            )  # fmt: skip
    drawings["prices"] = {"data": data, "layout": {"xaxis": {"type": "date"}, "hovermode": "closest"}, "height": 320}
    return html.section("prices", "Closes", "Crosses mark bars with a refused row or in a gap.", html.plot("prices"))


def _columns(frame: pl.DataFrame) -> str:
    lines = []
    for name in frame.columns:
        column = frame[name]
        numbers = ["", "", "", ""]
        if column.dtype.is_float():
            told = column.drop_nulls()
            if len(told):
                values = told.to_numpy()
                numbers = [f"{value:.6g}" for value in (values.min(), values.mean(), values.max(), values.std())]
        lines.append([text(name), text(str(column.dtype)), f"{column.null_count():,}", *numbers])
    head = ["Column", "Type", "Null", "Least", "Mean", "Most", "Deviation"]
    return html.section("columns", "Columns", "", html.table(head, lines, 2))


def _quality(manifest: Manifest) -> str:
    head = ["Instrument", "Raw rows", "Refused", "Duplicates", "Released", "Rows", "Tainted", "Without label", "Missing bars"]
    lines = [
        [text(one.instrument), f"{one.raw:,}", f"{sum(one.refused.values()):,}", f"{one.duplicates:,}", f"{one.released:,}",
         f"{one.rows:,}", f"{one.tainted:,}", f"{one.unlabelled:,}", f"{one.missing_bars:,}"]
        for one in manifest.quality
    ]  # fmt: skip
    refused: dict[str, int] = {}
    for one in manifest.quality:
        for reason, n in one.refused.items():
            refused[reason] = refused.get(reason, 0) + n
    causes: dict[str, int] = {}
    for gap in manifest.gaps:
        causes[gap["cause"]] = causes.get(gap["cause"], 0) + 1
    counts = html.two(html.counts(refused, "Refused rows, by reason"), html.counts(causes, "Gaps, by cause"))
    return html.section("quality", "How good the raw data were", "", html.table(head, lines), counts)


def _inputs(manifest: Manifest) -> str:
    lines = [
        [text(f"{part.tape} segment {part.segment}"), text(part.digest), f"{part.rows:,}", text(words.moment(part.first_ts))]
        for part in manifest.inputs
    ]
    return html.section("inputs", "Raw segments", "", html.table(["Segment", "sha256", "Rows", "From"], lines, 2))


def _facts(manifest: Manifest) -> str:
    lines = [[text(name), text(value)] for name, value in {"code": manifest.code, **manifest.made}.items()]
    lines.append(["released", text(", ".join(manifest.released) or "nothing")])
    return html.section("made", "What made it", "", html.table(["", ""], lines, 9))
