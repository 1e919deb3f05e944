"""Counts the messages of many v2 books on one tape: their running numbers, snapshots that come again, changes without any."""

from __future__ import annotations

from typing import Any

from tradewind.domain.codes import DEPTH, FIRST, LAST, RESYNC, SELL, SNAPSHOT
from tradewind.kernel.jit import entry
from tradewind.venues.walk import Words

T_COUNT, T_SHOWN, T_BIDS = range(3)
"""Of a pair: messages so far, levels of the deeper side in its last snapshot, work space."""


@entry
def tally(rows: Any, pairs: Words, keep: Any) -> int:
    """Numbers book messages in `ref`; those before a pair's first snapshot are not kept: how many. A later one is marked RESYNC.

    A row's `instrument` is a line of `pairs`.
    """
    dropped = 0
    kept = True
    bids = 0
    asks = 0
    for n in range(rows.size):
        row = rows[n]
        keep[n] = True
        if row.kind != DEPTH:
            continue
        pair = pairs[row.instrument]
        if row.marks & FIRST:
            bids = 0
            asks = 0
            kept = pair[T_COUNT] > 0 or row.marks & SNAPSHOT != 0
            if kept:
                pair[T_COUNT] += 1
                if row.marks & SNAPSHOT and pair[T_COUNT] > 1:
                    row.marks = row.marks | RESYNC
            else:
                dropped += 1
        keep[n] = kept
        row.ref = pair[T_COUNT]
        if row.side == SELL:
            asks += 1
        else:
            bids += 1
        if row.marks & LAST and row.marks & SNAPSHOT:
            pair[T_SHOWN] = max(bids, asks)
    return dropped
