"""The desk: the one way out of a venue's feed. Rows get their place among all streams, their numbers, times that never fall."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from tradewind.domain import codes
from tradewind.domain.rows import ROW, SEQ_MASK, Rows

from .clock import JournalTime
from .clockskew import FUTURE_NS, ClockSkew, clock_row
from .streams import Transition, stream_row

KEPT_TRANSITIONS = 10_000


Row = Any
"""One element of Rows: its fields by their names."""


def one(parts: list[Rows]) -> Rows:
    """The parts as one array. By their bytes: NumPy would compare the fields of every part with those of the first."""
    return np.frombuffer(bytearray(b"".join([part.tobytes() for part in parts])), ROW)


class RowSink(Protocol):
    """Where the rows of all venues go, in journal order."""

    def append(self, rows: Rows) -> object:
        """Takes the next rows; they are the sink's from now on."""


class Desk:
    """One venue's rows on their way to the sink. Nothing is awaited between `emit` and `flush`, so venues never interleave."""

    def __init__(self, time: JournalTime, sink: RowSink, n_streams: int, first: tuple[int, int]) -> None:
        """first: where the venue's streams and instruments begin among all."""
        self.time, self.skew = time, ClockSkew()
        self.suspect_stamps = self.rows = 0
        self.transitions: deque[Transition] = deque(maxlen=KEPT_TRANSITIONS)
        self.watchers: list[Callable[[Transition], None]] = []
        self._sink, self._first_source, self._first_instrument = sink, *first
        self._next = np.ones(n_streams, np.int64)  # the number of each stream's next row; 0 would mean that none is carried
        self._waiting: list[Rows] = []
        self._last = 0

    def stamp(self) -> int:
        """A new journal time."""
        return self.time.stamp(self.time.now())

    def emit(self, rows: Rows) -> None:
        """Puts rows in line; times before those already in line become theirs."""
        ts = rows["ts_local"]
        if ts.item(0) < self._last:
            ts[:] = self._last
        self._last = ts.item(-1)
        self._waiting.append(rows)

    def again(self, rows: Rows) -> None:
        """Puts rows in line that were read before: they are told now."""
        rows["ts_local"] = self.stamp()
        self.emit(rows)

    def tell(self, made: Transition, instrument: int) -> None:
        """Puts a transition in line."""
        self.transitions.append(made)
        self.emit(stream_row(made, instrument, 0))
        for watch in self.watchers:
            watch(made)

    def number_from(self, source: int, last: int) -> None:
        """The next row of `source` comes after number `last`."""
        self._next[source] = (last + 1) & SEQ_MASK

    def tell_clock(self, source: int) -> None:
        """Puts the venue's clock in line."""
        self.emit(clock_row(source, self.stamp(), self.skew.offset_ns))

    def flush(self) -> None:
        """Hands everything in line to the sink."""
        if not self._waiting:
            return
        block = self._waiting[0] if len(self._waiting) == 1 else one(self._waiting)
        self._waiting = []
        self._number(block)
        self._suspect(block)
        if self._first_source:
            block["source"] += self._first_source
        if self._first_instrument:
            block["instrument"] += self._first_instrument
        self.rows += len(block)
        self._sink.append(block)

    def _number(self, block: Rows) -> None:
        sources = block["source"]
        first = sources.item(0)
        if len(block) == 1 or (sources == first).all():
            self._number_one(block["stream_seq"], block["kind"], first)
            return
        numbers, kinds = block["stream_seq"], block["kind"]
        for source in np.unique(sources).tolist():
            at = np.flatnonzero(sources == source)
            part = numbers[at]
            self._number_one(part, kinds[at], source)
            numbers[at] = part

    def _number_one(self, numbers: Any, kinds: Any, source: int) -> None:
        counted = kinds <= codes.STREAM  # CLOCK and RULE rows belong to no stream
        n = int(np.count_nonzero(counted))
        first = int(self._next[source])
        numbers[counted] = (first + np.arange(n)) & SEQ_MASK
        self._next[source] = (first + n) & SEQ_MASK

    def _suspect(self, block: Rows) -> None:
        """Stamps from the venue's own future are counted; nothing is ordered or decided by them."""
        if self.skew.best is None:
            return
        ahead = block["ts_venue"] - block["ts_local"] - self.skew.offset_ns
        if ahead.max() > FUTURE_NS + self.skew.error_ns(self._last):
            trades = block["kind"] != codes.BAR
            self.suspect_stamps += int(np.count_nonzero((ahead > FUTURE_NS + self.skew.error_ns(self._last)) & trades))
