"""Kraken v2 books to rows, and the proof of an instrument's decimals by the venue's own checksum."""

from __future__ import annotations

import zlib
from decimal import Decimal
from itertools import product

from tradewind.domain import codes
from tradewind.domain import rows as row
from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.kraken.wire import BookData, Level
from tradewind.venues.numbers import decimals_of, one_unit

CRC_LEVELS = 10
MAX_DECIMALS = 12
USUAL_QUANTITY_EXPONENT = 8


def book_rows(book: BookData, snapshot: bool, exponents: tuple[int, int], number: int) -> Rows:
    """One message's rows, bids first: ref = its running number, value = the venue's CRC32 on the last row.

    Times, source and instrument are the caller's. Raises BadData for a number that is none, negative or off the units.
    """
    levels = book.bids + book.asks
    out = row.rows(max(1, len(levels)))
    out["kind"], out["ref"] = codes.DEPTH, number
    out["marks"] = codes.SNAPSHOT if snapshot else 0
    if levels:
        numbers = [_level(level, exponents) for level in levels]
        out["price"] = [price for price, _ in numbers]
        out["quantity"] = [quantity for _, quantity in numbers]
        out["side"][len(book.bids) :] = codes.SELL
    else:
        out["marks"] |= codes.EMPTY
    out["marks"][0] |= codes.FIRST
    out["marks"][-1] |= codes.LAST
    out["value"][-1] = book.checksum
    return out


def _level(level: Level, exponents: tuple[int, int]) -> tuple[int, int]:
    price_text, quantity_text = level.texts
    price, quantity = one_unit(price_text, exponents[0]), one_unit(quantity_text, exponents[1])
    if price <= 0 or quantity < 0:
        raise BadData(f"a level {price_text} x {quantity_text}", expected="a price above zero, a quantity not below")
    return price, quantity


def prove_exponents(snapshot: BookData) -> tuple[tuple[int, int], bool]:
    """((price exponent, quantity exponent), proven) of the instrument a snapshot shows.

    The wire keeps trailing zeros, but a recording parsed and written again lost them. The smallest exponents that hold
    every number and make the snapshot's checksum agree are the venue's; where none does, the usual ones, unproven.
    """
    asks, bids = ([level.texts for level in levels] for levels in (snapshot.asks, snapshot.bids))
    least_price = max((decimals_of(price) for price, _ in asks + bids), default=0)
    least_quantity = max((decimals_of(quantity) for _, quantity in asks + bids), default=0)
    if max(least_price, least_quantity) > MAX_DECIMALS:
        raise BadData(f"{max(least_price, least_quantity)} decimals", expected=f"at most {MAX_DECIMALS}")
    covered = sorted(asks, key=_price)[:CRC_LEVELS] + sorted(bids, key=_price, reverse=True)[:CRC_LEVELS]
    for exponents in product(range(least_price, MAX_DECIMALS + 1), range(least_quantity, MAX_DECIMALS + 1)):
        if _checksum(covered, exponents) == snapshot.checksum:
            return exponents, True
    return (least_price, max(least_quantity, USUAL_QUANTITY_EXPONENT)), False


def _price(texts: tuple[str, str]) -> Decimal:
    return Decimal(texts[0])


def _checksum(covered: list[tuple[str, str]], exponents: tuple[int, int]) -> int:
    """The CRC32 were these the decimals; -1 where they make a number too large to hold."""
    try:
        digits = [f"{one_unit(price, exponents[0])}{one_unit(quantity, exponents[1])}" for price, quantity in covered]
    except BadData:
        return -1
    return zlib.crc32("".join(digits).encode())
