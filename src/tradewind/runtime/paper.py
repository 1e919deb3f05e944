"""`tradewind paper`: the backtest's machine and venue at the pace of time, journalled so that a kill loses nothing.

A run killed at any moment is taken up again by the same command with the same --out: the journal is cut to its last commit
marker, the machine is run again over what is recorded, every row compared, and goes on from there. No command is sent twice,
because what the journal holds is recognised and not acted on.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.rows import Rows, words
from tradewind.engine.compose import Machine
from tradewind.storage.journal import JournalReader, JournalWriter
from tradewind.storage.tape import Tape

from .backtest import Result, Say, conclude, durability, header
from .config import Loaded
from .demo import view
from .options import PaperOptions
from .planning import Plan, first_row_ts, plan, plan_of
from .recorder import Recorder
from .recovery import Place, Resumed, announce, recorded_rows, take_up, upgraded
from .session import Session, stretches

Watch = Callable[[Mapping[str, Any]], None]
FRAME_NS = 100 * codes.MILLISECOND
RUN = "paper"


def paper(options: PaperOptions, loaded: Loaded, *, say: Say = lambda text: None, watch: Watch = lambda state: None) -> Result:
    """Runs, or takes up again, the paper run of the output folder."""
    tape = Tape.open(options.tape)
    folder = Path(loaded.config.run.out) / RUN
    journal = folder / "journal"
    if (journal / "journal.json").exists() and not _stillborn(journal):
        return _resume(tape, folder, options, loaded, say, watch)
    folder.mkdir(parents=True, exist_ok=True)
    made = plan(loaded, tape, options.think)
    for note in made.notes:
        say(note)
    machine = made.machine()
    with JournalWriter(journal, header(made, machine, tape, RUN), durability(loaded)) as writer:
        recorder = Recorder(writer)
        session = begin(tape, made, machine, recorder)
        took = _run(tape, session, made, recorder, options, watch)
    return conclude(session, recorder, made, folder, loaded, rows_per_s=session.rows / max(took, 1e-9), digest=session.digest)


def _stillborn(journal: Path) -> bool:
    """Whether another machine died before its first row: then nothing is lost, and its header gives way to a new one."""
    reader = JournalReader(journal)
    reader.recover()
    if reader.place.rows or plan_of(reader.header.configuration).machine().hash == reader.header.machine_hash:
        return False
    shutil.rmtree(journal)
    return True


def begin(tape: Tape, made: Plan, machine: Machine, journal: Recorder | None) -> Session:
    """A session that stands before the tape's first row."""
    return Session(machine, made.setup, first_row_ts(tape.segment(0)), made.make_seats(), journal)


def _resume(tape: Tape, folder: Path, options: PaperOptions, loaded: Loaded, say: Say, watch: Watch) -> Result:
    journal = folder / "journal"
    head = JournalReader(journal).header
    if head.tape is None or head.tape.digest != tape.digest:
        raise BadUse("this output folder holds a paper run over another tape", where=str(folder), todo="name another --out")
    made = plan_of(head.configuration)
    if plan(loaded, tape, options.think).to_json() != head.configuration:
        say("the configuration is not the one the run began with: it goes on with its own; name another --out for a new run")
    machine = made.machine()
    with JournalWriter.reopen(journal, durability(loaded)) as writer:
        rows = recorded_rows(journal)
        if len(rows) and (machine.hash != head.machine_hash or upgraded(rows)):
            say(f"taking up {len(rows):,} rows of machine {head.machine_hash} by their facts; this is {machine.hash}")
            session, recorder, took = _by_facts(tape, made, machine, writer, rows, options, watch, head.machine_hash)
        else:
            say(f"taking up {len(rows):,} recorded rows")
            resumed = Resumed(rows, writer)
            recorder = Recorder(resumed)
            session = begin(tape, made, machine, recorder)
            took = _run(tape, session, made, recorder, options, watch, resumed=resumed)
    return conclude(session, recorder, made, folder, loaded, rows_per_s=session.rows / max(took, 1e-9), digest=session.digest)


def _by_facts(
    tape: Tape, made: Plan, machine: Machine, writer: JournalWriter, recorded: Rows, options: PaperOptions, watch: Watch, wrote: str
) -> tuple[Session, Recorder, float]:
    """Goes on with another machine than the one that wrote the journal."""
    recorder = Recorder(None)
    session = begin(tape, made, machine, None)
    place = take_up(session, recorded, tape, recorder)
    recorder.append(recorded)
    announce(writer, session, wrote)
    recorder.sink, session.journal = writer, recorder
    return session, recorder, _run(tape, session, made, recorder, options, watch, place=place)


def _run(
    tape: Tape, session: Session, made: Plan, recorder: Recorder, options: PaperOptions, watch: Watch, *,
    place: Place = (0, 0), resumed: Resumed | None = None,
) -> float:  # fmt: skip
    """Plays the tape from `place` at the pace asked for; what is only run again is run at once. Returns seconds in the machine."""
    first = tape.manifest.segments[0].first_ts
    end = None if options.duration_ns is None else first + options.duration_ns
    took = 0.0
    began_wall, began_tape = time.monotonic(), -1
    last = first
    for number, rows in enumerate(tape.segments()):
        ts = words(rows)[:, 3]
        start = place[1] if number == place[0] else 0
        if number < place[0]:
            continue
        for stop in [*stretches(rows, FRAME_NS), len(rows)]:
            if stop <= start or (end is not None and int(ts[start]) > end):
                continue
            began = time.perf_counter()
            session.play(rows, number, start, stop)
            took += time.perf_counter() - began
            last, start = int(ts[stop - 1]), stop
            recorder.sample(session, last)
            if began_tape < 0 or (resumed is not None and not resumed.caught_up):
                began_wall, began_tape = time.monotonic(), last
            elif options.speed > 0:
                watch(view(session, made, last - first))
                time.sleep(max(0.0, (last - began_tape) / 1e9 / options.speed - (time.monotonic() - began_wall)))
    session.settle(max(last, int(session.state["clock"]["now"][0])) + codes.SECOND)
    return took
