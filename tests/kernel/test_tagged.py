"""That accesses carry tags, and that tags never tell two names of one place apart."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradewind.domain.rows import ROW

PAGE = """
from tradewind.kernel.jit import called, compiled, entry

@compiled
def moved(s, i, j):
    one, other = s.pair[i], s.pair[j]
    before = other.level
    one.level += 2.5
    s.ring[i] = int(other.level)
    s.ring[j] += 1
    one.count = s.ring[i] + s.count
    return float(other.count) + before

@called
def told(s, i):
    s.count += s.ring[i]
    s.pair[i] = s.pair[1 - i]
    return s.count

@entry
def run(state, rows, i, j):
    s = state[0]
    first = moved(s, i, j)
    s.pair[j].level = first
    n = told(s, i)
    rows[i].price = n
    rows[j].kind = 3
    rows[i] = rows[j]
    return float(s.pair[i].level) + float(s.pair[i].count) + float(s.ring[j]), rows[i].kind + rows[i].price
"""
PAIR = np.dtype([("level", "f8"), ("count", "i8")])
STATE = np.dtype([("count", "i8"), ("pair", PAIR, (2,)), ("ring", "i8", (2,))])


@pytest.fixture
def run(tmp_path: Path, numba_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The page's entry point."""
    package = tmp_path / "tagged_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "page.py").write_text(PAGE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("tagged_package.page").run
    del sys.modules["tagged_package.page"]


def wanted(i: int, j: int) -> tuple[float, int]:
    """What the page's `run` gives for `fresh` arrays, told in plain Python."""
    levels, counts, ring = [1.0, 4.0], [10, 20], [5, 7]
    before = levels[j]
    levels[i] += 2.5
    ring[i] = int(levels[j])
    ring[j] += 1
    counts[i] = ring[i] + 100
    levels[j] = counts[j] + before
    count = 100 + ring[i]
    levels[i], counts[i] = levels[1 - i], counts[1 - i]
    prices, kinds = [0, 0], [1, 1]
    prices[i] = count
    kinds[j] = 3
    prices[i], kinds[i] = prices[j], kinds[j]
    return levels[i] + counts[i] + ring[j], kinds[i] + prices[i]


def test_one_place_under_two_names_is_one_place(run: Any) -> None:
    """Whichever of two records the indices name, equal or not; and the tags are there."""
    for i in range(2):
        for j in range(2):
            state, rows = np.zeros(1, STATE), np.ones(2, ROW)
            rows["price"] = 0
            s = state[0]
            s["count"], s["pair"]["level"], s["pair"]["count"], s["ring"] = 100, [1.0, 4.0], [10, 20], [5, 7]
            assert run(state, rows, i, j) == wanted(i, j), (i, j)
    (code,) = run.inspect_llvm().values()
    for kind in ("16.0.level", "16.8.count", "56.0.count", "element.int64", "64.32.price"):
        assert f'"{kind}"' in code, kind
