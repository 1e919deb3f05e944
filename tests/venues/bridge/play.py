"""The bridge beside the native adapters on one sandbox, in a process of its own: prints what both heard as JSON.

PYTHONPATH=src:tests python -m venues.bridge.play '{"seconds": 6, "venues": ["binance", "kraken"], "faults": [...]}'
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import Any
from urllib.parse import urlencode

import numpy as np

from tradewind.domain import codes, reasons
from tradewind.domain.rows import Rows
from tradewind.fabric import polling
from tradewind.fabric.assembly import Fabric
from tradewind.fabric.clock import JournalTime, SystemClock
from tradewind.fabric.feeds import Feed, Outside, Patience, Place, Wanted
from tradewind.fabric.network import Network
from tradewind.fabric.streams import CONDITION_NAMES
from tradewind.fabric.transport import Settings
from tradewind.venues.adapter import BAR, DEPTH, FUNDING, MARK, OPEN_INTEREST, QUOTE, TRADE, Topic
from tradewind.venues.emulators.flow import Pace
from tradewind.venues.emulators.sandbox import Sandbox, Setting
from tradewind.venues.keepers import BookKeeper
from tradewind.venues.plugins import adapter_of

SYMBOLS = {
    "binance": ("BTCUSDT", "BTC/USDT"), "kraken": ("BTC/USD", "BTC/USD"), "coinbase": ("BTC-USD", "BTC/USD"),
    "binance-usdm": ("BTCUSDT", "BTC/USDT:USDT"),
}  # fmt: skip
NEAR = 10


class Kept:
    """Every row, in order."""

    def __init__(self) -> None:
        self.parts: list[Rows] = []

    def append(self, rows: Rows) -> object:
        self.parts.append(rows.copy())
        return None


def wanted(name: str, address: dict[str, str], half: str = "") -> list[Wanted]:
    """The native feed of a venue, and the same venue through the bridge, or the half of it that `half` names."""
    exchange = name.replace("-", "") + half
    base = f"ccxt://{exchange}?{urlencode(address)}"
    native, bridged = SYMBOLS[name]
    channels = (DEPTH, QUOTE, TRADE, OPEN_INTEREST, MARK, FUNDING)
    return [
        Wanted(adapter_of(name), Place(address["rest"], address["ws"]), (native,), channels),
        Wanted(adapter_of(f"bridge:{exchange}"), Place(base, base), (bridged,), channels),
    ]


def scaled(feed: Feed, price: int, quantity: int) -> tuple[str, str]:
    """Exact texts, so that units of different venues can be compared."""
    from tradewind.domain.instruments import text

    made = feed.adapter.instruments[0]
    return text(price, made.price_exponent).rstrip("0"), text(quantity, made.quantity_exponent).rstrip("0")


def book(feed: Feed) -> list[Any]:
    lane = next(x for x in feed.lanes if x.topic.channel == DEPTH)
    assert isinstance(lane.keeper, BookKeeper)
    return [[scaled(feed, *level) for level in lane.keeper.book.side(side, NEAR)] for side in (codes.BUY, codes.SELL)]


def trades(feed: Feed, rows: Rows) -> dict[str, Any]:
    """By id: price, quantity, side, venue time in ms."""
    mine = rows[rows["kind"] == codes.TRADE]
    found = {}
    for row in mine:
        found[str(int(row["ref"]))] = [
            *scaled(feed, int(row["price"]), int(row["quantity"])), int(row["side"]), int(row["ts_venue"]) // 1_000_000,
        ]  # fmt: skip
    return found


def marks(rows: Rows) -> dict[str, Any]:
    """Marks with the index, and (rate, when) of the fundings, as told."""
    told, funded = (rows[rows["kind"] == kind] for kind in (codes.MARKPRICE, codes.FUNDING))
    return {
        "marks": [[int(row["price"]), int(row["value"])] for row in told],
        "funding": [[int(row["value"]), int(row["ref"])] for row in funded],
    }


def touches(feed: Feed, rows: Rows) -> list[Any]:
    """Quotes as (bid, its size), (ask, its size)."""
    told = rows[rows["kind"] == codes.QUOTE]
    pairs = [scaled(feed, int(row["price"]), int(row["quantity"])) for row in told]
    return [list(pair) for pair in zip(pairs[::2], pairs[1::2], strict=True)]


def last_book(feed: Feed, rows: Rows) -> list[Any]:
    """Both sides of the last whole book told, best first."""
    told = rows[(rows["kind"] == codes.DEPTH) & (rows["quantity"] > 0)]
    begins = np.flatnonzero(told["marks"] & codes.FIRST)
    whole = told[begins[-1] :] if len(begins) else told
    sides = [whole[whole["side"] == side] for side in (codes.BUY, codes.SELL)]
    ordered = [sides[0][np.argsort(-sides[0]["price"])], sides[1][np.argsort(sides[1]["price"])]]
    return [[scaled(feed, int(row["price"]), int(row["quantity"])) for row in side[:NEAR]] for side in ordered]


def moves(feed: Feed) -> list[Any]:
    """What became of its book: (condition, cause)."""
    streams = feed.adapter.streams
    return [[CONDITION_NAMES[x.after], reasons.name(x.cause)] for x in feed.desk.transitions if streams[x.source].channel == DEPTH]


async def history(fabric: Fabric, feed: Feed) -> dict[str, Any]:
    """Candles and trades by REST."""
    adapter, transport, rest = feed.adapter, fabric.outside.transport, feed.place.rest
    now = fabric.outside.time.now() // codes.MINUTE * codes.MINUTE
    ask = adapter.ask_candles(Topic(BAR, 0), "1m", now - 30 * codes.MINUTE, now)
    assert ask is not None
    page = adapter.read_candles(Topic(BAR, 0), "1m", await transport.ask(rest, ask))
    bars = []
    for row in page.rows:
        high_low = [int(row["value"]) >> 32, int(row["value"]) & 0xFFFFFFFF]
        bars.append([int(row["ts_venue"]), *scaled(feed, int(row["price"]), int(row["quantity"])), *high_low, int(row["ref"])])
    return {"bars": bars}


def of_feed(fabric: Fabric, heard: Rows, at: int) -> tuple[Feed, Rows]:
    """A feed and its rows."""
    first = sum(len(x.adapter.streams) for x in fabric.feeds[:at])
    feed = fabric.feeds[at]
    inside = (heard["source"] >= first) & (heard["source"] < first + len(feed.adapter.streams))
    return feed, heard[inside]


async def equal_books(fabric: Fabric) -> list[bool]:
    """Time stands still until both have read everything; then the pairs of books are compared."""
    for _ in range(40):
        await asyncio.sleep(0.05)
        same = [book(fabric.feeds[at]) == book(fabric.feeds[at + 1]) for at in range(0, len(fabric.feeds), 2)]
        if all(same):
            break
    return same


async def play(script: dict[str, Any]) -> dict[str, Any]:
    """Runs the script on a sandbox moved by hand."""
    time, rng = JournalTime(SystemClock()), random.Random(1)
    network = Network(Settings(time, rng))
    setting = Setting(pace=Pace(orders_per_s=20.0), by_hand=True)
    polling.MARKS_S = script.get("marks_s", polling.MARKS_S)
    kept, half = Kept(), "rest" if script.get("without_sockets") else ""
    for name in script["venues"] if half else ():
        without_sockets(name)
    async with Sandbox(script["venues"], 7, setting=setting) as sandbox:
        feeds = [x for name in script["venues"] for x in wanted(name, sandbox.addresses[name], half)[script.get("from", 0) :]]
        patience = Patience(**script.get("patience", {}))
        fabric = Fabric(feeds, Outside(network, time, rng), patience)
        await fabric.open()
        fabric.join(kept)
        running = asyncio.create_task(fabric.run())
        asked: list[int] = []
        try:
            for step in script["steps"]:
                await act(sandbox, fabric, step, asked)
                if running.done():
                    running.result()
            same = await equal_books(fabric) if not script.get("from") else []
            for feed in fabric.feeds:
                feed.desk.flush()
            told = {}
            heard = np.concatenate(kept.parts)
            for at in range(len(fabric.feeds)):
                feed, mine = of_feed(fabric, heard, at)
                told[feed.adapter.venue] = {
                    "trades": trades(feed, mine), "book": book(feed),
                    **(await history(fabric, feed) if script.get("history") else {}),
                    "moves": moves(feed), "connections": feed.connections,
                    "interest": [scaled(feed, 0, int(row["value"]))[1] for row in mine[mine["kind"] == codes.OBSERVATION]],
                    "quotes": int(np.count_nonzero(mine["kind"] == codes.QUOTE)), **marks(mine), "touches": touches(feed, mine),
                    "last": last_book(feed, mine),
                    "problems": feed.problems, "refused": feed.refusals,
                    "conditions": {lane.topic.channel: CONDITION_NAMES[lane.state.condition] for lane in feed.lanes},
                    "grade_cap": feed.adapter.instruments[0].grade_cap, "asked": feed.budget.asked,
                    "instrument": [feed.adapter.instruments[0].base, feed.adapter.instruments[0].quote],
                }  # fmt: skip
            return {"same": same, "feeds": told, "asked": asked}
        finally:
            running.cancel()
            await asyncio.wait({running})
            await network.aclose()


async def act(sandbox: Sandbox, fabric: Fabric, step: dict[str, Any], asked: list[int]) -> None:
    """One step: time passes, or something happens."""
    from tradewind.venues.emulators.script import read

    if "fault" in step:
        sandbox.director.add(read(step["fault"], list(sandbox.venues), "play"))
    if "count" in step:
        asked.append(len(sandbox.venues[step["count"]].requests))
    for _ in range(round(step.get("seconds", 0.0) / 0.05)):
        await sandbox.advance(0.05)
        await asyncio.sleep(0.05)


def without_sockets(name: str) -> None:
    """Has ccxt know its REST half of a venue by a name of its own: what a venue without WebSocket is."""
    import ccxt
    import ccxt.async_support

    half = type(f"{name}rest", (getattr(ccxt.async_support, name),), {})
    setattr(ccxt.async_support, half.__name__, half)
    ccxt.exchanges.append(half.__name__)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(json.loads(sys.argv[1])))))
