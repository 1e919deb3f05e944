"""The two decorators of the compiled floor.

`compiled` makes a room's function: inlined into whatever calls it, never cached by itself. `entry` makes a function
Python calls: cached in the composition's own folder. Numba is imported on first use, so that a command line which
compiles nothing does not pay for it. Inside the uncompiled twin (`kernel.twin`) both give the function back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

TWIN = __name__.startswith("tradewind_twin.")  # this module was loaded by kernel.twin

ROOM_OPTIONS = {"error_model": "numpy", "nogil": True, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
CALLED_OPTIONS = {"error_model": "numpy", "nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
ENTRY_OPTIONS = {"error_model": "numpy", "nogil": True, "cache": True}


def compiled(function: F) -> F:
    """A function of the compiled floor, inlined into its callers."""
    return _njit(function, ROOM_OPTIONS)


def called(function: F) -> F:
    """A function of the compiled floor that stays a call: what is rare must not swell what is hot."""
    return _njit(function, CALLED_OPTIONS)


def entry(function: F) -> F:
    """A function called from Python; its object code is cached beside its file."""
    return _njit(function, ENTRY_OPTIONS)


def _njit(function: F, options: dict[str, Any]) -> F:
    if TWIN:
        return function
    import numba

    wrapped: F = numba.njit(**options)(function)
    return wrapped
