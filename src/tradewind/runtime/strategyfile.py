"""A user's strategy file: loading it, and telling what went wrong in it as that file's error, not as ours."""

from __future__ import annotations

import importlib.util
import traceback
from numbers import Real
from pathlib import Path
from typing import Any

from tradewind.domain.errors import BadUse, StrategyFault, TradewindError
from tradewind.strategies.base import Strategy

WISH = "what `market.target(share)` gives, or None for no opinion"


def load_strategy(path: Path, parameters: dict[str, float]) -> Strategy:
    """The one class with `on_bar` in a file, made with its parameters. Raises BadUse."""
    if not path.is_file():
        raise BadUse("there is no such file", where=str(path), expected="a Python file with a strategy class")
    spec = importlib.util.spec_from_file_location(f"tradewind_strategy_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BadUse("cannot be read as Python", where=str(path))
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        found = [
            x for x in vars(module).values() if isinstance(x, type) and x.__module__ == module.__name__ and hasattr(x, "on_bar")
        ]
        made: Any = found[0]() if len(found) == 1 else None
    except (Exception, SystemExit) as error:  # whatever a user's file raises is told as that file's error
        raise BadUse(
            f"{type(error).__name__}: {error}", where=_place(error, str(path)), expected="a file that can be loaded",
            todo="mend the file",
        ) from error  # fmt: skip
    if made is None:
        raise BadUse(
            f"{len(found)} classes with on_bar", where=str(path), expected="exactly one",
            todo="see what `tradewind new strategy NAME` writes",
        )  # fmt: skip
    _check(made, path)
    unknown = set(parameters) - set(made.parameters)
    if unknown:
        raise BadUse(f"no parameter {min(unknown)!r}", where=str(path), expected=f"one of {', '.join(made.parameters)}")
    made.parameters = {**made.parameters, **parameters}
    strategy: Strategy = made
    return strategy


def _check(made: Any, path: Path) -> None:
    """Holds what a class must declare. Raises BadUse."""
    wakes, numbers = getattr(made, "wakes", None), getattr(made, "parameters", None)
    if not (isinstance(wakes, tuple | list) and len(wakes) == 2 and all(isinstance(word, str) for word in wakes)):
        raise BadUse(
            f"{type(made).__name__}.wakes is {wakes!r}", where=str(path), expected='a pair such as ("bar", "1m")', todo="declare it"
        )
    if not isinstance(numbers, dict) or not all(isinstance(key, str) and isinstance(x, Real) for key, x in numbers.items()):
        raise BadUse(
            f"{type(made).__name__}.parameters is {numbers!r}", where=str(path),
            expected='numbers by name such as {"length": 30}, or {}', todo="declare it",
        )  # fmt: skip


def raised(strategy: object, error: BaseException, asked: str) -> TradewindError:
    """What a strategy's own error is told as. asked: about which bar it was asked."""
    if isinstance(error, TradewindError):
        return error.at(asked)
    path = file_of(strategy)
    return StrategyFault(
        f"{type(strategy).__name__} failed: {type(error).__name__}: {error}", where=f"{_place(error, path)}, asked about {asked}",
        expected=f"an answer: {WISH}", todo="mend the strategy; what happened before is in the run's journal",
    )  # fmt: skip


def odd_answer(strategy: object, answer: object, asked: str) -> StrategyFault:
    """What an answer that is no target is told as."""
    said = repr(answer)
    return StrategyFault(
        f"{type(strategy).__name__} answered {said if len(said) <= 80 else said[:79] + '…'}",
        where=f"{file_of(strategy)}, asked about {asked}", expected=f"{WISH}; quantities and prices below 2^62 units",
        todo="mend the strategy; what happened before is in the run's journal",
    )  # fmt: skip


def file_of(strategy: object) -> str:
    """The file its `on_bar` stands in."""
    code = getattr(getattr(type(strategy), "on_bar", None), "__code__", None)
    return str(code.co_filename) if code else type(strategy).__name__


def _place(error: BaseException, path: str) -> str:
    """The innermost line of the user's file that the error went through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError) and error.filename == path and error.lineno:
        lines.append(error.lineno)
    return f"{path}, line {lines[-1]}" if lines else path
