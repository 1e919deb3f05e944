"""A worked example as an installed package: its modules and its entry points on the path."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest


def install(source: Path, place: Path, extra: Mapping[str, Mapping[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the package of the folder `source` into `place`, with the entry points of `extra` beside its own, by group."""
    for path in source.glob("*.py"):
        (place / path.name).write_text(path.read_text())
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    info = place / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = []
    for group, points in project["entry-points"].items():
        named = {**points, **extra.get(group, {})}
        groups.append(f"[{group}]\n" + "".join(f"{name} = {spot}\n" for name, spot in named.items()))
    (info / "entry_points.txt").write_text("\n".join(groups))
    monkeypatch.syspath_prepend(str(place))
