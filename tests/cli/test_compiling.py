"""What a person sees of a compilation."""

from __future__ import annotations

import io

import pytest

from tradewind.cli.compiling import compiling
from tradewind.cli.emit import Emit
from tradewind.kernel import stages

STAGES = [(stages.ROOMS, 0), (stages.ROOMS, 120), (stages.LINKING, 239), (stages.OPTIMISING, 239), (stages.GENERATING, 239)]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(err: io.StringIO, out: io.StringIO) -> str:
    with compiling(Emit(out, err, as_json=True)):
        for name, lowered in [*STAGES, (stages.DONE, 239)]:
            for listener in tuple(stages._listeners):
                listener(stages.Stage("machine.run", name, lowered, 239))
    return err.getvalue()


def test_without_a_terminal_it_is_one_line() -> None:
    out = io.StringIO()
    text = shown(io.StringIO(), out)
    assert text.count("\n") == 1
    assert "machine alone" in text and "239 functions" in text
    assert out.getvalue() == ""


def test_on_a_terminal_every_stage_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("rich.progress.Progress.update", drawn := _Drawn())
    text = shown(Terminal(), io.StringIO())
    assert "machine alone" in text
    assert drawn.told == [
        "0 of 239 functions lowered", "120 of 239 functions lowered", "linking", "optimising", "generating code", "done",
    ]  # fmt: skip


class _Drawn:
    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, *_: object, completed: float, at: str) -> None:
        self.told.append(at)


def test_nobody_listens_afterwards() -> None:
    shown(io.StringIO(), io.StringIO())
    assert not stages._listeners
