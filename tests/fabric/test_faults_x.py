"""Faults of time (X7, X8) and of the network as a whole, with the behaviour they must have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tradewind.domain import codes, reasons
from tradewind.domain.codes import STALE, SYNCED
from tradewind.venues.emulators.faults import Faults

from .inproc import Play
from .scenes import scenario
from .truth import all_is_well, causes, conditions
from .virtual import run

# Time ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_s", [-3600, -1, 1, 3600])
def test_x7_our_clock_being_set_moves_no_row(step_s: int) -> None:
    async def script(play: Play) -> None:
        await play.run(5)
        play.theatre.clock.wall_offset += step_s * codes.SECOND
        await play.run(5)
        assert "this computer's clock was set" in play.feed("binance").problems
        all_is_well(play)
        assert play.rows["ts_local"][-1] - play.rows["ts_local"][0] < 15 * codes.SECOND

    scenario(script)


def test_x7_a_venue_clock_that_is_off_is_measured_and_told() -> None:
    class Skewed(Faults):
        def skew_ns(self, ts_ns: int) -> int:
            return -7 * codes.SECOND

    async def script(play: Play) -> None:
        play.theatre.venues["binance"].faults = Skewed()
        await play.run(15)
        desk = play.feed("binance").desk
        assert abs(desk.skew.offset_ns + 7 * codes.SECOND) < 50 * codes.MILLISECOND
        clocks = play.rows[play.rows["kind"] == codes.CLOCK]
        assert len(clocks)
        assert abs(int(clocks["value"][-1]) - 7 * codes.SECOND) < 50 * codes.MILLISECOND
        all_is_well(play)

    async def from_the_start(clock: Any) -> None:
        play = Play(clock, ["binance"])
        play.theatre.venues["binance"].faults = Skewed()
        async with play:
            await script(play)

    run(from_the_start)


async def blocked(play: Play, *names: str) -> None:
    """After five seconds no socket of these venues stays, and none opens."""
    await play.run(5)
    play.theatre.refuse_connect = lambda name: "blocked"
    for name in names:
        for line in play.theatre.open_lines(name):
            line.cut("blocked")


def test_sockets_blocked_then_bars_are_polled_as_they_end() -> None:
    """Every minute once, in order, before, during and after; told as of a lower grade meanwhile."""

    async def script(play: Play) -> None:
        await blocked(play, "binance", "kraken")
        await play.run(200)
        lanes = {
            name: next(lane for lane in play.feed(name).lanes if lane.topic.channel == "bar") for name in ("binance", "kraken")
        }
        for lane in lanes.values():
            assert (lane.state.condition, lane.polled) == (STALE, True)
        assert min(len(bars_of(play, lane)) for lane in lanes.values()) >= 3
        play.theatre.refuse_connect = lambda name: ""
        await play.run(150)
        for lane in lanes.values():
            ends = bars_of(play, lane)
            assert len(ends) >= 5 and set(np.diff(ends).tolist()) == {codes.MINUTE}
            assert lane.state.condition == SYNCED

    scenario(script, "binance", "kraken", channels=("depth", "trade", "bar"))


def bars_of(play: Play, lane: Any) -> Any:
    """Ends of the bars a lane told, in order."""
    return play.rows["ts_venue"][(play.rows["kind"] == codes.BAR) & (play.rows["source"] == lane.source)]


def test_sockets_blocked_then_books_are_polled_at_a_lower_grade() -> None:
    async def script(play: Play) -> None:
        await blocked(play, "binance", "kraken")
        await play.run(60)
        for name in ("binance", "kraken"):
            lane = play.feed(name).lanes[0]
            assert (lane.state.condition, lane.polled) == (STALE, True)
            assert reasons.POLLED in causes(play, name)
        play.theatre.refuse_connect = lambda name: ""
        await play.run(90)
        all_is_well(play)
        assert not play.feed("kraken").lanes[0].polled
        assert SYNCED in conditions(play, "kraken")

    scenario(script, "binance", "kraken")
