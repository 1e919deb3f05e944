"""A few seconds of a seeded world on a tape, and runs over it: what the tests of replay and recovery stand on."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from tradewind.domain import codes
from tradewind.domain.rows import ROW, Rows
from tradewind.engine.compose import Machine
from tradewind.engine.snapshot import facts_digest
from tradewind.runtime.config import Loaded
from tradewind.runtime.demo import demo_spec, make_tape
from tradewind.runtime.options import PaperOptions, configured
from tradewind.runtime.replay import Replayed, Replayer, fold
from tradewind.storage.journal import JournalReader
from tradewind.storage.tape import Tape

SEED = 7
QUICK = (
    "timeframes.names=1s,5s,1m", "selector.period_ns=1s", "strategies.swing.parameters.slow=3",
    "strategies.swing.parameters.fast=2", "strategies.swing.parameters.enter=0.05",
)  # fmt: skip


@cache
def world_tape(seconds: float) -> Tape:
    """The tape of the demo's world, made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-world-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    tape, _ = make_tape(demo_spec(int(seconds * codes.SECOND)), SEED, folder / "tape")
    return tape


def paper_run(tape: Tape, out: Path, *, speed: float = 0.0) -> tuple[PaperOptions, Loaded]:
    """Options and configuration of a paper run over the tape."""
    options = PaperOptions(tape=tape.folder, out=out, set=list(QUICK), speed=speed)
    return options, configured(options, {})


def command(name: str, tape: Path, out: Path, *more: str) -> list[str]:
    """The command line of a run over the tape, configured as `paper_run` is."""
    sets = [word for pair in QUICK for word in ("--set", pair)]
    return [sys.executable, "-m", "tradewind.cli", name, "--tape", str(tape), "--out", str(out), "--json", *sets, *more]


def environment(source: Path, **more: str) -> dict[str, str]:
    """The environment of a child that runs Tradewind from `source` with the caches of this test run."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    cache_dir = kept.get("NUMBA_CACHE_DIR")
    if cache_dir and "TRADEWIND_CACHE" not in kept:
        kept["TRADEWIND_CACHE"] = str(Path(cache_dir) / "machines")
    return {**kept, "PYTHONPATH": str(source), **more}


def child(words: list[str], env: dict[str, str], *, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Runs a child to its end."""
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=timeout, check=False)


def journal_rows(folder: Path) -> Rows:
    """Every row of a journal."""
    parts = list(JournalReader(folder).rows())
    return np.concatenate(parts) if parts else np.zeros(0, ROW)


def own_rows(folder: Path) -> Rows:
    """The canonical rows: all but TAPE, which only say how the tape was cut."""
    found = journal_rows(folder)
    return found[found["kind"] != codes.TAPE]


def replayed_and_folded(journal: Path, machine: Machine | None) -> tuple[Machine, Replayed, str]:
    """Both ways to what a journal says: a replay under the machine that wrote it, and the digest of the facts folded from it.

    machine: None composes the journal's own, returned for the next journal.
    """
    replayer = Replayer(journal, machine=machine)
    replayer.refuse_other()
    replayer.run()
    replayed = replayer.finish()
    state, _ = fold(journal, replayer.machine)
    return replayer.machine, replayed, facts_digest(state)
