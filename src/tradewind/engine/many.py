"""The driver of a shared sweep: one market, many accounts, each with a simulated venue of its own.

What our orders do changes nothing of what the market's rooms believe, so a row passes the market once and then every account
that has something to do. An account sees rows, time and its venue's reports in exactly the order in which `drive` would bring
them to it alone: before anything happens in the market, it hears what fell due before. No TAPE rows are written.
"""

from typing import Any

from tradewind.domain.codes import BAR, END, FAULT, LAST, QUOTE
from tradewind.kernel.accounts import at, box, join, number
from tradewind.kernel.jit import called, compiled, entry
from tradewind.simulation import venue

from .account import has_room
from .drive import bring
from .machine import on_row, on_time


@entry
def run(state: Any, own: Any, physics: Any, tape: Any, start: int, stop: int, out: Any, boxes: Any, keep: int) -> Any:
    """Plays tape[start:stop] through the market of state[0], the accounts own[:] and their venues; returns where and why it ended.

    The market's verdicts go to `out`, the rows of account n to boxes[n]; keep = 0: only until they have done their work.
    """
    s = join(state, own, boxes)
    stop = min(stop, tape.size)
    i = start
    if i < stop:
        for n in range(number(s)):
            foresee(s, n, physics, tape[i], out, keep)
    while i < stop:
        row = tape[i]
        while s.clock.next_due <= row.ts_local:
            s.clock.now = max(s.clock.now, s.clock.next_due)
            on_time(s, out)
            for n in range(number(s)):
                await_next(s, n, physics, row, out, keep)
        on_row(s, row, out)
        i += 1
        fault = s.clock.fault | react(s, physics, row, tape[min(i, stop - 1)], i < stop, out, keep)
        if keep == 0 or not has_room(s, out):
            s.clock.n_out = 0
        if fault != 0:
            return i, FAULT
    return i, END


@compiled
def react(s: Any, physics: Any, row: Any, following: Any, follows: bool, out: Any, keep: int) -> int:
    """Every venue sees what became of the row and takes what its account commanded, then the next row; gives their faults."""
    moved = row.kind <= QUOTE and row.marks & LAST != 0 and s.top[row.instrument].moved != 0
    fault = 0
    for n in range(number(s)):
        v = physics[n]
        a = at(s, n)
        if moved and v.clock.n_at_rest != 0:
            venue.after(v, a, row)
        accept(a, v, box(s, n, out), keep)
        fault |= a.clock.fault | v.clock.fault
        if follows:
            foresee(s, n, physics, following, out, keep)
    return fault


@compiled
def foresee(s: Any, n: int, physics: Any, row: Any, out: Any, keep: int) -> None:
    """A row is the next on the tape: what trades at a bar's open is heard while the bar still lasts."""
    if row.kind == BAR and physics[n].clock.n_at_rest != 0:
        venue.opens(physics[n], row)
    await_next(s, n, physics, row, out, keep)


@compiled
def await_next(s: Any, n: int, physics: Any, row: Any, out: Any, keep: int) -> None:
    """Account n hears what is due before time brings anything, or before the row; then its venue sees the row coming."""
    until = min(s.clock.next_due, row.ts_local + 1)
    if physics[n].clock.next_due < until:
        listen(s, n, physics, row, until, out, keep)
    if until > row.ts_local and physics[n].clock.n_at_rest != 0:
        venue.before(physics[n], at(s, n), row)


@called
def listen(s: Any, n: int, physics: Any, row: Any, until: int, out: Any, keep: int) -> None:
    v = physics[n]
    a = at(s, n)
    rows = box(s, n, out)
    while v.clock.next_due < until:
        due = v.clock.next_due
        accept(a, v, rows, keep)
        bring(a, v, due, rows)
        settle(a, v, rows, keep)
        if row.kind == BAR and v.clock.n_at_rest != 0:
            venue.opens(v, row)


@compiled
def accept(a: Any, v: Any, rows: Any, keep: int) -> None:
    """What the account commanded since it was last asked sets out for its venue."""
    if a.clock.n_out == v.clock.n_accepted:
        return
    venue.accept(v, rows, v.clock.n_accepted, a.clock.n_out)
    settle(a, v, rows, keep)


@compiled
def settle(a: Any, v: Any, rows: Any, keep: int) -> None:
    """All rows of the account have done their work."""
    if keep == 0 or not has_room(a, rows):
        a.clock.n_out = 0
    v.clock.n_accepted = a.clock.n_out
