"""Coded rows lose no bit, whatever the bits are, cost little where they can be foreseen, and are the same however they came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.domain.rows import ROW, Rows
from tradewind.storage import rowcode
from tradewind.storage.columns import Unreadable
from tradewind.storage.rowcode import MOST_BYTES, SLACK, Coder, Decoder, words_of

I64 = st.sampled_from([0, 1, -1, 127, 128, 1 << 16, 1 << 24, (1 << 32) - 1, 1 << 48, (1 << 63) - 1, -(1 << 63)]) | st.integers(
    -(1 << 63), (1 << 63) - 1
)
ROWS = st.tuples(st.integers(0, 2), st.integers(0, 7), *[I64] * 6)
ROOM = 1 << 12


@pytest.fixture(scope="module")
def coder() -> Coder:
    return Coder(ROOM)


def code(coder: Coder, rows: Rows, pieces: list[int] | None = None) -> bytes:
    coder.begin()
    at = 0
    for size in [*(pieces or []), len(rows)]:
        coder.add(words_of(rows[at : at + size]))
        at += size
    return bytes(coder.view[: coder.size])


@settings(max_examples=150)
@given(st.binary(max_size=64 * 40), st.integers(0, 7), st.lists(st.integers(0, 9), max_size=6))
def test_any_bits_come_back(coder: Coder, data: bytes, sources: int, pieces: list[int]) -> None:
    rows = np.frombuffer(data[: len(data) // 64 * 64], ROW).copy()
    rows["source"] &= sources
    coded = code(coder, rows)
    assert Decoder().take(coded, len(rows)).tobytes() == rows.tobytes()
    assert code(coder, rows, pieces) == coded, "the pieces show in the bytes"
    assert len(coded) <= MOST_BYTES * len(rows)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 7), *[I64] * 6), min_size=1, max_size=30), st.sampled_from([1, 300, 1024])
)
def test_any_column_comes_back(coder: Coder, table: list[tuple[int, ...]], stride: int) -> None:
    """Any int64, extremes and returns to what was among them; streams that share a context, and sources beyond a byte."""
    rows = np.zeros(len(table), ROW)
    for k, (source, head, venue, local, price, quantity, ref, value) in enumerate(table):
        rows[k] = (1, head & 1, 32 | head >> 1, source * stride, source, 0, -1, k, venue, local, price, quantity, ref, value)
    assert Decoder().take(code(coder, rows), len(rows)).tobytes() == rows.tobytes()


def test_the_longest_row_fits(coder: Coder) -> None:
    """What `encode` may write is what its callers leave room for: nothing checks it row by row."""
    rows = np.frombuffer(np.random.default_rng(5).bytes(64 * 600), ROW).copy()
    sizes = []
    for k in range(1, 600):
        coder.begin()
        coder.add(words_of(rows[: k + 1]))
        sizes.append(coder.size)
    assert max(np.diff(sizes)) == MOST_BYTES
    with pytest.raises(ValueError, match="more rows"):
        coder.add(np.zeros((ROOM, 8), np.int64))


def ladder(n: int) -> Rows:
    rows = np.zeros(n, ROW)
    rows["source"] = np.arange(n) // 10 % 3
    for source in range(3):
        its = rows["source"] == source
        rows["stream_seq"][its] = np.arange(its.sum())
    rows["ts_local"] = np.arange(n) // 10 * 1_000_003
    rows["ts_venue"] = rows["ts_local"] - 5
    rows["price"] = 6_000_000 + np.arange(n) % 10
    return rows


def test_what_can_be_foreseen_costs_three_bytes(coder: Coder) -> None:
    assert len(code(coder, ladder(ROOM))) < 3.8 * ROOM


@pytest.mark.parametrize("rows", [ladder(64), np.frombuffer(np.random.default_rng(3).bytes(64 * 64), ROW).copy()])
def test_broken_bytes_are_refused_or_give_other_rows_but_never_crash(coder: Coder, rows: Rows) -> None:
    good = code(coder, rows)
    for at in range(len(good)):
        with pytest.raises(Unreadable):
            Decoder().take(good[:at], 64)
    for at in range(0, len(good), max(len(good) // 200, 1)):
        for bit in range(8):
            try:
                Decoder().take(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :], 64)
            except Unreadable:
                continue
    with pytest.raises(Unreadable):
        Decoder().take(good + b"\0", 64)
    with pytest.raises(Unreadable):
        Decoder().take(good, 65)


def interpreted(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
    """The same rows through the same source, run by Python: their bytes, and the rows those give back."""
    with monkeypatch.context() as patch:
        for name, found in list(vars(rowcode).items()):
            if hasattr(found, "py_func"):
                patch.setattr(rowcode, name, found.py_func)
        out = np.zeros(len(rows) * MOST_BYTES + MOST_BYTES + SLACK, np.uint8)
        again = np.zeros(len(rows), ROW)
        with np.errstate(over="ignore"):
            size = rowcode.encode(words_of(rows), out, 0, *rowcode._fresh())
            end = rowcode.decode(out, size, words_of(again), *rowcode._fresh())
    assert end == size
    return out[:size].tobytes(), again.tobytes()


@pytest.mark.parametrize("rows", [ladder(200), np.frombuffer(np.random.default_rng(7).bytes(64 * 200), ROW).copy()])
def test_interpreted_and_compiled_are_equal(coder: Coder, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    assert interpreted(rows, monkeypatch) == (code(coder, rows), rows.tobytes())
