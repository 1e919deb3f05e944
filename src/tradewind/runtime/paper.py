"""`tradewind paper`: the backtest's machine and venue at the pace of time, journalled so that a kill loses nothing.

A run killed at any moment is taken up again by the same command with the same --out: the journal is cut to its last commit
marker, the machine is run again over what is recorded, every row compared, and goes on from there. No command is sent twice,
because what the journal holds is recognised and not acted on.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.rows import Rows, words
from tradewind.engine.compose import Machine
from tradewind.engine.prelude import Prelude
from tradewind.storage.journal import JournalReader, JournalWriter
from tradewind.storage.recording import open_tape
from tradewind.storage.tape import Tape

from .backtest import Result, Say, conclude, durability, header
from .config import Loaded
from .options import PaperOptions
from .overdue import watched
from .planning import Plan, first_row_ts, plan, plan_of
from .recorder import Recorder
from .recovery import Place, Resumed, announce, recorded_rows, take_up, upgraded
from .session import Session, stretches
from .view import FRAME_NS, Watch, view

RUN = "paper"


def paper(options: PaperOptions, loaded: Loaded, *, say: Say = lambda text: None, watch: Watch = lambda state: None) -> Result:
    """Runs, or takes up again, the paper run over a tape of the output folder. Raises BadUse where no tape is named."""
    if options.tape is None:
        raise BadUse("no tape is named", where="--tape", expected="a tape or a recording", todo="`live_paper` takes live feeds")
    with watched(say, loaded.config.run.answer_limit_ns):
        return _paper(open_tape(options.tape), options, loaded, say, watch)


def _paper(tape: Tape, options: PaperOptions, loaded: Loaded, say: Say, watch: Watch) -> Result:
    folder = Path(loaded.config.run.out) / RUN
    journal = folder / "journal"
    if (journal / "journal.json").exists() and not stillborn(journal):
        return _resume(tape, folder, options, loaded, say, watch)
    folder.mkdir(parents=True, exist_ok=True)
    made = plan(loaded, tape, options.think)
    for note in made.notes:
        say(note)
    machine = made.machine()
    with JournalWriter(journal, header(made, machine, tape, RUN), durability(loaded)) as writer:
        recorder = Recorder(writer)
        session = begin(tape, made, machine, recorder)
        took = Course(tape, made, options, watch).play(session, recorder)
    return conclude(session, recorder, made, folder, loaded, rows_per_s=session.rows / max(took, 1e-9))


def stillborn(journal: Path) -> bool:
    """Whether another machine died before its first row: then nothing is lost, and its header gives way to a new one."""
    reader = JournalReader(journal)
    reader.recover()
    if reader.place.rows or plan_of(reader.header.configuration).machine().hash == reader.header.machine_hash:
        return False
    shutil.rmtree(journal)
    return True


def _begins_alike(recorded: Rows, tape: Tape, made: Plan, machine: Machine) -> bool:
    """Whether this release tells the machine at the start what the journal says it was told: defaults are not of the hash."""
    own = Prelude(machine, made.setup, first_row_ts(tape.segment(0))).rows()[: len(recorded)]
    return own.tobytes() == recorded[: len(own)].tobytes()


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
    machine, course = made.machine(), Course(tape, made, options, watch)
    with JournalWriter.reopen(journal, durability(loaded)) as writer:
        rows = recorded_rows(journal)
        if len(rows) and (machine.hash != head.machine_hash or upgraded(rows) or not _begins_alike(rows, tape, made, machine)):
            say(f"taking up {len(rows):,} rows of machine {head.machine_hash} by their facts; this is {machine.hash}")
            session, recorder, took = _by_facts(course, machine, writer, rows, head.machine_hash)
        else:
            say(f"taking up {len(rows):,} recorded rows")
            resumed = Resumed(rows, writer)
            recorder = Recorder(resumed)
            session = begin(tape, made, machine, recorder)
            took = course.play(session, recorder, resumed=resumed)
    return conclude(session, recorder, made, folder, loaded, rows_per_s=session.rows / max(took, 1e-9))


def _by_facts(
    course: Course, machine: Machine, writer: JournalWriter, recorded: Rows, wrote: str
) -> tuple[Session, Recorder, float]:
    """Goes on with another machine than the one that wrote the journal."""
    recorder = Recorder(None)
    session = begin(course.tape, course.made, machine, None)
    place = take_up(session, recorded, course.tape, recorder.sample)
    announce(writer, session, wrote)
    recorder.sink, session.journal = writer, recorder
    return session, recorder, course.play(session, recorder, place=place)


class Course:
    """A tape and the pace at which a session goes through it."""

    def __init__(self, tape: Tape, made: Plan, options: PaperOptions, watch: Watch) -> None:
        self.tape, self.made, self.options, self.watch = tape, made, options, watch
        self.first = tape.manifest.segments[0].first_ts
        self.took = 0.0  # seconds in the machine
        self._from = (0.0, -1)  # wall and tape time from which the pace is kept

    def play(self, session: Session, recorder: Recorder, *, place: Place = (0, 0), resumed: Resumed | None = None) -> float:
        """From `place` to the end; what is only run again is run at once. Returns the seconds spent in the machine."""
        end = None if self.options.duration_ns is None else self.first + self.options.duration_ns
        last = self.first
        for number, rows in enumerate(self.tape.segments()):
            ts = words(rows)[:, 3]
            start = place[1] if number == place[0] else 0
            for stop in [*stretches(rows, FRAME_NS), len(rows)] if number >= place[0] else ():
                if stop <= start or (end is not None and int(ts[start]) > end):
                    continue
                began = time.perf_counter()
                session.play(rows, number, start, stop)
                self.took += time.perf_counter() - began
                last, start = int(ts[stop - 1]), stop
                recorder.sample(session, last)
                self._keep_pace(session, last, again=resumed is not None and not resumed.caught_up)
        session.settle(max(last, int(session.state["clock"]["now"][0])) + codes.SECOND)
        return self.took

    def _keep_pace(self, session: Session, now: int, *, again: bool) -> None:
        wall, tape = self._from
        if tape < 0 or again:
            self._from = (time.monotonic(), now)
        elif self.options.speed > 0:
            self.watch(view(session, self.made, now - self.first))
            time.sleep(max(0.0, (now - tape) / 1e9 / self.options.speed - (time.monotonic() - wall)))
