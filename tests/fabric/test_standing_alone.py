"""One venue dead and one slow: the third goes on undisturbed, and both come back whole."""

from __future__ import annotations

import asyncio

import numpy as np

from tradewind.domain import codes
from tradewind.venues.adapter import DEPTH, Answer, Ask

from .inproc import Play
from .scenes import VENUES, scenario
from .truth import all_is_well, unsynced, wrong_books


def heard(play: Play, since: int, venue: str) -> int:
    sources = [at for at, stream in enumerate(play.fabric.streams) if stream.venue == venue]
    mine = play.rows[np.isin(play.rows["source"], sources) & (play.rows["kind"] != codes.STREAM)]
    return int(np.count_nonzero(mine["ts_local"] > since))


def test_a_dead_and_a_slow_venue_leave_the_third_alone_and_come_back() -> None:
    async def script(play: Play) -> None:
        slow, dead, well = VENUES
        quick, wait_s = play.theatre.ask, [4.0]

        async def asked(base: str, ask: Ask) -> Answer:
            if slow in base:
                await asyncio.sleep(wait_s[0])
            return await quick(base, ask)

        await play.run(20)
        begun = play.theatre.time.now()
        play.theatre.refuse_connect = lambda name: "refused" if name == dead else ""
        for line in play.theatre.open_lines(dead) + play.theatre.open_lines(slow):
            line.cut("killed")
        play.theatre.ask = asked  # type: ignore[method-assign]
        await play.run(60)
        books = [lane for lane in play.feed(dead).lanes if lane.topic.channel == DEPTH]
        assert all(lane.state.condition != codes.SYNCED for lane in books), "nobody reads a dead venue's book"
        assert heard(play, begun, well) > 200 and heard(play, begun, slow) > 200
        assert not [lane for lane in play.feed(well).lanes if lane.state.condition != codes.SYNCED]
        play.theatre.refuse_connect = lambda name: ""
        wait_s[0] = 0.0
        await play.run(90)
        assert not wrong_books(play) and not unsynced(play, "depth")
        all_is_well(play)

    scenario(script, *VENUES)
