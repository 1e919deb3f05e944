"""The desk: the one way out of a venue's feed. Rows get their place among all streams, their numbers, times that never fall."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from tradewind.domain import codes
from tradewind.domain.codes import BAR, STREAM
from tradewind.domain.rows import ROW, SEQ_MASK, Rows
from tradewind.kernel.jit import entry

from .clock import JournalTime
from .clockskew import FUTURE_NS, ClockSkew, clock_row
from .streams import Transition, stream_row

KEPT_TRANSITIONS = 10_000


Row = Any
"""One element of Rows: its fields by their names."""


def one(parts: list[Rows]) -> Rows:
    """The parts as one array. By their bytes: NumPy would compare the fields of every part with those of the first."""
    return np.frombuffer(bytearray(b"".join([part.tobytes() for part in parts])), ROW)


@entry
def entered(block: Any, numbers: Any, first_source: int, first_instrument: int, latest: int) -> int:
    """Numbers rows and gives streams and instruments their place among all venues': how many stamps lie in the venue's future.

    CLOCK and RULE rows belong to no stream. `latest` is how far a venue's stamp may be ahead; nothing is decided by it.
    """
    suspect = 0
    for k in range(block.size):
        row = block[k]
        if row.kind <= STREAM:
            number = numbers[row.source]
            row.stream_seq = number
            numbers[row.source] = (number + 1) & SEQ_MASK
        if row.kind != BAR and row.ts_venue - row.ts_local > latest:
            suspect += 1
        row.source += first_source
        row.instrument += first_instrument
    return suspect


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
        skew = self.skew
        latest = codes.NEVER if skew.best is None else skew.offset_ns + FUTURE_NS + skew.error_ns(self._last)
        self.suspect_stamps += entered(block, self._next, self._first_source, self._first_instrument, latest)
        self.rows += len(block)
        self._sink.append(block)
