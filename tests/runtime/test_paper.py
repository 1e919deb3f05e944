"""A paper run taken up wherever its journal ends: same rows, same state, nothing twice."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from machines import default_machine
from tradewind.domain import codes
from tradewind.domain.errors import BadUse, Corrupt
from tradewind.domain.rows import ROW, Rows
from tradewind.runtime.backtest import Result
from tradewind.runtime.paper import paper
from tradewind.runtime.planning import Plan
from tradewind.runtime.recovery import Resumed, place_of
from tradewind.storage.journal import JournalReader, JournalWriter
from worldtape import own_rows, paper_run, world_tape

SECONDS = 5.0


@pytest.fixture(autouse=True)
def shared_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "machine", lambda self, **_: default_machine())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """An undisturbed run."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "machine", lambda self, **_: default_machine())
        return out, paper(*paper_run(world_tape(SECONDS), out))


def cut(whole: Path, out: Path, size: int) -> Path:
    """A copy of a run whose journal ends after `size` bytes."""
    shutil.copytree(whole / "paper" / "journal", out / "paper" / "journal")
    segment = out / "paper" / "journal" / "00000.journal"
    with open(segment, "r+b") as file:
        file.truncate(size)
    return out


def check_equal(a: Path, b: Path) -> None:
    x, y = own_rows(a / "paper" / "journal"), own_rows(b / "paper" / "journal")
    assert len(x) == len(y)
    assert x.tobytes() == y.tobytes()


def test_the_run_trades(whole: tuple[Path, Result]) -> None:
    kinds = own_rows(whole[0] / "paper" / "journal")["kind"]
    for kind in (codes.SUBMIT, codes.CANCEL, codes.FILL, codes.WAKE, codes.TARGET, codes.MEMORY):
        assert (kinds == kind).any(), f"the world is too quiet for this test: no row of kind {kind}"


@pytest.mark.scenario
def test_a_run_cut_anywhere_ends_as_the_whole_one(whole: tuple[Path, Result], tmp_path: Path) -> None:
    out, result = whole
    size = (out / "paper" / "journal" / "00000.journal").stat().st_size
    rng = random.Random(3)
    for number, at in enumerate([0, 1, 40, 2000, size - 1, size, *(rng.randrange(size) for _ in range(6))]):
        again = cut(out, tmp_path / str(number), at)
        resumed = paper(*paper_run(world_tape(SECONDS), again))
        assert resumed.digest == result.digest, at
        check_equal(out, again)


@pytest.mark.scenario
def test_a_run_cut_again_while_it_is_taken_up(whole: tuple[Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, result = whole
    size = (out / "paper" / "journal" / "00000.journal").stat().st_size
    again = cut(out, tmp_path, size // 3)
    real = Resumed.append
    for appends in (1, 3, 10, 30):
        left = iter(range(appends))

        def die(self: Resumed, rows: Rows, digest: int = 0, left: Iterator[int] = left) -> Any:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return real(self, rows, digest)

        with monkeypatch.context() as patch:
            patch.setattr(Resumed, "append", die)
            with pytest.raises(KeyboardInterrupt):
                paper(*paper_run(world_tape(SECONDS), again))
    assert paper(*paper_run(world_tape(SECONDS), again)).digest == result.digest
    check_equal(out, again)


def test_a_run_killed_before_its_header_stands(tmp_path: Path, whole: tuple[Path, Result]) -> None:
    journal = tmp_path / "paper" / "journal"
    journal.mkdir(parents=True)
    (journal / "journal.json.aside").write_bytes(b'{"half')
    assert paper(*paper_run(world_tape(SECONDS), tmp_path)).digest == whole[1].digest
    check_equal(whole[0], tmp_path)


def test_another_machine_that_died_before_its_first_row_leaves_nothing_behind(whole: tuple[Path, Result], tmp_path: Path) -> None:
    header = JournalReader(whole[0] / "paper" / "journal").header
    JournalWriter(tmp_path / "paper" / "journal", msgspec.structs.replace(header, machine_hash="0" * 16)).close()
    assert paper(*paper_run(world_tape(SECONDS), tmp_path)).digest == whole[1].digest
    assert JournalReader(tmp_path / "paper" / "journal").header.machine_hash == whole[1].machine_hash
    check_equal(whole[0], tmp_path)


def test_a_finished_run_is_left_as_it_is(whole: tuple[Path, Result], tmp_path: Path) -> None:
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    segment = tmp_path / "paper" / "journal" / "00000.journal"
    before = segment.read_bytes()
    assert paper(*paper_run(world_tape(SECONDS), tmp_path)).digest == whole[1].digest
    assert segment.read_bytes() == before


def test_another_tape_is_refused(whole: tuple[Path, Result], tmp_path: Path) -> None:
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    with pytest.raises(BadUse, match="another tape"):
        paper(*paper_run(world_tape(1.0), tmp_path))


class Kept:
    """A sink that keeps."""

    def __init__(self) -> None:
        self.rows: list[Rows] = []

    def append(self, rows: Rows, digest: int = 0) -> Any:
        self.rows.append(rows.copy())


def rows_of(*plain: tuple[int, int, int, int]) -> Rows:
    """kind, quantity, ref, value."""
    made = np.zeros(len(plain), ROW)
    for row, (kind, quantity, ref, value) in zip(made, plain, strict=True):
        row["kind"], row["quantity"], row["ref"], row["value"] = kind, quantity, ref, value
    return made


def test_rows_already_recorded_are_not_written_again_however_the_tape_was_cut() -> None:
    tape, submit = codes.TAPE, codes.SUBMIT
    recorded = rows_of((tape, 0, 0, 10), (submit, 5, 1, 0), (tape, 0, 10, 14))
    kept = Kept()
    sink = Resumed(recorded, kept)
    sink.append(rows_of((tape, 0, 0, 7)))
    sink.append(rows_of((tape, 0, 7, 10), (submit, 5, 1, 0), (tape, 0, 10, 20), (submit, 5, 2, 0)))
    assert np.concatenate(kept.rows).tolist() == rows_of((tape, 0, 14, 20), (submit, 5, 2, 0)).tolist()
    assert sink.caught_up
    assert place_of(recorded) == (0, 14)


def test_tape_rows_between_the_last_recorded_row_and_the_first_new_one_are_written() -> None:
    tape, submit = codes.TAPE, codes.SUBMIT
    kept = Kept()
    sink = Resumed(rows_of((tape, 0, 0, 10), (submit, 5, 1, 0)), kept)
    sink.append(rows_of((tape, 0, 0, 10), (submit, 5, 1, 0), (tape, 0, 10, 12)))
    assert np.concatenate(kept.rows).tolist() == rows_of((tape, 0, 10, 12)).tolist()


def test_a_run_that_goes_another_way_is_stopped_before_it_writes() -> None:
    kept = Kept()
    sink = Resumed(rows_of((codes.SUBMIT, 5, 1, 0)), kept)
    with pytest.raises(Corrupt, match="another way"):
        sink.append(rows_of((codes.SUBMIT, 6, 1, 0)))
    assert kept.rows == []


def test_the_journal_says_what_it_was_made_from(whole: tuple[Path, Result]) -> None:
    header = JournalReader(whole[0] / "paper" / "journal").header
    assert header.machine_hash == whole[1].machine_hash
    assert header.tape is not None
    assert header.tape.digest == world_tape(SECONDS).digest
