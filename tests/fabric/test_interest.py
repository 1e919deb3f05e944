"""Open interest is asked for, as no venue streams it: a row a minute, none while the venue does not answer, and then again."""

from __future__ import annotations

from typing import Any

import pytest

from tradewind.domain import codes
from tradewind.fabric import polling
from tradewind.venues.adapter import OPEN_INTEREST
from tradewind.venues.binance.adapter import BinanceAdapter

from . import inproc
from .inproc import Play
from .scenes import scenario


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
