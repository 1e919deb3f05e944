"""Lantern, a venue that does not exist: the smallest adapter that passes `tradewind check venue:lantern`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.venues import base
from tradewind.venues.adapter import DEPTH, QUOTE, TRADE, Answer, Ask, Notice, Page, Reading, Samples, Topic
from tradewind.venues.base import NO_ROWS, At
from tradewind.venues.facts import Document

DOC = Document("docs/plugins.md, A venue", "2026-11-22")


class Book(msgspec.Struct, tag="book", tag_field="type"):
    """A whole book."""

    symbol: str
    seq: int
    ts: int  # ns
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class Best(msgspec.Struct, tag="best", tag_field="type"):
    """The best bid and ask: (price, quantity)."""

    symbol: str
    seq: int
    ts: int
    bid: tuple[str, str]
    ask: tuple[str, str]


class Trade(msgspec.Struct, tag="trade", tag_field="type"):
    """One trade; `side` is the taker's."""

    symbol: str
    id: int
    ts: int
    side: str
    price: str
    size: str


class Welcome(msgspec.Struct, tag="welcome", tag_field="type"):
    """The answer to a request."""

    id: int


class Listed(msgspec.Struct):
    """One instrument of /instruments."""

    symbol: str
    base: str
    quote: str
    price_decimals: int
    size_decimals: int


FRAME = msgspec.json.Decoder(Book | Best | Trade | Welcome)
LISTED = msgspec.json.Decoder(list[Listed])
TIME = msgspec.json.Decoder(int)


FACTS = {
    "ws.url": DOC.says("addresses", "wss://stream.lantern.example"),
    "rest.url": DOC.says("addresses", "https://api.lantern.example"),
    "rest.weight_per_minute": DOC.says("limits", 600, "requests"),
}


class LanternAdapter(base.Market):
    """Its public side. `base.Market` brings streams, the guard around `read`, and what 429 and 418 mean."""

    venue = "lantern"
    carried = (DEPTH, QUOTE, TRADE)
    facts = FACTS

    def samples(self) -> Samples:
        """What `tradewind check` reads: one frame of every channel, as the venue sends it."""
        made = Instrument(venue=self.venue, symbol="BTC-USD", base="BTC", quote="USD", price_exponent=2, quantity_exponent=4)
        return Samples(
            instruments=[made],
            frames=[
                b'{"type":"book","symbol":"BTC-USD","seq":7,"ts":1700000000000000000,"bids":[["99.50","1.5"]],"asks":[["100.25","2"]]}',
                b'{"type":"best","symbol":"BTC-USD","seq":8,"ts":1700000000000000000,"bid":["99.50","1.5"],"ask":["100.25","2"]}',
                b'{"type":"trade","symbol":"BTC-USD","id":3,"ts":1700000000000000000,"side":"buy","price":"100.25","size":"0.5"}',
            ],
        )

    def socket_url(self, base: str, topics: Sequence[Topic]) -> str:
        """One address for all."""
        return f"{base}/public"

    def subscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """One request for all."""
        return [self._request("subscribe", topics, number)]

    def unsubscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """The reverse."""
        return [self._request("unsubscribe", topics, number)]

    def _request(self, method: str, topics: Sequence[Topic], number: int) -> bytes:
        wanted = [f"{topic.channel}:{self.instruments[topic.instrument].symbol}" for topic in topics]
        return msgspec.json.encode({"method": method, "topics": wanted, "id": number})

    def _read(self, frame: bytes, ts_local: int) -> Reading:
        heard = FRAME.decode(frame)
        if isinstance(heard, Welcome):
            return Reading(NO_ROWS, [Notice(code="subscribed", number=heard.id)])
        instrument = self.known(heard.symbol)
        channel = DEPTH if isinstance(heard, Book) else QUOTE if isinstance(heard, Best) else TRADE
        at, exponents = At(self.source(instrument, channel), instrument, heard.ts, ts_local), self.exponents(instrument)
        if isinstance(heard, Book):
            return Reading(base.table(base.depth(at, base.both(heard.bids, heard.asks), exponents, codes.SNAPSHOT, heard.seq)))
        if isinstance(heard, Best):
            return Reading(base.table(base.quote(at, (*heard.bid, *heard.ask), exponents, heard.seq)))
        side = base.side_of(heard.side, ("buy", "sell"))
        return Reading(base.table([base.trade(at, side, (heard.price, heard.size), exponents, heard.id)]))

    def ask_instruments(self) -> Ask:
        """All of them."""
        return Ask(path="/instruments", purpose="rules")

    def read_instruments(self, answer: Answer, symbols: Sequence[str]) -> list[Instrument]:
        """The wanted ones."""
        listed = {one.symbol: one for one in base.decoded(LISTED, answer, self.venue)}
        missing = [symbol for symbol in symbols if symbol not in listed]
        if missing:
            raise BadData(f"no instrument {missing[0]}", where=self.venue)
        wanted = [listed[symbol] for symbol in symbols] if symbols else list(listed.values())
        return [
            Instrument(
                venue=self.venue, symbol=one.symbol, base=one.base, quote=one.quote,
                price_exponent=one.price_decimals, quantity_exponent=one.size_decimals,
            )
            for one in wanted
        ]  # fmt: skip

    def ask_snapshot(self, topic: Topic) -> Ask | None:
        """Every book message is whole."""
        return None

    def read_snapshot(self, topic: Topic, answer: Answer) -> Rows:
        """Never asked for."""
        raise BadData("books come by the stream", where=self.venue)

    def ask_trades(self, topic: Topic, since_id: int, since_ns: int) -> Ask | None:
        """There is no history."""
        return None

    def read_trades(self, topic: Topic, answer: Answer) -> Page:
        """Never asked for."""
        raise BadData("there is no history", where=self.venue)

    def ask_candles(self, topic: Topic, timeframe: str, since_ns: int, until_ns: int) -> Ask | None:
        """There is no history."""
        return None

    def read_candles(self, topic: Topic, timeframe: str, answer: Answer) -> Page:
        """Never asked for."""
        raise BadData("there is no history", where=self.venue)

    def ask_time(self) -> Ask | None:
        """The venue's clock."""
        return Ask(path="/time", purpose="clock")

    def read_time(self, answer: Answer) -> int:
        """Its time in ns."""
        return int(base.decoded(TIME, answer, self.venue))
