"""Kraken books to rows, and decimals proven by the checksum."""

from __future__ import annotations

import zlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.venues.kraken import wire
from tradewind.venues.kraken.market import book_rows, prove_exponents

from .test_wire import UPDATE


def book(text: bytes) -> wire.BookData:
    frame = wire.decode(text)
    assert isinstance(frame, wire.Book)
    return frame.data[0]


def test_update() -> None:
    rows = book_rows(book(UPDATE.replace(b'"asks":[]', b'"asks":[{"price":78871.6,"qty":1e-05}]')), False, (1, 8), 7)
    assert rows["marks"].tolist() == [codes.FIRST, 0, codes.LAST]
    assert rows["side"].tolist() == [codes.BUY, codes.BUY, codes.SELL]
    assert rows["price"].tolist() == [788588, 788570, 788716]
    assert rows["quantity"].tolist() == [0, 34775324, 1000]
    assert rows["ref"].tolist() == [7, 7, 7]
    assert rows["value"].tolist() == [0, 0, 2416540570]


def test_one_row_and_none() -> None:
    one = book_rows(book(UPDATE.replace(b'{"price":78858.8,"qty":0.00000000},', b"")), True, (1, 8), 1)
    assert one["marks"].tolist() == [codes.WHOLE | codes.SNAPSHOT]
    assert one["value"].tolist() == [2416540570]
    start = UPDATE.index(b'[{"price"')
    empty = book_rows(book(UPDATE[:start] + b"[]" + UPDATE[UPDATE.index(b',"asks"') :]), False, (1, 8), 2)
    assert empty["marks"].tolist() == [codes.WHOLE | codes.EMPTY]
    assert empty["value"].tolist() == [2416540570]


@pytest.mark.parametrize("price", [b"0", b"-1.0", b"1.23", b"1e400", b"null", b'"1.0"', b"99999999999999999999"])
def test_bad_price(price: bytes) -> None:
    with pytest.raises(BadData):
        book_rows(book(UPDATE.replace(b"78858.8", price)), False, (1, 8), 1)


@given(st.integers(0, 5), st.integers(0, 8), st.lists(st.integers(1, 10**9), min_size=4, max_size=20, unique=True))
def test_decimals_are_proven_though_zeros_are_lost(price: int, quantity: int, numbers: list[int]) -> None:
    """Cut of its trailing zeros, a snapshot still shows its decimals by the checksum, or others of the same digits."""
    half = len(numbers) // 2
    pairs = [(number, (number * 7919) % 10**9 + 1) for number in sorted(numbers)]
    asks, bids = pairs[half:], pairs[:half][::-1]
    digits = "".join(f"{p}{q}" for p, q in asks[:10] + bids[:10])

    def level(pair: tuple[int, int]) -> str:
        texts = [format(Decimal(value).scaleb(-exponent), "f") for value, exponent in zip(pair, (price, quantity), strict=True)]
        short = [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]
        return f'{{"price":{short[0]},"qty":{short[1]}}}'

    text = (
        f'{{"channel":"book","type":"snapshot","data":[{{"symbol":"A/USD","bids":[{",".join(map(level, bids))}],'
        f'"asks":[{",".join(map(level, asks))}],"checksum":{zlib.crc32(digits.encode())}}}]}}'
    )
    exponents, proven = prove_exponents(book(text.encode()))
    assert proven
    rows = book_rows(book(text.encode()), True, exponents, 1)
    got = sorted(zip(rows["price"].tolist(), rows["quantity"].tolist(), strict=True))
    assert got == pairs


def test_wrong_checksum_proves_nothing() -> None:
    assert prove_exponents(book(UPDATE)) == ((1, 8), False)
