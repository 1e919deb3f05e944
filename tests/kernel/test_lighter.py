"""Compiling does less: one compilation a function, shorter ways through Numba, and Numba as it was afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import event, ir
from numba.core.compiler import Flags, run_frontend
from numba.core.targetconfig import TargetConfig

from tradewind.kernel.jit import compiled, entry
from tradewind.kernel.lighter import lighter


@compiled
def plus(x: int, y: int) -> int:
    return x + y


@entry
def sums(narrow: Any) -> int:
    return plus(1, 2) + plus(3, 4) + plus(narrow[0], 5)


def variables(function: Any) -> list[list[str]]:
    blocks = run_frontend(function).blocks.values()
    return [[variable.name for variable in statement.list_vars()] for block in blocks for statement in block.body]


def branching(a: Any, b: Any) -> Any:
    for k in range(a):
        b[k, 1] = a + len((a, b, k))
    return {"a": a, "b": [b]}


def test_a_room_is_compiled_once_for_all_its_constants() -> None:
    assert sums(np.array([7], np.int16)) == 22
    assert len(plus.overloads) == 1  # type: ignore[attr-defined]


def test_shorter_ways_say_the_same_and_last_no_longer_than_asked() -> None:
    flags, other = Flags(), Flags()
    other.release_gil = True
    ways = TargetConfig.values, TargetConfig.__eq__, TargetConfig.__hash__, ir.Inst._rec_list_vars, event.broadcast
    usual = flags.values(), hash(flags), flags == other, flags == Flags(), variables(branching)
    with lighter():
        assert TargetConfig.values is not ways[0]
        assert (flags.values(), hash(flags), flags == other, flags == Flags(), variables(branching)) == usual
    assert (TargetConfig.values, TargetConfig.__eq__, TargetConfig.__hash__, ir.Inst._rec_list_vars, event.broadcast) == ways
