"""The bridge: ccxt behind `transport.Transport`, for addresses of the scheme `ccxt`.

Requests of the bridge's adapter become calls of ccxt, its unified answers become JSON with numbers as text
(`venues.bridge.wire`). So feeds, budgets, stream states and downloads are the same as for any other venue. What ccxt raises becomes
what a transport raises, or the answer's own status where there was one: 418 and 429 keep their meaning, and while they hold,
no request leaves at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from tradewind.domain.errors import BadData, OutcomeUnknown, Unreachable
from tradewind.venues.adapter import Answer, Ask

from .ccxtmade import Gate, Hosts, furnished, heard_answer, let_go, library
from .transport import Absent, Denied, Settings, Wire
from .unified import ROUTES
from .watching import Watcher

ANSWER_S = 60.0  # of one call, which may be several requests: load_markets
REFUSED, ABSENT = 400, 501


class House:
    """One venue: the exchange that requests go to, and the gate all its exchanges share."""

    def __init__(self, hosts: Hosts, settings: Settings) -> None:
        self.hosts, self.gate = hosts, Gate(settings.time)
        self.exchange = furnished(hosts, self.gate)
        self._learned: asyncio.Lock = asyncio.Lock()

    async def markets(self) -> Any:
        """ccxt's markets, asked for once."""
        async with self._learned:
            if not self.exchange.markets:
                await self.exchange.load_markets()
        return self.exchange.markets

    async def another(self, noted: Callable[[], None]) -> Any:
        """A second exchange that knows the markets already, with sockets of its own."""
        markets = await self.markets()
        made = furnished(self.hosts, self.gate, noted)
        made.set_markets(markets, self.exchange.currencies)
        return made


class Bridge:
    """`transport.Transport` for every venue of ccxt's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._houses: dict[str, House] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def house(self, base: str) -> House:
        """The venue at an address. Raises BadUse where ccxt is missing or knows none."""
        if base not in self._houses:
            self._houses[base] = House(Hosts.of(base), self._settings)
        return self._houses[base]

    async def connect(self, url: str) -> Wire:
        """A wire on which the adapter's wishes are watched. Raises Absent where the venue has no sockets through ccxt."""
        house = self.house(url)
        self._refuse_shut(house, url)
        if not getattr(house.exchange, "has", {}).get("watchOrderBook"):
            raise Absent("ccxt has no WebSocket of this venue: it is polled", where=url)
        made = Watcher(self._settings, self._farewell)
        try:
            made.exchange = await asyncio.wait_for(house.another(made.noted), ANSWER_S)
        except TimeoutError as error:
            raise Unreachable("its markets did not come in time", where=url) from error
        except library().BaseError as error:
            self._refuse_shut(house, url)
            raise Unreachable(_short(error), where=url) from error
        made.noted()  # it has not been silent before it was there
        return made

    def _refuse_shut(self, house: House, url: str) -> None:
        if left := house.gate.left_s:
            raise Denied(self._answer(429, {"retry-after": str(left)}, b"", self._settings.time.now()), url)

    async def ask(self, base: str, ask: Ask) -> Answer:
        """The answer to one of the adapter's requests. Raises Unreachable, OutcomeUnknown, BadData."""
        house, sent = self.house(base), self._settings.time.now()
        if left := house.gate.left_s:
            return self._answer(429, {"retry-after": str(left)}, b"asked to wait", sent)
        seen: list[tuple[int, dict[str, str]]] = []
        token = heard_answer.set(seen)
        try:
            told = await asyncio.wait_for(self._called(house, ask), ANSWER_S)
        except TimeoutError as error:
            raise OutcomeUnknown("no answer in time", where=base) from error
        except BadData:
            raise
        except library().BaseError as error:
            return self._failed(error, seen, sent, base)
        except Exception as error:  # a stranger's parser met an answer it did not expect: that is what is told
            raise BadData(f"ccxt could not read its answer: {type(error).__name__}", where=base) from error
        finally:
            heard_answer.reset(token)
        return self._answer(200, {}, msgspec.json.encode(told), sent)

    @staticmethod
    async def _called(house: House, ask: Ask) -> Any:
        if ask.path == "/markets" and house.exchange.markets:
            await house.exchange.load_markets(True)  # asked anew each time: rules change
        await house.markets()
        return await ROUTES[ask.path](house.exchange, dict(ask.query))

    def _failed(self, error: Exception, seen: list[tuple[int, dict[str, str]]], sent: int, base: str) -> Answer:
        ccxt = library()
        status, headers = next(((code, heads) for code, heads in reversed(seen) if code >= REFUSED), (0, {}))
        if status == 0 and isinstance(error, ccxt.RequestTimeout):
            raise OutcomeUnknown(_short(error), where=base) from error
        if status == 0 and isinstance(error, ccxt.DDoSProtection | ccxt.RateLimitExceeded):
            status = 429
        if status == 0 and isinstance(error, ccxt.NetworkError):
            raise Unreachable(_short(error), where=base) from error
        if status == 0:
            status = ABSENT if isinstance(error, ccxt.NotSupported) else REFUSED
        return self._answer(status, headers, _short(error).encode(), sent)

    def _answer(self, status: int, headers: dict[str, str], body: bytes, sent: int) -> Answer:
        return Answer(status=status, headers=headers, body=body, sent_ns=sent, received_ns=self._settings.time.now())

    def _farewell(self, made: Any) -> None:
        task = asyncio.ensure_future(let_go(made))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def aclose(self) -> None:
        """Lets everything go, and waits until it has gone."""
        for house in self._houses.values():
            self._farewell(house.exchange)
        self._houses.clear()
        await asyncio.gather(*self._leaving, return_exceptions=True)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
