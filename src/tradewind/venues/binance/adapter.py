"""Binance's public side, spot (`binance`) and USD-M (`binance-usdm`), as documented 2026-07-21 and 2026-11-22."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.venues import adapter as fabric
from tradewind.venues import base
from tradewind.venues.adapter import Answer, Ask, Notice, Page, Quota, Reading, Topic
from tradewind.venues.base import NO_ROWS, At
from tradewind.venues.binance import answers, layouts, stream, wire
from tradewind.venues.binance.facts import SPOT_FACTS, USDM_FACTS
from tradewind.venues.binance.market import to_ns
from tradewind.venues.numbers import one_unit, rounded_unit
from tradewind.venues.scanner import Layout, Scanner

TRADE_STREAM = {False: "trade", True: "aggTrade"}
TOPIC_OF = {
    "depth": fabric.DEPTH, "depthUpdate": fabric.DEPTH, "bookTicker": fabric.QUOTE, "trade": fabric.TRADE,
    "aggTrade": fabric.TRADE, "kline": fabric.BAR, "markPrice": fabric.MARK, "markPriceUpdate": fabric.MARK,
    "forceOrder": fabric.LIQUIDATION,
}  # fmt: skip
RATE_EXPONENT = 9  # funding rates are kept in 1e-9
HISTORY_LIMIT = 1_000
PUBLIC_CHANNELS = (fabric.DEPTH, fabric.QUOTE)  # USD-M serves these and all others from different addresses
WEIGHT_HEADER = "x-mbx-used-weight-"


class BinanceAdapter(base.Market):
    """One market of Binance. `aggregated` takes aggTrade (the only trade stream USD-M documents) instead of trade."""

    def __init__(self, venue: str = wire.SPOT, aggregated: bool | None = None) -> None:
        super().__init__()
        if venue not in (wire.SPOT, wire.USDM):
            raise BadUse(f"{venue!r} is no market of Binance", expected=f"{wire.SPOT} or {wire.USDM}")
        self.venue, self.futures = venue, venue == wire.USDM
        self.facts = USDM_FACTS if self.futures else SPOT_FACTS
        self.aggregated = self.futures if aggregated is None else aggregated
        self.carried = fabric.CHANNELS if self.futures else fabric.CHANNELS[:4]
        self._snapshots = Scanner([layouts.SNAPSHOT], (), len(self.carried))
        self._api = "/fapi/v1/" if self.futures else "/api/v3/"

    def layouts(self) -> Sequence[Layout]:
        """Depth, quotes, the trades this adapter takes, and klines that have not ended."""
        trades = layouts.AGG_TRADE if self.aggregated else layouts.USDM_TRADE if self.futures else layouts.SPOT_TRADE
        known = layouts.USDM if self.futures else layouts.SPOT
        more = (layouts.USDM_AGG_TRADE,) if self.futures and self.aggregated else ()
        return (*known, trades, *more, layouts.OPEN_KLINE)

    # Sockets ---------------------------------------------------------------------------------------------------------------

    def socket_url(self, base: str, topics: Sequence[Topic]) -> str:
        """The combined stream. USD-M: raises BadUse for topics that live at two addresses; connect once for each."""
        if not self.futures:
            return f"{base}/stream"
        public = {topic.channel in PUBLIC_CHANNELS for topic in topics}
        if len(public) > 1:
            raise BadUse("topics of two addresses", where=self.venue, expected="depth and quote apart from all others")
        return f"{base}/{'public' if public == {True} else 'market'}/stream"

    def subscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """One SUBSCRIBE for all; open interest is not streamed and asks nothing."""
        return self._request("SUBSCRIBE", topics, number)

    def unsubscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """The reverse."""
        return self._request("UNSUBSCRIBE", topics, number)

    def _request(self, method: str, topics: Sequence[Topic], number: int) -> list[bytes]:
        names = sorted({name for topic in topics if (name := self._stream(topic))})
        return [msgspec.json.encode({"method": method, "params": names, "id": number})] if names else []

    def _stream(self, topic: Topic) -> str:
        symbol = self.instruments[topic.instrument].symbol.lower()
        names = {
            fabric.DEPTH: "depth@100ms",
            fabric.QUOTE: "bookTicker",
            fabric.TRADE: TRADE_STREAM[self.aggregated],
            fabric.BAR: "kline_1m",
            fabric.FUNDING: "markPrice@1s",
            fabric.MARK: "markPrice@1s",
            fabric.LIQUIDATION: "forceOrder",
        }
        name = names.get(topic.channel)
        return f"{symbol}@{name}" if name else ""

    def _read(self, frame: bytes, ts_local: int) -> Reading:
        heard = stream.hear(frame)
        if isinstance(heard, wire.DepthUpdate):
            return Reading(self._depth(heard, ts_local))
        if isinstance(heard, wire.BookTicker):
            return Reading(self._quote(heard, ts_local))
        if isinstance(heard, wire.Trade | stream.AggTrade):
            return Reading(self._trade(heard, ts_local))
        if isinstance(heard, stream.MarkPrice):
            return Reading(self._mark(heard, ts_local))
        if isinstance(heard, stream.Liquidation):
            return Reading(self._liquidation(heard, ts_local))
        if isinstance(heard, stream.Kline):
            return Reading(self._bar(heard, ts_local))
        return Reading(NO_ROWS, [_notice(heard)])

    def _named(self, frame: bytes) -> tuple[str, Sequence[str]]:
        channel, symbols = stream.names(frame)
        return TOPIC_OF.get(channel, channel), symbols

    def _at(self, symbol: str, channel: str, ts_venue: int, ts_local: int) -> At:
        instrument = self.known(symbol)
        return At(self.source(instrument, channel), instrument, ts_venue, ts_local)

    def _depth(self, heard: wire.DepthUpdate, ts_local: int) -> Rows:
        at = self._at(heard.symbol, fabric.DEPTH, to_ns(heard.event_time), ts_local)
        previous = heard.first_id - 1 if heard.previous_id is msgspec.UNSET else heard.previous_id
        levels = base.both(heard.bids, heard.asks)
        return base.table(base.depth(at, levels, self.exponents(at.instrument), 0, heard.last_id, (previous, 0)))

    def _quote(self, heard: wire.BookTicker, ts_local: int) -> Rows:
        at = self._at(heard.symbol, fabric.QUOTE, to_ns(heard.event_time), ts_local)
        texts = (heard.bid, heard.bid_quantity, heard.ask, heard.ask_quantity)
        return base.table(base.quote(at, texts, self.exponents(at.instrument), heard.last_id))

    def _trade(self, heard: wire.Trade | stream.AggTrade, ts_local: int) -> Rows:
        if isinstance(heard, stream.AggTrade) != self.aggregated:
            return NO_ROWS  # the other numbering of the same trades
        at = self._at(heard.symbol, fabric.TRADE, to_ns(heard.trade_time), ts_local)
        side = codes.SELL if heard.buyer_is_maker else codes.BUY
        texts = (heard.price, heard.quantity)
        return base.table([base.trade(at, side, texts, self.exponents(at.instrument), heard.trade_id)])

    def _mark(self, heard: stream.MarkPrice, ts_local: int) -> Rows:
        at = self._at(heard.symbol, fabric.MARK, to_ns(heard.event_time), ts_local)
        exponent = self.exponents(at.instrument)[0]
        mark, index = rounded_unit(heard.mark, exponent), rounded_unit(heard.index, exponent)
        lines = [base.line(codes.MARKPRICE, at, price=mark, value=index)]
        if heard.next_time:
            rate = rounded_unit(heard.rate, RATE_EXPONENT)
            at = self._at(heard.symbol, fabric.FUNDING, at.ts_venue, ts_local)
            lines.append(base.line(codes.FUNDING, at, price=mark, value=rate, ref=to_ns(heard.next_time)))
        return base.table(lines)

    def _liquidation(self, heard: stream.Liquidation, ts_local: int) -> Rows:
        order = heard.order
        at = self._at(order.symbol, fabric.LIQUIDATION, to_ns(heard.event_time), ts_local)
        exponents = self.exponents(at.instrument)
        price, quantity = rounded_unit(order.average, exponents[0]), one_unit(order.filled, exponents[1])
        side = base.side_of(order.side, ("BUY", "SELL"))
        fields = {"side": side, "price": price, "quantity": quantity, "value": quantity, "ref": to_ns(order.trade_time)}
        return base.table([base.line(codes.OBSERVATION, at, **fields)])

    def _bar(self, heard: stream.Kline, ts_local: int) -> Rows:
        candle = heard.candle
        if not candle.closed or candle.interval not in codes.TIMEFRAME_NAMES:
            return NO_ROWS
        timeframe = codes.TIMEFRAME_NAMES.index(candle.interval)
        end = to_ns(candle.start) + codes.TIMEFRAME_NS[timeframe]
        at = self._at(candle.symbol, fabric.BAR, end, ts_local)
        texts = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        return base.table([base.bar(at, timeframe, texts, self.exponents(at.instrument))])

    # Requests --------------------------------------------------------------------------------------------------------------

    def _ask(self, path: str, weight: int, purpose: str, **query: object) -> Ask:
        pairs = tuple((name, str(value)) for name, value in query.items())
        return Ask(path=self._api + path, query=pairs, weight=weight, purpose=purpose)

    def _symbol(self, topic: Topic) -> str:
        return self.instruments[topic.instrument].symbol

    def ask_instruments(self) -> Ask:
        """exchangeInfo."""
        return self._ask("exchangeInfo", 1 if self.futures else 20, "rules")

    def read_instruments(self, answer: Answer, symbols: Sequence[str]) -> list[Instrument]:
        """Rules out of the filters. Named symbols whatever their status; unnamed, those that trade."""
        return answers.instruments(self.venue, answer, symbols)

    def ask_snapshot(self, topic: Topic) -> Ask | None:
        """The deepest book there is: 5,000 levels a side, USD-M 1,000."""
        limit, weight = (1_000, 20) if self.futures else (5_000, 250)
        return self._ask("depth", weight, "market", symbol=self._symbol(topic), limit=limit)

    def read_snapshot(self, topic: Topic, answer: Answer) -> Rows:
        """One SNAPSHOT message; ref = lastUpdateId."""
        at, exponents = self._place(topic, answer), self.exponents(topic.instrument)
        self._snapshots.place(at.instrument, at.source, exponents)
        rows = self._snapshots.scan(base.body(answer, self.venue), at.ts_local)
        return answers.snapshot(answer, at, exponents) if rows is None else rows

    def _place(self, topic: Topic, answer: Answer) -> At:
        return At(self.source(topic.instrument, topic.channel), topic.instrument, 0, answer.received_ns)

    def ask_trades(self, topic: Topic, since_id: int, since_ns: int) -> Ask | None:
        """By id, of the numbering this adapter streams. USD-M gives single trades only to a key: None there."""
        if self.aggregated:
            weight = 20 if self.futures else 4
            since = {"fromId": since_id + 1} if since_id >= 0 else {"startTime": since_ns // codes.MILLISECOND}
            return self._ask("aggTrades", weight, "history", symbol=self._symbol(topic), **since, limit=HISTORY_LIMIT)
        if self.futures:
            return None
        since = {"fromId": since_id + 1} if since_id >= 0 else {}
        return self._ask("historicalTrades", 25, "history", symbol=self._symbol(topic), **since, limit=HISTORY_LIMIT)

    def read_trades(self, topic: Topic, answer: Answer) -> Page:
        """Oldest first; a full page has a next one."""
        rows = answers.trades(answer, self._place(topic, answer), self.exponents(topic.instrument), self.aggregated)
        last = int(rows["ref"][-1]) if len(rows) else -1
        return Page(rows, self.ask_trades(topic, last, 0) if len(rows) >= HISTORY_LIMIT else None)

    def ask_candles(self, topic: Topic, timeframe: str, since_ns: int, until_ns: int) -> Ask | None:
        """klines of [since, until)."""
        if timeframe not in answers.INTERVALS or (self.futures and timeframe == "1s"):
            return None
        times = {"startTime": since_ns // codes.MILLISECOND, "endTime": until_ns // codes.MILLISECOND - 1}
        weight = 5 if self.futures else 2
        return self._ask("klines", weight, "history", symbol=self._symbol(topic), interval=timeframe, **times, limit=HISTORY_LIMIT)

    def read_candles(self, topic: Topic, timeframe: str, answer: Answer) -> Page:
        """Bars that had ended when the request was sent; to go on, ask again from the last one's end."""
        return Page(answers.candles(answer, self._place(topic, answer), self.exponents(topic.instrument), timeframe))

    def ask_open_interest(self, topic: Topic) -> Ask | None:
        """USD-M: the open interest now."""
        return self._ask("openInterest", 1, "market", symbol=self._symbol(topic)) if self.futures else None

    def read_open_interest(self, topic: Topic, answer: Answer) -> Rows:
        """One OBSERVATION row: value in quantity units, ref = the venue's time of it."""
        return answers.open_interest(answer, self._place(topic, answer), self.exponents(topic.instrument))

    def ask_time(self) -> Ask | None:
        """The server's clock."""
        return self._ask("time", 1, "clock")

    def read_time(self, answer: Answer) -> int:
        """Its time in ns, to the millisecond."""
        return answers.server_time(answer, self.venue)

    def quota(self, answer: Answer) -> Quota:
        """Used weight by window (`1m`), and whether and how long to stop."""
        used = {
            name.removeprefix(WEIGHT_HEADER): int(value)
            for name, value in answer.headers.items()
            if name.startswith(WEIGHT_HEADER) and value.isascii() and value.isdigit() and len(value) < 10
        }
        return Quota(used=used, retry_after_ns=base.retry_after(answer), banned=answer.status == base.BANNED)


def _notice(heard: stream.Reply | stream.Shutdown | str) -> Notice:
    if isinstance(heard, stream.Shutdown):
        return Notice(code="shutdown", text="serverShutdown", number=to_ns(heard.event_time))
    if isinstance(heard, str):
        return Notice(code="status", text=heard)
    number = heard.id if isinstance(heard.id, int) else 0
    if isinstance(heard.error, stream.Problem):
        return Notice(code="refused", text=f"{heard.error.code}: {heard.error.msg}"[:120], number=number)
    return Notice(code="subscribed", number=number)
