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

# Nothing here allocates and callers keep their arrays alive for the whole call, so nobody counts references: every use of an
# array would be a locked increment and decrement, a third of the time of a row. Code that allocates does not compile.
COMMON = {"error_model": "numpy", "nogil": True, "_nrt": False}
ROOM_OPTIONS = {**COMMON, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
# Numba lets a callee inherit what it does not set itself: without the False every called function would be inlined too.
CALLED_OPTIONS = {**COMMON, "forceinline": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
ENTRY_OPTIONS = {**COMMON, "forceinline": False, "cache": True}


def compiled(function: F) -> F:
    """A function of the compiled floor, inlined into its callers."""
    return _njit(function, ROOM_OPTIONS)


def called(function: F) -> F:
    """A function of the compiled floor that stays a call: what is rare must not swell what is hot."""
    return _njit(function, CALLED_OPTIONS)


def entry(function: F) -> F:
    """A function called from Python; its object code is cached beside its file."""
    return _njit(function, ENTRY_OPTIONS)


def joint(function: F) -> F:
    """A function of `kernel.accounts` that the compiler splices in: the one of its name in `kernel.sharing`."""
    if TWIN:
        return function
    from . import sharing

    spliced: F = getattr(sharing, function.__name__)
    return spliced


def direct(function: F, *example: Any) -> F:
    """An entry for arguments of exactly the example's types, without the look at them that every call costs: about 0.2 µs of 0.5.

    Nothing but an array's dimensions and the size of its elements is checked: for arrays the caller made itself, whole.
    """
    if not hasattr(function, "overloads"):  # the uncompiled twin
        return function
    before = set(function.overloads)
    function(*example)
    from numba import typeof

    wanted = tuple(typeof(argument) for argument in example)
    found = function.overloads.get(wanted) or function.overloads[next(iter(set(function.overloads) - before))]
    made: F = found.entry_point
    return made


def _njit(function: F, options: dict[str, Any]) -> F:
    if TWIN:
        return function
    import numba
    from numba.core.types import Record

    if Record.__repr__ is not _short_repr:
        # Numba formats the argument types of every pass of every function for its event log, listened to or not. The state
        # is a record of some five hundred nested fields: formatting it took nine tenths of the compile time.
        Record.__repr__ = _short_repr  # type: ignore[method-assign]
    from .pipeline import EntryCompiler, RoomCompiler, widened

    compiler = EntryCompiler if "cache" in options else RoomCompiler
    wrapped = numba.njit(**options, pipeline_class=compiler)(function)
    widened(wrapped._compiler)
    made: F = wrapped
    return made


def _short_repr(record: Any) -> str:
    return f"Record({len(record.fields)} fields, {record.size} bytes)"
