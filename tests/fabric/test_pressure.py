"""A receiver slower than its venue: TCP makes the venue wait, memory stays bounded, and every message that came is counted."""

from __future__ import annotations

import asyncio
import gc
import random
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from tradewind.domain import codes
from tradewind.domain.errors import Unreachable
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import rows
from tradewind.fabric.assembly import budget_of
from tradewind.fabric.clock import JournalTime, SystemClock
from tradewind.fabric.desk import Desk
from tradewind.fabric.feeds import Feed, Outside, Place, Wanted
from tradewind.fabric.lanes import NOTHING
from tradewind.fabric.links import LATE_NS, Link
from tradewind.fabric.network import Network
from tradewind.fabric.transport import Arrival, Settings
from tradewind.venues.binance.adapter import BinanceAdapter
from tradewind.venues.keepers import FrameKeeper

from .inproc import ADAPTERS, Heard
from .scenes import VENUES
from .test_stretches import CHANNELS, Mute, StandingClock, captured
from .test_transport import served, websocket

MESSAGES, MAX_QUEUED = 4_000, 64 << 10
TRADE = '{"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000000,"s":"BTCUSDT","t":%d,"p":"50000.00","q":"1.00000000","T":1700000000000,"m":true,"M":true}}'  # noqa: E501
DEPTH = '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1700000000000,"s":"BTCUSDT","U":%d,"u":%d,"b":[["%d.00","%d.00000000"]],"a":[]}}'  # noqa: E501


def flood(lost: range) -> Any:
    """A venue that sends as fast as it is let; the trades in `lost` it leaves out."""

    async def talk(ws: web.WebSocketResponse) -> None:
        await ws.receive()
        for n in range(1, MESSAGES + 1):
            if n not in lost:
                await ws.send_str(TRADE % n)
            await ws.send_str(DEPTH % (n, n, 40_000 + n % 50, n))
        await ws.close()

    return talk


def feed_on(network: Network, time: JournalTime, heard: Heard) -> Feed:
    """A feed of one instrument's book and trades; its book stands at id 0."""
    adapter = BinanceAdapter()
    adapter.adopt([
        Instrument(venue="binance", symbol="BTCUSDT", base="BTC", quote="USDT", price_exponent=2, quantity_exponent=8,
                   proof=codes.PROOF_CHAIN)
    ])  # fmt: skip
    desk = Desk(time, heard, len(adapter.streams), (0, 0))
    outside = Outside(network, time, random.Random(1))
    return Feed(Wanted(adapter, Place("", ""), ["BTCUSDT"], ("depth", "trade")), outside, budget_of(adapter, time), desk)


def overrun(lost: range = range(0)) -> tuple[Feed, Heard, list[int], list[bool]]:
    """The feed after a flood it heard slowly, what it held unread each time, and whether a burst came late."""

    async def play() -> tuple[Feed, Heard, list[int], list[bool]]:
        journal, heard, held, late = JournalTime(SystemClock()), Heard(), list[int](), list[bool]()
        network = Network(Settings(journal, random.Random(1), max_queued=MAX_QUEUED))
        async with served(websocket(flood(lost))) as host:
            wire: Any = await network.connect(f"ws://{host}/")
            feed = feed_on(network, journal, heard)
            link = Link(feed, wire, [lane.topic for lane in feed.lanes], False)
            begin(feed)
            try:
                while True:
                    held.append(wire._queued)
                    came = await wire.arrivals()
                    if len(held) == 3:
                        time.sleep(LATE_NS / 1e9 + 0.1)  # noqa: ASYNC251 - the receiver stands still, which is the point
                    late.append(journal.now() - came[0].at > LATE_NS)
                    link.hear(came)
                    await asyncio.sleep(0.005)
            except Unreachable:
                return feed, heard, held, late

    return asyncio.run(play())


def begin(feed: Feed) -> None:
    """The book's snapshot: one level a side, id 0."""
    book = rows(2)
    book["kind"], book["marks"], book["quantity"], book["price"] = codes.DEPTH, codes.SNAPSHOT, 1, [4_000_000, 5_000_000]
    book["side"] = [codes.BUY, codes.SELL]
    book["marks"] |= [codes.FIRST, codes.LAST]
    lane = next(lane for lane in feed.lanes if lane.topic.channel == "depth")
    assert lane.joined(book)


def test_a_slow_receiver_makes_the_venue_wait_and_loses_nothing() -> None:
    feed, heard, held, late = overrun()
    depth, trades = sorted(feed.lanes, key=lambda lane: lane.topic.channel)
    assert max(held) < MAX_QUEUED + (256 << 10)  # one read more than the limit
    assert any(late)
    counts = trades.tally()
    assert (counts.received, counts.processed) == (MESSAGES, MESSAGES)
    told = heard.rows
    assert told["ref"][told["kind"] == codes.TRADE].tolist() == list(range(1, MESSAGES + 1))
    counts = depth.tally()
    assert counts.received == MESSAGES + 1 == counts.processed + counts.conflated
    assert counts.conflated > 0
    assert depth.state.condition == codes.SYNCED
    last = {40_000 + n % 50: n for n in range(1, MESSAGES + 1)}
    wanted = sorted(((price * 100, n * 10**8) for price, n in last.items()), reverse=True)
    assert depth.keeper.book.side(codes.BUY) == wanted  # type: ignore[union-attr]


def test_what_a_venue_drops_for_a_slow_receiver_is_a_typed_gap() -> None:
    """Never a silent one: what came behind the hole waits for the history, the condition says so on the tape."""
    feed, heard, _, _ = overrun(range(1_000, 1_100))
    trades = next(lane for lane in feed.lanes if lane.topic.channel == "trade")
    assert trades.filling
    assert trades.missing() == (1_000, 1_099)
    told = heard.rows
    assert told["ref"][told["kind"] == codes.TRADE].max() == 999
    conditions = told[(told["kind"] == codes.STREAM) & (told["source"] == trades.source)]["value"].tolist()
    assert conditions[-1] == codes.GAP
    counts = trades.tally()
    assert counts.received == MESSAGES - 100 == counts.processed + trades.held


@pytest.mark.parametrize("name", VENUES)
def test_a_feed_takes_no_more_memory_the_longer_it_runs(name: str) -> None:
    """Twelve seconds of a venue again and again: after the first rounds nothing is kept."""
    slices, instruments = captured(name)
    clock = StandingClock()
    journal, adapter = JournalTime(clock), ADAPTERS[name]()
    adapter.adopt(instruments)
    desk = Desk(journal, Nowhere(), len(adapter.streams), (0, 0))
    outside: Any = Outside(Mute(), journal, random.Random(1))  # type: ignore[arg-type]
    feed = Feed(Wanted(adapter, Place("", ""), [], CHANNELS), outside, budget_of(adapter, journal), desk)
    link = Link(feed, Mute(), [lane.topic for lane in feed.lanes], False)  # type: ignore[arg-type]

    def again() -> int:
        link._frames = FrameKeeper()
        for lane in feed.lanes:
            lane.keeper.last_id = -1  # type: ignore[union-attr]
        for one in slices:
            clock.at += 250_000_000
            link.hear([Arrival(clock.at, one.frames)])
            for lane in feed.lanes:
                lane.wish = NOTHING
                if one is slices[0] and lane.topic in one.books:
                    lane.keeper.lose()
                    lane.joined(adapter.read_snapshot(lane.topic, one.books[lane.topic]))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        for _ in range(3):
            before = again()
        frames = feed.frame_counts.frames
        for _ in range(10):
            after = again()
    finally:
        tracemalloc.stop()
    assert feed.frame_counts.frames > 4 * frames
    assert np.all([lane.state.condition == codes.SYNCED for lane in feed.lanes])
    assert after - before < 100 << 10  # a block the reader fills, more or less; a row kept of each message would be more
    assert feed.desk.rows * 64 > 1 << 20


class Nowhere:
    """A sink that keeps nothing."""

    def append(self, rows: Any) -> None:
        """Nothing."""
