"""A bar on the terminal while something is compiled; one line where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tradewind.kernel import stages

from .emit import Emit

if TYPE_CHECKING:
    from rich.progress import Progress

PARTS = {
    "drive.run": "machine and simulated venue",
    "machine.run": "machine alone",
    "fold.run": "facts alone",
    "loop.advance": "the seeded world",
}


class Compiling:
    """Listens to `kernel.stages` and shows what it hears."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.bar: Progress | None = None
        self.task: Any = None
        self.entry = ""

    def __call__(self, stage: stages.Stage) -> None:
        if stage.entry != self.entry:
            self._begin(stage)
        if self.bar is not None:
            at = f"{stage.lowered} of {stage.functions} functions lowered" if stage.name == stages.ROOMS else stage.name
            self.bar.update(self.task, completed=stage.part, at=at)
        if stage.name == stages.DONE:
            self.close()

    def _begin(self, stage: stages.Stage) -> None:
        self.close()
        self.entry = stage.entry
        what = PARTS.get(stage.entry, stage.entry)
        console = self.emit.console()
        if not console.is_terminal:
            self.emit.say(f"compiling for this processor, once: {what}, {stage.functions} functions; this can take a minute")
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        words = TextColumn("compiling, once: {task.description}"), TextColumn("{task.fields[at]}")
        self.bar = Progress(words[0], BarColumn(), TimeElapsedColumn(), words[1], console=console, transient=True)
        self.task = self.bar.add_task(what, total=1.0, at="")
        self.bar.start()

    def close(self) -> None:
        """Takes the bar away."""
        if self.bar is not None:
            self.bar.stop()
        self.bar, self.entry = None, ""


@contextmanager
def compiling(emit: Emit) -> Iterator[None]:
    """Shows every compilation meanwhile."""
    shown = Compiling(emit)
    with stages.listening(shown):
        try:
            yield
        finally:
            shown.close()
