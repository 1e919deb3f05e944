"""Seats of strategies in Python: how a wake becomes a question and the answer becomes rows on their way back.

Every bar of such a strategy comes through here, so rows and records are read as plain memory (struct, memoryview): one
record scalar of NumPy costs as much as a whole compiled step.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import NoRoom
from tradewind.domain.instruments import Instrument
from tradewind.domain.layout import N_WORDS
from tradewind.domain.rows import ROW_BYTES, W_TS_LOCAL
from tradewind.engine.snapshot import State
from tradewind.monitor import words
from tradewind.strategies.base import Bar, Market, Strategy, memory_of

from .strategyfile import odd_answer, raised

WAKE_ROW = struct.Struct("=b5xh2xh12x5q")
wake_row = WAKE_ROW.unpack_from
"""Of the row at an offset of a buffer: kind, instrument, strategy, ts_local, price, quantity, ref, value."""
ANSWER_ROW = struct.Struct("=bbhhhhhiqqqqqq")
"""Of a row: all fields in order."""
WORD = 8
MOST = 1 << 62  # of a quantity or price in units

assert WAKE_ROW.size == ANSWER_ROW.size == ROW_BYTES


def word_of(dtype: np.dtype[Any], *path: str) -> int:
    """Where a field lies in a record of 8-byte words; path: the field and those that hold it."""
    at = 0
    for name in path:
        fields: Any = dtype.fields
        dtype, at = fields[name][0], at + fields[name][1]
    return at // WORD


class Inbox:
    """Answers under way: rows in the simulated venue's record, in the order in which they are due."""

    def __init__(self, physics: State) -> None:
        dtype = physics.dtype
        self._words, self._bytes = physics.view(np.int64).data, physics.view(np.uint8).data
        self._n, self._next_due = word_of(dtype, "clock", "n_inbox"), word_of(dtype, "clock", "next_due")
        self._first = word_of(dtype, "inbox")
        self._size = dtype["inbox"].shape[0]

    def send(self, k: int, i: int, due: int, answer: tuple[int, int, int, int, int]) -> None:
        """One row of strategy k's answer, behind all that are due no later. Raises NoRoom.

        answer: kind, price, quantity, ref, value.
        """
        kind, price, quantity, ref, value = answer
        words = self._words
        at = n = words[self._n]
        if n >= self._size:
            raise NoRoom(
                f"{n} answers are already on their way", where=f"strategy {k}", todo="let it think faster, or wish less often"
            )
        while at > 0 and words[self._first + 8 * (at - 1) + W_TS_LOCAL] > due:
            at -= 1
        begin, end = (WORD * self._first + ROW_BYTES * x for x in (at, n))
        if begin < end:
            self._bytes[begin + ROW_BYTES : end + ROW_BYTES] = bytes(self._bytes[begin:end])
        row = (kind, 0, codes.WHOLE, 0, i, 0, k, 0, 0, due, price, quantity, ref, value)
        ANSWER_ROW.pack_into(self._bytes, begin, *row)
        words[self._n] = n + 1
        words[self._next_due] = min(words[self._next_due], due)


def asked(bar: Bar, market: Market) -> str:
    """About what a strategy was asked, in words."""
    return f"the {bar.timeframe} bar of {market.name()} at {words.moment(bar.end_ns)}"


class Around(NamedTuple):
    """What every seat of a session shares."""

    state: State
    instruments: list[Instrument]
    timeframes: tuple[str, ...]
    inbox: Inbox


class Seat:
    """A Python strategy at its seat: its object, its view, its thinking time, the memory it declared."""

    def __init__(self, k: int, strategy: Strategy, think_ns: int, around: Around) -> None:
        self.k, self.strategy, self.think_ns = k, strategy, think_ns
        self.market = Market(around.state, k, around.instruments)
        self.memory_dtype = memory_of(strategy)
        self.busy_until = 0  # one worker: questions that come together are answered one after another
        self.answers_at = [0] * len(around.instruments)  # when its last answer arrives; until then it is not asked again
        self.skipped = 0
        self._timeframes, self._inbox = around.timeframes, around.inbox
        self._scales = [(10.0**x.price_exponent, 10.0**x.quantity_exponent) for x in around.instruments]
        self._held = around.state["memory"][0, k].reshape(-1).view(np.uint8).data
        self._lent = np.zeros(1, self.memory_dtype or np.int64)
        self._record = self._lent[0]  # a view: who fills `_lent` fills it
        self._bytes = self._lent.view(np.uint8).data

    def ask(self, wake: tuple[int, ...]) -> None:
        """Puts one wake, as `wake_row` gives it, to the object, and its answer on the way."""
        _, i, _, now, close, volume, number, frame = wake
        begins = self.busy_until
        if begins <= now:
            begins = now
        elif self.answers_at[i] > now:
            self.skipped += 1
            return
        market = self.market
        market.instrument, market.frame, market.now_ns = i, frame, now
        price_scale, quantity_scale = self._scales[i]
        bar = Bar(i, self._timeframes[frame], close / price_scale, volume / quantity_scale, now)
        before = b"" if self.memory_dtype is None else self._lend(i)
        try:
            target = self.strategy.on_bar(bar, market)
        except (Exception, SystemExit) as error:  # whatever a user's strategy raises is told as its own error
            raise raised(self.strategy, error, asked(bar, market)) from error
        self.busy_until = self.answers_at[i] = due = begins + self.think_ns
        if before:
            self._take(i, before, due)
        if target is not None:
            try:
                answer = codes.TARGET, int(target.price), int(target.quantity), number, 0
                if not (-MOST < answer[1] < MOST and -MOST < answer[2] < MOST):
                    raise OverflowError
            except (AttributeError, TypeError, ValueError, OverflowError):
                raise odd_answer(self.strategy, target, asked(bar, market)) from None
            self._inbox.send(self.k, i, due, answer)

    def _lend(self, i: int) -> bytes:
        """Gives the object its declared memory as the machine holds it; what else it kept does not count."""
        at = i * N_WORDS * WORD
        before = bytes(self._held[at : at + len(self._bytes)])
        self._bytes[:] = before
        self.strategy.memory = self._record  # type: ignore[attr-defined]
        return before

    def _take(self, i: int, before: bytes, due: int) -> None:
        """Every changed word becomes a MEMORY row of the answer."""
        after = self.strategy.memory.tobytes()  # type: ignore[attr-defined]
        if after == before:
            return
        old, new = np.frombuffer(before, np.int64), np.frombuffer(after, np.int64)
        for at in np.flatnonzero(old[: len(new)] != new).tolist():
            self._inbox.send(self.k, i, due, (codes.MEMORY, 0, 0, at, int(new[at])))
