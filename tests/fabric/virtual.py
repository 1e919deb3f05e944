"""A virtual loop: asyncio without waiting. Time jumps to the next timer as soon as nothing else is ready."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
START_NS = 1_732_300_000 * 1_000_000_000


class _Selector(selectors.SelectSelector):
    """Waiting is jumping."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everything waits for ever")
            self.now += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its own time, from 0."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual.now


class VirtualClock:
    """The clocks of a computer inside a virtual loop; `set_wall` is what a person or NTP does."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self.wall_offset = loop, 0

    def wall_ns(self) -> int:
        return START_NS + self.mono_ns() + self.wall_offset

    def mono_ns(self) -> int:
        return round(self._loop.time() * 1e9)


def run(make: Any, limit_s: float = 1e7) -> Any:
    """Runs `make(clock)` to its end in virtual time; fails where that takes longer than `limit_s` of it."""
    loop = VirtualLoop()
    try:
        asyncio.set_event_loop(loop)
        coroutine: Coroutine[Any, Any, T] = make(VirtualClock(loop))
        return loop.run_until_complete(asyncio.wait_for(coroutine, limit_s))
    finally:
        _cancel_rest(loop)
        asyncio.set_event_loop(None)
        loop.close()


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
