"""A plain-Python book that reads an importer's rows again, and says whether they prove themselves.

Slow, dictionaries only, sharing nothing with the compiled books: what both agree on is hard to doubt. It counts breaks
of Binance's chain, best quotes that differ from the book at the same update id, and Kraken checksums that disagree.
"""

from __future__ import annotations

import zlib
from collections import deque
from typing import NamedTuple

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain.rows import Rows

MAX_QUOTES = 20_000  # best quotes ahead of their book that are remembered
CRC_LEVELS = 10  # Kraken: the checksum covers the best ten of each side


class Findings(msgspec.Struct):
    """What was found."""

    gaps: int = 0
    checksum_checks: int = 0
    checksum_failures: int = 0
    first_checksum_failure_ref: int = 0  # the message's own number
    unverified_after_failure: int = 0  # messages on a book that had failed and was not replaced
    book_comparisons: int = 0
    book_mismatches: int = 0
    crossed_at_message_end: int = 0


class _Message(NamedTuple):
    marks: int
    ref: int
    sides: list[int]
    prices: list[int]
    quantities: list[int]
    values: list[int]


class PlainBook:
    """Two dictionaries, price to quantity, and what they prove."""

    def __init__(self, depth: int) -> None:
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.depth = depth  # levels a side the venue keeps; 0: all
        self.valid = self.fresh = False
        self.last_id = 0
        self._best: list[int | None] = [None, None]  # None: must be looked for

    def clear(self) -> None:
        """No level."""
        for side in self.sides:
            side.clear()
        self._best = [None, None]

    def set(self, side: int, price: int, quantity: int) -> None:
        """One level; quantity 0 removes it."""
        levels, best = self.sides[side], self._best[side]
        if quantity:
            levels[price] = quantity
            if best is not None and (price > best if side == codes.BUY else price < best):
                self._best[side] = price
        else:
            levels.pop(price, None)
            if price == best:
                self._best[side] = None

    def best(self, side: int) -> tuple[int, int]:
        """(price, quantity) of the best level, zeros where the side is empty."""
        levels = self.sides[side]
        if not levels:
            return 0, 0
        price = self._best[side]
        if price is None:
            price = self._best[side] = max(levels) if side == codes.BUY else min(levels)
        return price, levels[price]

    def truncate(self) -> None:
        """Forget what lies below the venue's depth: it is not told about any more."""
        if self.depth:
            for side in (codes.BUY, codes.SELL):
                for price in sorted(self.sides[side], reverse=side == codes.BUY)[self.depth :]:
                    self.set(side, price, 0)

    def crc32(self) -> int:
        """Kraken's checksum: asks upward, then bids downward; digits of price and quantity without dot and leading zeros.

        Units carry exactly the venue's decimals, so an integer's digits are that text (docs.kraken.com, "Book checksum v2").
        """
        asks = sorted(self.sides[codes.SELL].items())[:CRC_LEVELS]
        bids = sorted(self.sides[codes.BUY].items(), reverse=True)[:CRC_LEVELS]
        return zlib.crc32("".join(f"{price}{quantity}" for price, quantity in asks + bids).encode())


class Witness:
    """Reads rows in tape order. `proofs` and `depths` are per instrument: PROOF_CHAIN or PROOF_CRC32, levels kept (0: all)."""

    def __init__(self) -> None:
        self.findings = Findings()
        self._books: dict[int, PlainBook] = {}
        self._ahead: dict[int, deque[tuple[int, int, int, int, int]]] = {}

    def read(self, rows: Rows, proofs: dict[int, int], depths: dict[int, int]) -> None:
        """Take whole messages."""
        columns = [rows[name].tolist() for name in ("side", "price", "quantity", "value")]
        at = np.flatnonzero((rows["marks"] & codes.FIRST) != 0)
        heads = zip(*(rows[name][at].tolist() for name in ("kind", "marks", "instrument", "ref")), strict=True)
        starts = at.tolist()
        for (kind, marks, instrument, ref), start, end in zip(heads, starts, [*starts[1:], len(rows)], strict=True):
            if kind == codes.QUOTE:
                bid, ask = start, end - 1
                self._quote(instrument, (ref, columns[1][bid], columns[2][bid], columns[1][ask], columns[2][ask]))
            elif kind == codes.DEPTH:
                if instrument not in self._books:
                    self._books[instrument] = PlainBook(depths.get(instrument, 0))
                message = _Message(marks, ref, *(column[start:end] for column in columns))
                if proofs.get(instrument) == codes.PROOF_CRC32:
                    self._checksummed(self._books[instrument], message)
                else:
                    chained = proofs.get(instrument) == codes.PROOF_CHAIN
                    self._chained(instrument, self._books[instrument], message, chained)

    def _apply(self, book: PlainBook, message: _Message) -> None:
        if message.marks & codes.SNAPSHOT:
            book.clear()
            book.valid = book.fresh = True
        if not message.marks & codes.EMPTY:
            for side, price, quantity in zip(message.sides, message.prices, message.quantities, strict=True):
                book.set(side, price, quantity)

    def _chained(self, instrument: int, book: PlainBook, message: _Message, chained: bool) -> None:
        last, previous = message.ref, message.values[0]
        if not message.marks & codes.SNAPSHOT:
            if not book.valid:
                return
            if chained and not (previous <= book.last_id < last if book.fresh else previous == book.last_id):
                self.findings.gaps += 1
                book.valid = False
                return
            book.fresh = False
        self._apply(book, message)
        book.last_id = last
        bid, ask = book.best(codes.BUY)[0], book.best(codes.SELL)[0]
        self.findings.crossed_at_message_end += bool(bid and ask and bid >= ask)
        ahead = self._ahead.get(instrument)
        while ahead and ahead[0][0] <= last:
            quote = ahead.popleft()
            if quote[0] == last:
                self._compare(book, quote)

    def _quote(self, instrument: int, quote: tuple[int, int, int, int, int]) -> None:
        book = self._books.get(instrument)
        if book is not None and book.valid and quote[0] == book.last_id:
            self._compare(book, quote)
        elif book is None or not book.valid or quote[0] > book.last_id:
            self._ahead.setdefault(instrument, deque(maxlen=MAX_QUOTES)).append(quote)

    def _compare(self, book: PlainBook, quote: tuple[int, int, int, int, int]) -> None:
        self.findings.book_comparisons += 1
        self.findings.book_mismatches += (*book.best(codes.BUY), *book.best(codes.SELL)) != quote[1:]

    def _checksummed(self, book: PlainBook, message: _Message) -> None:
        found = self.findings
        if not book.valid and not message.marks & codes.SNAPSHOT:
            found.unverified_after_failure += 1
            return
        self._apply(book, message)
        book.truncate()
        found.checksum_checks += 1
        if book.crc32() != message.values[-1]:
            book.valid = False
            found.checksum_failures += 1
            if found.checksum_failures == 1:
                found.first_checksum_failure_ref = message.ref
