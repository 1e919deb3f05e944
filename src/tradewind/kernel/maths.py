"""Elementary functions with the same bits on every machine, compiled and uncompiled.

Only + - * / and square root of IEEE doubles, integer work and comparisons: no libm, whose last bits change with version
and CPU, and nothing a compiler may contract. Nothing raises: what the mathematics leaves open is defined in each first
paragraph, and every NaN given back is the one constant `NAN`. Errors are bounds measured against 50-digit arithmetic
(`tests/kernel/test_maths.py` holds them), in units of the last place (ulp). `x ** y` on floats is libm's: use `pow`.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import called, compiled
from .tables import (
    ERF_SERIES,
    EXP_STEPS,
    EXPONENTIALS,
    LN2_HEAD,
    LN2_TAIL,
    LOG_FOLD,
    LOGARITHMS,
    NORMAL_TAIL,
    STEP_HEAD,
    STEP_TAIL,
    STEPS_PER_UNIT,
    TAIL_STEPS,
    TAIL_TERMS,
)

INF = float("inf")
NAN = float("nan")

_MANTISSA = (1 << 52) - 1
_ONE_BITS = 1023 << 52
_HALF_BITS = 1022 << 52
_CUT_12 = -(1 << 12)  # leaves 41 significant bits
_CUT_27 = -(1 << 27)  # leaves 26 significant bits: the product of two such numbers is exact
_ROUNDER = 6755399441055744.0  # 1.5 * 2^52: adding and subtracting it rounds to the nearest integer
_TWO_52 = 4503599627370496.0
_TWO_54 = 18014398509481984.0
_SMALLEST_NORMAL = 2.2250738585072014e-308
_ROOT_2 = 1.4142135623730951


@compiled
def bits_of(x: float) -> int:
    """The 64 bits of `x` as a signed integer."""
    return int(np.float64(x).view(np.int64))


@compiled
def of_bits(bits: int) -> float:
    """The double whose 64 bits are `bits`."""
    return float(np.int64(bits).view(np.float64))


@compiled
def power_of_two(exponent: int) -> float:
    """2^exponent, exactly, for -1022 <= exponent <= 1023."""
    return of_bits((exponent + 1023) << 52)


@compiled
def sqrt(x: float) -> float:
    """The square root, correctly rounded; NAN below 0."""
    x = float(x)
    # Never of a negative: the compiler would drop the choice of NAN. Nor `max`: its answer for a NaN is not one everywhere.
    root = math.sqrt(x if x > 0.0 else 0.0)  # noqa: FURB136
    return root if x >= 0.0 else NAN


@compiled
def floor(x: float) -> float:
    """The largest whole number not above `x`, as a float; infinities stay, NAN stays."""
    x = float(x)
    if not -_TWO_52 < x < _TWO_52:
        return x if x == x else NAN
    whole = float(int(x))
    return whole - 1.0 if whole > x else whole


@compiled
def _growth(r: float) -> float:
    """e^r - 1 for |r| <= 0.0028, by its series."""
    square = r * r
    return r + square * ((0.5 + r * (1.0 / 6.0)) + square * ((1.0 / 24.0 + r * (1.0 / 120.0)) + square * (1.0 / 720.0)))


@compiled
def _small_growth(r: float) -> float:
    """e^r - 1 for |r| <= 0.0082, by its series."""
    square = r * r
    cubic = (1.0 / 6.0 + r * (1.0 / 24.0)) + square * ((1.0 / 120.0 + r * (1.0 / 720.0)) + square * (1.0 / 5040.0))
    return r + square * (0.5 + r * cubic)


@compiled
def _scaled(x: float, exponent: int) -> float:
    """x * 2^exponent for |exponent| <= 1100, in two steps where one power would leave the range."""
    if -1022 <= exponent <= 1023:
        return x * power_of_two(exponent)
    half = exponent // 2
    return x * power_of_two(half) * power_of_two(exponent - half)


@called
def exp_of_sum(head: float, tail: float) -> float:
    """e^(head + tail), tail being small beside 1 and head no NaN; 0 and INF where the range ends."""
    if head > 709.8:
        return INF
    if head < -745.2:
        return 0.0
    steps = (head * STEPS_PER_UNIT + _ROUNDER) - _ROUNDER
    k = int(steps)
    growth = _growth(((head - steps * STEP_HEAD) - steps * STEP_TAIL) + tail)
    j = k & (EXP_STEPS - 1)
    base = float(EXPONENTIALS[j, 0])
    return _scaled(base + (float(EXPONENTIALS[j, 1]) + base * growth), k >> 7)


@compiled
def exp(x: float) -> float:
    """e^x within 0.53 ulp (1 ulp where it is subnormal); INF above 709.78, 0 below -745.13."""
    x = float(x)
    return exp_of_sum(x, 0.0) if x == x else NAN


@called
def expm1(x: float) -> float:
    """e^x - 1 within 1.1 ulp, also near 0; -1 far below, INF far above."""
    x = float(x)
    if x != x:
        return NAN
    if x > 40.0:
        return exp_of_sum(x, 0.0)
    if x < -40.0:
        return -1.0
    steps = (x * STEPS_PER_UNIT + _ROUNDER) - _ROUNDER
    k = int(steps)
    if -2 < k < 2:
        return _small_growth(x)
    growth = _growth((x - steps * STEP_HEAD) - steps * STEP_TAIL)
    j = k & (EXP_STEPS - 1)
    scale = power_of_two(k >> 7)
    base = float(EXPONENTIALS[j, 0])
    return (scale * base - 1.0) + scale * (float(EXPONENTIALS[j, 1]) + base * growth)


@called
def log_of_sum(x: float, tail: float) -> tuple[float, float]:
    """log(x + tail) as head and tail, good to about 66 bits; 0 < x < INF, |tail| at most half an ulp of x."""
    exponent = 0
    if x < _SMALLEST_NORMAL:
        x *= _TWO_54
        exponent = -54
    bits = bits_of(x)
    j = (bits >> 45) & 127
    exponent += (bits >> 52) - 1023
    mantissa = bits & _MANTISSA
    if j >= LOG_FOLD:
        exponent += 1
        mantissa |= _HALF_BITS
    else:
        mantissa |= _ONE_BITS
    z = of_bits(mantissa)
    front = of_bits(mantissa & _CUT_12)
    back = z - front
    reciprocal = float(LOGARITHMS[j, 0])
    r_front = front * reciprocal - 1.0  # exact: 41 + 11 bits, then a difference of neighbours
    r_back = back * reciprocal
    r = r_front + r_back
    rest = (r_front - r) + r_back
    if tail != 0.0:
        extra = _scaled(tail, -exponent) * reciprocal
        before, r = r, r + extra
        rest += (before - r) + extra
    short = of_bits(bits_of(r) & _CUT_27)
    square = r * r
    upper = (1.0 / 7.0 - r * 0.125) + square * (1.0 / 9.0 - r * 0.1)
    cubic = (1.0 / 3.0 - r * 0.25) + square * ((0.2 - r * (1.0 / 6.0)) + square * upper)
    base = exponent * LN2_HEAD + float(LOGARITHMS[j, 1])  # exact: both lie on one grid
    first = base + r
    half_square = short * short * 0.5  # exact
    second = first - half_square
    low = ((base - first) + r) + ((first - second) - half_square)
    low += (rest - r * rest) - (r - short) * (r + short) * 0.5
    low += (exponent * LN2_TAIL + float(LOGARITHMS[j, 2])) + square * r * cubic
    head = second + low
    return head, low - (head - second)


@compiled
def log(x: float) -> float:
    """The natural logarithm within 0.51 ulp; -INF at 0, NAN below."""
    x = float(x)
    if x > 0.0:
        return log_of_sum(x, 0.0)[0] if x < INF else INF
    return -INF if x == 0.0 else NAN


@called
def log1p(x: float) -> float:
    """log(1 + x) within 0.51 ulp, also near 0; -INF at -1, NAN below."""
    x = float(x)
    if not x > -1.0:
        return -INF if x == -1.0 else NAN
    if x == INF or -1e-300 < x < 1e-300:
        return x
    total = 1.0 + x
    tail = x - (total - 1.0) if x < 1.0 else 1.0 - (total - x)
    return log_of_sum(total, tail)[0]


@compiled
def _is_odd(y: float) -> bool:
    """Whether a whole `y` is odd; above 2^53 every double is even."""
    return -2.0 * _TWO_52 < y < 2.0 * _TWO_52 and int(y) & 1 == 1


@called
def _power(x: float, y: float) -> float:
    """x^y for 0 < x < INF and finite y."""
    y = min(max(y, -1e21), 1e21)  # beyond, any x but 1 has long left the range
    head, tail = log_of_sum(x, 0.0)
    product = y * head
    if product > 710.0:
        return INF
    if product < -746.0:
        return 0.0
    y_short = of_bits(bits_of(y) & _CUT_27)
    h_short = of_bits(bits_of(head) & _CUT_27)
    error = (y_short * h_short - product) + y_short * (head - h_short) + (y - y_short) * h_short
    return exp_of_sum(product, error + (y - y_short) * (head - h_short) + y * tail)


@called
def pow(x: float, y: float) -> float:  # noqa: A001  # called as maths.pow
    """x^y within 0.55 ulp (1 ulp where it is subnormal).

    1 where y is 0 or x is 1, whatever the other; else NAN if either is. 0^negative is INF; a negative x has a power only
    for whole y, negative where y is odd, else NAN (also -0.0 and -INF keep that sign).
    """
    x, y = float(x), float(y)
    if y == 0.0 or x == 1.0:
        return 1.0
    if x != x or y != y:
        return NAN
    size = abs(x)
    if y in (INF, -INF):
        if size == 1.0:
            return 1.0
        return INF if (size > 1.0) == (y > 0.0) else 0.0
    whole = floor(y) == y
    if x < 0.0 and size != INF and not whole:
        return NAN
    if size in (0.0, INF):
        result = INF if (size == INF) == (y > 0.0) else 0.0
    else:
        result = _power(size, y)
    return -result if bits_of(x) < 0 and whole and _is_odd(y) else result


@called
def tanh(x: float) -> float:
    """The hyperbolic tangent within 2.5 ulp; ±1 far out."""
    x = float(x)
    if x != x:
        return NAN
    size = abs(x)
    if size > 20.0:
        return 1.0 if x > 0.0 else -1.0
    if size < 0.02:
        square = x * x
        fifth = (2.0 / 15.0 - square * (17.0 / 315.0)) + square * square * (62.0 / 2835.0)
        return x - x * square * (1.0 / 3.0 - square * fifth)
    growth = expm1(2.0 * size)
    result = growth / (growth + 2.0) if size < 0.55 else 1.0 - 2.0 / (growth + 2.0)
    return -result if x < 0.0 else result


@called
def sigmoid(x: float) -> float:
    """1 / (1 + e^-x) within 2.5 ulp; 0 and 1 far out."""
    x = float(x)
    if x != x:
        return NAN
    if x >= 0.0:
        return 1.0 / (1.0 + exp_of_sum(-x, 0.0))
    grown = exp_of_sum(x, 0.0)
    return grown / (1.0 + grown)


@called
def _beyond(s: float, head: float, tail: float) -> float:
    """e^(head + tail) e^(s²/2) P(Z > s), for 0 <= s < 40."""
    bits = bits_of(1.0 + s)
    row = (((bits >> 52) - 1023) * TAIL_STEPS) + ((bits >> 48) & (TAIL_STEPS - 1))
    centre = of_bits((bits >> 48 << 48) | (1 << 47)) - 1.0
    h = s - centre
    square = h * h
    even, odd = 0.0, 0.0
    for n in range(TAIL_TERMS - 1, 0, -2):
        even = even * square + float(NORMAL_TAIL[row, n + 1])
        odd = odd * square + float(NORMAL_TAIL[row, n])
    return exp_of_sum(head, tail) * (float(NORMAL_TAIL[row, 0]) + (h * odd + square * even))


@called
def norm_cdf(x: float) -> float:
    """P(Z <= x) of the standard normal within 2.5 ulp, relative also in the lower tail; 0 and 1 far out."""
    x = float(x)
    if x != x:
        return NAN
    size = abs(x)
    if size > 38.6:
        return 1.0 if x > 0.0 else 0.0
    short = of_bits(bits_of(size) & _CUT_27)
    below = _beyond(size, short * short * -0.5, (size - short) * (size + short) * -0.5)
    return 1.0 - below if x > 0.0 else below


@called
def erf(x: float) -> float:
    """The error function within 1.5 ulp; ±1 far out."""
    x = float(x)
    if x != x:
        return NAN
    size = abs(x)
    square = x * x
    if size < 0.9:
        fourth = square * square
        even, odd = 0.0, 0.0
        for n in range(14, -1, -2):
            even = even * fourth + float(ERF_SERIES[n])
            odd = odd * fourth + float(ERF_SERIES[n + 1])
        return x + x * (even + square * odd)
    result = 1.0 - 2.0 * _beyond(size * _ROOT_2, -square, 0.0) if size < 6.0 else 1.0
    return -result if x < 0.0 else result
