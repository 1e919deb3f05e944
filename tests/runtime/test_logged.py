"""A run that keeps its own market: names, snapshots, pruning, recovery. Killed processes are in tests/replay/test_day.py."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse, Corrupt
from tradewind.domain.rows import Rows
from tradewind.engine.compose import Machine
from tradewind.engine.snapshot import facts_digest
from tradewind.runtime.logged import JOURNAL, MARKET, SNAPSHOTS, Keeping, LoggedRun
from tradewind.runtime.planning import Plan, plan
from tradewind.runtime.replay import Replayer, fold
from tradewind.storage import marketlog
from worldtape import own_rows, paper_run, world_tape

SECONDS = 100.0
KEEPING = Keeping(snapshot_ns=30 * codes.SECOND, market_ns=5 * codes.SECOND)
FOR_EVER = Keeping(snapshot_ns=30 * codes.SECOND, market_ns=0)

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Machine]:
    _, loaded = paper_run(world_tape(SECONDS), tmp_path_factory.mktemp("plan"))
    found = plan(loaded, world_tape(SECONDS))
    return found, found.machine()


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marketlog, "SEGMENT_ROWS", 1 << 15)
    monkeypatch.setattr(marketlog, "BLOCK_ROWS", 1 << 13)


def pieces(start: int = 0, stop: int | None = None) -> Iterator[Rows]:
    tape = world_tape(SECONDS)
    stop = tape.rows if stop is None else stop
    for at in range(start, stop, 700):
        yield tape.read(at, min(at + 700, stop))


def begin(folder: Path, made: tuple[Plan, Machine], keeping: Keeping) -> LoggedRun:
    tape = world_tape(SECONDS)
    first = tape.manifest.segments[0].first_ts
    return LoggedRun.begin(folder, made[0], list(tape.manifest.streams), first, keeping, made[1])


def end() -> int:
    return world_tape(SECONDS).manifest.segments[-1].last_ts + codes.SECOND


@pytest.fixture(scope="module")
def whole(made: tuple[Plan, Machine], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run that nothing befell: its folder and final digest."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    patched = pytest.MonkeyPatch()
    patched.setattr(marketlog, "SEGMENT_ROWS", 1 << 15)
    patched.setattr(marketlog, "BLOCK_ROWS", 1 << 13)
    run = begin(folder, made, FOR_EVER)
    for part in pieces():
        run.feed(part)
    run.finish(end())
    patched.undo()
    return folder, run.session.digest


def test_its_journal_names_rows_of_its_market_log(whole: tuple[Path, str], made: tuple[Plan, Machine]) -> None:
    """Replay reads the market from the log and reaches every command and the digest."""
    folder, digest = whole
    replayer = Replayer(folder / JOURNAL, machine=made[1])
    replayer.run()
    found = replayer.finish()
    assert (found.equal, found.first_difference, found.digest) == (True, None, digest)
    assert found.commands > 1_000
    kept = np.concatenate(list(marketlog.MarketReader(folder / MARKET).rows()))
    assert kept.tobytes() == world_tape(SECONDS).read(0, world_tape(SECONDS).rows).tobytes()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_taken_up_anywhere_it_ends_as_the_whole_run(
    whole: tuple[Path, str], made: tuple[Plan, Machine], tmp_path: Path, share: float
) -> None:
    stop = int(world_tape(SECONDS).rows * share)
    run = begin(tmp_path / "run", made, KEEPING)
    for part in pieces(0, stop):
        run.feed(part)
    if share > 0.9:
        assert run.log.manifest.pruned > 0
    run.writer.close()  # not `close`: what the journal still held back is lost, as by a kill
    run.log.close()
    again = LoggedRun.resume(tmp_path / "run", KEEPING, made[1])
    assert again.row == stop
    for part in pieces(again.row):
        again.feed(part)
    again.finish(end())
    assert again.session.digest == whole[1]
    assert own_rows(tmp_path / "run" / JOURNAL).tobytes() == own_rows(whole[0] / JOURNAL).tobytes()


@pytest.fixture
def pruned(made: tuple[Plan, Machine], tmp_path: Path) -> Path:
    run = begin(tmp_path / "run", made, KEEPING)
    for part in pieces():
        run.feed(part)
    assert run.log.manifest.pruned > 0
    assert len(run.snapshots.paths()) == 2
    run.close()
    return tmp_path / "run"


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


def test_a_damaged_snapshot_costs_time_and_two_cost_the_run(
    whole: tuple[Path, str], made: tuple[Plan, Machine], pruned: Path
) -> None:
    older, newer = sorted((pruned / SNAPSHOTS).iterdir())
    damage(newer)
    run = LoggedRun.resume(pruned, KEEPING, made[1])
    run.finish(end())
    assert run.session.digest == whole[1]
    damage(older)
    with pytest.raises(Corrupt, match="no snapshot of this machine"):
        LoggedRun.resume(pruned, KEEPING, made[1])


def test_a_snapshot_of_another_journal_is_not_believed(made: tuple[Plan, Machine], pruned: Path, tmp_path: Path) -> None:
    """The snapshot's chain value must stand in the journal: here the journal was cut behind it."""
    other = tmp_path / "other"
    run = begin(other, made, KEEPING)
    for part in pieces(0, 3_000):
        run.feed(part)
    run.close()
    shutil.rmtree(pruned / JOURNAL)
    shutil.copytree(other / JOURNAL, pruned / JOURNAL)
    with pytest.raises(Corrupt, match="no snapshot of this machine"):
        LoggedRun.resume(pruned, KEEPING, made[1])


def test_what_a_pruned_run_cannot_replay_is_said(pruned: Path, made: tuple[Plan, Machine]) -> None:
    with pytest.raises(BadData, match="no longer kept"):
        Replayer(pruned / JOURNAL, machine=made[1])


@pytest.mark.parametrize("keeping", [KEEPING, FOR_EVER])
def test_another_machine_takes_it_up_by_its_facts(made: tuple[Plan, Machine], tmp_path: Path, keeping: Keeping) -> None:
    """Facts are those of the journal, an UPGRADE row says so once, and a snapshot stands at once: the next start needs no more."""
    run = begin(tmp_path / "run", made, keeping)
    stop = int(world_tape(SECONDS).rows * 0.8)
    for part in pieces(0, stop):
        run.feed(part)
    assert (run.log.manifest.pruned > 0) == (keeping is KEEPING)
    first = run.log.manifest.pruned * run.log.manifest.segment_rows
    run.writer.close()  # as by a kill
    run.log.close()
    other = copy.copy(made[1])
    other.hash = "another"
    again = LoggedRun.resume(tmp_path / "run", msgspec.structs.replace(keeping, companions=(heard := Heard(),)), other)
    assert (again.wrote, again.row) == (made[1].hash, stop)
    assert heard.rows == stop - first
    facts, _ = fold(tmp_path / "run" / JOURNAL, made[1])
    assert facts_digest(again.session.state) == facts_digest(facts)
    for part in pieces(again.row, again.row + 3_000):
        again.feed(part)
    again.writer.close()
    again.log.close()
    third = LoggedRun.resume(tmp_path / "run", keeping, other)
    assert (third.wrote, third.row) == ("", stop + 3_000)
    for part in pieces(third.row):
        third.feed(part)
    third.finish(end())
    told = own_rows(tmp_path / "run" / JOURNAL)
    sent = told["ref"][told["kind"] == codes.SUBMIT]
    assert (told["kind"] == codes.UPGRADE).sum() == 1
    assert len(np.unique(sent)) == len(sent)


class Heard:
    """A companion that counts."""

    def __init__(self) -> None:
        self.rows = 0

    def heard(self, rows: Rows) -> None:
        self.rows += len(rows)

    def look(self, session: object, ts: int) -> None:
        assert ts > 0

    def kept(self) -> bytes:
        return self.rows.to_bytes(8, "little")

    def found(self, data: bytes) -> None:
        self.rows = int.from_bytes(data, "little")


def replaced(companion: Heard) -> Keeping:
    return msgspec.structs.replace(KEEPING, companions=(companion,))


def test_companions_go_on_where_the_run_does(made: tuple[Plan, Machine], tmp_path: Path) -> None:
    tape = world_tape(SECONDS)
    first = tape.manifest.segments[0].first_ts
    run = LoggedRun.begin(tmp_path / "run", made[0], list(tape.manifest.streams), first, replaced(Heard()), made[1])
    for part in pieces(0, tape.rows // 2):
        run.feed(part)
    assert run.took.n_snapshots > 0
    run.close()
    LoggedRun.resume(tmp_path / "run", replaced(heard := Heard()), made[1]).close()
    assert heard.rows == tape.rows // 2


def test_snapshots_keep_their_distance() -> None:
    with pytest.raises(BadUse, match="every 29 s"):
        Keeping(snapshot_ns=29 * codes.SECOND)
