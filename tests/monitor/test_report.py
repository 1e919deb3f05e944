"""The page: whole, self-contained, honest about what it leaves out, and deaf to what a venue wrote."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tradewind.monitor import plots, report, thin, words
from tradewind.monitor.record import RunRecord
from tradewind.monitor.statistics import statistics
from tradewind.monitor.tables import table

from . import sample
from .test_statistics import RUNS, curve

MOST_BYTES = 6_500_000


class Page(HTMLParser):
    """Tags, attributes and visible text of a page, and the contents of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.text += data

    @property
    def plots(self) -> dict[str, plots.Plot]:
        return json.loads(self.scripts[0])


def rendered(record: RunRecord) -> tuple[str, Page]:
    page = report.render(record, statistics(record))
    return page, Page(page)


@pytest.fixture(scope="module")
def hostile() -> RunRecord:
    run = sample.run(hours=4, fills=300, hostile=True)
    bad = pl.lit(sample.HOSTILE)
    first = pl.col("instrument") == sample.INSTRUMENTS[0]
    renamed = {
        "fills": run.fills.with_columns(
            instrument=pl.when(first).then(bad).otherwise("instrument"),
            strategy=pl.when(pl.col("strategy") == "swing").then(bad).otherwise("strategy"),
        ),
        "prices": run.prices.with_columns(instrument=pl.when(first).then(bad).otherwise("instrument")),
        "equity": run.equity.rename({"pnl:swing": f"pnl:{sample.HOSTILE}", "exposure:swing": f"exposure:{sample.HOSTILE}"}),
        "orders": run.orders.with_columns(status=pl.when(pl.col("status") == "EXPIRED").then(bad).otherwise("status")),
        "quality": msgspec.structs.replace(
            run.quality,
            streams=run.quality.streams.with_columns(stream=pl.format("{} {}", "stream", bad)),
            dispersion=run.quality.dispersion.with_columns(instrument=bad),
            believed=run.quality.believed.with_columns(instrument=bad),
        ),
    }
    return msgspec.structs.replace(
        run, **renamed, config=sample.HOSTILE, journal=sample.HOSTILE, machine_hash=sample.HOSTILE, digest=sample.HOSTILE,
        currency="<b>USDT", venues=("one", sample.HOSTILE), think_ns={sample.HOSTILE: 0},
    )  # fmt: skip


def test_nothing_that_a_venue_wrote_becomes_markup(hostile: RunRecord) -> None:
    page, parsed = rendered(hostile)
    _, whole = rendered(sample.run(hours=4, fills=300))
    tags = {tag for tag, _ in parsed.tags}
    assert tags <= {tag for tag, _ in whole.tags}
    assert not tags & {"img", "iframe", "object", "base", "form", "b"}
    assert len(parsed.scripts) == len(whole.scripts) == 3
    assert not [attrs for _, attrs in parsed.tags if any(name.startswith("on") for name in attrs)]
    assert "<img" not in page.replace(parsed.scripts[1], "")
    assert parsed.text.count("onerror=alert(1)") > 8
    assert "<" not in parsed.scripts[0]
    # Plotly reads its texts as HTML: there the name must be escaped once more.
    assert "<img" not in json.dumps(parsed.plots)
    assert "&lt;img" in json.dumps(parsed.plots)


def test_only_the_two_own_scripts_may_run_and_nothing_may_be_fetched(hostile: RunRecord) -> None:
    page, parsed = rendered(hostile)
    policy = next(attrs["content"] for tag, attrs in parsed.tags if tag == "meta" and attrs.get("http-equiv"))
    hashes = ["'sha256-" + base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() + "'" for s in parsed.scripts[1:]]
    assert re.search(r"script-src ([^;]*);", policy).group(1).split() == hashes
    assert policy.startswith("default-src 'none'; ")
    assert "connect-src" not in policy
    for tag, attrs in parsed.tags:
        assert "src" not in attrs, tag
        assert tag != "link"
        assert (attrs.get("href") or "#").startswith("#")
    assert "@import" not in page.split("<body>")[0]
    assert "url(" not in page.split("<body>")[0]


def test_every_plot_has_a_place_and_every_place_a_plot(hostile: RunRecord) -> None:
    _, parsed = rendered(hostile)
    places = [attrs["data-plot"] for _, attrs in parsed.tags if "data-plot" in attrs]
    assert sorted(places) == sorted(parsed.plots)
    assert {
        "equity",
        "contribution",
        "inventory",
        "waterfall",
        "streams",
        "believed",
        "dispersion",
        "reliability",
        "price0",
    } <= set(places)
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {attrs["href"][1:] for tag, attrs in parsed.tags if tag == "a"}
    assert links <= set(ids)
    assert len(links) == 11


def test_a_page_names_the_colours_that_the_style_has() -> None:
    page, parsed = rendered(sample.run(hours=2, fills=100))
    style = page.split("<style>")[1].split("</style>")[0]
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", json.dumps(parsed.plots) + parsed.scripts[2] + style))
    light, dark = style.split("@media (prefers-color-scheme: dark)")[:2]
    for name in used - {"--mono"}:
        assert f"{name}:" in light, name
        assert f"{name}:" in dark, name


@pytest.mark.parametrize("name", RUNS)
def test_a_run_with_hardly_anything_still_has_a_page_and_a_table(name: str) -> None:
    page, parsed = rendered(RUNS[name])
    assert "nan" not in re.findall(r"[a-z]+", parsed.text.lower())
    assert "NaN" not in parsed.scripts[0]
    assert "Infinity" not in parsed.scripts[0]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table(statistics(RUNS[name])))
    assert "Profit and loss" in console.export_text()
    assert "<h1>" in page


def test_a_long_run_stays_small_and_keeps_its_extremes() -> None:
    random = np.random.default_rng(5)
    n = 400_000
    equity = 1e5 + np.cumsum(random.normal(0, 1, n))
    equity[123_456] = 250_000.0
    names = [f"venue{i}:BASE{i}/USDT" for i in range(20)]
    frames = {
        "prices": pl.concat(
            pl.DataFrame({"ts_ns": np.arange(0, n, 10), "instrument": [name] * (n // 10), "mid": 100 + random.random(n // 10)})
            for name in names
        ),
        "fills": sample.run(hours=4, fills=20_000).fills.with_columns(
            ts_ns=pl.Series(np.arange(20_000)), instrument=pl.Series([names[i % 20] for i in range(20_000)])
        ),
    }
    big = msgspec.structs.replace(curve(equity, 1), **frames)
    page, parsed = rendered(big)
    assert len(page.encode()) <= MOST_BYTES
    assert max(parsed.plots["equity"]["data"][1]["y"]) == 250_000.0
    assert "8 instruments with fewer fills are left out" in parsed.text
    assert "of 1,000 fills are drawn" in parsed.text


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=300), st.integers(1, 12))
def test_thinning_keeps_ends_and_every_bucket_extreme(values: list[int], buckets: int) -> None:
    array = np.array(values, np.float64)
    kept = thin.extremes(array, buckets)
    assert len(kept) <= max(4 * buckets, 4)
    assert (np.diff(kept) > 0).all()
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert array[kept].min() == array.min()
    assert array[kept].max() == array.max()
    edges = [len(values) * i // buckets for i in range(buckets + 1)]
    if len(values) > 4 * buckets:
        for first, last in itertools.pairwise(edges):
            inside = kept[(kept >= first) & (kept < last)]
            assert array[inside].max() == array[first:last].max()
            assert array[inside].min() == array[first:last].min()


def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    run = sample.run(hours=1, fills=20)
    measured = statistics(run)
    path = report.write(run, measured, tmp_path / "deep" / "report.html")
    assert path.read_text("utf-8") == report.render(run, measured)
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_commands_can_be_pasted_into_a_shell(hostile: RunRecord) -> None:
    _, parsed = rendered(sample.run(hours=1, fills=20))
    assert "tradewind replay 'runs/2024-08-05 three-venues/journal'" in parsed.text
    assert re.search(r"tradewind why \d+ --journal '", parsed.text)
    assert re.search(r"tradewind why-not binance:\S+ 2024-08-05T\S+Z --journal", parsed.text)
    _, worse = rendered(hostile)
    assert """tradewind replay '<img src=x onerror=alert(1)></script><script>alert("venue")</script>'""" in worse.text


def test_the_terminal_table_obeys_no_escape_of_a_venue() -> None:
    run = msgspec.structs.replace(curve([100.0, 101.0]), warnings=("\x1b[2Jgone [red]not markup[/red]",))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table(statistics(run)))
    shown = console.export_text()
    assert "\x1b" not in shown
    assert "[red]not markup[/red]" in shown


@pytest.mark.parametrize("width", [60, 76, 100])
def test_a_number_is_shown_whole_or_not_at_all(width: int) -> None:
    measured = statistics(sample.run(hours=1.0, fills=400))
    assert len(measured.strategies) == 3
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table(measured))
    told = console.export_text()
    assert "…" not in told
    assert measured.whole.calmar.value is None
    assert "yearly return" in " ".join(told.split()), "why there is none is told at every width"
    for name, part in measured.strategies.items():
        assert words.shown(part.pnl, "") in next(line for line in told.splitlines() if line.startswith(f"  {name}"))
