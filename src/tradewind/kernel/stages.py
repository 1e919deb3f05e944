"""Where a compilation stands, told to whoever asked: half a minute of silence looks like a hang.

`kernel.pipeline` tells; a command line, or nobody, listens. Nothing is told where object code comes from the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType

import msgspec

from .meaning import PACKAGE, Meaning

ROOMS, LINKING, OPTIMISING, GENERATING, DONE = "rooms", "linking", "optimising", "generating code", "done"
SHARE = {ROOMS: (0.0, 0.8), LINKING: (0.8, 0.02), OPTIMISING: (0.82, 0.1), GENERATING: (0.92, 0.08), DONE: (1.0, 0.0)}
"""Of each stage: the part of the time that lies before it and its own, as measured on the default composition."""


class Stage(msgspec.Struct, frozen=True):
    """An entry point being compiled: at which stage, and how many of the functions it reaches are lowered."""

    entry: str
    name: str
    lowered: int
    functions: int

    @property
    def part(self) -> float:
        """How much is done, 0 to 1."""
        before, own = SHARE[self.name]
        return before + own * (self.lowered / max(self.functions, 1) if self.name == ROOMS else 0.0)


Listener = Callable[[Stage], None]
_listeners: list[Listener] = []
_lowered: set[tuple[str, str]] = set()
_needed: dict[str, set[tuple[str, str]]] = {}  # of the one entry point under way


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tells `listener` every stage of what is compiled meanwhile."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def begin(function: FunctionType) -> None:
    """An entry point begins to be compiled."""
    if _listeners:
        _needed.clear()
        _needed[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = reached(function)
        tell(ROOMS)


def lowered(module: str, name: str) -> None:
    """A function is typed and about to be lowered."""
    _lowered.add((module, name))
    tell(ROOMS)


def tell(name: str) -> None:
    """The entry point under way has come to a stage."""
    for entry, needed in _needed.items():
        stage = Stage(entry, name, len(needed & _lowered), len(needed))
        for listener in tuple(_listeners):
            listener(stage)
    if name == DONE:
        _needed.clear()


def reached(function: FunctionType) -> set[tuple[str, str]]:
    """The functions an entry point reaches, by module and name."""
    home = function.__module__.rpartition(".")[0]
    given = {}
    if home.split(".", maxsplit=1)[0] != PACKAGE:  # a composed package: its pages lie beside the function's file
        beside = Path(function.__code__.co_filename).parent.glob("*.py")
        given = {f"{home}.{page.stem}": page.read_text(encoding="utf-8") for page in beside}
    parts = Meaning(given).reach((function.__module__, function.__name__)).parts
    return {(module, name) for (module, _), (name, text) in parts.items() if text.startswith("def ")}
