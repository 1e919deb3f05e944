"""On which line of a TOML file each key stands.

`tomllib` proves the syntax but forgets places. This walks text that tomllib has already accepted, so it need not judge.
Keys inside an inline table stand on the line of the key that holds the table.
"""

from __future__ import annotations

import re
import tomllib

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:\\.|[^"\\\n])*"' + r"|'[^'\n]*'",
    re.DOTALL,
)
Path = tuple[str, ...]


def key_lines(text: str) -> dict[Path, int]:
    """Line, from 1, of every table header and key by its path."""
    found: dict[Path, int] = {}
    table: Path = ()
    at = 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
        elif text[at] == "#":
            at = _line_end(text, at)
        elif text[at] == "[":
            table, at = _key(text, at + text[at : at + 2].count("["))
            found.setdefault(table, text.count("\n", 0, at) + 1)
            at = _line_end(text, at)
        else:
            line = text.count("\n", 0, at) + 1
            path, at = _key(text, at)
            for end in range(len(table) + 1, len(table) + len(path) + 1):
                found.setdefault((table + path)[:end], line)
            at = _value_end(text, text.index("=", at) + 1)
    return found


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of `path`, or of the nearest table around it; 1 where none is known."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _key(text: str, at: int) -> tuple[Path, int]:
    """The dotted key that begins at `at`, and where it ends."""
    parts: list[str] = []
    while True:
        while text[at] in " \t.":
            at += 1
        match = _STRINGS.match(text, at) or _BARE.match(text, at)
        if match is None:
            return tuple(parts), at
        word = match[0]
        parts.append(tomllib.loads(f"k = {word}")["k"] if word[0] in "\"'" else word)
        at = match.end()


def _value_end(text: str, at: int) -> int:
    """Where the value that begins at `at` ends: the first line end outside strings, comments and brackets."""
    depth = 0
    while at < len(text):
        match = _STRINGS.match(text, at)
        if match:
            at = match.end()
            continue
        if text[at] == "#":
            at = text.find("\n", at) if "\n" in text[at:] else len(text)
            continue
        depth += (text[at] in "[{") - (text[at] in "]}")
        at += 1
        if depth == 0 and text[at - 1] == "\n":
            return at
    return at
