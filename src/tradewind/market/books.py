"""L2 books: sorted levels, best last, so that what happens near the touch moves little memory.

A level's key is its price for bids and minus its price for asks: both sides ascend and share one code path. A full
side drops its deepest level and remembers how deep it is complete (`horizon`).
"""

from typing import Any

from ..domain.codes import BUY, EMPTY, FIRST, LAST, NEVER, PROOF_CRC32, SELL, SNAPSHOT, SYNCED
from ..domain.layout import PROOF
from ..domain.reasons import WRONG_SCALE
from ..kernel.jit import called, compiled
from ..kernel.levels import bisect
from .verdicts import power_of_ten, tell_row

FROM_QUOTES = -1  # book.fed_by: there is no book, the touch is the best quote
NEAR = 16  # levels at the touch that are all compared before bisecting
FAR = 32  # more levels than these are moved as memory, fewer one by one


@compiled
def clear(s: Any, i: int) -> None:
    """Forgets every level."""
    b = s.book[i]
    b.depth[BUY] = 0
    b.depth[SELL] = 0
    b.horizon[BUY] = -NEVER
    b.horizon[SELL] = -NEVER


@compiled
def enter(s: Any, row: Any, out: Any) -> None:
    """One row of an admitted message: a snapshot's first row empties the book, a row of ids alone changes no level."""
    if row.marks & SNAPSHOT and row.marks & FIRST:
        clear(s, row.instrument)
    if row.marks & EMPTY == 0:
        put(s, row, out)


@compiled
def put(s: Any, row: Any, out: Any) -> None:
    """Sets one level."""
    side = int(row.side)
    key = row.price if side == BUY else -row.price
    keys = s.level_key[row.instrument, side]
    b = s.book[row.instrument]
    n = b.depth[side]
    k = place(keys, key, n)
    quantities = s.level_quantity[row.instrument, side]
    if k >= 0 and keys[k] == key:
        if row.quantity > 0:
            quantities[k] = row.quantity
        else:
            if n - k > FAR:
                move_down(keys, k, n - 1)
                move_down(quantities, k, n - 1)
            else:
                for j in range(k, n - 1):
                    keys[j] = keys[j + 1]
                    quantities[j] = quantities[j + 1]
            b.depth[side] = n - 1
    elif row.quantity > 0:
        if k < 0:
            remote(s, row, out)
        insert(s, b, side, k + 1, key, row.quantity, keys, quantities)
    elif k < 0 or k == n - 1:
        remote(s, row, out)


@called
def remote(s: Any, row: Any, out: Any) -> None:
    """A level beyond all others, or one that goes and was never there. No checksum covers it; another unit shows all the same.

    Asked only where a checksum stands for what is not looked at, and only the best levels are sent: elsewhere far orders are usual.
    """
    mid = s.top[row.instrument].mid
    if s.fact.rule[row.instrument, PROOF] == PROOF_CRC32 and mid > 0.0 and row.marks & SNAPSHOT == 0:
        factor = power_of_ten(float(row.price) / mid)
        if factor != 0.0:
            tell_row(s, row, WRONG_SCALE, float(row.price) / mid, factor, out)


@compiled
def place(keys: Any, key: int, n: int) -> int:
    """The last index under n whose key is at most `key`, or -1.

    Which level a row hits is anybody's guess, and a wrong one costs more than comparing all the near ones without a branch.
    """
    if n < NEAR:
        return bisect(keys, key, n)
    above = 0
    for j in range(n - NEAR, n):
        above += 1 if keys[j] > key else 0
    if above == NEAR:
        return bisect(keys, key, n - NEAR)
    return n - 1 - above


@compiled
def insert(s: Any, b: Any, side: int, at: int, key: int, quantity: int, keys: Any, quantities: Any) -> None:
    n = b.depth[side]
    if n == keys.size:
        s.count.overflow += 1
        b.horizon[side] = max(b.horizon[side], keys[0] if at > 0 else key)
        if at == 0:
            return
        at -= 1
        move_down(keys, 0, at)
        move_down(quantities, 0, at)
    else:
        if n - at > FAR:
            move_up(keys, at, n)
            move_up(quantities, at, n)
        else:
            for j in range(n, at, -1):
                keys[j] = keys[j - 1]
                quantities[j] = quantities[j - 1]
        b.depth[side] = n + 1
    keys[at] = key
    quantities[at] = quantity


@called
def move_down(array: Any, start: int, stop: int) -> None:
    """Moves array[start + 1:stop + 1] one down. One array a loop: the compiler makes a memory move of it."""
    for j in range(start, stop):
        array[j] = array[j + 1]


@called
def move_up(array: Any, start: int, stop: int) -> None:
    """Moves array[start:stop] one up."""
    for j in range(stop, start, -1):
        array[j] = array[j - 1]


@compiled
def cut(s: Any, i: int, deepest: int) -> None:
    """A venue that sends only the best levels says nothing of those that fall out of them: they go."""
    for side in range(2):
        extra = s.book[i].depth[side] - deepest
        if extra > 0:
            keys = s.level_key[i, side]
            quantities = s.level_quantity[i, side]
            for j in range(deepest):
                keys[j] = keys[j + extra]
                quantities[j] = quantities[j + extra]
            s.book[i].depth[side] = deepest


@compiled
def settle(s: Any, row: Any) -> None:
    """After a whole message: the touch is what the book says; `moved` tells whether a best price changed."""
    i = row.instrument
    b = s.book[i]
    top = s.top[i]
    n_bid = b.depth[BUY]
    n_ask = b.depth[SELL]
    bid = s.level_key[i, BUY, n_bid - 1] if n_bid > 0 else 0
    ask = -s.level_key[i, SELL, n_ask - 1] if n_ask > 0 else 0
    top.bid_quantity = s.level_quantity[i, BUY, n_bid - 1] if n_bid > 0 else 0
    top.ask_quantity = s.level_quantity[i, SELL, n_ask - 1] if n_ask > 0 else 0
    top.moved = 1 if bid != top.bid or ask != top.ask else 0
    top.bid = bid
    top.ask = ask
    top.ts = row.ts_local
    top.ts_venue = row.ts_venue
    top.heard_from = row.source
    b.last_id = row.ref
    if not complete(s, i):
        top.bid = 0
        top.ask = 0
    if row.marks & SNAPSHOT:
        b.joined = 0
        b.fed_by = row.source + 1
        top.condition = SYNCED
        top.moved = 1
        s.count.snapshots += 1
    else:
        b.joined = 1


@compiled
def complete(s: Any, i: int) -> bool:
    """Both sides are there and the touch lies above what a full table had to forget."""
    b = s.book[i]
    return (
        b.depth[BUY] > 0
        and b.depth[SELL] > 0
        and s.level_key[i, BUY, b.depth[BUY] - 1] > b.horizon[BUY]
        and s.level_key[i, SELL, b.depth[SELL] - 1] > b.horizon[SELL]
    )


@compiled
def quote(s: Any, row: Any) -> bool:
    """One side of a best-quote message; True at its last row where no row of it is missing.

    Between its rows the id is negative (`pending`), so that a message torn by a hole is never taken for whole.
    """
    q = s.quoted[row.instrument]
    pending = -2 - row.ref
    if row.marks & FIRST:
        q.id = pending
    side = int(row.side)
    q.price[side] = row.price
    q.quantity[side] = row.quantity
    if row.marks & LAST == 0 or q.id != pending:
        return False
    q.id = row.ref
    return True


@compiled
def compare(s: Any, i: int) -> None:
    """Counts whether book and best quote agree wherever both carry the same update id."""
    q = s.quoted[i]
    top = s.top[i]
    if q.id != s.book[i].last_id or q.id <= 0 or top.condition != SYNCED:
        return
    same = (
        q.price[BUY] == top.bid
        and q.price[SELL] == top.ask
        and q.quantity[BUY] == top.bid_quantity
        and q.quantity[SELL] == top.ask_quantity
    )
    if same:
        q.n_same += 1
    else:
        q.n_other += 1


@compiled
def adopt(s: Any, row: Any) -> None:
    """The touch of an instrument without a depth stream is its best quote."""
    i = row.instrument
    q = s.quoted[i]
    top = s.top[i]
    top.moved = 1 if q.price[BUY] != top.bid or q.price[SELL] != top.ask else 0
    top.bid = q.price[BUY]
    top.ask = q.price[SELL]
    top.bid_quantity = q.quantity[BUY]
    top.ask_quantity = q.quantity[SELL]
    top.ts = row.ts_local
    top.ts_venue = row.ts_venue
    top.heard_from = row.source
    top.condition = SYNCED
    s.book[i].fed_by = FROM_QUOTES
