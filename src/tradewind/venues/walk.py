"""The compiled walk along a layout: the bytes of a frame on one side, rows on the other (`scanner` has the language).

`table` is one line of int64: registers, the places of the layouts, their operations, texts by eight bytes, symbols. Every
step is checked against the end of the text, so hostile input can do nothing but be refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from tradewind.domain import rows as row
from tradewind.domain.codes import EMPTY, FIRST, LAST, QUOTE, SNAPSHOT, TRADE, WHOLE
from tradewind.kernel.jit import called, compiled, entry

Words = NDArray[np.int64]

# Registers: the first words of the table.
R_PRICE, R_QUANTITY, R_SIDE, R_REF, R_FIRST, R_LAST, R_TIME, R_SNAPSHOT, R_SEQUENCE, R_SINK = range(10)
R_INSTRUMENT, R_SOURCE, R_PRICE_EXPONENT, R_QUANTITY_EXPONENT, R_LAYOUTS, R_HINT, R_SYMBOLS, R_MASK, R_CHANNELS = range(10, 19)
R_BLOCK, R_AT, R_LINES, R_LAST_LOCAL, R_CLAMPED = range(19, 24)  # of `scan_lines`
R_HEAD, R_NUMBERED, R_FRAME, R_UNTIMED = range(24, 28)  # of `scan_lines`: what a line begins with; frames counted, the last
R_ALIKE = 28  # of `scan_many`: 1 where all its rows are of one stream
LAYOUTS = 29  # where the places of the layouts begin
MOST_LAYOUTS = 24
OPS = LAYOUTS + MOST_LAYOUTS
OP_WORDS = 4

(
    O_TEXT, O_UNTIL, O_SYMBOL, O_INTEGER, O_PRICE, O_QUANTITY, O_STAMP, O_TIME, O_PICK, O_ARRAY, O_NEXT, O_SET, O_ROW, O_END,
    O_LESS, O_COPY, O_MAYBE, O_NUMBER, O_DONE, O_SECONDS, O_SAME,
) = range(21)  # fmt: skip
HEAD_NS, HEAD_SECONDS, HEAD_EITHER = range(3)  # `ns frame`; `seconds: frame`; ns or no time at all: the venue's stands in
IDS, BIDS_FIRST, NEVER_EMPTY = 1, 2, 4  # of O_END: an empty message is a row of ids; told asks first; an empty one is unusual

NO = -1
MOST_DIGITS = 18  # they always fit
MOST_SKIPPED = 96  # characters of a string that is passed over
MOST_ROWS = 20_000  # of one message: the deepest snapshot has half as many
STAMP_MICROSECONDS = 10_000_000_000_000  # a stamp from here on is in µs
LAST_STAMP = 9_000_000_000_000_000
NEWLINE = 10
LOCAL_DIGITS = 19  # of a local time in ns
EARLIEST, LATEST = 1_230_768_000_000_000_000, 4_102_444_800_000_000_000  # 2009 and 2100
A_DAY = 86_400_000_000_000
_EIGHTS = 0x0101010101010101  # the same byte eight times, by multiplication
_HIGH = -0x7F7F7F7F7F7F7F80  # 0x80 eight times, as a signed word
_MASKS = np.array([(1 << 8 * k) - 1 for k in range(8)], np.int64)  # of the first k bytes of a word
_TENS = np.array([10**k for k in range(MOST_DIGITS + 1)], np.int64)


@intrinsic  # type: ignore[untyped-decorator]
def _word(_: Any, text: Any, at: Any) -> Any:
    """Eight bytes of `text` from `at` on as one little-endian word. The caller has looked that they are there."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        word = builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()))
        word.align = 1
        return word

    return types.int64(text, types.int64), build


@compiled
def _eight(word: int) -> int:
    """The number of eight digits in a word, or -1 where one is none. Pairs, then fours, then all: three steps, no loop."""
    word -= 48 * _EIGHTS
    if (word | (word + 118 * _EIGHTS)) & _HIGH:
        return -1
    word = word * 10 + (word >> 8)
    return ((word & 0x000000FF000000FF) * 0x000F424000000064 + ((word >> 16) & 0x000000FF000000FF) * 0x0000271000000001) >> 32


@compiled
def _digits(text: Any, at: int, most: int) -> tuple[int, int]:
    """(value, where it ends) of at most `most` digits."""
    value = 0
    end = min(at + most, len(text))
    if at + 8 <= end:
        eight = _eight(_word(text, at))
        if eight >= 0:
            value = eight
            at += 8
    while at < end and 48 <= text[at] <= 57:
        value = value * 10 + (int(text[at]) - 48)
        at += 1
    return value, at


@compiled
def _integer(text: Any, at: int) -> tuple[int, int]:
    """(value, end) of a JSON integer not below zero; end NO where there is none or it is too long."""
    value, end = _digits(text, at, MOST_DIGITS)
    if end == at or (end < len(text) and 48 <= text[end] <= 57) or (text[at] == 48 and end - at > 1):
        return 0, NO
    return value, end


@compiled
def _units(text: Any, at: int, exponent: int, bare: int) -> tuple[int, int]:
    """(units, end) of a decimal number; `bare`: not in quotes, so that zeros in front are no JSON."""
    value, end = _digits(text, at, MOST_DIGITS - exponent)
    n = len(text)
    if end == at or end >= n or (bare and text[at] == 48 and end - at > 1):
        return 0, NO
    missing = exponent
    if text[end] == 46:
        start = end + 1
        part, end = _digits(text, start, exponent)
        if end == start and exponent > 0:
            return 0, NO
        missing -= end - start
        value = value * _TENS[end - start] + part
        while end < n and text[end] == 48:
            end += 1
        if end == start:
            return 0, NO
    if end >= n or 48 <= text[end] <= 57 or text[end] == 46 or text[end] | 32 == 101:
        return 0, NO
    return value * _TENS[missing], end


@called
def _passed(text: Any, at: int) -> int:
    """Where a JSON number that is not read ends, or NO."""
    n = len(text)
    if at < n and text[at] == 45:
        at += 1
    start = at
    while at < n and 48 <= text[at] <= 57:
        at += 1
    if at == start or (text[start] == 48 and at - start > 1):
        return NO
    if at < n and text[at] == 46:
        start = at + 1
        at = start
        while at < n and 48 <= text[at] <= 57:
            at += 1
        if at == start:
            return NO
    return NO if at < n and text[at] | 32 == 101 else at


@compiled
def _pair(text: Any, at: int) -> int:
    """Two digits' value; below zero where they are none."""
    high, low = int(text[at]) - 48, int(text[at + 1]) - 48
    return high * 10 + low if 0 <= high <= 9 and 0 <= low <= 9 else -10_000


@called
def _rfc3339(text: Any, at: int) -> tuple[int, int]:
    """(ns UTC, end) of 2024-05-29T16:00:00[.fraction]Z; end NO for anything else."""
    if at + 20 > len(text):
        return 0, NO
    year = _pair(text, at) * 100 + _pair(text, at + 2)
    month, day = _pair(text, at + 5), _pair(text, at + 8)
    hour, minute, second = _pair(text, at + 11), _pair(text, at + 14), _pair(text, at + 17)
    marks = text[at + 4] == 45 and text[at + 7] == 45 and text[at + 10] == 84 and text[at + 13] == 58 and text[at + 16] == 58
    if not marks or year < 1970 or not 1 <= month <= 12 or day < 1:
        return 0, NO
    if not 0 <= hour < 24 or not 0 <= minute < 60 or not 0 <= second < 60 or year > 2_200:
        return 0, NO
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > (30 + (month + month // 8) % 2 if month != 2 else 28 + leap):
        return 0, NO
    y, m = (year - 1, month + 9) if month <= 2 else (year, month - 3)  # years that begin in March
    days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * m + 2) // 5 + day - 719_469
    at += 19
    fraction = 0
    if text[at] == 46:
        start = at + 1
        fraction, at = _digits(text, start, 9)
        if at == start:
            return 0, NO
        fraction *= _TENS[9 - (at - start)]
    if at >= len(text) or text[at] != 90:
        return 0, NO
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000 + fraction, at + 1


@compiled
def _matches(text: Any, at: int, table: Words, start: int, length: int) -> bool:
    """Whether `text` goes on with the `length` bytes that lie in the table's words from `start` on."""
    if at + length > len(text):
        return False
    while length >= 8:
        if _word(text, at) != table[start]:
            return False
        at += 8
        start += 1
        length -= 8
    if length == 0:
        return True
    if at + 8 <= len(text):
        return bool((_word(text, at) ^ table[start]) & _MASKS[length] == 0)
    rest = table[start]
    for k in range(length):  # noqa: SIM110 — no generator compiles
        if int(text[at + k]) != (rest >> (8 * k)) & 255:
            return False
    return True


@compiled
def _until(text: Any, at: int, stop: int) -> int:
    """Where `stop` stands next in a string without escapes, or NO."""
    end = min(at + MOST_SKIPPED, len(text))
    while at + 8 <= end:  # eight at once while none of them is the stop, a quote, a backslash, a control or no ASCII
        word = _word(text, at)
        a, b, c = word ^ (stop * _EIGHTS), word ^ (34 * _EIGHTS), word ^ (92 * _EIGHTS)
        found = ((a - _EIGHTS) & ~a) | ((b - _EIGHTS) & ~b) | ((c - _EIGHTS) & ~c) | ((word - 32 * _EIGHTS) & ~word) | word
        if found & _HIGH:
            break
        at += 8
    while at < end:
        c = int(text[at])
        if c == stop:
            return at
        if c < 32 or c in (34, 92) or c > 126:
            return NO
        at += 1
    return NO


@called
def _seconds(text: Any, at: int) -> tuple[int, int]:
    """(ns, end) of unix seconds with ten digits and one to nine decimals; end NO for anything else."""
    whole, end = _digits(text, at, 10)
    if end != at + 10 or end + 1 >= len(text) or text[end] != 46 or whole >= LATEST // 1_000_000_000:
        return 0, NO
    start = end + 1
    part, end = _digits(text, start, 9)
    if end == start or end >= len(text) or 48 <= text[end] <= 57:
        return 0, NO
    return whole * 1_000_000_000 + part * _TENS[9 - (end - start)], end


@called
def _symbol(text: Any, at: int, table: Words, place: int, stop: int) -> int:
    """Finds the symbol that ends at the next `stop`, sets its registers; where it ends, or NO."""
    end = _until(text, at, stop)
    if end == NO:
        return NO
    code = 0
    for k in range(at, end):
        code = code * 31 + int(text[k])
    mask = table[R_MASK]
    for probe in range(mask + 1):
        found = table[table[R_SYMBOLS] + ((code + probe) & mask)]
        if found == 0:
            return NO
        if table[found] == end - at and _matches(text, at, table, found + 4, end - at):
            table[R_INSTRUMENT] = table[found + 1]
            table[R_PRICE_EXPONENT] = table[found + 2]
            table[R_QUANTITY_EXPONENT] = table[found + 3]
            table[R_SOURCE] = table[found + 1] * table[R_CHANNELS] + place
            return end
    return NO


@compiled
def _row(table: Words, out: Words, n: int, kind: int) -> bool:
    """Writes one row, its place and times left for `_end`; False for a number no market writes."""
    price = table[R_PRICE]
    quantity = table[R_QUANTITY]
    if (price == 0 and kind != QUOTE) or (quantity == 0 and kind == TRADE) or n >= out.shape[0]:
        return False
    line = out[n]
    line[0] = kind | (table[R_SIDE] << 8)
    line[row.W_PRICE] = price
    line[row.W_QUANTITY] = quantity
    line[row.W_REF] = table[R_REF]  # of a trade, which is a message of its own
    line[row.W_TS_VENUE] = table[R_TIME]
    return True


@called
def _swap(out: Words, low: int, high: int) -> None:
    """Turns the kinds, prices and quantities of rows [low, high) around."""
    high -= 1
    while low < high:
        for k in (0, row.W_PRICE, row.W_QUANTITY):
            kept = out[low, k]
            out[low, k] = out[high, k]
            out[high, k] = kept
        low += 1
        high -= 1


@called
def _turn(out: Words, first: int, n: int) -> None:
    """A message told asks first becomes one told bids first; each side keeps its order."""
    split = first
    while (out[split, 0] >> 8) & 1:
        split += 1
    _swap(out, first, split)
    _swap(out, split, n)
    _swap(out, first, n)


@compiled
def _end(table: Words, out: Words, place: tuple[int, int, int], kind: int, ts_local: int) -> int:
    """Closes the message of rows [first, n): where the next begins, or NO. The third of `place` is of IDS, BIDS_FIRST, …"""
    first, n, manner = place
    marks = SNAPSHOT if table[R_SNAPSHOT] else 0
    if n == first:
        if manner & IDS == 0 and marks == 0:
            return n if manner & NEVER_EMPTY == 0 else NO
        if n >= out.shape[0] or manner & NEVER_EMPTY:
            return NO
        out[n, 0] = kind
        out[n, row.W_PRICE] = 0
        out[n, row.W_QUANTITY] = 0
        marks |= EMPTY
        n += 1
    if n - first > MOST_ROWS:
        return NO
    if manner & BIDS_FIRST and (out[first, 0] >> 8) & 1 and (out[n - 1, 0] >> 8) & 1 == 0:
        _turn(out, first, n)
    head = (marks << 16) | (table[R_SOURCE] << 32) | (table[R_INSTRUMENT] << 48)
    for k in range(first, n):
        line = out[k]
        line[0] |= head
        line[1] = 0
        line[row.W_TS_LOCAL] = ts_local
        line[row.W_VALUE] = 0
        if kind == TRADE:
            line[0] |= WHOLE << 16
        else:
            line[row.W_TS_VENUE] = table[R_TIME]
            line[row.W_REF] = table[R_REF]
    if kind != TRADE:
        out[first, 0] |= FIRST << 16
        out[n - 1, 0] |= LAST << 16
        out[first, row.W_VALUE] = table[R_FIRST]
        if table[R_LAST] != 0:
            out[n - 1, row.W_VALUE] = table[R_LAST]
    return n


@called
def _field(text: Any, at: int, table: Words, op: int, pc: int) -> int:
    """One hole that sets a register: where the text goes on, or NO."""
    target = table[pc + 1]
    if op in (O_INTEGER, O_STAMP):
        value, at = _integer(text, at)
        if op == O_INTEGER and table[pc + 2] > 0 and value >= table[pc + 2]:
            return NO
        if op == O_STAMP:
            if value > LAST_STAMP or LAST_STAMP // 1_000 <= value < STAMP_MICROSECONDS:
                return NO
            value *= 1_000_000 if value < STAMP_MICROSECONDS else 1_000
        table[target] = value
        return at
    if op == O_TIME:
        table[target], at = _rfc3339(text, at)
        return at
    if op == O_SYMBOL:
        return _symbol(text, at, table, target, max(table[pc + 2], 34))
    if op == O_SAME:
        known = table[R_INSTRUMENT]
        end = _symbol(text, at, table, target, 34)
        return end if table[R_INSTRUMENT] == known else NO
    if op == O_SECONDS:
        value, at = _seconds(text, at)
        table[target] = max(value, table[target]) if table[pc + 2] else value
        return at
    if op == O_UNTIL:
        return _until(text, at, target)
    if op == O_NUMBER:
        return _passed(text, at)
    for choice in range(2):  # O_PICK: one of two texts
        start = table[pc + 2 + choice]
        if _matches(text, at, table, start + 1, table[start]):
            table[target] = choice
            return at + int(table[start])
    return NO


@called
def _walk(text: Any, ts_local: int, table: Words, out: Words, place: tuple[int, int, int]) -> int:
    """Follows one layout from operation `pc` and byte `at`: how many rows it gave, or NO."""
    pc, first, at = place
    begun = first
    n = first
    while True:
        op = table[pc]
        a = table[pc + 1]
        if op == O_TEXT:
            if not _matches(text, at, table, a, table[pc + 2]):
                return NO
            at += table[pc + 2]
        elif op == O_PRICE:
            table[R_PRICE], at = _units(text, at, table[R_PRICE_EXPONENT], a)
        elif op == O_QUANTITY:
            table[R_QUANTITY], at = _units(text, at, table[R_QUANTITY_EXPONENT], a)
        elif op == O_ROW:
            if not _row(table, out, n, a):
                return NO
            n += 1
        elif op == O_NEXT:
            if at >= len(text) or (text[at] != 44 and text[at] != 93):
                return NO
            at += 1
            if text[at - 1] == 44:
                pc = a
                continue
        elif op == O_ARRAY:
            if at + 1 >= len(text) or text[at] != 91:
                return NO
            at += 1
            if text[at] == 93:
                at += 1
                pc = a
                continue
        elif op == O_SET:
            table[a] = table[pc + 2]
        elif op == O_LESS:
            table[a] -= 1
        elif op == O_COPY:
            table[a] = table[table[pc + 2]]
        elif op == O_MAYBE:
            if not _matches(text, at, table, a, table[pc + 2]):
                pc = table[pc + 3]
                continue
            at += table[pc + 2]
        elif op == O_END:
            n = _end(table, out, (begun, n, table[pc + 2]), a, ts_local)
            if n == NO:
                return NO
            begun = n
        elif op == O_DONE:
            table[R_AT] = at
            ended = at == len(text) or (table[R_BLOCK] != 0 and text[at] == NEWLINE)
            return n - first if ended else NO
        else:
            at = _field(text, at, table, op, pc)
        if at == NO:
            return NO
        pc += OP_WORDS


@compiled
def _frame(text: Any, ts_local: int, table: Words, out: Words, place: tuple[int, int]) -> int:
    """Rows of the first layout that matches the frame at place[1], written from place[0] on, or NO."""
    first, at = place
    count = table[R_LAYOUTS]
    hint = table[R_HINT]
    for k in range(count):
        layout = (hint + k) % count
        table[R_SNAPSHOT] = 0
        table[R_FIRST] = 0
        table[R_LAST] = 0
        table[R_REF] = 0
        table[R_TIME] = 0
        found = _walk(text, ts_local, table, out, (table[LAYOUTS + layout], first, at))
        if found >= 0:
            table[R_HINT] = layout
            return int(found)
    return NO


@entry
def scan(text: Any, ts_local: int, table: Words, out: Words, first: int) -> int:
    """Rows written to `out` from `first` on for the first layout that matches `text` whole, or -1."""
    table[R_BLOCK] = 0
    return int(_frame(text, ts_local, table, out, (first, 0)))


@called
def _local(text: Any, at: int, table: Words) -> tuple[int, int]:
    """(local time, where the frame begins) of a line; time 0 where it may be without one; the second NO: unusual."""
    if table[R_HEAD] == HEAD_SECONDS:
        ts_local, end = _seconds(text, at)
        if end == NO or end + 1 >= len(text) or text[end] != 58 or text[end + 1] != 32:
            return 0, NO
        return ts_local, end + 2
    if table[R_HEAD] == HEAD_EITHER and (text[at] == 123 or text[at] == 91):
        return 0, at
    whole, end = _digits(text, at, MOST_DIGITS)
    if end != at + MOST_DIGITS or end + 1 >= len(text):
        return 0, NO
    digit = int(text[end]) - 48
    if not 0 <= digit <= 9 or text[end + 1] != 32 or whole < EARLIEST // 10 or whole >= LATEST // 10:
        return 0, NO
    return whole * 10 + digit, end + 2


@called
def _stamp_rows(out: Words, first: int, n: int, last: int) -> int:
    """The venue's latest time stands in for a local one nobody wrote down; 0 where it tells none. Never before `last`."""
    found = 0
    for k in range(first, n):
        found = max(found, out[k, row.W_TS_VENUE])
    for k in range(first, n):
        out[k, row.W_TS_LOCAL] = max(found, last)
    return found


@entry
def scan_lines(text: Any, at: int, table: Words, out: Words) -> int:
    """Rows of a recording's lines (R_HEAD says how one begins) from byte `at` on, until one is unusual; R_LINES were taken.

    R_AT is where the next begins. Local times never fall: an earlier one becomes R_LAST_LOCAL and is counted. One a day away
    from the venue's time (or from the line before, where the venue tells none) is unusual, and so is a frame whose number does
    not follow, where frames are R_NUMBERED. It ends before `out` could be full.
    """
    table[R_BLOCK] = 1
    table[R_LINES] = 0
    n = 0
    while at + LOCAL_DIGITS < len(text) and n + MOST_ROWS <= out.shape[0]:
        ts_local, start = _local(text, at, table)
        if start == NO:
            break
        last = table[R_LAST_LOCAL]
        table[R_SEQUENCE] = NO
        found = _frame(text, max(ts_local, last), table, out, (n, start))
        if found < 0 or table[R_AT] >= len(text):
            break
        if table[R_NUMBERED] and table[R_SEQUENCE] != table[R_FRAME] + 1:
            break
        if ts_local == 0 and found > 0:
            ts_local = _stamp_rows(out, n, n + found, last)
            if ts_local == 0:
                break
            table[R_UNTIMED] += 1
        known = table[R_TIME] if table[R_TIME] > 0 else last
        if known > 0 and ts_local > 0 and abs(ts_local - known) >= A_DAY:
            break
        if found > 0:
            if ts_local < last:
                table[R_CLAMPED] += 1
            else:
                table[R_LAST_LOCAL] = ts_local
        table[R_FRAME] = table[R_SEQUENCE]
        n += found
        at = table[R_AT] + 1
        table[R_LINES] += 1
    table[R_AT] = at
    return n


@entry
def scan_many(text: Any, at: int, ts_local: int, table: Words, out: Words, frames: Words) -> int:
    """Frames read of those that stand one a line from byte `at` of `text` on, until one is unusual; R_AT is where that begins.

    `frames[k]` becomes the end of the k-th frame's rows, counted from 1; each frame's local time is one more than the last one's.
    frames[0] is the number of the frame before on this connection, and one that does not follow is unusual; -1: nobody counts.
    R_LINES frames held no row; R_ALIKE: all rows are of one stream.
    """
    table[R_BLOCK] = 1
    table[R_LINES] = 0
    table[R_ALIKE] = 1
    number = frames[0]
    n = 0
    taken = 0
    while at < len(text) and taken + 1 < frames.size:
        found = _frame(text, ts_local + taken, table, out, (n, at))
        if found < 0:
            break
        if number >= 0:
            if table[R_SEQUENCE] != number + 1:
                break
            number += 1
        if found == 0:
            table[R_LINES] += 1
        for k in range(n, n + found):
            if out[k, 0] >> 32 != out[0, 0] >> 32:  # stream and instrument
                table[R_ALIKE] = 0
        n += found
        taken += 1
        frames[taken] = n
        at = table[R_AT] + 1
    table[R_AT] = at
    return taken
