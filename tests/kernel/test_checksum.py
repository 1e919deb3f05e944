from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tradewind.domain.instruments import units
from tradewind.kernel import checksum
from tradewind.kernel.twin import load

TWIN: ModuleType = load("kernel.checksum", frozenset())
Numbers = NDArray[np.int64]


@pytest.fixture(scope="module")
def of_numbers() -> Callable[[Numbers], int]:
    start, decimal, final = checksum.CRC32_START, checksum.crc32_decimal, checksum.crc32_final

    @numba.njit(error_model="numpy")
    def run(values):  # type: ignore[no-untyped-def]
        crc = start
        for i in range(values.size):
            crc = decimal(crc, values[i])
        return final(crc)

    return run


def uncompiled(values: Numbers) -> int:
    crc = TWIN.CRC32_START
    for value in values:
        crc = TWIN.crc32_decimal(crc, value)
    return int(TWIN.crc32_final(crc))


@given(st.lists(st.integers(1, (1 << 63) - 1) | st.integers(1, 10**6), max_size=8))
@example([10**15 - 1, 10**15, 10**15 + 1, 10**18, (1 << 63) - 1, 1, 10])
def test_decimal_digits_are_fed_as_text(of_numbers: Callable[[Numbers], int], values: list[int]) -> None:
    array = np.array(values, np.int64)
    expected = zlib.crc32("".join(map(str, values)).encode())
    assert of_numbers(array) == expected
    assert uncompiled(array) == expected


@pytest.mark.parametrize("value", [0, -1, -(1 << 63)])
def test_zero_and_below_feed_nothing(of_numbers: Callable[[Numbers], int], value: int) -> None:
    array = np.array([7, value, 9])
    assert of_numbers(array) == uncompiled(array) == zlib.crc32(b"79")


@given(st.binary(max_size=64))
def test_bytes_agree_with_zlib(data: bytes) -> None:
    crc = TWIN.CRC32_START
    for byte in data:
        crc = TWIN.crc32_step(crc, byte)
    assert TWIN.crc32_final(crc) == zlib.crc32(data)


def kraken_numbers(book: dict[str, list[list[str]]]) -> Numbers:
    levels = book["asks"] + book["bids"]
    return np.array([n for price, quantity in levels for n in (units(price, 1), units(quantity, 8))], np.int64)


@pytest.mark.real
def test_krakens_worked_example(of_numbers: Callable[[Numbers], int], shared_data: Path) -> None:
    book = json.loads((shared_data / "official" / "kraken_book_checksum_v2_example.json").read_text())
    numbers = kraken_numbers(book)
    assert of_numbers(numbers) == uncompiled(numbers) == book["checksum"]
    numbers[5] += 1  # one quantity of one level
    assert of_numbers(numbers) != book["checksum"]
