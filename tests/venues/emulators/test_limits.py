"""Binance's limits as a careless client meets them: too many streams, parameters nobody reads, a depth that is not on offer."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from tradewind.venues.binance.facts import SPOT_FACTS, USDM_FACTS
from tradewind.venues.emulators.binance import BinanceVenue
from tradewind.venues.emulators.sandbox import Sandbox
from tradewind.venues.emulators.usdm import UsdmVenue

from .test_venues import play, told

MOST = {"binance": 1_024, "binance-usdm": 200}


@pytest.mark.parametrize("venue", MOST)
def test_streams_over_the_limit_are_refused_and_not_confirmed(venue: str) -> None:
    names = [f"x{number}@trade" for number in range(MOST[venue] - 1)]

    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        async with http.ws_connect(sandbox.addresses[venue]["ws"] + "/ws/btcusdt@trade") as socket:

            async def asked(params: list[str]) -> dict[str, object]:
                await socket.send_str(json.dumps({"method": "SUBSCRIBE", "params": params, "id": 1}))
                while True:
                    answer: dict[str, object] = json.loads(await socket.receive_str())
                    if "id" in answer:
                        return answer

            refused = await asked([*names, "ethusdt@trade"])
            assert refused["code"] == 2 and "result" not in refused
            await sandbox.advance(1.1)
            assert (await asked(names))["result"] is None, "as many as may be, and one known already"
            assert (await asked(["btcusdt@trade"]))["result"] is None
            await sandbox.advance(1.1)
            assert (await asked(["ethusdt@trade"]))["code"] == 2

    play([venue], script)


@pytest.mark.parametrize("venue", MOST)
def test_streams_over_the_limit_in_an_address_end_the_connection(venue: str) -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        for count, ended in ((MOST[venue], False), (MOST[venue] + 1, True)):
            names = "/".join(f"{number}@t" for number in range(count))  # an address of this length passes any server
            async with http.ws_connect(sandbox.addresses[venue]["ws"] + "/stream?streams=" + names) as socket:
                if not ended:
                    await socket.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}))
                    assert len(json.loads(await socket.receive_str())["result"]) == count
                    continue
                heard = await asyncio.wait_for(socket.receive(), 5)
                assert (heard.type, heard.data) == (aiohttp.WSMsgType.CLOSE, 1008)

    play([venue], script)


def test_a_connection_holds_what_the_facts_say() -> None:
    for facts, made in ((SPOT_FACTS, BinanceVenue), (USDM_FACTS, UsdmVenue)):
        assert facts["ws.streams_per_connection"].value == made.most_streams


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("depth?symbol=BTCUSDT&limit=5&levels=5", -1104), ("time?now=1", -1104), ("trades?symbol=BTCUSDT&fromId=1", -1104),
        ("klines?symbol=BTCUSDT&interval=1m&limit=2&timeZone=0", 0), ("exchangeInfo?symbol=BTCUSDT", 0),
    ],
)  # fmt: skip
def test_a_parameter_that_nobody_reads_is_refused(path: str, code: int) -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        found = await told(http, f"{sandbox.addresses['binance']['rest']}/api/v3/{path}")
        assert (found.get("code", 0) if isinstance(found, dict) else 0) == code, found

    play(["binance"], script)


def test_usdm_has_the_depths_it_names() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        url = sandbox.addresses["binance-usdm"]["rest"] + "/fapi/v1/depth?symbol=BTCUSDT"
        for limit, fits in ((5, True), (25, False), (1_000, True), (5_000, False)):
            found = await told(http, f"{url}&limit={limit}")
            assert ("bids" in found) == fits
            assert fits or found == {"code": -4021, "msg": f"{limit} is not valid depth limit"}
        assert "bids" in await told(http, url)

    play(["binance-usdm"], script)
