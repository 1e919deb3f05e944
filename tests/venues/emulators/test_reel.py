"""A reel is honest: every proof holds from frame to frame and from round to round, and the book comes home."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from tradewind.venues.emulators.reel import Reel
from tradewind.venues.emulators.sandbox import Sandbox, Setting

from .clients import CLIENTS, Naive

ROUNDS, RATE, FRAMES = 40, 4_000.0, 400  # a round is 80 to 120 frames


def played(venue: str) -> tuple[list[Any], Naive]:
    """The frames a client got while a reel went round several times; prices and sizes are texts."""

    async def run() -> tuple[list[Any], Naive]:
        async with Sandbox([venue], 3, setting=Setting()) as sandbox, aiohttp.ClientSession() as http:
            reel = Reel(sandbox, RATE, 1, rounds=ROUNDS)
            async with CLIENTS[venue](sandbox, http) as client:
                task = asyncio.create_task(reel.run())
                for _ in range(600):
                    if len(client.frames) >= FRAMES or task.done():
                        break
                    await asyncio.sleep(0.02)
                task.cancel()
                await asyncio.wait({task})
                assert sum(reel.sent.values()) >= FRAMES - 10
                return [json.loads(text, parse_float=str) for text in client.frames], client

    return asyncio.run(asyncio.wait_for(run(), 60))


def chained(numbers: list[int]) -> bool:
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_binance_goes_round() -> None:
    frames, client = played("binance")
    diffs = [frame["data"] for frame in frames if "@depth" in frame["stream"]]
    assert all(later["U"] == earlier["u"] + 1 for earlier, later in pairwise(diffs))
    assert max(len(diff["b"]) for diff in diffs) == 10
    assert chained([frame["data"]["t"] for frame in frames if "@trade" in frame["stream"]])
    assert abs(diffs[-1]["E"] - time.time() * 1_000) < 30_000
    bids, asks = client.believed()
    assert bids[0][0] < asks[0][0]
    assert not client.errors
    sizes: list[dict[str, str]] = [{}, {}]
    states = set()
    for diff in diffs:
        for side, rows in zip(sizes, (diff["b"], diff["a"]), strict=True):
            side.update(rows)
        states.add(str([sorted(side.items()) for side in sizes]))
    assert len(states) < len(diffs), "a state comes again with every round"


def test_kraken_goes_round() -> None:
    frames, client = played("kraken")
    sides: list[dict[str, str]] = [{}, {}]
    proofs = 0
    for frame in frames:
        if frame.get("channel") != "book":
            continue
        for side, name in zip(sides, ("bids", "asks"), strict=True):
            for row in frame["data"][0][name]:
                side[row["price"]] = row["qty"]
                if not float(row["qty"]):
                    del side[row["price"]]
        best = [sorted(side, key=float, reverse=place == 0)[:10] for place, side in enumerate(sides)]
        text = "".join(
            item.replace(".", "").lstrip("0") for place in (1, 0) for key in best[place] for item in (key, sides[place][key])
        )
        proofs += 1
        assert zlib.crc32(text.encode()) == frame["data"][0]["checksum"]
    assert proofs > FRAMES // 3
    assert chained(
        [frame["data"][0]["trade_id"] for frame in frames if frame.get("channel") == "trade" and frame["type"] == "update"]
    )
    assert not client.errors


def test_coinbase_goes_round() -> None:
    frames, client = played("coinbase")
    numbers = [frame["sequence_num"] for frame in frames]
    assert chained(numbers), "what was said before the reel, too: a jump would be a lost message"
    assert len(numbers) > FRAMES // 2
    beats = [frame["events"][0]["heartbeat_counter"] for frame in frames if frame["channel"] == "heartbeats"]
    assert chained([beat for beat in beats if beat >= 10**9])
    assert len(client.bids) > 40
    assert not client.errors


@pytest.mark.parametrize("venue", CLIENTS)
def test_a_reel_waits_for_its_listener(venue: str) -> None:
    async def run() -> None:
        async with Sandbox([venue], 3) as sandbox:
            task = asyncio.create_task(Reel(sandbox, RATE, 1, rounds=ROUNDS).run())
            await asyncio.sleep(0.2)
            assert not task.done()
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(run())
