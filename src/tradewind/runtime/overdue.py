"""A word where a Python strategy takes long over one answer, and an end where it takes too long.

A run asks its strategies in its own thread, so one that loops for ever would hang it without a word. While a run plays, an
interval timer interrupts it every few seconds (SIGALRM), and the handler looks whether the same question is still being
answered as at the last look. Nothing of a run depends on it: where every answer comes in time it changes no row, and where it
ends a run the journal holds what happened before.

There is no timer in other threads than the main one, on Windows, and where the host uses SIGALRM itself. A strategy that
somebody steps through with a debugger is left in peace.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from tradewind.domain import codes
from tradewind.strategies.base import Bar

from . import seats, wakes
from .strategyfile import file_of

LOOK_S = 5.0
QUESTIONS = {seats.Seat.ask.__code__, wakes.Wakes._ask.__code__}  # where strategies are asked
OURS = {code.co_filename for code in QUESTIONS}


class Overdue(SystemExit):
    """Raised inside the strategy: no `except Exception` of its own swallows it. The seat tells it as a StrategyFault."""


class _Question:
    """What a strategy is being asked, seen from a frame inside its answer."""

    def __init__(self, frame: FrameType) -> None:
        told: dict[str, Any] = frame.f_locals
        self.bar: Bar | None = told.get("bar")
        self.market = told.get("market")
        self.strategy = told["strategy"] if "strategy" in told else told["self"].strategy

    def place(self, frame: FrameType | None) -> str:
        """File and line where the strategy's own code stands."""
        path = file_of(self.strategy)
        while frame is not None and frame.f_code.co_filename != path:
            frame = frame.f_back
        return f"{path}, line {frame.f_lineno}" if frame is not None else path


def _question(frame: FrameType | None) -> _Question | None:
    """The question that the strategy's code above `frame` is at; None where no strategy is at work."""
    inner = None
    while frame is not None and frame.f_code not in QUESTIONS:
        inner, frame = frame, frame.f_back
    if frame is None or inner is None or inner.f_code.co_filename in OURS:
        return None
    return _Question(frame)


class _Watch:
    """The handler: how many looks in a row found the same question."""

    def __init__(self, say: Callable[[str], None], limit_s: float) -> None:
        self.say, self.limit_s = say, limit_s
        self.period_s = min(LOOK_S, limit_s / 4) if limit_s else LOOK_S
        self._bar: Bar | None = None
        self._looks = 0

    def look(self, number: int, frame: FrameType | None) -> None:
        """One tick of the timer."""
        question = None if sys.gettrace() else _question(frame)
        if question is None or question.bar is None or question.bar is not self._bar:
            self._bar, self._looks = question.bar if question else None, 0
            return
        self._looks += 1
        took = self._looks * self.period_s
        if self.limit_s and took >= self.limit_s:
            raise Overdue(f"no answer within {self.limit_s:g} s (run.answer_limit_ns)")
        if self._looks & (self._looks - 1) == 0:  # 1, 2, 4, 8: seldom, and never silent for good
            name, asked = type(question.strategy).__name__, seats.asked(question.bar, question.market)  # type: ignore[arg-type]
            with suppress(RuntimeError):  # the strategy was printing just now: the stream is busy, the next look tells it
                self.say(f"{name} has been thinking for {took:g} s about {asked}: {question.place(frame)}")


@contextmanager
def watched(say: Callable[[str], None], limit_ns: int) -> Iterator[None]:
    """While it lasts, strategies that take long are told by `say`, and ended after `limit_ns` (0: never) with StrategyFault."""
    alarm = getattr(signal, "SIGALRM", None)
    if (
        alarm is None
        or threading.current_thread() is not threading.main_thread()
        or signal.getsignal(alarm) is not signal.SIG_DFL
        or any(signal.getitimer(signal.ITIMER_REAL))
    ):
        yield
        return
    watch = _Watch(say, limit_ns / codes.SECOND)
    signal.signal(alarm, watch.look)
    signal.setitimer(signal.ITIMER_REAL, watch.period_s, watch.period_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(alarm, signal.SIG_DFL)
