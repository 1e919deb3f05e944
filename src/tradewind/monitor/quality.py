"""The quality page: what the catalogue knows of coverage, gaps and refusals, drawn and told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from tradewind.domain.codes import MILLISECOND

from . import html, pages, words
from .html import text

if TYPE_CHECKING:
    from tradewind.fabric.beliefs import Believed
    from tradewind.fabric.catalogue import Covered, Gap
    from tradewind.fabric.quarantine import Entry

MOST_LINES = 500  # of one table
MOST_SPELLS = 1500
COLOURS = ("#b3352f", "#d9a441", "#7fae7a", "#2f7f5f")  # of a heat map, from nothing to whole


class Known(NamedTuple):
    """What a store knows of its series."""

    covered: Sequence[Covered]
    gaps: Sequence[Gap]
    entries: Sequence[Entry]
    believed: Sequence[Believed] = ()


def render(known: Known, series: str = "") -> str:
    """The page as text."""
    drawings: dict[str, Any] = {}
    covered, gaps, entries, believed = known
    parts = (_quality(covered, drawings), _trust(believed, drawings), _gaps(gaps, drawings), _refused(entries), _table(covered))
    body = "".join(parts)
    return pages.page("Data quality", f"{_head(covered, gaps, series)}<main>{body}</main>", drawings)


def _head(covered: Sequence[Covered], gaps: Sequence[Gap], series: str) -> str:
    if not covered:
        return pages.head("Data quality", series, "Nothing is in the store yet.")
    rows, refused = sum(row.rows for row in covered), sum(row.quarantined for row in covered)
    days = sorted({row.day for row in covered})
    facts = f"{len({row.series for row in covered}):,} series · {days[0]} to {days[-1]} · {rows:,} rows"
    worst = min(covered, key=lambda row: row.quality)
    said = f"{refused:,} rows are in quarantine, {len(gaps):,} gaps are known. "
    told = (
        f"The worst day is {worst.day} of {worst.series}: {min(worst.quality, 0.9999):.4f}."
        if worst.quality < 1
        else "Every day is whole."
    )
    return pages.head("Data quality", facts, said + told)


def _heat(named: Sequence[tuple[str, str, Any]], ends: Sequence[float], hover: str, cell: Callable[[Any], Any]) -> dict[str, Any]:
    """Days across, names down, from (name, day, what is known): `cell` gives its number and what `hover` tells beside it.

    Red, yellow, pale and full green begin at the four `ends`.
    """
    days, names = sorted({day for _, day, _ in named}), sorted({name for name, _, _ in named})
    at = {(name, day): cell(known) for name, day, known in named}
    cells = [[at.get((name, day), (None, None)) for day in days] for name in names]
    return {
        "data": [
            {
                "type": "heatmap", "x": days, "y": [escape(name) for name in names], "zmin": 0, "zmax": 1, "xgap": 1, "ygap": 1,
                "z": [[number for number, _ in line] for line in cells],
                "customdata": [[beside for _, beside in line] for line in cells],
                "hovertemplate": f"%{{y}} %{{x}}<br>{hover}<extra></extra>",
                "colorscale": [list(pair) for pair in zip(ends, COLOURS, strict=True)], "showscale": True,
            }
        ],
        "layout": {"xaxis": {"type": "category"}, "yaxis": {"type": "category", "automargin": True}, "hovermode": "closest"},
        "height": 140 + 26 * len(names),
    }  # fmt: skip


def _quality(covered: Sequence[Covered], drawings: dict[str, Any]) -> str:
    if not covered:
        return ""
    drawings["quality"] = _heat(
        [(row.series, row.day, row) for row in covered], (0, 0.9, 0.99, 1),
        "quality %{z}<br>%{customdata[0]:,} rows, %{customdata[1]:,} refused, %{customdata[2]} gaps",
        lambda row: (round(row.quality, 4), [row.rows, row.quarantined, row.gaps]),
    )  # fmt: skip
    lead = "The share of rows that were believed, times the share of time without a gap. 1 is a day without a fault."
    return html.section("quality", "Quality of each series and day", lead, html.plot("quality"))


def _trust(believed: Sequence[Believed], drawings: dict[str, Any]) -> str:
    """Each source's quality as the machine saw it beside the others, over the days."""
    if not believed:
        return ""
    drawings["trust"] = _heat(
        [(one.source, one.day, one) for one in believed], (0, 0.5, 0.8, 1),
        "quality %{z}, trust %{customdata[0]}<br>least %{customdata[1]}, doubted %{customdata[2]:.2%} of the time %{customdata[3]}",
        lambda one: (one.quality, [one.trust, one.least, one.doubted, escape(one.blame)]),
    )  # fmt: skip
    worst = sorted(believed, key=lambda one: one.quality)[:MOST_LINES]
    lines = [
        [text(f"{one.source} {one.day}"), f"{one.quality:.4f}", f"{one.least:.4f}", f"{one.trust:.4f}", f"{one.doubted:.2%}",
         text(one.blame)]
        for one in worst
    ]  # fmt: skip
    head = ["Source and day", "Quality", "Least", "Trust", "Doubted", "Mostly for"]
    lead = (
        "What the machine thought of each source beside the others, a look a minute: trust x freshness x nearness, "
        "0.8 at best where nobody confirms it."
    )
    return html.section("trust", "How far each source was believed", lead, html.plot("trust"), html.table(head, lines))


def _gaps(gaps: Sequence[Gap], drawings: dict[str, Any]) -> str:
    if not gaps:
        return ""
    longest = sorted(gaps, key=lambda gap: gap.start_ns - gap.stop_ns)[:MOST_SPELLS]
    causes = sorted({gap.cause for gap in longest})
    shown = {(gap.venue, gap.instrument, gap.channel) for gap in longest}
    data = []
    for n, cause in enumerate(causes):
        mine = [gap for gap in longest if gap.cause == cause]
        data.append(
            {
                "type": "bar", "orientation": "h", "name": escape(cause),
                "y": [escape(f"{gap.venue}:{gap.instrument}:{gap.channel}") for gap in mine],
                "base": [gap.start_ns // MILLISECOND for gap in mine],
                "x": [(gap.stop_ns - gap.start_ns) // MILLISECOND for gap in mine],
                "text": [words.span(gap.stop_ns - gap.start_ns) for gap in mine], "textposition": "none",
                "hovertemplate": "%{y}<br>%{text}<extra></extra>",
                "marker": {"color": f"var(--s{n % 6})", "line": {"color": f"var(--s{n % 6})", "width": 1.5}},
            }
        )  # fmt: skip
    layout = {
        "barmode": "overlay", "hovermode": "closest", "xaxis": {"type": "date"},
        "yaxis": {"type": "category", "automargin": True, "showgrid": False},
    }  # fmt: skip
    drawings["gaps"] = {"data": data, "layout": layout, "height": 140 + 26 * len(shown)}
    counted = {cause: sum(gap.cause == cause for gap in gaps) for cause in causes}
    lead = "Stretches in which a series does not tell what happened at its venue, by cause."
    return html.section("gaps", "Gaps", lead, html.plot("gaps"), html.counts(counted, ""))


def _refused(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    reasons: dict[str, int] = {}
    for entry in entries:
        reasons[entry.why] = reasons.get(entry.why, 0) + entry.rows
    lines = [
        [text(entry.id), text(f"{entry.venue}:{entry.instrument}:{entry.channel}"), text(words.moment(entry.first_ts)),
         text(entry.why), f"{entry.rows:,}", text(entry.state), text(entry.example)]
        for entry in entries[:MOST_LINES]
    ]  # fmt: skip
    head = ["Entry", "Series", "From", "Reason", "Rows", "State", "First"]
    lead = "Rows that were not believed; each keeps its reason and its place in the raw recording, and can be released."
    return html.section("quarantine", "Quarantine", lead, html.counts(reasons, "Rows by reason"), html.table(head, lines, 9))


def _table(covered: Sequence[Covered]) -> str:
    if not covered:
        return ""
    head = ["Series and day", "Quality", "Rows", "Refused", "Duplicates", "Gaps", "In gaps"]
    lines = [
        [text(f"{row.series} {row.day}"), f"{row.quality:.4f}", f"{row.rows:,}", f"{row.quarantined:,}", f"{row.duplicates:,}",
         f"{row.gaps:,}", text(words.span(row.gap_ns))]
        for row in covered[:MOST_LINES]
    ]  # fmt: skip
    return html.section("coverage", "Coverage", "", html.table(head, lines))
