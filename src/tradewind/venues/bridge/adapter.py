"""The bridge's adapter: any venue ccxt knows, by the name `bridge.EXCHANGE`, at a lower trust.

It reads the frames of `wire`, which `fabric.bridge` makes of ccxt's answers. ccxt joins and proves books itself, by rules that
differ by venue and that nobody here can check: so no instrument has a proof, and none lends a better grade than GRADE_CAP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse
from tradewind.domain.instruments import MONEY_EXPONENT, Instrument
from tradewind.domain.rows import Rows
from tradewind.venues import adapter as fabric
from tradewind.venues import base
from tradewind.venues.adapter import Answer, Ask, Notice, Reading, Samples, Topic
from tradewind.venues.adapter import Page as History
from tradewind.venues.base import NO_ROWS, At
from tradewind.venues.bridge import BRIDGE, wire
from tradewind.venues.facts import Document
from tradewind.venues.numbers import decimals_of, one_unit, rounded_unit

GRADE_CAP = codes.GRADE_C
FINER = 3  # decimals beyond the venue's step: what rests from the days of a finer step stays in the book
MOST_PRICE, MOST_QUANTITY = 9, 8  # decimals that fit the machine's scales
ID_DIGITS = 18
CHAINED, SUMMED = "chained ids", "checksum"
PROVEN = {
    "binance": CHAINED, "binanceus": CHAINED, "binanceusdm": CHAINED, "binancecoinm": CHAINED, "cryptocom": CHAINED,
    "gate": CHAINED, "htx": CHAINED, "bitfinex": SUMMED, "bitget": f"{SUMMED}, where the venue sends one",
    "kraken": f"{SUMMED}, off in ccxt, on here", "independentreserve": f"{SUMMED} of the first book",
}  # fmt: skip
"""What ccxt proves books of a venue by: a proof that fails ends the wire. Those of all others, OKX's too, it takes as they come."""
PAYOFFS = {"spot": codes.SPOT, "linear": codes.LINEAR, "inverse": codes.INVERSE}
ASKED = (fabric.OPEN_INTEREST, fabric.MARK, fabric.FUNDING)  # channels that come by request alone
TOPIC_OF = {"book": fabric.DEPTH, "best": fabric.QUOTE, "trades": fabric.TRADE, "bars": fabric.BAR}
RATE_EXPONENT = 9
NEAR = 5  # names that are told where one is unknown
_OURS = Document("our own choice", "2026-11-22")
_CCXT = Document("ccxt 4.5.90", "2026-10-30")


class BridgeAdapter(base.Market):
    """One venue through ccxt; `exchange` is ccxt's id of it."""

    carried = (fabric.DEPTH, fabric.QUOTE, fabric.TRADE, fabric.BAR, fabric.OPEN_INTEREST, fabric.MARK, fabric.FUNDING)
    counts_trades = False  # ids may be anything: what is missing between two of them nobody can say

    def __init__(self, exchange: str) -> None:
        super().__init__()
        if not exchange.isascii() or not exchange.isidentifier():
            raise BadUse(f"{exchange!r} is no exchange of ccxt", where=f"{BRIDGE}.…", expected="ccxt's id of it, such as okx")
        self.exchange, self.venue = exchange, f"{BRIDGE}.{exchange}"
        self.facts = {
            "ws.url": _CCXT.says("its own table of addresses", f"ccxt://{exchange}"),
            "rest.url": _CCXT.says("its own table of addresses", f"ccxt://{exchange}"),
            "rest.weight_per_minute": _OURS.says("a lid; ccxt keeps to the venue's own rate below it", 600, "requests"),
            "ws.connects_per_window": _OURS.says("few venues allow more", 30, "per address"),
            "ws.connect_window_s": _OURS.says("few venues allow more", 300, "s"),
            "book.proof": _CCXT.says("watchOrderBook, option checksum", f"inside ccxt: {PROVEN.get(exchange, 'none')}; none here"),
            "trade.side": _CCXT.says("parseTrade; Coinbase's, a maker's in ccxt, is turned round", "the taker's"),
            "trade.ids": _CCXT.says("any text", "missing trades cannot be told"),
        }

    def samples(self) -> Samples:
        """One frame of every channel."""
        made = Instrument(venue=self.venue, symbol="BTC/USDT", base="BTC", quote="USDT", price_exponent=2, quantity_exponent=8)
        deal = wire.Deal("7", 1_700_000_000_000, "buy", "100.25", "0.5")
        frames: list[msgspec.Struct] = [
            wire.Book(made.symbol, True, 1_700_000_000_000, [("99.50", "1.5")], [("100.25", "2")]),
            wire.Best(made.symbol, 1_700_000_000_000, ("99.50", "1.5"), ("100.25", "2")),
            wire.Deals(made.symbol, [deal]),
            wire.Candles(made.symbol, "1m", [(1_700_000_040_000, "1", "3", "1", "2", "10")]),
        ]
        return Samples(instruments=[made], frames=[msgspec.json.encode(frame) for frame in frames])

    # Sockets ---------------------------------------------------------------------------------------------------------------

    def socket_url(self, base: str, topics: Sequence[Topic]) -> str:
        """One address for all: which sockets there are is ccxt's business."""
        return base

    def subscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """One wish for all."""
        return self._wish("watch", topics, number)

    def unsubscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """The reverse."""
        return self._wish("leave", topics, number)

    def _wish(self, op: str, topics: Sequence[Topic], number: int) -> list[bytes]:
        streamed = [topic for topic in topics if topic.channel not in ASKED]
        wanted = [(topic.channel, self.instruments[topic.instrument].symbol) for topic in streamed]
        return [msgspec.json.encode(wire.Wish(op, number, wanted))] if wanted else []

    def _read(self, frame: bytes, ts_local: int) -> Reading:
        heard = wire.FRAME.decode(frame)
        if isinstance(heard, wire.Word):
            topic = Topic(heard.channel, self.known(heard.symbol)) if heard.channel else None
            return Reading(NO_ROWS, [Notice(code=heard.code, topic=topic, text=heard.text[:120], number=heard.number)])
        instrument = self.known(heard.symbol)
        exponents = self.exponents(instrument)
        if isinstance(heard, wire.Book):
            return Reading(_book(heard, self._at(instrument, fabric.DEPTH, heard.ts, ts_local), exponents))
        if isinstance(heard, wire.Best):
            at = self._at(instrument, fabric.QUOTE, heard.ts, ts_local)
            return Reading(base.table(base.quote(at, (*heard.bid, *heard.ask), exponents, 0)))
        if isinstance(heard, wire.Deals):
            at = self._at(instrument, fabric.TRADE, 0, ts_local)
            return Reading(_trades(heard.trades, at, exponents, codes.WHOLE))
        return Reading(_bars(heard, self._at(instrument, fabric.BAR, 0, ts_local), exponents, codes.NEVER))

    def _named(self, frame: bytes) -> tuple[str, Sequence[str]]:
        tag, symbol = wire.names(frame)
        return TOPIC_OF.get(tag, tag), [symbol]

    def _at(self, instrument: int, channel: str, ts_ms: int, ts_local: int) -> At:
        return At(self.source(instrument, channel), instrument, ts_ms * codes.MILLISECOND, ts_local)

    # Requests --------------------------------------------------------------------------------------------------------------

    def _ask(self, path: str, purpose: str, **query: object) -> Ask:
        return Ask(path=path, query=tuple((name, str(value)) for name, value in query.items()), purpose=purpose)

    def _place(self, topic: Topic, answer: Answer) -> At:
        return self._at(topic.instrument, topic.channel, 0, answer.received_ns)

    def _symbol(self, topic: Topic) -> str:
        return self.instruments[topic.instrument].symbol

    def ask_instruments(self) -> Ask:
        """load_markets."""
        return self._ask("/markets", "rules")

    def read_instruments(self, answer: Answer, symbols: Sequence[str]) -> list[Instrument]:
        """Named symbols whatever their status; unnamed, those that trade and can be bridged."""
        told: list[wire.Listed] = base.decoded(wire.LISTED, answer, self.venue)
        if symbols:
            listed = {one.symbol: one for one in told}
            missing = [symbol for symbol in symbols if symbol not in listed]
            if missing:
                known = ", ".join(_near(missing[0], listed)) or "such as BTC/USDT"
                raise BadData(f"no instrument {missing[0]!r}", where=self.venue, expected=known)
            return [self._instrument(listed[symbol]) for symbol in symbols]
        found = []
        for one in told:
            try:
                found += [self._instrument(one)] if one.active else []
            except BadData:
                continue  # its numbers do not fit; asked for by name it says so
        return found

    def _instrument(self, one: wire.Listed) -> Instrument:
        try:
            if one.why:
                raise BadData(one.why)
            price, quantity = decimals_of(_bare(one.price_step)), decimals_of(_bare(one.amount_step))
            if price > MOST_PRICE or quantity > MOST_QUANTITY:
                raise BadData("more decimals than the machine's units have", expected=f"{MOST_PRICE} and {MOST_QUANTITY} at most")
            quantity = min(quantity + FINER, MOST_QUANTITY)
            fees = {
                name: rounded_unit(text, 7) for name, text in (("maker_fee_e7", one.maker), ("taker_fee_e7", one.taker)) if text
            }
            heard_alone = one.kind == "inverse" or bool(one.dated)  # neither its cost nor its end can be accounted for
            trading = codes.STATUS_CANCEL_ONLY if heard_alone else codes.TRADING
            return Instrument(
                venue=self.venue, symbol=one.symbol, base=one.base + one.dated, quote=one.quote,
                price_exponent=price, quantity_exponent=quantity,
                tick=max(1, one_unit(one.price_step, price)), lot=max(1, one_unit(one.amount_step, quantity)),
                min_quantity=rounded_unit(one.least_amount or "0", quantity),
                min_notional=rounded_unit(one.least_cost or "0", MONEY_EXPONENT),
                payoff=PAYOFFS[one.kind], grade_cap=GRADE_CAP,
                status=trading if one.active else codes.STATUS_HALT, **fees,
            )  # fmt: skip
        except BadData as error:
            raise BadData(f"{one.symbol}: {error.what}", where=self.venue) from error

    def ask_snapshot(self, topic: Topic) -> Ask | None:
        """The stream brings it."""
        return None

    def ask_depth(self, topic: Topic) -> Ask:
        """The book by REST, where no socket is to be had and for comparing."""
        return self._ask("/book", "market", symbol=self._symbol(topic))

    def read_snapshot(self, topic: Topic, answer: Answer) -> Rows:
        """One SNAPSHOT message."""
        told: wire.Book = base.decoded(wire.BOOK, answer, self.venue)
        at = self._at(topic.instrument, topic.channel, told.ts, answer.received_ns)
        return _book(told, at, self.exponents(topic.instrument))

    def ask_trades(self, topic: Topic, since_id: int, since_ns: int) -> Ask | None:
        """By time alone."""
        return self._ask("/trades", "history", symbol=self._symbol(topic), since=max(since_ns, 0) // codes.MILLISECOND)

    def read_trades(self, topic: Topic, answer: Answer) -> History:
        """Oldest first; there is a next page as long as the last one went on in time."""
        told: wire.Page = base.decoded(wire.PAGE, answer, self.venue)
        trades = sorted(told.trades, key=lambda one: one.ts)
        rows = _trades(trades, self._place(topic, answer), self.exponents(topic.instrument), codes.WHOLE | codes.SYNTHETIC)
        goes_on = bool(trades) and trades[-1].ts > told.since
        return History(rows, self.ask_trades(topic, -1, trades[-1].ts * codes.MILLISECOND) if goes_on else None)

    def ask_candles(self, topic: Topic, timeframe: str, since_ns: int, until_ns: int) -> Ask | None:
        """fetch_ohlcv."""
        if timeframe not in codes.TIMEFRAME_NAMES:
            return None
        times = {"since": since_ns // codes.MILLISECOND, "until": until_ns // codes.MILLISECOND}
        return self._ask("/candles", "history", symbol=self._symbol(topic), timeframe=timeframe, **times)

    def read_candles(self, topic: Topic, timeframe: str, answer: Answer) -> History:
        """Bars that had ended when the request was sent."""
        told: wire.Candles = base.decoded(wire.CANDLES, answer, self.venue)
        return History(_bars(told, self._place(topic, answer), self.exponents(topic.instrument), answer.sent_ns))

    def ask_open_interest(self, topic: Topic) -> Ask | None:
        """fetch_open_interest, of linear contracts: in what it is told of inverse ones differs by venue."""
        if self.instruments[topic.instrument].payoff != codes.LINEAR:
            return None
        return self._ask("/interest", "market", symbol=self._symbol(topic))

    def read_open_interest(self, topic: Topic, answer: Answer) -> Rows:
        """One OBSERVATION row: value in quantity units, ref = the venue's time of it."""
        told: wire.Interest = base.decoded(wire.INTEREST, answer, self.venue)
        at = self._at(topic.instrument, topic.channel, told.ts, answer.received_ns)
        amount = rounded_unit(told.amount, self.exponents(topic.instrument)[1])
        return base.table([base.line(codes.OBSERVATION, at, value=amount, ref=at.ts_venue)])

    def ask_marks(self, topic: Topic) -> Ask | None:
        """fetch_funding_rate, of perpetuals: mark, index and funding by one request."""
        made = self.instruments[topic.instrument]
        if made.payoff == codes.SPOT or "-" in made.symbol.partition(":")[2]:
            return None
        return self._ask("/marks", "market", symbol=made.symbol)

    def read_marks(self, topic: Topic, answer: Answer) -> Rows:
        """A MARKPRICE row where the venue tells a mark, and a FUNDING row where it tells a rate (price 0 without a mark)."""
        told: wire.Marks = base.decoded(wire.MARKS, answer, self.venue)
        at = self._at(topic.instrument, fabric.MARK, told.ts, answer.received_ns)
        exponent = self.exponents(topic.instrument)[0]
        mark, index = (rounded_unit(text or "0", exponent) for text in (told.mark, told.index))
        lines = [base.line(codes.MARKPRICE, at, price=mark, value=index)] if mark > 0 else []
        if told.rate:
            due, rate = told.next * codes.MILLISECOND, rounded_unit(told.rate, RATE_EXPONENT)
            at = self._at(topic.instrument, fabric.FUNDING, told.ts, answer.received_ns)
            lines.append(base.line(codes.FUNDING, at, price=max(mark, 0), value=rate, ref=due))
        return base.table(lines)

    def ask_time(self) -> Ask | None:
        """fetch_time, where the venue has it."""
        return self._ask("/time", "clock")

    def read_time(self, answer: Answer) -> int:
        """ns, to the millisecond."""
        told: wire.Time = base.decoded(wire.TIME, answer, self.venue)
        return told.now * codes.MILLISECOND


def _near(symbol: str, listed: Iterable[str]) -> list[str]:
    """Names that somebody who wrote `symbol` may have meant: without its signs, or of the same base."""
    plain, base = re.sub(r"[^A-Z0-9]", "", symbol.upper()), symbol.upper().partition("/")[0]
    alike = [name for name in listed if plain in (re.sub(r"[^A-Z0-9]", "", name.partition(":")[0]), name.replace("/", ""))]
    return sorted(alike or [name for name in listed if name.partition("/")[0] == base])[:NEAR]


def _bare(step: str) -> str:
    """A step without zeros that say nothing: 0.01000000 counts in hundredths."""
    return step.rstrip("0") if "." in step and "e" not in step.lower() else step


def _book(told: wire.Book, at: At, exponents: tuple[int, int]) -> Rows:
    marks = codes.SNAPSHOT if told.whole else 0
    return base.table(base.depth(at, base.both(told.bids, told.asks), exponents, marks, 0))


def _trades(told: Sequence[wire.Deal], at: At, exponents: tuple[int, int], marks: int) -> Rows:
    lines = []
    for one in told:
        at.ts_venue = one.ts * codes.MILLISECOND
        number = int(one.id) if one.id.isascii() and one.id.isdigit() and len(one.id) <= ID_DIGITS else 0
        side = base.side_of(one.side, ("buy", "sell"))
        lines.append(base.trade(at, side, (one.price, one.amount), exponents, number, marks))
    return base.table(lines)


def _bars(told: wire.Candles, at: At, exponents: tuple[int, int], until_ns: int) -> Rows:
    if told.timeframe not in codes.TIMEFRAME_NAMES:
        raise BadData("bars of an unknown length", expected=", ".join(codes.TIMEFRAME_NAMES))
    code, lines = codes.TIMEFRAME_NAMES.index(told.timeframe), []
    for start, *texts in told.bars:
        at.ts_venue = start * codes.MILLISECOND + codes.TIMEFRAME_NS[code]
        if at.ts_venue <= until_ns:
            lines.append(base.bar(at, code, tuple(texts), exponents))  # type: ignore[arg-type]
    return base.table(lines)
