"""The catalogue: how much there is of each series and day, what is missing in it, and how good it is.

A series is venue, instrument and channel. Its quality on a day is the share of its rows that were believed, times the share of
the time between its first and last row that no gap took: 1 is a day without a fault, 0 one that nobody should use.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

import msgspec

from tradewind.domain.errors import BadUse
from tradewind.storage.lake import Part
from tradewind.storage.projection import CHANNELS

from .store import Store

TABLE_OF = {channel: table for table, channel in CHANNELS.items()}
SERIES = ("venue", "instrument", "channel")


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """One series on one day; times in ns, `gap_ns` is clipped to the day and to first_ts..last_ts."""

    venue: str
    instrument: str
    channel: str
    day: str
    rows: int
    quarantined: int
    duplicates: int
    first_ts: int
    last_ts: int
    gaps: int
    gap_ns: int
    quality: float

    @property
    def series(self) -> str:
        """`venue:instrument:channel`."""
        return f"{self.venue}:{self.instrument}:{self.channel}"


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch in which a series is not complete."""

    venue: str
    instrument: str
    channel: str
    start_ns: int
    stop_ns: int
    cause: str


def coverage(store: Store, series: str = "") -> list[Covered]:
    """Every series and day, in order; those whose name begins with `series`."""
    found = [msgspec.convert(row, Covered) for row in store.records.rows("coverage")]
    return [row for row in found if row.series.startswith(series)]


def known(store: Store, series: str) -> None:
    """Raises BadUse, with names that come close, where the store has no series that begins so; "" is every series."""
    names = sorted({":".join(row[name] for name in SERIES) for row in store.records.rows("coverage")})
    if not series or any(name.startswith(series) for name in names):
        return
    short = sorted({name.rpartition(":")[0] for name in names})
    near = get_close_matches(series, (*short, *names), 3, 0.5)
    told = near or short[:5] or ["nothing yet"]
    raise BadUse(f"no series {series!r}", where="the store", expected=", ".join(told), todo="`tradewind data coverage` lists all")


def gaps(store: Store, series: str = "") -> list[Gap]:
    """Every gap, oldest first."""
    found = [Gap(**{name: row[name] for name in Gap.__struct_fields__}) for row in store.records.rows("gaps")]
    named = [gap for gap in found if f"{gap.venue}:{gap.instrument}:{gap.channel}".startswith(series)]
    return sorted(named, key=lambda gap: (gap.start_ns, gap.venue, gap.instrument, gap.channel))


def quality_of(rows: int, quarantined: int, gap_ns: int, span_ns: int) -> float:
    """The share of rows believed times the share of time without a gap."""
    believed = rows / (rows + quarantined) if rows + quarantined else 0.0
    whole = 1.0 - min(gap_ns / span_ns, 1.0) if span_ns > 0 else 1.0
    return round(believed * whole, 6)


def refresh(store: Store, series: Collection[tuple[str, str, str]]) -> None:
    """Makes the coverage rows of these series again."""
    made = []
    for one in sorted(series):
        key = dict(zip(SERIES, one, strict=True))
        days: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in store.records.rows("sources", **key):
            days[row["day"]].append(row)
        holes = [(row["start_ns"], row["stop_ns"]) for row in store.records.rows("gaps", **key)]
        made += [{**key, **_day(store, one, day, rows, holes)} for day, rows in days.items()]
    with store.records.change() as connection:
        store.records.put(connection, "coverage", made)


def _day(
    store: Store, series: tuple[str, str, str], day: str, sources: list[dict[str, Any]], holes: list[tuple[int, int]]
) -> dict[str, Any]:
    counted = {name: sum(row[name] for row in sources) for name in ("rows", "quarantined", "duplicates")}
    first, last = _times(store, TABLE_OF[series[2]], Part(series[0], series[1], day))
    inside = _clipped(holes, first, last)
    gap_ns = sum(stop - start for start, stop in inside)
    quality = quality_of(counted["rows"], counted["quarantined"], gap_ns, last - first)
    return {"day": day, **counted, "first_ts": first, "last_ts": last, "gaps": len(inside), "gap_ns": gap_ns, "quality": quality}


def _times(store: Store, table: str, part: Part) -> tuple[int, int]:
    """The first and last ts_local of a partition."""
    times = store.lake.part(table, part)["ts_local"]
    return (int(times.min()), int(times.max())) if len(times) else (0, 0)  # type: ignore[arg-type]


def _clipped(holes: list[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    """The parts of the holes inside [first, last], overlapping ones joined."""
    found: list[tuple[int, int]] = []
    for start, stop in sorted((max(start, first), min(stop, last)) for start, stop in holes):
        if start >= stop:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found


def missing_days(store: Store, series: tuple[str, str, str], first_day: str, last_day: str) -> list[str]:
    """The days of [first_day, last_day] of which the store has no row of the series."""
    from tradewind.storage.projection import day_number, day_text

    have = {row["day"] for row in store.records.rows("coverage", **dict(zip(SERIES, series, strict=True))) if row["rows"]}
    return [day for day in map(day_text, range(day_number(first_day), day_number(last_day) + 1)) if day not in have]
