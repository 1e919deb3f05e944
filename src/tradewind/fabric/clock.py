"""Time for the rim: where it comes from, and how it becomes journal time."""

from __future__ import annotations

import time
from typing import Protocol

from tradewind.domain import codes

STEP_NS = 100 * codes.MILLISECOND  # a wall clock that moved against the monotonic one by more was set, not slewed


class Clock(Protocol):
    """The two clocks of this computer. Nothing in the fabric reads a clock but through this."""

    def wall_ns(self) -> int:
        """ns UTC; may be set, may go back."""

    def mono_ns(self) -> int:
        """ns since some moment; never goes back."""


class SystemClock:
    """The operating system's clocks."""

    def wall_ns(self) -> int:
        """ns UTC."""
        return time.time_ns()

    def mono_ns(self) -> int:
        """ns since some moment."""
        return time.monotonic_ns()


class JournalTime:
    """Journal time: the wall clock as it stood at the start, carried on by the monotonic clock.

    So a wall clock that is set, by a person or by NTP, moves no row and no decision; `step_ns` says how far it went.
    """

    def __init__(self, clock: Clock, not_before: int = 0) -> None:
        self.clock = clock
        self._anchor = max(clock.wall_ns(), not_before) - clock.mono_ns()
        self._offset = 0
        self.last = not_before

    def now(self) -> int:
        """The present moment in journal time; may repeat."""
        return self.clock.mono_ns() + self._anchor

    def stamp(self, at: int) -> int:
        """A journal time for what arrived at `at`, later than every one given before: it orders rows without a tie."""
        self.last = at if at > self.last else self.last + 1
        return self.last

    def next(self, at: int) -> int:
        """What `stamp` would give; nothing is given yet."""
        return at if at > self.last else self.last + 1

    def step_ns(self) -> int:
        """Wall clock minus journal time."""
        return self.clock.wall_ns() - self.now()

    def stepped(self) -> int | None:
        """The new `step_ns` where the wall clock was set since the last call, else None."""
        step = self.step_ns()
        if abs(step - self._offset) <= STEP_NS:
            return None
        self._offset = step
        return step
