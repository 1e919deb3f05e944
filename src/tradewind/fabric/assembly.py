"""Several venues' feeds as one market: their instruments and streams in one numbering, one journal time, one sink."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tradewind.domain import codes, reasons
from tradewind.domain.errors import BadData, BadUse, TradewindError, Unreachable, did_you_mean
from tradewind.domain.instruments import Instrument, Stream
from tradewind.venues.adapter import Answer, MarketAdapter

from .budget import Backoff, Budget, Window
from .clock import JournalTime
from .desk import Desk, Row, RowSink
from .feeds import Feed, Outside, Patience, Place, Wanted, number_of
from .standing import Standing
from .streams import CONDITION_NAMES
from .warmth import make_ready

PER_MINUTE, CONNECTS, CONNECT_WINDOW_S = 60.0, 150.0, 300.0  # where a venue's facts name none
EVENLY = 600  # a venue that allows no more in a minute counts seconds too
BURST = Window("burst", 8, codes.SECOND)


def budget_of(adapter: MarketAdapter, time: JournalTime) -> Budget:
    """The request budget of one address at a venue, by the venue's facts."""
    weight = int(number_of(adapter, "rest.weight_per_minute", PER_MINUTE))
    windows = [Window("1m", weight, codes.MINUTE)]
    if weight <= EVENLY:
        windows.append(Window("1s", max(1, weight // 60), codes.SECOND))
    length = int(number_of(adapter, "ws.connect_window_s", CONNECT_WINDOW_S)) * codes.SECOND
    connects = Window("connects", int(number_of(adapter, "ws.connects_per_window", CONNECTS)), length)
    return Budget(time, windows, [connects, BURST])


def place_of(adapter: MarketAdapter) -> Place:
    """Where the real venue is, by its facts. Raises BadUse where they do not say."""
    rest, ws = adapter.facts.get("rest.url"), adapter.facts.get("ws.url")
    if rest is None or ws is None:
        raise BadUse("its facts name no address", where=adapter.venue, expected="rest.url and ws.url")
    return Place(str(rest.value), str(ws.value))


class Fabric:
    """All feeds. `open` learns the instruments, `run` streams until cancelled."""

    def __init__(self, wanted: Sequence[Wanted], outside: Outside, patience: Patience | None = None) -> None:
        self.wanted, self.outside, self.patience = list(wanted), outside, patience or Patience()
        self.instruments: list[Instrument] = []
        self.streams: list[Stream] = []
        self.feeds: list[Feed] = []
        self._budgets = [budget_of(x.adapter, outside.time) for x in self.wanted]
        self._unreached: dict[str, str] = {}  # venues that could not be connected to when last tried, and why

    async def open(self, within_s: float = 30.0, sign_s: float = codes.MINUTE / codes.SECOND) -> None:
        """Asks every venue for its instruments. Raises Unreachable naming the venue that did not answer in time.

        sign_s: for a first sign of life of any venue; where none can be connected to, asking longer is of no use.
        """
        self.warm()
        venues = zip(self.wanted, self._budgets, strict=True)
        asked = [asyncio.ensure_future(self._learn(x, budget, within_s)) for x, budget in venues]
        try:
            done, _ = await asyncio.wait(asked, timeout=min(sign_s, within_s), return_when=asyncio.FIRST_EXCEPTION)
            if not done and self.wanted and len(self._unreached) == len(self.wanted):
                where, reason = ", ".join(self._unreached), next(iter(self._unreached.values()))
                raise Unreachable(f"no venue can be reached: {reason}", where=where, todo="look at the network: `tradewind doctor`")
            await asyncio.gather(*asked)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        for x in self.wanted:
            first = len(self.instruments)
            self.instruments += x.adapter.instruments
            self.streams += [msgspec.structs.replace(s, instrument=s.instrument + first) for s in x.adapter.streams]

    async def reach(self, within_s: float) -> None:
        """Asks every venue for its time. Raises Unreachable naming one that does not answer."""
        for x in self.wanted:
            ask = x.adapter.ask_time()
            try:
                async with asyncio.timeout(within_s):
                    if ask is not None:
                        await self.outside.transport.ask(x.place.rest, ask)
            except (TradewindError, TimeoutError) as error:
                raise Unreachable("it does not answer", where=x.adapter.venue) from error

    async def _learn(self, x: Wanted, budget: Budget, within_s: float) -> None:
        if x.adapter.instruments:
            return
        backoff = Backoff(self.outside.rng)
        reason = "no answer"
        try:
            async with asyncio.timeout(within_s):
                while True:
                    try:
                        x.adapter.adopt(_named(x, await self._ask(x, budget)))
                        return
                    except BadUse:
                        raise
                    except TradewindError as error:
                        reason = str(error)
                        if isinstance(error, Unreachable):
                            self._unreached[x.adapter.venue] = error.what
                        else:
                            self._unreached.pop(x.adapter.venue, None)
                        await asyncio.sleep(backoff.wait_s())
        except TimeoutError as error:
            raise Unreachable(f"its instruments could not be learned: {reason}", where=x.adapter.venue) from error

    async def _ask(self, x: Wanted, budget: Budget) -> Answer:
        ask = x.adapter.ask_instruments()
        await budget.acquire(ask.weight, ask.purpose)
        answer = await self.outside.transport.ask(x.place.rest, ask)
        budget.heard(answer.status, x.adapter.quota(answer))
        return answer

    @staticmethod
    def warm() -> None:
        """Compiles what lanes need, before a connection waits for it."""
        make_ready()

    def join(self, sink: RowSink) -> None:
        """Makes the feeds, with `sink` as the place where their rows go."""
        first_stream = first_instrument = 0
        for x, budget in zip(self.wanted, self._budgets, strict=True):
            desk = Desk(self.outside.time, sink, len(x.adapter.streams), (first_stream, first_instrument))
            self.feeds.append(Feed(x, self.outside, budget, desk, self.patience))
            first_stream += len(x.adapter.streams)
            first_instrument += len(x.adapter.instruments)

    def resume(self, ends: Mapping[int, Row], ended: int = 0) -> None:
        """Goes on from an earlier life: by stream, the last row it told. Every stream is told to be unavailable until it is not.

        ended: journal time of that life's last row, from which on they are; 0: from now on.
        """
        first = 0
        for feed in self.feeds:
            for lane in feed.lanes:
                last = ends.get(first + lane.source)
                if last is not None:
                    lane.resume(last, ended)
            feed.retell = True
            feed.desk.flush()
            first += len(feed.adapter.streams)

    async def run(self) -> None:
        """Every feed, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for feed in self.feeds:
                group.create_task(feed.run())

    def heed(self, standings: Sequence[Standing]) -> None:
        """What a machine that hears these feeds thinks of every instrument, in their order."""
        first = 0
        for feed in self.feeds:
            last = first + len(feed.adapter.instruments)
            feed.heed(standings[first:last])
            first = last

    def summary(self) -> dict[str, Any]:
        """What came of every stream and every venue."""
        return {feed.adapter.venue: describe(feed) for feed in self.feeds}


def _named(x: Wanted, answer: Answer) -> list[Instrument]:
    """The instruments wanted of a venue's list. Raises BadUse where the list has no such one: asking again would not help."""
    try:
        return x.adapter.read_instruments(answer, x.symbols)
    except BadData as error:
        listed = [made.symbol for made in x.adapter.read_instruments(answer, [])]  # a list that cannot be read is asked for again
        if not listed:
            raise  # nothing at all is traded there just now
        todo = did_you_mean((symbol.upper() for symbol in x.symbols if symbol not in listed), listed, 3)
        raise BadUse(error.what, where=error.where or x.adapter.venue, expected=error.expected, todo=todo) from error


def _trading(feed: Feed) -> dict[str, str]:
    """What the venue lets be done with each symbol, as last told."""
    listed = enumerate(feed.adapter.instruments)
    return {made.symbol: codes.STATUS_NAMES[feed.rules.get((number, "status"), made.status)] for number, made in listed}


def _access(feed: Feed) -> dict[str, str]:
    """The rung each symbol is granted, as last told."""
    told = zip(feed.adapter.instruments, feed.access.told, strict=True)
    return {made.symbol: codes.RUNG_NAMES[rung] if rung >= codes.ACTIVE else "" for made, rung in told}


def standing_of(feed: Feed) -> dict[str, dict[str, Any]]:
    """By symbol, what the machine that hears the feed thinks of it."""
    return {
        x.symbol: {
            "believed": one.believed, "trust": round(one.trust, 3), "quality": round(one.quality, 3),
            "blame": reasons.name(one.blame) if one.blame else "", "rejoined": doubt.rejoined,
        }
        for x, one, doubt in zip(feed.adapter.instruments, feed.standings, feed.doubts, strict=False)
    }  # fmt: skip


def describe(feed: Feed) -> dict[str, Any]:
    """One venue's counters: frames, requests, clock, and a line for each stream."""
    streams = {}
    for lane in feed.lanes:
        name = f"{feed.adapter.instruments[lane.topic.instrument].symbol} {lane.topic.channel}"
        counts = msgspec.to_builtins(lane.tally())
        streams[name] = {"condition": CONDITION_NAMES[lane.state.condition], **counts, "held": lane.held}
    return {
        "rows": feed.desk.rows, "frames": msgspec.to_builtins(feed.frame_counts), "connections": feed.connections,
        "takeovers": feed.takeovers, "requests": feed.budget.asked, "banned": feed.budget.banned,
        "clock_offset_ns": feed.desk.skew.offset_ns, "suspect_stamps": feed.desk.suspect_stamps,
        "transitions": len(feed.desk.transitions), "trading": _trading(feed), "access": _access(feed),
        "problems": feed.problems, "refused": feed.refusals,
        "first_refusals": feed.first_refusals, "streams": streams, "standing": standing_of(feed),
    }  # fmt: skip
