"""Replay: the machine again over a journal, every command compared with the recorded one.

The venue is not run: its reports stand in the journal. Market rows come from the referenced tape. A journal written by
another composition cannot be proved, only its facts folded (`--facts`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse
from tradewind.domain.rows import KIND_NAMES, ROW_BYTES, Rows, rows
from tradewind.engine.compose import Machine
from tradewind.engine.snapshot import State, digest, facts_digest, fresh_state
from tradewind.storage.journal import JournalReader
from tradewind.storage.marketlog import MarketReader
from tradewind.storage.tape import Tape

from .config import Config
from .options import ReplayOptions
from .overdue import watched
from .planning import Plan, plan_of
from .session import proof_of
from .wakes import Wakes

Say = Callable[[str], None]
OUT_ROWS = 1 << 16


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found. first_difference: the command's number, what was recorded and what came."""

    equal: bool
    first_difference: str | None
    rows: int
    commands: int
    digest: str
    machine_hash: str
    facts: str

    def summary(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        return msgspec.structs.asdict(self)


def market_of(reader: JournalReader) -> Tape | MarketReader | None:
    """What the TAPE rows of a journal point into: the tape of its header, the market log beside it, or nothing."""
    head = reader.header
    if head.tape is not None:
        return head.tape.open()
    if "market" not in head.notes:
        return None
    log = MarketReader(reader.folder.parent / str(head.notes["market"]))
    if log.first_row > 0:
        raise BadData(
            f"the market rows before number {log.first_row:,} are no longer kept", where=str(log.folder), expected="all of them",
            todo="`verify` audits the journal's money, `replay --facts` folds it; both need no market row",
        )  # fmt: skip
    return log


def is_command(kinds: Any) -> Any:
    """Which kinds of row the machine emits."""
    return (kinds >= codes.EVIDENCE) & (kinds < codes.TAPE)


class Replayer:
    """One journal under one machine. `state` is the machine's after what was fed so far."""

    def __init__(self, folder: Path, *, compiled: bool = True, machine: Machine | None = None) -> None:
        self.reader = JournalReader(folder)
        self.plan: Plan = plan_of(self.reader.header.configuration)
        self.machine = machine or self.plan.machine(compiled=compiled)
        self.tape = market_of(self.reader)
        self.state: State = fresh_state(self.machine)
        self.out = rows(OUT_ROWS)
        self.rows = 0
        self.commands = 0
        self.difference: str | None = None
        self._segment: tuple[int, Rows] = (-1, rows(0))
        self._produced: list[Rows] = []
        self._expected: list[Rows] = []
        self.wakes: Wakes | None = None

    def refuse_other(self) -> None:
        """Raises BadUse where the journal was written by another machine."""
        wrote = self.reader.header.machine_hash
        if wrote != self.machine.hash:
            raise BadUse(
                f"the journal was written by machine {wrote}, this is {self.machine.hash}", where=str(self.reader.folder),
                expected="the composition that wrote it",
                todo=f"use the release {self.reader.header.made_by}, or --facts to fold its facts",
            )  # fmt: skip

    def batches(self) -> Iterator[tuple[Rows, int]]:
        """Rows and digest of every batch of the journal."""
        for batch in self.reader.batches():
            if len(batch.rows):
                yield batch.rows, batch.digest

    def run(self, before: Callable[[Rows, int], bool] | None = None) -> None:
        """Feeds the whole journal, or until `before(input rows, index)` says stop."""
        for batch, proof in self.batches():
            for group in groups_of(batch):
                if before is not None and before(group, 0):
                    return
                self.feed(group)
            self.compare()
            if proof and self.difference is None and proof != proof_of(self.state):
                self.difference = (
                    f"the state after row {self.rows} is another than the recorded one, though all commands were equal"
                )
            if self.difference is not None:
                return

    def feed(self, group: Rows) -> None:
        """One run of rows of one sort: commands to expect, a stretch of tape, or inputs."""
        kind = int(group[0]["kind"])
        if is_command(kind):
            self._expected.append(group.copy())
        elif kind == codes.TAPE:
            for row in group:
                self.stretch(int(row["quantity"]), int(row["ref"]), int(row["value"]))
        else:
            self._refuse_upgrade(group)
            if self.wakes is not None:
                self.wakes.hear(group)
            inputs = rows(len(group))
            inputs[:] = group
            self._run(inputs, 0, len(inputs))

    def _refuse_upgrade(self, group: Rows) -> None:
        """What comes after an UPGRADE row was decided by a machine that began from facts: no proof reaches across it."""
        at = np.flatnonzero(group["kind"] == codes.UPGRADE)
        if len(at) == 0:
            return
        self.compare()
        if self.difference is None:
            text = self.reader.text(int(group[at[0]]["ref"]))
            raise BadUse(
                f"the run was taken up by its facts ({text}); up to there {self.commands} commands are equal",
                where=f"{self.reader.folder}, UPGRADE row after {self.rows} rows", expected="a journal of one machine",
                todo="use --facts to fold the facts of the whole journal",
            )  # fmt: skip

    def stretch(self, segment: int, start: int, stop: int) -> None:
        """Market rows [start, stop) of a tape segment."""
        if self.tape is None:
            raise BadData("the journal names a tape but its header has none", where=str(self.reader.folder))
        if self._segment[0] != segment:
            self._segment = (segment, self.tape.segment(segment))
        if self.wakes is not None:
            self.wakes.stretches += 1
        self._run(self._segment[1], start, stop)

    def stretch_until(self, segment: int, start: int, stop: int, ns: int) -> None:
        """Market rows [start, stop) of a tape segment as far as their journal time reaches `ns`."""
        if self.tape is not None and stop > start:
            if self._segment[0] != segment:
                self._segment = (segment, self.tape.segment(segment))
            ts = self._segment[1]["ts_local"][start:stop]
            self.stretch(segment, start, start + int(np.searchsorted(ts, ns, side="right")))

    def take_produced(self) -> Rows:
        """What the machine emitted since it was last asked; nothing is compared."""
        produced = np.concatenate(self._produced) if self._produced else rows(0)
        self._produced, self._expected = [], []
        return produced

    def _run(self, tape: Rows, start: int, stop: int) -> None:
        i = start
        run = self.machine.run
        while i < stop:
            i, why = run(self.state, tape, i, stop, self.out)
            n = int(self.state["clock"]["n_out"][0])
            if n:
                self._produced.append(self.out[:n].copy())
            if why == codes.WOKEN and self.wakes is not None:
                self.wakes.ask(self.state, self.out[:n], on_tape=tape is self._segment[1])
            if why == codes.FAULT:
                self.difference = f"the machine faulted at row {self.rows}: code {int(self.state['clock']['fault'][0])}"
                return
        self.rows += stop - start

    def compare(self) -> None:
        """Compares what came with what was recorded, as far as both reach."""
        produced = np.concatenate(self._produced) if self._produced else rows(0)
        expected = np.concatenate(self._expected) if self._expected else rows(0)
        n = min(len(produced), len(expected))
        a, b = produced[:n].view(np.uint8).reshape(n, ROW_BYTES), expected[:n].view(np.uint8).reshape(n, ROW_BYTES)
        bad = np.flatnonzero((a != b).any(axis=1)) if n else np.zeros(0, np.int64)
        if len(bad):
            at = int(bad[0])
            self.difference = f"command {self.commands + at}: recorded {_text(expected[at])}, came {_text(produced[at])}"
        self.commands += n
        self._produced, self._expected = [produced[n:]], [expected[n:]]

    def finish(self) -> Replayed:
        """The verdict."""
        left, missing = sum(map(len, self._produced)), sum(map(len, self._expected))
        if self.difference is None and (left or missing):
            self.difference = (
                f"after {self.commands} equal commands: {missing} recorded ones did not come, {left} came that were not recorded"
            )
        if self.difference is None and self.wakes is not None:
            self.difference = self.wakes.difference(int(self.state["clock"]["now"][0]))
        return Replayed(
            equal=self.difference is None, first_difference=self.difference, rows=self.rows, commands=self.commands,
            digest=digest(self.state), machine_hash=self.machine.hash, facts=facts_digest(self.state),
        )  # fmt: skip


def groups_of(batch: Rows) -> Iterator[Rows]:
    """Runs of rows of one sort: commands, TAPE rows, inputs."""
    sort = np.where(is_command(batch["kind"]), 1, np.where(batch["kind"] == codes.TAPE, 2, 0))
    edges = [0, *(np.flatnonzero(np.diff(sort)) + 1).tolist(), len(batch)]
    for start, stop in itertools.pairwise(edges):
        yield batch[start:stop]


def _text(row: Any) -> str:
    kind = KIND_NAMES.get(int(row["kind"]), str(row["kind"]))
    fields = ("instrument", "strategy", "side", "ts_local", "price", "quantity", "ref", "value")
    return kind + " " + " ".join(f"{name}={int(row[name])}" for name in fields)


def fold(folder: Path, machine: Machine | None = None) -> tuple[State, int]:
    """The facts of a journal folded by a machine (its own by default, whatever wrote it), and how many rows were read."""
    reader = JournalReader(folder)
    machine = machine or plan_of(reader.header.configuration).machine()
    state = fresh_state(machine)
    read = 0
    for part in reader.rows():
        read += machine.fold(state, part)
    return state, read


def replay(options: ReplayOptions, *, say: Say = lambda text: None) -> Replayed:
    """Proves a journal, or folds its facts."""
    if options.facts:
        state, read = fold(options.journal)
        machine = plan_of(JournalReader(options.journal).header.configuration).machine()
        say("facts only: nothing was proved")
        return Replayed(
            equal=True,
            first_difference=None,
            rows=read,
            commands=0,
            digest=digest(state),
            machine_hash=machine.hash,
            facts=facts_digest(state),
        )
    replayer = Replayer(options.journal)
    replayer.refuse_other()
    if replayer.tape is not None:
        replayer.tape.verify()
    if options.strategies:
        replayer.wakes = Wakes(replayer.plan)
    with watched(say, Config().run.answer_limit_ns):
        replayer.run()
    if replayer.wakes is not None:
        say(f"{replayer.wakes.asked} wakes of Python strategies asked again, each of a fresh object")
    return replayer.finish()
