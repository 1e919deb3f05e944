"""The engine process stays small: what its rooms bring along when they are imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MOST = 12
ROOMS = (
    "domain",
    "kernel",
    "market",
    "analytics",
    "strategy",
    "risk",
    "execution",
    "portfolio",
    "simulation",
    "engine",
    "storage",
    "venues",
)
LISTING = """
import importlib, importlib.metadata, json, pkgutil, sys
for room in json.loads(sys.argv[1]):
    package = importlib.import_module("tradewind." + room)
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not info.name.endswith("__main__"):
            importlib.import_module(info.name)
owners = importlib.metadata.packages_distributions()
found = {name for top in {name.split(".")[0] for name in sys.modules} for name in owners.get(top, ())}
print(json.dumps(sorted(found - {"tradewind", "setuptools"})))
"""


def distributions(rooms: tuple[str, ...]) -> set[str]:
    """Third-party distributions in memory once every module of `rooms` is imported in a fresh process.

    setuptools is not counted: where it is installed, a hook of its own loads it into every process.
    """
    call = [sys.executable, "-c", LISTING, json.dumps(rooms)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return set(found)


@pytest.mark.usefixtures("on_path")
def test_engine_process_loads_few_distributions() -> None:
    found = distributions(ROOMS)
    assert {"numpy", "msgspec"} <= found
    assert len(found) <= MOST, found
    assert not found & {"rich", "typer", "plotly", "pandas", "pydantic"}, found


@pytest.mark.usefixtures("on_path")
def test_the_nouns_need_no_compiler_and_no_frames() -> None:
    assert not distributions(("domain",)) & {"numba", "llvmlite", "polars", "zstandard"}


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources, for a child that finds no installed package."""
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
