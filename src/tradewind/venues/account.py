"""What every importer does with every row, compiled: numbers of streams, grids of prices and quantities, coarser units."""

from __future__ import annotations

from typing import Any

from tradewind.domain.codes import EMPTY, TRADE
from tradewind.kernel.jit import called, entry
from tradewind.venues.walk import Words

G_PRICE, G_QUANTITY, G_COUNT, G_TRADES, G_TENS = range(5)
"""Of an instrument: greatest common divisors, rows, trades, then how many traded quantities are multiples of 10, 100, … 10^8."""
TENS = 8


@entry
def number(rows: Any, following: Words) -> None:
    """Fills `stream_seq`: dense per source; `following` holds each stream's next number."""
    for n in range(rows.size):
        row = rows[n]
        source = row.source
        row.stream_seq = following[source]
        following[source] += 1


@called
def _gcd(a: int, b: int) -> int:
    while b != 0:
        a, b = b, a % b
    return a


@entry
def measure(rows: Any, grids: Words) -> None:
    """Takes in prices and quantities of market rows, a line of `grids` an instrument."""
    for n in range(rows.size):
        row = rows[n]
        if row.marks & EMPTY:
            continue
        grid = grids[row.instrument]
        grid[G_COUNT] += 1
        price = abs(row.price)
        quantity = abs(row.quantity)
        if grid[G_PRICE] == 0 or price % grid[G_PRICE] != 0:
            grid[G_PRICE] = _gcd(grid[G_PRICE], price)
        if grid[G_QUANTITY] == 0 or quantity % grid[G_QUANTITY] != 0:
            grid[G_QUANTITY] = _gcd(grid[G_QUANTITY], quantity)
        if row.kind == TRADE:
            grid[G_TRADES] += 1
            rest = quantity
            for k in range(TENS):
                if rest % 10 != 0:
                    break
                rest = rest // 10
                grid[G_TENS + k] += 1


@entry
def divide(rows: Any, divisors: Words) -> int:
    """Brings prices and quantities to their instruments' units; the first row that does not divide, or -1."""
    for n in range(rows.size):
        row = rows[n]
        price_by = divisors[row.instrument, 0]
        quantity_by = divisors[row.instrument, 1]
        price = row.price // price_by
        quantity = row.quantity // quantity_by
        if (price * price_by != row.price or quantity * quantity_by != row.quantity) and row.marks & EMPTY == 0:
            return n
        row.price = price
        row.quantity = quantity
    return -1
