"""The rows of live feeds on their way to whoever keeps them, and what must be known of them to go on after a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tradewind import __version__
from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import Stream
from tradewind.domain.rows import ROW, Rows, words
from tradewind.domain.rows import rows as blank_rows
from tradewind.fabric.assembly import Fabric
from tradewind.fabric.clock import JournalTime
from tradewind.fabric.desk import one
from tradewind.storage.background import Background
from tradewind.storage.marketlog import MarketLog
from tradewind.storage.recording import MARKET

QUIET_NS = codes.SECOND  # a second without a row gets one that says that time passed
MOST_AT_ONCE = 1 << 16  # rows that may wait for the loop
OPENING_ROWS = 1 << 20  # after so many a market without a price has none
Keep = Callable[[Rows], object]


class LiveRows:
    """A sink for a fabric: gathers what comes until the loop is next free, then hands it on as one piece."""

    def __init__(self, keep: Keep) -> None:
        self.keep: Keep | None = keep
        self.last_ts = 0
        self.rows = 0
        self.summary: dict[str, Any] = {}  # of the fabric, when it ended
        self.failed: BaseException | None = None  # what `keep` raised: nobody awaits a callback
        self._waiting: list[Rows] = []
        self._held = 0
        self._due = False

    def append(self, rows: Rows) -> None:
        """Takes the next rows, which are ours from now on."""
        self._waiting.append(rows)
        self._held += len(rows)
        self.last_ts = int(words(rows)[-1, 3])
        self.rows += len(rows)
        if self._held >= MOST_AT_ONCE:
            self.advance()
        elif not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._soon)

    def _soon(self) -> None:
        self._due = False
        try:
            self.advance()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever runs the fabric (`check`)
            self.failed, self.keep = error, None

    def advance(self) -> None:
        """Hands on what waits."""
        waiting, self._waiting, self._held = self._waiting, [], 0
        if waiting and self.keep is not None:
            self.keep(waiting[0] if len(waiting) == 1 else one(waiting))

    def check(self) -> None:
        """Raises what a play raised."""
        if self.failed is not None:
            raise self.failed

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
    return MarketLog(folder / MARKET, fabric.instruments, fabric.streams, f"tradewind {__version__}", worker=worker())


def worker() -> Background:
    """Blocks are packed and synced on a thread of their own: inside the loop, sockets would wait 20 ms for each."""
    return Background("market log")


class Opening:
    """The first rows of a run, held until every instrument has a price, or so many that none will come.

    A price that was found stays, whenever it was looked for; known: those that an earlier life found.
    """

    def __init__(self, fabric: Fabric, known: Mapping[str, float] | None = None) -> None:
        self.fabric = fabric
        self.prices: dict[str, float] = dict(known or {})
        self._rows: list[Rows] = []
        self._held = 0
        self._open = True

    def append(self, rows: Rows) -> None:
        """Takes rows as long as they are asked for."""
        if self._open:
            self._rows.append(rows)
            self._held += len(rows)

    def look(self) -> bool:
        """Whether every instrument has a price by now."""
        if self._open and self._rows:
            self.prices = first_prices(one(self._rows), self.fabric) | self.prices
            if self.complete or self._held > OPENING_ROWS:
                self._open, self._rows = False, []
        return self.complete

    @property
    def complete(self) -> bool:
        """Whether no price is missing."""
        return len(self.prices) == len(self.fabric.instruments)


class Ends:
    """Where every stream stands, so that its feed can go on from there: kept up with every row, and with every snapshot."""

    def __init__(self, n_streams: int) -> None:
        self.last_ts = 0
        self._last, self._told = blank_rows(n_streams), blank_rows(n_streams)  # of any kind; a trade or a bar

    def look(self, session: object, ts: int) -> None:
        """Nothing of the session is needed."""

    def heard(self, rows: Rows) -> None:
        """Takes the next rows."""
        if not len(rows):
            return
        kind, source = rows["kind"], rows["source"]
        counted = kind <= codes.STREAM
        self._last[source[counted]] = rows[counted]  # of several the last one stands
        told = (kind == codes.TRADE) | (kind == codes.BAR)
        if told.any():
            self._told[source[told]] = rows[told]
        self.last_ts = int(rows["ts_local"][-1])

    def kept(self) -> bytes:
        """What `found` takes."""
        return self.last_ts.to_bytes(8, "little") + self._last.tobytes() + self._told.tobytes()

    def found(self, data: bytes) -> None:
        """Goes on from what was kept."""
        self.last_ts = int.from_bytes(data[:8], "little")
        self._last, self._told = np.frombuffer(data[8:], ROW).copy().reshape(2, -1)

    def by_stream(self) -> Mapping[int, Any]:
        """By stream, its last row: the number from its last one of any kind, id and time from its last trade or bar."""
        found: dict[int, Any] = {}
        for source in np.flatnonzero(self._last["kind"] != 0).tolist():
            last = (self._told if self._told["kind"][source] else self._last)[source : source + 1].copy()[0]
            last["stream_seq"] = self._last["stream_seq"][source]
            found[source] = last
        return found


def go_on(fabric: Fabric, streams: Sequence[Stream], ends: Ends) -> None:
    """Lets a fabric go on where an earlier life ended. Raises BadUse where that one numbered other streams.

    Its streams are told to be down from its last row on: what a machine does as time passes it does knowing that nobody listened.
    """
    if list(streams) != list(fabric.streams):
        raise BadUse(
            "it was begun by a release that numbered other streams", where="--out", expected="the streams it has",
            todo="begin a new one; what lies there stays readable",
        )  # fmt: skip
    fabric.resume(ends.by_stream(), ends.last_ts)


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
