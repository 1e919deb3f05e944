"""Contracts through an unmodified ccxt over real HTTP: a small server speaks Binance COIN-M's requests; prints the rows as JSON.

The venue has no WebSocket here, so everything is asked for: the inverse perpetual, a dated future and its book, trades, marks.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time as clock
from typing import Any
from urllib.parse import urlencode

import numpy as np
from aiohttp import web

from tradewind.domain import codes
from tradewind.fabric import polling
from tradewind.fabric.assembly import Fabric
from tradewind.fabric.clock import JournalTime, SystemClock
from tradewind.fabric.feeds import Outside, Patience, Place, Wanted
from tradewind.fabric.network import Network
from tradewind.fabric.streams import CONDITION_NAMES
from tradewind.fabric.transport import Settings
from tradewind.venues.adapter import DEPTH, FUNDING, MARK, OPEN_INTEREST, QUOTE, TRADE
from tradewind.venues.plugins import adapter_of

from .play import Kept

FIELD = {"BTCUSD_PERP": ("PERPETUAL", 4_133_404_800_000), "BTCUSD_270326": ("CURRENT_QUARTER", 1_806_048_000_000)}
SHOWN = ("instrument", "side", "price", "quantity", "value", "ref")
CHANNELS = (DEPTH, QUOTE, TRADE, OPEN_INTEREST, MARK, FUNDING)
SYMBOLS = ("BTC/USD:BTC", "BTC/USD:BTC-270326")


def listed(symbol: str) -> dict[str, Any]:
    """One contract of 100 dollars."""
    sort, ends = FIELD[symbol]
    return {
        "symbol": symbol, "pair": "BTCUSD", "contractType": sort, "deliveryDate": ends, "onboardDate": 1_600_000_000_000,
        "contractStatus": "TRADING", "contractSize": 100, "marginAsset": "BTC", "baseAsset": "BTC", "quoteAsset": "USD",
        "pricePrecision": 1, "quantityPrecision": 0, "equalQtyPrecision": 4, "maintMarginPercent": "2.5",
        "requiredMarginPercent": "5.0", "underlyingType": "COIN", "underlyingSubType": [], "triggerProtect": "0.05",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "4520958", "tickSize": "0.1"},
            {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "1000000", "stepSize": "1"},
        ],
    }  # fmt: skip


class CoinM:
    """What is asked, and answers that move a tick at a time."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.trade = 1_000

    def answer(self, path: str, query: Any) -> Any:
        """The body of one request."""
        now, symbol = clock.time_ns() // 1_000_000, query.get("symbol", "BTCUSD_PERP")
        if path.endswith("/exchangeInfo"):
            return {"timezone": "UTC", "serverTime": now, "rateLimits": [], "symbols": [listed(name) for name in FIELD]}
        if path.endswith("/depth"):
            return {"lastUpdateId": now, "E": now, "T": now, "symbol": symbol, "pair": "BTCUSD",
                    "bids": [["60000.1", "12"], ["60000.0", "3"]], "asks": [["60000.2", "7"], ["60001.0", "1"]]}  # fmt: skip
        if path.endswith(("/trades", "/historicalTrades", "/aggTrades")):
            self.trade += 1
            return [{"id": self.trade, "a": self.trade, "p": "60000.2", "q": "5", "price": "60000.2", "qty": "5",
                     "baseQty": "0.008", "time": now, "T": now, "f": 1, "l": 1, "m": False, "isBuyerMaker": False}]  # fmt: skip
        if path.endswith("/premiumIndex"):
            return [{"symbol": "BTCUSD_PERP", "pair": "BTCUSD", "markPrice": "60000.15000000", "indexPrice": "60002.5",
                     "estimatedSettlePrice": "60001", "lastFundingRate": "0.00012500", "interestRate": "0.0001",
                     "nextFundingTime": 1_790_000_000_000, "time": now}]  # fmt: skip
        return {"serverTime": now} if path.endswith("/time") else {}

    async def serve(self, request: web.Request) -> web.Response:
        """Any path."""
        self.asked.append(request.path)
        return web.json_response(self.answer(request.path, request.query))


def half() -> None:
    """ccxt's REST half of the venue, under a name of its own: what a venue without WebSocket is."""
    import ccxt
    import ccxt.async_support

    made = type("binancecoinmrest", (ccxt.async_support.binancecoinm,), {})
    setattr(ccxt.async_support, made.__name__, made)
    ccxt.exchanges.append(made.__name__)


async def play(seconds: float) -> dict[str, Any]:
    """What a feed of both contracts heard."""
    half()
    polling.MARKS_S = 1.0
    venue, kept, time = CoinM(), Kept(), JournalTime(SystemClock())
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", venue.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    rest = f"http://127.0.0.1:{runner.addresses[0][1]}"
    base = f"ccxt://binancecoinmrest?{urlencode({'rest': rest, 'ws': 'ws://127.0.0.1:1'})}"
    network = Network(Settings(time, random.Random(1)))
    wanted = Wanted(adapter_of("bridge:binancecoinmrest"), Place(base, base), SYMBOLS, CHANNELS)
    fabric = Fabric([wanted], Outside(network, time, random.Random(1)), Patience(poll=0.5))
    try:
        await fabric.open()
        fabric.join(kept)
        running = asyncio.create_task(fabric.run())
        await asyncio.sleep(seconds)
        feed = fabric.feeds[0]
        conditions = {f"{lane.topic.instrument} {lane.topic.channel}": CONDITION_NAMES[lane.state.condition] for lane in feed.lanes}
        running.cancel()
        await asyncio.wait({running})
    finally:
        await network.aclose()
        await runner.cleanup()
    rows = np.concatenate(kept.parts)
    return {
        "instruments": [[x.name, x.payoff, x.status, x.lot, x.quantity_exponent, x.tick] for x in fabric.instruments],
        "conditions": conditions, "problems": feed.problems, "marks": venue.asked.count("/dapi/v1/premiumIndex"),
        "kinds": {
            str(kind): [[int(row[name]) for name in SHOWN] for row in part[:4]]
            for kind in (codes.QUOTE, codes.TRADE, codes.MARKPRICE, codes.FUNDING)
            for part in [rows[rows["kind"] == kind]]
        },
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(float(sys.argv[1])))))
