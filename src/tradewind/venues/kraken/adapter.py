"""Kraken's public side: Spot WebSocket v2 and REST (docs.kraken.com, read 2026-11-22)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec

from tradewind.domain import codes
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.venues import adapter as fabric
from tradewind.venues import base
from tradewind.venues.adapter import Answer, Ask, Notice, Page, Reading, Topic
from tradewind.venues.base import NO_ROWS, At, Line
from tradewind.venues.kraken import answers, layouts, stream
from tradewind.venues.kraken.facts import FACTS
from tradewind.venues.kraken.stream import CandleData, Frame, Reply, TickerData, TradeData, words
from tradewind.venues.kraken.wire import BookData
from tradewind.venues.numbers import rfc3339_ns
from tradewind.venues.scanner import Layout

VENUE = "kraken"
BOOK_DEPTH = 100
BAR_MINUTES = 1
CHANNEL = {fabric.DEPTH: "book", fabric.TRADE: "trade", fabric.QUOTE: "ticker", fabric.BAR: "ohlc"}
TOPIC_OF = {name: channel for channel, name in CHANNEL.items()}


class KrakenAdapter(base.Market):
    """Kraken spot. `depth` is the book's depth a side: 10, 25, 100, 500 or 1,000.

    Books and quotes have no ids: a book message's ref is its time at the venue in ns, a quote's is 0.
    """

    venue = VENUE
    carried = fabric.CHANNELS[:4]
    facts = FACTS

    def __init__(self, depth: int = BOOK_DEPTH) -> None:
        super().__init__()
        self.depth = depth
        self._forming: dict[int, CandleData] = {}

    def layouts(self) -> Sequence[Layout]:
        """Books, trades and tickers."""
        return layouts.ALL

    # Sockets ---------------------------------------------------------------------------------------------------------------

    def socket_url(self, base: str, topics: Sequence[Topic]) -> str:
        """One address for all."""
        return f"{base}/v2"

    def subscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """One request a channel; the venue answers each with one reply a symbol."""
        return self._requests("subscribe", topics, number)

    def unsubscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """The reverse."""
        return self._requests("unsubscribe", topics, number)

    def _requests(self, method: str, topics: Sequence[Topic], number: int) -> list[bytes]:
        wanted = sorted({(topic.channel, topic.instrument) for topic in topics if topic.channel in CHANNEL})
        frames = []
        for place, (channel, group) in enumerate(groupby(wanted, key=lambda one: one[0])):
            params: dict[str, object] = {"channel": CHANNEL[channel], "symbol": [self.instruments[at].symbol for _, at in group]}
            params |= self._extra(channel, method == "subscribe")
            frames.append(msgspec.json.encode({"method": method, "params": params, "req_id": number + place}))
        return frames

    def _extra(self, channel: str, begins: bool) -> dict[str, object]:
        if channel == fabric.DEPTH:
            return {"depth": self.depth, "snapshot": True} if begins else {"depth": self.depth}
        if channel == fabric.QUOTE:
            return {"event_trigger": "bbo", "snapshot": True} if begins else {"event_trigger": "bbo"}
        if channel == fabric.BAR:
            return {"interval": BAR_MINUTES, "snapshot": True} if begins else {"interval": BAR_MINUTES}
        return {"snapshot": False} if begins else {}

    def _read(self, frame: bytes, ts_local: int) -> Reading:
        heard = stream.hear(frame)
        if isinstance(heard, Reply):
            return Reading(NO_ROWS, [self._reply(heard)])
        if heard.channel in TOPIC_OF:
            return Reading(base.table([one for data in heard.data for one in self._lines(heard, data, ts_local)]))
        text = heard.data[0].system if heard.channel == "status" and heard.data else heard.channel
        return Reading(NO_ROWS, [Notice(code="heartbeat" if heard.channel == "heartbeat" else "status", text=text[:120])])

    def _named(self, frame: bytes) -> tuple[str, Sequence[str]]:
        channel, symbols = stream.names(frame)
        return TOPIC_OF.get(channel, channel), symbols

    def _reply(self, reply: Reply) -> Notice:
        channel, at = TOPIC_OF.get(reply.result.channel), self.index.get(reply.result.symbol or reply.symbol)
        topic = Topic(channel, at) if channel is not None and at is not None else None
        code = {"subscribe": "subscribed", "unsubscribe": "status", "pong": "pong"}.get(reply.method, "error")
        if not reply.success:
            code = "refused" if reply.method == "subscribe" else "error"
        return Notice(code=code, topic=topic, text=(reply.error or reply.method)[:120], number=reply.req_id)

    def _lines(self, frame: Frame, data: BookData | TradeData | TickerData | CandleData, ts_local: int) -> list[Line]:
        instrument = self.known(data.symbol)
        at = At(self.source(instrument, TOPIC_OF[frame.channel]), instrument, 0, ts_local)
        exponents = self.exponents(instrument)
        if isinstance(data, CandleData):
            return self._candle(data, frame.snapshot, at)
        at.ts_venue = rfc3339_ns(data.timestamp) if data.timestamp else 0
        if isinstance(data, BookData):
            marks = codes.SNAPSHOT if frame.snapshot else 0
            levels = base.both(*([level.texts for level in levels] for levels in (data.bids, data.asks)))
            return base.depth(at, levels, exponents, marks, at.ts_venue, (0, data.checksum))
        if isinstance(data, TradeData):
            side = base.side_of(data.side, ("buy", "sell"))
            return [base.trade(at, side, (words(data.price), words(data.qty)), exponents, data.trade_id)]
        texts = (words(data.bid), words(data.bid_qty), words(data.ask), words(data.ask_qty))
        return base.quote(at, texts, exponents, 0)

    def _candle(self, data: CandleData, snapshot: bool, at: At) -> list[Line]:
        """The candle before this one is finished once this one begins. A snapshot only says where we stand."""
        former, self._forming[at.instrument] = self._forming.get(at.instrument), data
        if former is None or snapshot or data.interval != former.interval or data.interval_begin <= former.interval_begin:
            return []
        step = former.interval * codes.MINUTE
        at.ts_venue = rfc3339_ns(former.interval_begin) + step
        if step not in codes.TIMEFRAME_NS:
            return []
        texts = (words(former.open), words(former.high), words(former.low), words(former.close), words(former.volume))
        return [base.bar(at, codes.TIMEFRAME_NS.index(step), texts, self.exponents(at.instrument))]

    # Requests --------------------------------------------------------------------------------------------------------------

    def _pair(self, topic: Topic) -> tuple[str, str]:
        return "pair", answers.rest_name(self.instruments[topic.instrument].symbol)

    def _place(self, topic: Topic, answer: Answer) -> At:
        return At(self.source(topic.instrument, topic.channel), topic.instrument, 0, answer.received_ns)

    def ask_instruments(self) -> Ask:
        """AssetPairs."""
        return Ask(path="/0/public/AssetPairs", purpose="rules")

    def read_instruments(self, answer: Answer, symbols: Sequence[str]) -> list[Instrument]:
        """By their v2 names (BTC/USD)."""
        return answers.instruments(answer, symbols)

    def ask_snapshot(self, topic: Topic) -> Ask | None:
        """None: the subscription brings the book, and a REST one has no checksum to prove it."""
        return None

    def read_snapshot(self, topic: Topic, answer: Answer) -> Rows:
        """The Depth answer, for who wants to compare; nothing proves it."""
        return answers.snapshot(answer, self._place(topic, answer), self.exponents(topic.instrument))

    def ask_depth(self, topic: Topic) -> Ask:
        """Depth by REST, for comparing and for polling where sockets are blocked."""
        return Ask(path="/0/public/Depth", query=(self._pair(topic), ("count", "500")))

    def ask_trades(self, topic: Topic, since_id: int, since_ns: int) -> Ask | None:
        """Trades after a time: Kraken pages by time, its ids are not asked for."""
        query = (self._pair(topic), ("since", str(since_ns)), ("count", "1000"))
        return Ask(path="/0/public/Trades", query=query, purpose="history")

    def read_trades(self, topic: Topic, answer: Answer) -> Page:
        """Oldest first, with the next page where this one was full."""
        rows, last, full = answers.trades(answer, self._place(topic, answer), self.exponents(topic.instrument))
        return Page(rows, self.ask_trades(topic, -1, last) if full else None)

    def ask_candles(self, topic: Topic, timeframe: str, since_ns: int, until_ns: int) -> Ask | None:
        """OHLC: the newest 720 of a timeframe, whatever `since`."""
        minutes = answers.INTERVALS.get(timeframe)
        if minutes is None:
            return None
        since = max(0, since_ns // codes.SECOND - minutes * 60)  # the venue leaves out the bar that begins at `since`
        query = (self._pair(topic), ("interval", str(minutes)), ("since", str(since)))
        return Ask(path="/0/public/OHLC", query=query, purpose="history")

    def read_candles(self, topic: Topic, timeframe: str, answer: Answer) -> Page:
        """Finished bars; the last one told is in the making and left out."""
        return Page(answers.candles(answer, self._place(topic, answer), self.exponents(topic.instrument), timeframe))

    def ask_time(self) -> Ask | None:
        """The server's clock."""
        return Ask(path="/0/public/Time", purpose="clock")

    def read_time(self, answer: Answer) -> int:
        """ns, to the second."""
        return answers.server_time(answer)
