"""What the machine believes of each source, told back to its feed: shown beside the stream's condition, and acted on.

The machine sees what a feed cannot: a book that stands still while the others move, or contradicts the venue's own best quote,
or has lost its touch. Its doubt takes vote and weight away inside the machine, at once. Where only a new book can help, the
lane joins one: when the doubt has stood for HOLD_NS, after a wait that doubles each time it did not help, and within the
request budget. So a doubt that comes and goes asks for nothing, and one that stays asks ever more seldom.
"""

from __future__ import annotations

from typing import NamedTuple

from tradewind.domain import codes

HOLD_NS = 3 * codes.SECOND  # a doubt must have stood for so long
FIRST_NS = 30 * codes.SECOND  # from one new book to the next,
MOST_NS = 15 * codes.MINUTE  # twice as long each time, up to this;
WELL_NS = 10 * codes.MINUTE  # and from the beginning again where it stood well for so long


class Standing(NamedTuple):
    """One source as the machine sees it."""

    trust: float  # 0 to 1
    quality: float  # 0 to 1
    believed: bool  # its touch may be used and has a vote
    blame: int  # the reason told last in this episode; 0 where nothing is held against it
    broken: int  # the reason why its book must be joined anew; 0 where that would not help


class Doubt:
    """When a doubted book is joined anew."""

    def __init__(self) -> None:
        self.rejoined = 0
        self._since = self._well = self._not_before = 0
        self._wait = FIRST_NS

    def rest(self) -> None:
        """The lane is not whole, or nothing may be asked: what the machine thinks of it says nothing new."""
        self._since = 0

    def due(self, broken: bool, now: int) -> bool:
        """Whether to join anew now."""
        if not broken:
            self._since = 0
            self._well = self._well or now
            if now - self._well >= WELL_NS:
                self._wait = FIRST_NS
            return False
        self._well = 0
        self._since = self._since or now
        if now - self._since < HOLD_NS or now < self._not_before:
            return False
        self._since, self._not_before = 0, now + self._wait
        self._wait = min(2 * self._wait, MOST_NS)
        self.rejoined += 1
        return True
