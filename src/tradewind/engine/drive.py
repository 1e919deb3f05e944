"""The driver of simulations: tape, machine and venue in one compiled loop. Backtest and paper-over-tape are this.

`out` becomes the journal, in exactly the order things happened: TAPE rows stand for the market rows the machine read,
then come the rows the venue or a strategy sent it, and the commands it emitted. The last TAPE row is left open while
nothing but market rows pass, and closed by whatever comes next. A rule that changes on the tape is a fact, and facts are what
the journal says: it is written as itself, and no TAPE row covers it.
"""

from typing import Any

from tradewind.domain.codes import BAR, END, FAULT, FULL, LAST, QUOTE, RULE, TAPE, WHOLE, WOKEN
from tradewind.kernel.emit import emit
from tradewind.kernel.jit import called, compiled, entry
from tradewind.simulation import venue

from .account import has_room, on_word
from .machine import catch_up, on_row


@entry
def run(state: Any, physics: Any, tape: Any, start: int, stop: int, segment: int, out: Any) -> Any:
    """Plays tape[start:stop] through machine and venue; returns where it stopped and why.

    segment: the index TAPE rows name. The journal rows of this call are out[:clock.n_out].
    """
    s = state[0]
    v = physics[0]
    s.clock.n_out = s.clock.wakes = 0
    stop = min(stop, tape.size)
    i = start
    opened = open_stretch(s, out, i, segment)
    while i < stop:
        if not has_room(s, out):
            return close_stretch(s, out, opened, i), FULL
        row = tape[i]
        if row.kind == BAR and v.clock.n_at_rest != 0:
            venue.opens(v, row)
        if v.clock.next_due <= row.ts_local:
            close_stretch(s, out, opened, i)
            deliver(s, v, row.ts_local, out)
            opened = open_stretch(s, out, i, segment)
        elif row.kind == RULE:
            close_stretch(s, out, opened, i)
            i += take_rule(s, v, row, out)
            opened = open_stretch(s, out, i, segment)
        else:
            n = s.clock.n_out
            catch_up(s, row.ts_local, out)
            if s.clock.next_due > row.ts_local:  # else time itself needed all the room, and the row waits
                if v.clock.n_at_rest != 0:
                    venue.before(v, s, row)
                on_row(s, row, out)
                if row.kind <= QUOTE and row.marks & LAST and s.top[row.instrument].moved:
                    venue.after(v, s, row)
                i += 1
            if s.clock.n_out != n:
                out[opened].value = i
                venue.accept(v, out, n, s.clock.n_out)
                opened = open_stretch(s, out, i, segment)
        if s.clock.wakes + s.clock.fault + v.clock.fault != 0:
            return close_stretch(s, out, opened, i), WOKEN if s.clock.fault + v.clock.fault == 0 else FAULT
    return close_stretch(s, out, opened, i), END


@called
def deliver(s: Any, v: Any, until: int, out: Any) -> None:
    """The next thing due at the venue or in the inbox: requests act, then one report or answer reaches the machine."""
    due = v.clock.next_due
    n = s.clock.n_out
    catch_up(s, due, out)
    venue.accept(v, out, n, s.clock.n_out)
    if s.clock.next_due <= due:
        return  # no room for all that time brought: the driver comes back with an empty `out`
    bring(s, v, due, out)


@called
def take_rule(s: Any, v: Any, row: Any, out: Any) -> int:
    """A rule of the tape enters the journal and the machine; 0 where time itself needed all the room, and the row waits."""
    n = s.clock.n_out
    catch_up(s, row.ts_local, out)
    venue.accept(v, out, n, s.clock.n_out)
    if s.clock.next_due <= row.ts_local:
        return 0
    first = s.clock.n_out
    r = emit(s, out, RULE, row.instrument)
    r.source = row.source
    r.stream_seq = row.stream_seq
    r.ts_venue = row.ts_venue
    r.ts_local = row.ts_local
    r.ref = row.ref
    r.value = row.value
    on_row(s, r, out)
    venue.accept(v, out, first + 1, s.clock.n_out)
    return 1


@compiled
def bring(s: Any, v: Any, due: int, out: Any) -> None:
    """What has arrived by `due` acts at the venue; then the first report or answer due reaches the machine."""
    venue.act(v, s, due)
    desk = venue.next_desk(v, due)
    first = s.clock.n_out
    if desk >= 0:
        s.clock.n_out += venue.write(v, desk, out, first, s.clock.now)
    elif v.clock.n_inbox > 0 and v.inbox[0].ts_local <= due:
        s.clock.n_out += venue.pop_answer(v, out, first, s.clock.now)
    last = s.clock.n_out
    for n in range(first, last):
        on_word(s, out[n], out)
    venue.accept(v, out, last, s.clock.n_out)
    venue.schedule_next(v)


@compiled
def open_stretch(s: Any, out: Any, i: int, segment: int) -> Any:
    """A TAPE row that begins at tape index i."""
    n = s.clock.n_out
    r = out[n]
    r.kind = TAPE
    r.side = 0
    r.marks = WHOLE
    r.source = 0
    r.instrument = 0
    r.account = 0
    r.strategy = -1
    r.stream_seq = 0
    r.ts_venue = 0
    r.ts_local = s.clock.now
    r.price = 0
    r.quantity = segment
    r.ref = i
    r.value = i
    s.clock.n_out = n + 1
    return n


@compiled
def close_stretch(s: Any, out: Any, opened: int, i: int) -> Any:
    """Ends the open TAPE row at i, or takes it back where it holds no row; returns i."""
    if out[opened].ref == i:
        s.clock.n_out = opened
    else:
        out[opened].value = i
    return i
