"""States: fresh ones, their bytes, their digests."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..domain.codes import NEVER
from .compose import Machine

State = NDArray[np.void]


def fresh_state(machine: Machine) -> State:
    """The state before the first row: zero but for the times that are never."""
    state = np.zeros(1, machine.state_dtype)
    s = state[0]
    for name in ("next_due", "bar_due", "marked_due", "select_due", "timer_due"):
        s["clock"][name] = NEVER
    s["timer"]["due"] = NEVER
    s["book"]["horizon"] = -NEVER
    return state


def fresh_venue(machine: Machine) -> State:
    """The simulated venue before its first order."""
    physics = np.zeros(1, machine.venue_dtype)
    v = physics[0]
    v["clock"]["next_due"] = NEVER
    v["lane"]["near"] = [-NEVER, NEVER]
    v["lane"]["far"] = [NEVER, -NEVER]
    return physics


CALL_LOCAL = ("n_out", "wakes")  # fields that say how a state was driven, not what it is


def digest(state: State) -> str:
    """32 hex digits over the state's bytes, the call-local fields left out."""
    return _digest(_without_local(state))


def facts_digest(state: State) -> str:
    """32 hex digits over the facts alone: what must survive an upgrade."""
    return _digest(np.ascontiguousarray(state["fact"]))


def _without_local(state: State) -> State:
    copied = state.copy()
    for name in CALL_LOCAL:
        copied[0]["clock"][name] = 0
    return copied


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data).hexdigest()[:32]


def restore(target: State, source: State) -> None:
    """Copies the bytes of one state into another of the same layout (far quicker than field by field)."""
    target.view(np.uint8)[:] = source.view(np.uint8)


def first_field_difference(a: State, b: State) -> str | None:
    """The path of the first field in which two states of one layout differ, or None."""
    return _difference(a[0], b[0], "")


def _difference(a: Any, b: Any, path: str) -> str | None:
    names = a.dtype.names
    if names is None:
        x, y = np.asarray(a), np.asarray(b)
        if x.dtype.names is not None:
            for index in np.ndindex(x.shape):
                found = (
                    _difference(x[index], y[index], f"{path}{list(index)}") if x[index].tobytes() != y[index].tobytes() else None
                )
                if found:
                    return found
            return None
        bad = np.argwhere(np.atleast_1d(x != y))
        return (
            f"{path}{list(map(int, bad[0]))}: {np.atleast_1d(x)[tuple(bad[0])]} != {np.atleast_1d(y)[tuple(bad[0])]}"
            if len(bad)
            else None
        )
    for name in names:
        if np.ascontiguousarray(a[name]).tobytes() != np.ascontiguousarray(b[name]).tobytes():
            found = _difference(a[name], b[name], f"{path}.{name}" if path else name)
            return found or f"{path}.{name}"
    return None
