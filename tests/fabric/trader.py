"""A market maker behind a play's feeds: what it was told, when its book was whole, and when it sent orders."""

from __future__ import annotations

from typing import Any

import numpy as np

from machines import small_machine
from tradewind.domain import codes
from tradewind.domain.rows import Rows, rows
from tradewind.engine.prelude import Limits, Prelude, Setup, StrategySetup
from tradewind.engine.snapshot import fresh_state, fresh_venue

from .inproc import Play

Spell = tuple[int, int]
PARAMETERS = {"quantity": 1e6, "every_ms": 50.0, "away_ticks": 1.0}
RESYNC_NS = 2 * codes.SECOND  # from the gap to the new book


class Trader:
    """Plays everything a play told so far; `said` is every row the machine emitted on it."""

    def __init__(self, play: Play, until: int = codes.NEVER) -> None:
        listed = play.fabric.instruments
        self.machine = small_machine()
        trades_all = StrategySetup(parameters=PARAMETERS, instruments=tuple(range(len(listed))))
        setup = Setup(
            instruments=listed, reporting=listed[0].quote, strategies=[trades_all], limits=Limits(orders_per_s=100_000),
            balances={(x.venue, asset): 1e9 for x in listed for asset in (x.base, x.quote)},
        )  # fmt: skip
        self.state, self._venue, self._out = fresh_state(self.machine), fresh_venue(self.machine), rows(1 << 12)
        told = play.rows[play.rows["ts_local"] < until]
        prelude = Prelude(self.machine, setup, int(told["ts_local"][0]))
        prelude.set_up_venue(self._venue)
        self._play(prelude.rows())
        self.said = self._play(told)

    def _play(self, tape: Rows) -> Rows:
        at, reason, said = 0, codes.FULL, []
        while reason == codes.FULL:
            at, reason = self.machine.drive(self.state, self._venue, tape, at, len(tape), 0, self._out)
            said.append(self._out[: int(self.state[0]["clock"]["n_out"])].copy())
        assert reason == codes.END, int(self.state[0]["clock"]["fault"])
        return np.concatenate(said)

    def orders(self, instrument: int = 0) -> Any:
        """When orders were sent to an instrument."""
        sent = self.said[(self.said["kind"] == codes.SUBMIT) & (self.said["instrument"] == instrument)]
        return sent["ts_local"]


def spells(play: Play, channel: str = "depth", instrument: int = 0) -> list[Spell]:
    """From when to when a stream was told to be anything but SYNCED, the wait for its first book left out."""
    lane = next(x for x in play.fabric.feeds[0].lanes if (x.topic.channel, x.topic.instrument) == (channel, instrument))
    told = play.rows[(play.rows["kind"] == codes.STREAM) & (play.rows["source"] == lane.source)]
    found, since, began = [], 0, False
    for at, condition in zip(told["ts_local"].tolist(), told["value"].tolist(), strict=True):
        if condition == codes.SYNCED:
            if since and began:
                found.append((since, at))
            since, began = 0, True
        elif not since:
            since = at
    return [*found, (since, codes.NEVER)] if since and began else found


def nobody_trades_on_it(play: Play, instrument: int = 0, longest_ns: int = codes.NEVER, whole: bool = True) -> list[Spell]:
    """While the book is told not to be whole no order goes out; before it, and where it came back, orders do."""
    lost, sent = spells(play, "depth", instrument), Trader(play).orders(instrument)
    assert lost, "it never was lost"
    for begin, end in lost:
        assert not ((sent > begin) & (sent < end)).any(), "an order rests on a book that is not there"
        assert end - begin <= longest_ns, f"{(end - begin) / 1e9} s without a book"
    assert (sent < lost[0][0]).any(), "nothing was traded before"
    assert not whole or (sent > lost[-1][1]).any(), "nothing is traded after"
    return lost
