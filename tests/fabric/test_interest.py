"""Open interest is asked for, as no venue streams it: a row a minute, none while the venue does not answer, and then again."""

from __future__ import annotations

from typing import Any

import pytest

from tradewind.domain import codes
from tradewind.fabric import polling
from tradewind.venues.adapter import FUNDING, MARK, OPEN_INTEREST
from tradewind.venues.binance.adapter import BinanceAdapter

from . import inproc
from .inproc import Play
from .scenes import scenario


def test_marks_that_stop_are_stale_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute without one; funding comes with them. Of a spot pair nobody asks open interest."""
    monkeypatch.setitem(inproc.SYMBOLS, "binance-usdm", ["BTCUSDT"])

    async def script(play: Play) -> None:
        assert not [lane for lane in play.feed("binance").lanes if lane.topic.channel == OPEN_INTEREST]
        lanes = {lane.topic.channel: lane for lane in play.feed("binance-usdm").lanes}
        await play.run(5)
        assert lanes[MARK].state.condition == lanes[FUNDING].state.condition == codes.SYNCED
        play.theatre.hook = lambda data: () if b"markPriceUpdate" in data else (data,)
        await play.run(32)
        assert lanes[MARK].state.condition == lanes[FUNDING].state.condition == codes.STALE
        play.theatre.hook = lambda data: (data,)
        await play.run(15)
        assert lanes[MARK].state.condition == lanes[FUNDING].state.condition == codes.SYNCED
        assert lanes["depth"].state.condition == codes.SYNCED

    adapters = {"binance-usdm": lambda: BinanceAdapter("binance-usdm"), "binance": BinanceAdapter}
    scenario(script, "binance-usdm", "binance", adapters=adapters, channels=("depth", MARK, FUNDING, OPEN_INTEREST))


def test_open_interest_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(inproc.SYMBOLS, "binance-usdm", ["BTCUSDT"])
    monkeypatch.setattr(polling, "INTEREST_S", 10.0)
    failing = {"on": False}

    def refuse(name: str, ask: Any, answer: Any) -> Any:
        if failing["on"] and ask.path.endswith("openInterest"):
            answer.status = 503
        return answer

    async def script(play: Play) -> None:
        play.theatre.answer_hook = refuse
        lane = next(lane for lane in play.feed("binance-usdm").lanes if lane.topic.channel == OPEN_INTEREST)
        await play.run(25)
        told = play.rows[(play.rows["kind"] == codes.OBSERVATION) & (play.rows["source"] == lane.source)]
        assert len(told) == 3 and (told["value"] > 0).all() and (told["ref"] == told["ts_venue"]).all()
        assert told["stream_seq"].tolist()[0] and lane.state.condition == codes.SYNCED
        failing["on"] = True
        await play.run(10)
        assert lane.state.condition == codes.STALE
        failing["on"] = False
        await play.run(10)
        assert lane.state.condition == codes.SYNCED

    channels = ("depth", OPEN_INTEREST)
    scenario(script, "binance-usdm", adapters={"binance-usdm": lambda: BinanceAdapter("binance-usdm")}, channels=channels)
