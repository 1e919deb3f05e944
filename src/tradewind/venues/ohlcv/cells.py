"""Lines of bars in text, compiled: cells between separators to a time and five floats, until a line is unusual.

A number becomes the float that Python makes of it: digits below 2^53 divided by a power of ten up to 10^22, both exact, round once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.kernel.jit import called, compiled, entry
from tradewind.venues.walk import Words

(
    C_COLUMNS, C_SEPARATOR, C_WHEN, C_DAY, C_OPEN, C_HIGH, C_LOW, C_CLOSE, C_VOLUME, C_AT,
) = range(10)  # fmt: skip
"""What a table looks like; C_DAY is the ns of the day where times are ms of it, else 0; C_AT becomes where the next line begins."""

NO = -1
NEWLINE, RETURN = 10, 13
SECOND, MILLISECOND = 1_000_000_000, 1_000_000
MS_FROM = 100_000_000_000  # a stamp from here on is in ms
LATEST_S, LATEST_MS = 9_000_000_000, 9_000_000_000_000  # beyond, ns do not fit 64 bits
EXACT = 1 << 53
_TENS = np.array([10.0**k for k in range(23)], np.float64)


@compiled
def _pair(text: Any, at: int) -> int:
    """Two digits' value; far below zero where they are none."""
    high, low = int(text[at]) - 48, int(text[at + 1]) - 48
    return high * 10 + low if 0 <= high <= 9 and 0 <= low <= 9 else -1_000_000


@called
def _midnight(year: int, month: int, day: int) -> int:
    """ns of a day, or NO where there is none."""
    if year < 1970 or year > 2_200 or not 1 <= month <= 12 or day < 1:
        return NO
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > (30 + (month + month // 8) % 2 if month != 2 else 28 + leap):
        return NO
    y, m = (year - 1, month + 9) if month <= 2 else (year, month - 3)  # years that begin in March
    return (365 * y + y // 4 - y // 100 + y // 400 + (153 * m + 2) // 5 + day - 719_469) * 86_400 * SECOND


@called
def _clock(text: Any, at: int, end: int) -> int:
    """ns of `HH:MM`, `HH:MM:SS` or `11-PM` since midnight, or NO."""
    length = end - at
    if length == 5 and text[at + 2] == 45:
        hour = _pair(text, at)
        afternoon = text[at + 3] == 80
        if not 1 <= hour <= 12 or (not afternoon and text[at + 3] != 65) or text[at + 4] != 77:
            return NO
        return int(hour % 12 + 12 * afternoon) * 3_600 * SECOND
    if length not in (5, 8) or text[at + 2] != 58:
        return NO
    hour, minute, second = _pair(text, at), _pair(text, at + 3), 0
    if length == 8:
        second = _pair(text, at + 6)
        if text[at + 5] != 58:
            return NO
    if not 0 <= hour < 24 or not 0 <= minute < 60 or not 0 <= second < 60:
        return NO
    return ((hour * 60 + minute) * 60 + second) * SECOND


@called
def _date(text: Any, at: int, end: int) -> int:
    """ns of `2019-03-12`, `20141201 00:00`, `2019-03-12 11-PM`, …, or NO."""
    length = end - at
    if length >= 10 and text[at + 4] == 45 and text[at + 7] == 45:
        day = _midnight(_pair(text, at) * 100 + _pair(text, at + 2), _pair(text, at + 5), _pair(text, at + 8))
        rest = at + 10
    elif length == 14:
        day = _midnight(_pair(text, at) * 100 + _pair(text, at + 2), _pair(text, at + 4), _pair(text, at + 6))
        rest = at + 8
    else:
        return NO
    if day == NO or rest == end:
        return day
    clock = _clock(text, rest + 1, end) if text[rest] == 32 else NO
    return int(day + clock) if clock != NO else NO


@called
def _time(text: Any, at: int, end: int, day: int) -> int:
    """ns of a time as `dialects` reads it, or NO."""
    value = 0
    digits = at
    while digits < end and digits < at + 16 and 48 <= text[digits] <= 57:
        value = value * 10 + (int(text[digits]) - 48)
        digits += 1
    whole = digits > at
    if whole and digits < end and text[digits] == 46:  # a stamp's decimals say nothing
        digits += 1
        while digits < end and 48 <= text[digits] <= 57:
            digits += 1
    if whole and value >= (LATEST_S if day == 0 and value < MS_FROM else LATEST_MS):
        return NO
    if whole and digits == end and end - at < 16 and (end - at != 8 or day > 0):
        return int(day + value * (MILLISECOND if day > 0 or value >= MS_FROM else SECOND))
    return _date(text, at, end)


@called
def _number(text: Any, at: int, end: int) -> float:
    """The float of plain digits with or without a dot; below zero for anything else."""
    value = 0
    decimals = 0
    dot = False
    if end == at or end - at > 18 or text[at] == 46:
        return -1.0
    for k in range(at, end):
        c = int(text[k])
        if 48 <= c <= 57:
            value = value * 10 + (c - 48)
            decimals += dot
        elif c == 46 and not dot:
            dot = True
        else:
            return -1.0
    return value / _TENS[decimals] if value < EXACT else -1.0


@compiled
def _cell(text: Any, at: int, separator: int) -> int:
    """Where a cell ends: at the separator or the line's end; NO at the text's end or for bytes that are no ASCII."""
    n = len(text)
    while at < n:
        c = text[at]
        if c in (separator, NEWLINE, RETURN):
            return at
        if c > 126:
            return NO
        at += 1
    return NO


@entry
def bars(text: Any, at: int, table: Words, times: Words, numbers: NDArray[np.float64]) -> int:
    """Lines read from byte `at` on; line k is times[k] and numbers[k]: open, high, low, close, volume."""
    taken = 0
    columns = table[C_COLUMNS]
    while taken < times.size and at < len(text):
        start = at
        good = True
        for column in range(columns):
            end = _cell(text, start, table[C_SEPARATOR])
            last = end != NO and text[end] != table[C_SEPARATOR]
            if end == NO or last != (column == columns - 1):
                good = False
                break
            if column == table[C_WHEN]:
                times[taken] = _time(text, start, end, table[C_DAY])
                good = times[taken] != NO
            for k in range(5):
                if table[C_OPEN + k] == column:
                    numbers[taken, k] = _number(text, start, end)
                    good = good and numbers[taken, k] >= 0.0
            if not good:
                break
            start = end + 1
        if not good:
            break
        if text[start - 1] == RETURN:
            if start >= len(text) or text[start] != NEWLINE:
                break
            start += 1
        at = start
        taken += 1
    table[C_AT] = at
    return taken


@entry
def off_grid(values: NDArray[np.float64], power: float, most: int, spare: tuple[float, float]) -> int:
    """How many values are no multiples of 1/power, beyond what a float's error explains; counted no further than past `most`.

    `spare` is what may be off: units in the last place, and units however large the number is.
    """
    found = 0
    for k in range(values.size):
        scaled = values[k] * power
        if abs(scaled - np.rint(scaled)) > min(spare[0] * np.spacing(abs(scaled)), spare[1]):
            found += 1
            if found > most:
                break
    return found
