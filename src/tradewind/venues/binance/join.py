"""Joins a stream of diffs to a snapshot of the book, and sees where the chain of update ids breaks.

Binance's rule (web-socket-streams.md, "How to manage a local order book correctly"): keep diffs until the snapshot is
there, drop those it already contains, apply the rest; each diff must then continue the one before.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from tradewind.domain.rows import Rows

MAX_HELD = 2_000  # diffs kept for a snapshot to come: over 3 minutes at 100 ms


class Verdict(Enum):
    """What becomes of a message."""

    EMIT = "emit"
    HOLD = "hold"  # kept until a snapshot comes
    DROP = "drop"  # contained in what was passed before
    BREAK = "break"  # passed, and it does not continue what was passed before: the book is lost until a snapshot


class Join:
    """One book's chain. The counters say what became of everything that was not passed."""

    def __init__(self) -> None:
        self.joined = False
        self.last_id = 0
        self.snapshots = self.gaps = self.contained = self.unjoined = 0
        self._fresh = False  # nothing followed the snapshot yet
        self._held: deque[tuple[int, int, Rows]] = deque()

    def diff(self, previous: int, last: int, rows: Rows) -> Verdict:
        """Judge a diff that leads from update `previous` to `last`."""
        if not self.joined:
            self._hold(previous, last, rows)
            return Verdict.HOLD
        if last <= self.last_id:
            self.contained += 1
            return Verdict.DROP
        continues = previous <= self.last_id if self._fresh else previous == self.last_id
        self._fresh = False
        if continues:
            self.last_id = last
            return Verdict.EMIT
        self.gaps += 1
        self.joined = False
        self._hold(previous, last, rows)
        return Verdict.BREAK

    def snapshot(self, last: int) -> tuple[bool, list[Rows]]:
        """(is it passed on, the diffs held for it that come after it). One older than the joined book is not."""
        if self.joined and last < self.last_id:
            self.contained += 1
            return False, []
        self.joined = self._fresh = True
        self.last_id = last
        self.snapshots += 1
        held, self._held = self._held, deque()
        return True, [rows for previous, to, rows in held if self.diff(previous, to, rows) in (Verdict.EMIT, Verdict.BREAK)]

    def end(self) -> None:
        """No snapshot comes any more: what is held was in vain."""
        self.unjoined += len(self._held)
        self._held.clear()

    def _hold(self, previous: int, last: int, rows: Rows) -> None:
        if len(self._held) == MAX_HELD:
            self._held.popleft()
            self.unjoined += 1
        self._held.append((previous, last, rows.copy()))
