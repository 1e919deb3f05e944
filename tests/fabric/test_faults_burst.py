"""F19: a burst conflates books and nothing else, and what is read is never older than the reader is late."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.codes import GAP, INVALID
from tradewind.domain.rows import ROW
from tradewind.fabric.lanes import conflated
from tradewind.venues.emulators.flow import Pace

from .inproc import Play
from .scenes import scenario
from .truth import all_is_well, conditions

LATE_S = 2.0
SLACK_S = 0.1  # a step of the stage, a trip, a read


class Late:
    """A reader that comes to a venue's connection only every two seconds; what each look found."""

    def __init__(self, play: Play) -> None:
        self.line, self.taken = play.theatre.open_lines("binance")[0], []
        self._real = self.line.arrivals
        self.line.arrivals = self._arrivals  # type: ignore[method-assign]

    async def _arrivals(self) -> Any:
        await asyncio.sleep(LATE_S)
        came = await self._real()
        self.taken.append(sum(len(arrival.messages) for arrival in came))
        return came

    def over(self) -> None:
        self.line.arrivals = self._real  # type: ignore[method-assign]


def ages(play: Play) -> list[tuple[float, float]]:
    """From now on: (when, how old by the venue's stamp the oldest row of depth or trades was when it was handed on), seconds."""
    found: list[tuple[float, float]] = []
    keep = play.heard.append

    def append(block: Any) -> None:
        now = play.theatre.time.now()
        told = block[np.isin(block["kind"], (codes.DEPTH, codes.TRADE)) & (block["ts_venue"] > 0)]
        if len(told):
            found.append((now / 1e9, (now - int(told["ts_venue"].min())) / 1e9))
        keep(block)

    play.heard.append = append  # type: ignore[method-assign]
    return found


@pytest.mark.parametrize(("orders_per_s", "seconds"), [(8.0, 20.0), (320.0, 8.0)])
def test_f19_a_burst_conflates_books_and_nothing_else(orders_per_s: float, seconds: float) -> None:
    """The second: forty times as much."""

    async def script(play: Play) -> None:
        await play.run(3)
        link = play.feed("binance").links[0]
        reader, aged = Late(play), ages(play)
        await play.run(seconds)
        reader.over()
        await play.run(LATE_S + SLACK_S)
        ended = play.theatre.time.now() / 1e9
        await play.run(5)
        assert link.useful
        assert max(age for _, age in aged) <= LATE_S + SLACK_S, "nothing waits for longer than the reader"
        assert max(age for when, age in aged if when > ended) <= SLACK_S, "and what waited is gone at the first look in time"
        assert all(lane.held == 0 for lane in play.feed("binance").lanes)
        all_is_well(play)
        tally = [lane.tally() for lane in play.feed("binance").lanes if lane.topic.channel == "depth"]
        others = [lane.tally() for lane in play.feed("binance").lanes if lane.topic.channel != "depth"]
        assert sum(c.conflated for c in tally) > 50
        assert not any(c.conflated for c in others)
        assert sum(c.received for c in tally + others) > 20 * orders_per_s
        assert not conditions(play, "binance") & {GAP, INVALID}

    scenario(script, pace=Pace(orders_per_s=orders_per_s, levels=30))


def test_f19_conflated_changes_leave_the_same_book() -> None:
    rng = np.random.default_rng(3)
    parts, book = [], {}
    for k in range(40):
        rows = np.zeros(int(rng.integers(1, 8)), ROW)
        rows["kind"], rows["side"], rows["price"] = codes.DEPTH, rng.integers(0, 2, len(rows)), rng.integers(100, 110, len(rows))
        rows["quantity"], rows["ref"] = rng.integers(0, 5, len(rows)), k + 1
        rows["marks"][0] |= codes.FIRST
        rows["marks"][-1] |= codes.LAST
        rows["value"][0] = k
        for row in rows:
            book[int(row["side"]), int(row["price"])] = int(row["quantity"])
        parts.append(rows)
    one = conflated(parts)
    assert {(int(r["side"]), int(r["price"])): int(r["quantity"]) for r in one} == book
    assert (int(one["value"][0]), int(one["ref"][-1])) == (0, 40)
    assert (int(one["marks"][0]) & codes.FIRST, int(one["marks"][-1]) & codes.LAST) == (codes.FIRST, codes.LAST)
