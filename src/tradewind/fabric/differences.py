"""Two datasets beside each other: which rows differ, and what in their manifests explains it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from . import datasets
from .datasets import Manifest
from .store import Store

KEY = ("instrument", "ts")
MOST_EXAMPLES = 5


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs. `columns`: rows of both in which the column is not the same; `examples`: the first of them."""

    a: str
    b: str
    equal: bool
    only_a: int
    only_b: int
    changed: int
    columns: dict[str, int]
    examples: list[dict[str, Any]]
    causes: list[str]


def diff(store: Store, a: str, b: str) -> Difference:
    """The difference of two datasets, each by id or name. Raises BadUse, BadData."""
    import polars as pl

    names = datasets.find(store, a), datasets.find(store, b)
    manifests = [datasets.manifest_of(store, name) for name in names]
    frames = [datasets.load(store, name) for name in names]
    only = [frames[n].join(frames[1 - n], on=KEY, how="anti").height for n in range(2)]
    common = [name for name in frames[0].columns if name in frames[1].columns and name not in KEY]
    both = frames[0].join(frames[1], on=KEY, how="inner", suffix=" of b")
    differs = both.select(
        *KEY, *(pl.col(name).ne_missing(pl.col(f"{name} of b")).alias(name) for name in common)
    )  # a null equals a null
    changed = differs.select(pl.any_horizontal(common)).to_series()
    columns = {name: int(differs[name].sum()) for name in common}
    lost = set(frames[0].columns) ^ set(frames[1].columns)
    examples = both.filter(changed).head(MOST_EXAMPLES).to_dicts()
    return Difference(
        a=names[0], b=names[1], equal=names[0] == names[1], only_a=only[0], only_b=only[1], changed=int(changed.sum()),
        columns={name: n for name, n in columns.items() if n} | dict.fromkeys(sorted(lost), -1), examples=examples,
        causes=list(causes(*manifests)),
    )  # fmt: skip


def causes(a: Manifest, b: Manifest) -> Iterator[str]:
    """What in two manifests can make their rows differ, the nearest cause first."""
    plain = [_flat(msgspec.to_builtins(one.spec)) for one in (a, b)]
    for key in sorted({*plain[0], *plain[1]} - {"name"}):
        if plain[0].get(key) != plain[1].get(key) and not key.startswith("tapes"):
            yield f"specification: {key} is {plain[0].get(key)!r} in a, {plain[1].get(key)!r} in b"
    raw = [{part.digest: f"{part.tape} segment {part.segment}" for part in one.inputs} for one in (a, b)]
    for n, name in enumerate("ab"):
        yield from (
            f"raw data: only {name} has {place} ({digest[:12]})" for digest, place in raw[n].items() if digest not in raw[1 - n]
        )
    for entry in sorted(set(a.released) ^ set(b.released)):
        yield f"quarantine: entry {entry} was released before {'a' if entry in a.released else 'b'} was made"
    if a.code != b.code:
        yield f"code: {a.code} made a, {b.code} made b"
    for library in sorted(a.made):
        if a.made[library] != b.made.get(library):
            yield f"library: {library} {a.made[library]} made a, {b.made.get(library)} made b (must not matter)"


def _flat(value: Any, place: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {place: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= _flat(inner, f"{place}.{key}" if place else key)
    return found
