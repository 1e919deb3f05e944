"""One line of time for everything the venues do: orders of the flow and timers, strictly in order of venue time."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from .flow import Happening
from .replay import Source

Timer = Callable[[int], None]
Listener = Callable[[Happening], None]


class Stage:
    """Plays the flow and the timers up to a given time. `now_ns` is how far it has played."""

    def __init__(self, flow: Source, now_ns: int) -> None:
        self.flow, self.now_ns = flow, now_ns
        self.listeners: dict[str, Listener] = {}  # by venue
        self.played = 0
        self._timers: list[tuple[int, int, int, Timer]] = []
        self._made = 0

    def at(self, ts_ns: int, timer: Timer) -> None:
        """Calls `timer` once, at a time."""
        self._push(ts_ns, 0, timer)

    def every(self, period_ns: int, timer: Timer) -> None:
        """Calls `timer` at each whole multiple of a period."""
        self._push((self.now_ns // period_ns + 1) * period_ns, period_ns, timer)

    def run_until(self, ts_ns: int) -> None:
        """Plays everything that is due. At the same ns the orders come before the timers."""
        while True:
            timer_ns = self._timers[0][0] if self._timers else ts_ns + 1
            if self.flow.next_ns <= min(timer_ns, ts_ns):
                self._play()
            elif timer_ns <= ts_ns:
                self._ring()
            else:
                break
        self.now_ns = max(self.now_ns, ts_ns)

    def _push(self, ts_ns: int, period_ns: int, timer: Timer) -> None:
        self._made += 1
        heapq.heappush(self._timers, (ts_ns, self._made, period_ns, timer))

    def _play(self) -> None:
        self.now_ns = self.flow.next_ns
        happening = self.flow.step()
        self.played += 1
        if happening is not None and happening.market.venue in self.listeners:
            self.listeners[happening.market.venue](happening)

    def _ring(self) -> None:
        ts_ns, _, period_ns, timer = heapq.heappop(self._timers)
        self.now_ns = ts_ns
        if period_ns:
            self._push(ts_ns + period_ns, period_ns, timer)
        timer(ts_ns)
