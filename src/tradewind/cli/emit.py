"""The only place that prints: JSON on stdout for programs, words and tables on stderr for people.

Names, paths and messages may come from a file or a venue, so everything is escaped before a terminal sees it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import msgspec

from tradewind.domain.errors import TradewindError

from .tables import drawn

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Watch = Callable[[Mapping[str, Any]], None]
"""Takes the state of something that is going on, as a mapping; shown again at each call."""
NS_OF_2001 = 10**18  # an integer above it, of a field that tells a moment, is one
MAX_CELL = 400  # characters of one value on a screen; the JSON has all


class Table(msgspec.Struct, frozen=True):
    """Rows for a person to read."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


Block = Any
"""What a command shows a person: a Table, a line of words, or something rich can draw."""


def escaped(value: object) -> str:
    """The text of `value` with everything that could steer a terminal or reorder its text written as an escape."""
    text = "" if value is None else str(value)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def plain(data: Any) -> Any:
    """`data` as JSON types: Structs as objects, Decimals as text, numbers that JSON lacks as null."""
    return _finite(msgspec.to_builtins(data, enc_hook=_hook, str_keys=True))


def _hook(value: Any) -> Any:
    if hasattr(value, "item"):  # a NumPy scalar
        return value.item()
    if hasattr(value, "__fspath__"):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Emit:
    """The two outlets of one command. `as_json`: the answer goes to stdout as JSON, and nothing else does."""

    def __init__(self, out: IO[str], err: IO[str], *, as_json: bool) -> None:
        self.out, self.err, self.as_json = out, err, as_json

    def data(self, data: Mapping[str, Any]) -> None:
        """One JSON object on one line of stdout, where JSON is wanted."""
        if self.as_json:
            print(json.dumps(plain(data), allow_nan=False), file=self.out, flush=True)

    def say(self, line: str) -> None:
        """One line of progress for a person."""
        self.console().print(escaped(line), markup=False, highlight=False, soft_wrap=True)

    def show(self, blocks: Sequence[Block]) -> None:
        """Tables and words for a person; not where the answer was asked for as JSON: it says the same."""
        if self.as_json:
            return
        console = self.console()
        for block in blocks:
            if isinstance(block, str):
                self.say(block)
            else:
                console.print(_table(block, console.width) if isinstance(block, Table) else block)

    def error(self, error: TradewindError, keys: Sequence[str]) -> None:
        """An error, to a person in four lines and to a program as an object that has all promised keys."""
        code = error.exit_code
        parts = {"what": error.what, "where": error.where, "expected": error.expected, "todo": error.todo}
        self.data({**dict.fromkeys(keys), "error": {**parts, "code": code, "kind": type(error).__name__}})
        self.say(f"error: {error.what}")
        for name in ("where", "expected", "todo"):
            if parts[name]:
                self.say(f"  {'to do' if name == 'todo' else name}: {parts[name]}")

    def trace(self) -> None:
        """The traceback of the exception at hand, for those who asked for it."""
        import traceback

        print(traceback.format_exc(), file=self.err)

    @contextmanager
    def live(self) -> Iterator[Watch]:
        """A view that is drawn over itself while something goes on; on no terminal it stays silent."""
        console = self.console()
        if not console.is_terminal:
            yield lambda state: None
            return
        from rich.live import Live

        with ExitStack() as stack:
            view = Live(console=console, refresh_per_second=8, transient=True)

            def watch(state: Mapping[str, Any]) -> None:
                if not view.is_started:
                    stack.enter_context(view)  # not before there is something to see: compiling draws a bar of its own
                view.update(_group(blocks_of(state), console.width))

            yield watch

    def console(self) -> Console:
        """Where people read: stderr."""
        from rich.console import Console

        class Quiet(Console):
            def on_broken_pipe(self) -> None:
                """A reader that went away is told to `main`; rich itself would end the process with code 1."""
                raise BrokenPipeError

        return Quiet(file=self.err, highlight=False, markup=False, emoji=False)


def blocks_of(data: Mapping[str, Any]) -> list[Block]:
    """A plain view of any answer: its single values in one table, then one table for each list or mapping of records."""
    return list(_blocks("", plain(data)))


def _blocks(title: str, data: Mapping[str, Any]) -> Iterator[Block]:
    single: list[tuple[str, object]] = []
    inner: list[Block] = []
    for name, value in data.items():
        below = f"{title}: {name}" if title else name
        records = _records(value)
        if records:
            columns = list(dict.fromkeys(key for record in records for key in record))
            cells = [[_worded(column, record.get(column)) for column in columns] for record in records]
            inner.append(Table(below, columns, cells))
        elif isinstance(value, dict) and value and (not title or _is_long(value)):
            inner += _blocks(below, value)
        else:
            single.append((name, _worded(name, value)))
    if single:
        yield Table(title, ("", ""), single)
    yield from inner


def _is_long(value: Mapping[str, Any]) -> bool:
    """Whether a mapping is a table of its own rather than a few words in a cell."""
    return len(value) > 4 or any(isinstance(item, dict | list) for item in value.values())


def _worded(name: str, value: Any) -> object:
    """A value as a person reads it: moments as dates, lists and small mappings as words, nothing as nothing."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(_worded(key, item))}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(_worded(name, item)) for item in value)
    if isinstance(value, int) and (name == "ts" or name.endswith("_ts")) and value > NS_OF_2001:
        return f"{datetime.fromtimestamp(value // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{value % 10**9:09d}Z".replace(".000000000Z", "Z")
    return value


def _records(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return value
    if isinstance(value, dict) and value and all(isinstance(item, dict) for item in value.values()):
        return [{"": name, **item} for name, item in value.items()]
    return []


def _table(block: Table, width: int) -> RenderableType:
    return drawn(
        escaped(block.title), [escaped(column) for column in block.columns],
        [[_cell(value) for value in row] for row in block.rows], width,
    )  # fmt: skip


def _group(blocks: Sequence[Block], width: int) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    return Group(*(Text(escaped(block)) if isinstance(block, str) else _table(block, width) for block in blocks))


def _cell(value: object) -> str:
    if isinstance(value, float):
        value = f"{value:,.6g}"
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15:
        value = f"{value:,}"
    text = escaped(value)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"
