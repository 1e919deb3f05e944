"""The report of a run: one HTML file that needs no network, opens from a disk, and cannot run what a venue wrote.

Every text goes through `html.text`; beyond that the page's policy allows only the two scripts whose hashes it names.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from . import hedges, html, pages, plots, words
from .cautions import stale_share
from .figures import Figure, Performance, Statistics
from .html import text
from .parts import parts
from .plots import Plot
from .record import RunRecord
from .statistics import buy_and_hold
from .tables import GOOD_SIGNS

_ANCHORS = (
    ("equity", "Equity"), ("strategies", "Strategies"), ("fills", "Fills"), ("exposure", "Exposure"), ("costs", "Costs"),
    ("figures", "Figures"), ("orders", "Orders"), ("hedges", "Leg risk"), ("refusals", "Why not"), ("quality", "Data"),
    ("confidence", "Confidence"), ("run", "This run"),
)  # fmt: skip


def write(record: RunRecord, measured: Statistics, path: Path) -> Path:
    """Writes the page whole or not at all, and gives its path. Raises OSError as the file system does."""
    return pages.write(render(record, measured), path)


def render(record: RunRecord, measured: Statistics) -> str:
    """The page as text."""
    drawings: dict[str, Plot] = {}
    body = "".join(
        (
            _equity(record, drawings),
            _strategies(record, measured, drawings),
            _fills(record, drawings),
            _exposure(record, drawings),
            _costs(measured, drawings),
            _figures(measured),
            _orders(record),
            hedges.section(record),
            _refusals(record),
            _quality(record, drawings),
            _confidence(record, drawings),
            _run(record),
        )
    )
    whole = f"{_head(record, measured, body)}<main>{_cautions(measured)}{_cards(measured)}{body}</main>{_foot()}"
    return pages.page(record.title, whole, drawings)


def _head(record: RunRecord, measured: Statistics, body: str) -> str:
    facts = []
    if record.equity.height:
        ts = record.equity["ts_ns"]
        facts.append(f"{words.moment(int(ts[0]))} to {words.moment(int(ts[-1]))}, {words.span(record.span_ns)}")
    if record.venues:
        facts.append(", ".join(record.venues))
    facts.append(f"capital {words.money(record.capital, record.currency)}")
    if record.rows:
        facts.append(f"{record.rows:,} rows")
    links = "".join(f'<a href="#{anchor}">{title}</a>' for anchor, title in _ANCHORS if f'<section id="{anchor}"' in body)
    return (
        f'<header><div class="mark">{pages.MARK}Tradewind</div><h1>{text(record.title)}</h1>'
        f'<p class="facts">{text(" · ".join(facts))}</p>'
        f'<p class="summary">{text(_summary(record, measured))}</p><nav aria-label="Sections">{links}</nav></header>'
    )


def _summary(record: RunRecord, measured: Statistics) -> str:
    whole = measured.whole
    if whole.pnl.value is None or whole.total_return.value is None:
        return "Nothing was recorded that could be measured."
    verb = "Made" if whole.pnl.value > 0 else "Lost" if whole.pnl.value < 0 else "Neither made nor lost:"
    made = words.money(abs(whole.pnl.value), record.currency)
    sentence = f"{verb} {made} ({words.percent(whole.total_return.value)}) on {words.money(record.capital, record.currency)}"
    sentence += f" in {words.span(record.span_ns)}, after {words.money(whole.fees.value or 0.0, record.currency)} of fees."
    held = whole.buy_and_hold.value
    if held is not None:
        sentence += f" Holding the same instruments would have {'made' if held >= 0 else 'lost'} {words.percent(abs(held))}."
    return sentence


def _foot() -> str:
    return "<footer>A backtest is a rehearsal: fills, queues and latencies are modelled, and the past does not return.</footer>"


def _cautions(measured: Statistics) -> str:
    if not measured.cautions:
        return ""
    items = "".join(f'<li class="{text(caution.level)}">{text(caution.text)}</li>' for caution in measured.cautions)
    return f'<div class="panel cautions" role="note"><h2>Before you believe it</h2><ul>{items}</ul></div>'


def _cards(measured: Statistics) -> str:
    whole, currency = measured.whole, measured.currency
    held = words.shown(whole.buy_and_hold, currency)
    under = words.shown(whole.under_water, currency) + (", not recovered" if "not recovered" in whole.under_water.note else "")
    error = f"standard error {whole.sharpe.error:.2f} (Lo)" if whole.sharpe.error is not None else ""
    shown = {row.field: words.shown(figure, currency) for row, figure in words.rows(whole)}
    cards = (
        _card("Return", whole.total_return, currency, f"buy and hold {held}", sign=True),
        _card("Sharpe ratio", whole.sharpe, currency, error),
        _card("Sortino ratio", whole.sortino, currency, ""),
        _card("Deepest drawdown", whole.max_drawdown, currency, f"{under} under water"),
        _card("Fees", whole.fees, currency, f"{shown['fees_bps']} of {shown['traded']} traded"),
        _card("Slippage", whole.slippage, currency, f"{shown['slippage_bps']} against mid; negative was earned"),
        _card("Exposure, mean", whole.exposure_mean, currency, f"most {shown['exposure_max']} of equity"),
        _card("Closed trades", whole.trades, currency, f"hit rate {shown['hit_rate']}, maker {shown['maker_share']}"),
    )
    return f'<div class="cards">{"".join(cards)}</div>'


def _card(title: str, figure: Figure, currency: str, remark: str, sign: bool = False) -> str:
    colour = "" if not sign or not figure.value else " good" if figure.value > 0 else " bad"
    between = words.interval(figure, currency)
    span = f'<span class="range">{text(between)} <small>95 %</small></span>' if between else ""
    says = figure.note if figure.value is None else remark
    value = text(words.shown(figure, currency))
    return (
        f'<div class="card"><div class="title">{text(title)}</div><div class="value{colour}">{value}</div>'
        f'{span}<span class="remark">{text(says)}</span></div>'
    )


def _figures(measured: Statistics) -> str:
    names = list(measured.strategies) if len(measured.strategies) > 1 else []
    head = "".join(f'<th class="n">{text(name)}</th>' for name in ("whole run", "95 % interval", *names))
    lines = []
    for row, figure in words.rows(measured.whole):
        between = text(words.interval(figure, measured.currency))
        if row.group:
            lines.append(f'<tr class="group"><td colspan="{4 + len(names)}">{text(row.group)}</td></tr>')
        parts = "".join(_value(row.field, measured.strategies[name], measured.currency) for name in names)
        lines.append(
            f"<tr><td>{text(row.title)}</td>{_value(row.field, measured.whole, measured.currency)}"
            f'<td class="n">{between}</td>{parts}<td class="why">{text(figure.note)}</td></tr>'
        )
    lead = f"{measured.sampling}. Riskless rate 0. Intervals: 95 % of a stationary bootstrap (Politis, Romano 1994), fixed seed."
    grid = (
        f'<div class="scroll"><table><thead><tr><th></th>{head}<th></th></tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )
    return html.section("figures", "All figures", lead, grid)


def _value(field: str, performance: Performance, currency: str) -> str:
    figure: Figure = getattr(performance, field)
    colour = "" if field not in GOOD_SIGNS or not figure.value else " good" if figure.value > 0 else " bad"
    why = f' title="{text(figure.note)}"' if figure.value is None else ""
    return f'<td class="n{colour}"{why}>{text(words.shown(figure, currency))}</td>'


def _drawn(name: str, drawing: Plot | None, drawings: dict[str, Plot]) -> str:
    """A place for the drawing, kept under its name; nothing where there is none."""
    if drawing is None:
        return ""
    drawings[name] = drawing
    return html.plot(name)


def _equity(record: RunRecord, drawings: dict[str, Plot]) -> str:
    lead = (
        "Equity with open positions at the last price, beside the same capital split equally over the traded instruments and held."
    )
    return html.section(
        "equity", "Equity and drawdown", lead, _drawn("equity", plots.equity(record, buy_and_hold(record)), drawings)
    )


def _strategies(record: RunRecord, measured: Statistics, drawings: dict[str, Plot]) -> str:
    if not measured.strategies:
        return ""
    fields = ("gross_edge", "fees", "slippage", "pnl", "sharpe", "max_drawdown", "turnover", "trades", "hit_rate")
    titles = {row.field: row.title for row in words.ROWS}
    body = [
        [text(name), *(text(words.shown(getattr(part, field), "")) for field in fields)]
        for name, part in measured.strategies.items()
    ]
    if measured.holdings is not None:
        alone = [words.shown(Figure(measured.holdings, "money"), "") if field == "pnl" else "" for field in fields]
        body.append([text("opening holdings"), *(text(cell) for cell in alone)])
    head = ["Strategy", *(titles[field] for field in fields)]
    lead = f"Net profit of each on the shared capital, in {measured.currency}; what opening holdings gained is told apart."
    drawn = _drawn("contribution", plots.contribution(record), drawings)
    return html.section("strategies", "What each strategy contributed", lead, drawn, html.table(head, body))


def _fills(record: RunRecord, drawings: dict[str, Plot]) -> str:
    names, panels = [], []
    for i, (name, drawing, left_out) in enumerate(plots.prices(record)):
        note = f'<p class="nothing">{text(left_out)}</p>' if left_out else ""
        names.append(name)
        panels.append(_drawn(f"price{i}", drawing, drawings) + note)
    if not panels:
        return ""
    lead = "Mid prices with our fills: full marks rested in the book (maker), open marks took from it (taker)."
    more = len(record.instruments) - len(names)
    if more:
        lead += f" {more:,} instruments with fewer fills are left out."
    return html.section("fills", "Prices and fills", lead, html.tabs(names, panels, "price"))


def _exposure(record: RunRecord, drawings: dict[str, Plot]) -> str:
    lead = "Value of what was held at each moment, negative where it was owed, and the gross sum behind it."
    return html.section("exposure", "Inventory and exposure", lead, _drawn("inventory", plots.inventory(record), drawings))


def _costs(measured: Statistics, drawings: dict[str, Plot]) -> str:
    fields = ("gross_edge", "fees", "fees_bps", "slippage", "slippage_bps", "pnl")
    titles = {row.field: row.title for row in words.ROWS}
    parts = [*measured.strategies.items(), ("whole run", measured.whole)]
    body = [[text(name), *(text(words.shown(getattr(part, field), "")) for field in fields)] for name, part in parts]
    lead = (
        "Gross edge is what the decisions would have made had every fill been at the mid of its decision and free of charge."
        f" Amounts in {measured.currency}; negative slippage was earned by resting orders. The whole run's edge also holds what"
        " opening holdings gained."
    )
    grid = html.table(["", *(titles[field] for field in fields)], body)
    return html.section("costs", "Where the edge went", lead, _drawn("waterfall", plots.waterfall(measured), drawings), grid)


def _orders(record: RunRecord) -> str:
    if not record.orders.height:
        return ""
    outcomes: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    for frame in parts(record.orders, "status", "cause"):
        for status, cause, count in frame.group_by("status", "cause").len().sort("status", "cause").iter_rows():
            outcomes[status] += count
            if cause:
                causes[f"{status}: {cause}"] += count
    counts = (html.counts(dict(outcomes.most_common()), "Last state"), html.counts(dict(causes.most_common()), "Why they ended so"))
    return html.section("orders", "What became of the orders", f"{record.orders.height:,} orders.", html.two(*counts))


def _refusals(record: RunRecord) -> str:
    lead = (
        "Wishes that were not sent, by the first reason that stopped them. For one moment and instrument ask with why-not, below."
    )
    return html.section("refusals", "What was not done, and why", lead, html.counts(record.why_not, ""))


def _quality(record: RunRecord, drawings: dict[str, Plot]) -> str:
    share = stale_share(record)
    lead = "" if share is None else f"{(1 - share) * 100:.1f} % of stream time was synced. "
    lead += "Refused values are kept in quarantine with their reason; a reference price is graded by how many sources agree."
    states = _drawn("streams", plots.streams(record), drawings)
    trusted = _drawn("believed", plots.believed(record), drawings)
    apart = _drawn("dispersion", plots.dispersion(record), drawings)
    return html.section(
        "quality",
        "How good the data were",
        lead,
        f"<h3>State of each stream</h3>{states}" if states else "",
        html.two(
            html.counts(record.quality.quarantined, "Quarantined, by reason"),
            html.counts(record.quality.grades, "Reference prices, by grade"),
        ),
        f"<h3>How far each source was believed</h3>{trusted}" if trusted else "",
        f"<h3>Distance between the sources</h3>{apart}" if apart else "",
    )


def _confidence(record: RunRecord, drawings: dict[str, Plot]) -> str:
    error = plots.calibration_error(record)
    if error is None:
        return ""
    body = [
        [words.percent(said), words.percent(true), f"{count:,}"]
        for said, true, count in record.calibration.select("predicted", "realised", "count").iter_rows()
        if count
    ]
    lead = f"How often signals of a stated confidence came true. Expected calibration error {words.percent(error)}."
    drawn = _drawn("reliability", plots.reliability(record), drawings)
    return html.section(
        "confidence", "Was the confidence earned?", lead, html.two(drawn, html.table(["Said", "Came true", "Signals"], body))
    )


def _run(record: RunRecord) -> str:
    identity = (("Machine", record.machine_hash), ("Digest", record.digest), ("Journal", record.journal))
    facts = "".join(f"<dt>{name}</dt><dd><code>{text(value)}</code></dd>" for name, value in identity if value)
    parts = [f"<dl>{facts}</dl>" if facts else ""]
    if record.journal:
        parts += [f"<h3>{text(title)}</h3><pre class=command>{text(line)}</pre>" for title, line in _commands(record)]
    if record.config:
        parts.append(f"<h3>Configuration</h3><pre>{text(record.config)}</pre>")
    return html.section("run", "This run, and how to ask it", "The same machine on the same journal gives the same digest.", *parts)


def _commands(record: RunRecord) -> list[tuple[str, str]]:
    journal = shlex.quote(record.journal)
    lines = [("Replay it and compare every command", f"tradewind replay {journal}")]
    if record.fills.height:
        largest = (row for frame in parts(record.fills, "cost", "order_id") for row in _largest(frame))
        order = max(largest, key=lambda row: row[0])[1]
        lines.append(
            ("Ask why an order was sent (here the one with the largest fill)", f"tradewind why {order} --journal {journal}")
        )
    if record.instruments and record.equity.height:
        name, when = shlex.quote(record.instruments[0]), words.moment(int(record.equity["ts_ns"][record.equity.height // 2]))
        moment = when.replace(" UTC", "Z").replace(" ", "T")
        lines.append(("Ask why nothing was done at a moment", f"tradewind why-not {name} {moment} --journal {journal}"))
    return lines


def _largest(fills: pl.DataFrame) -> Iterator[tuple[float, int]]:
    """Cost and order of the first fill that no other exceeds."""
    if fills.height:
        yield fills.row(fills["cost"].arg_max() or 0)
