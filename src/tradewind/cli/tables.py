"""Tables in a terminal: a number is never broken, and a table that is too wide goes on below with its names repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import RenderableType

NUMBER = re.compile(r"[+-]?\d[\d,.]*( [A-Za-z]{1,5})?$")
MOST_NAMES = 2  # columns in front that name a line
LEAST_TEXT = 16  # characters a column of words gets before it is folded
LEAST_NAME = 26
LONGEST_HEAD = 20
EDGE = 2  # and its two sides
BETWEEN = 3  # blanks and lines a column costs


class Column(NamedTuple):
    """One column: its head, its cells, whether all of them are numbers, and the room it needs."""

    head: str
    cells: Sequence[str]
    numbers: bool
    width: int


def drawn(title: str, heads: Sequence[str], lines: Sequence[Sequence[str]], width: int) -> RenderableType:
    """A table of `width` characters at the most, as rich draws it. Without any head it is a list of names and values."""
    from rich.console import Group

    named = any(heads)
    columns = [_column(head, [line[n] for line in lines], named) for n, head in enumerate(heads)]
    parts = list(_parts(columns, width)) if named else [columns]
    return Group(*(_part(title if n == 0 else "", part, named) for n, part in enumerate(parts)))


def _column(head: str, cells: Sequence[str], named: bool) -> Column:
    told = [cell for cell in cells if cell]
    numbers = named and bool(told) and all(NUMBER.match(cell) for cell in told)
    return Column(head, cells, numbers, max(map(len, cells), default=0))


def _parts(columns: Sequence[Column], width: int) -> Iterator[list[Column]]:
    """The columns in as many stretches as are needed, each behind those that name the lines."""
    n_names = next((n for n, column in enumerate(columns) if column.numbers), 0)
    names = list(columns[:n_names]) if n_names <= MOST_NAMES else []
    taken, used = list(names), EDGE + _room(names, LEAST_NAME)
    for column in columns[len(names) :]:
        need = _room([column], LEAST_TEXT)
        if used + need > width and len(taken) > len(names):
            yield taken
            taken, used = list(names), EDGE + _room(names, LEAST_NAME)
        taken.append(column)
        used += need
    yield taken


def _room(columns: Sequence[Column], least: int) -> int:
    return sum(
        (max(x.width, min(len(x.head), LONGEST_HEAD)) if x.numbers else min(max(x.width, len(x.head)), least)) + BETWEEN
        for x in columns
    )


def _part(title: str, columns: Sequence[Column], named: bool) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", show_header=named, box=box.SIMPLE if named else None)
    for column in columns:
        table.add_column(
            column.head, overflow="fold", justify="right" if column.numbers else "left",
            min_width=column.width if column.numbers else None,
        )  # fmt: skip
    for line in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*(Text(cell, style=_tint(cell) if named else "") for cell in line))
    return table


def _tint(cell: str) -> str:
    """The colour of a gain or a loss: what carries a sign and is not zero."""
    if cell[:1] not in "+-" or not NUMBER.match(cell) or not re.search("[1-9]", cell):
        return ""
    return "green" if cell[0] == "+" else "red"
