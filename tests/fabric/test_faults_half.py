"""F10 and F13 where only half of something is broken: one direction of a socket, the name on what comes."""

from __future__ import annotations

from typing import Any

import pytest

from tradewind.domain import codes, reasons
from tradewind.domain.codes import BACKFILLING, UNAVAILABLE

from .inproc import Play
from .scenes import scenario
from .truth import all_is_well, causes, trades_are_whole, unsynced, wrong_books
from .virtual import run


def test_f10_our_half_of_a_socket_may_die_alone() -> None:
    """The venue hears no pong and lets go after a minute; what it sent until then was whole, and the next connection goes on."""

    async def script(play: Play) -> None:
        await play.run(3)
        for line in play.theatre.open_lines("binance"):
            line.unheard = True
        await play.run(40)
        assert not wrong_books(play) and not unsynced(play, "depth"), "its bytes still come"
        await play.run(60)
        assert reasons.DISCONNECTED in causes(play, "binance")
        assert play.feed("binance").connections == 2
        all_is_well(play)
        assert trades_are_whole(play)

    scenario(script)


@pytest.mark.parametrize(
    ("name", "book", "ours", "other"),
    [("binance", b"depthUpdate", b"BTCUSDT", b"DOGEUSDT"), ("kraken", b'"channel":"book"', b"BTC/USD", b"DOGE/USD")],
)
def test_f13_the_data_of_another_symbol_proves_nothing(name: str, book: bytes, ours: bytes, other: bytes) -> None:
    async def script(play: Play) -> None:
        await play.run(play.fabric.patience.proof + 3)
        feed = play.feed(name)
        lane = feed.lanes[0]
        assert not lane.proven and lane.state.condition in (UNAVAILABLE, BACKFILLING)
        assert sum(feed.refusals.values()) + feed.strangers > 0, "it is counted, and becomes no row"
        first = play.rows[(play.rows["kind"] == codes.DEPTH) & (play.rows["instrument"] == 0)]
        assert not len(first)
        assert lane.failures or feed.connections > 1, "it was asked for again, or so much nonsense ended the connection"
        play.theatre.hook = lambda data: (data,)
        await play.run(90)
        all_is_well(play)

    async def from_the_start(clock: Any) -> None:
        play = Play(clock, [name])
        play.theatre.hook = lambda data: (data.replace(ours, other),) if book in data else (data,)
        async with play:
            await script(play)

    run(from_the_start)
