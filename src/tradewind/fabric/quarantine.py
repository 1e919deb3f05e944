"""The quarantine: what was refused, why, and a person's word on it: release it, or confirm that it stays out.

A release takes the rows from the raw segment, proves that they are what was refused, puts them into their table, makes again
what depended on them (the bars of exactly their minutes, the coverage of their days), and marks as stale every dataset that
read there. Datasets are not changed: they are immutable; a new build has a new id.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
import numpy as np

from tradewind.domain import codes, reasons
from tradewind.domain.errors import BadUse, Corrupt
from tradewind.domain.rows import Rows
from tradewind.storage.lake import Part
from tradewind.storage.projection import OF_KIND, QUARANTINE, ROW_FIELDS, Piece, Source, origin_of, pieces
from tradewind.storage.tape import Tape

from . import catalogue, minutes, unread
from .entries import CONFIRMED, RELEASED
from .raw import open_raw
from .store import Store

STALE = "stale"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of refused rows: their series, reason, place in the raw segment, and what was decided."""

    id: str
    venue: str
    instrument: str
    channel: str
    reason: int
    digest: str
    first_at: int
    last_at: int
    rows: int
    first_ts: int
    last_ts: int
    state: str
    decided_by: str
    decided_ns: int
    note: str
    example: str

    @property
    def why(self) -> str:
        """The reason's name."""
        return reasons.name(self.reason)


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """What a release changed: rows, the ends of the bars made again, the days of coverage, the datasets now stale."""

    id: str
    rows: int
    bars: list[int]
    days: list[str]
    datasets: list[str]


def entries(store: Store, state: str = "", series: str = "") -> list[Entry]:
    """The entries in order of time; of one state, of series whose name begins so."""
    rows = store.records.rows("quarantine", **({"state": state} if state else {}))
    found = [msgspec.convert(row, Entry) for row in rows]
    named = [entry for entry in found if f"{entry.venue}:{entry.instrument}:{entry.channel}".startswith(series)]
    return sorted(named, key=lambda entry: (entry.first_ts, entry.id))


def confirm(store: Store, name: str, by: str = "", note: str = "") -> Entry:
    """Writes down that an entry stays out. Raises BadUse where there is none, or it was released."""
    entry = _entry(store, name)
    if entry.state == RELEASED:
        raise BadUse("it was released", where=entry.id, expected="an entry that is held")
    return _decide(store, entry, CONFIRMED, by, note)


def release(store: Store, name: str, by: str = "", note: str = "") -> Released:
    """Takes the rows of an entry in after all. Raises BadUse, and Corrupt where the raw segment is not what was refused.

    Safe to repeat: a release that was cut is finished by the next.
    """
    with store.alone():
        return _release(store, name, by, note)


def _release(store: Store, name: str, by: str, note: str) -> Released:
    entry = _entry(store, name)
    if entry.channel == unread.CHANNEL:
        todo = "mend the recording, import and ingest it again; or confirm that it stays out"
        raise BadUse("it was refused before it became a row", where=entry.example, expected="an entry of rows", todo=todo)
    tape, rows, at = _raw(store, entry)
    source = Source(origin_of(entry.digest), tape.manifest.instruments)
    made = list(pieces(rows, at, source))
    bars: list[int] = []
    for piece in made:
        _take_in(store, piece, source.origin)
        if piece.table == "trades":
            event = np.where(rows["ts_venue"] > 0, rows["ts_venue"], rows["ts_local"])
            bars += minutes.derive(store.lake, Part(piece.venue, piece.instrument, piece.day), np.unique(_ends(event)).tolist())
    stale = _mark_stale(store, entry, f"quarantine entry {entry.id} was released")
    _recount(store, entry, made, {"decided_by": by, "decided_ns": store.stamp(), "note": note})
    _leave_quarantine(store, entry, at, source.origin)
    return Released(id=entry.id, rows=len(rows), bars=sorted(bars), days=sorted({piece.day for piece in made}), datasets=stale)


def released_rows(store: Store, digest: str) -> set[int]:
    """The indices in a segment of rows that were refused and then released."""
    found: set[int] = set()
    for row in store.records.rows("quarantine", digest=digest, state=RELEASED):
        entry = msgspec.convert(row, Entry)
        found |= set(_raw(store, entry)[2].tolist())
    return found


def _entry(store: Store, name: str) -> Entry:
    found = store.records.rows("quarantine", id=name)
    if not found:
        raise BadUse(f"no entry {name!r}", where="the quarantine", expected="an id that `data quarantine list` prints")
    return msgspec.convert(found[0], Entry)


def _raw(store: Store, entry: Entry) -> tuple[Tape, Rows, Any]:
    """The tape, the refused rows as they lie in it, and their indices. Raises Corrupt where they differ from what was refused."""
    segment = store.records.rows("segments", digest=entry.digest)[0]
    tape = open_raw(segment["tape"])
    place = segment["place"]
    if place >= len(tape.manifest.segments) or tape.manifest.segments[place].sha256 != entry.digest:
        raise Corrupt("another segment lies there now", where=f"{tape.folder} segment {place}", expected=entry.digest)
    rows = tape.segment(place)
    kinds = [kind for kind, table in OF_KIND.items() if catalogue.TABLE_OF[entry.channel] == table.name]
    names = [instrument.name for instrument in tape.manifest.instruments]
    which = names.index(f"{entry.venue}:{entry.instrument}")
    inside = np.arange(entry.first_at, entry.last_at + 1)
    part = rows[inside]
    mine = inside[np.isin(part["kind"], kinds) & (part["instrument"] == which)]
    if entry.state != RELEASED:
        mine = _proven(store, entry, rows, mine)
    elif len(mine) != entry.rows:
        mine = _in_table(store, entry, mine)
    return tape, rows[mine], mine


def _proven(store: Store, entry: Entry, rows: Rows, mine: Any) -> Any:
    """The rows among `mine` that lie in quarantine, each equal to its raw one."""
    import polars as pl

    kept = store.lake.scan("quarantine", (entry.venue, entry.instrument)).filter(
        (pl.col("origin") == origin_of(entry.digest)) & pl.col("at").is_in(mine) & (pl.col("reason") == entry.reason)
    )
    found = kept.sort("at").collect()
    at = found["at"].to_numpy()
    same = all(np.array_equal(found[name].to_numpy(), rows[name][at]) for name in ROW_FIELDS)
    if len(at) != entry.rows or not same:
        raise Corrupt("the raw rows are not those that were refused", where=f"segment {entry.digest}", todo="run `data verify`")
    return at


def _in_table(store: Store, entry: Entry, mine: Any) -> Any:
    import polars as pl

    table = catalogue.TABLE_OF[entry.channel]
    kept = store.lake.scan(table, (entry.venue, entry.instrument)).filter(
        (pl.col("origin") == origin_of(entry.digest)) & pl.col("at").is_in(mine)
    )
    return kept.sort("at").collect()["at"].to_numpy()


def _take_in(store: Store, piece: Piece, origin: int) -> None:
    """Adds the piece to its partition; rows that a cut attempt left there are replaced."""
    import polars as pl

    part = Part(piece.venue, piece.instrument, piece.day)
    before = store.lake.part(piece.table, part)
    kept = before.filter(~((pl.col("origin") == origin) & pl.col("at").is_in(piece.frame["at"].implode())))
    store.lake.replace(piece.table, part, pl.concat([kept, piece.frame]))


def _leave_quarantine(store: Store, entry: Entry, at: Any, origin: int) -> None:
    import polars as pl

    gone = pl.Series(np.asarray(at), dtype=pl.Int32).implode()
    for part in store.lake.parts(QUARANTINE.name):
        if (part.venue, part.instrument) == (entry.venue, entry.instrument):
            before = store.lake.part(QUARANTINE.name, part)
            kept = before.filter(~((pl.col("origin") == origin) & pl.col("at").is_in(gone)))
            if kept.height < before.height:
                store.lake.replace(QUARANTINE.name, part, kept)


def _recount(store: Store, entry: Entry, made: list[Piece], decided: dict[str, Any]) -> None:
    """Moves the rows from quarantined to accepted in the records, and the entry to released, in one transaction."""
    records, series = store.records, (entry.venue, entry.instrument, entry.channel)
    by_day: dict[str, int] = defaultdict(int)
    for piece in made:
        by_day[piece.day] += piece.frame.height
    total = sum(by_day.values())
    with records.change() as connection:
        if entry.state != RELEASED:
            segment = records.rows("segments", digest=entry.digest)[0]
            counts = {"accepted": segment["accepted"] + total, "quarantined": segment["quarantined"] - total}
            records.update(connection, "segments", {"digest": entry.digest}, counts)
            for day, n in by_day.items():
                key = {**dict(zip(catalogue.SERIES, series, strict=True)), "day": day, "digest": entry.digest}
                row = records.rows("sources", **key)[0]
                records.update(connection, "sources", key, {"rows": row["rows"] + n, "quarantined": row["quarantined"] - n})
            records.update(connection, "quarantine", {"id": entry.id}, {"state": RELEASED, **decided})
            cause = {"venue": entry.venue, "instrument": entry.instrument, "channel": entry.channel, "start_ns": entry.first_ts}
            table = records.table("gaps")
            matched = [table.c[name] == value for name, value in cause.items()]
            connection.execute(table.delete().where(*matched, table.c.cause == entry.why))
    catalogue.refresh(store, {series})


def _mark_stale(store: Store, entry: Entry, why: str) -> list[str]:
    """Every dataset that read this series and segment where the entry lies."""
    inputs = store.records.rows("dataset_inputs", digest=entry.digest, venue=entry.venue, instrument=entry.instrument)
    stale = sorted({row["dataset"] for row in inputs if row["first_ts"] <= entry.last_ts and row["last_ts"] >= entry.first_ts})
    with store.records.change() as connection:
        for name in stale:
            store.records.update(connection, "datasets", {"id": name}, {"state": STALE, "why": why})
    return stale


def _decide(store: Store, entry: Entry, state: str, by: str, note: str) -> Entry:
    decided: dict[str, Any] = {"state": state, "decided_by": by, "decided_ns": store.stamp(), "note": note}
    with store.records.change() as connection:
        store.records.update(connection, "quarantine", {"id": entry.id}, decided)
    return msgspec.structs.replace(entry, **decided)


def _ends(event: Any) -> Any:
    """The ends of the minutes in which events lie."""
    return (event // codes.MINUTE + 1) * codes.MINUTE


def shown(entry: Entry) -> dict[str, Any]:
    """An entry as a command tells it."""
    return {**msgspec.structs.asdict(entry), "reason": entry.why, "code": entry.reason}
