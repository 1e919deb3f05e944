"""Constants of `maths`, computed once at import from exact decimal arithmetic.

`decimal` is correctly rounded integer work, so every machine gets the same bits, and each table is its own definition
instead of a page of digits to trust. A value that needs more than 53 bits is kept as a head and a tail whose sum is it.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EXACT = Context(prec=64, rounding=ROUND_HALF_EVEN, Emin=-99_999, Emax=99_999, traps=[])
_SHORT = Context(prec=42, rounding=ROUND_HALF_EVEN, Emin=-99_999, Emax=99_999, traps=[])  # enough for a head and a tail
_LN2 = _EXACT.ln(Decimal(2))
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")

EXP_STEPS = 128  # e^x is split at multiples of ln 2 / 128
LOG_STEPS = 128  # a mantissa is split into 128 bins
LOG_FOLD = 53  # bins from here on (mantissa above 1.414) count as the octave below 1
TAIL_STEPS = 16  # the normal tail is split into 16 bins an octave of 1 + s
TAIL_OCTAVES = 6
TAIL_TERMS = 12  # beside the constant one
ERF_TERMS = 16


def _on_grid(value: Decimal, bits: int) -> float:
    """`value` rounded to a multiple of 2^-bits."""
    return float(_EXACT.to_integral_value(_EXACT.multiply(value, Decimal(1 << bits)))) / float(1 << bits)


def _tail(value: Decimal, head: float) -> float:
    return float(_EXACT.subtract(value, Decimal(head)))


def _exponentials() -> Floats:
    """Shape (128, 2): head and tail of 2^(j/128)."""
    table = np.zeros((EXP_STEPS, 2))
    for j in range(EXP_STEPS):
        value = _SHORT.exp(_SHORT.divide(_SHORT.multiply(_LN2, Decimal(j)), Decimal(EXP_STEPS)))
        table[j] = float(value), _tail(value, float(value))
    return table


def _logarithms() -> Floats:
    """Shape (128, 3): a short reciprocal of each bin's centre (11 bits), then head (42 bits) and tail of minus its logarithm.

    The bins on both sides of 1 have reciprocal 1, so that near 1 the polynomial alone gives the relative precision.
    """
    table = np.zeros((LOG_STEPS, 3))
    for j in range(LOG_STEPS):
        centre = (1 + (j + 0.5) / LOG_STEPS) * (0.5 if j >= LOG_FOLD else 1.0)
        reciprocal = 1.0 if j in (0, LOG_STEPS - 1) else round(1024 / centre) / 1024
        value = _SHORT.minus(_SHORT.ln(Decimal(reciprocal)))
        table[j] = reciprocal, _on_grid(value, 42), _tail(value, _on_grid(value, 42))
    return table


def _mills(s: Decimal) -> Decimal:
    """e^(s²/2) times the normal probability beyond s ≥ 0: a series below 3, Laplace's continued fraction above."""
    root = _EXACT.sqrt(_EXACT.multiply(Decimal(2), _PI))
    square = _EXACT.multiply(s, s)
    if s < 3:
        total = term = s
        n = 1
        while term > Decimal("1e-62"):
            n += 2
            term = _EXACT.divide(_EXACT.multiply(term, square), Decimal(n))
            total = _EXACT.add(total, term)
        half = _EXACT.divide(_EXACT.exp(_EXACT.divide(square, Decimal(2))), Decimal(2))
        return _EXACT.subtract(half, _EXACT.divide(total, root))
    below = s
    for n in range(8 + int(2600 / float(s) ** 2), 0, -1):  # leaves an error below 1e-60
        below = _EXACT.add(s, _EXACT.divide(Decimal(n), below))
    return _EXACT.divide(Decimal(1), _EXACT.multiply(below, root))


def _normal_tail() -> Floats:
    """Shape (bins, 13): Taylor coefficients of e^(s²/2) P(Z > s) around each bin's centre in s.

    The derivatives follow from R' = sR - 1/sqrt(2 pi), hence R[n+1] = s R[n] + n R[n-1].
    """
    table = np.zeros((TAIL_STEPS * TAIL_OCTAVES, TAIL_TERMS + 1))
    slope = _EXACT.divide(Decimal(1), _EXACT.sqrt(_EXACT.multiply(Decimal(2), _PI)))
    for k in range(len(table)):
        s = Decimal(2 ** (k // TAIL_STEPS) * (1 + (k % TAIL_STEPS + 0.5) / TAIL_STEPS) - 1)
        before = _mills(s)
        now = _EXACT.subtract(_EXACT.multiply(s, before), slope)
        factorial = 1
        table[k, 0] = float(before)
        for n in range(1, TAIL_TERMS + 1):
            factorial *= n
            table[k, n] = float(_EXACT.divide(now, Decimal(factorial)))
            before, now = now, _EXACT.add(_EXACT.multiply(s, now), _EXACT.multiply(Decimal(n), before))
    return table


def _erf_series() -> Floats:
    """Shape (16,): coefficients of x^(2n+1) in erf(x) - x, sign included."""
    table = np.zeros(ERF_TERMS)
    factorial = 1
    for n in range(ERF_TERMS):
        factorial *= max(n, 1)
        scale = _EXACT.divide(Decimal(2 * (-1) ** n), Decimal(factorial * (2 * n + 1)))
        table[n] = float(_EXACT.subtract(_EXACT.divide(scale, _EXACT.sqrt(_PI)), Decimal(int(n == 0))))
    return table


EXPONENTIALS = _exponentials()
LOGARITHMS = _logarithms()
NORMAL_TAIL = _normal_tail()
ERF_SERIES = _erf_series()

LN2_HEAD = _on_grid(_LN2, 42)  # times any exponent it is exact
LN2_TAIL = _tail(_LN2, LN2_HEAD)
STEPS_PER_UNIT = float(_EXACT.divide(Decimal(EXP_STEPS), _LN2))
STEP_HEAD = _on_grid(_EXACT.divide(_LN2, Decimal(EXP_STEPS)), 42)  # 34 bits: times any step count it is exact
STEP_TAIL = _tail(_EXACT.divide(_LN2, Decimal(EXP_STEPS)), STEP_HEAD)
