"""Where an emulated venue's time comes from: the machine's clock, faster or slower, or a test's hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

SECOND_NS = 1_000_000_000


class Clock(Protocol):
    """The venues' own time in ns since 1970, and a way to wait for it."""

    def now_ns(self) -> int:
        """The time it is at the venues."""

    async def sleep(self, seconds: float) -> None:
        """Waits for that much of the venues' time."""


class ScaledClock:
    """Time that passes `speed` times as fast as the machine's, from `start_ns` on."""

    def __init__(self, start_ns: int, speed: float = 1.0, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._start_ns, self.speed, self._monotonic_ns = start_ns, speed, monotonic_ns
        self._from_ns = monotonic_ns()

    def now_ns(self) -> int:
        """The time it is at the venues."""
        return self._start_ns + round((self._monotonic_ns() - self._from_ns) * self.speed)

    async def sleep(self, seconds: float) -> None:
        """Waits for that much of the venues' time."""
        await asyncio.sleep(seconds / self.speed)


class HandClock:
    """Time that stands still until somebody moves it."""

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns
        self._moved = asyncio.Event()

    def now_ns(self) -> int:
        """The time it is at the venues."""
        return self._now_ns

    def move_to(self, now_ns: int) -> None:
        """Makes it later."""
        self._now_ns = max(self._now_ns, now_ns)
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Waits until the hand has moved that far."""
        until_ns = self._now_ns + round(seconds * SECOND_NS)
        while self._now_ns < until_ns:
            await self._moved.wait()
