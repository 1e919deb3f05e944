"""Write the pages under docs/ that are made from code: `python tools/pages.py`.

tests/test_docs.py fails where one is out of date.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "src"))

CODES_HEAD = """# Codes

<!-- Made by tools/pages.py from src/tradewind/domain/codes.py and reasons.py. Do not edit. -->

What stands on a tape, in a journal and in the answers of `why` and `why-not`. A code is never reused and never renumbered.
"""
COMMANDS_HEAD = """# Commands

<!-- Made by tools/pages.py from src/tradewind/cli/commands and runtime/options.py. Do not edit. -->

With `--json` a command writes one JSON object, or JSON lines, on stdout, with at least the keys named here, also when it
fails; words for people go to stderr. The Python API takes the same options: `import tradewind as tw`.

| exit code | meaning |
|---|---|
| 0 | all well |
| 1 | something failed inside, or a venue or the disk refused |
| 2 | the command or the configuration is wrong; nothing was begun |
| 3 | a file, message or value cannot be believed; nothing of it was used |
| 130 | interrupted |
| 141 | nobody reads the output any more |
"""
BLOCKS = (
    (1, 40, "Causes of an order or a cancel"),
    (40, 80, "Why a strategy did nothing"),
    (80, 120, "Refusals of the risk review"),
    (120, 160, "Verdicts of truth: why a message or value was not believed"),
    (160, 200, "Faults: a check inside the machine failed, it latched HALTED"),
    (200, 1 << 31, "Others"),
)


def codes_page() -> str:
    """docs/codes.md: kinds of rows, then every reason with its sentence."""
    from tradewind.domain import reasons

    lines = [CODES_HEAD, "## Kinds of rows\n", "| code | kind | meaning of its fields |", "|---|---|---|"]
    lines += [f"| {code} | `{name}` | {comment} |" for code, name, comment in _kinds()]
    for first, end, title in BLOCKS:
        inside = sorted(code for code in reasons.NAMES if first <= code < end)
        if inside:
            lines += ["", f"## {title}\n", "| code | name | in words |", "|---|---|---|"]
            lines += [f"| {code} | `{reasons.NAMES[code]}` | {_words(reasons.SENTENCES.get(code, ''))} |" for code in inside]
    return "\n".join(lines) + "\n"


def _kinds() -> list[tuple[int, str, str]]:
    from tradewind.domain import rows

    source = (REPO / "src/tradewind/domain/codes.py").read_text()
    comments = dict(re.findall(r"^([A-Z]+) = \d+  # (.*)$", source, re.MULTILINE))
    return [(code, name, comments.get(name, "").replace("|", "\\|")) for code, name in sorted(rows.KIND_NAMES.items())]


def _words(sentence: str) -> str:
    return re.sub(r"\{(measured|threshold)[^}]*\}", r"*\1*", sentence).replace("|", "\\|")


def commands_page() -> str:
    """docs/commands.md: every command with its arguments, options and promised JSON keys."""
    from tradewind.cli.commands import COMMANDS

    lines = [COMMANDS_HEAD]
    for command in COMMANDS:
        lines += [f"## tradewind {command.name}\n", (inspect.getdoc(command.options) or "") + "\n"]
        lines += ["| argument or option | default | meaning |", "|---|---|---|", *_options(command.options), ""]
        lines += [f"Keys of its answer: {', '.join(f'`{key}`' for key in command.keys)}.\n"] if command.keys else []
    return "\n".join(lines).rstrip() + "\n"


def _options(options: type[msgspec.Struct]) -> Iterator[str]:
    from tradewind.cli.app import option_name

    hints = get_type_hints(options, include_extras=True)
    fields = sorted(msgspec.structs.fields(options), key=lambda field: not get_args(hints[field.name])[1].argument)
    for field in fields:
        told = get_args(hints[field.name])[1]
        name = field.name.upper() if told.argument else told.option or option_name(field.name)
        given = "needed" if field.required else "" if field.default in (None, msgspec.NODEFAULT) else f"`{field.default}`"
        yield f"| `{name}` | {given} | {_words(told.doc)} |"
    yield "| `--json` | `False` | JSON on stdout. |"


def pages() -> dict[str, str]:
    """Every page made from code, by its path in the repository."""
    return {"docs/codes.md": codes_page(), "docs/commands.md": commands_page()}


if __name__ == "__main__":
    for name, text in pages().items():
        (REPO / name).write_text(text)
