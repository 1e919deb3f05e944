"""Replay reproduces what a run said, and says exactly where it does not."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import tradewind
from machines import default_machine
from tradewind.domain import codes, layout
from tradewind.domain.errors import BadData, BadUse, Corrupt
from tradewind.domain.rows import ROW_BYTES, Rows
from tradewind.engine.compose import Composition, Machine
from tradewind.engine.snapshot import facts_digest
from tradewind.runtime.backtest import Result, backtest
from tradewind.runtime.options import BacktestOptions, ReplayOptions, configured
from tradewind.runtime.paper import paper
from tradewind.runtime.planning import Plan
from tradewind.runtime.replay import Replayed, Replayer, fold, replay
from tradewind.runtime.wakes import Wakes
from tradewind.storage.journal import JournalReader, JournalWriter
from tradewind.storage.tape import Tape, TapeWriter
from tradewind.strategies.swing import Swing
from worldtape import QUICK, child, environment, own_rows, paper_run, world_tape

SECONDS = 5.0
SOURCE = Path(tradewind.__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def shared_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "machine", lambda self, compiled=True, **_: default_machine(compiled))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A backtest of five seconds of the world."""
    out = tmp_path_factory.mktemp("run")
    told, _ = paper_run(world_tape(SECONDS), out)
    options = BacktestOptions(tape=told.tape, out=out, set=told.set)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "machine", lambda self, compiled=True, **_: default_machine(compiled))
        return backtest(options, configured(options, {}))


def proved(folder: Path) -> Replayed:
    return replay(ReplayOptions(journal=folder))


def rewritten(run: Result, folder: Path, change: Rows | None = None, at: int = -1, flip: int = 0) -> Path:
    """The run's journal copied batch by batch under a chain of its own, row `at` of all replaced by `change`."""
    reader = JournalReader(Path(run.journal))
    with JournalWriter(folder, reader.header) as writer:
        seen = 0
        for batch in reader.batches():
            part = batch.rows
            if change is not None and seen <= at < seen + len(part):
                part[at - seen] = change[0]
            seen += len(part)
            writer.append(part, batch.digest ^ flip if batch.digest else 0)
    return folder


def every_row(run: Result) -> Rows:
    return np.concatenate(list(JournalReader(Path(run.journal)).rows()))


def test_backtest_paper_and_replay_are_one_machine(run: Result, tmp_path: Path) -> None:
    paced = paper(*paper_run(world_tape(SECONDS), tmp_path))
    again = proved(Path(run.journal))
    assert again.equal, again.first_difference
    assert again.commands > 300
    assert run.machine_hash == paced.machine_hash == again.machine_hash
    assert run.digest == paced.digest == again.digest
    assert own_rows(Path(run.journal)).tobytes() == own_rows(tmp_path / "paper" / "journal").tobytes()


def test_the_facts_alone_are_the_facts_of_the_replay(run: Result) -> None:
    folded = replay(ReplayOptions(journal=Path(run.journal), facts=True))
    assert folded.facts == proved(Path(run.journal)).facts
    assert folded.commands == 0


def test_an_altered_command_is_named(run: Result, tmp_path: Path) -> None:
    recorded = every_row(run)
    commands = np.flatnonzero((recorded["kind"] >= codes.EVIDENCE) & (recorded["kind"] < codes.TAPE))
    at = int(commands[100])
    change = recorded[at : at + 1].copy()
    change["price"] += 1
    found = proved(rewritten(run, tmp_path / "journal", change, at))
    assert not found.equal
    assert found.first_difference is not None
    assert found.first_difference.startswith("command 100: ")
    assert f"price={int(change[0]['price'])}" in found.first_difference


def test_an_altered_fill_is_seen_in_what_follows(run: Result, tmp_path: Path) -> None:
    recorded = every_row(run)
    at = int(np.flatnonzero(recorded["kind"] == codes.FILL)[5])
    change = recorded[at : at + 1].copy()
    change["quantity"] += 1
    found = proved(rewritten(run, tmp_path / "journal", change, at))
    assert not found.equal


def test_another_digest_of_the_state_is_told(run: Result, tmp_path: Path) -> None:
    found = proved(rewritten(run, tmp_path / "journal", flip=1))
    assert not found.equal
    assert "the state after row" in str(found.first_difference)


def test_a_copy_that_changes_nothing_is_equal(run: Result, tmp_path: Path) -> None:
    assert proved(rewritten(run, tmp_path / "journal")).equal


def test_a_journal_altered_in_place_is_corrupt(run: Result, tmp_path: Path) -> None:
    shutil.copytree(run.journal, tmp_path / "journal")
    segment = tmp_path / "journal" / "00000.journal"
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    with pytest.raises(Corrupt, match="offset"):
        proved(tmp_path / "journal")


def test_an_altered_tape_row_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    shutil.copytree(world_tape(SECONDS).folder, folder)
    options = BacktestOptions(tape=folder, out=tmp_path / "out", set=list(QUICK))
    run = backtest(options, configured(options, {}))
    file = max((path for path in folder.iterdir() if path.suffix != ".json"), key=lambda path: path.stat().st_size)
    data = bytearray(file.read_bytes())
    data[len(data) // 2 // ROW_BYTES * ROW_BYTES + 32] ^= 1
    file.write_bytes(data)
    with pytest.raises((BadData, Corrupt), match="sha256 is"):
        proved(Path(run.journal))


def test_another_machine_is_refused_and_offered_the_facts(run: Result) -> None:
    other = Machine(Composition(strategies=("market_maker",)), compiled=False)
    with pytest.raises(BadUse, match="written by machine") as told:
        Replayer(Path(run.journal), machine=other).refuse_other()
    assert "--facts" in told.value.todo


def test_a_rule_that_changes_on_the_tape_is_a_fact_of_the_journal(tmp_path: Path) -> None:
    """It is written as itself, no TAPE row covers it, and the facts folded from the journal alone are those of the replay."""
    source = world_tape(SECONDS)
    tape = np.concatenate([part.copy() for part in source.segments()])
    at = len(tape) // 2
    rule = tape[at : at + 1].copy()
    for name in ("side", "price", "quantity", "stream_seq", "source", "account"):
        rule[name] = 0
    rule["kind"], rule["marks"], rule["instrument"], rule["strategy"] = codes.RULE, codes.WHOLE, 1, -1
    rule["ref"], rule["value"] = layout.ACCESS, codes.CANCEL_ONLY
    with TapeWriter(tmp_path / "tape", source.manifest.instruments, source.manifest.streams, "with a rule") as writer:
        writer.append(np.concatenate([tape[:at], rule, tape[at:]]))
        writer.close(source.manifest.notes)
    told, _ = paper_run(Tape.open(tmp_path / "tape"), tmp_path / "out")
    options = BacktestOptions(tape=told.tape, out=tmp_path / "out", set=told.set)
    found = backtest(options, configured(options, {}))
    again = proved(Path(found.journal))
    assert again.equal and again.commands > 100, again.first_difference
    state, _ = fold(Path(found.journal), default_machine())
    assert facts_digest(state) == again.facts and int(state[0]["fact"]["rule"][1, layout.ACCESS]) == codes.CANCEL_ONLY
    written = every_row(found)
    assert ((written["kind"] == codes.RULE) & (written["ref"] == layout.ACCESS) & (written["value"] > 0)).sum() == 1
    covered = written[written["kind"] == codes.TAPE]
    assert not ((covered["ref"] <= at) & (covered["value"] > at)).any() and (covered["value"] == at).any()


# End to end: a journal that ends anywhere ----------------------------------------------------------------------------------------


@pytest.mark.scenario
def test_a_journal_that_ends_anywhere_gives_the_state_of_its_prefix(run: Result, tmp_path: Path) -> None:
    """Thirty ends, half of them in the last 4 KiB: facts folded and facts replayed agree, every command is equal."""
    whole = Path(run.journal)
    size = (whole / "00000.journal").stat().st_size
    rng = np.random.default_rng(11)
    ends = [*rng.integers(0, size, 15).tolist(), *rng.integers(size - 4096, size, 15).tolist()]
    everything = every_row(run).tobytes()
    shutil.copytree(whole, tmp_path / "journal")
    lengths = set()
    for end in sorted(ends, reverse=True):
        with open(tmp_path / "journal" / "00000.journal", "r+b") as file:
            file.truncate(end)
        replayer = Replayer(tmp_path / "journal", machine=default_machine())
        replayer.run()
        found = replayer.finish()
        assert found.equal, (end, found.first_difference)
        state, read = fold(tmp_path / "journal", default_machine())
        assert facts_digest(state) == found.facts, end
        parts = list(JournalReader(tmp_path / "journal").rows())
        kept = np.concatenate(parts).tobytes() if parts else b""
        assert everything.startswith(kept)
        lengths.add(read)
    assert len(lengths) > 12


# Python strategies asked again ----------------------------------------------------------------------------------------------------


def asked(run: Result) -> tuple[Replayed, int]:
    replayer = Replayer(Path(run.journal), machine=default_machine())
    replayer.wakes = Wakes(replayer.plan)
    replayer.run()
    return replayer.finish(), replayer.wakes.asked


def test_fresh_objects_answer_as_recorded(run: Result) -> None:
    kinds = every_row(run)["kind"]
    assert (kinds == codes.TARGET).any()
    assert (kinds == codes.MEMORY).any()
    found, count = asked(run)
    assert found.equal, found.first_difference
    assert count >= 4


def test_a_strategy_that_answers_otherwise_is_named(run: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Swing._share
    monkeypatch.setattr(Swing, "_share", lambda self, market: 0.5 * real(self, market))
    found, _ = asked(run)
    assert not found.equal
    assert "of swing: recorded" in str(found.first_difference)


def test_memory_that_was_not_declared_is_found(run: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strategy that writes another word than was recorded."""
    real = Swing.on_bar

    def twice(self: Swing, bar: object, market: object) -> object:
        answer = real(self, bar, market)  # type: ignore[arg-type]
        self.memory["long"] *= 2
        return answer

    monkeypatch.setattr(Swing, "on_bar", twice)
    found, _ = asked(run)
    assert not found.equal
    assert "memory of swing" in str(found.first_difference)


# Other processes, other compilers -------------------------------------------------------------------------------------------------


def replayed_by_child(run: Result, **variables: str) -> dict[str, object]:
    words = [sys.executable, "-m", "tradewind.cli", "replay", run.journal, "--json"]
    done = child(words, environment(SOURCE, **variables), timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("seed", ["1", "777"])
def test_a_fresh_process_with_another_hash_seed_gives_the_same(run: Result, seed: str) -> None:
    found = replayed_by_child(run, PYTHONHASHSEED=seed)
    assert (found["equal"], found["digest"]) == (True, run.digest)


@pytest.mark.scenario
def test_vector_units_hidden_from_libm_give_the_same(run: Result) -> None:
    found = replayed_by_child(run, GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA,-AVX2_Usable,-FMA_Usable")
    assert (found["equal"], found["digest"]) == (True, run.digest)


@pytest.mark.scenario
@pytest.mark.timeout(600)
def test_a_generic_processor_gives_the_same(run: Result) -> None:
    found = replayed_by_child(run, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
    assert (found["equal"], found["digest"]) == (True, run.digest)


@pytest.mark.scenario
def test_uncompiled_gives_the_same(run: Result) -> None:
    replayer = Replayer(Path(run.journal), machine=default_machine(compiled=False))
    replayer.run()
    found = replayer.finish()
    assert found.equal, found.first_difference
    assert found.digest == run.digest
