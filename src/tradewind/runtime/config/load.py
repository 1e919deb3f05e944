"""Configuration from its four layers, each value with the place it came from.

    defaults  <  file (tradewind.toml or --config)  <  environment TRADEWIND_SECTION__KEY  <  command line

Reading order: `load`, then `_from_tree` (unknown keys), `_build` (values), `checks.checked` (keys against each other).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path as File
from typing import Any

import msgspec

from tradewind.domain.errors import BadUse

from . import checks
from .lines import key_lines, line_of
from .loaded import Loaded
from .schema import KINDS, Config, Strategy, Venue
from .units import Wrong, shown
from .walk import ROOT, Leaf, Named, Node, Path, Section, children, dotted

FILE_NAME = "tradewind.toml"
PREFIX = "TRADEWIND_"
LARGEST_FILE = 1 << 20  # a configuration is written by hand; more is some other file
_SYNTAX = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")


class Given(msgspec.Struct, frozen=True):
    """A value as a layer gave it. `text`: from the environment or command line, where all is text."""

    value: Any
    origin: str
    text: bool = False


class Override(msgspec.Struct, frozen=True):
    """One key set on the command line. `option` is what the user typed, for errors."""

    key: str
    value: str
    option: str


def load(
    file: File | None = None,
    *,
    environment: Mapping[str, str],
    overrides: Iterable[Override] = (),
    folder: File = File(),
    declared: checks.Declared | None = None,
    chosen: Iterable[str] = (),
) -> Loaded:
    """The configuration that holds in `folder`. Raises BadUse naming file, key, line, what was expected and what to do.

    file: --config, else `folder`/tradewind.toml where that exists. declared: what parameters a strategy kind takes.
    chosen: kinds that --strategy names: the environment and the command line may set their keys without a table in the file.
    """
    named = file is not None
    file = file or folder / FILE_NAME
    given: dict[Path, Given] = {}
    tables: dict[Path, str] = {}  # where each table with a name of the user's choice stands in the file
    used = named or file.exists()
    if used:
        text = _text_of(file)
        tree = _parse(text, str(file))
        places = _Places(str(file), key_lines(text))
        _from_tree(tree, ROOT, (), places, given)
        tables = {
            (section, name): places.of((section, name)) for section in ("venues", "strategies") for name in tree.get(section, ())
        }
    _from_texts(_environment(environment), given)
    _from_texts([(_split(item), Given(item.value, item.option, text=True)) for item in overrides], given)
    default = Config(venues={path[1]: Venue() for path in tables if path[0] == "venues"})
    if own := {path[1]: Strategy() for path in tables if path[0] == "strategies"}:
        default = msgspec.structs.replace(default, strategies=own)
    added = {name: Strategy() for name in chosen if name in KINDS and name not in default.strategies}
    default = msgspec.structs.replace(default, strategies={**default.strategies, **added})
    _known_strategies(given, list(default.strategies))
    config: Config = _build(ROOT, default, (), given)
    origins = {dotted(path): place for path, place in tables.items()} | {dotted(path): item.origin for path, item in given.items()}
    return checks.checked(Loaded(config, origins, str(file) if used else None), declared, (file.parent if used else folder))


# The file ---------------------------------------------------------------------------------------------------------------
class _Places(msgspec.Struct, frozen=True):
    name: str
    lines: dict[Path, int]

    def of(self, path: Path) -> str:
        return f"{self.name}, line {line_of(self.lines, path)}"


def _text_of(file: File) -> str:
    where, todo = str(file), "give --config the path of a TOML file, or run without one: every key has a default"
    if not file.exists():
        raise BadUse("there is no such file", where=where, expected="a TOML file", todo=todo)
    if not file.is_file():
        raise BadUse("this is a folder, not a file", where=where, expected="a TOML file", todo=todo)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadUse(
            f"cannot be read ({error.strerror})", where=where, expected="a file you may read", todo="change its permissions"
        ) from error
    if len(data) > LARGEST_FILE:
        raise BadUse(f"the file has {len(data)} bytes", where=where, expected=f"at most {LARGEST_FILE} bytes of TOML", todo=todo)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadUse(
            "this is no UTF-8 text", where=f"{where}, line {line}", expected="TOML in UTF-8", todo="save the file as UTF-8"
        ) from error


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        match = _SYNTAX.fullmatch(str(error))
        what = match[1] if match else str(error)
        line = int(match[2]) if match and match[2] else len(text.splitlines())
        if what.startswith(("Cannot overwrite", "Cannot declare")):
            raise BadUse(
                "a key or table is given twice", where=f"{name}, line {line}", expected="each once", todo="delete one of the two"
            ) from None
        todo = "correct the line; text stands in quotes, tables in [brackets]"
        raise BadUse(f"no valid TOML: {what}", where=f"{name}, line {line}", expected="key = value", todo=todo) from None


def _from_tree(tree: dict[str, Any], node: Node, path: Path, places: _Places, given: dict[Path, Given]) -> None:
    for name, value in tree.items():
        here = (*path, name)
        child = node.item if isinstance(node, Named) else children(node.type).get(name) if isinstance(node, Section) else None
        if child is None:
            raise _unknown(here, node, places.of(here))
        if isinstance(child, Leaf):
            given[here] = Given(value, places.of(here))
        elif isinstance(value, dict):
            _from_tree(value, child, here, places, given)
        else:
            raise BadUse(
                f"{shown(value)} stands where a table belongs", where=f"{places.of(here)}, key {dotted(here)}",
                expected=f"a table [{dotted(here)}]", todo=f"write [{dotted(here)}] and its keys below",
            )  # fmt: skip


# The environment and the command line -------------------------------------------------------------------------------------
def _environment(environment: Mapping[str, str]) -> list[tuple[Path, Given]]:
    sections = children(Config)
    found = []
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX):
            continue
        parts = name[len(PREFIX) :].split("__")
        first = parts[0].lower().split("_")[0]
        if len(parts) > 1:
            found.append((_cased(parts), Given(value, f"environment variable {name}", text=True)))
        elif first in sections and "_" in parts[0]:
            meant = name.replace(f"{PREFIX}{first.upper()}_", f"{PREFIX}{first.upper()}__", 1)
            raise BadUse(
                "section and key are joined by one underscore", where=f"environment variable {name}",
                expected="two underscores between them", todo=f"name it {meant}",
            )  # fmt: skip
    return found


def _cased(parts: list[str]) -> Path:
    """Lower case, except where the schema has a key in the case given (risk.collar_bps.A)."""
    path: Path = ()
    for part in parts:
        node = _node(path)
        known = children(node.type) if isinstance(node, Section) else {}
        path = (*path, part if part in known else part.lower())
    return path


def _split(item: Override) -> Path:
    try:
        tree: Any = tomllib.loads(f"{item.key} = 0")
    except tomllib.TOMLDecodeError:
        tree = {}
    path: Path = ()
    while isinstance(tree, dict) and len(tree) == 1:
        ((name, tree),) = tree.items()
        path = (*path, name)
    if not path or tree != 0:
        raise BadUse(f"{item.key!r} is no key", where=item.option, expected="section.key=value", todo="see `tradewind config show`")
    return path


def _from_texts(items: Iterable[tuple[Path, Given]], given: dict[Path, Given]) -> None:
    for path, item in items:
        for end in range(1, len(path) + 1):
            if _node(path[:end]) is None:
                raise _unknown(path[:end], _node(path[: end - 1]), item.origin)
        if not isinstance(_node(path), Leaf):
            raise BadUse(
                f"{dotted(path)} is a table, not a key", where=item.origin, expected=f"{dotted(path)}.key", todo="name a key of it"
            )
        given[path] = item


def _node(path: Path) -> Node | None:
    node: Node | None = ROOT
    for name in path:
        node = node.item if isinstance(node, Named) else children(node.type).get(name) if isinstance(node, Section) else None
    return node


# Values ---------------------------------------------------------------------------------------------------------------------
def _build(node: Node, default: Any, path: Path, given: dict[Path, Given]) -> Any:
    if isinstance(node, Leaf):
        return _value(node, path, given[path]) if path in given else default
    if isinstance(node, Section):
        return node.type(
            **{name: _build(child, getattr(default, name), (*path, name), given) for name, child in children(node.type).items()}
        )
    fresh = node.item.type() if isinstance(node.item, Section) else None
    names = dict.fromkeys([*default, *(key[len(path)] for key in given if key[: len(path)] == path)])
    return {name: _build(node.item, default.get(name, fresh), (*path, name), given) for name in names}


def _value(leaf: Leaf, path: Path, item: Given) -> Any:
    try:
        return leaf.key.kind.read_text(item.value) if item.text else leaf.key.kind.read(item.value)
    except Wrong as wrong:
        todo = f"correct it; {dotted(path)}: {leaf.key.doc[0].lower()}{leaf.key.doc[1:].rstrip('.')}"
        raise BadUse(wrong.what, where=f"{item.origin}, key {dotted(path)}", expected=wrong.expected, todo=todo) from None


# Unknown names ----------------------------------------------------------------------------------------------------------------
def _unknown(path: Path, parent: Node | None, where: str) -> BadUse:
    from difflib import get_close_matches

    known = list(children(parent.type)) if isinstance(parent, Section) else []
    homes = [name for name, child in children(Config).items() if isinstance(child, Section) and path[-1] in children(child.type)]
    near = get_close_matches(path[-1].lower(), known, 1, 0.5)
    if near:
        todo = f"did you mean {dotted((*path[:-1], near[0]))}?"
    elif homes:
        todo = f"it belongs to [{homes[0]}]"
    else:
        todo = "delete it, or see docs/configuration.md"
    thing = "section" if len(path) == 1 else "key"
    return BadUse(f"unknown {thing}", where=f"{where}, key {dotted(path)}", expected=f"one of {', '.join(known)}", todo=todo)


def _known_strategies(given: dict[Path, Given], names: list[str]) -> None:
    for path, item in given.items():
        if path[0] == "strategies" and path[1] not in names:
            raise checks.unknown_name("strategy", path[1], names, where=f"{item.origin}, key {dotted(path)}")
