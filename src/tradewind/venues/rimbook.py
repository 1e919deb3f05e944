"""The rim's own book: compiled, one an instrument, judged by the venue's proof at every message.

It shares no code with the machine's books (`market.books`), so that each can bear witness to the
other. `state` is one line of int64 (S_ names below), `levels` four: keys of bids and asks, then their quantities. A key is the
price of a bid and minus the price of an ask, ascending, best last.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.domain.codes import BUY, DEPTH, EMPTY, FIRST, LAST, PROOF_CHAIN, PROOF_CRC32, SELL, SNAPSHOT
from tradewind.domain.rows import Rows
from tradewind.kernel.jit import called, compiled, entry
from tradewind.kernel.levels import bisect
from tradewind.venues.digits import START, feed, finish

Words = NDArray[np.int64]

S_PROOF, S_KEPT, S_SYNCED, S_LAST, S_FRESH, S_BIDS, S_ASKS, S_HORIZON_BID, S_HORIZON_ASK, S_CHECKED = range(10)
PASS, HOLD, DROP, GAP, UNWHOLE, ANEW = range(6)
"""What a message is: applied; to be kept for a snapshot; known already; not the next one (or its checksum is wrong); no message;
a snapshot, applied."""

CAPACITY = 8_192  # levels a side; beyond, the deepest is forgotten and `horizon` remembers how deep the book is complete
NEAR = 16  # levels at the touch that are compared one by one
NOWHERE = -(1 << 62)
CRC_LEVELS = 10


@compiled
def _place(keys: Any, key: int, n: int) -> int:
    """The last index under n whose key is at most `key`, or -1."""
    low = max(n - NEAR, 0)
    if low > 0 and keys[low] > key:
        return bisect(keys, key, low)
    at = n - 1
    while at >= low and keys[at] > key:
        at -= 1
    return at


@compiled
def put(state: Words, levels: Words, side: int, price: int, quantity: int) -> None:
    """Sets one level; quantity 0 removes it."""
    keys = levels[side]
    quantities = levels[2 + side]
    key = price if side == BUY else -price
    n = state[S_BIDS + side]
    at = _place(keys, key, n)
    if at >= 0 and keys[at] == key:
        if quantity > 0:
            quantities[at] = quantity
            return
        for k in range(at, n - 1):
            keys[k] = keys[k + 1]
            quantities[k] = quantities[k + 1]
        state[S_BIDS + side] = n - 1
    elif quantity > 0:
        at += 1
        if n == keys.size:
            state[S_HORIZON_BID + side] = max(state[S_HORIZON_BID + side], keys[0] if at > 0 else key)
            if at == 0:
                return
            at -= 1
            for k in range(at):
                keys[k] = keys[k + 1]
                quantities[k] = quantities[k + 1]
        else:
            for k in range(n, at, -1):
                keys[k] = keys[k - 1]
                quantities[k] = quantities[k - 1]
            state[S_BIDS + side] = n + 1
        keys[at] = key
        quantities[at] = quantity


@compiled
def _sorted(rows: Any, start: int, stop: int) -> bool:
    """Whether a message tells each side best first, every level once and with a quantity: as venues write whole books."""
    last_bid, last_ask = 1 << 62, NOWHERE
    for k in range(start, stop):
        row = rows[k]
        if row.quantity <= 0 or (row.side == BUY and row.price >= last_bid) or (row.side == SELL and row.price <= last_ask):
            return False
        if row.side == BUY:
            last_bid = row.price
        else:
            last_ask = row.price
    return True


@called
def take(state: Words, levels: Words, rows: Any, start: int, stop: int) -> None:
    """Puts the levels of rows [start, stop) into the book; a whole book told in order goes into an empty one in one stroke."""
    empty = state[S_BIDS] == 0 and state[S_ASKS] == 0
    if not empty or stop - start < NEAR or stop - start > levels.shape[1] or not _sorted(rows, start, stop):
        for k in range(start, stop):
            row = rows[k]
            put(state, levels, int(row.side), row.price, row.quantity)
        return
    bids = 0
    asks = 0
    for k in range(stop - 1, start - 1, -1):
        row = rows[k]
        if row.side == BUY:
            levels[0, bids] = row.price
            levels[2, bids] = row.quantity
            bids += 1
        else:
            levels[1, asks] = -row.price
            levels[3, asks] = row.quantity
            asks += 1
    state[S_BIDS] = bids
    state[S_ASKS] = asks


@called
def cut(state: Words, levels: Words) -> None:
    """A venue that keeps only the best levels says nothing of what falls out of them."""
    kept = state[S_KEPT]
    for side in range(2):
        extra = state[S_BIDS + side] - kept
        if extra > 0:
            for k in range(kept):
                levels[side, k] = levels[side, k + extra]
                levels[2 + side, k] = levels[2 + side, k + extra]
            state[S_BIDS + side] = kept


@called
def checksum(state: Words, levels: Words) -> int:
    """CRC32 over the ten best asks, then the ten best bids: bare digits of price and quantity (Kraken, book v2)."""
    crc, waiting, filled = START, 0, 0
    for side in (SELL, BUY):
        n = state[S_BIDS + side]
        for k in range(n - 1, max(n - 1 - CRC_LEVELS, -1), -1):
            crc, waiting, filled = feed(crc, waiting, filled, abs(levels[side, k]))
            crc, waiting, filled = feed(crc, waiting, filled, levels[2 + side, k])
    return finish(crc, waiting, filled)


@compiled
def _whole(rows: Any, start: int, stop: int) -> bool:
    """Exactly one depth message."""
    if start >= stop or rows[start].marks & FIRST == 0 or rows[stop - 1].marks & LAST == 0:
        return False
    for k in range(start, stop):
        row = rows[k]
        if row.kind != DEPTH or row.side & 1 != row.side or row.price < 0 or row.quantity < 0:
            return False
        if (k > start and row.marks & FIRST) or (k < stop - 1 and row.marks & LAST):
            return False
    return True


@compiled
def _admits(first: Any, state: Words) -> int:
    """PASS where the message follows what the book holds."""
    if first.marks & SNAPSHOT:
        return PASS
    if state[S_SYNCED] == 0:
        return HOLD
    if state[S_PROOF] != PROOF_CHAIN:
        return PASS
    if first.ref <= state[S_LAST]:
        return DROP
    if first.value == state[S_LAST] or (state[S_FRESH] != 0 and first.value <= state[S_LAST]):
        return PASS
    return GAP


@compiled
def _enters(rows: Any, start: int, stop: int, state: Words, levels: Words) -> bool:
    """Puts a message into the book; False where the book's checksum is then not the one it carries."""
    first = rows[start]
    if first.marks & EMPTY == 0:
        take(state, levels, rows, start, stop)
    state[S_SYNCED] = 1
    state[S_LAST] = first.ref
    state[S_FRESH] = 1 if first.marks & SNAPSHOT else 0
    if state[S_KEPT] > 0:
        cut(state, levels)
    if state[S_PROOF] != PROOF_CRC32:
        return True
    state[S_CHECKED] += 1
    return bool(checksum(state, levels) == rows[stop - 1].value)


@entry
def judge(rows: Any, state: Words, levels: Words) -> int:
    """Judge one message and, where it follows, put it into the book: one of the six codes."""
    if not _whole(rows, 0, rows.size):
        return UNWHOLE
    first = rows[0]
    verdict = _admits(first, state)
    if verdict != PASS:
        if verdict == GAP:
            state[S_SYNCED] = 0
        return verdict
    if first.marks & SNAPSHOT:
        state[S_BIDS] = 0
        state[S_ASKS] = 0
        state[S_HORIZON_BID] = NOWHERE
        state[S_HORIZON_ASK] = NOWHERE
    if not _enters(rows, 0, rows.size, state, levels):
        state[S_SYNCED] = 0
        return GAP
    return ANEW if first.marks & SNAPSHOT else PASS


@entry
def follow(rows: Any, state: Words, levels: Words) -> tuple[int, int]:
    """Put the changes in that plainly follow, one message after the other: (rows, messages) that passed.

    The message behind them is for `judge`. One whose checksum failed is in the book already, and twice is as once.
    """
    start = 0
    messages = 0
    while start < rows.size:
        stop = start + 1
        while stop < rows.size and rows[stop - 1].marks & LAST == 0:
            stop += 1
        first = rows[start]
        if first.marks & SNAPSHOT or not _whole(rows, start, stop) or _admits(first, state) != PASS:
            break
        if not _enters(rows, start, stop, state, levels):
            state[S_CHECKED] -= 1
            break
        start = stop
        messages += 1
    return start, messages


@entry
def consecutive(rows: Any, last: int) -> int:
    """How many rows at the beginning carry the ids that come after `last`."""
    for k in range(rows.size):
        if rows[k].ref != last + 1 + k:
            return k
    return int(rows.size)


@entry
def ordered(rows: Any, last: int) -> tuple[int, int]:
    """(rows, messages) at the beginning that carry no id below `last` or below the one before them; NOWHERE: any id."""
    n = 0
    messages = 0
    for k in range(rows.size):
        row = rows[k]
        if last != NOWHERE:
            if row.ref < last:
                break
            last = row.ref
        if row.marks & LAST:
            n = k + 1
            messages += 1
    return n, messages


@entry
def crc32_of(state: Words, levels: Words) -> int:
    """The checksum of a book as it stands."""
    return int(checksum(state, levels))


class RimBook:
    """One instrument's book. `proof` is a code of the rule column INTEGRITY, `kept` the levels a side the venue keeps (0: all)."""

    def __init__(self, proof: int, kept: int = 0, capacity: int = CAPACITY) -> None:
        self.state = np.zeros(S_CHECKED + 1, np.int64)
        self.state[S_PROOF], self.state[S_KEPT] = proof, kept
        self.levels = np.zeros((4, capacity), np.int64)

    @property
    def synced(self) -> bool:
        """Whether every message since a snapshot was there and proved itself."""
        return bool(self.state[S_SYNCED])

    @property
    def last_id(self) -> int:
        """The `ref` of the last message taken."""
        return int(self.state[S_LAST])

    def take(self, rows: Rows) -> int:
        """Judge one whole message and put it in."""
        code: int = judge(rows, self.state, self.levels)
        return code

    def lose(self) -> None:
        """Nobody may read it until a snapshot."""
        self.state[S_SYNCED] = 0

    def side(self, side: int, deepest: int = CAPACITY) -> list[tuple[int, int]]:
        """(price, quantity) of the best levels of a side, best first."""
        n = int(self.state[S_BIDS + side])
        start = max(0, n - deepest)
        prices = np.abs(self.levels[side, start:n])[::-1].tolist()
        return list(zip(prices, self.levels[2 + side, start:n][::-1].tolist(), strict=True))

    def keys(self, side: int) -> tuple[Words, Words]:
        """Copies of a side's keys, ascending, and of their quantities."""
        n = int(self.state[S_BIDS + side])
        return self.levels[side, :n].copy(), self.levels[2 + side, :n].copy()

    def horizon(self, side: int) -> int:
        """The key from which on no level was ever forgotten: for want of room, or because the venue keeps no deeper one."""
        n, kept = int(self.state[S_BIDS + side]), int(self.state[S_KEPT])
        return int(self.levels[side, 0]) if 0 < kept <= n else int(self.state[S_HORIZON_BID + side])

    def complete(self, side: int) -> bool:
        """Whether no level of the side was ever forgotten for want of room."""
        return int(self.state[S_HORIZON_BID + side]) == NOWHERE
