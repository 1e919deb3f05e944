"""Data types that other packages bring: a series of numbers by an entry point, asked over HTTP, kept as observations.

A package adds one by an entry point of the group `tradewind.data`: its name is the series', what it loads is called without
arguments and gives a `Series`. Like a venue's adapter it owns no socket and no clock: requests out, answers in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

import msgspec

from tradewind.domain.errors import BadData, BadUse
from tradewind.venues.adapter import Answer, Ask, Fact

from .observations import LARGEST, Observation
from .transport import Transport
from .webhook import NAME

GROUP = "tradewind.data"


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """What a series' `samples()` gives, so that it can be checked without its source."""

    answers: Sequence[bytes]  # bodies as the source gives them
    heard_ns: int  # when they came


class Series(Protocol):
    """A data type. `facts` say where it comes from and what is known of its publication, each with its document and date."""

    name: str
    unit: str
    url: str
    facts: Mapping[str, Fact]

    def ask(self, since_ns: int) -> Ask:
        """For everything published since a time."""

    def read(self, answer: Answer) -> list[Observation]:
        """The observations of an answer. Raises BadData where it is none."""


def installed() -> dict[str, EntryPoint]:
    """Entry points of other packages, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def series_of(name: str) -> Series:
    """A new series by its name. Raises BadUse where there is none, or where its package cannot be loaded."""
    points = installed()
    point = points.get(name)
    if point is None:
        raise BadUse(
            f"no package brings the series {name!r}", where=GROUP, expected=", ".join(sorted(points)) or "an installed plug-in",
            todo="install its package; docs/plugins.md shows one",
        )  # fmt: skip
    made: Any
    try:
        made = point.load()()
    except Exception as error:  # a stranger's code: whatever it raises is told as what it is
        raise BadUse(
            f"the plug-in {name!r} cannot be loaded: {type(error).__name__}: {error}", where=point.value,
            expected="a callable without arguments that gives a Series", todo="mend or remove the package",
        ) from error  # fmt: skip
    return cast(Series, made)


def read(series: Series, answer: Answer) -> list[Observation]:
    """What a series makes of an answer, held to what an observation is. Raises BadData."""
    if not NAME.fullmatch(series.name):
        raise BadData(f"{series.name!r} is no name of a series", expected="letters, digits, dot, dash")
    found = series.read(answer)
    for one in found:
        if fault := wrong(one, answer.received_ns):
            raise BadData(fault, where=series.name, expected="event <= publication <= when it came")
    return sorted(found)


def wrong(one: Any, heard_ns: int) -> str:
    """What is wrong with an observation that came at a time; "" where nothing is."""
    if not isinstance(one, Observation) or not all(isinstance(x, int) for x in msgspec.structs.astuple(one)):
        return f"{type(one).__name__} is no Observation of whole numbers"
    if abs(one.value_e9) >= LARGEST:
        return "a value out of all reach"
    if one.published_ns < one.event_ns:
        return "published before it happened"
    return "published after it came" if one.published_ns > heard_ns else ""


async def fetch(transport: Transport, series: Series, since_ns: int) -> list[Observation]:
    """What the source has published since a time. Raises Unreachable, OutcomeUnknown, BadData."""
    return read(series, await transport.ask(series.url, series.ask(since_ns)))
