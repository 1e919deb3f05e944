"""What the machine does not believe is joined anew by its feed: once it stood for a while, ever more seldom, never during a ban."""

from __future__ import annotations

from typing import Any

import pytest

from machines import small_machine
from tradewind.domain import codes, reasons
from tradewind.domain.rows import rows
from tradewind.engine.prelude import Prelude, Setup, StrategySetup
from tradewind.engine.snapshot import fresh_state
from tradewind.fabric.assembly import describe
from tradewind.fabric.standing import FIRST_NS, HOLD_NS, WELL_NS, Doubt, Standing
from tradewind.runtime.heeding import standings
from tradewind.venues.adapter import Quota
from tradewind.venues.emulators.flow import Pace

from .inproc import Play
from .scenes import VENUES, scenario
from .truth import all_is_well, causes, wrong_books

WELL = Standing(1.0, 0.9, True, 0, 0)
LOST = Standing(0.4, 0.0, False, reasons.FROZEN_FEED, reasons.FROZEN_FEED)
STEP_S = 0.5


async def heeded(play: Play, name: str, seconds: float, first: Standing) -> None:
    """Lets time pass while the machine thinks so of the venue's first instrument."""
    for _ in range(int(seconds / STEP_S)):
        play.feed(name).heed([first, WELL])
        await play.run(STEP_S)


def joins(play: Play, name: str) -> int:
    return causes(play, name).count(reasons.BOOK_DOUBTED)


@pytest.mark.parametrize("name", VENUES)
def test_a_doubted_book_is_joined_anew(name: str) -> None:
    async def script(play: Play) -> None:
        await play.run(5)
        await heeded(play, name, 4, LOST)
        assert joins(play, name) == 1
        await heeded(play, name, 15, WELL)
        all_is_well(play)
        assert wrong_books(play) == []
        told = describe(play.feed(name))["standing"]
        first, second = (x.symbol for x in play.feed(name).adapter.instruments)
        assert told[first]["rejoined"] == 1 and told[second]["rejoined"] == 0

    scenario(script, name)


def test_a_doubt_that_stays_asks_ever_more_seldom_and_one_that_flickers_not_at_all() -> None:
    async def script(play: Play) -> None:
        await play.run(5)
        for _ in range(10):
            await heeded(play, "binance", 2.5, LOST)
            await heeded(play, "binance", 0.5, WELL)
        assert joins(play, "binance") == 0
        before = len(play.theatre.asked)
        await heeded(play, "binance", 200, LOST)
        assert joins(play, "binance") == 3, "after 3, 33 and 93 s"
        depth = [path for _, _, path in play.theatre.asked[before:] if "depth" in path]
        assert len(depth) <= 3 + 200 / 30 * 2, "each costs a snapshot; the others are asked to compare"
        told = describe(play.feed("binance"))["standing"]["BTCUSDT"]
        assert told["blame"] == "FROZEN_FEED" and not told["believed"] and told["trust"] == 0.4

    scenario(script, "binance", pace=Pace(orders_per_s=2.0, levels=30))


def test_nothing_is_asked_during_a_ban_nor_of_a_stream_that_is_being_healed() -> None:
    async def script(play: Play) -> None:
        await play.run(5)
        feed = play.feed("binance")
        feed.budget.heard(418, Quota())
        await heeded(play, "binance", 20, LOST)
        assert joins(play, "binance") == 0

    scenario(script, "binance", pace=Pace(orders_per_s=2.0, levels=30))


def test_the_wait_doubles_and_begins_anew_after_a_time_without_doubt() -> None:
    doubt, well = Doubt(), WELL_NS // codes.SECOND
    broken = [*[True] * 200, *[False] * (well + 5), *[True] * 40]
    due = [second for second, lost in enumerate(broken) if doubt.due(lost, codes.HOUR + second * codes.SECOND)]
    again = 200 + well + 5 + HOLD_NS // codes.SECOND
    first, wait = HOLD_NS // codes.SECOND, FIRST_NS // codes.SECOND
    assert due == [first, first + wait, first + 3 * wait, again, again + wait]
    brief = Doubt()
    assert not any(brief.due(second % 4 != 3, codes.HOUR + second * codes.SECOND) for second in range(200))


# The machine at the other end ----------------------------------------------------------------------------------------------------


class Listening:
    """A machine that hears what a play told, and says what it thinks of it."""

    def __init__(self, play: Play) -> None:
        self.play, self.machine, self.read = play, small_machine(), 0
        fabric = play.fabric
        everything = StrategySetup(parameters={"every_ms": 0.0}, instruments=tuple(range(len(fabric.instruments))))
        setup = Setup(instruments=fabric.instruments, reporting="USDT", strategies=[everything])
        self.state, self.out = fresh_state(self.machine), rows(1 << 12)
        self.feed(Prelude(self.machine, setup, int(play.heard.blocks[0]["ts_local"][0])).rows())

    def feed(self, part: Any) -> None:
        at = 0
        while at < len(part):
            at, why = self.machine.run(self.state, part, at, len(part), self.out)
            assert why != codes.FAULT, int(self.state[0]["clock"]["fault"])

    def think(self) -> list[Standing]:
        blocks, self.read = self.play.heard.blocks[self.read :], len(self.play.heard.blocks)
        for block in blocks:
            self.feed(block)
        return standings(self.state, len(self.play.fabric.instruments))


def test_a_book_only_the_machine_knows_to_be_lost_is_joined_anew() -> None:
    """Between rim and machine a row is lost: the feed's book is whole, and nobody but the machine knows that its own is not."""

    async def script(play: Play) -> None:
        await play.run(5)
        machine = Listening(play)
        assert all(one.believed and one.broken == 0 for one in machine.think())
        await play.run(1)
        depth = next(n for n in range(machine.read, len(play.heard.blocks)) if play.heard.blocks[n]["kind"][0] == codes.DEPTH)
        lost = int(play.heard.blocks.pop(depth)["instrument"][0])
        doubted = machine.think()[lost]
        assert (doubted.believed, doubted.broken) == (False, reasons.HOLE_IN_STREAM)
        feed = play.feed("binance")
        assert all(lane.state.condition == codes.SYNCED for lane in feed.lanes), "the feed knows nothing of it"
        for _ in range(20):
            play.fabric.heed(machine.think())
            await play.run(STEP_S)
        assert joins(play, "binance") == 1
        assert all(one.believed for one in machine.think())

    scenario(script, "binance", pace=Pace(orders_per_s=8.0, levels=12))
