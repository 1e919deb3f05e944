"""The stage with a simulated venue behind it: a market maker whose orders are answered, and when it sent which."""

from __future__ import annotations

import numpy as np

from tradewind.domain import codes
from tradewind.domain.rows import Rows
from tradewind.engine.snapshot import fresh_venue

from .stage import Stage, verdicts


class Traded(Stage):
    """Quotes ten units around every touch it may use, ten times a second; `sent` keeps its orders."""

    def feed(self, tape: Rows) -> Rows:
        """Runs machine and venue over `tape`; the rows the machine emitted."""
        if not hasattr(self, "venue"):
            self.venue, self.sent = fresh_venue(self.machine), []
            self.prelude.set_up_venue(self.venue)
        held, at, reason, parts = self.s["fact"]["position"]["quantity"][0].copy(), 0, codes.FULL, []
        while reason == codes.FULL:
            at, reason = self.machine.drive(self.state, self.venue, tape, at, len(tape), 0, self.out)
            parts.append(self.out[: int(self.s["clock"]["n_out"])].copy())
        assert reason == codes.END, int(self.s["clock"]["fault"])
        said = np.concatenate(parts)
        for r in said[said["kind"] == codes.SUBMIT]:
            opens = held[r["instrument"]] * (1 if r["side"] == codes.BUY else -1) >= 0
            self.sent.append((int(r["ts_local"]), int(r["instrument"]), int(r["price"]), bool(opens)))
        return said

    def orders(self, i: int, since: int = 0, opening: bool = False) -> list[int]:
        """The prices of orders sent to instrument `i` after `since`; `opening`: only those that add to what is held."""
        return [price for at, number, price, opens in self.sent if number == i and at > since and (opens or not opening)]

    def working(self, i: int) -> int:
        """How many orders of instrument `i` stand at the venue."""
        orders = self.s["fact"]["order"]
        return int(((orders["status"] > 0) & (orders["status"] < 6) & (orders["instrument"] == i)).sum())

    def rung(self) -> int:
        """Of the ladder."""
        return int(self.s["fact"]["ladder"]["rung"])

    def quotes(self, seconds: float, prices: list[float], step: float = 0.25) -> list[tuple[int, int]]:
        """Best quotes for so long, each a hair off the last, so that none looks frozen; the verdicts told."""
        told: list[tuple[int, int]] = []
        for k in range(round(seconds / step)):
            for i, price in enumerate(prices):
                told += verdicts(self.feed(self.touch(i, price * (1 + 1e-6 * ((k % 5) - 2)))))
            told += verdicts(self.wait(step))
        return told
