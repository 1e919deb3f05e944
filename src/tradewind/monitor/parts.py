"""Frames too long to be held: a table is a Polars frame, or parts of one that come one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import polars as pl


class Parts(Protocol):
    """A long frame: how many rows, and its rows in order as frames of one schema, at least one."""

    @property
    def height(self) -> int:
        """Rows of all parts together."""
        ...

    def frames(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """The parts, in order; of all columns or of some."""
        ...


Table = pl.DataFrame | Parts


def parts(table: Table, *columns: str) -> Iterator[pl.DataFrame]:
    """The frames of a table, in order, at least one; of all columns where none is named."""
    if not isinstance(table, pl.DataFrame):
        return table.frames(columns or None)
    return iter((table.select(columns) if columns else table,))


def whole(table: Table) -> pl.DataFrame:
    """A table as one frame, in memory."""
    return table if isinstance(table, pl.DataFrame) else pl.concat(table.frames(), rechunk=True)
