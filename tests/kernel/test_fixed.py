from __future__ import annotations

import math
import random
from types import ModuleType

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tradewind.kernel import fixed
from tradewind.kernel.fixed import LARGEST, OVERFLOW
from tradewind.kernel.twin import load

TWIN: ModuleType = load("kernel.fixed", frozenset())

sized = st.integers(0, 63).flatmap(lambda bits: st.integers(-(1 << bits), (1 << bits) - 1))
"""Every magnitude of int64 equally often, -2^63 among them."""

_muldiv, _up, _half_even, _scale = fixed.muldiv, fixed.muldiv_up, fixed.muldiv_half_even, fixed.scale_e9
_clamp, _round_to, _isqrt = fixed.clamp, fixed.round_to, fixed.isqrt


@numba.njit(error_model="numpy")
def _compiled(a, b, c, out):  # type: ignore[no-untyped-def]
    for i in range(a.size):
        out[i, 0] = _muldiv(a[i], b[i], c[i])
        out[i, 1] = _up(a[i], b[i], c[i])
        out[i, 2] = _half_even(a[i], b[i], c[i])
        out[i, 3] = _scale(a[i], b[i])
        out[i, 4] = _round_to(a[i], c[i], False)
        out[i, 5] = _round_to(a[i], c[i], True)
        out[i, 6] = _isqrt(a[i])
        out[i, 7] = _clamp(a[i], b[i], c[i])


def compiled(a: int, b: int, c: int) -> list[int]:
    out = np.zeros((1, 8), np.int64)
    _compiled(np.array([a]), np.array([b]), np.array([c]), out)
    return [int(value) for value in out[0]]


def uncompiled(a: int, b: int, c: int) -> list[int]:
    a, b, c = np.int64(a), np.int64(b), np.int64(c)  # type: ignore[assignment]  # as fields of a record come
    found = [
        TWIN.muldiv(a, b, c), TWIN.muldiv_up(a, b, c), TWIN.muldiv_half_even(a, b, c), TWIN.scale_e9(a, b),
        TWIN.round_to(a, c, False), TWIN.round_to(a, c, True), TWIN.isqrt(a), TWIN.clamp(a, b, c),
    ]  # fmt: skip
    assert all(type(value) is int for value in found)
    return found


def _half_even_of(n: int, c: int) -> int:
    quotient, rest = divmod(n, c)
    return quotient + (2 * rest > c or (2 * rest == c and quotient & 1))


def _or_overflow(value: int) -> int:
    return value if -(1 << 63) < value < 1 << 63 else OVERFLOW


def expected(a: int, b: int, c: int) -> list[int]:
    if c <= 0 or OVERFLOW in (a, b):
        ratios = [OVERFLOW] * 3
    else:
        ratios = [_or_overflow(v) for v in (a * b // c, -(-a * b // c), _half_even_of(a * b, c))]
    scaled = OVERFLOW if OVERFLOW in (a, b) else _or_overflow(a * b // 10**9)
    steps = [OVERFLOW] * 2 if c <= 0 or a == OVERFLOW else [_or_overflow(a // c * c), _or_overflow(-(-a // c) * c)]
    return [*ratios, scaled, *steps, math.isqrt(a) if a >= 0 else OVERFLOW, max(b, min(a, c))]


@given(sized, sized, sized.map(lambda c: min(abs(c), LARGEST)))
@example(LARGEST, LARGEST, LARGEST)
@example(LARGEST, LARGEST, LARGEST - 1)
@example(-LARGEST, LARGEST, LARGEST)
@example(LARGEST, 2, 2)
@example(LARGEST, 1, 1)
@example(LARGEST, -1, 1)
@example(OVERFLOW, 1, 2)
@example(1, OVERFLOW, 2)
@example(1 << 62, 2, 1)
@example(-(1 << 62), 2, 1)  # floor is -2^63, the sentinel
@example(LARGEST, (1 << 62) + 1, 1 << 62)
@example(5, 1, 2)
@example(-5, 1, 2)
@example(1 << 31, 1 << 31, 1)
def test_results_are_those_of_integers(a: int, b: int, c: int) -> None:
    assert compiled(a, b, c) == expected(a, b, c)
    assert uncompiled(a, b, c) == expected(a, b, c)


@given(sized, sized, sized)
def test_a_divisor_or_step_that_is_not_positive_overflows(a: int, b: int, c: int) -> None:
    assert compiled(a, b, c) == uncompiled(a, b, c) == expected(a, b, c)


def test_a_large_sample_reaches_every_path() -> None:
    """Short, long and bitwise division, overflow of the quotient and of its sum, each often."""
    draw = random.Random(3)

    def number() -> int:
        bits = draw.randrange(64)
        return draw.randrange(-(1 << bits), 1 << bits)

    triples = [(number(), number(), min(abs(number()), LARGEST)) for _ in range(100_000)]
    a, b, c = (np.array(column, np.int64) for column in zip(*triples, strict=True))
    out = np.zeros((len(triples), 8), np.int64)
    _compiled(a, b, c, out)
    assert out.tolist() == [expected(*triple) for triple in triples]
    wide = np.abs(a.astype(float) * b.astype(float)) > 2.0**62
    for path in (~wide, wide & (c > 0) & (c < 1 << 41), wide & (c >= 1 << 41), out[:, 0] == OVERFLOW):
        assert path.sum() > 1_000


@given(st.integers(1, (1 << 31) - 1), st.integers(1, (1 << 31) - 1), st.integers(1, 1 << 31), st.integers(-(1 << 31), 1 << 31))
@example(1 << 20, (1 << 31) - 1, 1 << 31, 3)
@example(1 << 30, 1 << 30, 3, 1 << 31)
def test_exact_quotients_are_not_rounded(p: int, q: int, x: int, y: int) -> None:
    a, b, c = p * x, q * y, p * q
    assert compiled(a, b, c)[:3] == uncompiled(a, b, c)[:3] == [x * y] * 3


@given(st.integers(0, 3_037_000_499), st.integers(-1, 1))
def test_roots_next_to_squares(root: int, off: int) -> None:
    n = root * root + off
    assert compiled(n, 1, 1)[6] == uncompiled(n, 1, 1)[6] == (math.isqrt(n) if n >= 0 else OVERFLOW)


@pytest.mark.parametrize(("x", "low", "high", "result"), [(5, 1, 9, 5), (0, 1, 9, 1), (11, 1, 9, 9), (5, 9, 1, 9)])
def test_clamp(x: int, low: int, high: int, result: int) -> None:
    assert compiled(x, low, high)[7] == uncompiled(x, low, high)[7] == result
