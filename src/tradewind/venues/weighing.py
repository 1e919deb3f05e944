"""The witness's work compiled: whole recordings through the rim's books, counting what they prove (`witness` says what).

`found` holds the counters in the order of `Findings`, then the ring of best quotes that are ahead of their book.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tradewind.domain.codes import BUY, DEPTH, EMPTY, FIRST, LAST, PROOF_CHAIN, PROOF_CRC32, QUOTE, SELL, SNAPSHOT
from tradewind.domain.rows import Rows
from tradewind.kernel.jit import called, compiled, entry
from tradewind.venues.rimbook import (
    CAPACITY,
    S_BIDS,
    S_CHECKED,
    S_FRESH,
    S_KEPT,
    S_LAST,
    S_PROOF,
    S_SYNCED,
    Words,
    checksum,
    cut,
    take,
)
from tradewind.venues.witness import MAX_QUOTES, Findings

(
    F_GAPS, F_CHECKS, F_FAILURES, F_FIRST_FAILURE, F_UNVERIFIED, F_COMPARED, F_MISMATCHES, F_CROSSED, F_HEAD, F_COUNT,
) = range(10)  # fmt: skip


@compiled
def _best(state: Words, levels: Words, side: int) -> tuple[int, int]:
    n = state[S_BIDS + side]
    return (abs(levels[side, n - 1]), levels[2 + side, n - 1]) if n > 0 else (0, 0)


@called
def _compare(state: Words, levels: Words, found: Words, quote: Any) -> None:
    bid, bid_quantity = _best(state, levels, BUY)
    ask, ask_quantity = _best(state, levels, SELL)
    found[F_COMPARED] += 1
    if bid != quote[1] or bid_quantity != quote[2] or ask != quote[3] or ask_quantity != quote[4]:
        found[F_MISMATCHES] += 1


@called
def _quoted(rows: Any, at: int, state: Words, levels: Words, found: Words, quotes: Words) -> None:
    """A best quote: compared where its book is there, kept where the book is yet to come."""
    ref = rows[at].ref
    place = (found[F_HEAD] + found[F_COUNT]) % quotes.shape[0]
    quotes[place, 0] = ref
    for side in range(2):
        quotes[place, 1 + 2 * side] = rows[at + side].price
        quotes[place, 2 + 2 * side] = rows[at + side].quantity
    if state[S_SYNCED] != 0 and ref == state[S_LAST]:
        _compare(state, levels, found, quotes[place])
    elif state[S_SYNCED] == 0 or ref > state[S_LAST]:
        if found[F_COUNT] == quotes.shape[0] - 1:
            found[F_HEAD] = (found[F_HEAD] + 1) % quotes.shape[0]
        else:
            found[F_COUNT] += 1


@compiled
def _follows(first: Any, state: Words, found: Words) -> bool:
    """Whether a message of changes may be put into the book."""
    if first.marks & SNAPSHOT:
        state[S_BIDS] = 0
        state[S_BIDS + 1] = 0
        state[S_SYNCED] = 1
        return True
    if state[S_SYNCED] == 0:
        found[F_UNVERIFIED] += 1 if state[S_PROOF] == PROOF_CRC32 else 0
        return False
    if state[S_PROOF] != PROOF_CHAIN:
        return True
    last = state[S_LAST]
    if (first.value <= last < first.ref) if state[S_FRESH] else first.value == last:
        return True
    found[F_GAPS] += 1
    state[S_SYNCED] = 0
    return False


@called
def _proven(last: Any, state: Words, levels: Words, found: Words, quotes: Words) -> None:
    """After a message: its checksum, or the quotes that waited for it."""
    if state[S_PROOF] == PROOF_CRC32:
        if state[S_KEPT] > 0:
            cut(state, levels)
        found[F_CHECKS] += 1
        if checksum(state, levels) != last.value:
            state[S_SYNCED] = 0
            found[F_FAILURES] += 1
            if found[F_FAILURES] == 1:
                found[F_FIRST_FAILURE] = last.ref
        return
    bid = _best(state, levels, BUY)[0]
    ask = _best(state, levels, SELL)[0]
    if bid > 0 and ask > 0 and bid >= ask:
        found[F_CROSSED] += 1
    while found[F_COUNT] > 0 and quotes[found[F_HEAD], 0] <= last.ref:
        if quotes[found[F_HEAD], 0] == last.ref:
            _compare(state, levels, found, quotes[found[F_HEAD]])
        found[F_HEAD] = (found[F_HEAD] + 1) % quotes.shape[0]
        found[F_COUNT] -= 1


@entry
def weigh(rows: Any, books: tuple[Words, Words], found: Words, quotes: Words) -> int:
    """Reads messages of many instruments in one pass; every array's first place is the instrument."""
    states, all_levels = books
    n = rows.size
    at = 0
    while at < n:
        start = at
        while at < n - 1 and rows[at].marks & LAST == 0:
            at += 1
        at += 1
        first = rows[start]
        if first.marks & FIRST == 0 or first.kind not in (QUOTE, DEPTH):
            continue
        which = first.instrument
        state, levels, counted, waiting = states[which], all_levels[which], found[which], quotes[which]
        if first.kind == QUOTE:
            if at - start == 2:
                _quoted(rows, start, state, levels, counted, waiting)
        elif _follows(first, state, counted):
            if first.marks & EMPTY == 0:
                take(state, levels, rows, start, at)
            state[S_FRESH] = 1 if first.marks & SNAPSHOT else 0
            state[S_LAST] = first.ref
            _proven(rows[at - 1], state, levels, counted, waiting)
    return int(n)


def _scales(size: int) -> tuple[Words, Words, Words, Words]:
    """States, levels, counters and waiting quotes of so many instruments; memory of those that never come is never touched."""
    return (
        np.zeros((size, S_CHECKED + 1), np.int64),
        np.zeros((size, 4, CAPACITY), np.int64),
        np.zeros((size, F_COUNT + 1), np.int64),
        np.zeros((size, MAX_QUOTES + 1, 5), np.int64),
    )


class Weighing:
    """Reads rows in tape order, as `witness.Witness` does and with its findings, at a hundred times its speed."""

    def __init__(self) -> None:
        self._met = 0  # instruments so far
        self._states, self._levels, self._found, self._quotes = _scales(4)

    def _grow(self, size: int) -> None:
        made, old = _scales(size), (self._states, self._levels, self._found, self._quotes)
        for new, known in zip(made, old, strict=True):
            new[: self._met] = known[: self._met]
        self._states, self._levels, self._found, self._quotes = made

    def read(self, rows: Rows, proofs: dict[int, int], depths: dict[int, int]) -> None:
        """Take whole messages."""
        if not len(rows):
            return
        met = max(int(rows["instrument"].max()) + 1, max(depths, default=0) + 1)
        if met > len(self._states):
            self._grow(2 * met)
        for instrument in range(self._met, met):
            self._states[instrument, S_PROOF] = proofs.get(instrument, 0)
        for instrument, depth in depths.items():  # a book may come after its trades
            self._states[instrument, S_KEPT] = self._states[instrument, S_KEPT] or depth
        self._met = max(met, self._met)
        weigh(rows, (self._states, self._levels), self._found, self._quotes)

    @property
    def findings(self) -> Findings:
        """What was found so far, over all instruments."""
        names = [field.name for field in msgspec.structs.fields(Findings)]
        found = self._found[: self._met]
        counts = {name: int(found[:, k].sum()) for k, name in enumerate(names)}
        failed = found[found[:, F_FAILURES] > 0, F_FIRST_FAILURE]
        return Findings(**{**counts, "first_checksum_failure_ref": int(failed[0]) if len(failed) else 0})
