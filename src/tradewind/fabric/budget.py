"""The request budget: one broker for each address and key, because that is what venues count by.

Windows slide: in no stretch of a window's length is more spent than its limit, wherever the venue's own window begins. What
the venue says it counted (`Quota.used`) is believed where it is more than ours: somebody shares the address. During a ban
nothing is asked at all.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.venues.adapter import Quota

from .clock import JournalTime

SHARES: Mapping[str, float] = {"cancel": 1.0, "rules": 0.8, "market": 0.8, "clock": 0.8, "history": 0.5}
"""How much of a window each purpose may use up: what is left above is there for the ones before it."""
BAN_NS = 2 * codes.MINUTE  # where a ban names no end: the shortest ban Binance's documentation names
PAUSE_NS = 10 * codes.SECOND  # where a warning names no end
MARGIN_NS = codes.SECOND  # beyond the end a venue names: its clock is not ours


class Window(NamedTuple):
    """One limit of a venue: `limit` units in any `length_ns`."""

    name: str
    limit: int
    length_ns: int


class Meter:
    """What was spent in one window."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.spent = 0
        self._spends: deque[tuple[int, int]] = deque()

    def forget(self, now: int) -> None:
        """Lets go what left the window."""
        while self._spends and self._spends[0][0] <= now - self.window.length_ns:
            self.spent -= self._spends.popleft()[1]

    def add(self, now: int, weight: int) -> None:
        """Books `weight`."""
        self._spends.append((now, weight))
        self.spent += weight

    def most(self, share: float) -> int:
        """What a purpose with that share may have spent at once; one unit always."""
        return max(1, int(self.window.limit * share))

    def free_at(self, now: int, weight: int, share: float) -> int:
        """The earliest time at which `weight` more fits under `share` of the limit."""
        self.forget(now)
        over = self.spent + weight - self.most(share)
        for at, spent in self._spends:
            if over <= 0:
                break
            now, over = at + self.window.length_ns, over - spent
        return now


class Budget:
    """The broker of one address. Times are journal times."""

    def __init__(self, time: JournalTime, windows: Sequence[Window], connects: Sequence[Window] = ()) -> None:
        self._time = time
        self.meters = {window.name: Meter(window) for window in windows}
        self.connects = [Meter(window) for window in connects]
        self.closed_until = 0  # nothing is asked before
        self.banned = False
        self.asked = self.waited = 0

    def delay_ns(self, weight: int, purpose: str = "market") -> int:
        """How long a request of `weight` must wait now; 0 where it may go."""
        now = self._time.now()
        share = SHARES.get(purpose, SHARES["market"])
        for meter in self.meters.values():
            if weight > meter.most(share):
                raise BadUse(f"a request of weight {weight}", where=meter.window.name, expected=f"at most {meter.most(share)}")
        soonest = max((meter.free_at(now, weight, share) for meter in self.meters.values()), default=now)
        return max(soonest, self.closed_until) - now

    async def acquire(self, weight: int, purpose: str = "market") -> None:
        """Returns when the request may be sent, and books it."""
        while wait := self.delay_ns(weight, purpose):
            self.waited += 1
            await asyncio.sleep(wait / 1e9)
        now = self._time.now()
        for meter in self.meters.values():
            meter.add(now, weight)
        self.asked += 1

    async def connect(self) -> None:
        """Returns when one more connection may be opened, and books it."""
        while True:
            now = self._time.now()
            soonest = max([self.closed_until if self.banned else now, *(meter.free_at(now, 1, 1.0) for meter in self.connects)])
            if soonest <= now:
                break
            await asyncio.sleep((soonest - now) / 1e9)
        for meter in self.connects:
            meter.add(now, 1)

    def heard(self, status: int, quota: Quota) -> None:
        """Takes in what an answer said of the budget."""
        now = self._time.now()
        for name, used in quota.used.items():
            meter = self.meters.get(name)
            if meter is not None:
                meter.forget(now)
                if used > meter.spent:
                    meter.add(now, used - meter.spent)
        banned = quota.banned or status == 418
        if banned or status == 429 or quota.retry_after_ns:
            told = quota.retry_after_ns or (BAN_NS if banned else PAUSE_NS)
            self.closed_until = max(self.closed_until, now + told + MARGIN_NS)
            self.banned = banned or (self.banned and self.closed_until > now)
        elif now >= self.closed_until:
            self.banned = False

    @property
    def used_up(self) -> bool:
        """Whether what markets may have of a window is spent. Windows shorter than a minute only set a pace."""
        now, share = self._time.now(), SHARES["market"]
        long = (meter for meter in self.meters.values() if meter.window.length_ns >= codes.MINUTE)
        return any(meter.free_at(now, 1, share) > now for meter in long)

    @property
    def open(self) -> bool:
        """Whether anything may be asked at all."""
        return self._time.now() >= self.closed_until


class Backoff:
    """Waits that grow from failure to failure: anything between 0 and a bound that doubles up to a cap (full jitter)."""

    def __init__(self, rng: random.Random, first_s: float = 0.5, cap_s: float = 60.0) -> None:
        self._rng, self._first, self._cap = rng, first_s, cap_s
        self.failures = 0

    def wait_s(self) -> float:
        """The next wait, in seconds."""
        bound = min(self._cap, self._first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return self._rng.uniform(0.0, bound)

    def succeeded(self) -> None:
        """The next failure is the first again."""
        self.failures = 0
