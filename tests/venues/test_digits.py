"""The rim's checksum over digits is zlib's."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain import codes
from tradewind.venues.rimbook import CAPACITY, CRC_LEVELS, S_ASKS, S_BIDS, RimBook, crc32_of

numbers = st.one_of(st.integers(1, 10**9), st.integers(1, (1 << 63) - 1), st.sampled_from([10**k for k in range(19)]))


@given(st.lists(st.tuples(numbers, numbers), max_size=12), st.lists(st.tuples(numbers, numbers), max_size=12))
def test_a_book_of_any_numbers_has_zlibs_checksum(asks: list[tuple[int, int]], bids: list[tuple[int, int]]) -> None:
    book = RimBook(codes.PROOF_CRC32, CAPACITY)
    for side, levels, place in ((codes.SELL, asks, S_ASKS), (codes.BUY, bids, S_BIDS)):
        for k, (price, quantity) in enumerate(reversed(levels)):  # the best comes last
            book.levels[side, k] = price if side == codes.BUY else -price
            book.levels[2 + side, k] = quantity
        book.state[place] = len(levels)
    told = "".join(f"{price}{quantity}" for price, quantity in asks[:CRC_LEVELS] + bids[:CRC_LEVELS])
    assert crc32_of(book.state, book.levels) == zlib.crc32(told.encode())
