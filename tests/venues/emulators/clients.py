"""Naive clients: each follows a venue's happy path and trusts every word. A fault that fools none of them does nothing.

They share nothing with the adapters: plain `json` and dicts, with prices as keys just as they came.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import aiohttp

from tradewind.venues.emulators.book import ASK, BID, Market
from tradewind.venues.emulators.sandbox import Sandbox

Side = dict[Any, Any]


class Naive:
    """What all three share: a socket, a task that reads it, a book and trades by id."""

    venue = ""
    path = ""
    symbol = "BTC/USD"

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self.sandbox, self.http = sandbox, http
        self.rest, self.ws = sandbox.addresses[self.venue]["rest"], sandbox.addresses[self.venue]["ws"]
        self.bids: Side = {}
        self.asks: Side = {}
        self.trades: dict[int, tuple[float, float]] = {}
        self.frames: list[str] = []
        self.prices: list[float] = []  # of trades, in the order told
        self.stamps: list[Any] = []
        self.errors: list[str] = []
        self.ended = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Naive:
        self.socket = await self.http.ws_connect(self.ws + self.path, autoping=True, max_msg_size=0)
        for frame in self.requests():
            await self.socket.send_str(json.dumps(frame))
        self._task = asyncio.create_task(self._read())
        await asyncio.sleep(0.03)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self.socket.close()

    def requests(self) -> list[dict[str, Any]]:
        return []

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                text = message.data if isinstance(message.data, str) else message.data.decode("latin-1")
                self.frames.append(text)
                try:
                    await self.take(json.loads(text))
                except Exception as error:  # noqa: BLE001 - a naive client dies of anything; the tests look at what it died of
                    self.errors.append(f"{type(error).__name__}: {error}")
        self.ended = True

    async def take(self, told: Any) -> None:
        raise NotImplementedError

    async def caught_up(self) -> None:
        """Waits until every frame the venue sent is here."""
        for _ in range(500):
            if len(self.frames) >= self.sandbox.venues[self.venue].frames_out or self.ended:
                return
            await asyncio.sleep(0.01)

    @property
    def market(self) -> Market:
        return self.sandbox.market(self.venue, self.symbol)

    def truth(self, levels: int = 10) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """The ten best levels of the venue's own book."""
        listing, found = self.market.listing, []
        for side in (BID, ASK):
            top = self.market.book.top(side, levels)
            found.append([(price / 10**listing.price_decimals, size / 10**listing.size_decimals) for price, size in top])
        return found[0], found[1]

    def believed(self, levels: int = 10) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """The ten best levels this client believes in."""
        bids, asks = ([(float(price), float(size)) for price, size in side.items()] for side in (self.bids, self.asks))
        return sorted(bids, reverse=True)[:levels], sorted(asks)[:levels]

    def right(self) -> bool:
        return self.believed() == self.truth()

    def right_deep(self) -> bool:
        """As `right`, as deep as the client's book goes."""
        levels = min(len(self.bids), len(self.asks), 25)
        return levels > 10 and self.believed(levels) == self.truth(levels)

    def true_trades(self) -> dict[int, tuple[float, float]]:
        listing = self.market.listing
        return {
            trade.number: (trade.price / 10**listing.price_decimals, trade.size / 10**listing.size_decimals)
            for trade in self.market.trades
        }

    def knows_trades(self) -> bool:
        """Whether it has every trade since its first, rightly."""
        true = self.true_trades()
        return bool(self.trades) and {key: true[key] for key in true if key >= min(self.trades)} == self.trades


def put(side: Side, price: Any, size: Any) -> None:
    if float(size):
        side[price] = size
    else:
        side.pop(price, None)


class Binance(Naive):
    venue, symbol = "binance", "BTC/USDT"
    path = "/stream?streams=btcusdt@depth@100ms/btcusdt@trade"
    book_path = "/api/v3/depth?symbol=BTCUSDT&limit=5000"
    joined = 0  # the last change it has

    async def take(self, told: Any) -> None:
        data = told["data"]
        if data["e"] == "trade":
            self.trades[data["t"]] = (float(data["p"]), float(data["q"]))
            self.prices.append(float(data["p"]))
        elif data["e"] == "depthUpdate":
            self.stamps.append(data["E"])
            if not self.joined:
                await self.join()
            if data["u"] > self.joined:
                for side, rows in ((self.bids, data["b"]), (self.asks, data["a"])):
                    for price, size in rows:
                        put(side, price, size)
                self.joined = data["u"]

    async def join(self) -> None:
        async with self.http.get(self.rest + self.book_path) as answer:
            found = json.loads(await answer.text())
        self.joined = found["lastUpdateId"]
        self.bids = dict(found["bids"])
        self.asks = dict(found["asks"])


class Usdm(Binance):
    venue, book_path = "binance-usdm", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"


class Kraken(Naive):
    venue, path = "kraken", "/v2"
    depth = 25

    def requests(self) -> list[dict[str, Any]]:
        wanted = [{"channel": "book", "depth": self.depth, "symbol": [self.symbol]}, {"channel": "trade", "symbol": [self.symbol]}]
        return [{"method": "subscribe", "params": params} for params in wanted]

    async def take(self, told: Any) -> None:
        if told.get("channel") == "trade":
            for trade in told["data"]:
                self.trades[trade["trade_id"]] = (float(trade["price"]), float(trade["qty"]))
                self.prices.append(float(trade["price"]))
        elif told.get("channel") == "book":
            data = told["data"][0]
            if told["type"] == "snapshot":
                self.bids, self.asks = {}, {}
            self.stamps.append(data["timestamp"])
            for side, rows in ((self.bids, data["bids"]), (self.asks, data["asks"])):
                for row in rows:
                    put(side, row["price"], row["qty"])
            for price in sorted(self.bids, reverse=True)[self.depth :]:
                del self.bids[price]
            for price in sorted(self.asks)[self.depth :]:
                del self.asks[price]


class Coinbase(Naive):
    venue = "coinbase"

    def requests(self) -> list[dict[str, Any]]:
        channels = ("level2", "market_trades", "heartbeats")
        return [{"type": "subscribe", "channel": name, "product_ids": ["BTC-USD"]} for name in channels]

    async def take(self, told: Any) -> None:
        for event in told["events"]:
            if told["channel"] == "market_trades":
                for trade in event["trades"]:
                    self.trades[int(trade["trade_id"])] = (float(trade["price"]), float(trade["size"]))
                    self.prices.append(float(trade["price"]))
            elif told["channel"] == "l2_data":
                self.stamps.append(told["timestamp"])
                if event["type"] == "snapshot":
                    self.bids, self.asks = {}, {}
                for row in event["updates"]:
                    put(self.bids if row["side"] == "bid" else self.asks, row["price_level"], row["new_quantity"])


CLIENTS: dict[str, type[Naive]] = {"binance": Binance, "kraken": Kraken, "coinbase": Coinbase}
