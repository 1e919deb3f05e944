"""Rows as bytes in one pass, compiled: each against the row before it on its own stream. No input or output here.

A row resembles the row before it on its stream, so the coder keeps a context for each (by the low bits of `source`; streams
that share one cost room, not rows). What it can foresee costs nothing, the rest as many bytes as it needs, lowest first:

    control u16 | more u16 where R = 7 | head (12) | source u8 or i16 | seq i32 | local | venue | price | quantity | ref | value

    bits     foreseen                                      else
    0        source: that of the row before on the tape    1: u8, or what `more` says
    1-3      kind, side, marks, instrument, account and strategy: those last seen on this stream with this side and place in
             its message; the bits are side and place
    4-5  L   ts_local: that of the row before on the tape  0, 2, 3, 4 bytes to add
    6-7  V   ts_venue: as late as the stream's last        0, 2, 3, 4 bytes of difference, folded
    8-9  P   price: the stream's last on this side         0, 1, 2, 3 bytes of difference, folded
    10-12 Q  quantity: 0 zero, 1 this side's last          2, 3, 4, 5, 6 or 8 bytes
    13-15 R  ref and value, r and v those of the stream's row before:
             0: r, v | 1: r + 1, r | 2: r + 1, v | 3: r, 0 | 4: r + u16, r | 5: r + u16, v | 6: r + u16, r + 1 | 7: `more`

    more     bit 0: head in full | 1: stream_seq in full, else one more than the last | 2, 3, 4: ts_local, ts_venue, price in full
             | 5-7: 0, 1, 2, 3, 4, 5, 6, 8 bytes of ref's difference, folded | 8-10: as many of value | 11: source is an i16

Folded: 2d, or -2d - 1 below zero. Sums wrap, so any bits come back exactly. The bytes of a row depend on the rows before it
since `begin` and on nothing else, so it does not matter in how many pieces rows are given.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from tradewind.domain.rows import ROW, ROW_BYTES, Rows
from tradewind.kernel.jit import called, compiled, direct, entry

from .columns import Unreadable

MOST_BYTES = 70  # of one row
SLACK = 8  # a word is stored and read whole, whatever of it counts
CONTEXTS = 1 << 10
# A context: 8 heads of two words, then these.
C_SEQ, C_LOCAL, C_VENUE, C_REF, C_VALUE, C_PRICE, C_QUANTITY, C_BLOCK, C_WORDS = 16, 17, 18, 19, 20, 21, 23, 25, 32
# What is not of one stream.
G_SOURCE, G_LOCAL, G_BLOCK, G_COLUMNS, G_WORDS = 0, 1, 2, 3, 13
HEAD_MASK = ~(0xFFFF << 32)  # of the first word: all but source
LOW = 0xFFFFFFFF
M_HEAD, M_SEQ, M_LOCAL, M_VENUE, M_PRICE, M_REF, M_VALUE, M_SOURCE = 1, 2, 4, 8, 16, 5, 8, 1 << 11
Words = NDArray[np.int64]


def _store(out: Any, at: int, word: Any) -> None:
    """Eight bytes at `at`, lowest first."""
    out[at : at + 8] = np.frombuffer((int(word) & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little"), np.uint8)


def _load(data: Any, at: int) -> Any:
    """The word of eight bytes at `at`."""
    return np.int64(int.from_bytes(data[at : at + 8].tobytes(), "little", signed=True))


def _place(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())


@intrinsic  # type: ignore[untyped-decorator]
def _store_word(_: Any, out: Any, at: Any, word: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _place(context, builder, signature, arguments)).align = 1
        return context.get_dummy_value()

    return types.none(out, types.int64, types.int64), build


@intrinsic  # type: ignore[untyped-decorator]
def _load_word(_: Any, data: Any, at: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = builder.load(_place(context, builder, signature, arguments))
        word.align = 1
        return word

    return types.int64(data, types.int64), build


@overload(_store, inline="always")  # type: ignore[untyped-decorator]
def _compiled_store(out: Any, at: Any, word: Any) -> Any:
    def store(out: Any, at: Any, word: Any) -> Any:
        return _store_word(out, at, word)

    return store


@overload(_load, inline="always")  # type: ignore[untyped-decorator]
def _compiled_load(data: Any, at: Any) -> Any:
    def load(data: Any, at: Any) -> Any:
        return _load_word(data, at)

    return load


@compiled
def _some(x: int) -> int:
    return 1 if x != 0 else 0


@compiled
def _fold(d: int) -> int:
    return (d << 1) ^ (d >> 63)


@compiled
def _unfold(z: int) -> int:
    return ((z >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(z & 1)


@compiled
def _code4(x: int) -> int:
    """The code of 0, 2, 3 or 4 bytes: of times."""
    return _some(x) + _some(x >> 16) + _some(x >> 24)


@compiled
def _width4(code: int) -> int:
    return code + _some(code)


@compiled
def _code8(x: int) -> int:
    """The code of 0, 1, 2, 3, 4, 5, 6 or 8 bytes."""
    return _some(x) + _some(x >> 8) + _some(x >> 16) + _some(x >> 24) + _some(x >> 32) + _some(x >> 40) + _some(x >> 48)


@compiled
def _width8(code: int) -> int:
    return code + (code == 7)


@compiled
def _quantity_code(quantity: int, last: int) -> int:
    code = 2 + _some(quantity >> 16) + _some(quantity >> 24) + _some(quantity >> 32) + _some(quantity >> 40) + _some(quantity >> 48)
    code = 1 if quantity == last else code
    return 0 if quantity == 0 else code


@compiled
def _quantity_width(code: int) -> int:
    return 0 if code < 2 else _width8(code)


@compiled
def _reference_code(step: int, value: int, r: int, v: int) -> int:
    """The last that fits is the shortest: selects, because none of this can be foreseen."""
    code = 7
    if step >> 16 == 0:
        code = 6 if value == r + 1 else 7
        code = 5 if value == v else code
        code = 4 if value == r else code
    if step == 1:
        code = 2 if value == v else code
        code = 1 if value == r else code
    if step == 0:
        code = 3 if value == 0 else code
        code = 0 if value == v else code
    return code


@compiled
def _context(contexts: Any, source: int, block: int) -> int:
    """The place of a stream's context, empty where the block has not met it."""
    c = source & (CONTEXTS - 1)
    if contexts[c, C_BLOCK] != block:
        contexts[c, :] = 0
        contexts[c, C_BLOCK] = block
    return c


@compiled
def _meet(contexts: Any, c: int, h: int, first: int, second: int) -> int:
    """Puts a row's first two words into its context; the bits of `more` for what was not foreseen of them."""
    head, tags, seq = first & HEAD_MASK, second & LOW, second >> 32
    more = 0
    if contexts[c, 2 * h] != head or contexts[c, 2 * h + 1] != tags:
        contexts[c, 2 * h] = head
        contexts[c, 2 * h + 1] = tags
        more = M_HEAD
    if seq != contexts[c, C_SEQ] + 1:
        more |= M_SEQ
    contexts[c, C_SEQ] = seq
    return more


@compiled
def _put(out: Any, at: int, word: int, width: int) -> int:
    """Writes the lowest `width` bytes; returns where they end. All eight are stored, the next overwrites what does not count."""
    _store(out, at, word)
    return at + width


@called
def _put_long(out: Any, at: int, control: int, more: int, columns: Any) -> int:
    """A row with something unforeseen: `columns` has head, tags, source, seq, later, venue, price, quantity, ref, value."""
    ref_code, value_code = _code8(columns[8]), _code8(columns[9])
    more |= ref_code << M_REF | value_code << M_VALUE
    at = _put(out, at, control | more << 16, 4)
    if more & M_HEAD:
        at = _put(out, at, columns[0], 8)
        at = _put(out, at, columns[1], 4)
    at = _put(out, at, columns[2], (control & 1) + _some(more & M_SOURCE))
    at = _put(out, at, columns[3], 4 if more & M_SEQ else 0)
    at = _put(out, at, columns[4], 8 if more & M_LOCAL else _width4((control >> 4) & 3))
    at = _put(out, at, columns[5], 8 if more & M_VENUE else _width4((control >> 6) & 3))
    at = _put(out, at, columns[6], 8 if more & M_PRICE else (control >> 8) & 3)
    at = _put(out, at, columns[7], _quantity_width((control >> 10) & 7))
    at = _put(out, at, columns[8], _width8(ref_code))
    return _put(out, at, columns[9], _width8(value_code))


@entry
def encode(words: Any, out: Any, at: int, contexts: Any, shared: Any) -> int:
    """Writes rows (int64 of shape (n, 8)) to `out` from `at` on; returns where they end.

    out: uint8 with room for MOST_BYTES a row and SLACK. contexts, shared: as `Coder` makes them.
    """
    before, local, block = shared[G_SOURCE], shared[G_LOCAL], shared[G_BLOCK]
    for k in range(words.shape[0]):
        first, second = words[k, 0], words[k, 1]
        source = (first >> 32) & 0xFFFF
        c = _context(contexts, source, block)
        side = (first >> 8) & 1
        h = side | ((first >> 15) & 6)
        more = _meet(contexts, c, h, first, second)
        s_code = 1 if source != before else 0
        if s_code == 1 and source > 255:
            more |= M_SOURCE
        before = source

        venue, ts, price, quantity, ref, value = words[k, 2], words[k, 3], words[k, 4], words[k, 5], words[k, 6], words[k, 7]
        later = ts - local
        local = ts
        lateness = _fold(venue - contexts[c, C_VENUE] - (ts - contexts[c, C_LOCAL]))
        moved = _fold(price - contexts[c, C_PRICE + side])
        if later >> 32 != 0:
            more |= M_LOCAL
        if lateness >> 32 != 0:
            more |= M_VENUE
        if moved >> 24 != 0:
            more |= M_PRICE
        l_code, v_code, p_code = _code4(later), _code4(lateness), _some(moved) + _some(moved >> 8) + _some(moved >> 16)
        q_code = _quantity_code(quantity, contexts[c, C_QUANTITY + side])
        step = ref - contexts[c, C_REF]
        r_code = _reference_code(step, value, contexts[c, C_REF], contexts[c, C_VALUE])
        contexts[c, C_LOCAL] = ts
        contexts[c, C_VENUE] = venue
        contexts[c, C_PRICE + side] = price
        contexts[c, C_QUANTITY + side] = quantity
        contexts[c, C_REF] = ref
        contexts[c, C_VALUE] = value

        control = s_code | h << 1 | l_code << 4 | v_code << 6 | p_code << 8 | q_code << 10 | r_code << 13
        if more != 0 or r_code == 7:
            columns = shared[G_COLUMNS:]
            columns[0], columns[1], columns[2], columns[3], columns[4] = (
                first & HEAD_MASK,
                second & LOW,
                source,
                second >> 32,
                later,
            )
            columns[5], columns[6], columns[7], columns[8], columns[9] = lateness, moved, quantity, _fold(step), value
            at = _put_long(out, at, control | 7 << 13, more, columns)
            continue
        at = _put(out, at, control | source << 16, 2 + s_code)
        at = _put(out, at, later, _width4(l_code))
        at = _put(out, at, lateness, _width4(v_code))
        at = _put(out, at, moved, p_code)
        at = _put(out, at, quantity, _quantity_width(q_code))
        at = _put(out, at, step, (r_code >> 2) << 1)
    shared[G_SOURCE], shared[G_LOCAL] = before, local
    return at


@compiled
def _get(data: Any, at: int, width: int) -> int:
    """The lowest `width` bytes from `at` on; 0 to 8."""
    word: int = _load(data, at)
    return word if width == 8 else word & ((1 << (8 * (width & 7))) - 1)


@compiled
def _get_words(data: Any, at: int, control: int, contexts: Any, shared: Any) -> tuple[int, int, int]:
    """(where it ends, context, more) of a row up to its stream_seq, which goes into its context; its source into `shared`."""
    more = 0
    if (control >> 13) & 7 == 7:
        more = (control >> 16) & 0xFFFF
        at += 2
    head, tags, h = 0, 0, (control >> 1) & 7
    if more & M_HEAD:
        head, tags = _load(data, at), _get(data, at + 8, 4)
        at += 12
    if control & 1:
        width = 2 if more & M_SOURCE else 1
        shared[G_SOURCE] = _get(data, at, width)
        at += width
    c = _context(contexts, shared[G_SOURCE], shared[G_BLOCK])
    if more & M_HEAD:
        contexts[c, 2 * h] = head
        contexts[c, 2 * h + 1] = tags
    seq = contexts[c, C_SEQ] + 1
    if more & M_SEQ:
        seq = _get(data, at, 4)
        at += 4
    contexts[c, C_SEQ] = seq << 32 >> 32
    return at, c, more


@compiled
def _get_references(data: Any, at: int, code: int, more: int, context: Any) -> int:
    """Where a row's ref and value end; they go into its context."""
    r, v = context[C_REF], context[C_VALUE]
    ref, value = r, v
    if code == 7:
        width = _width8((more >> M_REF) & 7)
        ref = r + _unfold(_get(data, at, width))
        at += width
        width = _width8((more >> M_VALUE) & 7)
        value = _get(data, at, width)
        at += width
    elif code > 3:
        ref = r + _get(data, at, 2)
        at += 2
        value = r if code == 4 else (v if code == 5 else r + 1)
    elif code > 0:
        ref = r if code == 3 else r + 1
        value = r if code == 1 else (v if code == 2 else 0)
    context[C_REF] = ref
    context[C_VALUE] = value
    return at


@entry
def decode(data: Any, size: int, words: Any, contexts: Any, shared: Any) -> int:
    """Reads rows into `words`; returns where they end, or -1 where they run over `size`.

    data: uint8 with MOST_BYTES and SLACK zeros behind `size`.
    """
    at, local = 0, shared[G_LOCAL]
    for k in range(words.shape[0]):
        if at + 2 > size:
            return -1
        control = _load(data, at)
        at, c, more = _get_words(data, at + 2, control, contexts, shared)
        h = (control >> 1) & 7
        words[k, 0] = contexts[c, 2 * h] | shared[G_SOURCE] << 32
        words[k, 1] = contexts[c, 2 * h + 1] | contexts[c, C_SEQ] << 32
        side = h & 1

        width = 8 if more & M_LOCAL else _width4((control >> 4) & 3)
        local += _get(data, at, width)
        at += width
        width = 8 if more & M_VENUE else _width4((control >> 6) & 3)
        venue = contexts[c, C_VENUE] + (local - contexts[c, C_LOCAL]) + _unfold(_get(data, at, width))
        at += width
        width = 8 if more & M_PRICE else (control >> 8) & 3
        price = contexts[c, C_PRICE + side] + _unfold(_get(data, at, width))
        at += width
        code = (control >> 10) & 7
        width = _quantity_width(code)
        quantity = contexts[c, C_QUANTITY + side] if code == 1 else _get(data, at, width)
        at = _get_references(data, at + width, (control >> 13) & 7, more, contexts[c])
        if at > size:
            return -1
        words[k, 2] = contexts[c, C_VENUE] = venue
        words[k, 3] = contexts[c, C_LOCAL] = local
        words[k, 4] = contexts[c, C_PRICE + side] = price
        words[k, 5] = contexts[c, C_QUANTITY + side] = quantity
        words[k, 6], words[k, 7] = contexts[c, C_REF], contexts[c, C_VALUE]
    shared[G_LOCAL] = local
    return at


class Coder:
    """Codes the rows of one block as they come; `size` bytes so far, in `view`."""

    def __init__(self, block_rows: int) -> None:
        self._room = block_rows * MOST_BYTES
        self._free: deque[NDArray[np.uint8]] = deque()
        self._take_buffer()
        self._contexts, self._shared = _fresh()
        self.begin()
        none = np.zeros((0, ROW_BYTES // 8), np.int64)
        self._encode = direct(encode, none, self._out, 0, self._contexts, self._shared)  # compiled now, not at a row

    def begin(self) -> None:
        """A new block: nothing of the last is remembered."""
        _forget(self._shared)
        self.size = 0

    def hand_over(self) -> memoryview:
        """What is coded, to whoever writes it, until it is taken back; the next block goes elsewhere."""
        coded = self.view[: self.size]
        self._take_buffer()
        return coded

    def take_back(self, coded: memoryview) -> None:
        """Lets the bytes handed over be written over. Any thread may."""
        self._free.append(coded.obj)  # type: ignore[arg-type]

    def _take_buffer(self) -> None:
        self._out = self._free.popleft() if self._free else np.empty(self._room + SLACK, np.uint8)
        self.view = self._out.data

    @property
    def last_ts(self) -> int:
        """ts_local of the last row."""
        return int(self._shared[G_LOCAL])

    def add(self, words: Words) -> None:
        """The next rows, int64 of shape (n, 8), at most what is left of the block."""
        if self.size + len(words) * MOST_BYTES > self._room:
            raise ValueError("more rows than the block has")
        self.size = self._encode(words, self._out, self.size, self._contexts, self._shared)


class Decoder:
    """Gives the rows of one block back, in whatever pieces they were cut."""

    def __init__(self) -> None:
        self._contexts, self._shared = _fresh()
        self.begin()

    def begin(self) -> None:
        """A new block."""
        _forget(self._shared)

    def take(self, data: bytes | memoryview, count: int) -> Rows:
        """The next `count` rows, which fill `data`. Raises Unreadable."""
        padded = np.zeros(len(data) + MOST_BYTES + SLACK, np.uint8)
        padded[: len(data)] = np.frombuffer(data, np.uint8)
        rows = np.zeros(count, ROW)
        if decode(padded, len(data), words_of(rows), self._contexts, self._shared) != len(data):
            raise Unreadable("coded rows do not fill their bytes")
        return rows


def words_of(rows: Rows) -> Words:
    """The rows as `encode` takes them: int64 of shape (n, 8), a copy only where they do not lie so."""
    whole = rows if rows.flags.carray else np.array(rows)
    return whole.view(np.int64).reshape(len(whole), ROW_BYTES // 8)


def _fresh() -> tuple[Words, Words]:
    return np.zeros((CONTEXTS, C_WORDS), np.int64), np.zeros(G_WORDS, np.int64)


def _forget(shared: Words) -> None:
    shared[G_SOURCE] = shared[G_LOCAL] = 0
    shared[G_BLOCK] += 1
