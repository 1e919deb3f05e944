"""The life of a stream: one enum of conditions, one table of transitions, a cause and a time for each.

A condition is one of `domain.codes` (UNAVAILABLE, SYNCED, GAP, BACKFILLING, STALE, INVALID); only SYNCED is read by default. What
moves it is a cause of `domain.reasons`. A pair the table does not hold changes nothing: a stream cannot be broken twice.
"""

from __future__ import annotations

from typing import NamedTuple

from tradewind.domain import codes
from tradewind.domain import reasons as why
from tradewind.domain.codes import BACKFILLING, GAP, INVALID, STALE, SYNCED, UNAVAILABLE
from tradewind.domain.rows import Rows, rows

CONDITION_NAMES = ("UNAVAILABLE", "SYNCED", "GAP", "BACKFILLING", "STALE", "INVALID")
ALL = tuple(range(len(CONDITION_NAMES)))
DOWN = tuple(x for x in ALL if x != UNAVAILABLE)


def _table() -> dict[tuple[int, int], int]:
    """(condition, cause) -> condition."""
    lines: list[tuple[tuple[int, ...], int, int]] = [
        # from                                     cause                    to
        ((UNAVAILABLE, STALE), why.DATA_ARRIVED, SYNCED),
        ((UNAVAILABLE, GAP, BACKFILLING, STALE, INVALID), why.SNAPSHOT_JOINED, SYNCED),
        ((UNAVAILABLE, GAP, INVALID), why.SNAPSHOT_ASKED, BACKFILLING),
        ((UNAVAILABLE, GAP), why.HISTORY_ASKED, BACKFILLING),
        ((SYNCED, STALE), why.HISTORY_ASKED, BACKFILLING),
        ((BACKFILLING,), why.HISTORY_JOINED, SYNCED),
        ((BACKFILLING,), why.HISTORY_MISSING, GAP),
        ((GAP,), why.GAP_ACCEPTED, SYNCED),
        ((SYNCED, STALE, BACKFILLING), why.IDS_SKIPPED, GAP),
        ((SYNCED, STALE), why.FRAME_REFUSED, GAP),
        ((SYNCED, STALE), why.PROOF_FAILED, INVALID),
        ((SYNCED, STALE), why.BOOK_CROSSED, INVALID),
        ((SYNCED, STALE), why.SNAPSHOT_DIFFERS, INVALID),
        ((SYNCED, STALE), why.BOOK_DOUBTED, INVALID),
        ((SYNCED,), why.WENT_SILENT, STALE),
        ((UNAVAILABLE, GAP, INVALID, BACKFILLING), why.POLLED, STALE),
        (DOWN, why.DISCONNECTED, UNAVAILABLE),
        (DOWN, why.UNSUBSCRIBED, UNAVAILABLE),
        (DOWN, why.VENUE_REFUSED, UNAVAILABLE),
        (DOWN, why.NEVER_PROVEN, UNAVAILABLE),
        (DOWN, why.SYMBOL_HALTED, UNAVAILABLE),
    ]
    return {(start, cause): end for starts, cause, end in lines for start in starts}


TRANSITIONS = _table()


class Transition(NamedTuple):
    """One change of a stream's condition; `at` is journal time."""

    source: int
    at: int
    before: int
    after: int
    cause: int


class StreamState:
    """One stream's condition, since when, why, and how long it was in each."""

    __slots__ = ("cause", "condition", "ignored", "since", "source", "spent_ns")

    def __init__(self, source: int, at: int) -> None:
        self.source, self.since = source, at
        self.condition, self.cause = UNAVAILABLE, why.UNSUBSCRIBED
        self.spent_ns = [0] * len(CONDITION_NAMES)
        self.ignored = 0

    def tell(self, cause: int, at: int) -> Transition | None:
        """What `cause` does to the condition; None where it changes nothing."""
        after = TRANSITIONS.get((self.condition, cause))
        if after is None:
            self.ignored += 1
            return None
        made = Transition(self.source, at, self.condition, after, cause)
        self.spent_ns[self.condition] += at - self.since
        self.condition, self.cause, self.since = after, cause, at
        return made


def stream_row(made: Transition, instrument: int, stream_seq: int) -> Rows:
    """The transition as the STREAM row that tapes carry: value = condition, ref = cause."""
    told = rows(1)
    row = told[0]
    row["kind"], row["marks"], row["source"], row["instrument"] = codes.STREAM, codes.WHOLE, made.source, instrument
    row["strategy"], row["stream_seq"], row["ts_local"] = -1, stream_seq, made.at
    row["ref"], row["value"] = made.cause, made.after
    return told


def sentence(made: Transition) -> str:
    """The transition in words."""
    return f"{CONDITION_NAMES[made.before]} → {CONDITION_NAMES[made.after]}: {why.sentence(made.cause)}"
