"""How venues count what one address asks of them."""

from __future__ import annotations

from collections import deque

from .clock import SECOND_NS

MINUTE_NS = 60 * SECOND_NS
FIRST_BAN_S, LONGEST_BAN_S = 120, 3 * 86_400  # rest-api.md, IP Limits, 2026-07-21: from 2 minutes to 3 days
PATIENCE = 10  # requests after a 429 in the same minute until the address is banned; the venue publishes no number


class Weights:
    """Binance: a sum of weights each minute; beyond it 429, going on regardless 418 for longer and longer."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.banned_until_ns = 0
        self._minute = 0
        self._ignored = 0
        self._bans = 0

    def charge(self, weight: int, now_ns: int) -> int:
        """Counts a request; gives the status it deserves: 200, 429 or 418."""
        if now_ns < self.banned_until_ns:
            return 418
        minute = now_ns // MINUTE_NS
        if minute != self._minute:
            self._minute, self.used, self._ignored = minute, 0, 0
        self.used += weight
        if self.used <= self.limit:
            return 200
        self._ignored += 1
        if self._ignored <= PATIENCE:
            return 429
        self.ban(min(FIRST_BAN_S * 4**self._bans, LONGEST_BAN_S), now_ns)
        return 418

    def ban(self, seconds: float, now_ns: int) -> None:
        """Shuts the address out."""
        self._bans += 1
        self.banned_until_ns = now_ns + round(seconds * SECOND_NS)

    def retry_after_s(self, now_ns: int) -> int:
        """Seconds to wait: to the end of a ban, else of the minute."""
        until_ns = self.banned_until_ns if now_ns < self.banned_until_ns else (now_ns // MINUTE_NS + 1) * MINUTE_NS
        return max(1, -(-(until_ns - now_ns) // SECOND_NS))


class Bucket:
    """Tokens that refill evenly up to a burst."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._left, self._at_ns = burst, 0

    def take(self, now_ns: int) -> bool:
        """Whether there was a token left."""
        if self._at_ns:
            self._left = min(self._burst, self._left + (now_ns - self._at_ns) / SECOND_NS * self._per_second)
        self._at_ns = now_ns
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Rolling:
    """At most so many within the last so many seconds."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit, self._window_ns = limit, round(seconds * SECOND_NS)
        self._times: deque[int] = deque()

    def take(self, now_ns: int) -> bool:
        """Counts one; False where it was one too many."""
        while self._times and self._times[0] <= now_ns - self._window_ns:
            self._times.popleft()
        self._times.append(now_ns)
        return len(self._times) <= self.limit
