"""Numbers as venues write them, to integer units; in bulk where all look alike, else one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

from tradewind.domain.codes import SECOND
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import units

MAX_TEXT = 64  # characters of the longest number worth reading
INT64_DIGITS = 18  # decimal digits that always fit an int64
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_POWERS = np.array([10**k for k in range(INT64_DIGITS + 1)], np.int64)
MOST_DAYS = 100_000  # from 1970: beyond, ns do not fit 64 bits
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def bulk_units(texts: Sequence[str], exponent: int) -> NDArray[np.int64] | None:
    """All `texts` in 10^-exponent units, or None unless every one is plain digits, a dot, digits, and sure to fit."""
    joined = " ".join(texts).encode("utf-8", "replace") + b" "
    if joined.translate(None, b"0123456789. "):
        return None
    raw = np.frombuffer(joined, np.uint8)
    ends, dots = np.flatnonzero(raw == 32), np.flatnonzero(raw == 46)
    if len(ends) != len(texts) or len(dots) != len(texts):
        return None
    decimals, whole = ends - dots - 1, dots.copy()
    whole[1:] -= ends[:-1] + 1
    if decimals.min() < 1 or decimals.max() > exponent or whole.min() < 1 or whole.max() > INT64_DIGITS - exponent:
        return None
    values: NDArray[np.int64] = np.fromstring(joined.replace(b".", b"").decode("ascii"), np.int64, sep=" ")
    scaled: NDArray[np.int64] = values * _POWERS[exponent - decimals]
    return scaled


def one_unit(text: str, exponent: int) -> int:
    """`text` in 10^-exponent units, within int64.

    Raises BadData for anything else, however strange: NaN, Infinity, 1e400, a megabyte of digits.
    """
    if len(text) > MAX_TEXT:
        raise BadData(f"a number of {len(text)} characters", expected=f"at most {MAX_TEXT}")
    if not _NUMBER.fullmatch(text):
        raise BadData(f"{text!r} is no number", expected="a decimal number such as 61234.50")
    value = units(text, exponent)
    if not -(1 << 63) <= value < 1 << 63:
        raise BadData(f"{text!r} does not fit 64 bits in units of 1e-{exponent}", expected="a smaller number")
    return value


def rounded_unit(text: str, exponent: int) -> int:
    """`text` in 10^-exponent units, ties to even: for averages, which venues write finer than any price they trade at."""
    if len(text) > MAX_TEXT or not _NUMBER.fullmatch(text):
        raise BadData(f"{text[:MAX_TEXT]!r} is no number", expected="a decimal number such as 61234.50")
    try:
        value = int(Decimal(text).scaleb(exponent).to_integral_value())
    except (InvalidOperation, OverflowError) as error:
        raise BadData(f"{text!r} is out of all reach", expected="a smaller number") from error
    if not -(1 << 63) <= value < 1 << 63:
        raise BadData(f"{text!r} does not fit 64 bits in units of 1e-{exponent}", expected="a smaller number")
    return value


def decimals_of(text: str) -> int:
    """How many decimals `text` shows; for 1e-05 as many as it means."""
    mantissa, _, power = text.lower().partition("e")
    shown = len(mantissa.partition(".")[2])
    if not power:
        return shown
    if len(text) > MAX_TEXT or not _NUMBER.fullmatch(text):
        raise BadData(f"{text[:MAX_TEXT]!r} is no number", expected="a decimal number such as 61234.50")
    return max(0, shown - int(power))


def rfc3339_ns(text: str) -> int:
    """Nanoseconds UTC of a text such as 2023-07-30T15:29:58.343415Z. Raises BadData."""
    try:
        day, clock = date.fromisoformat(text[:10]).toordinal() - _EPOCH_DAY, text[11:].removesuffix("Z")
        whole, _, fraction = clock.partition(".")
        hour, minute, second = (int(part) for part in whole.split(":"))
        good = text[10] == "T" and text[-1] == "Z" and hour < 24 and minute < 60 and second < 61 and len(fraction) <= 9
        if not good or not abs(day) < MOST_DAYS:
            raise ValueError
        return ((day * 24 + hour) * 60 + minute) * 60 * SECOND + second * SECOND + int(fraction.ljust(9, "0"))
    except (ValueError, IndexError) as error:
        raise BadData(f"{text[:MAX_TEXT]!r} is no UTC time", expected="such as 2023-07-30T15:29:58.343415Z") from error
