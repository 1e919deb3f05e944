"""Text of known layout to rows: the whole way of a venue's common messages, from bytes to integers.

A `Layout` is the literal text of a message with holes; `Scanner` holds a venue's layouts and symbols as one table that a
compiled function walks (`walk`). It accepts only what matches to the byte and is sure to mean the same to a JSON decoder; for
anything else (another order of keys, a space, an exponent, a symbol nobody follows) it says no, and the caller decodes the
slow way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tradewind.domain import rows as row
from tradewind.domain.rows import Rows
from tradewind.kernel.jit import direct
from tradewind.venues.walk import (
    LAYOUTS,
    MOST_ROWS,
    O_ARRAY,
    O_COPY,
    O_DONE,
    O_END,
    O_INTEGER,
    O_LESS,
    O_MAYBE,
    O_NEXT,
    O_NUMBER,
    O_PICK,
    O_PRICE,
    O_QUANTITY,
    O_ROW,
    O_SAME,
    O_SECONDS,
    O_SET,
    O_STAMP,
    O_SYMBOL,
    O_TEXT,
    O_TIME,
    O_UNTIL,
    OP_WORDS,
    OPS,
    R_ALIKE,
    R_AT,
    R_CHANNELS,
    R_FIRST,
    R_INSTRUMENT,
    R_LAYOUTS,
    R_LINES,
    R_MASK,
    R_PRICE_EXPONENT,
    R_QUANTITY_EXPONENT,
    R_SOURCE,
    R_SYMBOLS,
    R_TIME,
    Words,
    scan,
    scan_lines,
    scan_many,
)

Part = tuple[int | str | tuple[str, str], ...]
LEAST_LEVEL_BYTES = 8  # no layout writes a row in fewer
PAGE_ROWS = MOST_ROWS + (1 << 14)  # of a recording's lines: 1 MiB that stays in the cache until it is copied
BLOCK_ROWS = 1 << 10  # 64 KiB: small enough that the heap gives the same warm memory again
FEW_ROWS = BLOCK_ROWS // 2
MAX_FRAME_BYTES = 4 << 20  # longer frames are refused unread
MOST_FRAMES = 1 << 10  # of a stretch

# Layouts ---------------------------------------------------------------------------------------------------------------------


def until(stop: str) -> Part:
    """A string's characters up to `stop`, not looked at."""
    return (O_UNTIL, ord(stop))


def symbol(place: int, stop: str = '"') -> Part:
    """A followed symbol, up to `stop`; `place` of the channel among the adapter's."""
    return (O_SYMBOL, place, ord(stop))


def same(place: int) -> Part:
    """A name of the instrument that was told already, up to its quote."""
    return (O_SAME, place)


def seconds(register: int = R_TIME, latest: int = 0) -> Part:
    """Unix seconds with decimals; `latest` 1: the register keeps the greatest."""
    return (O_SECONDS, register, latest)


def integer(register: int, below: int = 0) -> Part:
    """A whole number; `below` what, where that is above zero."""
    return (O_INTEGER, register, below)


def stamp(register: int = R_TIME) -> Part:
    """Unix ms or µs."""
    return (O_STAMP, register)


def time(register: int = R_TIME) -> Part:
    """RFC 3339, Z included."""
    return (O_TIME, register)


def pick(register: int, first: str, second: str) -> Part:
    """One of two texts: 0 or 1."""
    return (O_PICK, register, (first, second))


def constant(register: int, value: int) -> Part:
    """A register set."""
    return (O_SET, register, value)


def copy(register: int, source: int) -> Part:
    """A register out of another."""
    return (O_COPY, register, source)


def end(kind: int, manner: int = 0) -> Part:
    """The message is whole; `manner` of IDS, BIDS_FIRST, NEVER_EMPTY (`walk`)."""
    return (O_END, kind, manner)


PRICE, QUANTITY = (O_PRICE, 0), (O_QUANTITY, 0)
BARE_PRICE, BARE_QUANTITY = (O_PRICE, 1), (O_QUANTITY, 1)
NUMBER: Part = (O_NUMBER,)
BEFORE: Part = (O_LESS, R_FIRST)


def each(*body: Any) -> list[Any]:
    """An array of elements that all look like `body`."""
    return [["each", *body]]


def maybe(text: str, *body: Any) -> list[Any]:
    """`text` and what follows it, or nothing."""
    return [["maybe", text, *body]]


def message_row(kind: int) -> Part:
    """A row of the numbers read so far."""
    return (O_ROW, kind)


Layout = Sequence[Any]


class _Assembler:
    """Turns layouts into operations and texts."""

    def __init__(self) -> None:
        self.ops: list[list[int]] = []
        self.texts: list[int] = []  # each a length, then its bytes by eight
        self._known: dict[str, int] = {}

    def text(self, text: str) -> int:
        """Where a text's length stands, its bytes behind it; the same text once."""
        if text not in self._known:
            self._known[text] = len(self.texts)
            self.texts += [len(text), *_packed(text.encode("ascii"))]
        return self._known[text]

    def add(self, parts: Layout) -> None:
        """Append operations; places of texts are relative until `Scanner` knows where they lie."""
        for part in parts:
            if isinstance(part, str):
                self.ops.append([O_TEXT, self.text(part) + 1, len(part), 0])
            elif isinstance(part, list) and part and part[0] in ("each", "maybe"):
                self._block(part)
            elif isinstance(part, list):
                self.add(part)
            elif part[0] == O_PICK:
                self.ops.append([O_PICK, part[1], *(self.text(choice) for choice in part[2])])
            else:
                self.ops.append([*part, 0, 0, 0][:OP_WORDS])

    def _block(self, part: list[Any]) -> None:
        head = len(self.ops)
        if part[0] == "each":
            self.ops.append([O_ARRAY, 0, 0, 0])
            self.add(part[1:])
            self.ops.append([O_NEXT, head + 1, 0, 0])
            self.ops[head][1] = len(self.ops)
        else:
            self.ops.append([O_MAYBE, self.text(part[1]) + 1, len(part[1]), 0])
            self.add(part[2:])
            self.ops[head][3] = len(self.ops)


_TEXT_FIELDS = {O_TEXT: (1,), O_MAYBE: (1,), O_PICK: (2, 3)}
_JUMP_FIELDS = {O_ARRAY: (1,), O_NEXT: (1,), O_MAYBE: (3,)}


Symbol = tuple[str, int, int, int]
"""(name, index of the instrument, price exponent, quantity exponent)."""


class Stretch(NamedTuple):
    """What usual frames held that came one behind the other."""

    rows: Rows
    alike: bool  # all of one stream
    ends: Words  # where each frame's rows end
    empty: int  # frames without a row
    next: int  # the byte at which the first unusual frame begins


class Scanner:
    """One adapter's layouts and symbols, and the rows they fill."""

    def __init__(self, layouts: Sequence[Layout], symbols: Sequence[Symbol], channels: int) -> None:
        """`channels` an instrument has that many streams."""
        self.table = _table(layouts, symbols, channels)
        self.scan = self._reader()
        self._bench, self._frames = row.words(np.empty(BLOCK_ROWS, row.ROW)), np.empty(MOST_FRAMES + 1, np.int64)
        self._block, self._block_at = np.empty(BLOCK_ROWS, row.ROW), 0  # what short stretches hold is written where it stays
        self._block_words = row.words(self._block)
        self._many = direct(scan_many, b"", 0, 0, self.table, self._bench, self._frames)
        self._page, self._page_at = row.rows(0), 0
        self._page_words = row.words(self._page)

    def _reader(self) -> Callable[[bytes, int], Rows | None]:
        """`scan`; what it needs of a frame to the next it keeps in its own names, which is a fifth of a quote's time."""
        table, size, at = self.table, BLOCK_ROWS, 0
        block: Rows = np.empty(size, row.ROW)  # every word of a row is written
        lines = row.words(block)
        run = direct(scan, b"", 0, table, lines, 0)

        def read(text: bytes, ts_local: int) -> Rows | None:
            """The rows of a frame of known layout (none where it says nothing), or None: decode it the slow way."""
            nonlocal size, at, block, lines
            if len(text) > (size - at) * LEAST_LEVEL_BYTES:
                if len(text) > MAX_FRAME_BYTES:
                    return None
                size, at = max(BLOCK_ROWS, len(text) // LEAST_LEVEL_BYTES + 2), 0
                block = np.empty(size, row.ROW)
                lines = row.words(block)
            count = run(text, ts_local, table, lines, at)
            if count < 0:
                return None
            first = at
            at += count
            return block[first:at]

        return read

    def stretch(self, text: bytes, at: int, ts_local: int, number: int) -> Stretch:
        """The rows of frames, one a line from byte `at` on, until one is unusual; times and `number` as `walk.scan_many` says."""
        table, most = self.table, (len(text) - at) // LEAST_LEVEL_BYTES + 2
        self._frames[0] = number
        if most <= FEW_ROWS:
            if most > BLOCK_ROWS - self._block_at:
                self._block, self._block_at = np.empty(BLOCK_ROWS, row.ROW), 0
                self._block_words = row.words(self._block)
            out = self._block_words[self._block_at :]
        else:
            if most > len(self._bench):
                self._bench = row.words(np.empty(most, row.ROW))
            out = self._bench
        taken = self._many(text, at, ts_local, table, out, self._frames)
        ends = self._frames[1 : taken + 1].copy()
        count = ends.item(-1) if taken else 0
        if most <= FEW_ROWS:
            begun = self._block_at
            self._block_at += count
            rows: Rows = self._block[begun : self._block_at]
        else:  # room for the most there could be is many times what there is: that is not what anybody keeps
            rows = np.frombuffer(bytearray(out[:count]), row.ROW)
        return Stretch(rows, table.item(R_ALIKE) != 0, ends, table.item(R_LINES), table.item(R_AT))

    def lines(self, text: bytes, at: int) -> tuple[Rows, int, int]:
        """(rows, lines taken, where the next begins) of a recording's lines, until one is unusual (`walk.scan_lines`)."""
        if len(self._page) - self._page_at < MOST_ROWS:
            self._page, self._page_at = np.empty(PAGE_ROWS, row.ROW), 0  # what is never written costs nothing
            self._page_words = row.words(self._page)
        begun = self._page_at
        count = scan_lines(text, at, self.table, self._page_words[begun:])
        self._page_at += count
        found = self._page[begun : self._page_at]
        return found, int(self.table[R_LINES]), int(self.table[R_AT])

    def place(self, instrument: int, source: int, exponents: tuple[int, int]) -> None:
        """Say what a layout without a symbol is about."""
        self.table[R_INSTRUMENT], self.table[R_SOURCE] = instrument, source
        self.table[R_PRICE_EXPONENT], self.table[R_QUANTITY_EXPONENT] = exponents


def _table(layouts: Sequence[Layout], symbols: Sequence[Symbol], channels: int) -> Words:
    assembler, starts = _Assembler(), list[int]()
    for layout in layouts:
        starts.append(len(assembler.ops))
        assembler.add(layout)
        assembler.ops.append([O_DONE, 0, 0, 0])
    texts_at = OPS + len(assembler.ops) * OP_WORDS
    for op in assembler.ops:
        for field in _TEXT_FIELDS.get(op[0], ()):
            op[field] += texts_at
        for field in _JUMP_FIELDS.get(op[0], ()):
            op[field] = OPS + op[field] * OP_WORDS
    slots = 1 << max(3, (2 * len(symbols)).bit_length())
    slots_at = texts_at + len(assembler.texts)
    entries, table_of = list[int](), [0] * slots
    for name, instrument, price_exponent, quantity_exponent in symbols:
        letters = name.encode("utf-8")
        slot = _hash(letters) & (slots - 1)
        while table_of[slot]:
            slot = (slot + 1) & (slots - 1)
        table_of[slot] = slots_at + slots + len(entries)
        entries += [len(letters), instrument, price_exponent, quantity_exponent, *_packed(letters)]
    head = [0] * OPS
    head[R_LAYOUTS], head[R_SYMBOLS], head[R_MASK], head[R_CHANNELS] = len(layouts), slots_at, slots - 1, channels
    head[LAYOUTS : LAYOUTS + len(starts)] = [OPS + start * OP_WORDS for start in starts]
    return np.array([*head, *(word for op in assembler.ops for word in op), *assembler.texts, *table_of, *entries], np.int64)


def _packed(letters: bytes) -> list[int]:
    """Bytes as little-endian words, the last filled up with zeros."""
    filled = letters + bytes(-len(letters) % 8)
    words: list[int] = np.frombuffer(filled, "<i8").tolist()
    return words


def _hash(letters: bytes) -> int:
    code = 0
    for letter in letters:
        code = (code * 31 + letter) & ((1 << 63) - 1)
    return code
