"""A venue with an emulator: the adapter follows it over real sockets until its books equal the emulator's own."""

from __future__ import annotations

import asyncio
import random
from typing import Any, NamedTuple

from tradewind.domain import codes
from tradewind.domain.rows import Rows
from tradewind.fabric.assembly import Fabric
from tradewind.fabric.clock import JournalTime, SystemClock
from tradewind.fabric.feeds import Outside, Patience, Place, Wanted
from tradewind.fabric.lanes import Lane
from tradewind.fabric.network import Network
from tradewind.fabric.transport import Settings
from tradewind.venues.adapter import BAR, DEPTH, QUOTE, TRADE, MarketAdapter, Reading
from tradewind.venues.emulators.book import ASK, BID
from tradewind.venues.emulators.kinds import kind_of, names
from tradewind.venues.emulators.sandbox import Sandbox, Setting
from tradewind.venues.keepers import BookKeeper

CHANNELS = (DEPTH, QUOTE, TRADE, BAR)
WANTED = (DEPTH, QUOTE, TRADE)
STEP_S = 0.05
LONGEST_S = 20.0
PROVEN = 10  # levels a side that a checksum covers; what is lost below nobody can see
FRAMES = 2  # kept of one channel


class Followed(NamedTuple):
    """What came of it: frames of each channel, and why books were not equal."""

    frames: list[bytes]
    faults: list[str]


class Hearing:
    """An adapter's `read`, which keeps the first frames of each channel."""

    def __init__(self, adapter: MarketAdapter) -> None:
        self.frames: dict[str, list[bytes]] = {}
        self._adapter, self._read = adapter, adapter.read

    def read(self, frame: bytes, ts_local: int) -> Reading:
        """The adapter's reading."""
        reading = self._read(frame, ts_local)
        if len(reading.rows):
            kept = self.frames.setdefault(self._adapter.streams[int(reading.rows["source"][0])].channel, [])
            if len(kept) < FRAMES:
                kept.append(bytes(frame))
        return reading


def has_emulator(venue: str) -> bool:
    """Whether the sandbox emulates this venue."""
    return venue in names()


async def follow(venue: str, adapter: MarketAdapter, seed: int = 1) -> Followed:
    """Connects to the sandbox, subscribes, and compares books until all are SYNCED and equal, at most LONGEST_S seconds."""
    hearing = Hearing(adapter)
    listener: Any = adapter
    listener.read, listener.stretch = hearing.read, None  # frame by frame: read many at a time they would pass unheard
    try:
        async with Sandbox([venue], seed, setting=Setting(by_hand=True)) as sandbox:
            faults = await _follow(venue, adapter, sandbox, hearing)
    except Exception as error:  # noqa: BLE001 - a stranger's code under test: whatever it raises is the finding
        faults = [f"raised {type(error).__name__}: {error}"]
    finally:
        del listener.read, listener.stretch
    return Followed([frame for frames in hearing.frames.values() for frame in frames], faults)


async def _follow(venue: str, adapter: MarketAdapter, sandbox: Sandbox, hearing: Hearing) -> list[str]:
    time, rng = JournalTime(SystemClock()), random.Random(1)
    network = Network(Settings(time, rng))
    place = Place(sandbox.addresses[venue]["rest"], sandbox.addresses[venue]["ws"])
    fabric = Fabric([Wanted(adapter, place, tuple(kind_of(venue).followed), CHANNELS)], Outside(network, time, rng), Patience())
    await fabric.open()
    fabric.join(Nowhere())
    running = asyncio.create_task(fabric.run())
    try:
        return await _until_equal(fabric, sandbox, hearing, running)
    finally:
        running.cancel()
        await asyncio.wait({running})
        network.close()


class Nowhere:
    """Rows are not kept: the books and frames are what is looked at."""

    def append(self, rows: Rows) -> object:
        """Takes rows and forgets them."""


async def _until_equal(fabric: Fabric, sandbox: Sandbox, hearing: Hearing, running: asyncio.Task[None]) -> list[str]:
    books = [lane for lane in fabric.feeds[0].lanes if lane.topic.channel == DEPTH]
    faults = ["no book is followed"]
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_S
    while books and loop.time() < end and not running.done():
        await sandbox.advance(STEP_S)
        await asyncio.sleep(0.02)
        faults = [fault for lane in books if (fault := _difference(fabric, sandbox, lane))]
        carried = fabric.wanted[0].adapter.channels()
        faults += [f"nothing came of {name}" for name in WANTED if name in carried and name not in hearing.frames]
        if not faults:
            break
    if running.done() and not running.cancelled() and (error := running.exception()) is not None:
        faults.append(f"its feed died of {error!r:.200}")
    return faults


def _difference(fabric: Fabric, sandbox: Sandbox, lane: Lane) -> str:
    """Why a lane's book is not the emulator's; "" where it is."""
    adapter = fabric.wanted[0].adapter
    made = adapter.instruments[lane.topic.instrument]
    if lane.state.condition != codes.SYNCED or not isinstance(lane.keeper, BookKeeper):
        return f"the book of {made.symbol} is not SYNCED"
    market = sandbox.market(adapter.venue, f"{made.base}/{made.quote}")
    book = market.book_at(lane.keeper.book.last_id) if made.proof == codes.PROOF_CHAIN else market.book
    price_scale = 10 ** (made.price_exponent - market.listing.price_decimals)
    size_scale = 10 ** (made.quantity_exponent - market.listing.size_decimals)
    for side, theirs in ((codes.BUY, BID), (codes.SELL, ASK)):
        deepest = PROVEN if made.proof == codes.PROOF_CRC32 else 1_000
        truth = [(price * price_scale, size * size_scale) for price, size in book.top(theirs, deepest)]
        ours = lane.keeper.book.side(side, deepest)
        if ours != truth:
            return f"the book of {made.symbol} is SYNCED and not the emulator's: {ours[:2]} against {truth[:2]}"
    return ""
