"""`tradewind paper`: the backtest's machine and venue at the pace of time, journalled so that a kill loses nothing.

A run killed at any moment is taken up again by the same command with the same --out: the journal is cut to its last commit
marker, the machine is run again over what is recorded, every row compared, and goes on from there. No command is sent twice,
because what the journal holds is recognised and not acted on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadUse, Corrupt
from tradewind.domain.rows import ROW, ROW_BYTES, Rows, words
from tradewind.storage.journal import JournalReader, JournalWriter
from tradewind.storage.tape import Tape

from .backtest import Result, Say, conclude, durability, header
from .config import Loaded
from .demo import view
from .options import PaperOptions
from .planning import Plan, first_row_ts, plan, plan_of
from .recorder import Recorder
from .session import Session, Sink, stretches

Watch = Callable[[Mapping[str, Any]], None]
FRAME_NS = 100 * codes.MILLISECOND
RUN = "paper"


class Resumed:
    """A journal sink that recognises what is already recorded: those rows are compared, only what comes after is written.

    TAPE rows may be cut differently by another pace; they are matched by the tape rows they cover.
    """

    def __init__(self, recorded: Rows, sink: Sink, place: tuple[int, int]) -> None:
        self.own = recorded[recorded["kind"] != codes.TAPE]
        self.sink = sink
        self.matched = 0
        self.place = place  # segment and index behind the last recorded tape row

    @property
    def caught_up(self) -> bool:
        """Whether everything recorded has come again."""
        return self.matched == len(self.own)

    def append(self, rows: Rows, digest: int = 0) -> Any:
        """Compares or writes. Raises Corrupt where the run goes another way than its journal."""
        fresh = [row for row in self._groups(rows) if len(row)]
        if fresh:
            return self.sink.append(np.concatenate(fresh), digest)
        return None

    def _groups(self, rows: Rows) -> list[Rows]:
        is_tape = rows["kind"] == codes.TAPE
        if not self.caught_up:
            own = rows[~is_tape]
            n = min(len(own), len(self.own) - self.matched)
            expected = self.own[self.matched : self.matched + n]
            if n and (_bytes(own[:n]) != _bytes(expected)).any():
                raise Corrupt(
                    "the run goes another way than its journal", where=f"row {self.matched}", todo="replay it to see where"
                )
            self.matched += n
            rows = rows[int(np.flatnonzero(~is_tape)[n]) if n < len(own) else len(rows) :] if n or not len(own) else rows
        return [self._unseen(rows)]

    def _unseen(self, rows: Rows) -> Rows:
        """Rows without the tape stretches already recorded."""
        keep = np.ones(len(rows), bool)
        rows = rows.copy()
        for i in np.flatnonzero(rows["kind"] == codes.TAPE):
            row = rows[i]
            segment, stop = int(row["quantity"]), int(row["value"])
            if (segment, stop) <= self.place:
                keep[i] = False
            elif segment == self.place[0] and int(row["ref"]) < self.place[1]:
                row["ref"] = self.place[1]
        return rows[keep]


def _bytes(rows: Rows) -> Any:
    return np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), ROW_BYTES)


def recorded_rows(folder: Path) -> tuple[Rows, tuple[int, int]]:
    """All rows of a journal and the place behind its last tape row."""
    parts = [batch.rows for batch in JournalReader(folder).batches() if len(batch.rows)]
    rows = np.concatenate(parts) if parts else np.zeros(0, ROW)
    tape = rows[rows["kind"] == codes.TAPE]
    return rows, (int(tape[-1]["quantity"]), int(tape[-1]["value"])) if len(tape) else (-1, 0)


def paper(options: PaperOptions, loaded: Loaded, *, say: Say = lambda text: None, watch: Watch = lambda state: None) -> Result:
    """Runs, or takes up again, the paper run of the output folder."""
    tape = Tape.open(options.tape)
    folder = Path(loaded.config.run.out) / RUN
    journal = folder / "journal"
    if (journal / "journal.json").exists():
        return _resume(tape, folder, options, loaded, say, watch)
    folder.mkdir(parents=True, exist_ok=True)
    made = plan(loaded, tape, options.think)
    for note in made.notes:
        say(note)
    machine = made.machine()
    with JournalWriter(journal, header(made, machine, tape, RUN), durability(loaded)) as writer:
        session, recorder, took = _run(tape, made, machine, writer, options, watch)
    return conclude(session, recorder, made, folder, loaded, rows_per_s=session.rows / max(took, 1e-9), digest=session.digest)


def _resume(tape: Tape, folder: Path, options: PaperOptions, loaded: Loaded, say: Say, watch: Watch) -> Result:
    journal = folder / "journal"
    head = JournalReader(journal).header
    if head.tape is None or head.tape.digest != tape.digest:
        raise BadUse("this output folder holds a paper run over another tape", where=str(folder), todo="name another --out")
    made = plan_of(head.configuration)
    machine = made.machine()
    if machine.hash != head.machine_hash:
        raise BadUse(
            f"the journal was written by machine {head.machine_hash}, this is {machine.hash}", where=str(journal),
            expected="the composition that wrote it", todo="take up its facts with `tradewind replay --facts`, or name another --out",
        )  # fmt: skip
    with JournalWriter.reopen(journal, durability(loaded)) as writer:
        rows, place = recorded_rows(journal)
        say(f"taking up {len(rows):,} recorded rows")
        session, recorder, took = _run(tape, made, machine, Resumed(rows, writer, place), options, watch)
    return conclude(session, recorder, made, folder, loaded, rows_per_s=session.rows / max(took, 1e-9), digest=session.digest)


def _run(tape: Tape, made: Plan, machine: Any, sink: Sink, options: PaperOptions, watch: Watch) -> tuple[Session, Recorder, float]:
    recorder = Recorder(sink)
    first = tape.manifest.segments[0].first_ts
    session = Session(machine, made.setup, first_row_ts(tape.segment(0)), made.make_seats(), recorder)
    end = None if options.duration_ns is None else first + options.duration_ns
    took = 0.0
    began_wall, began_tape = time.monotonic(), first
    last = first
    for number, rows in enumerate(tape.segments()):
        ts = words(rows)[:, 3]
        start = 0
        for stop in [*stretches(rows, FRAME_NS), len(rows)]:
            if stop <= start or (end is not None and int(ts[start]) > end):
                continue
            began = time.perf_counter()
            session.play(rows, number, start, stop)
            took += time.perf_counter() - began
            last, start = int(ts[stop - 1]), stop
            recorder.sample(session, last)
            if isinstance(sink, Resumed) and not sink.caught_up:
                began_wall, began_tape = time.monotonic(), last
            elif options.speed > 0:
                watch(view(session, made, last - first))
                time.sleep(max(0.0, (last - began_tape) / 1e9 / options.speed - (time.monotonic() - began_wall)))
    session.settle(last + codes.SECOND)
    return session, recorder, took
