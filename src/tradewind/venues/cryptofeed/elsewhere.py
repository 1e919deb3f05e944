"""More venues of captures: OKX v5, Bybit v2, Bitstamp, Kraken Futures, as they spoke in 2021 and 2022.

None of them gives a proof we check: OKX's checksum is over another text than Kraken's, the numbers of the others have holes by
design. Their books are recorded without one.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.venues import base
from tradewind.venues.base import NO_ROWS
from tradewind.venues.cryptofeed import layouts
from tradewind.venues.cryptofeed.voice import EXPONENT, Captured, decoded
from tradewind.venues.duplicates import refuse_duplicates
from tradewind.venues.frames import unit_instrument
from tradewind.venues.kraken.answers import new_name
from tradewind.venues.numbers import one_unit
from tradewind.venues.symbols import split_symbol

OKX, BYBIT, BITSTAMP, KRAKEN_FUTURES = "okx", "bybit", "bitstamp", "kraken-futures"
EIGHTS = (EXPONENT, EXPONENT)
LATEST_MS = 10_000_000_000_000  # a stamp from here on is in µs
LATEST_STAMP = 9_000_000_000_000_000
Stamp = Annotated[int, Meta(ge=0, le=LATEST_STAMP)]
Id = Annotated[int, Meta(ge=0, le=1 << 62)]
_OKX_DATED = re.compile(r"([A-Z0-9]+)-([A-Z]+)-(SWAP|[0-9]{6})")
_FUTURE = re.compile(r"(P|F)(I|F|V)_([A-Z0-9]+)(USD|EUR|USDT)(?:_([0-9]{6}))?")


def _stamp(text: str) -> int:
    """ns of a text of unix ms or µs. Raises BadData."""
    value = one_unit(text, 0)
    if not 0 <= value <= LATEST_STAMP:
        raise BadData("a time out of all reach", expected="unix ms or µs")
    return _ns(value)


def _ns(stamp: int) -> int:
    return stamp * (codes.MILLISECOND if stamp < LATEST_MS else codes.MICROSECOND)


def _side(word: str) -> int:
    return base.side_of(word.lower(), ("buy", "sell"))


# OKX -------------------------------------------------------------------------------------------------------------------------


class OkxArg(Struct):
    """The channel of a frame."""

    channel: str
    inst_id: str = field(name="instId", default="")


class OkxFrame(Struct):
    """Any frame."""

    arg: OkxArg
    event: str = ""
    action: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


class OkxBook(Struct):
    """Levels: price, quantity, liquidations (always 0), orders."""

    asks: list[tuple[str, str, str, str]]
    bids: list[tuple[str, str, str, str]]
    ts: str
    checksum: int


class OkxTrade(Struct):
    """One trade; `side` is the taker's."""

    inst_id: str = field(name="instId")
    trade_id: str = field(name="tradeId")
    price: str = field(name="px")
    size: str = field(name="sz")
    side: str
    ts: str


class OkxTicker(Struct):
    """The best bid and ask, among statistics that are not read."""

    ask: str = field(name="askPx")
    ask_size: str = field(name="askSz")
    bid: str = field(name="bidPx")
    bid_size: str = field(name="bidSz")
    ts: str


_OKX = msgspec.json.Decoder(OkxFrame)
_OKX_DATA: dict[str, msgspec.json.Decoder[Any]] = {
    "books": msgspec.json.Decoder(list[OkxBook]),
    "trades": msgspec.json.Decoder(list[OkxTrade]),
    "tickers": msgspec.json.Decoder(list[OkxTicker]),
}


class Okx(Captured):
    """books, trades, tickers of spot, swaps and futures (in contracts)."""

    layouts = layouts.OKX

    def hear(self, frame: bytes, ts_local: int) -> Rows:
        """Rows of a frame."""
        told: OkxFrame = decoded(_OKX, frame)
        if told.event or told.arg.channel not in _OKX_DATA:
            self.ignore(told.event or told.arg.channel)
            return NO_ROWS
        refuse_duplicates(frame)
        data = decoded(_OKX_DATA[told.arg.channel], bytes(told.data))
        index, _ = self.known(_okx_instrument(told.arg.inst_id), (told.arg.inst_id,))
        lines: list[base.Line] = []
        for one in data:
            at = self.at(index, {"books": "depth", "trades": "trade"}.get(told.arg.channel, "quote"), _stamp(one.ts), ts_local)
            if isinstance(one, OkxBook):
                if told.action not in ("snapshot", "update"):
                    raise BadData("a book of another action", expected="snapshot or update")
                levels = base.both(*([(level[0], level[1]) for level in side] for side in (one.bids, one.asks)))
                lines += base.depth(at, levels, EIGHTS, codes.SNAPSHOT * (told.action == "snapshot"), at.ts_venue)
            elif isinstance(one, OkxTrade):
                lines.append(base.trade(at, _side(one.side), (one.price, one.size), EIGHTS, one_unit(one.trade_id, 0)))
            else:
                lines += base.quote(at, (one.bid, one.bid_size, one.ask, one.ask_size), EIGHTS, 0)
        return base.table(lines)


def _okx_instrument(name: str) -> Instrument:
    """BTC-USDT; BTC-USD-SWAP; BTC-USD-220527, whose base is BTC220527: a future is not the coin."""
    dated = _OKX_DATED.fullmatch(name)
    if dated is None:
        return unit_instrument(OKX, name, split_symbol(name), EIGHTS)
    payoff = codes.INVERSE if dated[2] == "USD" else codes.LINEAR
    pair = (dated[1] if dated[3] == "SWAP" else dated[1] + dated[3], dated[2])
    return unit_instrument(OKX, name, pair, EIGHTS, payoff=payoff)


# Bybit -----------------------------------------------------------------------------------------------------------------------


class BybitFrame(Struct):
    """Any frame."""

    topic: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    cross_seq: str = "0"
    timestamp_e6: str = "0"


class BybitLevel(Struct):
    """A level; a deleted one has no size."""

    price: str
    symbol: str
    side: str
    size: msgspec.Raw = msgspec.Raw(b"0")


class BybitDelta(Struct):
    """Changed levels."""

    delete: list[BybitLevel]
    update: list[BybitLevel]
    insert: list[BybitLevel]


class BybitBook(Struct):
    """The whole book of 25 levels."""

    order_book: list[BybitLevel]


class BybitTrade(Struct):
    """One trade; `side` is the taker's, its id no number."""

    symbol: str
    price: str
    size: msgspec.Raw
    trade_time_ms: str
    side: str


_BYBIT = msgspec.json.Decoder(BybitFrame)
_BYBIT_DELTA, _BYBIT_BOOK = msgspec.json.Decoder(BybitDelta), msgspec.json.Decoder(BybitBook)
_BYBIT_TRADES = msgspec.json.Decoder(list[BybitTrade])


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode("ascii", "replace")


class Bybit(Captured):
    """orderBookL2_25 and trade of linear contracts. Sizes went through a 32-bit float at the venue: 65.799995 is what it told."""

    layouts = layouts.BYBIT

    def hear(self, frame: bytes, ts_local: int) -> Rows:
        """Rows of a frame."""
        told: BybitFrame = decoded(_BYBIT, frame)
        channel, _, symbol = told.topic.partition(".")
        if channel not in ("orderBookL2_25", "trade"):
            self.ignore(channel or "reply")
            return NO_ROWS
        refuse_duplicates(frame)
        made = unit_instrument(BYBIT, symbol, split_symbol(symbol), EIGHTS, payoff=codes.LINEAR)
        if channel == "trade":
            trades = decoded(_BYBIT_TRADES, bytes(told.data))
            self._same(symbol, [one.symbol for one in trades])
            index, _ = self.known(made, (symbol,))
            return base.table([self._trade(one, index, ts_local) for one in trades])
        if told.type not in ("snapshot", "delta"):
            raise BadData("a book of another type", expected="snapshot or delta")
        whole = told.type == "snapshot"
        if whole:
            levels = decoded(_BYBIT_BOOK, bytes(told.data)).order_book
        else:
            delta: BybitDelta = decoded(_BYBIT_DELTA, bytes(told.data))
            levels = [*delta.delete, *delta.update, *delta.insert]
        self._same(symbol, [one.symbol for one in levels])
        index, _ = self.known(made, (symbol,))
        at = self.at(index, "depth", _stamp(told.timestamp_e6), ts_local)
        told_levels = ((_side(one.side), one.price, _text(one.size)) for one in levels)
        return base.table(base.depth(at, told_levels, EIGHTS, codes.SNAPSHOT * whole, one_unit(told.cross_seq, 0)))

    def _same(self, symbol: str, others: list[str]) -> None:
        if any(other != symbol for other in others):
            raise BadData("a level or trade of another symbol than its topic", expected="the topic's symbol")

    def _trade(self, one: BybitTrade, index: int, ts_local: int) -> base.Line:
        at = self.at(index, "trade", _stamp(one.trade_time_ms), ts_local)
        return base.trade(at, _side(one.side), (one.price, _text(one.size)), EIGHTS, 0)


# Bitstamp --------------------------------------------------------------------------------------------------------------------


class BitstampFrame(Struct):
    """Any frame."""

    event: str
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class BitstampBook(Struct):
    """Changes, or the whole book of a REST answer."""

    microtimestamp: str
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class BitstampTrade(Struct):
    """One trade; type 0: a buyer took it, 1: a seller."""

    id: Id
    amount_str: str
    price_str: str
    type: int
    microtimestamp: str


_BITSTAMP, _BITSTAMP_BOOK = msgspec.json.Decoder(BitstampFrame), msgspec.json.Decoder(BitstampBook)
_BITSTAMP_TRADE = msgspec.json.Decoder(BitstampTrade)
ORDER_BOOK = re.compile(r"/api/v2/order_book/([a-z0-9]{2,24})/?(?:\?|$)")


class Bitstamp(Captured):
    """diff_order_book and live_trades, and the REST order_book that makes the changes a book."""

    layouts = layouts.BITSTAMP

    def hear(self, frame: bytes, ts_local: int) -> Rows:
        """Rows of a frame."""
        told: BitstampFrame = decoded(_BITSTAMP, frame)
        channel, _, pair = told.channel.rpartition("_")
        if (channel, told.event) not in (("diff_order_book", "data"), ("live_trades", "trade")):
            self.ignore(told.event)
            return NO_ROWS
        refuse_duplicates(frame)
        if channel == "diff_order_book":
            return self._book(decoded(_BITSTAMP_BOOK, bytes(told.data)), pair, ts_local, 0)
        trade: BitstampTrade = decoded(_BITSTAMP_TRADE, bytes(told.data))
        if trade.type not in (0, 1):
            raise BadData("a trade of another type", expected="0 or 1")
        at = self.at(self._index(pair), "trade", _stamp(trade.microtimestamp), ts_local)
        return base.table([base.trade(at, trade.type, (trade.price_str, trade.amount_str), EIGHTS, trade.id)])

    def answered(self, path: str, body: bytes, ts_local: int) -> Rows | None:
        """The whole book of GET order_book."""
        found = ORDER_BOOK.search(path)
        return self._book(decoded(_BITSTAMP_BOOK, body), found[1], ts_local, codes.SNAPSHOT) if found else None

    def _index(self, pair: str) -> int:
        made = unit_instrument(BITSTAMP, pair, split_symbol(pair), EIGHTS)
        return self.known(made, (pair,))[0]

    def _book(self, told: BitstampBook, pair: str, ts_local: int, marks: int) -> Rows:
        at = self.at(self._index(pair), "depth", _stamp(told.microtimestamp), ts_local)
        return base.table(base.depth(at, base.both(told.bids, told.asks), EIGHTS, marks, at.ts_venue))


# Kraken Futures --------------------------------------------------------------------------------------------------------------


class FuturesLevel(Struct):
    """A level whose numbers are still text."""

    price: msgspec.Raw
    qty: msgspec.Raw


class FuturesFrame(Struct):
    """Any frame; only the fields of its feed are there."""

    feed: str = ""
    event: str = ""
    product_id: str = ""
    side: str = ""
    seq: Id = 0
    price: msgspec.Raw = msgspec.Raw(b"")
    qty: msgspec.Raw = msgspec.Raw(b"")
    timestamp: Stamp = 0
    time: Stamp = 0
    bids: list[FuturesLevel] = []
    asks: list[FuturesLevel] = []


_FUTURES = msgspec.json.Decoder(FuturesFrame)


class KrakenFutures(Captured):
    """book_snapshot, book and trade, in contracts. ticker_lite tells no quantities, trade_snapshot the past: neither is read."""

    layouts = layouts.KRAKEN_FUTURES

    def hear(self, frame: bytes, ts_local: int) -> Rows:
        """Rows of a frame."""
        told: FuturesFrame = decoded(_FUTURES, frame)
        if told.event or told.feed not in ("book_snapshot", "book", "trade"):
            self.ignore(told.event or told.feed)
            return NO_ROWS
        refuse_duplicates(frame)
        index, _ = self.known(_future(told.product_id), (told.product_id,))
        stamp = _ns(told.time if told.feed == "trade" else told.timestamp)
        at = self.at(index, "trade" if told.feed == "trade" else "depth", stamp, ts_local)
        if told.feed == "trade":
            return base.table([base.trade(at, _side(told.side), (_text(told.price), _text(told.qty)), EIGHTS, told.seq)])
        if told.feed == "book":
            levels = [(_side(told.side), _text(told.price), _text(told.qty))]
            return base.table(base.depth(at, levels, EIGHTS, 0, told.seq))
        sides = ([(_text(level.price), _text(level.qty)) for level in side] for side in (told.bids, told.asks))
        return base.table(base.depth(at, base.both(*sides), EIGHTS, codes.SNAPSHOT, told.seq))


def _future(name: str) -> Instrument:
    """PI_XBTUSD; FI_XBTUSD_210730, whose base is BTC210730: a future is not the coin."""
    found = _FUTURE.fullmatch(name.upper())
    if found is None:
        raise BadData(f"product {name[:24]!r} is none we know", expected="such as PI_XBTUSD or FI_XBTUSD_210730")
    coin = new_name(f"{found[3]}/{found[4]}").partition("/")[0]
    payoff = codes.INVERSE if found[2] == "I" else codes.LINEAR
    return unit_instrument(KRAKEN_FUTURES, name, (coin + (found[5] or ""), found[4]), EIGHTS, payoff=payoff)
