"""Binance USD-M: `pu` chains ids that skip, marks and funding beside the book, two addresses."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import aiohttp

from tradewind.venues.emulators.sandbox import Sandbox
from tradewind.venues.emulators.script import Fault

from .clients import Usdm
from .test_venues import START_NS, play, told

VENUE = "binance-usdm"


def test_a_client_that_follows_the_documents_has_the_venues_book() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        async with Usdm(sandbox, http) as client:
            await sandbox.advance(15)
            await asyncio.sleep(0.05)
            assert client.right()
            assert client.knows_trades()
            assert not client.errors
            diffs = [json.loads(text)["data"] for text in client.frames if "depthUpdate" in text]
            assert len(diffs) > 100
            assert all(later["pu"] == earlier["u"] for earlier, later in pairwise(diffs))
            assert all(diff["pu"] < diff["U"] - 1 for diff in diffs), "ids skip: U does not continue u"
            sandbox.director.add([Fault(kind="drop", venue=VENUE, channel="depth", count=10)])
            await sandbox.advance(5)
            await asyncio.sleep(0.05)
            diffs = [json.loads(text)["data"] for text in client.frames if "depthUpdate" in text]
            assert sum(later["pu"] != earlier["u"] for earlier, later in pairwise(diffs)) == 1, "and a gap is told by pu alone"

    play([VENUE], script)


def test_the_snapshot_joins_the_first_diff() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        url = sandbox.addresses[VENUE]["rest"] + "/fapi/v1/depth?symbol=BTCUSDT&limit=5"
        async with http.ws_connect(sandbox.addresses[VENUE]["ws"] + "/public/stream?streams=btcusdt@depth@100ms") as socket:
            await asyncio.sleep(0.03)
            await sandbox.advance(0.5)
            await sandbox.advance(0.05)
            snapshot = await told(http, url)
            assert len(snapshot["bids"]) == 5
            assert snapshot["E"] == snapshot["T"]
            await sandbox.advance(1)
            while True:
                diff = json.loads(await socket.receive_str())["data"]
                if diff["u"] >= snapshot["lastUpdateId"]:
                    break
            assert diff["U"] <= snapshot["lastUpdateId"] <= diff["u"] or diff["pu"] == snapshot["lastUpdateId"]

    play([VENUE], script)


def test_marks_funding_and_liquidations() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        rest = sandbox.addresses[VENUE]["rest"] + "/fapi/v1/"
        streams = "btcusdt@markPrice@1s/btcusdt@forceOrder/btcusdt@aggTrade"
        async with http.ws_connect(sandbox.addresses[VENUE]["ws"] + "/market/stream?streams=" + streams) as socket:
            await asyncio.sleep(0.03)
            await sandbox.advance(40)
            seen: dict[str, list[Any]] = {}
            while len(seen.get("markPriceUpdate", [])) < 40 or not seen.get("forceOrder"):
                data = json.loads(await socket.receive_str())["data"]
                seen.setdefault(data["e"], []).append(data)
            mark = seen["markPriceUpdate"][-1]
            assert abs(float(mark["p"]) / float(mark["i"]) - 1) < 0.002
            assert mark["T"] % 28_800_000 == 0
            assert seen["forceOrder"][0]["o"]["S"] in ("BUY", "SELL")
            assert "M" not in seen["aggTrade"][0]
        premium = await told(http, rest + "premiumIndex?symbol=BTCUSDT")
        assert premium["nextFundingTime"] == mark["T"]
        rates = await told(http, f"{rest}fundingRate?symbol=BTCUSDT&startTime={START_NS // 10**6 - 10 * 28_800_000}")
        assert [later["fundingTime"] - earlier["fundingTime"] for earlier, later in pairwise(rates)] == [28_800_000] * 9
        assert float((await told(http, rest + "openInterest?symbol=BTCUSDT"))["openInterest"]) > 1_000
        info = await told(http, rest + "exchangeInfo")
        assert {item["filterType"] for item in info["symbols"][0]["filters"]} >= {"PRICE_FILTER", "LOT_SIZE", "MIN_NOTIONAL"}
        assert info["symbols"][0]["filters"][0]["tickSize"] == "0.10"

    play([VENUE], script)


def test_streams_of_the_other_address_stay_silent() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        names = "btcusdt@depth@100ms/btcusdt@markPrice@1s"
        for address, expected in (("public", "depthUpdate"), ("market", "markPriceUpdate")):
            async with http.ws_connect(f"{sandbox.addresses[VENUE]['ws']}/{address}/stream?streams={names}") as socket:
                await asyncio.sleep(0.03)
                await sandbox.advance(5)
                kinds = {json.loads(await socket.receive_str())["data"]["e"] for _ in range(4)}
                assert kinds == {expected}

    play([VENUE], script)


def test_limits_are_those_of_futures() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        url = sandbox.addresses[VENUE]["rest"] + "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
        async with http.get(url) as answer:
            assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "20"
        async with http.ws_connect(sandbox.addresses[VENUE]["ws"] + "/ws", autoping=False) as socket:
            await sandbox.advance(179)
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            assert (await socket.receive()).type is aiohttp.WSMsgType.TEXT, "no ping for three minutes"
            await sandbox.advance(3)
            assert (await socket.receive()).type is aiohttp.WSMsgType.PING

    play([VENUE], script)
