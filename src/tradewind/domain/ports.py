"""The ports: what a part of Tradewind asks of its neighbour, where there is more than one neighbour it may get.

Each is a Protocol of one or two members. Whoever has those members fits; nothing is registered and nothing inherited.
The compiled rooms have none: there a composition chooses modules by name (`engine.compose`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .rows import Rows


class Sink(Protocol):
    """Where a session's journal rows go: a journal's writer, a recorder around it, the comparison after a restart."""

    def append(self, rows: Rows, digest: int = 0) -> Any:
        """Takes the next rows of the journal; digest: of the state after them, 0 where none was made."""


class Segments(Protocol):
    """What TAPE rows point into: a tape, or a market log's reader."""

    def segment(self, index: int) -> Rows:
        """The rows of one segment. Raises BadData where there is none."""


class Strategy(Protocol):
    """A strategy in Python. It is woken by rows, and what it answers is a row."""

    wakes: tuple[str, str]
    parameters: Mapping[str, float]

    def on_bar(self, bar: Any, market: Any) -> Any:
        """The wished position (a `strategies.base.Target`) after a closed `Bar` in a `Market`; None changes nothing."""
