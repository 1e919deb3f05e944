"""A tape becomes lake rows, quarantine and catalogue; every raw row ends in exactly one of three places.

    raw = accepted + quarantined + duplicates

Segment by segment: the sieve says what the machine makes of each row, what the lake already has is a duplicate, the rest goes
into the lake or into quarantine with its reason and its place in the raw segment. A segment is written down in the records
last; one whose writing was cut is taken out of the lake again before the next attempt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.storage.lake import Part
from tradewind.storage.projection import CHANNELS, OF_KIND, RULE_NAMES, RULE_OF, Piece, Source, origin_of, pieces, rules_of
from tradewind.storage.tape import Tape, TapeSegment

from . import entries, gaps, minutes
from .beliefs import Day
from .sieve import TAKEN, TWICE, Judge, Sieve
from .store import Store
from .unread import entries_of as unread_of

if TYPE_CHECKING:
    import polars as pl

Say = Callable[[str], None]
IDENTITY = {
    "trades": ("trade_id", "ts_venue", "side", "price_units", "quantity_units"),
    "bars": ("timeframe", "ts_venue", "open_units", "high_units", "low_units", "close_units", "volume_units"),
}
"""What makes two rows of a series one event told twice. Depth and quotes have no such key: their order is what they mean."""
DATABLE = 1 << 62
COMMAND = "data ingest"


class Ingested(msgspec.Struct, kw_only=True):
    """What an ingest did; counts of rows. `known` are segments that were there already; `other` rows belong to no table."""

    raw: int = 0
    accepted: int = 0
    quarantined: int = 0
    duplicates: int = 0
    other: int = 0
    segments: int = 0
    known: int = 0
    series: int = 0
    gaps: int = 0
    entries: int = 0


def ingest(
    store: Store, tape: Tape, judge: Judge | None = None, say: Say = lambda line: None, only: Container[str] | None = None
) -> Ingested:
    """Takes a tape into the store. Safe to repeat: what is there already is only counted.

    only: up to the last segment whose digest is among these. Raises BadUse where the store has taken in another tape from there.
    """
    with store.alone():
        _refuse_another(store, tape)
        _take_out_cut(store)
        work = _Ingest(store, tape, judge)
        segments = tape.manifest.segments
        wanted = [n for n, segment in enumerate(segments, 1) if only is None or segment.sha256 in only]
        for index, segment in enumerate(segments[: max(wanted, default=0)]):
            work.segment(index, segment)
            say(f"{tape.folder.name}: segment {index + 1} of {len(segments)}, {work.done.raw:,} rows")
        work.finish()
        return work.done


def _take_out_cut(store: Store) -> None:
    """What an ingest that was cut had put into the lake, of a tape that may not be there any more."""
    known = {row["digest"] for row in store.records.rows("segments")}
    for row in store.records.rows("runs", command=COMMAND, state="started"):
        digest = row["id"].partition(" ")[2]
        if digest not in known:
            take_out(store, origin_of(digest))
        with store.records.change() as connection:
            store.records.update(connection, "runs", {"id": row["id"]}, {"state": "cut" if digest not in known else "done"})


def _refuse_another(store: Store, tape: Tape) -> None:
    """Depth and quotes have no key by which rows told twice are found: another tape at a known place would tell them again."""
    here = {segment.sha256 for segment in tape.manifest.segments}
    gone = [row for row in store.records.rows("segments", tape=str(tape.folder.absolute())) if row["digest"] not in here]
    if gone:
        raise BadUse(
            f"the store took in another tape from here: its segment {gone[0]['place'] + 1} had {gone[0]['rows']:,} rows",
            where=str(tape.folder), expected="what was taken in, at most with more segments behind it",
            todo="put the new tape into a folder of its own, or take it into a new store",
        )  # fmt: skip


class _Ingest:
    def __init__(self, store: Store, tape: Tape, judge: Judge | None) -> None:
        self.store, self.tape = store, tape
        manifest = tape.manifest
        self.sieve = Sieve(manifest.instruments, manifest.streams, judge, manifest.notes)
        self.known = {row["digest"] for row in store.records.rows("segments")}
        self.gaps = gaps.Watch(manifest.instruments, manifest.streams)
        self.done = Ingested()
        self.told_rules = False
        self.instruments = list(manifest.instruments)  # with the rules that hold where the reading stands
        self.touched: set[Part] = set()
        self.series: set[tuple[str, str, str]] = set()

    def segment(self, index: int, segment: TapeSegment) -> None:
        rows = self.tape.segment(index)
        fates, believed = self.sieve.fates(rows), self.sieve.beliefs()
        told = self.gaps.see(rows, fates, segment.sha256)
        unread = [] if index else unread_of(self.tape.manifest, segment)
        n_unread = sum(entry["rows"] for entry in unread)
        self.done.segments += 1
        self.done.raw += len(rows) + n_unread
        if segment.sha256 in self.known:
            self.done.known += 1
            self.done.duplicates += len(rows) + n_unread
            deque(self._changed(rows), 0)
            return
        self.known.add(segment.sha256)
        run = f"ingest {segment.sha256}"
        self._note_run(run, "started")
        other = ~np.isin(rows["kind"], list(OF_KIND))
        source = Source(origin_of(segment.sha256), self.tape.manifest.instruments)
        self._mark_duplicates(rows, fates, source)
        taken = np.flatnonzero((fates == TAKEN) & ~other)
        refused = np.flatnonzero((fates > 0) & ~other)
        made = list(pieces(rows[taken], taken, source))
        self.store.lake.append([*made, *self._rules(segment, source), *self._new_rules(rows, source)])
        self.store.lake.append(pieces(rows[refused], refused, source, fates[refused]))
        self.touched |= {Part(piece.venue, piece.instrument, piece.day) for piece in made if piece.table == "trades"}
        self._record(index, segment, rows, (fates, other), (told, unread))
        self._believe(segment.sha256, believed)
        self._note_run(run, "done")

    def finish(self) -> None:
        """Bars of the days that got trades, and the gaps that were still open."""
        for part in sorted(self.touched):
            minutes.derive(self.store.lake, part)
        with self.store.records.change() as connection:
            found = self.gaps.close()
            self.store.records.put(connection, "gaps", found)
            self.done.gaps += len(found)
        refresh(self.store, self.series)
        self.done.series = len(self.series)

    def _rules(self, segment: TapeSegment, source: Source) -> Iterator[Piece]:
        """The rules this tape says hold, of each instrument for which the lake has others or none."""
        told, self.told_rules = self.told_rules, True
        for at, instrument in enumerate(() if told else self.instruments):
            piece = rules_of(instrument, at, source.origin, segment.first_ts)
            before = self.store.lake.rules((piece.venue, piece.instrument), segment.first_ts)
            if any(piece.frame[name][0] != before.get(name) for name in (*RULE_NAMES, "symbol")):
                yield piece

    def _new_rules(self, rows: Rows, source: Source) -> Iterator[Piece]:
        """The rules and trading status that RULE rows say hold from then on."""
        for at, instrument in self._changed(rows):
            yield rules_of(instrument, at, source.origin, int(rows["ts_local"][at]))

    def _changed(self, rows: Rows) -> Iterator[tuple[int, Instrument]]:
        """(index of a RULE row, its instrument as it is from then on), where it says something new."""
        for at in np.flatnonzero(rows["kind"] == codes.RULE).tolist():
            row = rows[at]
            name, number = RULE_OF.get(int(row["ref"])), int(row["instrument"])
            before = self.instruments[number]
            if name is not None and getattr(before, name) != int(row["value"]):
                self.instruments[number] = msgspec.structs.replace(before, **{name: int(row["value"])})
                yield at, self.instruments[number]

    def _mark_duplicates(self, rows: Rows, fates: NDArray[np.int16], source: Source) -> None:
        """Sets TWICE on taken trades and bars that the lake, or an earlier row here, has already."""
        import polars as pl

        mine = np.flatnonzero((fates == TAKEN) & np.isin(rows["kind"], (codes.TRADE, codes.BAR)))
        for piece in pieces(rows[mine], mine, source):
            names = list(IDENTITY[piece.table])
            frame = piece.frame
            twice = frame.select(pl.struct(names).is_first_distinct().not_()).to_series()
            there = self._there(piece, names)
            if there.height:
                fresh = frame.select(*names, "at").join(there, on=names, how="anti")["at"]
                twice = twice | ~frame["at"].is_in(fresh.implode())
            if piece.table == "trades":
                twice = twice & (frame["trade_id"] != 0)
            fates[frame["at"].filter(twice).to_numpy()] = TWICE

    def _there(self, piece: Piece, names: list[str]) -> pl.DataFrame:
        part = Part(piece.venue, piece.instrument, piece.day)
        return self.store.lake.part(piece.table, part).select(names).unique()

    def _record(
        self,
        index: int,
        segment: TapeSegment,
        rows: Rows,
        fate: tuple[NDArray[np.int16], NDArray[np.bool_]],
        found: tuple[list[Any], list[dict[str, Any]]],
    ) -> None:
        """`fate` of each row, and which belong to no table; what was `found`: gaps, and entries of what never became a row."""
        (fates, other), (told, unread), records, manifest = fate, found, self.store.records, self.tape.manifest
        counted = [int(np.sum(which & ~other)) for which in (fates == TAKEN, fates > 0, fates == TWICE)]
        n_unread = sum(entry["rows"] for entry in unread)
        counted[1] += n_unread
        made = entries.entries_of(rows, fates, segment.sha256, manifest.instruments) + unread
        with records.change() as connection:
            records.put(connection, "gaps", told)
            records.put(connection, "quarantine", made)
            records.put(connection, "sources", self._sources(rows, fates, segment.sha256))
            records.put(
                connection,
                "segments",
                [
                    {
                        "digest": segment.sha256, "tape": str(self.tape.folder.absolute()), "place": index,
                        "rows": len(rows) + n_unread, "first_ts": segment.first_ts, "last_ts": segment.last_ts,
                        "accepted": counted[0], "quarantined": counted[1], "duplicates": counted[2], "other": int(other.sum()),
                        "machine": self.sieve.judge.hash, "ingested_ns": self.store.stamp(),
                    }
                ],
            )  # fmt: skip
        self.done.accepted += counted[0]
        self.done.quarantined += counted[1]
        self.done.duplicates += counted[2]
        self.done.other += int(other.sum())
        self.done.gaps += len(told)
        self.done.entries += len(made)

    def _believe(self, digest: str, days: dict[int, Day]) -> None:
        """Writes down what the machine believed of each source while it judged the segment."""
        names = [(x.venue, x.name.partition(":")[2]) for x in self.tape.manifest.instruments]
        with self.store.records.change() as connection:
            for number, day in days.items():
                self.store.records.put(connection, "beliefs", day.rows(names, number, digest))

    def _sources(self, rows: Rows, fates: NDArray[np.int16], digest: str) -> list[dict[str, Any]]:
        """What the segment gave to each series and day."""
        event = np.where(rows["ts_venue"] > 0, rows["ts_venue"], rows["ts_local"]) // codes.DAY
        keys = np.stack([rows["kind"].astype(np.int64), rows["instrument"].astype(np.int64), event])
        found, which = np.unique(keys, axis=1, return_inverse=True)
        made: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        for n, (kind, instrument, day) in enumerate(found.T.tolist()):
            if kind not in OF_KIND:
                continue
            mine = fates[which.reshape(-1) == n]
            series = series_of(self.tape.manifest.instruments[instrument], CHANNELS[OF_KIND[kind].name])
            self.series.add(series)
            row = made.setdefault((*series, str(np.datetime64(day, "D"))), {"rows": 0, "quarantined": 0, "duplicates": 0})
            row["rows"] += int(np.sum(mine == TAKEN))
            row["quarantined"] += int(np.sum(mine > 0))
            row["duplicates"] += int(np.sum(mine == TWICE))
        names = ("venue", "instrument", "channel", "day")
        return [{**dict(zip(names, key, strict=True)), "digest": digest, **row} for key, row in made.items()]

    def _note_run(self, run: str, state: str) -> None:
        now = self.store.clock()
        row = {"id": run, "command": COMMAND, "started_ns": now, "ended_ns": now, "state": state, "details": ""}
        with self.store.records.change() as connection:
            self.store.records.put(connection, "runs", [row])


def take_out(store: Store, origin: int) -> int:
    """Removes every lake row of one segment; returns how many. Other rows stay as they are."""
    import polars as pl

    gone = 0
    for table in (*CHANNELS, "quarantine", "rules"):
        for part in store.lake.parts(table):
            frame = store.lake.part(table, part)
            kept = frame.filter(pl.col("origin") != origin)
            if kept.height < frame.height:
                store.lake.replace(table, part, kept)
                gone += frame.height - kept.height
    return gone


def series_of(instrument: Any, channel: str) -> tuple[str, str, str]:
    """(venue, instrument, channel)."""
    return instrument.venue, instrument.name.partition(":")[2], channel


def refresh(store: Store, series: set[tuple[str, str, str]]) -> None:
    """Makes the coverage rows of these series again, from their sources, the gaps and the lake's times."""
    from . import catalogue

    catalogue.refresh(store, series)
