"""The shape of the schema: what lies under a section, and every key of a configuration in order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from .schema import Config, Key

Path = tuple[str, ...]


class Leaf(msgspec.Struct, frozen=True):
    """A key that takes a value."""

    key: Key


class Section(msgspec.Struct, frozen=True):
    """A table with fixed keys, made into `type`."""

    type: Any


class Named(msgspec.Struct, frozen=True):
    """A table whose keys are the user's names; below each lies `item`."""

    item: Leaf | Section


Node = Leaf | Section | Named
ROOT = Section(Config)


@cache
def children(section: Any) -> dict[str, Node]:
    """The node below each field of a schema Struct."""
    return {name: _node(hint) for name, hint in get_type_hints(section, include_extras=True).items()}


def _node(hint: Any) -> Node:
    key = None
    if get_origin(hint) is Annotated:
        hint, key = get_args(hint)
    if get_origin(hint) is dict:
        return Named(Section(get_args(hint)[1]) if key is None else Leaf(key))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct) and _has_keys(hint):
        return Section(hint)
    if key is None:
        raise TypeError(f"{hint} has no Key")
    return Leaf(key)


def _has_keys(struct: type[msgspec.Struct]) -> bool:
    hints = get_type_hints(struct, include_extras=True).values()
    return any(get_origin(hint) is Annotated for hint in hints)


def dotted(path: Path) -> str:
    """A path as it is written in TOML."""
    return ".".join(part if part.replace("-", "_").isidentifier() else f'"{part}"' for part in path)


def leaves(config: Config) -> Iterator[tuple[Path, Key, Any]]:
    """Path, key and value of everything in `config`, in schema order."""
    yield from _below(ROOT, config, ())


def _below(node: Node, value: Any, path: Path) -> Iterator[tuple[Path, Key, Any]]:
    if isinstance(node, Leaf):
        yield path, node.key, value
    elif isinstance(node, Named):
        for name, item in value.items():
            yield from _below(node.item, item, (*path, name))
    else:
        for name, child in children(node.type).items():
            yield from _below(child, getattr(value, name), (*path, name))


def written(key: Key, value: Any) -> Any:
    """`value` as a person writes it, as JSON types; None where it is not set."""
    if value == "" or (value is None and not key.kind.takes_none):
        return None
    return key.kind.write(value)
