"""Joins a stream of diffs to a snapshot of the book, and sees where the chain of update ids breaks.

Binance's rule (web-socket-streams.md, "How to manage a local order book correctly"): keep diffs until the snapshot is
there, drop those it already contains, apply the rest; each diff must then continue the one before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes
from tradewind.domain.rows import Rows
from tradewind.venues.binance.market import KIND, MARKS, REF, TS_LOCAL, VALUE, Built

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

    def follows(self, previous: int, last: int) -> bool:
        """Takes the diff that continues a joined chain, the usual one; False, and nothing changed, for any other."""
        if not self.joined or self._fresh or previous != self.last_id or last <= previous:
            return False
        self.last_id = last
        return True

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


class Joins:
    """The chains of many books in one tape."""

    def __init__(self) -> None:
        self._joins: dict[int, Join] = {}

    def arranged(self, built: Built, keep: NDArray[np.bool_], only: Mapping[int, bool] | None = None) -> Rows:
        """Rows in tape order: held and dropped diffs taken out, released ones put behind their snapshot.

        `keep` marks the rows that stay. `only` names the instruments that join, and whether their ids chain; without it all do.
        """
        rows, starts, heads = built
        pieces, cut = list[Rows](), 0
        instruments = rows["instrument"][starts[:-1]].tolist()
        for index in np.flatnonzero(heads[:, KIND] == codes.DEPTH).tolist():
            instrument = instruments[index]
            if only is not None and instrument not in only:
                continue
            join = self._joins.get(instrument)
            if join is None:
                join = self._joins[instrument] = Join()
            last = int(heads[index, REF])
            if not heads[index, MARKS] & codes.SNAPSHOT:
                chained = only is None or only[instrument]
                previous = int(heads[index, VALUE]) if chained else join.last_id
                if join.follows(previous, last):
                    continue
                start, end = int(starts[index]), int(starts[index + 1])
                if join.diff(previous, last, rows[start:end]) in (Verdict.HOLD, Verdict.DROP):
                    keep[start:end] = False
                continue
            start, end = int(starts[index]), int(starts[index + 1])
            rejoined = join.snapshots > 0
            passed, released = join.snapshot(last)
            if not passed:
                keep[start:end] = False
                continue
            if rejoined:
                rows["marks"][start] |= codes.RESYNC
            for held in released:
                held["ts_local"] = heads[index, TS_LOCAL]
            pieces += [rows[cut:end][keep[cut:end]], *released]
            cut = end
        if not pieces and keep.all():
            return rows
        return np.concatenate([*pieces, rows[cut:][keep[cut:]]])

    def ended(self) -> dict[str, int]:
        """No snapshot comes any more: what became of all that was not passed."""
        joins = self._joins.values()
        for join in joins:
            join.end()
        return {
            "snapshots": sum(join.snapshots for join in joins),
            "chain_breaks": sum(join.gaps for join in joins),
            "contained_in_snapshot": sum(join.contained for join in joins),
            "diffs_without_snapshot": sum(join.unjoined for join in joins),
        }


def messages(rows: Rows) -> Built:
    """Messages of rows, each from a FIRST to the next."""
    first = np.flatnonzero(rows["marks"] & codes.FIRST)
    heads = np.zeros((len(first), TS_LOCAL + 1), np.int64)
    for column, name in ((KIND, "kind"), (MARKS, "marks"), (REF, "ref"), (VALUE, "value"), (TS_LOCAL, "ts_local")):
        heads[:, column] = rows[name][first]
    return Built(rows, np.append(first, len(rows)), heads)
