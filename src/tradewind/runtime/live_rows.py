"""The rows of a live run: on disk before anybody acts on them, in memory as the tape segment a session plays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tradewind import __version__
from tradewind.domain import codes
from tradewind.domain.rows import Rows
from tradewind.domain.rows import rows as blank_rows
from tradewind.fabric.assembly import Fabric
from tradewind.fabric.clock import JournalTime
from tradewind.storage import marketlog
from tradewind.storage.marketlog import MarketLog
from tradewind.storage.recording import MARKET

QUIET_NS = codes.SECOND  # a second without a row gets one that says that time passed
Play = Callable[[Rows, int, int, int], None]
"""(segment's rows, its number, start, stop)"""


class LiveRows:
    """A sink for a fabric: keeps every row in the market log, then plays what came since the last time."""

    def __init__(self, log: MarketLog, play: Play | None = None) -> None:
        self.log, self.play = log, play
        self.size = marketlog.SEGMENT_ROWS
        self.segment = log.rows // self.size
        self.filled = self.played = log.rows % self.size
        self.buffer = blank_rows(self.size)
        self.last_ts = 0
        self.rows = 0
        self.summary: dict[str, Any] = {}  # of the fabric, when it ended
        self.failed: BaseException | None = None  # what a play raised: nobody awaits a callback
        self._due = False

    def append(self, rows: Rows) -> None:
        """Takes the next rows; they are played when the loop is next free, with whatever else came until then."""
        self.log.append(rows)
        self.last_ts = int(rows["ts_local"][-1])
        self.rows += len(rows)
        while len(rows):
            part = rows[: self.size - self.filled]
            self.buffer[self.filled : self.filled + len(part)] = part
            self.filled += len(part)
            rows = rows[len(part) :]
            if self.filled == self.size:
                self.advance()
                self.segment, self.filled, self.played = self.segment + 1, 0, 0
        if self.play is not None and not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._soon)

    def _soon(self) -> None:
        self._due = False
        try:
            self.advance()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever runs the fabric (`check`)
            self.failed, self.play = error, None

    def check(self) -> None:
        """Raises what a play raised."""
        if self.failed is not None:
            raise self.failed

    def advance(self) -> None:
        """Plays what is waiting. The log is flushed first: a journal may then name its rows."""
        start, self.played = self.played, self.filled
        if self.play is not None and start < self.filled:
            self.log.flush()
            self.play(self.buffer, self.segment, start, self.filled)

    async def tick(self, time: JournalTime) -> None:
        """Says that time passes while nothing comes."""
        while True:
            await asyncio.sleep(QUIET_NS / 1e9)
            if time.now() - self.last_ts >= QUIET_NS:
                self.append(passing(time.stamp(time.now())))


def passing(at: int) -> Rows:
    """A CLOCK row that only says what time it is."""
    told = blank_rows(1)
    told["kind"], told["marks"], told["strategy"], told["ts_local"] = codes.CLOCK, codes.WHOLE, -1, at
    return told


def begin_log(folder: Path, fabric: Fabric) -> MarketLog:
    """A new market log for a fabric's rows below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return MarketLog(folder / MARKET, fabric.instruments, fabric.streams, f"tradewind {__version__}")


def first_prices(rows: Rows, fabric: Fabric) -> dict[str, float]:
    """By an instrument's name, its first price in `rows` in quote units; what has none is left out."""
    wanted = (codes.TRADE, codes.BAR, codes.QUOTE, codes.DEPTH)
    told = rows[np.isin(rows["kind"], wanted) & (rows["price"] > 0) & (rows["quantity"] > 0)]
    best = np.where(told["kind"] == codes.DEPTH, 1, 0)
    order = np.argsort(best, kind="stable")
    which, at = np.unique(told["instrument"][order], return_index=True)
    prices = told["price"][order][at]
    named = [fabric.instruments[i] for i in which.tolist()]
    return {x.name: float(price) / 10.0**x.price_exponent for x, price in zip(named, prices.tolist(), strict=True)}
