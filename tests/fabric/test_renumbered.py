"""Venues that begin to count their trades anew: a sandbox started again, an exchange after a rebuild."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tradewind.domain import codes, reasons
from tradewind.domain.rows import Rows, rows
from tradewind.venues.adapter import TRADE
from tradewind.venues.keepers import RENUMBERED_NS, TradeKeeper, Verdict

from .inproc import Play
from .scenes import VENUES, scenario
from .truth import counters_add_up

HIGH = 10**12  # above every id the emulators give in these minutes


def traded(*ids: int, at: int = 0) -> Rows:
    made = rows(len(ids))
    made["kind"], made["marks"], made["ref"], made["ts_venue"] = codes.TRADE, codes.WHOLE, ids, at
    return made


def of_trades(play: Play) -> Rows:
    return play.rows[play.rows["kind"] == codes.TRADE]


def announced(play: Play, cause: int) -> int:
    told = play.rows[play.rows["kind"] == codes.STREAM]
    return int(np.count_nonzero(told["ref"] == cause))


def lanes(play: Play) -> list[Any]:
    return [lane for feed in play.fabric.feeds for lane in feed.lanes if lane.topic.channel == TRADE]


def test_a_run_taken_up_where_the_count_began_anew_hears_the_trades() -> None:
    async def script(play: Play) -> None:
        before = traded(HIGH, at=play.theatre.time.now() - codes.MINUTE)[0]
        before["stream_seq"] = 77
        ends = {at: before for at, stream in enumerate(play.fabric.streams) if stream.channel == TRADE}
        play.fabric.resume(ends)
        await play.run(120.0)
        heard = of_trades(play)
        for source in ends:
            mine = heard[heard["source"] == source]
            assert len(mine) > 10, play.fabric.streams[source]
            assert np.count_nonzero(mine["marks"] & codes.RESYNC) == 1  # what follows is chained to the new count
            assert (np.diff(mine["ref"]) == 1).all()
        for lane in lanes(play):
            assert lane.state.condition == codes.SYNCED and lane.keeper.gaps == 1

    scenario(script, *VENUES)


def count_anew(play: Play, venue: str) -> dict[str, int]:
    """The next trade of every market is number 11; by market, how many it has told so far."""
    markets = play.theatre.venues[venue].markets
    for market in markets.values():
        market.trade_number = 10
    return {name: len(market.trades) for name, market in markets.items()}


def as_told(play: Play, venue: str, told: dict[str, int], later: Rows) -> bool:
    """Whether `later` holds every trade of the new count, in order, each once, with the venue's own time."""
    feed = play.feed(venue)
    for lane in lanes(play):
        x = feed.adapter.instruments[lane.topic.instrument]
        name = f"{x.base}/{x.quote}"
        truth = list(play.theatre.venues[venue].markets[name].trades)[told[name] :]
        mine = later[(later["source"] == lane.source) & (later["ref"] < 10_000)]
        assert len(mine) > 10 and abs(len(truth) - len(mine)) < 3, "what is told at this moment may be on its way"
        n = min(len(truth), len(mine))
        assert mine["ref"][:n].tolist() == [one.number for one in truth][:n] == list(range(11, 11 + n))
        assert (np.abs(mine["ts_venue"][:n] - [one.ts_ns for one in truth][:n]) < codes.MILLISECOND).all()
        every = of_trades(play)
        every = every["ref"][every["source"] == lane.source]
        old = every[: int(np.argmax(every < 10_000))]
        assert len(np.unique(every)) == len(every) and (np.diff(old) == 1).all(), "the old count is whole, none of it told twice"
    return counters_add_up(play)


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("venue", VENUES)
def test_a_count_that_begins_anew_in_a_run_is_one_typed_gap_and_loses_no_trade(venue: str, cut: bool) -> None:
    """From its first trade on, though they come within moments of the old count's last one."""

    async def script(play: Play) -> None:
        await play.run(60.0)
        heard, skipped = len(of_trades(play)), announced(play, reasons.IDS_SKIPPED)
        told = count_anew(play, venue)
        if cut:
            play.theatre.open_lines(venue)[0].cut("the venue restarts")
        await play.run(60.0)
        for lane in lanes(play):
            assert lane.state.condition == codes.SYNCED
        assert as_told(play, venue, told, of_trades(play)[heard:])
        await play.run(60.0)
        later = of_trades(play)[heard:]
        for source in np.unique(later["source"]):
            new = later[(later["source"] == source) & (later["ref"] < 10_000)]
            assert len(new) > 10 and (np.diff(new["ref"]) == 1).all()
        assert announced(play, reasons.IDS_SKIPPED) - skipped == len(np.unique(later["source"]))

    scenario(script, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_a_count_that_begins_anew_is_noticed_where_no_socket_is_to_be_had(venue: str) -> None:
    """Also where trades are asked for by id: none has a higher one than the last, for ever."""

    async def script(play: Play) -> None:
        await play.run(20.0)
        play.theatre.refuse_connect = lambda name: "blocked"
        for line in play.theatre.open_lines(venue):
            line.cut("blocked")
        await play.run(60.0)
        heard, skipped = len(of_trades(play)), announced(play, reasons.IDS_SKIPPED)
        told = count_anew(play, venue)
        await play.run(60.0)
        later = of_trades(play)[heard:]
        for lane in lanes(play):
            assert (lane.state.condition, lane.polled) == (codes.STALE, True)
            mine = later[(later["source"] == lane.source) & (later["ref"] < 10_000)]
            assert len(mine) > 10 and mine["ref"].tolist() == list(range(11, 11 + len(mine)))
            assert np.flatnonzero(mine["marks"] & codes.RESYNC).tolist() == [0]
        assert announced(play, reasons.IDS_SKIPPED) - skipped == len(lanes(play))
        play.theatre.refuse_connect = lambda name: ""
        await play.run(60.0)
        assert as_told(play, venue, told, of_trades(play)[heard:])
        assert all(lane.state.condition == codes.SYNCED for lane in lanes(play))

    scenario(script, venue)


def test_what_is_told_again_or_late_is_no_new_count() -> None:
    kept, at = TradeKeeper(), 10**18
    kept.take(traded(500, at=at))
    for ids, when in (((500,), at), ((499, 500), at), ((400, 401), at - codes.HOUR), ((499,), at + RENUMBERED_NS)):
        assert not kept.begins_anew(traded(*ids, at=when), at)
    assert not kept.begins_anew(traded(501, at=at + codes.HOUR), at)
    assert kept.last_id == 500 and kept.gaps == 0
    assert kept.begins_anew(traded(3, 4, at=at + RENUMBERED_NS + 1), at) and kept.gaps == 1
    assert kept.take(traded(3, 4, at=at + RENUMBERED_NS + 1))[1]["ref"].tolist() == [3, 4]
    for ids in ((499,), (500, 501)):
        assert kept.take(traded(*ids, at=at))[0] == Verdict.DROP, "the old count, told once more"
    assert not len(kept.snapshot(traded(499, 501, at=at))[1]) and kept.last_id == 4


def test_a_stream_that_only_repeats_itself_is_not_alive() -> None:
    async def script(play: Play) -> None:
        await play.run(60.0)
        lane = lanes(play)[0]
        before, again = lane.heard, of_trades(play)[-1:].copy()
        again["ref"], again["ts_local"] = lane.keeper.last_id, play.theatre.time.now()
        again["ts_venue"] = lane.last_ts
        doubled = lane.counts.duplicates
        lane.take(again)
        assert lane.counts.duplicates == doubled + 1 and lane.heard == before

    scenario(script)
