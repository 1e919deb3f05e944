"""The happy path: a client that does as the documents say ends with the venue's own book and trades."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tradewind.domain.errors import BadUse
from tradewind.venues.emulators.book import ASK, BID, Market
from tradewind.venues.emulators.flow import Pace
from tradewind.venues.emulators.kraken import checksum
from tradewind.venues.emulators.listings import Listing
from tradewind.venues.emulators.sandbox import Sandbox, Setting

from .clients import CLIENTS

START_NS = 1_795_374_120_000_000_000
BUSY = Setting(start_ns=START_NS, by_hand=True, pace=Pace(orders_per_s=60.0))


def play(venues: list[str], script: Callable[[Sandbox, aiohttp.ClientSession], Awaitable[Any]], setting: Setting = BUSY) -> Any:
    async def run() -> Any:
        connector = aiohttp.TCPConnector(force_close=True)
        async with Sandbox(venues, 5, setting=setting) as sandbox, aiohttp.ClientSession(connector=connector) as http:
            return await script(sandbox, http)

    return asyncio.run(asyncio.wait_for(run(), 60))


async def told(http: aiohttp.ClientSession, url: str) -> Any:
    async with http.get(url) as answer:
        return json.loads(await answer.text())


@pytest.mark.parametrize("venue", CLIENTS)
def test_a_client_that_follows_the_documents_has_the_venues_book(venue: str) -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        async with CLIENTS[venue](sandbox, http) as client:
            await sandbox.advance(20)
            await asyncio.sleep(0.05)
            assert client.right()
            assert client.knows_trades()
            assert not client.errors
            assert len(client.frames) > 150

    play([venue], script)


@pytest.mark.parametrize("venue", CLIENTS)
def test_what_is_said_depends_on_the_seed_alone(venue: str) -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> list[str]:
        async with CLIENTS[venue](sandbox, http) as client:
            await sandbox.advance(3)
            await asyncio.sleep(0.05)
            return client.frames

    first, second = play([venue], script), play([venue], script)
    assert len(first) > 20
    assert first == second
    assert first == play(["binance", "kraken", "coinbase"], script)[: len(first)], "other venues change nothing"


def test_kraken_proves_every_book_as_its_example_does() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        sides: list[dict[str, str]] = [{}, {}]
        async with http.ws_connect(sandbox.addresses["kraken"]["ws"] + "/v2") as socket:
            await socket.send_str('{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10}}')
            await asyncio.sleep(0.03)
            await sandbox.advance(10)
            proofs = 0
            while proofs < 150:
                frame = json.loads(await socket.receive_str(), parse_float=str)
                if frame.get("channel") != "book":
                    continue
                for side, name in enumerate(("bids", "asks")):
                    for row in frame["data"][0][name]:
                        sides[side][row["price"]] = row["qty"]
                        if not float(row["qty"]):
                            del sides[side][row["price"]]
                    kept = sorted(sides[side], key=float, reverse=side == 0)[:10]
                    sides[side] = {price: sides[side][price] for price in kept}
                parts = [text for side in (1, 0) for pair in sides[side].items() for text in pair]
                plain = "".join(text.replace(".", "").lstrip("0") for text in parts)
                assert zlib.crc32(plain.encode()) == frame["data"][0]["checksum"]
                proofs += 1

    play(["kraken"], script)


def test_checksum_is_that_of_the_venues_worked_example(shared_data: Any) -> None:
    example = json.loads((shared_data / "official/kraken_book_checksum_v2_example.json").read_text())
    market = Market("kraken", Listing(base="BTC", quote="USD", price_decimals=1, size_decimals=8), 1)
    for side, name in ((BID, "bids"), (ASK, "asks")):
        for price, size in example[name]:
            market.set(0, side, int(price.replace(".", "")), int(size.replace(".", "")))
    assert checksum(market) == 3_310_070_434


def test_binance_chains_its_diffs_and_tells_the_touch_of_the_same_number() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        streams = "btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@depth"
        market = sandbox.market("binance", "BTC/USDT")
        async with http.ws_connect(sandbox.addresses["binance"]["ws"] + "/stream?streams=" + streams) as socket:
            await asyncio.sleep(0.03)
            await sandbox.advance(5)
            last: dict[str, int] = {}
            checked = 0
            while len(last) < 2 or checked < 40:
                frame = json.loads(await socket.receive_str())
                data = frame["data"]
                if "bookTicker" in frame["stream"]:
                    book = market.book_at(data["u"])
                    assert data["b"] == f"{(book.best(BID) or 0) / 100:.8f}"
                    assert data["a"] == f"{(book.best(ASK) or 0) / 100:.8f}"
                    checked += 1
                else:
                    assert data["U"] == last.get(frame["stream"], data["U"] - 1) + 1
                    last[frame["stream"]] = data["u"]

    play(["binance"], script)


def test_candles_are_those_of_the_trades() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        await sandbox.advance(150)
        rest = sandbox.addresses
        minute_ms = START_NS // 1_000_000
        bars = await told(http, f"{rest['binance']['rest']}/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={minute_ms}")
        trades = [item for item in sandbox.market("binance", "BTC/USDT").trades if START_NS <= item.ts_ns < START_NS + 60 * 10**9]
        assert bars[0][1] == f"{trades[0].price / 100:.8f}"
        assert bars[0][2] == f"{max(item.price for item in trades) / 100:.8f}"
        assert bars[0][4] == f"{trades[-1].price / 100:.8f}"
        assert bars[0][5] == f"{sum(item.size for item in trades) / 10**5:.8f}"
        assert bars[0][8] == len(trades)
        kraken = await told(http, f"{rest['kraken']['rest']}/0/public/OHLC?pair=XBTUSD&interval=1")
        assert kraken["error"] == []
        assert len(kraken["result"]["XXBTZUSD"]) == 720
        since = START_NS // 10**9
        where = f"/api/v3/brokerage/market/products/BTC-USD/candles?granularity=ONE_MINUTE&start={since}&end={since + 119}"
        coinbase = (await told(http, rest["coinbase"]["rest"] + where))["candles"]
        assert [int(bar["start"]) for bar in coinbase] == [since + 60, since], "newest first"

    play(["binance", "kraken", "coinbase"], script, Setting(start_ns=START_NS, by_hand=True))


def test_binance_counts_weight_then_refuses_then_bans() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        url = sandbox.addresses["binance"]["rest"] + "/api/v3/depth?symbol=BTCUSDT&limit=5000"
        seen = []
        for _ in range(40):
            async with http.get(url) as answer:
                seen.append((answer.status, answer.headers["X-MBX-USED-WEIGHT-1M"], answer.headers.get("Retry-After")))
        assert [item[0] for item in seen] == [200] * 24 + [429] * 10 + [418] * 6
        assert seen[1][1] == "500"
        assert seen[24][2] == "60"
        assert seen[34][2] == "120"
        await sandbox.advance(119)
        async with http.get(url) as answer:
            assert answer.status == 418
        await sandbox.advance(2)
        async with http.get(url) as answer:
            assert answer.status == 200

    play(["binance"], script)


def test_refusals_have_the_venues_form() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        rest = {name: item["rest"] for name, item in sandbox.addresses.items()}
        assert await told(http, rest["binance"] + "/api/v3/depth?symbol=NOPE") == {"code": -1121, "msg": "Invalid symbol."}
        assert (await told(http, rest["kraken"] + "/0/public/Depth?pair=NOPE"))["error"] == ["EQuery:Unknown asset pair"]
        async with http.get(rest["coinbase"] + "/api/v3/brokerage/market/products/NO-PE") as answer:
            assert answer.status == 404
        async with http.ws_connect(sandbox.addresses["binance"]["ws"] + "/ws") as socket:
            for text in ("{", '{"id":1}', '{"method":"X","id":1}', '{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":9}'):
                await socket.send_str(text)
            answers = [json.loads(await socket.receive_str()) for _ in range(4)]
            assert [item.get("code") for item in answers] == [3, 2, 2, None]
            assert answers[3] == {"result": None, "id": 9}
        async with http.ws_connect(sandbox.addresses["kraken"]["ws"] + "/v2") as socket:
            assert (await socket.receive_json())["channel"] == "status"
            await socket.send_json({"method": "subscribe", "params": {"channel": "book", "symbol": ["X/Y"]}, "req_id": 3})
            refusal = await socket.receive_json()
            assert (refusal["success"], refusal["error"], refusal["req_id"]) == (False, "Currency pair not supported X/Y", 3)

    play(["binance", "kraken", "coinbase"], script)


MALFORMED = {
    "binance": {
        "depth?symbol=BTCUSDT&limit=abc": -1100, "depth?symbol=BTCUSDT&limit=-5": -1100, "depth?symbol=BTCUSDT&limit=0": -1130,
        "depth?symbol=btcusdt": -1100, "klines?symbol=BTCUSDT&interval=1m&limit=0": -1130, "klines?symbol=BTCUSDT": -1102,
        "klines?symbol=BTCUSDT&interval=7m": -1120, "trades?symbol=BTCUSDT&limit=1e3": -1100,
        "aggTrades?symbol=BTCUSDT&startTime=now": -1100, "historicalTrades?symbol=BTCUSDT&fromId=": -1100,
    },
    "binance-usdm": {"depth?symbol=BTCUSDT&limit=0": -1130, "depth?symbol=BTCUSDT&limit=x": -1100, "openInterest": -1102},
    "kraken": {
        "Depth": "EGeneral:Invalid arguments", "Depth?pair=XBTUSD&count=x": "EGeneral:Invalid arguments",
        "OHLC?pair=XBTUSD&interval=7": "EGeneral:Invalid arguments", "Trades?pair=XBTUSD&since=abc": "EGeneral:Invalid arguments",
        "Trades?pair=XBTUSD&since=nan": "EGeneral:Invalid arguments", "Spread?pair=NOPE": "EQuery:Unknown asset pair",
    },
}  # fmt: skip
ROOTS = {"binance": "/api/v3/", "binance-usdm": "/fapi/v1/", "kraken": "/0/public/"}


def test_a_malformed_request_is_refused_and_no_default_is_guessed() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        for venue, queries in MALFORMED.items():
            for query, expected in queries.items():
                async with http.get(sandbox.addresses[venue]["rest"] + ROOTS[venue] + query) as answer:
                    body = await answer.json(content_type=None)
                    found = body["error"][0] if venue == "kraken" else body["code"]
                    assert (query, found, answer.status) == (query, expected, 200 if venue == "kraken" else 400)

    play(list(MALFORMED), script)


def test_too_many_messages_end_the_connection() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        async with http.ws_connect(sandbox.addresses["binance"]["ws"] + "/ws") as socket:
            for number in range(7):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
            answers = 0
            while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                answers += 1
            assert answers == 5
            assert socket.close_code == 1008

    play(["binance"], script)


def test_silence_ends_connections_that_must_not_be_silent() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        async with (
            http.ws_connect(sandbox.addresses["binance"]["ws"] + "/ws", autoping=False) as mute,
            http.ws_connect(sandbox.addresses["coinbase"]["ws"]) as idle,
        ):
            await sandbox.advance(6)
            assert (await idle.receive()).type is aiohttp.WSMsgType.CLOSE, "nothing subscribed within 5 s"
            await sandbox.advance(16)
            assert (await mute.receive()).type is aiohttp.WSMsgType.PING
            await sandbox.advance(60)
            kinds = {(await mute.receive()).type for _ in range(4)}
            assert aiohttp.WSMsgType.CLOSE in kinds, "no pong within a minute"

    play(["binance", "coinbase"], script)


def test_heartbeats_count_and_frames_are_numbered() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        async with CLIENTS["coinbase"](sandbox, http) as client:
            await sandbox.advance(5)
            await asyncio.sleep(0.05)
            frames = [json.loads(text) for text in client.frames]
            assert [frame["sequence_num"] for frame in frames] == list(range(len(frames)))
            beats = [frame["events"][0]["heartbeat_counter"] for frame in frames if frame["channel"] == "heartbeats"]
            assert beats == [1, 2, 3, 4, 5]

    play(["coinbase"], script)


def test_venues_go_together_but_never_agree() -> None:
    async def script(sandbox: Sandbox, _http: aiohttp.ClientSession) -> None:
        await sandbox.advance(30)
        mids = []
        for venue, symbol in (("binance", "BTC/USDT"), ("kraken", "BTC/USD"), ("coinbase", "BTC/USD")):
            market = sandbox.market(venue, symbol)
            bid, ask = market.book.best(BID), market.book.best(ASK)
            assert bid is not None
            assert ask is not None
            assert bid < ask
            mids.append((bid + ask) / 2 / 10**market.listing.price_decimals)
        assert len(set(mids)) == 3
        assert max(mids) / min(mids) < 1.002

    play(["binance", "kraken", "coinbase"], script)


def test_an_unknown_venue_is_refused() -> None:
    with pytest.raises(BadUse, match="mtgox"):
        Sandbox(["mtgox"])
