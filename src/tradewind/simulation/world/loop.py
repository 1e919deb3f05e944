"""The loop of a world: the next thing due happens, what has arrived leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tradewind.domain.codes import END, FAULT, FULL, NEVER
from tradewind.kernel.jit import called, entry

from .chance import uniform
from .faults import at_random, finish, start
from .layout import DEPEG, INSTRUMENTS, LOGGED, MESSAGE_ROOM, NO_FAULT
from .messages import release
from .process import STEP_NS, step
from .venue_flow import event, flush, open_market, resync

_STEP_S = STEP_NS * 1e-9
_TRUTH_ROOM = 64  # lines of truth one step may write at most, and some


@called
def _next_due(s: Any) -> int:
    best = 0
    for k in range(1, s.n_due):
        if s.due[k] < s.due[best]:
            best = k
    return best


@called
def _finish(s: Any, queue: Any, place: int) -> None:
    if finish(s, place):
        resync(s, queue, place)


@called
def _start_planned(s: Any, queue: Any, latent: int) -> None:
    """Begin the next planned fault; one still running at its place ends first, or is awaited if it had nothing to spoil yet."""
    plan = s.plan[s.next_plan]
    if plan.fault != DEPEG and s.trouble[plan.place].fault != NO_FAULT:
        _finish(s, queue, plan.place)
    if plan.fault != DEPEG and s.trouble[plan.place].fault != NO_FAULT:
        s.due[latent + 1] = s.trouble[plan.place].finish + 1
        return
    start(s, queue, plan.fault, plan.place, plan.span, plan.magnitude)
    s.next_plan += 1
    s.due[latent + 1] = max(s.plan[s.next_plan].start, s.now) if s.next_plan < s.n_plans else NEVER


@called
def _latent(s: Any, queue: Any) -> None:
    step(s)
    s.due[3 * s.n_instruments + s.n_venues] = s.now + STEP_NS
    if s.fault_rate > 0.0 and uniform(s) < s.fault_rate * _STEP_S:
        at_random(s, queue)


def _advance_of(stamp: int) -> Callable[[Any, Any, Any], tuple[int, int]]:
    def advance(state: Any, queue: Any, out: Any) -> tuple[int, int]:
        s = state[0]
        s.stamp = stamp
        rows, n = 0, s.n_instruments
        latent = 3 * n + s.n_venues
        while s.overflow == 0:
            rows = release(s, queue, out, rows, MESSAGE_ROOM)
            if s.next_release <= s.now or s.n_truths > LOGGED - _TRUTH_ROOM:
                return rows, FULL
            if s.now == s.stop:
                return rows, END
            k = _next_due(s)
            s.now = min(s.due[k], s.stop)
            if s.due[k] > s.stop:
                continue
            if k < n and s.instrument_of[k].update_id == 0:
                open_market(s, queue, k)
            elif k < n:
                event(s, queue, k)
            elif k < 2 * n:
                flush(s, queue, k - n)
            elif k < latent:  # a fault ends: of an instrument, or of a venue
                _finish(s, queue, k - 2 * n if k < 3 * n else INSTRUMENTS + k - 3 * n)
            elif k == latent:
                _latent(s, queue)
            else:
                _start_planned(s, queue, latent)
        return rows, FAULT

    return advance


def source_stamp() -> int:
    """63 bits over every source file the compiled loop is made of.

    Numba keys its cache by the caller's file alone; as a closure constant this makes a changed callee a new key.
    """
    here = Path(__file__).resolve().parent
    source = here.parent.parent
    digest = hashlib.sha256()
    for folder in (here, source / "kernel", source / "domain"):
        for file in sorted(folder.glob("*.py")):
            digest.update(file.read_bytes())
    return int.from_bytes(digest.digest()[:8], "little") >> 1


advance = entry(_advance_of(source_stamp()))
"""(state, queue, out) -> (rows written to `out`, END | FULL | FAULT). FAULT: a queue or batch overflowed."""
