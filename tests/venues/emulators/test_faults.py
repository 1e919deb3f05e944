"""Every fault fools a client that trusts the venue. A fault that fooled nobody would test nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tradewind.domain.errors import BadUse
from tradewind.venues.emulators.book import ASK, BID
from tradewind.venues.emulators.sandbox import Sandbox, Setting
from tradewind.venues.emulators.script import KINDS, Fault, checked, load, read

from .clients import CLIENTS, Naive
from .test_venues import START_NS, play, told

ALL = tuple(CLIENTS)
SEEN: set[str] = set()  # kinds some test of this module has looked at


def fault(kind: str, venue: str, **more: Any) -> Fault:
    SEEN.add(kind)
    return checked(Fault(kind=kind, venue=venue, **more), ALL, "test")


def suffer(venue: str, script: Callable[[Naive, Sandbox], Awaitable[None]], *first: Fault) -> None:
    """A naive client that has been right for a while, then what `script` does to it. `first` is on before it connects."""

    async def run(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        sandbox.director.add(first)
        async with CLIENTS[venue](sandbox, http) as client:
            await go(sandbox, 2)
            assert first or (client.right() and client.knows_trades() and not client.errors)
            await script(client, sandbox)

    play([venue], run)


async def go(sandbox: Sandbox, seconds: float) -> None:
    await sandbox.advance(seconds)
    await asyncio.sleep(0.04)


def depth_channel(venue: str) -> str:
    return {"binance": "depthUpdate", "kraken": '"book"', "coinbase": "l2_data"}[venue]


# Frames ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", ALL)
def test_drop_breaks_the_book_and_loses_trades(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("drop", venue, channel="depth", count=15), fault("drop", venue, channel="trade", count=2)])
        await go(sandbox, 3)
        assert sandbox.venues[venue].faults.fired["drop"] == 17
        assert sandbox.director.active() == []
        assert not client.knows_trades()
        assert not client.right_deep()

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_reorder_ends_with_an_old_level(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        before = len(client.stamps)
        sandbox.director.add([fault("reorder", venue, channel="depth", count=20, params={"by": 3})])
        await go(sandbox, 5)
        assert client.stamps[before:] != sorted(client.stamps[before:])

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_duplicate_counts_a_trade_twice(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        told_before, known_before = len(client.prices), len(client.trades)
        sandbox.director.add([fault("duplicate", venue, channel="trade", count=3)])
        await go(sandbox, 3)
        assert len(client.prices) - told_before > len(client.trades) - known_before

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_corrupt_leaves_one_wrong_size(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("corrupt", venue, count=40)])
        await go(sandbox, 6)
        assert not client.right_deep()

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_crossed_book_lasts_as_long_as_the_fault(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("crossed", venue, for_s=2.0)])
        await go(sandbox, 1.9)
        bids, asks = client.believed()
        assert bids[0][0] > asks[0][0]
        await go(sandbox, 3)
        assert client.right()

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_empty_side_has_no_ask_until_the_fault_ends(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("empty_side", venue, for_s=2.0)])
        await go(sandbox, 1.9)
        assert client.believed()[1] == []
        assert client.truth()[1] != []
        await go(sandbox, 3)
        assert client.right()

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_silent_channel_goes_unnoticed(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("silent", venue)])
        before = len(client.frames)
        await go(sandbox, 5)
        late = client.frames[before:]
        assert not any(depth_channel(venue) in frame for frame in late)
        assert venue == "binance" or sum("heartbeat" in frame for frame in late) >= 4, "heartbeats go on"
        assert not client.ended
        assert not client.errors
        assert not client.right()

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_black_hole_looks_like_a_quiet_market(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("hole", venue, params={"new": True})])
        before = len(client.frames)
        await client.socket.ping()
        await go(sandbox, 30)
        assert len(client.frames) == before
        assert not client.ended
        assert not client.right()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.http.ws_connect(client.ws + client.path), 0.3)

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_huge_message_is_taken_whole(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("huge", venue, channel="depth")])
        await go(sandbox, 1)
        await client.caught_up()
        assert max(len(frame) for frame in client.frames) > 5_000_000

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_slow_drip_keeps_the_client_waiting(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("drip", venue, channel="depth", params={"bytes_per_s": 400})])
        before, began = len(client.frames), time.monotonic()
        await go(sandbox, 2)
        assert len(client.frames) <= before + 20
        await client.caught_up()
        assert time.monotonic() - began > 0.25
        assert client.right()

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
@pytest.mark.parametrize(
    "what", ["binary", "utf8", "nan", "infinity", "overflow", "nesting", "duplicate_keys", "truncated", "empty"]
)
def test_garbage_kills_or_poisons(venue: str, what: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("garbage", venue, channel="depth", count=6, params={"what": what})])
        await go(sandbox, 2)
        poisoned = any(text in str(client.believed(60)) for text in ("nan", "inf"))
        deaf = what in ("nan", "infinity", "overflow") and client.sandbox.venues[venue].faults.fired["garbage"] == 6
        assert client.errors or client.ended or poisoned or not client.right_deep() or deaf

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_schema_drifts_reach_the_client(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        def last() -> str:
            return next(frame for frame in reversed(client.frames) if depth_channel(venue) in frame)

        async def during(kind: str, **params: Any) -> str:
            sandbox.director.add([fault(kind, venue, channel="depth", for_s=1.0, params=params)])
            await go(sandbox, 0.9)
            frame = last() if kind != "enum_new" else "".join(client.frames)
            await go(sandbox, 0.5)
            return frame

        assert '"zz_added":' in await during("field_new")
        assert "NEW_WORD" in await during("enum_new")
        frame = await during("microseconds")
        assert any(sign in frame for sign in ('"E":17953741', '"timestamp":17953741'))
        assert len(str(max(item for item in client.stamps if isinstance(item, int)))) == 16
        quoted, plain = '"price":"', '"price_level":7'
        frame = await during("number_text")
        assert quoted in frame if venue == "kraken" else (plain in frame or '"b":[[7' in frame or '"a":[[7' in frame)
        assert not client.errors or venue != "binance"
        errors = len(client.errors)
        await during("field_missing", name={"binance": "u", "kraken": "price", "coinbase": "new_quantity"}[venue])
        assert len(client.errors) > errors
        assert any("KeyError" in error for error in client.errors[errors:])

    suffer(venue, script)


# Connections -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "count"), [("reset", 6), ("503", 3), ("hang", 3)])
def test_refused_connects_are_counted(how: str, count: int) -> None:
    """aiohttp's client tries again by itself after a reset."""

    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        sandbox.director.add([fault("refuse", "binance", count=count, params={"how": how})])
        for _ in range(3):
            with pytest.raises((aiohttp.ClientError, TimeoutError, ConnectionError)):
                await asyncio.wait_for(http.ws_connect(sandbox.addresses["binance"]["ws"] + "/ws"), 0.3)
        async with http.ws_connect(sandbox.addresses["binance"]["ws"] + "/ws"):
            pass
        assert len(sandbox.venues["binance"].connections) == count + 1

    play(["binance"], script)


@pytest.mark.parametrize("venue", ALL)
def test_disconnects_come_at_random_moments(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("disconnect", venue, params={"per_minute": 60.0})])
        await go(sandbox, 15)
        assert client.ended
        assert client.socket.close_code != 1000
        assert not client.right()

    suffer(venue, script)


def test_cut_is_announced_by_binance_and_comes_without_a_word_elsewhere() -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("cut", client.venue, params={"grace_s": 4.0})])
        await go(sandbox, 3)
        assert not client.ended
        assert (client.venue == "binance") == any("serverShutdown" in frame for frame in client.frames)
        await go(sandbox, 2)
        assert client.ended

    for venue in ALL:
        suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_confirmed_subscriptions_stay_silent(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        assert not any(depth_channel(venue) in frame and "subscri" not in frame for frame in client.frames)
        assert venue == "binance" or any("subscri" in frame for frame in client.frames), "it was confirmed"
        assert client.believed() == ([], [])

    suffer(venue, script, fault("ack_silent", venue))


@pytest.mark.parametrize("venue", ALL)
def test_subscription_of_another_pair(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        await go(sandbox, 2)
        bids, _ = client.believed()
        assert bids
        assert not client.right(), "it believes another pair's book"

    suffer(venue, script, fault("ack_wrong", venue, channel="depth"))


# Requests -------------------------------------------------------------------------------------------------------------


def test_stale_snapshot_is_older_than_the_first_diff() -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        first = next(json.loads(frame)["data"] for frame in client.frames if "depthUpdate" in frame)
        async with client.http.get(client.rest + "/api/v3/depth?symbol=BTCUSDT") as answer:
            assert (await answer.json())["lastUpdateId"] < first["U"] - 1, "the second one is old too"
        assert not client.right_deep()

    suffer("binance", script, fault("stale_snapshot", "binance", count=2))


@pytest.mark.parametrize("venue", ALL)
def test_requests_are_refused_in_the_venues_form(venue: str) -> None:
    path = {"binance": "/api/v3/time", "kraken": "/0/public/Time", "coinbase": "/api/v3/brokerage/time"}[venue]

    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        async def status() -> tuple[int, str, str | None]:
            async with http.get(sandbox.addresses[venue]["rest"] + path) as answer:
                return answer.status, await answer.text(), answer.headers.get("Retry-After")

        assert (await status())[0] == 200
        sandbox.director.add([fault("rate_limit", venue, for_s=5.0, params={"retry_after_s": 7})])
        code, text, wait = await status()
        assert "Too many" in text if venue == "kraken" else code == 429
        assert (wait == "7") == (venue == "binance")
        await go(sandbox, 6)
        sandbox.director.add([fault("rest_fail", venue, count=1, params={"status": 502})])
        assert (await status())[0] == 502
        sandbox.director.add([fault("maintenance", venue, for_s=2.0)])
        code, text, _ = await status()
        assert "Unavailable" in text if venue == "kraken" else code == 503
        await go(sandbox, 3)
        sandbox.director.add([fault("ban", venue, for_s=200.0)])
        code, _, wait = await status()
        assert (code, wait) == (418, "200") if venue == "binance" else code in (200, 429)
        await go(sandbox, 201)
        assert (await status())[0] == 200
        assert len(sandbox.venues[venue].requests) == 6

    play([venue], script)


def test_inflated_weight_is_seen_in_the_header_only() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        sandbox.director.add([fault("weight", "binance", params={"add": 5_000})])
        async with http.get(sandbox.addresses["binance"]["rest"] + "/api/v3/time") as answer:
            assert answer.status == 200
            assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "5001"

    play(["binance"], script)


# The venue and its prices ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", ALL)
def test_maintenance_stops_the_market(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("maintenance", venue, for_s=4.0)])
        before = len(client.stamps)
        await go(sandbox, 3)
        assert len(client.stamps) == before
        assert venue != "kraken" or any('"maintenance"' in frame for frame in client.frames)
        await go(sandbox, 4)
        assert client.right()

    suffer(venue, script)


def test_rules_change_under_a_client_that_keeps_them() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        rest = {name: item["rest"] for name, item in sandbox.addresses.items()}
        places = {
            "binance": "/api/v3/exchangeInfo?symbol=BTCUSDT",
            "kraken": "/0/public/AssetPairs?pair=XBTUSD",
            "coinbase": "/api/v3/brokerage/market/products/BTC-USD",
        }
        before = {name: str(await told(http, rest[name] + path)) for name, path in places.items()}
        for name in places:
            symbol = "BTC/USDT" if name == "binance" else "BTC/USD"
            sandbox.director.add([fault("rules", name, symbol=symbol, params={"status": "delisted", "tick": 50})])
        frames = sandbox.market("kraken", "BTC/USD").number
        await go(sandbox, 5)
        after = {name: str(await told(http, rest[name] + path)) for name, path in places.items()}
        assert all(before[name] != after[name] for name in places)
        assert "BREAK" in after["binance"]
        assert "0.50000000" in after["binance"]
        assert "'status': 'delisted'" in after["kraken"]
        assert "'trading_disabled': True" in after["coinbase"]
        assert sandbox.market("kraken", "BTC/USD").number == frames, "nothing trades any more"

    play(list(ALL), script)


def test_a_new_tick_is_kept_by_new_orders() -> None:
    async def script(sandbox: Sandbox, _http: aiohttp.ClientSession) -> None:
        market = sandbox.market("kraken", "BTC/USD")
        sandbox.director.add([fault("rules", "kraken", symbol="BTC/USD", params={"tick": 50})])
        last = market.number
        await go(sandbox, 10)
        placed = [change for change in market.changes if change.number > last and change.size and not change.before]
        assert len(placed) > 100
        assert all(change.price % 50 == 0 for change in placed)
        bid, ask = market.book.best(BID), market.book.best(ASK)
        assert bid is not None
        assert ask is not None
        assert bid < ask

    play(["kraken"], script)


@pytest.mark.parametrize("venue", ALL)
@pytest.mark.parametrize("offset_s", [-3_600.0, 2.0, 86_400.0])
def test_clock_jumps(venue: str, offset_s: float) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        before = client.stamps[-1]
        sandbox.director.add([fault("clock", venue, params={"offset_s": offset_s})])
        await go(sandbox, 1)
        assert 0 <= seconds(client.stamps[-1]) - seconds(before) - offset_s <= 1.5
        assert client.right(), "only times are wrong"

    suffer(venue, script)


def seconds(stamp: int | str) -> float:
    """A venue's time, whichever way it writes it."""
    return stamp / 1_000 if isinstance(stamp, int) else datetime.fromisoformat(stamp).timestamp()


def test_burst_is_forty_times_as_much() -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        calm = len(client.stamps) / 2
        sandbox.director.add([fault("burst", "kraken", for_s=1.0)])
        before = len(client.stamps)
        await go(sandbox, 1)
        assert len(client.stamps) - before > 20 * calm

    suffer("kraken", script)


def middle(sandbox: Sandbox, venue: str, symbol: str) -> float:
    market = sandbox.market(venue, symbol)
    bid, ask = market.book.best(BID), market.book.best(ASK)
    assert bid is not None
    assert ask is not None
    return (bid + ask) / 2 / 10**market.listing.price_decimals


def test_drift_leaves_the_others_behind() -> None:
    async def script(sandbox: Sandbox, _http: aiohttp.ClientSession) -> None:
        sandbox.director.add([fault("drift", "kraken", for_s=30.0)])
        await go(sandbox, 20)
        assert middle(sandbox, "kraken", "BTC/USD") / middle(sandbox, "coinbase", "BTC/USD") > 1.008
        await go(sandbox, 30)
        assert abs(middle(sandbox, "kraken", "BTC/USD") / middle(sandbox, "coinbase", "BTC/USD") - 1) < 0.001, "and comes home"

    play(list(ALL), script)


@pytest.mark.parametrize("venue", ALL)
def test_stuck_price_has_fresh_times(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        sandbox.director.add([fault("stuck", venue)])
        await go(sandbox, 1)
        touch, prices, stamps = [side[0][0] for side in client.believed()], len(client.prices), len(client.stamps)
        sandbox.director.add([fault("shock", "", params={"over_s": 5.0})])
        await go(sandbox, 20)
        assert [side[0][0] for side in client.believed()] == touch
        assert len(client.stamps) > stamps + 50
        assert len(client.prices) > prices
        assert len(set(client.prices[prices + 5 :])) == 1

    suffer(venue, script)


@pytest.mark.parametrize("venue", ALL)
def test_bad_tick_is_believed(venue: str) -> None:
    async def script(client: Naive, sandbox: Sandbox) -> None:
        symbol = client.symbol
        sandbox.director.add([fault("bad_tick", venue, symbol=symbol)])
        await go(sandbox, 1)
        assert min(client.prices) < max(client.prices) / 5
        assert client.right(), "there is no trace in the book"

    suffer(venue, script)


def test_shock_moves_every_venue() -> None:
    async def script(sandbox: Sandbox, _http: aiohttp.ClientSession) -> None:
        names = (("binance", "BTC/USDT"), ("kraken", "BTC/USD"), ("coinbase", "BTC/USD"))
        before = [middle(sandbox, *name) for name in names]
        peg = middle(sandbox, "kraken", "USDC/USD")
        depeg = {"asset": "USDC", "share": -0.1, "over_s": 10.0}
        sandbox.director.add([fault("shock", ""), fault("shock", "", params=depeg)])
        await go(sandbox, 65)
        for name, was in zip(names, before, strict=True):
            assert 0.78 < middle(sandbox, *name) / was < 0.82
        assert middle(sandbox, "kraken", "USDC/USD") / peg < 0.91

    play(list(ALL), script, Setting(start_ns=START_NS, by_hand=True))


# The script -----------------------------------------------------------------------------------------------------------


def test_scripts_are_read_and_played_in_venue_time(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[[fault]]\nkind = "silent"\nvenue = "kraken"\nat_s = 2.0\nfor_s = 3.0\nchannel = "depth"\n')
    (tmp_path / "a.json").write_text('[{"kind": "silent", "venue": "kraken", "at_s": 2.0, "for_s": 3.0, "channel": "depth"}]')
    script = load(tmp_path / "a.toml", ALL)
    assert script == load(tmp_path / "a.json", ALL)

    async def run(sandbox: Sandbox, _http: aiohttp.ClientSession) -> None:
        sandbox.director.add(script)
        seen = []
        for _ in range(6):
            await sandbox.advance(1)
            seen.append(len(sandbox.director.active()))
        assert seen == [0, 1, 1, 1, 0, 0]

    play(["kraken"], run)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"kind": "nonsense", "venue": "kraken"}, "nonsense"),
        ({"kind": "drop", "venue": "mtgox"}, "mtgox"),
        ({"kind": "drop", "venue": "kraken", "params": {"x": 1}}, "x"),
        ({"kind": "burst", "venue": "kraken", "params": {"factor": "many"}}, "factor"),
        ({"kind": "drop", "venue": "kraken", "channel": "radio"}, "radio"),
        ({"kind": "drop", "venue": "kraken", "for_s": -1}, "out of range"),
        ({"kind": "drop", "venue": "kraken", "colour": "red"}, "colour"),
        ([1], "object"),
    ],
)
def test_a_wrong_script_is_refused(data: Any, named: str) -> None:
    with pytest.raises(BadUse, match=named):
        read(data, ALL, "test")


def test_faults_at_run_time_and_the_truth_through_the_control_door() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        door = sandbox.control
        assert door.rsplit(":", 1)[1].split("/")[0] not in str(sandbox.addresses)
        async with http.post(door + "/faults", json={"kind": "silent", "venue": "kraken"}) as answer:
            assert await answer.json() == {"numbers": [1]}
        async with http.post(door + "/faults", data="{") as answer:
            assert answer.status == 400
        async with http.post(door + "/faults", json={"kind": "x"}) as answer:
            assert "no kind of fault" in (await answer.json())["error"]
        assert (await told(http, door + "/faults"))["faults"][0]["kind"] == "silent"
        async with http.delete(door + "/faults/1") as answer:
            assert await answer.json() == {"faults": []}
        async with http.post(door + "/advance?seconds=2") as answer:
            assert answer.status == 200
        truth = await told(http, door + "/truth/kraken?symbol=BTC/USD")
        assert truth["bids"][0][0] < truth["asks"][0][0]
        assert set(await told(http, door + "/kinds")) == set(KINDS)
        assert (await told(http, door))["venues"]["kraken"]["clients"] == 0

    play(["kraken"], script)


def test_every_kind_has_a_test_that_looks_at_it() -> None:
    source = Path(__file__).read_text()
    assert not [kind for kind in KINDS if f'fault("{kind}"' not in source and f'during("{kind}"' not in source]


def test_every_kind_and_parameter_is_documented(repo: Path) -> None:
    page = (repo / "docs/sandbox.md").read_text()
    for name, kind in KINDS.items():
        assert f"| `{name}` | {kind.doc} |" in page
        assert all(f"`{parameter}` = {value}" in page for parameter, value in kind.params.items())


def test_two_streams_of_one_book_are_both_healed() -> None:
    async def script(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        async with CLIENTS["kraken"](sandbox, http) as client, http.ws_connect(client.ws + "/v2") as other:
            params = {"channel": "book", "symbol": ["BTC/USD"], "depth": 100}
            await other.send_json({"method": "subscribe", "params": params})
            await go(sandbox, 1)
            sandbox.director.add(
                [fault("crossed", "kraken", for_s=1.0), fault("empty_side", "kraken", for_s=1.0, params={"side": "bid"})]
            )
            await go(sandbox, 0.9)
            assert client.believed()[0] != client.truth()[0]
            assert len(sandbox.venues["kraken"].faults.running) == 2
            await go(sandbox, 3)
            assert client.right()
            bids: dict[float, float] = {}
            while True:
                try:
                    frame = await asyncio.wait_for(other.receive_json(), 0.2)
                except TimeoutError:
                    break
                for row in frame["data"][0]["bids"] if frame.get("channel") == "book" else ():
                    bids[row["price"]] = row["qty"]
            assert sorted(((price, size) for price, size in bids.items() if size), reverse=True)[:10] == client.truth()[0]

    play(["kraken"], script)
