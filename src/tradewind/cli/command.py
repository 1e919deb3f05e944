"""What a command is: its options as a Struct, its promised JSON keys, and one function that does it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from tradewind.domain.errors import TradewindError

from .emit import Block, Emit, blocks_of


class Answer(msgspec.Struct, frozen=True):
    """What a command found: one JSON object, or several as lines; what a person is shown; the exit code."""

    data: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    blocks: Sequence[Block] | None = None  # None: a plain view of `data`
    exit_code: int = 0


class Frame(msgspec.Struct, frozen=True):
    """What a command may use of the outside."""

    environment: Mapping[str, str]
    emit: Emit


class Command(msgspec.Struct, frozen=True):
    """One command of the command line."""

    name: str  # "new strategy" is a command of a group
    options: type[msgspec.Struct]
    keys: tuple[str, ...]  # of the JSON answer, there also on failure
    run: Callable[[Any, Frame], Answer]
    resume: str = "run the same command again"  # what to do after Ctrl-C


def call(module: str, function: str, *arguments: Any, **named: Any) -> Any:
    """What `tradewind.runtime.MODULE.FUNCTION` gives. It is imported here and now, so that other commands start fast."""
    name = f"tradewind.runtime.{module}"
    try:
        found = getattr(importlib.import_module(name), function, None)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        found = None
    if found is None:
        raise TradewindError(
            f"{module}.{function} is not built yet", where=name, expected="a later release", todo="see the open issues"
        )
    return found(*arguments, **named)


def summary(result: Any) -> Mapping[str, Any]:
    """The JSON object of a result: the mapping itself, a Struct's fields, or what its `summary()` gives."""
    if hasattr(result, "summary"):
        result = result.summary()
    if isinstance(result, msgspec.Struct):
        result = msgspec.structs.asdict(result)
    if not isinstance(result, Mapping):
        raise TypeError(f"{type(result).__name__} is no result a command can show")
    return result


def give(command: Command, answer: Answer, emit: Emit) -> int:
    """Hands an answer to both readers and gives the exit code."""
    lines = [answer.data] if isinstance(answer.data, Mapping) else answer.data
    for line in lines:
        missing = [key for key in command.keys if key not in line]
        if missing:
            emit.say(f"note: this answer has no {', '.join(missing)}")
        emit.data({**dict.fromkeys(command.keys), **line})
    if answer.blocks is not None:
        emit.show(answer.blocks)
    elif not emit.as_json:
        for line in lines:
            emit.show(blocks_of(line))
    return answer.exit_code
