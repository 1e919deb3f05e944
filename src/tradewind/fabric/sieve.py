"""What the machine makes of each raw row: taken, refused (and why), or told twice.

There is no second truth. A small page is composed around the machine's own step, with nobody to trade: it feeds every row as
backtest and paper do and writes down its fate. Depth and quotes are judged as whole messages, as the machine judges them. A
source that stands off the others is doubted (verdict, trust, quality); its row is refused only where no market can stand so.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes, layout
from tradewind.domain.errors import MachineFault
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import Rows, rows
from tradewind.engine.compose import Composition, Machine
from tradewind.engine.prelude import Prelude, Setup, StrategySetup
from tradewind.engine.snapshot import fresh_state

from .beliefs import EVERY_NS, Day

TAKEN, TWICE = 0, -1  # fates; every other is a code of domain.reasons
OUT_ROWS = 1 << 11
STALE_NS = 10 * codes.SECOND
SLOWEST_NS = 5 * codes.MINUTE  # the longest silence that a source of ticks may have as its habit
HABIT_OF = 4_096  # messages a source's habit is learned from, and the fewest that make one
HABIT_FROM = 10

PAGE = '''"""Generated: the fate of every row."""

from tradewind.domain.codes import BAR, DEPTH, EMPTY, LAST, MARKPRICE, OBSERVATION, QUOTE, RESYNC, SNAPSHOT, TRADE, VERDICT
from tradewind.domain.layout import BARS_ONLY, JUMP_BP
from tradewind.domain.reasons import (
    BAD_PRICE, BAD_QUANTITY, BOOK_NOT_SYNCED, BROKEN_BAR, HOLE_IN_STREAM, IMPOSSIBLE_JUMP, OLD_MESSAGE,
)
from tradewind.kernel.jit import called, compiled, entry
from tradewind.market.consensus import strayed
from tradewind.market.truth import MOST_UNITS, REMEMBERED, SEQ_MASK, TORN

from .machine import catch_up, on_row


@entry
def run(state, tape, start, stop, out, fates, causes):
    """Feeds tape[start:stop]; fates[n - start] is what became of row n. Returns where it ended."""
    s = state[0]
    for n in range(start, stop):
        s.clock.n_out = 0
        catch_up(s, tape[n].ts_local, out)
        while s.clock.next_due <= tape[n].ts_local:
            s.clock.n_out = 0
            catch_up(s, tape[n].ts_local, out)
        s.clock.n_out = 0
        fates[n - start] = judged(s, tape[n], out, causes)
        if s.clock.fault != 0:
            return n
    return stop


@compiled
def judged(s, row, out, causes):
    """Takes one row; 0, -1 where it was told twice, else why it was refused."""
    i = row.instrument
    if row.kind > MARKPRICE or row.kind == OBSERVATION or not (0 <= i < s.top.size and 0 <= row.source < s.source.size):
        on_row(s, row, out)
        return 0
    last = s.source[row.source].last_seq
    behind = (last - row.stream_seq) & SEQ_MASK
    traded = s.bar[i, 0].trades
    n_old = s.trust[i].n_old
    on_row(s, row, out)
    if last != 0 and row.marks & RESYNC == 0 and behind < SEQ_MASK // 2:
        return -1
    if row.kind == TRADE:
        if s.bar[i, 0].trades != traded:
            return 0
        if s.trust[i].n_old > n_old:
            return -1 if row.ref - s.trust[i].last_trade > -REMEMBERED else OLD_MESSAGE
        return worthless(row, IMPOSSIBLE_JUMP)
    if row.kind == DEPTH:
        return of_depth(s, row, out, causes)
    if row.kind == QUOTE:
        return of_quote(s, row)
    if row.kind == BAR:
        return of_bar(s, row)
    return 0


@called
def worthless(row, otherwise):
    """Which of a row's numbers cannot be one of a market; else what was given."""
    if row.marks & EMPTY:
        return otherwise
    if row.price <= 0 or row.price > MOST_UNITS:
        return BAD_PRICE
    if row.quantity < 0 or row.quantity > MOST_UNITS:
        return BAD_QUANTITY
    return otherwise


@compiled
def of_depth(s, row, out, causes):
    """A level of a message that did not come into the book, by what made the book unreadable."""
    i = row.instrument
    for n in range(s.clock.n_out):
        if out[n].kind == VERDICT and out[n].instrument == i and s.book[i].skip:
            causes[i] = out[n].value
    if not s.book[i].skip:
        causes[i] = 0
        return 0
    bad = worthless(row, 0)
    if bad != 0:
        causes[i] = bad
    if causes[i] == 0 and s.book[i].last_id > 0 and row.ref <= s.book[i].last_id:
        return OLD_MESSAGE
    return causes[i] if causes[i] != 0 else BOOK_NOT_SYNCED


@compiled
def of_quote(s, row):
    """A best quote that cannot be one, or a touch made of quotes alone that is not believed."""
    i = row.instrument
    bad = worthless(row, 0)
    if bad != 0:
        return bad
    if row.marks & LAST == 0:
        return 0
    if s.quoted[i].id == TORN:
        return HOLE_IN_STREAM
    if s.book[i].fed_by < 0 and s.top[i].good == 0:
        return false_price(s, i)
    return 0


@called
def false_price(s, i):
    """Why a price that is not believed is false itself; 0 where only its source is doubted: it may stand off, and was traded."""
    trust = s.trust[i]
    if strayed(s.top[i]):
        limit = max(float(s.fact.rule[i, JUMP_BP]) * max(1.0, trust.stretch), trust.grace)
        return s.top[i].suspect if trust.deviation > limit else 0
    return s.top[i].suspect


@compiled
def of_bar(s, row):
    """A bar that cannot be one, or, where bars are all there is, one whose close is not believed."""
    value = row.value
    low = min(row.price, row.ref) - ((value & 0xFFFFFFFF) - ((value & 0x80000000) << 1))
    if (value >> 32) < 0 or (value & 0x80000000) != 0 or low <= 0 or row.quantity < 0:
        return BROKEN_BAR
    if s.fact.rule[row.instrument, BARS_ONLY] and s.top[row.instrument].good == 0:
        return false_price(s, row.instrument)
    return 0
'''


class Judge(Machine):
    """The composed machine of a sieve."""

    def __init__(self, n_instruments: int, n_sources: int, *, compiled: bool = True, cache: Path | None = None) -> None:
        capacity = Capacity(
            instruments=_power(n_instruments, 32), sources=_power(n_sources, 128), venues=16, assets=_power(2 * n_instruments, 64),
            strategies=1, orders=8, layers=1, resting=8, flight=8,
        )  # fmt: skip
        super().__init__(Composition(strategies=("python",), capacity=capacity), compiled=compiled, cache=cache)
        self.build = hashlib.sha256((self.build + PAGE).encode()).hexdigest()[:16]

    def _write(self, folder: Path) -> None:
        if (folder / "sieve.py").exists():
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-")) / "made"
        super()._write(beside)
        (beside / "sieve.py").write_text(PAGE)
        with contextlib.suppress(OSError):  # another process was first; its package is the same
            beside.rename(folder)
        shutil.rmtree(beside.parent, ignore_errors=True)

    @property
    def judge(self) -> Any:
        """sieve.run(state, tape, start, stop, out, fates, causes) -> next."""
        return self._load("sieve").run


class Sieve:
    """Judges the rows of one tape, from its first on: a verdict depends on what came before."""

    def __init__(
        self, instruments: Sequence[Instrument], streams: Sequence[Stream], judge: Judge | None = None, notes: Any = None
    ) -> None:
        self.judge = judge or Judge(len(instruments), len(streams))
        self.instruments, self.streams = list(instruments), list(streams)
        self._notes = notes or {}
        self._state: Any = None
        self._out = rows(OUT_ROWS)
        self._causes = np.zeros(self.judge.composition.capacity.instruments, np.int64)
        self._sources: dict[int, int] = {}
        self._days: dict[int, Day] = {}

    def fates(self, tape: Rows) -> NDArray[np.int16]:
        """What became of each row: TAKEN, TWICE or a reason. Raises MachineFault where a row does not fit the machine."""
        found = np.zeros(len(tape), np.int16)
        if len(tape):
            if self._state is None:
                self._begin(tape)
            self._listen(tape, found)
            _whole_messages(tape, found)
        return found

    def beliefs(self) -> dict[int, Day]:
        """What was believed of every source since it was last asked, by the day's number since 1970."""
        days, self._days = self._days, {}
        return days

    def _listen(self, tape: Rows, fates: NDArray[np.int16]) -> None:
        """Feeds rows, and looks once a minute at what is believed; in the last before the streams say goodbye."""
        minute = tape["ts_local"] // EVERY_NS
        cuts = (np.flatnonzero(np.diff(minute)) + 1).tolist()
        for start, stop in zip([0, *cuts], [*cuts, len(tape)], strict=True):
            end = stop if stop < len(tape) else start + _last_heard(tape[start:stop])
            self._feed(tape[start:end], fates[start:end])
            day = int(minute[start]) // (codes.DAY // EVERY_NS)
            if day not in self._days:
                self._days[day] = Day(len(self.instruments))
            self._days[day].look(self._state)
            self._feed(tape[end:stop], fates[end:stop])

    def _begin(self, tape: Rows) -> None:
        self._state = fresh_state(self.judge)
        bars_only = not any(stream.channel in ("depth", "quote") for stream in self.streams)
        lengths = [codes.TIMEFRAME_NS[code] for code in np.unique(tape["strategy"][tape["kind"] == codes.BAR]).tolist()]
        setup = Setup(
            instruments=self.instruments,
            reporting=_reporting(self.instruments),
            strategies=[StrategySetup(instruments=tuple(range(len(self.instruments))))],  # with rights, so that time passes
            bars_only=bars_only,
            stale_ns=3 * max(lengths, default=codes.MINUTE) if bars_only else STALE_NS,
            book_depths={str(k): int(v) for k, v in (self._notes.get("book_depth") or {}).items()},
        )
        prelude = Prelude(self.judge, setup, int(tape["ts_local"][0])).rows()
        if not bars_only:
            stale = (prelude["kind"] == codes.RULE) & (prelude["ref"] == layout.STALE_NS)
            prelude["value"][stale] = habits(tape, len(self.instruments))[prelude["instrument"][stale]]
        self._feed(prelude, np.zeros(len(prelude), np.int16))

    def _feed(self, tape: Rows, fates: NDArray[np.int16]) -> None:
        ended = self.judge.judge(self._state, tape, 0, len(tape), self._out, fates, self._causes)
        if ended < len(tape):
            fault = int(self._state[0]["clock"]["fault"])
            raise MachineFault(
                f"fault {fault}", where=f"row {ended}", expected="rows that name instruments and streams of the tape"
            )


def habits(tape: Rows, n: int) -> NDArray[np.int64]:
    """By instrument, how long its quotes and book may say nothing: three times their usual pause, and never under ten seconds."""
    found = np.full(n, STALE_NS, np.int64)
    ended = ((tape["kind"] == codes.DEPTH) | (tape["kind"] == codes.QUOTE)) & ((tape["marks"] & codes.LAST) != 0)
    instruments, times = tape["instrument"][ended], tape["ts_local"][ended]
    for i in np.unique(instruments).tolist():
        pauses = np.diff(np.unique(times[instruments == i][:HABIT_OF]))
        if 0 <= i < n and len(pauses) >= HABIT_FROM:
            found[i] = min(max(STALE_NS, 3 * int(np.median(pauses))), SLOWEST_NS)
    return found


def _last_heard(tape: Rows) -> int:
    """The number of rows up to the last that is of the market: behind it streams only say that the recording ends."""
    heard = np.flatnonzero((tape["kind"] != codes.STREAM) & (tape["kind"] != codes.CLOCK))
    return int(heard[-1]) + 1 if len(heard) else 0


def _whole_messages(tape: Rows, fates: NDArray[np.int16]) -> None:
    """What refused a DEPTH or QUOTE message's last row refused the message: its other rows get the same fate."""
    mine = np.flatnonzero((tape["kind"] == codes.DEPTH) | (tape["kind"] == codes.QUOTE))
    if not len(mine):
        return
    mine = mine[np.argsort(tape["source"][mine], kind="stable")]
    marks, source = tape["marks"][mine], tape["source"][mine]
    begins = (marks & codes.FIRST) != 0
    begins[1:] |= np.diff(source) != 0
    begins[0] = True
    number = np.cumsum(begins) - 1
    last = np.zeros(number[-1] + 1, np.int16)
    ends = np.append(np.flatnonzero(begins)[1:], len(mine)) - 1
    last[:] = np.where((marks[ends] & codes.LAST) != 0, fates[mine[ends]], 0)
    fate = last[number]
    kept = np.where((fate > 0) & (fates[mine] != TWICE), fate, fates[mine])
    fates[mine] = kept


def _reporting(instruments: Sequence[Instrument]) -> str:
    """The most used quote currency; the first in the alphabet of several."""
    quotes = [instrument.quote for instrument in instruments]
    return min(set(quotes), key=lambda name: (-quotes.count(name), name))


def _power(n: int, least: int) -> int:
    size = least
    while size < n:
        size *= 2
    return size
