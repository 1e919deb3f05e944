"""Columns of format 1 are still read, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.domain.rows import ROW, Rows
from tradewind.storage.columns import Unreadable, unpack

from .oldlog import pack


@settings(max_examples=80)
@given(st.binary(max_size=64 * 40), st.integers(0, 7))
def test_any_bits_come_back(data: bytes, sources: int) -> None:
    rows = np.frombuffer(data[: len(data) // 64 * 64], ROW).copy()
    rows["source"] &= sources
    assert unpack(pack(rows), len(rows)).tobytes() == rows.tobytes()


@pytest.mark.parametrize("value", [-1, 0, 1, 127, 1 << 62, -(1 << 63), (1 << 63) - 1])
def test_extremes_come_back(value: int) -> None:
    rows = np.zeros(9, ROW)
    for name in ROW.names or ():
        info = np.iinfo(ROW[name])
        rows[name][::2] = min(max(value, info.min), info.max)
        rows[name][1::3] = info.min
    assert unpack(pack(rows), 9).tobytes() == rows.tobytes()


def ladder(n: int) -> Rows:
    rows = np.zeros(n, ROW)
    rows["source"] = np.arange(n) // 10 % 3
    rows["ts_local"] = np.arange(n) // 10 * 1_000_003
    rows["price"] = 6_000_000 + np.arange(n) % 10
    return rows


def test_regular_rows_cost_almost_nothing() -> None:
    assert len(pack(ladder(10_000))) < 3_000


def test_broken_bytes_are_refused_or_give_other_rows_but_never_crash() -> None:
    rows = ladder(64)
    good = pack(rows)
    for at in range(len(good)):
        with pytest.raises(Unreadable):
            unpack(good[:at], 64)
        for bit in range(8):
            try:
                unpack(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :], 64)
            except Unreadable:
                continue
    with pytest.raises(Unreadable, match="behind the last"):
        unpack(good + b"\0", 64)
    with pytest.raises(Unreadable):
        unpack(good, 65)
