"""WebSocket against REST: a change lost below what a checksum covers is found, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tradewind.domain import codes, reasons
from tradewind.domain.rows import Rows, rows
from tradewind.fabric.comparing import differing
from tradewind.fabric.feeds import Patience
from tradewind.venues.emulators.flow import Pace
from tradewind.venues.keepers import BookKeeper

from .inproc import Play
from .scenes import VENUES, scenario
from .truth import all_is_well, causes, expected, told

PATIENCE = Patience(compare=5.0)
PROVEN = 10


class Deep:
    """Loses one change of one level below the fifteenth of a Kraken book, when told to."""

    def __init__(self, play: Play) -> None:
        self.play, self.armed, self.lost = play, False, ""

    def __call__(self, data: bytes) -> Sequence[bytes]:
        if not self.armed or self.lost or b'"channel":"book","type":"update"' not in data:
            return (data,)
        (book,) = json.loads(data)["data"]
        changed = [(codes.BUY, level) for level in book["bids"]] + [(codes.SELL, level) for level in book["asks"]]
        feed = self.play.feed("kraken")
        lane = next(x for x in feed.lanes if x.topic.channel == "depth" and self._symbol(x) == book["symbol"])
        for side, level in changed:
            ranked = [price for price, _ in lane.keeper.book.side(side)]  # type: ignore[union-attr]
            price = round(level["price"] * 10 ** feed.adapter.instruments[lane.topic.instrument].price_exponent)
            if price not in ranked[14:40]:
                return (data,)
        if not changed:
            return (data,)
        self.lost = book["symbol"]
        return ()

    def _symbol(self, lane: Any) -> str:
        symbol: str = self.play.feed("kraken").adapter.instruments[lane.topic.instrument].symbol
        return symbol


def deeper_than_proven(play: Play) -> bool:
    """Whether a SYNCED Kraken book differs from the venue's anywhere, as deep as the venue keeps it."""
    feed = play.feed("kraken")
    return any(
        told(lane) != expected(play.theatre, feed, lane)
        for lane in feed.lanes
        if lane.topic.channel == "depth" and lane.state.condition == codes.SYNCED
    )


def test_a_change_lost_below_the_checksum_is_found_and_healed() -> None:
    async def script(play: Play) -> None:
        await play.run(5)
        assert not deeper_than_proven(play)
        play.theatre.hook = deep = Deep(play)
        deep.armed = True
        while not deep.lost:
            await play.run(0.1)
        assert deeper_than_proven(play)
        await play.run(60)
        assert reasons.SNAPSHOT_DIFFERS in causes(play, "kraken")
        assert reasons.PROOF_FAILED not in causes(play, "kraken")
        all_is_well(play)
        assert not deeper_than_proven(play)

    scenario(script, "kraken", patience=PATIENCE, pace=Pace(orders_per_s=1.0, levels=40))


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("delay_s", [0.0, 1.5])
def test_a_book_that_is_right_is_left_alone(name: str, delay_s: float) -> None:
    """Minutes of a busy market, the answers as late as answers get."""

    async def script(play: Play) -> None:
        venue = play.theatre.venues[name]
        answer = venue.answer

        def late(*asked: Any) -> Any:
            reply = answer(*asked)
            reply.delay_s += delay_s
            return reply

        venue.answer = late  # type: ignore[method-assign]
        await play.run(200)
        all_is_well(play)
        assert play.feed(name).compared > 15
        assert reasons.SNAPSHOT_DIFFERS not in causes(play, name)

    scenario(script, name, patience=PATIENCE)


def book(levels: Sequence[tuple[int, int, int]], marks: int = codes.SNAPSHOT) -> Rows:
    """A depth message."""
    made = rows(len(levels))
    made["kind"], made["marks"] = codes.DEPTH, marks
    made["side"], made["price"], made["quantity"] = np.array(levels).T
    made["marks"][0] |= codes.FIRST
    made["marks"][-1] |= codes.LAST
    return made


BIDS = [(codes.BUY, price, 1_234 + price) for price in range(90, 80, -1)]
ASKS = [(codes.SELL, price, 4_321 + price) for price in range(91, 101)]


def kept(levels: Sequence[tuple[int, int, int]], kept_levels: int = 0) -> BookKeeper:
    """A keeper whose book holds these."""
    keeper = BookKeeper(codes.PROOF_NONE, kept_levels)
    keeper.take(book(levels))
    return keeper


@pytest.mark.parametrize(
    ("theirs", "touched", "found"),
    [
        (BIDS + ASKS, [], set()),
        (BIDS[:4] + ASKS[:4], [], set()),  # not as deep: nothing is said below
        (BIDS[:2] + BIDS[3:] + ASKS, [], {(codes.BUY, 88)}),  # a level they do not have
        ([*BIDS, *ASKS[:2], (codes.SELL, 93, 1), *ASKS[3:]], [], {(codes.SELL, 93)}),  # another quantity
        ([*BIDS, *ASKS[:2], (codes.SELL, 93, 1), *ASKS[3:]], [(codes.SELL, 93, 7)], set()),  # which moved meanwhile
        ([*BIDS, *ASKS[:2], (codes.SELL, 93, 1), *ASKS[3:]], [(codes.BUY, 93, 7)], {(codes.SELL, 93)}),  # the other side did
        (BIDS, [], set()),  # one side of theirs is empty: its depth is not known
    ],
)
def test_only_what_stood_still_is_compared(theirs: Any, touched: Any, found: Any) -> None:
    changes = book(touched, 0) if touched else rows(0)
    assert differing(kept(BIDS + ASKS), book(theirs), changes) == found


def test_a_level_we_never_heard_of_is_missing_only_where_our_book_is_complete() -> None:
    less = BIDS[:5] + BIDS[6:] + ASKS
    assert differing(kept(less), book(BIDS + ASKS), rows(0)) == {(codes.BUY, 85)}
    assert differing(kept(BIDS[:5] + ASKS), book(BIDS + ASKS), rows(0)) == set()  # our snapshot did not reach there
    assert differing(kept(BIDS[:5] + ASKS, 20), book(BIDS + ASKS), rows(0)) == {(codes.BUY, price) for price in range(85, 80, -1)}


def test_fewer_decimals_are_no_difference() -> None:
    """Kraken's REST book shows three decimals, its stream eight."""
    ours = [(side, price, 100_000 * quantity + 37) for side, price, quantity in BIDS + ASKS]
    theirs = [(side, price, 100_000 * quantity) for side, price, quantity in BIDS + ASKS]
    assert differing(kept(ours), book(theirs), rows(0)) == set()
    theirs[0] = (codes.BUY, 90, theirs[0][2] - 100_000)
    assert differing(kept(ours), book(theirs), rows(0)) == {(codes.BUY, 90)}
