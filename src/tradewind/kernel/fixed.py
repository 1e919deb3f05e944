"""Fixed point: a * b / c of int64, exactly, whatever the size of a * b.

Every result is an int64 or `OVERFLOW`, which no valid result equals: where a result does not fit, where a divisor or step
is not positive, and where an argument already is `OVERFLOW`, so that it travels like a NaN and one test at the end
of a calculation suffices. No intermediate value leaves int64, so the uncompiled twin computes the same.
"""

from __future__ import annotations

import math

from .jit import called, compiled

OVERFLOW = -(1 << 63)
LARGEST = (1 << 63) - 1

_SURELY_FITS = 4.6e18  # a product of two rounded doubles below this is a product of the integers below 2^62
_E9 = 1_000_000_000
_DIGIT_BITS = 21  # three digits hold 63 bits
_DIGIT = (1 << _DIGIT_BITS) - 1
_SMALL_DIVISOR = 1 << 41  # below it, remainder * digit + remainder * 2^21 stays under 2^63


@compiled
def _fits(a: int, b: int) -> bool:
    """Whether |a * b| < 2^62 for certain."""
    return abs(float(a) * float(b)) < _SURELY_FITS


@compiled
def _by_digits(a: int, b: int, c: int) -> tuple[int, int]:
    """Quotient and remainder of a * b / c for 0 <= a < c < 2^41, 0 <= b: long multiplication in base 2^21."""
    quotient, rest = 0, 0
    for shift in range(2 * _DIGIT_BITS, -1, -_DIGIT_BITS):
        part = (rest << _DIGIT_BITS) + a * ((b >> shift) & _DIGIT)
        quotient = (quotient << _DIGIT_BITS) + part // c
        rest = part % c
    return quotient, rest


@compiled
def _plus(a: int, b: int, c: int) -> tuple[int, int]:
    """Carry and remainder of (a + b) / c for a, b < c, without forming the sum."""
    return (1, a - (c - b)) if a >= c - b else (0, a + b)


@compiled
def _by_bits(a: int, b: int, c: int) -> tuple[int, int]:
    """Quotient and remainder of a * b / c for 0 <= a < c, 0 <= b: double and add along the bits of b."""
    quotient, rest = 0, 0
    for shift in range(62, -1, -1):
        carry, rest = _plus(rest, rest, c)
        quotient = quotient + quotient + carry
        if (b >> shift) & 1 == 1:
            carry, rest = _plus(rest, a, c)
            quotient += carry
    return quotient, rest


@called
def _wide(a: int, b: int, c: int) -> tuple[int, int]:
    """Quotient and remainder of a * b / c for a, b >= 0 and c > 0; the quotient is OVERFLOW where it does not fit."""
    if a < b:
        a, b = b, a
    whole, a = a // c, a % c
    if whole > 0 and b > LARGEST // whole:
        return OVERFLOW, 0
    whole *= b  # a * b / c = whole + (a % c) * b / c, and the second part is below b
    if _fits(a, b):
        quotient, rest = a * b // c, a * b % c
    elif c < _SMALL_DIVISOR:
        quotient, rest = _by_digits(a, b, c)
    else:
        quotient, rest = _by_bits(a, b, c)
    if quotient > LARGEST - whole:
        return OVERFLOW, 0
    return whole + quotient, rest


@compiled
def _parts(a: int, b: int, c: int) -> tuple[int, int]:
    """Floor and remainder (0 <= remainder < c) of a * b / c."""
    if _fits(a, b):
        return a * b // c, a * b % c
    quotient, rest = _wide(abs(a), abs(b), c)
    if quotient == OVERFLOW or (a < 0) == (b < 0):
        return quotient, rest
    if rest == 0:
        return -quotient, 0
    return -quotient - 1, c - rest  # may reach -2^63, which is OVERFLOW


@compiled
def _bad(a: int, b: int, c: int) -> bool:
    return c <= 0 or OVERFLOW in (a, b)


@compiled
def muldiv(a: int, b: int, c: int) -> int:
    """floor(a * b / c)."""
    a, b, c = int(a), int(b), int(c)
    if _bad(a, b, c):
        return OVERFLOW
    return _parts(a, b, c)[0]


@compiled
def muldiv_up(a: int, b: int, c: int) -> int:
    """ceil(a * b / c)."""
    a, b, c = int(a), int(b), int(c)
    if _bad(a, b, c):
        return OVERFLOW
    quotient = _parts(-a, b, c)[0]  # ceil(x) = -floor(-x)
    return -quotient if quotient != OVERFLOW else OVERFLOW


@compiled
def muldiv_half_even(a: int, b: int, c: int) -> int:
    """a * b / c rounded to the nearest integer, ties to the even one."""
    a, b, c = int(a), int(b), int(c)
    if _bad(a, b, c):
        return OVERFLOW
    quotient, rest = _parts(a, b, c)
    if quotient == OVERFLOW:
        return OVERFLOW
    other = c - rest
    if rest > other or (rest == other and quotient & 1 == 1):
        return quotient + 1 if quotient != LARGEST else OVERFLOW
    return quotient


@compiled
def scale_e9(x: int, e9: int) -> int:
    """floor(x * e9 / 10^9): `x` times a ratio given in 1e-9."""
    return muldiv(x, e9, _E9)


@compiled
def clamp(x: int, low: int, high: int) -> int:
    """`x` moved into [low, high]; `low` where the interval is empty. OVERFLOW is clamped like any number: test it first."""
    return max(int(low), min(int(x), int(high)))


@compiled
def round_to(value: int, step: int, up: bool) -> int:
    """The multiple of `step` next to `value`, not below it where `up`, else not above it."""
    value, step = int(value), int(step)
    if step <= 0 or value == OVERFLOW:
        return OVERFLOW
    rest = value % step
    if rest == 0:
        return value
    if up:
        return value + (step - rest) if value <= LARGEST - (step - rest) else OVERFLOW
    return value - rest if value >= OVERFLOW + rest else OVERFLOW


@compiled
def isqrt(n: int) -> int:
    """floor(sqrt(n)); OVERFLOW below 0."""
    n = int(n)
    if n < 0:
        return OVERFLOW
    root = int(math.sqrt(float(n)))  # never too low: both steps keep order, and are exact enough where n is a square
    return root - 1 if root * root > n else root  # no overflow: the root of 2^63 - 1 rounded up is below 3,037,000,500
