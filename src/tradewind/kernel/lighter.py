"""Numba's compiler without work that changes nothing: an eighth of a cold compile.

Every overload looked up compares all compiler flags, each by way of a property; every lock taken is told to a listener of every
function being compiled; which variables a statement names is asked again for each of nine passes. Meanwhile the same answers come
by shorter ways. Whatever else the process compiles later finds Numba as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import event, ir
from numba.core.targetconfig import TargetConfig

UNHEARD = ("numba:compiler_lock", "numba:llvm_lock")  # told for Numba's own statistics alone


@contextmanager
def lighter() -> Iterator[None]:
    """Compiles by shorter ways meanwhile."""
    tell = event.broadcast

    def broadcast(told: Any) -> None:
        if told.kind not in UNHEARD:
            tell(told)

    changes = (
        (TargetConfig, "values", _values), (TargetConfig, "__eq__", _equal), (TargetConfig, "__hash__", _hash),
        (ir.Inst, "_rec_list_vars", _variables), (event, "broadcast", broadcast),
    )  # fmt: skip
    usual = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    try:
        for owner, name, made in changes:
            setattr(owner, name, made)
        yield
    finally:
        for owner, name, found in usual:
            setattr(owner, name, found)


def _values(flags: Any) -> dict[str, Any]:
    own = flags._values
    return {name: own.get(name, option.default) for name, option in flags.options.items()}


def _equal(flags: Any, other: object) -> bool:
    if not isinstance(other, TargetConfig):
        return NotImplemented
    return flags is other or flags._values == other._values or _values(flags) == _values(other)


def _hash(flags: Any) -> int:
    return hash(tuple(sorted(flags.options)))  # of the names alone, as Numba's is: keys made before are found


def _variables(_: Any, value: Any) -> list[ir.Var]:
    found: list[ir.Var] = []
    _collect(value, found)
    return found


def _collect(value: Any, found: list[ir.Var]) -> None:
    if isinstance(value, ir.Var):
        found.append(value)
    elif isinstance(value, ir.Inst):
        found += value.list_vars()
    elif isinstance(value, dict):
        for part in value.values():
            _collect(part, found)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _collect(part, found)
