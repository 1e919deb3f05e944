"""A venue's own book and what happened in it. Integers only; nothing of it is shared with the client's books."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator

import msgspec

from .listings import Listing

BID, ASK = 0, 1
KEPT_CHANGES = 200_000  # of one pair, for questions about a moment ago


class Change(msgspec.Struct, frozen=True):
    """One level set to a size. `number` counts the changes of one book without gaps."""

    number: int
    ts_ns: int
    side: int
    price: int
    before: int
    size: int


class Trade(msgspec.Struct, frozen=True):
    """One trade. `bad` marks a print that never happened in the book."""

    number: int
    ts_ns: int
    price: int
    size: int
    taker_buys: bool
    market_order: bool = True
    bad: bool = False


class Book:
    """Two sorted sides of price and size."""

    def __init__(self) -> None:
        self.sizes: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._ranks: tuple[list[int], list[int]] = ([], [])  # best first: a bid's rank is its price turned negative

    def set(self, side: int, price: int, size: int) -> int:
        """Sets one level, 0 takes it out; gives the size it had."""
        sizes, ranks = self.sizes[side], self._ranks[side]
        rank = price if side == ASK else -price
        before = sizes.get(price, 0)
        if size:
            sizes[price] = size
            if not before:
                insort(ranks, rank)
        elif before:
            del sizes[price]
            del ranks[bisect_left(ranks, rank)]
        return before

    def depth(self, side: int) -> int:
        """How many levels a side has."""
        return len(self._ranks[side])

    def price(self, side: int, place: int) -> int:
        """The price of the level at `place`, 0 is the best, -1 the deepest."""
        return abs(self._ranks[side][place])

    def best(self, side: int) -> int | None:
        """The best price."""
        return self.price(side, 0) if self._ranks[side] else None

    def top(self, side: int, levels: int | None = None) -> list[tuple[int, int]]:
        """(price, size) of the best levels, best first."""
        sizes = self.sizes[side]
        return [(abs(rank), sizes[abs(rank)]) for rank in self._ranks[side][:levels]]

    def copy(self) -> Book:
        """Another book with the same levels."""
        other = Book()
        for side in (BID, ASK):
            other.sizes[side].update(self.sizes[side])
            other._ranks[side].extend(self._ranks[side])
        return other


class Market:
    """One pair of one venue: its rules, its book, its trades; the truth a test may ask."""

    def __init__(self, venue: str, listing: Listing, first_number: int) -> None:
        self.venue, self.listing = venue, listing
        self.book = Book()
        self.changes: deque[Change] = deque(maxlen=KEPT_CHANGES)
        self.trades: deque[Trade] = deque(maxlen=KEPT_CHANGES)
        self.number = first_number  # of the last change
        self.trade_number = first_number // 13

    def set(self, ts_ns: int, side: int, price: int, size: int) -> Change | None:
        """Sets a level and keeps what it was; None where nothing changes."""
        before = self.book.set(side, price, size)
        if before == size:
            return None
        self.number += 1
        change = Change(self.number, ts_ns, side, price, before, size)
        self.changes.append(change)
        return change

    def trade(self, ts_ns: int, price: int, size: int, *, taker_buys: bool, bad: bool = False) -> Trade:
        """Books a trade."""
        self.trade_number += 1
        made = Trade(self.trade_number, ts_ns, price, size, taker_buys, market_order=size % 3 != 0, bad=bad)
        self.trades.append(made)
        return made

    def book_at(self, number: int) -> Book:
        """The book as it was after change `number`. Raises LookupError where that is no longer known."""
        return self._undone(change for change in reversed(self.changes) if change.number > number)

    def book_at_time(self, ts_ns: int) -> Book:
        """The book as it was at the end of that ns."""
        return self._undone(change for change in reversed(self.changes) if change.ts_ns > ts_ns)

    def _undone(self, later: Iterator[Change]) -> Book:
        book = self.book.copy()
        count = 0
        for change in later:
            book.set(change.side, change.price, change.before)
            count += 1
        if count and count == self.changes.maxlen:
            raise LookupError(f"{self.venue} {self.listing.symbol} no longer knows that moment")
        return book
