"""What the tests of F6, F16 and X8 leave open, and what must hold when a venue's faults are over (I20, L2, L5)."""

from __future__ import annotations

import ast
import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.codes import GAP, INVALID, SYNCED

from .inproc import Play
from .scenes import DEPTH_FRAME, TRADE_FRAME, VENUES, scenario
from .truth import all_is_well, conditions, counters_add_up, wrong_books
from .virtual import run

BOOKS = ("rimbook.py", "keepers.py", "scanner.py", "numbers.py", "digits.py")


@pytest.mark.parametrize("name", BOOKS)
def test_f6_no_price_of_a_book_passes_through_a_float(repo: Path, name: str) -> None:
    tree = ast.parse((repo / "src/tradewind/venues" / name).read_text())
    made = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "float"]
    told = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in ("float32", "float64")]
    assert not made and not told


INNER: dict[str, Any] = {"binance": lambda x: x["data"], "kraken": lambda x: x["data"][0], "coinbase": lambda x: x["events"][0]}
SYMBOL = {"binance": "s", "kraken": "symbol", "coinbase": "product_id"}
LEVELS = {"binance": "b", "kraken": "bids", "coinbase": "updates"}
DRIFTS: dict[str, Any] = {  # what becomes of a depth frame's inner object
    "new field": lambda inner, name: inner.update(zz=[1, {"q": None}]),
    "missing levels": lambda inner, name: inner.pop(LEVELS[name]),
    "null levels": lambda inner, name: inner.update({LEVELS[name]: None}),
    "levels of text": lambda inner, name: inner.update({LEVELS[name]: ["78000.5"]}),
    "no symbol": lambda inner, name: inner.pop(SYMBOL[name]),
}
OF_BINANCE: dict[str, Any] = {
    "missing field": lambda inner, name: inner.pop("u"),
    "number for text": lambda inner, name: inner.update(b=[[78_000.5, 1]]),
    "text for number": lambda inner, name: inner.update(u=str(inner["u"])),
    "microseconds": lambda inner, name: inner.update(E=inner["E"] * 1000),
    "unknown kind": lambda inner, name: inner.update(e="depthUpdateV2"),
}
HARMLESS = ("new field", "new field outside", "microseconds")
CASES = [(name, drift) for name in VENUES for drift in ("new field outside", *DRIFTS)]
CASES += [("binance", drift) for drift in OF_BINANCE]


@pytest.mark.parametrize(("name", "drift"), CASES)
def test_f16_schema_drift_is_refused_and_counted_or_does_no_harm(name: str, drift: str) -> None:
    state = {"on": False, "bent": 0}

    def bend(data: bytes) -> Sequence[bytes]:
        if not state["on"] or DEPTH_FRAME[name] not in data or b"snapshot" in data:
            return (data,)
        frame = json.loads(data)
        if drift == "new field outside":
            frame.update(zz=[1, {"q": None}])
        else:
            (DRIFTS | OF_BINANCE)[drift](INNER[name](frame), name)
        state["bent"] += 1
        return (msgspec.json.encode(frame),)

    async def script(play: Play) -> None:
        play.theatre.hook = bend
        await play.run(3)
        state["on"] = True
        for _ in range(8):
            await play.run(0.25)
            assert not wrong_books(play)
        state["on"] = False
        await play.run(1.505)  # ends between two steps of the stage
        assert not wrong_books(play)
        await play.run(90)
        all_is_well(play)
        assert state["bent"] > 3
        assert bool(conditions(play, name) & {GAP, INVALID}) == (drift not in HARMLESS)
        assert sum(play.feed(name).refusals.values()) == (0 if drift in HARMLESS else state["bent"])
        stamps = play.rows["ts_venue"][play.rows["ts_venue"] > 0]
        assert (np.abs(stamps - play.theatre.time.now()) < codes.DAY).all()

    scenario(script, name)


@pytest.mark.parametrize("ways", [(-1,), (1,), (-1, 1)])
def test_x8_every_stamp_of_the_future_is_counted_and_none_of_the_past(ways: tuple[int, ...]) -> None:
    rng, twisted = random.Random(4), []

    def twist(data: bytes) -> Sequence[bytes]:
        if TRADE_FRAME["binance"] not in data or rng.random() < 0.7:
            return (data,)
        frame = json.loads(data)
        twisted.append(rng.choice(ways))
        frame["data"]["T"] += twisted[-1] * 3_600_000
        return (msgspec.json.encode(frame),)

    async def script(play: Play) -> None:
        await play.run(12)
        play.theatre.hook = twist
        await play.run(20)
        play.theatre.hook = lambda data: (data,)
        await play.run(2)
        assert min(twisted.count(way) for way in ways) > 3
        assert play.feed("binance").desk.suspect_stamps == twisted.count(1)
        all_is_well(play)

    scenario(script)


@pytest.mark.parametrize("name", VENUES)
def test_when_faults_are_over_streams_are_whole_within_a_minute_and_nothing_is_left_behind(name: str) -> None:
    """L2: cuts, losses, silence for 40 s, then a healthy tail. L5: no wait, no second line, and no task outlives the feed."""
    chance = random.Random(7)

    async def script(clock: Any) -> None:
        before = asyncio.all_tasks()
        async with Play(clock, [name]) as play:
            await play.run(3)
            play.theatre.hook = lambda data: () if chance.random() < 0.1 else (data,)
            for _ in range(10):
                await play.run(4)
                for line in play.theatre.open_lines(name)[:1]:
                    line.cut("gone") if chance.random() < 0.5 else None
            play.theatre.hook = lambda data: (data,)
            await play.run(60 + 10)
            feed = play.feed(name)
            assert {lane.state.condition for lane in feed.lanes} == {SYNCED}
            assert all(lane.held == 0 and lane.wish == 0 for lane in feed.lanes)
            assert len(play.theatre.open_lines(name)) == 1 == len(feed.links)
            assert counters_add_up(play) and not wrong_books(play)
            heard = [lane.heard for lane in feed.lanes if lane.topic.channel == "depth"]
            assert play.theatre.time.now() - min(heard) < 15 * codes.SECOND
        assert asyncio.all_tasks() == before

    run(script)
