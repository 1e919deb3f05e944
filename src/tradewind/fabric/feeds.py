"""The feed of one venue: connections come and go, its streams go on.

    connect ─▶ subscribe ─▶ first data proves it ─▶ join snapshot, ask history ─▶ SYNCED
       ▲                                                   │ silence, gap, wrong proof: subscribe or ask again
       └── full jitter, inside the venue's quota ◀── cut ──┘ announced cut, or old age: a second connection takes over first

Everything it uses of the world comes in by `Outside`: sockets, time, chance.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from tradewind.domain import codes
from tradewind.domain import reasons as why
from tradewind.domain.errors import OutcomeUnknown, Refused, TradewindError, Unreachable
from tradewind.venues.adapter import BAR, DEPTH, FUNDING, MARK, OPEN_INTEREST, QUOTE, TRADE, MarketAdapter, Topic
from tradewind.venues.keepers import BookKeeper, keeper_of

from . import comparing, history, polling
from .access import Access
from .budget import Backoff, Budget
from .clock import JournalTime
from .desk import Desk
from .lanes import HISTORY, NOTHING, RESUBSCRIBE, SNAPSHOT, BarLane, Lane
from .links import FrameCounts, Link
from .standing import Doubt, Standing
from .transport import Absent, Denied, Transport


class Outside(NamedTuple):
    """What a feed uses of the world."""

    transport: Transport
    time: JournalTime
    rng: random.Random


class Place(NamedTuple):
    """Where a venue is."""

    rest: str
    ws: str


class Wanted(NamedTuple):
    """What a feed follows. The adapter's instruments are adopted before a feed is made."""

    adapter: MarketAdapter
    place: Place
    symbols: Sequence[str]
    channels: Sequence[str]


class Patience(NamedTuple):
    """How long a feed waits for what; seconds."""

    link: float = 10.0  # for any byte of a connection
    book: float = 15.0  # for a change of a synced book
    quote: float = 30.0
    trade: float = 60.0  # then the history is asked whether there was really none
    proof: float = 10.0  # for the first data after a subscription
    life: float = 23.5 * 3600.0  # of a connection: venues cut at 24 h
    takeover: float = 60.0  # for a second connection to be ready
    unconnected: float = 30.0  # without a socket, then REST is polled
    poll: float = 5.0
    clock: float = 60.0
    rules: float = 300.0
    compare: float = 30.0  # from book to book: WebSocket against REST
    tick: float = 0.5


def number_of(adapter: MarketAdapter, name: str, default: float) -> float:
    """A fact that is a number."""
    fact = adapter.facts.get(name)
    return float(fact.value) if fact is not None and isinstance(fact.value, int | float) else default


STEADY = (DEPTH, QUOTE, MARK, FUNDING)  # channels that always have something to say
MANY, MANY_NS = 3, 10 * codes.MINUTE  # broken proofs in that time degrade a stream
LIFE_MARGIN_S = 1800.0  # before a venue's own cut
DEGRADED_S = 60.0  # between two tries for a degraded stream


class Feed:
    """One venue. Run `run` as a task; cancel it to stop."""

    def __init__(self, venue: Wanted, outside: Outside, budget: Budget, desk: Desk, patience: Patience | None = None) -> None:
        self.adapter, self.place, self.outside = venue.adapter, venue.place, outside
        self.budget, self.desk, self.patience = budget, desk, patience or Patience()
        instruments, carried = range(len(self.adapter.instruments)), self.adapter.channels()
        topics = [Topic(channel, at) for at in instruments for channel in carried if channel in venue.channels]
        self.lanes = [self._lane(topic) for topic in topics if self._is_told(topic)]
        self.lane_of = {lane.topic: lane for lane in self.lanes}
        self.links: list[Link] = []
        self.frame_counts = FrameCounts()
        self.notices: dict[str, int] = {}
        self.refusals: dict[str, int] = {}
        self.first_refusals: dict[str, str] = {}  # the beginning of the first frame refused, by reason
        self.problems: dict[str, int] = {}
        self.strangers = self.connections = self.takeovers = self.compared = 0
        self.unconnected_since = desk.time.now()
        self.absent = False  # the venue has no sockets at all
        self.rules: dict[tuple[int, str], int] = {}  # what changed since the instruments were adopted
        self.standings: list[Standing] = []  # by instrument, what the machine thinks of it; none where no machine listens
        self.doubts = [Doubt() for _ in instruments]
        self.retell = False  # an earlier life may have told other rules: they are told again
        self.access = Access(self)
        self._tasks: dict[object, asyncio.Task[None]] = {}
        self._number = 0

    def _is_told(self, topic: Topic) -> bool:
        """Whether the venue tells it of this instrument at all: open interest is of contracts, marks that are asked for too."""
        if topic.channel in (MARK, FUNDING):
            asked = getattr(self.adapter, "ask_marks", None)
            return asked is None or asked(topic) is not None
        asked = getattr(self.adapter, "ask_open_interest", None)
        return topic.channel != OPEN_INTEREST or (asked is not None and asked(topic) is not None)

    def _lane(self, topic: Topic) -> Lane:
        source = next(
            at for at, x in enumerate(self.adapter.streams) if (x.channel, x.instrument) == (topic.channel, topic.instrument)
        )
        keeper = keeper_of(self.adapter, topic)
        if topic.channel != BAR:
            return Lane(topic, source, keeper, self.desk)
        lane = BarLane(topic, source, keeper, self.desk)
        lane.timeframe = codes.TIMEFRAME_NAMES.index(getattr(self.adapter, "bar_timeframe", "1m"))
        return lane

    # Small things for links and history ------------------------------------------------------------------------------------

    def number(self, count: int) -> int:
        """The first of `count` new request numbers."""
        self._number += count
        return self._number - count + 1

    def backoff(self) -> Backoff:
        """Growing waits."""
        return Backoff(self.outside.rng)

    def note(self, error: TradewindError) -> None:
        """Counts what went wrong."""
        self.note_text(error.what)

    def note_text(self, text: str) -> None:
        """Counts what went wrong."""
        text = text[:120]
        if text in self.problems or len(self.problems) < 1000:
            self.problems[text] = self.problems.get(text, 0) + 1

    def connected(self, lane: Lane) -> bool:
        """Whether the lane's topic is on an open connection."""
        return any(not link.rehearsing and lane.source in link.lanes for link in self.links)

    def heed(self, standings: Sequence[Standing]) -> None:
        """What the machine thinks of every instrument, now and then: a book it has doubted for long is joined anew."""
        self.standings, now = list(standings), self.desk.time.now()
        for instrument, (standing, doubt) in enumerate(zip(standings, self.doubts, strict=True)):
            lane = self.lane_of.get(Topic(DEPTH, instrument))
            if lane is None or lane.state.condition != codes.SYNCED or not self.budget.open:
                doubt.rest()
            elif doubt.due(standing.broken != 0, now):
                self.note_text(f"a book was joined anew: {why.name(standing.broken)}")
                lane.distrust(why.BOOK_DOUBTED)
        self.access.look()
        self.desk.flush()

    # Running ----------------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled. One task a connection, one for what only time tells, one for clock and rules."""
        self.access.begin()
        self.desk.flush()
        try:
            async with asyncio.TaskGroup() as group:
                for topics in self.groups():
                    group.create_task(self._keep(topics))
                group.create_task(self._watch())
                group.create_task(self._clock())
                group.create_task(polling.poll(self))
                group.create_task(polling.refresh_rules(self))
                group.create_task(polling.derivatives(self))
                group.create_task(comparing.compare(self))
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Lets every connection go; streams are told."""
        self.access.end()
        tasks = [task for task in self._tasks.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for link in list(self.links):
            link.wire.abort()
            self._gone(link, why.UNSUBSCRIBED)

    def groups(self) -> list[list[Topic]]:
        """Topics by the address they live at and by what one connection may carry."""
        found: dict[str, list[Topic]] = {}
        for lane in self.lanes:
            found.setdefault(self.adapter.socket_url(self.place.ws, [lane.topic]), []).append(lane.topic)
        most = int(number_of(self.adapter, "ws.streams_per_connection", 200))
        return [topics[at : at + most] for topics in found.values() for at in range(0, len(topics), most)]

    async def _keep(self, topics: list[Topic]) -> None:
        """One connection for `topics`, for ever: opened, heard, replaced before it is cut, opened again after it was."""
        backoff = self.backoff()
        link: Link | None = None
        while True:
            if link is None and self.absent:
                return
            if link is None:
                link = await self._open(topics, rehearsing=False)
            if link is None:
                await asyncio.sleep(backoff.wait_s())
                continue
            successor = await self._serve(link)
            if link.useful:
                backoff.succeeded()
            link = successor
            if link is None:
                await asyncio.sleep(backoff.wait_s())

    async def _open(self, topics: list[Topic], *, rehearsing: bool) -> Link | None:
        """A connection with its subscriptions sent; None where there is none to be had now."""
        await self.budget.connect()
        self.connections += 1
        try:
            wire = await self.outside.transport.connect(self.adapter.socket_url(self.place.ws, topics))
        except (Unreachable, Refused, OutcomeUnknown) as error:
            self.note(error)
            if isinstance(error, Absent):
                self.absent, self.unconnected_since = True, 0
            if isinstance(error, Denied):
                self.budget.heard(error.answer.status, self.adapter.quota(error.answer))
                self.access.look()
                self.desk.flush()
            return None
        link = Link(self, wire, topics, rehearsing)
        self.links.append(link)
        self.desk.flush()
        return link

    async def _serve(self, link: Link) -> Link | None:
        """Hears a link to its end; gives the one that took over from it, if one did."""
        hearing = asyncio.ensure_future(self._hear(link))
        handing = asyncio.ensure_future(self._hand_over(link))
        try:
            await asyncio.wait({hearing, handing}, return_when=asyncio.FIRST_COMPLETED)
            successor = handing.result() if handing.done() and not handing.cancelled() else None
        finally:
            for task in (hearing, handing):
                task.cancel()
            await asyncio.gather(hearing, handing, return_exceptions=True)
            link.wire.abort()
        if successor is None:
            successor = next((x for x in self.links if x.rehearsing and x.topics == link.topics), None)
            if successor is not None and successor.ready:
                successor.take_over(link)
            elif successor is not None:
                successor.wire.abort()
                self.links.remove(successor)
                successor = None
        self._gone(link, why.DISCONNECTED, told=successor is None)
        return successor

    async def _hear(self, link: Link) -> None:
        try:
            while True:
                link.hear(await link.wire.arrivals())
                self._attend(link)
        except Unreachable as error:
            self.note(error)

    def _gone(self, link: Link, cause: int, *, told: bool = True) -> None:
        if link in self.links:
            self.links.remove(link)
        if told and not link.rehearsing:
            for lane in link.lanes.values():
                lane.disconnected(cause)
        self.desk.flush()
        if not self.links:
            self.unconnected_since = self.desk.time.now()

    # Taking over --------------------------------------------------------------------------------------------------------------

    async def _hand_over(self, link: Link) -> Link | None:
        """Waits until the link should go, opens another beside it, and lets it take over when it can."""
        life = min(self.patience.life, number_of(self.adapter, "ws.life_s", 24 * 3600.0) - LIFE_MARGIN_S)
        left = life - (self.desk.time.now() - link.opened) / 1e9
        with suppress(TimeoutError):
            await asyncio.wait_for(link.retire.wait(), max(left, 0.0))
        backoff = self.backoff()
        while True:
            successor = await self._open(link.topics, rehearsing=True)
            if successor is not None and await self._prepare(successor):
                successor.take_over(link)
                self.takeovers += 1
                return successor
            await asyncio.sleep(backoff.wait_s())

    async def _prepare(self, successor: Link) -> bool:
        """Hears the second link until it is ready; False where it never was."""
        hearing = asyncio.ensure_future(self._hear(successor))
        try:
            async with asyncio.timeout(self.patience.takeover):
                while not hearing.done():
                    if successor.counts.frames and successor.ready:
                        return True
                    await asyncio.sleep(0.05)
        except TimeoutError:
            self.note_text("a second connection was not ready in time")
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
        successor.wire.abort()
        self.links.remove(successor)
        return False

    # What lanes wish -----------------------------------------------------------------------------------------------------------

    def _attend(self, link: Link) -> None:
        """Starts what lanes wish of the network."""
        for lane in link.lanes.values():
            if lane.wish != NOTHING:
                self._grant(lane)

    def _grant(self, lane: Lane) -> None:
        if lane.wish == SNAPSHOT and self._free(lane, "snapshot"):
            lane.wish = NOTHING
            lane.tell(why.SNAPSHOT_ASKED)
            self.desk.flush()
            self._tasks[lane, "snapshot"] = asyncio.ensure_future(self._join(lane))
        elif lane.wish == HISTORY and self._free(lane, "history"):
            lane.wish, lane.filling = NOTHING, True
            lane.tell(why.HISTORY_ASKED)
            self.desk.flush()
            self._tasks[lane, "history"] = asyncio.ensure_future(history.fill(self, lane))

    def _free(self, lane: Lane, what: str) -> bool:
        task = self._tasks.get((lane, what))
        return task is None or task.done()

    async def _join(self, lane: Lane) -> None:
        """Joins a snapshot; a degraded stream waits before it is tried again."""
        if self.degraded(lane):
            await asyncio.sleep(DEGRADED_S)
        await history.join_snapshot(self, lane)

    def degraded(self, lane: Lane) -> bool:
        """Whether a stream broke so often of late that it is not to be relied on."""
        now = self.desk.time.now()
        lane.failures = [at for at in lane.failures if at > now - MANY_NS]
        return len(lane.failures) >= MANY

    def rests(self, lane: Lane) -> bool:
        """Whether a book that broke too often is left alone for now: a new subscription would bring it back at once."""
        broken = lane.state.condition in (codes.GAP, codes.INVALID) and self.degraded(lane)
        return broken and self.desk.time.now() - lane.failures[-1] < DEGRADED_S * 1e9

    # What only time tells --------------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Twice a second: who has gone silent, who was never proven, which book stands crossed, was our clock set?"""
        while True:
            await asyncio.sleep(self.patience.tick)
            now = self.desk.time.now()
            for link in list(self.links):
                self._watch_link(link, now)
            for lane in self.lanes:
                if self.connected(lane):
                    self._watch_lane(lane, now)
            for link in self.links:
                link.tick()
                if not link.rehearsing:
                    self._attend(link)
            if self.desk.time.stepped() is not None:
                self.note_text("this computer's clock was set")
            self.access.look()
            self.desk.flush()

    def _watch_link(self, link: Link, now: int) -> None:
        silent = (now - link.wire.heard_ns()) / 1e9
        if silent > self.patience.link:
            self.note_text("a connection went silent")
            link.wire.abort()
        elif silent > self.patience.link / 2:
            link.wire.ping()

    def _watch_lane(self, lane: Lane, now: int) -> None:
        lane.watch(now)
        channel, silent = lane.topic.channel, (now - max(lane.heard, lane.asked)) / 1e9
        if not lane.proven:
            if channel in (DEPTH, QUOTE) and (now - lane.asked) / 1e9 > self._proof_s(lane):
                lane.tell(why.NEVER_PROVEN)
                lane.failures.append(now)
                lane.wish = RESUBSCRIBE
            return
        if isinstance(lane.keeper, BookKeeper) and lane.state.condition == codes.BACKFILLING and not lane.keeper.by_request:
            if (now - lane.asked) / 1e9 > self._proof_s(lane):
                lane.failures.append(now)
                lane.wish = RESUBSCRIBE
        elif channel in (TRADE, BAR) and silent > self.patience.trade and not lane.filling:
            lane.heard, lane.wish, lane.filling = now, HISTORY, True
        elif channel in STEADY and silent > (self.patience.book if channel == DEPTH else self.patience.quote):
            lane.tell(why.WENT_SILENT)
            if silent > self._proof_s(lane) and channel != FUNDING:  # it comes with the marks
                lane.asked, lane.wish = now, RESUBSCRIBE

    def _proof_s(self, lane: Lane) -> float:
        return DEGRADED_S if self.degraded(lane) else self.patience.proof

    async def _clock(self) -> None:
        """Asks for the venue's time: often at first, then now and then."""
        for number in range(1 << 62):
            await history.measure_clock(self)
            await asyncio.sleep(2.0 if number < 4 else self.patience.clock)
