"""Compiling does less: a room is compiled once, whatever constants it is called with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from tradewind.kernel.jit import compiled, entry


@compiled
def plus(x: int, y: int) -> int:
    return x + y


def sums(narrow: Any) -> int:
    return plus(1, 2) + plus(3, 4) + plus(narrow[0], 5)


def test_a_room_is_compiled_once_for_all_its_constants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))  # nothing is compiled that an earlier run left
    assert entry(sums)(np.array([7], np.int16)) == 22
    assert len(plus.overloads) == 1  # type: ignore[attr-defined]
