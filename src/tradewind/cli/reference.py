"""docs/cli.md, made from the commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args, get_origin, get_type_hints

import msgspec

from .app import option_name
from .command import Command
from .commands import COMMANDS

HEAD = """# The command line

<!-- Made from the option Structs of src/tradewind/runtime/options.py by tradewind.cli.reference; a test compares. Do not edit. -->

Every command takes `--json`. Then stdout carries one JSON object on one line (`bench`: one line a figure) with at least the keys
named here, also on failure; words for people go to stderr. A failure adds
`"error": {"what", "where", "expected", "todo", "code", "kind"}` and sets the keys to null.

| exit code | meaning |
|---|---|
| 0 | all well |
| 1 | an error inside, a full disk, a venue that refused |
| 2 | bad use: command line or configuration; nothing was begun |
| 3 | bad data: a file or journal that cannot be believed, a replay that differs |
| 130 | interrupted (Ctrl-C); the last line says how to resume |
| 141 | nobody reads the output any more |

`TRADEWIND_DEBUG=1` adds the traceback of an error. `TRADEWIND_CACHE` and `TRADEWIND_DATA` move the folders that
`tradewind doctor --paths` lists. Configuration: [configuration.md](configuration.md).
"""


def page() -> str:
    """The text of docs/cli.md."""
    return "\n".join([HEAD, *(line for command in COMMANDS for line in _command(command))])


def _command(command: Command) -> Iterator[str]:
    hints = get_type_hints(command.options, include_extras=True)
    fields = [(field, *get_args(hints[field.name])) for field in msgspec.structs.fields(command.options)]
    arguments = [field.name.upper() + ("..." if get_origin(kind) is list else "") for field, kind, told in fields if told.argument]
    yield f"## tradewind {' '.join([command.name, *arguments])}\n"
    yield (command.options.__doc__ or "").strip() + "\n"
    if fields:
        yield "| option | meaning | default |\n|---|---|---|"
    for field, _, told in fields:
        name = field.name.upper() if told.argument else told.option or option_name(field.name)
        yield f"| `{name}` | {told.doc} | {_default(field)} |"
    yield f"\nKeys: {', '.join(f'`{key}`' for key in command.keys)}.\n"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is msgspec.NODEFAULT:
        return "" if field.default_factory is not msgspec.NODEFAULT else "required"
    return "" if field.default in (None, False) else f"`{field.default}`"
