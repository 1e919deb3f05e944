"""The sandbox: emulated venues over one flow, on loopback, driven by a clock or by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import msgspec

from tradewind.domain.errors import BadUse

from .acts import Director
from .book import Market
from .clock import SECOND_NS, Clock, HandClock, ScaledClock
from .control import Control
from .faults import Faults
from .flow import Flow, Pace
from .kinds import VENUES, kind_of, listings_of, names
from .listings import LISTINGS, Listing
from .replay import Recording, Replay, Source
from .script import Fault, checked
from .server import Server
from .stage import Stage
from .venue import Venue

__all__ = ["VENUES", "Sandbox", "Setting"]

SLICE_S = 0.01  # how often the stage catches up with the clock
WARM_UP_NS = 20 * SECOND_NS  # played before the doors open, so that there are trades to ask for


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a sandbox is made of, beside its venues and its seed."""

    pace: Pace = Pace()
    listings: Mapping[str, Sequence[Listing]] = msgspec.field(default_factory=lambda: dict(LISTINGS))
    start_ns: int = 0  # 0: the machine's time now
    speed: float = 1.0
    by_hand: bool = False  # time stands still until `advance`
    host: str = "127.0.0.1"
    recording: Recording | None = None  # told again instead of the flow; then pace and listings mean nothing


class Sandbox:
    """`async with Sandbox(["binance"]) as sandbox: sandbox.addresses["binance"]["ws"]`."""

    def __init__(
        self,
        venues: Sequence[str],
        seed: int = 1,
        faults: Sequence[Fault] = (),
        *,
        port_base: int = 0,
        setting: Setting | None = None,
    ) -> None:
        known = names()
        unknown = [name for name in venues if name not in known]
        if unknown or not venues:
            raise BadUse(
                f"{', '.join(unknown) or 'nothing'} is no venue of the sandbox", where="--venues", expected=", ".join(known),
                todo="name some of these",
            )  # fmt: skip
        self.setting = setting or Setting()
        self._port_base = port_base
        start_ns = (self.setting.start_ns or time.time_ns()) // 1_000 * 1_000
        self.clock: Clock = HandClock(start_ns) if self.setting.by_hand else ScaledClock(start_ns, self.setting.speed)
        self.flow = self._source(venues, seed, start_ns - WARM_UP_NS)
        self.stage = Stage(self.flow, start_ns - WARM_UP_NS)
        self.venues: dict[str, Venue] = {name: kind_of(name)(self.stage, Faults(seed), seed) for name in venues}
        self.servers = {name: Server(venue, self.setting.host) for name, venue in self.venues.items()}
        self.director = Director(self.stage, self.venues)
        self._control = Control(self.director, lambda: self.addresses, self.advance if self.setting.by_hand else None)
        self._pump: asyncio.Task[None] | None = None
        self.stage.run_until(start_ns)
        self.director.add([checked(fault, venues, "faults") for fault in faults])

    def _source(self, venues: Sequence[str], seed: int, start_ns: int) -> Source:
        if self.setting.recording is not None:
            return Replay(self.setting.recording, venues, start_ns)
        listed = {name: self.setting.listings.get(name) or listings_of(name) for name in venues}
        return Flow(listed, seed, start_ns, self.setting.pace)

    @property
    def addresses(self) -> dict[str, dict[str, str]]:
        """Where each venue listens: {name: {"rest", "ws"}}."""
        return {name: {"rest": server.rest, "ws": server.ws} for name, server in self.servers.items()}

    @property
    def control(self) -> str:
        """Where faults are set at run time; no venue has such an address."""
        return self._control.address

    def market(self, venue: str, symbol: str) -> Market:
        """The truth about one pair: its book, its changes, its trades."""
        return self.flow.markets[venue][symbol]

    async def advance(self, seconds: float) -> None:
        """Moves time by hand, in slices, and lets every client read what was said."""
        until_ns = self.stage.now_ns + round(seconds * SECOND_NS)
        while self.stage.now_ns < until_ns:
            self._play(min(until_ns, self.stage.now_ns + round(SLICE_S * SECOND_NS)))
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)

    async def __aenter__(self) -> Self:
        for place, server in enumerate(self.servers.values()):
            await server.start(self._port_base + place if self._port_base else 0)
        await self._control.start(self.setting.host, self._port_base + len(self.servers) if self._port_base else 0)
        if not self.setting.by_hand:
            self._pump = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait({self._pump})
        for server in self.servers.values():
            await server.stop()
        await self._control.stop()

    def _play(self, until_ns: int) -> None:
        self.stage.run_until(until_ns)
        if isinstance(self.clock, HandClock):
            self.clock.move_to(until_ns)

    async def _run(self) -> None:
        while True:
            await self.clock.sleep(SLICE_S)
            self._play(self.clock.now_ns())
