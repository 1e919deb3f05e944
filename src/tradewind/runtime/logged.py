"""A run whose market rows nobody else keeps: market log, journal that names its rows, snapshots, retention, recovery.

    journal/     facts, commands, answers, digests; TAPE rows name rows of the market log. Kept for ever
    market/      every market row, packed; pruned by age, but never behind the older of the two last verified snapshots
    snapshots/   the state of machine, venue and seats

Rows reach the market log before the machine, and the kernel before the journal names them. After a kill the newest snapshot
that proves itself and stands in the journal is loaded, the rows behind it are played again, every row the machine says is
compared with the recorded one, and the run goes on with the row after the log's last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from tradewind import __version__
from tradewind.domain import codes
from tradewind.domain.errors import BadUse, Corrupt
from tradewind.domain.instruments import Stream
from tradewind.domain.ports import Sink
from tradewind.domain.rows import ROW, Rows, rows, words
from tradewind.engine.compose import Machine
from tradewind.engine.snapshot import restore
from tradewind.kernel.jit import direct
from tradewind.storage.background import Background
from tradewind.storage.files import Part
from tradewind.storage.journal import JournalHeader, JournalReader, JournalWriter
from tradewind.storage.marketlog import MarketLog, MarketReader
from tradewind.storage.snapshots import Moment, Snapshot, Snapshots

from .planning import Plan, plan_of
from .recovery import Resumed, announce, recorded_rows, take_up, upgraded
from .session import Session, proof_of

JOURNAL, MARKET, SNAPSHOTS = "journal", "market", "snapshots"
LEAST_SNAPSHOT_NS = 30 * codes.SECOND
Durability = Literal["process", "power"]


class Companion(Protocol):
    """Looks on while rows are played. What it knows is kept with every snapshot, so that it goes on where the run does."""

    def heard(self, rows: Rows) -> None:
        """Called with every piece of market rows."""
        ...

    def look(self, session: Session, ts: int) -> None:
        """Called when the session has played a piece, with the time of its last row."""
        ...

    def kept(self) -> bytes:
        """What it knows."""
        ...

    def found(self, data: bytes) -> None:
        """Goes on from what was kept."""
        ...


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """How often a snapshot is taken (at least 30 s apart, in journal time) and how long market rows are kept; 0: for ever."""

    snapshot_ns: int = codes.MINUTE
    market_ns: int = codes.DAY
    durability: Durability = "process"
    companions: tuple[Companion, ...] = ()

    def __post_init__(self) -> None:
        if self.snapshot_ns < LEAST_SNAPSHOT_NS:
            raise BadUse(f"a snapshot every {self.snapshot_ns / 1e9:g} s", expected="30 s or more between two")


class Took(msgspec.Struct):
    """Time by what it was spent on, in ns of the clock that `measure` was given."""

    machine: int = 0  # machine, venue and seats
    market_log: int = 0
    worker: int = 0  # processor time of the market log's own thread, whatever the clock; known when the run is closed
    journal: int = 0
    snapshots: int = 0
    n_snapshots: int = 0


class Named:
    """A journal sink that makes TAPE rows name rows of the market log, and joins stretches in which nothing was said."""

    _rows: Rows
    _words: NDArray[np.int64]  # the same bytes

    def __init__(self, sink: Sink, log: MarketLog, clock: Callable[[], int]) -> None:
        from .stretches import name_rows  # brings the compiler with it

        self.sink, self.log, self.clock = sink, log, clock
        self.shift = 0  # from an index in the rows being played to one in their segment
        self.ns = 0
        self._n = 0  # rows that wait: the first of `_rows`, which grows to the longest append
        self._grow(1 << 10)
        self._name = direct(name_rows, words(rows(0)), 0, self._words, 0)  # compiled now, not at a row

    def append(self, part: Rows, digest: int = 0) -> Any:
        """Takes journal rows as the session makes them; a stretch of tape at their end waits for what comes after it."""
        began = self.clock()
        if len(part) >= len(self._rows):
            self._grow(2 * len(part))
        n, keep = self._name(words(part), self.shift, self._words, self._n)
        if digest:
            keep = n
        if keep:
            self.log.flush()
            self.sink.append(self._rows[:keep], digest)
            if keep < n:
                self._words[0] = self._words[keep]
        self._n = n - keep
        self.ns += self.clock() - began

    def flush(self, digest: int = 0) -> None:
        """Journals the stretch that waits."""
        n, self._n = self._n, 0
        if n or digest:
            self.log.flush()
            self.sink.append(self._rows[:n], digest)

    def _grow(self, size: int) -> None:
        grown = rows(size)
        if self._n:
            words(grown)[0] = self._words[0]
        self._rows, self._words = grown, words(grown)


class LoggedRun:
    """A session fed row by row from outside. `begin` starts one, `resume` takes one up; then `feed`, and `finish`."""

    def __init__(self, folder: Path, made: Plan, machine: Machine, keeping: Keeping) -> None:
        """Use `begin` or `resume`."""
        self.folder, self.made, self.machine, self.keeping = folder, made, machine, keeping
        self.companions = keeping.companions
        self.wrote = ""  # the machine whose journal was taken up by its facts
        self.clock: Callable[[], int] = time.perf_counter_ns
        self.took = Took()
        self.snapshots = Snapshots(folder / SNAPSHOTS)
        self.log: MarketLog
        self.writer: JournalWriter
        self.named: Named
        self.session: Session
        self.row = 0  # of the market log: the next to be played
        self._snapped = self._worker_before = 0

    @classmethod
    def begin(
        cls, folder: Path, made: Plan, streams: list[Stream], ts_local: int, keeping: Keeping, machine: Machine | None = None
    ) -> Self:
        """A new run in an empty folder. ts_local: no later than the first row's."""
        machine = machine or made.machine()
        self = cls(folder, made, machine, keeping)
        head = JournalHeader(
            run=folder.name, machine_hash=machine.hash, build=machine.build, configuration=made.to_json(),
            instruments=list(made.setup.instruments), streams=streams, made_by=f"tradewind {__version__}",
            created_ts=time.time_ns(), notes={MARKET: MARKET, "began": ts_local},
        )  # fmt: skip
        with self._or_let_go():
            self.writer = JournalWriter(folder / JOURNAL, head, keeping.durability)
            self.log = MarketLog(folder / MARKET, list(made.setup.instruments), streams, head.made_by, worker=_worker())
            self.named = Named(self.writer, self.log, self.clock)
            self.session = Session(machine, made.setup, ts_local, made.make_seats(), self.named)
        self._snapped = ts_local
        return self

    @classmethod
    def resume(cls, folder: Path, keeping: Keeping, machine: Machine | None = None) -> Self:
        """Takes a run up where it was killed; the next row to `feed` is number `row` of the market log. Raises Corrupt, BadUse.

        Another machine than the one that wrote the journal takes it up by its facts (`wrote` names the other).
        """
        head = JournalReader(folder / JOURNAL).header
        made = plan_of(head.configuration)
        self = cls(folder, made, machine or made.machine(), keeping)
        with self._or_let_go():
            self.writer = JournalWriter.reopen(folder / JOURNAL, keeping.durability)
            self.log = MarketLog.reopen(folder / MARKET, worker=_worker())
            self._resume(head)
        return self

    def _resume(self, head: JournalHeader) -> None:
        began = int(head.notes.get("began") or next(self._logged())["ts_local"][0])
        self._snapped = began
        snapshot, recorded = self._where_to_begin(head.machine_hash)
        if snapshot is None and (self.machine.hash != head.machine_hash or upgraded(recorded)):
            self._take_up_by_facts(recorded, began, head.machine_hash)
            return
        resumed = Resumed(recorded, self.writer)
        self.named = Named(resumed, self.log, self.clock)
        self.session = Session(self.machine, self.made.setup, began, self.made.make_seats(), None if snapshot else self.named)
        self.session.journal = self.named
        if snapshot is not None:
            self._load(snapshot)
        self._catch_up(resumed)

    @contextmanager
    def _or_let_go(self) -> Iterator[None]:
        """Leaves no lock behind where a run could not be begun."""
        try:
            yield
        except BaseException:  # also on Ctrl-C: the locks must not stay
            for name in ("writer", "log"):
                if hasattr(self, name):
                    getattr(self, name).close()
            raise

    # Playing ---------------------------------------------------------------------------------------------------------------

    def feed(self, market: Rows) -> None:
        """Market rows in journal order: into the log, then through the machine; a snapshot where one is due."""
        if not len(market):
            return
        began = self.clock()
        self.log.append(market)
        self.took.market_log += self.clock() - began
        self._play(market)
        now = int(market["ts_local"][-1])
        if now - self._snapped >= self.keeping.snapshot_ns:
            self.snapshot(now)

    def measure(self, clock: Callable[[], int]) -> None:
        """From now on `took` counts by this clock."""
        self.clock = self.named.clock = clock
        self.took, self.named.ns = Took(), 0
        self._worker_before = self.log.worker_ns

    def finish(self, until_ns: int) -> None:
        """Lets what is under way arrive, and closes. The folder then holds a whole run."""
        self.named.shift = 0
        self.session.settle(until_ns)
        self.close()

    def close(self) -> None:
        """Writes what waits and lets the folder go; a closed run can be taken up like a killed one."""
        try:
            self.named.flush()
        finally:
            self.writer.close()
            self.log.close()
        self.took.worker = self.log.worker_ns - self._worker_before

    def _play(self, market: Rows) -> None:
        """Plays rows that stand in the log from number `row` on, cut where a segment ends."""
        while len(market):
            segment, offset = divmod(self.row, self.log.manifest.segment_rows)
            part = market[: self.log.manifest.segment_rows - offset]
            self.named.shift, before, began = offset, self.named.ns, self.clock()
            self.session.play(part, segment)
            spent, journal = self.clock() - began, self.named.ns - before
            self.took.machine += spent - journal
            self.took.journal += journal
            self.row += len(part)
            market = market[len(part) :]
            for companion in self.companions:
                companion.heard(part)
            self._look(self.session, int(part["ts_local"][-1]))

    # Snapshots and retention -----------------------------------------------------------------------------------------------

    def snapshot(self, now: int) -> Snapshot:
        """Takes a snapshot, and prunes what neither it nor the one before it needs and what is older than is kept."""
        began = self.clock()
        self.named.flush(proof_of(self.session.state))
        self.log.sync()
        self.writer.sync()
        place, session = self.writer.place, self.session
        moment = Moment(
            machine_hash=self.machine.hash, build=self.machine.build, ts_local=now, market_row=self.row, chain=place.chain.hex(),
            batches=place.batches, rows=place.rows,
            extras={
                "rows": session.rows, "emitted": session.emitted, "at": list(session.at),
                "seats": {str(k): [x.busy_until, x.skipped, list(x.answers_at)] for k, x in session.seats.items()},
            },
        )  # fmt: skip
        state: list[Part] = [session.state.view(np.uint8).data, session.physics.view(np.uint8).data]
        taken = self.snapshots.take(moment, [*state, *(companion.kept() for companion in self.companions)])
        self._prune(now)
        self._snapped = now
        self.took.snapshots += self.clock() - began
        self.took.n_snapshots += 1
        return taken

    def _prune(self, now: int) -> None:
        if self.keeping.market_ns <= 0:
            return
        manifest = self.log.manifest
        old = sum(segment.last_ts < now - self.keeping.market_ns for segment in manifest.segments)
        self.log.prune(min(self.snapshots.oldest_row(), (manifest.pruned + old) * manifest.segment_rows))

    def _where_to_begin(self, wrote: str) -> tuple[Snapshot | None, Rows]:
        """The newest snapshot of this machine whose place stands in the journal, and the journal's rows behind it."""
        for snapshot in self.snapshots.newest():
            moment = snapshot.moment
            if (moment.machine_hash, moment.build) != (self.machine.hash, self.machine.build) or moment.market_row > self.log.rows:
                continue
            recorded = _behind(JournalReader(self.folder / JOURNAL), moment)
            if recorded is not None and not upgraded(recorded):
                return snapshot, recorded
        recorded = recorded_rows(self.folder / JOURNAL)
        same = self.machine.hash == wrote and not upgraded(recorded)
        if self.log.manifest.pruned and same:
            raise Corrupt(
                "the market log was pruned and no snapshot of this machine stands in the journal", where=str(self.folder),
                expected="one of the last two snapshots", todo="`replay --facts` folds what the journal says is owned",
            )  # fmt: skip
        return None, recorded

    def _take_up_by_facts(self, recorded: Rows, began: int, wrote: str) -> None:
        """Goes on with another machine: facts from the journal, opinions from what is left of the market; a snapshot at once."""
        self.wrote = wrote
        session = self.session = Session(self.machine, self.made.setup, began, self.made.make_seats(), None)
        reader = MarketReader(self.folder / MARKET)
        place = take_up(session, recorded, reader, self._look, kept_from=reader.manifest.pruned)
        announce(self.writer, session, wrote)
        session.journal = self.named = Named(self.writer, self.log, self.clock)
        self.row = max(place[0] * reader.manifest.segment_rows + place[1], reader.first_row)
        at = reader.first_row
        for part in reader.rows(at):
            for companion in self.companions:
                companion.heard(part[: max(self.row - at, 0)])
            at += len(part)
        for part in self._logged():
            self._play(part)
        if self.log.rows:
            self.snapshot(int(session.state["clock"]["now"][0]))

    def _look(self, session: Session, ts: int) -> None:
        for companion in self.companions:
            companion.look(session, ts)

    def _load(self, snapshot: Snapshot) -> None:
        moment, session = snapshot.moment, self.session
        state, physics, *others = snapshot.parts
        for companion, known in zip(self.companions, others, strict=False):  # one that is new knows nothing yet
            companion.found(known)
        restore(session.state, np.frombuffer(state, session.state.dtype))
        restore(session.physics, np.frombuffer(physics, session.physics.dtype))
        kept = moment.extras
        session.rows, session.emitted, session.at = kept["rows"], kept["emitted"], (kept["at"][0], kept["at"][1])
        for k, (busy_until, skipped, answers) in kept["seats"].items():
            seat = session.seats[int(k)]
            seat.busy_until, seat.skipped, seat.answers_at[:] = busy_until, skipped, answers
        self.row, self._snapped = moment.market_row, moment.ts_local

    def _catch_up(self, resumed: Resumed) -> None:
        """Plays what the log holds behind the snapshot; all that is recorded must come again."""
        for part in self._logged():
            self._play(part)
        if not resumed.caught_up and self._ended(resumed):
            raise Corrupt(
                f"{len(resumed.own) - resumed.matched} recorded rows do not come again", where=str(self.folder / JOURNAL),
                expected="the market rows behind them in the market log",
            )  # fmt: skip

    def _ended(self, resumed: Resumed) -> bool:
        """Whether the rows that did not come are not those of a run that was finished: they come when it is finished again."""
        return not bool((resumed.own["kind"][resumed.matched :] == codes.CLOCK).any())

    def _logged(self) -> Iterator[Rows]:
        for part in MarketReader(self.folder / MARKET).rows(self.row):
            yield np.ascontiguousarray(part)


def _worker() -> Background:
    """Blocks are written, hashed and synced on a thread of their own: no row waits for them."""
    return Background("market log", time.thread_time_ns)


def _behind(reader: JournalReader, moment: Moment) -> Rows | None:
    """The journal's rows behind a snapshot's place; None where that place is not in this journal."""
    found, parts = False, []
    for batch in reader.batches():
        if found and len(batch.rows):
            parts.append(batch.rows)
        if batch.place.batches == moment.batches:
            if batch.place.chain.hex() != moment.chain:
                return None
            found = True
    return (np.concatenate(parts) if parts else np.zeros(0, ROW)) if found else None
