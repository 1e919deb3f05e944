"""The rung every instrument of a venue is granted: the table of `policy`, applied to how its streams and its venue stand.

Told as RULE rows (column ACCESS), so that a machine, a recording and a replay of it hear the same. Down at once; back one rung
at a time, each after CALM_NS in which nothing spoke against it, so that what comes and goes does not flap. Only where a feed
has just begun is it granted at once what it brings: nothing was lost yet. Only streams of the plan count: who follows quotes
alone does not miss a book.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tradewind.domain import codes, layout
from tradewind.domain import reasons as why
from tradewind.domain.codes import ACTIVE, INVALID, STALE, SYNCED, UNAVAILABLE
from tradewind.venues.adapter import LIQUIDATION

from . import policy
from .polling import rule_row
from .standing import HOLD_NS
from .streams import Transition

if TYPE_CHECKING:
    from .feeds import Feed

CALM_NS = 3 * codes.SECOND  # from rung to rung on the way back
BEGIN_NS = 30 * codes.SECOND  # a feed that began so lately has lost nothing yet
MANY, MANY_NS = 3, 10 * codes.MINUTE  # broken proofs of a venue's books in that time, and the venue is not to be relied on
MISSED = 5  # questions for the time in a row, and the clock is stale
FULL_TRUST = 0.6  # below it a source has to earn its trust (tuning `trust_enter`)
NOBODY_KNOWS = -1  # what an earlier life told


class Access:
    """What one venue's instruments are granted. Nothing is told before `begin` and after `end`."""

    def __init__(self, feed: Feed) -> None:
        n = len(feed.adapter.instruments)
        self.feed, self.told = feed, [ACTIVE] * n  # by instrument, as a machine that heard nothing of it believes
        self._since = [0] * n  # when it last was no better than what is told
        self._stood = [False] * n  # on ACTIVE, since the beginning
        self._doubted = [0] * n  # since when the machine has not believed its touch
        self._proofs: deque[int] = deque(maxlen=MANY)
        self._lanes = [[x for x in feed.lanes if x.topic.instrument == i and x.topic.channel != LIQUIDATION] for i in range(n)]
        self._has_time = feed.adapter.ask_time() is not None
        self._open, self._began = False, 0
        feed.desk.watchers.append(self._saw)

    def begin(self) -> None:
        """The feed runs from now on. What is lost yet is told."""
        self._open, self._began = True, self.feed.desk.time.now()
        if self.feed.retell:
            self.told = [NOBODY_KNOWS] * len(self.told)
        self.look()

    def end(self) -> None:
        """The feed is being stopped: that its streams end is nobody's loss."""
        self._open = False

    def look(self) -> None:
        """Tells what changed: called wherever a rung may go down, and now and then."""
        if not self._open:
            return
        now = self.feed.desk.time.now()
        venue = max((policy.action(*lost).rung for lost in self.venue_losses(now)), default=ACTIVE)
        for instrument in range(len(self.told)):
            own = max((policy.action(*lost).rung for lost in self.losses(instrument, now)), default=ACTIVE)
            self._step(instrument, max(venue, own), now)

    def _saw(self, made: Transition) -> None:
        if made.cause == why.PROOF_FAILED:
            self._proofs.append(made.at)
        self.look()

    def _step(self, instrument: int, least: int, now: int) -> None:
        """From the rung told towards `least`, the best that what is lost leaves."""
        told = self.told[instrument]
        if least >= told:
            self._since[instrument] = now
        beginning = not self._stood[instrument] and now - self._began < BEGIN_NS
        if least > told or (least < told and beginning):
            self._tell(instrument, least)
        elif least < told and now - self._since[instrument] >= CALM_NS:
            self._since[instrument] = now
            self._tell(instrument, told - 1)
        self._stood[instrument] |= self.told[instrument] == ACTIVE

    def _tell(self, instrument: int, rung: int) -> None:
        self.told[instrument] = rung
        self.feed.desk.emit(rule_row(instrument, layout.ACCESS, rung, self.feed.desk.stamp()))

    # What is lost ----------------------------------------------------------------------------------------------------------

    def losses(self, instrument: int, now: int) -> Iterator[tuple[int, str]]:
        """(condition, capability) of everything of an instrument that does not stand."""
        for lane in self._lanes[instrument]:
            if lane.state.condition != SYNCED:
                yield lane.state.condition, policy.CAPABILITY_OF[lane.topic.channel]
        if not self.feed.standings:
            return
        standing = self.feed.standings[instrument]
        if standing.believed or not standing.blame:
            self._doubted[instrument] = 0
            if standing.believed and standing.trust < FULL_TRUST:
                yield STALE, policy.TRUST
            return
        self._doubted[instrument] = self._doubted[instrument] or now
        if now - self._doubted[instrument] >= HOLD_NS:
            yield INVALID, policy.TRUST

    def venue_losses(self, now: int) -> Iterator[tuple[int, str]]:
        """(condition, capability) of everything of the venue itself that does not stand."""
        feed = self.feed
        if not feed.budget.open:
            yield UNAVAILABLE, policy.REQUESTS
        elif feed.budget.used_up:
            yield STALE, policy.REQUESTS
        if self._has_time:
            heard = feed.desk.skew.samples
            if not heard:
                yield UNAVAILABLE, policy.CLOCK
            elif now - heard[-1].at > MISSED * feed.patience.clock * codes.SECOND:
                yield STALE, policy.CLOCK
        if feed.absent or (not feed.links and now - feed.unconnected_since > feed.patience.unconnected * codes.SECOND):
            yield UNAVAILABLE, policy.SOCKET
        if len(self._proofs) == MANY and now - self._proofs[0] < MANY_NS:
            yield INVALID, policy.PROOF
