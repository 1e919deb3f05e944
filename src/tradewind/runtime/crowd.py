"""One market, many accounts: the points of a sweep that differ in nothing the market's rooms read, played side by side.

Every point begins alone: its prelude goes through a machine of its own. What that leaves in the market's tables is compared byte by
byte; points that agree share one market from the first row on (`engine.many`), the others find another crowd. So no list says
which parameters may be shared, and a point gives what its own backtest gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes
from tradewind.domain.errors import MachineFault
from tradewind.domain.reasons import sentence
from tradewind.domain.rows import ROW, Rows, rows
from tradewind.engine.compose import Machine, is_plain, straight
from tradewind.engine.snapshot import State, fresh_state, restore

SEATS = 32  # accounts a thread plays at a time: their hot lines stay in its second-level cache
BOX_ROWS = 1 << 11  # rows of an account under way, four steps' room
LINE = 64  # bytes of a cache line


def can_share(tape: Sequence[Rows]) -> bool:
    """Whether a tape holds nothing but the market, streams and clocks: settings and operators speak to accounts."""
    return all(is_plain(segment) and bool((segment["kind"] <= codes.CLOCK).all()) for segment in tape)


def is_priced(market: Any, account: Any) -> bool:
    """Whether everything an account holds has a price: its equity is part of the truth before."""
    held = account["fact"]["ledger"][0].sum(axis=0)
    return bool((market["group"]["reference"][: len(held)][held != 0] > 0.0).all())


class Crowd:
    """Seats for accounts in one market."""

    def __init__(self, machine: Machine, seats: int = SEATS, box_rows: int = BOX_ROWS, *, keep: bool = False) -> None:
        self.market = fresh_state(machine)
        self.seats, self.taken, self.keep = seats, 0, int(keep)
        self.priced: list[bool] = []  # at each stop so far, whether everything held had a price
        self._own_bytes, self.own = _apart(seats, machine.account_dtype)
        self._venue_bytes, self.physics = _apart(seats, machine.venue_dtype)
        self.out, self.boxes = rows(BOX_ROWS), np.zeros((seats, box_rows), ROW)
        machine.many(self.market, self.own, self.physics, rows(1), 0, 0, self.out, self.boxes, self.keep)  # compiled or loaded
        self._many = straight(machine.many)
        self._market_words = self.market.view(np.int64)[machine.account_dtype.itemsize // 8 :]

    def leave(self) -> list[Any]:
        """What each account did; every seat is free again, so read it before the next takes one."""
        taken, self.taken = self.taken, 0
        self.priced = []
        return list(self.own["count"][:taken])

    def takes(self, state: State, physics: State) -> bool:
        """Seats a point that has played its prelude; False where its market is another than that of those already there."""
        words = state.view(np.int64)[len(state.view(np.int64)) - len(self._market_words) :]
        if self.taken == 0:
            restore(self.market, state)
        elif not np.array_equal(words, self._market_words):
            return False
        n = self.taken
        self._own_bytes[n] = state.view(np.uint8)[: self._own_bytes.shape[1]]
        self._venue_bytes[n] = physics.view(np.uint8)
        self.own[n]["clock"]["n_out"] = 0
        self.taken += 1
        return True

    def play(self, tape: Rows, stops: Sequence[int]) -> list[NDArray[np.float64]]:
        """Plays from row 0 to the last of `stops`; returns everybody's equity at each. Raises MachineFault."""
        own, physics, boxes = self.own[: self.taken], self.physics[: self.taken], self.boxes[: self.taken]
        curve: list[NDArray[np.float64]] = []
        at = 0
        for stop in stops:
            at, why = self._many(self.market, own, physics, tape, at, stop, self.out, boxes, self.keep)
            if why == codes.FAULT:
                self._fail(at)
            curve.append(own["budget"]["equity"].copy())
            self.priced.append(bool(self.priced and self.priced[-1]) or is_priced(self.market[0], own[0]))
        return curve

    def _fail(self, at: int) -> None:
        clocks = [self.market[0]["clock"], *self.own["clock"][: self.taken], *self.physics["clock"][: self.taken]]
        fault = next(int(clock["fault"]) for clock in clocks if clock["fault"] != 0)
        raise MachineFault(sentence(fault), where=f"row {at}", todo="run the points as backtests, one by one")


def _apart(n: int, dtype: np.dtype[Any]) -> tuple[NDArray[np.uint8], State]:
    """n zeroed records as bytes and as themselves, an odd number of cache lines apart: so that they do not meet in the cache."""
    lines = (dtype.itemsize // LINE + 2) | 1
    raw = np.zeros((n, lines * LINE), np.uint8)
    return raw[:, : dtype.itemsize], np.ndarray((n,), dtype, raw.data, strides=(lines * LINE,))
