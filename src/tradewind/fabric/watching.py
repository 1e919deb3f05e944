"""A wire of the bridge: what the adapter wishes is watched through ccxt, and every news becomes a frame.

A book is told whole once and then by the levels that changed between two looks; ccxt may have taken in several of the venue's
messages between them. Any trouble ends the wire: the feed connects anew, and the streams are told what they lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec

from tradewind.domain.errors import BadData, Unreachable
from tradewind.venues.adapter import BAR, DEPTH, QUOTE, TRADE
from tradewind.venues.bridge import wire

from .ccxtmade import library, plain
from .transport import Arrival, Settings
from .unified import book_of, candle_of, deal_of, of_units, size_of, times

POLL_S = 5.0  # between two requests for what the venue does not stream
BARS_OF = "1m"
NAMES = {DEPTH: "OrderBook", QUOTE: "Ticker", TRADE: "Trades", BAR: "OHLCV"}
Topic = tuple[str, str]


class Watcher:
    """One connection: a ccxt exchange of its own, and a task for each topic."""

    exchange: Any

    def __init__(self, settings: Settings, farewell: Callable[[Any], None]) -> None:
        self._settings, self._farewell = settings, farewell
        self._heard, self._over = settings.time.now(), ""
        self._arrivals: list[Arrival] = []
        self._queued = 0
        self._news = asyncio.Event()
        self._tasks: dict[Topic, asyncio.Task[None]] = {}
        self._pings: set[asyncio.Future[Any]] = set()

    # transport.Wire ----------------------------------------------------------------------------------------------------------

    async def arrivals(self) -> list[Arrival]:
        """Everything that came. Raises Unreachable where it is over."""
        while not self._arrivals:
            if self._over:
                raise Unreachable(self._over, where=self.exchange.id)
            self._news.clear()
            await self._news.wait()
        came, self._arrivals, self._queued = self._arrivals, [], 0
        return came

    def send(self, message: bytes) -> None:
        """Begins to watch, or leaves. A book that is left takes the wire with it: ccxt cannot be relied on to begin it anew."""
        wish = wire.WISH.decode(message)
        for topic in wish.topics:
            task = self._tasks.pop(topic, None)
            if task is not None:
                task.cancel()
            if wish.op == "watch" and not self._over:
                self._tasks[topic] = asyncio.ensure_future(self._watch(topic, wish.number))
            elif task is not None and topic[0] == DEPTH:
                self._end("a book was asked for anew")

    def ping(self) -> None:
        """Asks every socket to show that it lives."""
        for client in list((self.exchange.clients or {}).values()):
            if client.connection is not None and not client.closed():
                asked = asyncio.ensure_future(client.connection.ping())
                self._pings.add(asked)
                asked.add_done_callback(self._pinged)

    def _pinged(self, asked: asyncio.Future[Any]) -> None:
        self._pings.discard(asked)
        if not asked.cancelled() and asked.exception() is not None:
            self._end(f"a ping failed: {type(asked.exception()).__name__}")

    def heard_ns(self) -> int:
        """When any socket last said anything."""
        return self._heard

    def abort(self) -> None:
        """Lets it go."""
        self._end("closed by us")

    def noted(self) -> None:
        """Bytes came."""
        self._heard = self._settings.time.now()

    def _end(self, why: str) -> None:
        if self._over:
            return
        self._over = why
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        self._news.set()
        self._farewell(self.exchange)

    # Watching ------------------------------------------------------------------------------------------------------------------

    async def _watch(self, topic: Topic, number: int) -> None:
        channel, symbol = topic
        streamed = bool(self.exchange.has.get(f"watch{NAMES[channel]}"))
        self._say(wire.Word("subscribed", number))
        try:
            await (self._followed(channel, symbol) if streamed else self._asked(channel, symbol))
        except (library().BadRequest, library().NotSupported, library().AuthenticationError) as error:
            self._say(wire.Word("refused", number, symbol, channel, f"{type(error).__name__}: {str(error)[:100]}"))
        except library().BaseError as error:
            self._end(f"{type(error).__name__}: {str(error)[:200]}")
        except BadData as error:
            self._say(wire.Word("refused", number, symbol, channel, error.what))
        except Exception as error:  # noqa: BLE001 - a stranger's parser: nothing more is believed
            self._end(f"ccxt could not read a frame: {type(error).__name__}")

    async def _followed(self, channel: str, symbol: str) -> None:
        """News as they come, for ever."""
        look, tell = self._looks(channel, symbol, "watch"), self._teller(channel, symbol)
        while True:
            tell(await look())

    async def _asked(self, channel: str, symbol: str) -> None:
        """What the venue does not stream, by REST: trades and the best quote; a book is never polled behind a socket's back."""
        if channel in (DEPTH, BAR) or not self.exchange.has.get(f"fetch{NAMES[channel]}"):
            raise library().NotSupported(f"{self.exchange.id} has no {NAMES[channel]} to be watched")
        look, tell = self._looks(channel, symbol, "fetch"), self._teller(channel, symbol)
        while True:
            tell(await look())
            await asyncio.sleep(POLL_S)

    def _looks(self, channel: str, symbol: str, how: str) -> Callable[[], Awaitable[Any]]:
        made = self.exchange
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            DEPTH: lambda: made.watch_order_book(symbol),
            QUOTE: self._quotes(symbol, how),
            TRADE: lambda: getattr(made, f"{how}_trades")(symbol),
            BAR: lambda: made.watch_ohlcv(symbol, BARS_OF),
        }
        if channel == BAR:
            of_units(made, symbol, "candles")
        return calls[channel]

    def _quotes(self, symbol: str, how: str) -> Callable[[], Awaitable[Any]]:
        """The best quote where ccxt streams it by itself, else the ticker."""
        made = self.exchange
        if how == "watch" and made.has.get("watchBidsAsks"):

            async def best() -> Any:
                return (await made.watch_bids_asks([symbol]))[symbol]

            return best
        return lambda: getattr(made, f"{how}_ticker")(symbol)

    def _teller(self, channel: str, symbol: str) -> Callable[[Any], None]:
        size, exchange = size_of(self.exchange, symbol), self.exchange.id
        if channel == DEPTH:
            return Differences(symbol, self._say, size).tell
        if channel == BAR:
            return Closing(symbol, self._say).tell
        if channel == TRADE:
            return lambda told: self._say(wire.Deals(symbol, [deal_of(one, exchange, size) for one in told])) if told else None
        return lambda told: self._best(symbol, told, size)

    def _best(self, symbol: str, told: Any, size: Decimal | None) -> None:
        numbers = [told.get(name) for name in ("bid", "bidVolume", "ask", "askVolume")]
        if any(number is None for number in numbers):
            return  # the venue tells no sizes: there is no quote without them
        bid, bid_size, ask, ask_size = (plain(number) for number in numbers)
        best = (bid, times(bid_size, size)), (ask, times(ask_size, size))
        self._say(wire.Best(symbol, told.get("timestamp") or 0, *best))

    def _say(self, frame: msgspec.Struct) -> None:
        text = msgspec.json.encode(frame)
        self._queued += len(text)
        if self._queued > self._settings.max_queued:
            self._end("nobody read what came")
            return
        self._arrivals.append(Arrival(self._settings.time.now(), [text]))
        self._news.set()


class Differences:
    """A book that ccxt keeps, told by what changed since the last look."""

    def __init__(self, symbol: str, say: Callable[[msgspec.Struct], None], size: Decimal | None = None) -> None:
        self.symbol, self._say, self._size = symbol, say, size
        self._known: list[dict[str, str]] | None = None

    def tell(self, told: Any) -> None:
        """Says the whole book the first time, then the levels that are other than before; nothing where none is."""
        book = book_of(told, self.symbol, self._size)
        now = [dict(book.bids), dict(book.asks)]
        if self._known is None:
            self._say(book)
        else:
            bids, asks = (_changed(before, after) for before, after in zip(self._known, now, strict=True))
            if bids or asks:
                self._say(wire.Book(self.symbol, False, book.ts, bids, asks))
        self._known = now


def _changed(before: dict[str, str], after: dict[str, str]) -> list[wire.Level]:
    gone = [(price, "0") for price in before if price not in after]
    return gone + [(price, size) for price, size in after.items() if before.get(price) != size]


class Closing:
    """Bars that still grow: each is told when a later one has begun."""

    def __init__(self, symbol: str, say: Callable[[msgspec.Struct], None]) -> None:
        self.symbol, self._say = symbol, say
        self._growing: Any = None

    def tell(self, told: Any) -> None:
        """Takes what ccxt shows, oldest first."""
        done = []
        for one in told:
            if self._growing is not None and one[0] > self._growing[0]:
                done.append(candle_of(self._growing))
            if self._growing is None or one[0] >= self._growing[0]:
                self._growing = list(one)
        if done:
            self._say(wire.Candles(self.symbol, BARS_OF, done))
