"""The statistics as a table for the terminal. Gives renderables; `cli/emit` prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from . import words
from .figures import Figure, Statistics

A_CENT = 0.005
GOOD_SIGNS = frozenset({"pnl", "total_return", "cagr", "gross_edge", "trade_mean"})
"""Figures that are coloured by their sign."""

STRATEGY_COLUMNS = {
    "pnl": "P&L",
    "sharpe": "Sharpe",
    "max_drawdown": "drawdown",
    "fees": "fees",
    "slippage": "slippage",
    "fills": "fills",
    "hit_rate": "hit rate",
}
"""What a terminal has room for beside a strategy's name; the report shows all."""


ROOM_FOR_REMARKS = 76  # columns of a terminal; on a narrower one remarks stand under the figures


def table(measured: Statistics) -> RenderableType:
    """Warnings, all figures of the whole run with their intervals, the strategies side by side, and the conventions."""
    parts = [*_warnings(measured), _Fitted(measured, _figures)]
    if measured.strategies:
        parts += [Text(), _Fitted(measured, _strategies)]
    return Group(*parts, Text(), Text(_legend(measured), style="dim"))


class _Fitted:
    """Something drawn for the width there is: a number is shown whole or not at all."""

    def __init__(self, measured: Statistics, draw: Callable[[Statistics, int], RenderableType]) -> None:
        self.measured, self.draw = measured, draw

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield self.draw(self.measured, options.max_width)


def _warnings(measured: Statistics) -> list[RenderableType]:
    if not measured.cautions:
        return []
    lines = Text()
    for caution in measured.cautions:
        serious = caution.level == "serious"
        lines.append("! " if serious else "· ", style="bold yellow" if serious else "dim")
        lines.append(_plain(caution.text) + "\n")
    lines.rstrip()
    return [Panel(lines, title="Before you believe it", title_align="left", border_style="yellow")]


def _figures(measured: Statistics, width: int) -> RenderableType:
    grid = Table(show_header=False, pad_edge=False, box=None)
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(style="dim")
    below: dict[str, list[str]] = {}
    for row, figure in words.rows(measured.whole):
        if row.group:
            grid.add_row(Text(row.group, style="bold cyan"))
        remark = f"({figure.note})" if figure.value is None else words.interval(figure, measured.currency)
        if width < ROOM_FOR_REMARKS and remark:
            below.setdefault(remark.strip("()") if figure.value is None else remark, []).append(row.title)
            remark = ""
        grid.add_row(Text("  " + row.title), _cell(row.field, figure, measured.currency), Text(remark))
    return Group(grid, *(Text(f"  {'; '.join(titles)}: {remark}", style="dim") for remark, titles in below.items()))


def _strategies(measured: Statistics, width: int) -> RenderableType:
    """The strategies side by side, with the columns there is room for."""
    rows = {_plain(name): {field: getattr(part, field) for field in STRATEGY_COLUMNS} for name, part in measured.strategies.items()}
    if measured.holdings is not None and abs(measured.holdings) >= A_CENT:
        rows["opening holdings"] = {"pnl": Figure(measured.holdings, "money")}
    left = width - max(len("Strategies"), *(len(name) + 2 for name in rows))
    grid = Table(pad_edge=False, box=None, header_style="dim")
    grid.add_column(Text("Strategies", style="bold cyan"), no_wrap=True)
    fields = []
    for field, title in STRATEGY_COLUMNS.items():
        left -= 2 + max(len(title), *(len(words.shown(row[field], "")) for row in rows.values() if field in row))
        if left < 0:
            break
        fields.append(field)
        grid.add_column(title, justify="right", no_wrap=True)
    for name, row in rows.items():
        cells = (_cell(field, row[field], "") if field in row else Text() for field in fields)
        grid.add_row(Text("  " + name, style="" if name in measured.strategies else "dim"), *cells)
    return grid


def _cell(field: str, figure: Figure, currency: str) -> Text:
    text = Text(words.shown(figure, currency))
    if field in GOOD_SIGNS and figure.value:
        text.stylize("green" if figure.value > 0 else "red")
    return text


def _legend(measured: Statistics) -> str:
    text = measured.sampling + ". Riskless rate 0. Ranges: 95 % of a stationary bootstrap, fixed seed."
    error = measured.whole.sharpe.error
    return text if error is None else f"{text} Standard error of the Sharpe ratio after Lo (2002): {error:.2f}."


def _plain(text: str) -> str:
    """Venue and strategy text without control characters: a terminal obeys escapes that rich does not."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
