"""The emulated venues without sockets: their real bytes handed over inside one virtual loop, cut and delayed as a script wants."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from tradewind.domain.errors import OutcomeUnknown, Unreachable
from tradewind.domain.rows import Rows
from tradewind.fabric.assembly import Fabric
from tradewind.fabric.clock import JournalTime
from tradewind.fabric.feeds import Feed, Outside, Patience, Place, Wanted
from tradewind.fabric.transport import Arrival, Denied
from tradewind.venues.adapter import Answer, Ask
from tradewind.venues.binance.adapter import BinanceAdapter
from tradewind.venues.coinbase.adapter import CoinbaseAdapter
from tradewind.venues.emulators.faults import Faults
from tradewind.venues.emulators.flow import Flow, Pace
from tradewind.venues.emulators.listings import LISTINGS
from tradewind.venues.emulators.sandbox import VENUES
from tradewind.venues.emulators.stage import Stage
from tradewind.venues.emulators.venue import Session, Venue
from tradewind.venues.kraken.adapter import KrakenAdapter

from .virtual import VirtualClock

SLICE_S, TRIP_S, WARM_UP_NS = 0.01, 0.02, 20 * 1_000_000_000
ADAPTERS: dict[str, Callable[[], Any]] = {"binance": BinanceAdapter, "kraken": KrakenAdapter, "coinbase": CoinbaseAdapter}
SYMBOLS = {
    "binance": ["BTCUSDT", "ETHUSDT"], "kraken": ["BTC/USD", "ETH/USD"], "coinbase": ["BTC-USD", "ETH-USD"],
}  # fmt: skip
Hook = Callable[[bytes], Sequence[bytes]]


class Line:
    """One connection to an emulated venue."""

    def __init__(self, theatre: Theatre, venue: Venue, session: Session) -> None:
        self.theatre, self.venue, self.session = theatre, venue, session
        self.over, self.heard = "", theatre.time.now()
        self.frozen = False  # bytes no longer arrive either way, nothing says so
        self.unheard = False  # ours no longer reach the venue, its still come
        self._arrivals: list[Arrival] = []
        self._wake: asyncio.Future[None] | None = None
        session.send, session.ping, session.end, session.drop = self._send, self._ping, self._end, self._drop

    async def arrivals(self) -> list[Arrival]:
        while not self._arrivals:
            if self.over:
                raise Unreachable(self.over, where=self.venue.name)
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        came, self._arrivals = self._arrivals, []
        return came

    def send(self, message: bytes) -> None:
        if not self.over and not self.frozen and not self.unheard:
            self.venue.heard(self.session, message.decode())

    def ping(self) -> None:
        if not self.frozen and not self.unheard and not self.over:
            self.heard = self.theatre.time.now()

    def heard_ns(self) -> int:
        return self.heard

    def abort(self) -> None:
        self.cut("closed by us")

    def cut(self, why: str) -> None:
        """Ends the connection; what was sent and not read yet still is."""
        if not self.over:
            self.over = why
            self.venue.closed(self.session)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _send(self, frame: str | bytes) -> None:
        if self.over or self.frozen or self.session.holed:
            return
        data = frame.encode() if isinstance(frame, str) else frame
        self.heard = self.theatre.time.now()
        messages = list(self.theatre.hook(data))
        if messages:
            self._arrivals.append(Arrival(self.heard, messages))
            if self._wake is not None and not self._wake.done():
                self._wake.set_result(None)

    def _ping(self, _: bytes) -> None:
        if not self.frozen and not self.unheard:
            self.session.pong_ns = self.venue.stage.now_ns

    def _end(self, code: int, reason: str) -> None:
        self.cut(f"the venue closed with code {code} {reason!r}")

    def _drop(self) -> None:
        self.cut("reset")


class Theatre:
    """Venues, their stage, and a `transport.Transport` to them."""

    def __init__(self, clock: VirtualClock, names: Sequence[str], seed: int = 1, pace: Pace | None = None) -> None:
        self.clock, self.time = clock, JournalTime(clock)
        start = self.time.now() // 1000 * 1000
        self.flow = Flow({name: LISTINGS[name] for name in names}, seed, start - WARM_UP_NS, pace or Pace())
        self.stage = Stage(self.flow, start - WARM_UP_NS)
        self.venues = {name: VENUES[name](self.stage, Faults(), seed) for name in names}
        self.lines: list[Line] = []
        self.asked: list[tuple[int, str, str]] = []
        self.refuse_connect: Callable[[str], str] = lambda name: ""
        self.hook: Hook = lambda data: (data,)
        self.answer_hook: Callable[[str, Ask, Answer], Answer] = lambda name, ask, answer: answer
        self._sessions = 0
        self.stage.run_until(start)

    async def play(self) -> None:
        """Moves the stage with the clock."""
        while True:
            await asyncio.sleep(SLICE_S)
            self.stage.run_until(self.time.now())

    async def connect(self, url: str) -> Line:
        parts = urlsplit(url)
        venue = self.venues[parts.hostname or ""]
        await asyncio.sleep(TRIP_S)
        allowed = venue.may_connect()
        how = self.refuse_connect(venue.name) or ("" if allowed else "429")
        if how.isdigit():
            raise Denied(Answer(status=int(how), headers={}, body=b"", sent_ns=0, received_ns=0), url)
        if how:
            raise Unreachable(how, where=url)
        query = dict(part.split("=", 1) for part in parts.query.split("&") if part)
        self._sessions += 1
        line = Line(self, venue, Session(self._sessions, parts.path or "/", query, self.stage.now_ns))
        self.lines.append(line)
        venue.opened(line.session)
        return line

    async def ask(self, base: str, ask: Ask) -> Answer:
        name = urlsplit(base).hostname or ""
        sent = self.time.now()
        await asyncio.sleep(TRIP_S / 2)
        reply = self.venues[name].answer(ask.path, dict(ask.query))
        self.asked.append((self.time.now(), name, ask.path))
        await asyncio.sleep(TRIP_S / 2 + reply.delay_s)
        headers = {key.lower(): value for key, value in reply.headers.items()}
        answer = Answer(status=reply.status, headers=headers, body=reply.body.encode(), sent_ns=sent, received_ns=self.time.now())
        answer = self.answer_hook(name, ask, answer)
        if answer.status == 0:
            raise OutcomeUnknown("no answer", where=base)
        return answer

    def open_lines(self, name: str) -> list[Line]:
        """The connections a venue has now."""
        return [line for line in self.lines if line.venue.name == name and not line.over]


class Heard:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.blocks: list[Rows] = []

    def append(self, rows: Rows) -> None:
        self.blocks.append(rows)

    @property
    def rows(self) -> Rows:
        return np.concatenate(self.blocks)


class Play:
    """A fabric on a theatre, heard by a sink."""

    def __init__(
        self, clock: VirtualClock, names: Sequence[str], *, seed: int = 1, channels: Sequence[str] = ("depth", "quote", "trade"),
        patience: Patience | None = None, pace: Pace | None = None, adapters: dict[str, Callable[[], Any]] | None = None,
    ) -> None:  # fmt: skip
        make = ADAPTERS | (adapters or {})
        self.theatre = Theatre(clock, names, seed, pace)
        outside = Outside(self.theatre, self.theatre.time, random.Random(seed))
        wanted = [Wanted(make[name](), Place(f"http://{name}", f"ws://{name}"), SYMBOLS[name], channels) for name in names]
        self.fabric = Fabric(wanted, outside, patience)
        self.heard = Heard()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Play:
        self._tasks.append(asyncio.ensure_future(self.theatre.play()))
        await self.fabric.open()
        self.fabric.join(self.heard)
        self._tasks.append(asyncio.ensure_future(self.fabric.run()))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tasks[1].cancel()
        await asyncio.gather(self._tasks[1], return_exceptions=True)
        self._tasks[0].cancel()
        await asyncio.gather(self._tasks[0], return_exceptions=True)

    async def run(self, seconds: float) -> None:
        """Lets time pass; an error of the fabric is raised here."""
        await asyncio.sleep(seconds + 0.003)  # between two steps of the stage: everything said has been heard
        for task in self._tasks:
            if task.done():
                task.result()

    def feed(self, name: str) -> Feed:
        return next(feed for feed in self.fabric.feeds if feed.adapter.venue == name)

    @property
    def rows(self) -> Rows:
        return self.heard.rows
