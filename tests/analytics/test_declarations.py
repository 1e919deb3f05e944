"""What a feature file must declare, and that the documentation says it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tidy
from tradewind.analytics import features
from tradewind.domain import layout, rows
from tradewind.engine.compose import FEATURE_HOOKS

from . import bars

NAMES = sorted(info.name for info in pkgutil.iter_modules(features.__path__))
UNITS = {"price", "quantity", "ratio", "percent", "number"}


def module(name: str) -> ModuleType:
    return importlib.import_module(f"tradewind.analytics.features.{name}")


def test_the_tests_know_every_feature_of_bars() -> None:
    assert set(bars.OF_BARS) == {name for name in NAMES if hasattr(module(name), "GIVES")}
    assert {"flow", "pressure"} == set(NAMES) - set(bars.OF_BARS)


@pytest.mark.parametrize("name", NAMES)
def test_a_feature_declares_its_table(name: str) -> None:
    m = module(name)
    memory = np.dtype(m.MEMORY)
    assert any(hasattr(m, hook) for hook in FEATURE_HOOKS)
    assert hasattr(m, "on_bar") == m.PER_FRAME
    assert all(unit in UNITS and bars_needed > 0 for unit, bars_needed in getattr(m, "GIVES", {}).values())
    assert set(getattr(m, "GIVES", {})) <= set(memory.names or ())
    leaves = {memory.fields[field][0].base for field in memory.names or () if memory.fields is not None}
    assert {leaf for leaf in leaves if leaf.names is None} <= {np.dtype("i8"), np.dtype("f8")}
    assert "Trigger" in (m.__doc__ or "")


@pytest.mark.parametrize("name", NAMES)
def test_no_field_hides_a_name(name: str, repo: Path) -> None:
    """Neither a method of NumPy's record scalar nor a function or constant that a module of the floor reaches by a dot."""
    m = module(name)
    names = layout.field_names(np.dtype(m.MEMORY)) | {m.NAME}
    assert not names & set(dir(np.record))
    pages = [path for path in (repo / "src" / "tradewind").rglob("*.py") if "__pycache__" not in path.parts]
    sources = [tidy.Source(path.relative_to(repo).as_posix(), path.read_text()) for path in pages]
    assert not [found for source in sources for found in tidy.hidden_by_field(source, names)]
    functions = {called for source in sources if source.on_floor for called, _ in source.functions()}
    assert not names & functions


def test_tables_do_not_collide() -> None:
    taken = layout.state_dtype(layout.Capacity()).names or ()
    tables = [module(name).NAME for name in NAMES]
    assert len(set(tables)) == len(tables)
    assert not set(tables) & (set(taken) | set(rows.ROW.names or ()))


def test_every_field_is_documented(repo: Path) -> None:
    page = (repo / "docs" / "features.md").read_text()
    for name in NAMES:
        fields = getattr(module(name), "GIVES", None) or [f for f, *_ in module(name).MEMORY if f not in ("mid", "since")]
        shown = [field for field in fields if field not in ("stood_since", "trade_at")]
        missing = [field for field in [name, *shown] if not re.search(rf"`{field}`", page)]
        assert not missing, name
