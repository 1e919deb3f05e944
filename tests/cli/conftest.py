"""A clean place to run commands in, and snapshots: one text file of sections, compared section by section."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tradewind.cli import main

HERE = Path(__file__).parent
UPDATE = os.environ.get("UPDATE_SNAPSHOTS") == "1"


class Ran(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """The JSON object on stdout."""
        return json.loads(self.out)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a command in an empty folder without any TRADEWIND_ variable."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("TRADEWIND_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*words: str) -> Ran:
        capsys.readouterr()
        code = main(words)
        return Ran(code, *capsys.readouterr())

    return call


class Snapshots:
    """The sections of one file under snapshots/. UPDATE_SNAPSHOTS=1 writes it anew from what the tests saw."""

    def __init__(self, file: Path) -> None:
        self.file, self.seen = file, dict[str, str]()
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        parts = [part.split("\n", 1) for part in text.split("=== ")[1:]]
        self.kept = {name.strip(): body for name, body in parts}

    def check(self, name: str, text: str) -> None:
        """Fails unless section `name` is `text`."""
        self.seen[name] = text + "\n\n"
        if not UPDATE:
            assert self.kept.get(name, "(no such section)").rstrip() == text.rstrip()

    def close(self) -> None:
        """Writes what was seen, in update mode."""
        if UPDATE and self.seen:
            self.file.write_text("".join(f"=== {name}\n{body}" for name, body in self.seen.items()), encoding="utf-8")


@pytest.fixture(scope="module")
def snapshots(request: pytest.FixtureRequest) -> Iterator[Snapshots]:
    """The snapshots of a test module: snapshots/<module>.txt."""
    kept = Snapshots(HERE / "snapshots" / f"{Path(request.node.fspath).stem}.txt")
    yield kept
    kept.close()
