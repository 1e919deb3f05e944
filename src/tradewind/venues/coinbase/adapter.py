"""Coinbase's public side: Advanced Trade WebSocket and REST (docs.cdp.coinbase.com, read 2026-11-22)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.venues import adapter as fabric
from tradewind.venues import base
from tradewind.venues.adapter import Answer, Ask, Notice, Page, Reading, Topic
from tradewind.venues.base import NO_ROWS, At, Line
from tradewind.venues.coinbase import answers, layouts, wire
from tradewind.venues.coinbase.facts import FACTS
from tradewind.venues.numbers import one_unit, rfc3339_ns
from tradewind.venues.scanner import Layout
from tradewind.venues.walk import R_SEQUENCE

VENUE = "coinbase"
CHANNEL = {fabric.DEPTH: "level2", fabric.TRADE: "market_trades", fabric.QUOTE: "ticker", fabric.BAR: "candles"}
TOPIC_OF = {"level2": fabric.DEPTH, "l2_data": fabric.DEPTH, **{CHANNEL[c]: c for c in (fabric.TRADE, fabric.QUOTE, fabric.BAR)}}
HEARTBEATS = "heartbeats"
BAR_NS = 5 * codes.MINUTE  # the only candle that is streamed
SIDES = ("bid", "offer")


class CoinbaseAdapter(base.Market):
    """Coinbase spot. Depth and quotes have no ids of their own: their ref is the frame's sequence number."""

    venue = VENUE
    bar_timeframe = "5m"  # of the bars that are streamed
    counted = True
    carried = fabric.CHANNELS[:4]
    facts = FACTS

    def __init__(self) -> None:
        super().__init__()
        self._forming: dict[int, wire.Candle] = {}

    def layouts(self) -> Sequence[Layout]:
        """Books, single trades and tickers."""
        return layouts.ALL

    def read(self, frame: bytes, ts_local: int) -> Reading:
        """Everything a frame holds, with its number on the connection."""
        scanner = self.scanner
        rows = None if scanner is None else scanner.scan(frame, ts_local)
        if scanner is None or rows is None:
            return self.decoded(frame, ts_local)
        return Reading(rows, sequence=scanner.table.item(R_SEQUENCE))

    # Sockets ---------------------------------------------------------------------------------------------------------------

    def socket_url(self, base: str, topics: Sequence[Topic]) -> str:
        """One address for all."""
        return base

    def subscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """One request a channel, and one for heartbeats: without them quiet channels are closed."""
        return self._requests("subscribe", topics)

    def unsubscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """The reverse; heartbeats stay."""
        return self._requests("unsubscribe", topics)[:-1]

    def _requests(self, kind: str, topics: Sequence[Topic]) -> list[bytes]:
        products: dict[str, list[str]] = {}
        for topic in topics:
            if topic.channel in CHANNEL:
                names = products.setdefault(CHANNEL[topic.channel], [])
                symbol = self.instruments[topic.instrument].symbol
                names += [symbol] if symbol not in names else []
        frames = [msgspec.json.encode({"type": kind, "product_ids": names, "channel": name}) for name, names in products.items()]
        return [*frames, msgspec.json.encode({"type": kind, "channel": HEARTBEATS})]

    def _read(self, frame: bytes, ts_local: int) -> Reading:
        heard = wire.hear(frame)
        if isinstance(heard, wire.Problem):
            return Reading(NO_ROWS, [Notice(code="refused", text=heard.message[:120])])
        reading = Reading(NO_ROWS, sequence=heard.sequence)
        if heard.channel == HEARTBEATS:
            reading.notices = [Notice(code="heartbeat", number=int(event.heartbeat_counter)) for event in heard.events]
        elif heard.channel == "subscriptions":
            reading.notices = [notice for event in heard.events for notice in self._subscribed(event.get("subscriptions", {}))]
        elif heard.channel in TOPIC_OF:
            ts_venue = rfc3339_ns(heard.timestamp)
            reading.rows = base.table([one for event in heard.events for one in self._lines(heard, event, (ts_venue, ts_local))])
        else:
            reading.notices = [Notice(code="status", text=heard.channel)]
        return reading

    def _named(self, frame: bytes) -> tuple[str, Sequence[str]]:
        channel, symbols = wire.names(frame)
        return TOPIC_OF.get(channel, channel), symbols

    def _subscribed(self, products: dict[str, list[str]]) -> list[Notice]:
        """All that is subscribed now, told after every request."""
        return [
            Notice(code="subscribed", topic=Topic(TOPIC_OF[name], self.index[symbol]), text=name)
            for name, symbols in products.items()
            for symbol in symbols
            if name in TOPIC_OF and symbol in self.index
        ]

    def _lines(self, frame: wire.Frame, event: object, times: tuple[int, int]) -> list[Line]:
        if isinstance(event, wire.BookEvent):
            return self._book(frame, event, times)
        if isinstance(event, wire.TradesEvent):  # newest first; what happened first is told first
            return [self._trade(one, times[1]) for one in reversed(event.trades)]
        if isinstance(event, wire.TickerEvent):
            return [row for one in event.tickers for row in self._quote(frame, one, times)]
        if isinstance(event, wire.CandlesEvent):
            ordered = sorted(event.candles, key=lambda one: one.start)
            return [row for one in ordered for row in self._candle(one, event.type == "snapshot", times[1])]
        return []

    def _at(self, symbol: str, channel: str, ts_venue: int, ts_local: int) -> At:
        instrument = self.known(symbol)
        return At(self.source(instrument, channel), instrument, ts_venue, ts_local)

    def _book(self, frame: wire.Frame, event: wire.BookEvent, times: tuple[int, int]) -> list[Line]:
        at = self._at(event.product_id, fabric.DEPTH, *times)
        if event.type not in ("snapshot", "update"):
            raise BadData("a book event of another type", expected="snapshot or update")
        marks = codes.SNAPSHOT if event.type == "snapshot" else 0
        if not event.updates and not marks:
            return []
        levels = ((base.side_of(level.side, SIDES), level.price_level, level.new_quantity) for level in event.updates)
        return base.depth(at, levels, self.exponents(at.instrument), marks, frame.sequence)

    def _trade(self, one: wire.Trade, ts_local: int) -> Line:
        at = self._at(one.product_id, fabric.TRADE, rfc3339_ns(one.time), ts_local)
        side = base.side_of(one.side, answers.TAKER)
        return base.trade(at, side, (one.price, one.size), self.exponents(at.instrument), one_unit(one.trade_id, 0))

    def _quote(self, frame: wire.Frame, one: wire.Ticker, times: tuple[int, int]) -> list[Line]:
        at = self._at(one.product_id, fabric.QUOTE, *times)
        texts = (one.best_bid, one.best_bid_quantity, one.best_ask, one.best_ask_quantity)
        return base.quote(at, texts, self.exponents(at.instrument), frame.sequence) if all(texts) else []

    def _candle(self, one: wire.Candle, snapshot: bool, ts_local: int) -> list[Line]:
        """The candle before this one is finished once this one begins. A snapshot only says where we stand."""
        start = one_unit(one.start, 0) * codes.SECOND
        at = self._at(one.product_id, fabric.BAR, start, ts_local)
        former, self._forming[at.instrument] = self._forming.get(at.instrument), one
        if former is None or snapshot or start <= one_unit(former.start, 0) * codes.SECOND:
            return []
        at.ts_venue = one_unit(former.start, 0) * codes.SECOND + BAR_NS
        texts = (former.open, former.high, former.low, former.close, former.volume)
        return [base.bar(at, codes.TIMEFRAME_NS.index(BAR_NS), texts, self.exponents(at.instrument))]

    # Requests --------------------------------------------------------------------------------------------------------------

    def _ask(self, path: str, purpose: str, **query: object) -> Ask:
        pairs = tuple((name, str(value)) for name, value in query.items())
        return Ask(path=f"/api/v3/brokerage/{path}", query=pairs, purpose=purpose)

    def _symbol(self, topic: Topic) -> str:
        return self.instruments[topic.instrument].symbol

    def _place(self, topic: Topic, answer: Answer) -> At:
        return At(self.source(topic.instrument, topic.channel), topic.instrument, 0, answer.received_ns)

    def ask_instruments(self) -> Ask:
        """The public products."""
        return self._ask("market/products", "rules", product_type="SPOT")

    def read_instruments(self, answer: Answer, symbols: Sequence[str]) -> list[Instrument]:
        """By product id (BTC-USD)."""
        return answers.instruments(answer, symbols)

    def ask_snapshot(self, topic: Topic) -> Ask | None:
        """None: the subscription brings the whole book, and a REST one carries no sequence number to join it by."""
        return None

    def ask_depth(self, topic: Topic) -> Ask:
        """The book by REST, for comparing and for polling where sockets are blocked."""
        return self._ask("market/product_book", "market", product_id=self._symbol(topic), limit=500)

    def read_snapshot(self, topic: Topic, answer: Answer) -> Rows:
        """The product_book answer; ref 0."""
        return answers.snapshot(answer, self._place(topic, answer), self.exponents(topic.instrument))

    def ask_trades(self, topic: Topic, since_id: int, since_ns: int) -> Ask | None:
        """The newest 1,000 since a time; ids are not asked for."""
        path = f"market/products/{self._symbol(topic)}/ticker"
        return self._ask(path, "history", limit=answers.TRADES_PAGE, start=since_ns // codes.SECOND)

    def read_trades(self, topic: Topic, answer: Answer) -> Page:
        """Oldest first. There is no next page: a full one may lack its beginning."""
        return Page(answers.trades(answer, self._place(topic, answer), self.exponents(topic.instrument)))

    def ask_candles(self, topic: Topic, timeframe: str, since_ns: int, until_ns: int) -> Ask | None:
        """Up to 350 bars of [since, until)."""
        granularity = answers.GRANULARITIES.get(timeframe)
        if granularity is None:
            return None
        step = codes.TIMEFRAME_NS[codes.TIMEFRAME_NAMES.index(timeframe)]
        until_ns = min(until_ns, since_ns + answers.CANDLES_PAGE * step)
        times = {"start": since_ns // codes.SECOND, "end": until_ns // codes.SECOND - 1}
        path = f"market/products/{self._symbol(topic)}/candles"
        return self._ask(path, "history", **times, granularity=granularity, limit=answers.CANDLES_PAGE)

    def read_candles(self, topic: Topic, timeframe: str, answer: Answer) -> Page:
        """Finished bars, oldest first; to go on, ask again from the last one's end."""
        return Page(answers.candles(answer, self._place(topic, answer), self.exponents(topic.instrument), timeframe))

    def ask_time(self) -> Ask | None:
        """The server's clock."""
        return self._ask("time", "clock")

    def read_time(self, answer: Answer) -> int:
        """ns, to the millisecond."""
        return answers.server_time(answer)
