"""Kraken Spot over WebSocket, version 2: book with checksum, trades, ticker, bars, instruments, status, heartbeats.

Source: docs.kraken.com, Spot WebSocket v2, read 2026-11; the form of frames as in a recording of 2026-08-24. Guesses: digits of
sizes in `trade` (all eight are written, as in `book`); the limit on a client's messages, of which the venue gives no number.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .book import ASK, BID, Change, Market, Trade
from .clock import SECOND_NS
from .faults import Faults
from .flow import Happening
from .history import Candle
from .kraken_rest import Kraken, refused
from .limits import Bucket, Rolling
from .listings import Listing
from .stage import Stage
from .text import fixed, rfc3339
from .venue import Reply, Session, Venue, parsed

DEPTHS = (10, 25, 100, 500, 1_000)
INTERVALS_MIN = (1, 5, 15, 30, 60, 240, 1_440, 10_080, 21_600)
CHANNELS = ("book", "trade", "ticker", "ohlc", "instrument")
CHECKED = 10  # levels of a side that the checksum covers, whatever the depth
OLD_TRADES = 50  # of the snapshot
REQUESTS_PER_S, REQUESTS_BURST = 1.0, 15
MESSAGES_PER_S = 50
STATUS = {"online": "online", "halted": "cancel_only", "cancel_only": "cancel_only", "delisted": "delisted"}


class View:
    """What one depth of one book shows: the price of its last level a side, once something was told."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.last: list[int | None] = [None, None]

    def reset(self, market: Market) -> None:
        """Begins from the book as it is."""
        for side in (BID, ASK):
            shown = market.book.top(side, self.depth)
            self.last[side] = shown[-1][0] if len(shown) == self.depth else None

    def seen(self, market: Market, side: int, changes: list[Change]) -> list[tuple[int, int]]:
        """The levels an update must carry: changed ones within sight, and those that came into sight as others left."""
        top = market.book.top(side, self.depth)
        old, new = self.last[side], top[-1][0] if len(top) == self.depth else None
        sizes = market.book.sizes[side]
        told = {change.price: sizes.get(change.price, 0) for change in changes if change.side == side}
        kept = {
            level: there for level, there in told.items() if _within(side, level, new if there else old)
        }  # what is gone matters where it was shown, what is there where it is shown now
        if old is not None and (new is None or _beyond(side, new, old)):
            kept |= {level: there for level, there in top if _beyond(side, level, old)}
        self.last[side] = new
        return list(kept.items())


def _within(side: int, level: int, last: int | None) -> bool:
    return last is None or not _beyond(side, level, last)


def _beyond(side: int, level: int, last: int) -> bool:
    """Deeper in the book."""
    return level > last if side == ASK else level < last


class KrakenVenue(Venue):
    """The spot venue. A session's topics are (channel, symbol, depth or interval)."""

    name = "kraken"
    followed = ("BTC/USD",)
    ws_path = "/v2"

    def __init__(self, stage: Stage, faults: Faults, seed: int) -> None:
        super().__init__(stage, faults, seed)
        self.connects = Rolling(150, 600)
        self._rest = Kraken(self.markets, self.histories, lambda: self.stamp(stage.now_ns), faults.book)
        self._bucket = Bucket(REQUESTS_PER_S, REQUESTS_BURST)
        self._views: dict[tuple[str, int], View] = {}
        self._listeners: dict[tuple[str, str, int], dict[Session, None]] = {}
        self.system = "online"

    def rest(self, path: str, query: Mapping[str, str]) -> Reply:
        """The answer, or the refusal of a client that asked too much."""
        if not self._bucket.take(self.stage.now_ns):
            return refused("EGeneral:Too many requests")
        return self._rest.answer(path, query)

    # Sessions -------------------------------------------------------------------------------------------------------------

    def welcome(self, session: Session) -> None:
        """Says the status of the engine."""
        session.rate = Rolling(MESSAGES_PER_S, 1.0)
        self.tell_status(session)

    def tell_status(self, session: Session) -> None:
        """The status channel, which nobody subscribes."""
        data = {
            "version": "2.0.10",
            "system": self.system,
            "api_version": "v2",
            "connection_id": 806_193_442_143_087_786 + session.number,
        }
        self.emit(session, "status", "", compact({"channel": "status", "type": "update", "data": [data]}))

    def obey(self, session: Session, text: str) -> None:
        """Does what a request asks and confirms it, symbol by symbol."""
        heard_ns = self.stamp(self.stage.now_ns)
        request = parsed(text)
        if request is None:
            return self.emit(session, "error", "", compact({"error": "Malformed request", "success": False, **times(heard_ns)}))
        method = request.get("method")
        name = {"req_id": request["req_id"]} if isinstance(request.get("req_id"), int) else {}
        if method == "ping":
            return self.emit(session, "ack", "", compact({"method": "pong", **name, **times(heard_ns)}))
        if method not in ("subscribe", "unsubscribe"):
            told = {"error": "Unsupported method", "method": method, **name, "success": False, **times(heard_ns)}
            return self.emit(session, "error", "", compact(told))
        params = request.get("params") if isinstance(request.get("params"), dict) else {}
        return self._each(session, method, params, name)

    def forget(self, session: Session) -> None:
        """Takes a session out of every channel."""
        for topic in list(session.topics):
            self._leave(session, topic)

    def _each(self, session: Session, method: str, params: Any, name: dict[str, int]) -> None:
        channel = params.get("channel")
        if channel not in CHANNELS:
            return self._refuse(session, method, name, "Channel not supported" if channel else "Field 'channel' is missing", "")
        if channel == "instrument":
            return self._switch(session, method, (channel, "", 0), name, {"channel": channel})
        symbols = params.get("symbol")
        if not isinstance(symbols, list) or not symbols:
            return self._refuse(session, method, name, "Symbol(s) not found", "")
        number = params.get("depth", 10) if channel == "book" else params.get("interval", 1) if channel == "ohlc" else 0
        allowed = {"book": DEPTHS, "ohlc": INTERVALS_MIN}.get(channel, (0,))
        for symbol in symbols:
            if symbol not in self.markets:
                self._refuse(session, method, name, f"Currency pair not supported {symbol}", symbol)
            elif number not in allowed:
                self._refuse(
                    session,
                    method,
                    name,
                    "Subscription depth not supported" if channel == "book" else "Interval not supported",
                    symbol,
                )
            else:
                extra = {"book": {"depth": number}, "ohlc": {"interval": number}}.get(channel, {})
                result = {"channel": channel, **extra, "snapshot": params.get("snapshot", True) is not False, "symbol": symbol}
                self._switch(session, method, (channel, symbol, number), name, result)
        return None

    def _switch(
        self, session: Session, method: str, topic: tuple[str, str, int], name: dict[str, int], result: dict[str, Any]
    ) -> None:
        now_ns = self.stamp(self.stage.now_ns)
        given = self._given(session, topic, method)
        told = {**result, "symbol": given} if given and topic[1] else result
        if method == "unsubscribe":
            told = {key: item for key, item in told.items() if key != "snapshot"}
        elif topic in session.topics:
            return self._refuse(session, method, name, "Already subscribed", topic[1])
        elif topic[0] == "instrument":
            told = {**told, "snapshot": True}
        ordered = {"method": method, **name, "result": told, "success": True, **times(now_ns)}
        self.emit(session, "ack", topic[1], compact(ordered))
        if method == "unsubscribe":
            return self._leave(session, topic)
        return self._join(session, topic, given, snapshot=bool(result.get("snapshot", True)))

    def _given(self, session: Session, topic: tuple[str, str, int], method: str) -> str:
        """The pair a client gets for the one it asks; it stays the same until it leaves."""
        given: dict[tuple[str, str, int], str] = session.facts.setdefault("given", {})
        if topic not in given and method == "subscribe":
            given[topic] = self.faults.given(_words(topic[0]), topic[1]) if topic[1] else ""
        return given.get(topic, topic[1])

    def _refuse(self, session: Session, method: str, name: dict[str, int], why: str, symbol: str) -> None:
        where = {"symbol": symbol} if symbol else {}
        told = {"error": why, "method": method, **name, "success": False, **where, **times(self.stamp(self.stage.now_ns))}
        self.emit(session, "error", symbol, compact(told))

    def _join(self, session: Session, topic: tuple[str, str, int], heard: str, *, snapshot: bool) -> None:
        session.topics[topic] = True
        channel, symbol, number = topic
        if symbol and not heard:
            return
        topic = (channel, heard, number)
        if channel == "book" and (heard, number) not in self._views:
            self._views[heard, number] = view = View(number)
            view.reset(self.markets[heard])
        self._listeners.setdefault(topic, {})[session] = None
        if snapshot:
            self._snapshot(session, channel, heard, number)

    def _leave(self, session: Session, topic: tuple[str, str, int]) -> None:
        session.topics.pop(topic, None)
        given = session.facts.get("given", {}).pop(topic, topic[1])
        topic = (topic[0], given, topic[2])
        self._listeners.get(topic, {}).pop(session, None)
        if topic[0] == "book" and not self._listeners.get(topic):
            self._views.pop((topic[1], topic[2]), None)

    # Channels -------------------------------------------------------------------------------------------------------------

    def _snapshot(self, session: Session, channel: str, symbol: str, number: int) -> None:
        makers: dict[str, Callable[[], str]] = {
            "book": lambda: self._book_snapshot(symbol, number),
            "trade": lambda: trade_frame("snapshot", self.markets[symbol].listing, list(self.markets[symbol].trades)[-OLD_TRADES:]),
            "ticker": lambda: self._ticker_frame("snapshot", symbol),
            "ohlc": lambda: self._bar_frame("snapshot", symbol, number),
            "instrument": lambda: self.instrument_frame("snapshot"),
        }
        self.emit(session, _words(channel), symbol, makers[channel]())

    def _say(self, topic: tuple[str, str, int], make: Callable[[], str]) -> None:
        listeners = self._listeners.get(topic)
        if listeners:
            text = make()
            for session in list(listeners):
                self.emit(session, _words(topic[0]), topic[1], text)

    def happened(self, happening: Happening) -> None:
        """Book, trades and ticker, at once."""
        market = happening.market
        symbol, ts_ns = market.listing.symbol, self.stamp(happening.ts_ns)
        for (named, _depth), view in list(self._views.items()):
            if named == symbol and happening.changes:
                self._tell_book(market, view, happening.changes, ts_ns)
        if happening.trades:
            self._say(("trade", symbol, 0), lambda: trade_frame("update", market.listing, happening.trades))
            self._say(("ticker", symbol, 0), lambda: self._ticker_frame("update", symbol))
            for minutes in INTERVALS_MIN:
                self._say(("ohlc", symbol, minutes), partial(self._bar_frame, "update", symbol, minutes))

    def _tell_book(self, market: Market, view: View, changes: list[Change], ts_ns: int) -> None:
        levels = (view.seen(market, BID, changes), view.seen(market, ASK, changes))
        if any(levels):
            symbol = market.listing.symbol
            told = self.faults.levels(market, levels, str(view.depth))
            self._say(("book", symbol, view.depth), lambda: book_frame("update", market, told, ts_ns))

    def _book_snapshot(self, symbol: str, depth: int) -> str:
        market = self.markets[symbol]
        levels = (market.book.top(BID, depth), market.book.top(ASK, depth))
        return book_frame("snapshot", market, levels, self.stamp(self.stage.now_ns))

    def _ticker_frame(self, kind: str, symbol: str) -> str:
        market = self.markets[symbol]
        day = self.histories[symbol].day(self.stage.now_ns // SECOND_NS)
        return ticker_frame(kind, market, day, self.stamp(self.stage.now_ns))

    def _bar_frame(self, kind: str, symbol: str, minutes: int) -> str:
        now_s = self.stage.now_ns // SECOND_NS
        since_s = now_s // (60 * minutes) * 60 * minutes - (60 * minutes * OLD_TRADES if kind == "snapshot" else 0)
        bars = self.histories[symbol].series(60 * minutes, since_s, now_s, flat=False)
        rows = ",".join(bar_row(self.markets[symbol].listing, bar, minutes, self.stamp(self.stage.now_ns)) for bar in bars)
        return f'{{"channel":"ohlc","type":"{kind}","timestamp":"{rfc3339(self.stamp(self.stage.now_ns), 9)}","data":[{rows}]}}'

    def instrument_frame(self, kind: str) -> str:
        """All assets and pairs."""
        assets = sorted({asset for market in self.markets.values() for asset in (market.listing.base, market.listing.quote)})
        told = ",".join(
            f'{{"id":"{asset}","status":"enabled","precision":{4 if asset in ("USD", "EUR") else 10},'
            f'"precision_display":{2 if asset in ("USD", "EUR") else 5},'
            '"borrowable":false,"collateral_value":1.00,"margin_rate":0.000000}'
            for asset in assets
        )
        pairs = ",".join(pair_row(market.listing) for market in self.markets.values())
        return f'{{"channel":"instrument","type":"{kind}","data":{{"assets":[{told}],"pairs":[{pairs}]}}}}'

    def second(self, ts_ns: int) -> None:
        """A heartbeat to each session that heard nothing for a second."""
        for session in list(self.sessions.values()):
            if session.topics and ts_ns - session.sent_ns >= SECOND_NS * 9 // 10:
                self.emit(session, "heartbeat", "", '{"channel":"heartbeat"}')

    def announce(self, what: str) -> None:
        """New rules on the instrument channel, the status of the engine to everybody."""
        if what == "rules":
            self._say(("instrument", "", 0), lambda: self.instrument_frame("update"))
        if what not in ("maintenance", "online"):
            return
        self.system = what
        for session in list(self.sessions.values()):
            self.tell_status(session)

    def unwilling(self, kind: str, retry_after_s: int) -> Reply:
        """An error of the venue; it never says how long to wait."""
        return refused("EService:Unavailable" if kind == "maintenance" else "EGeneral:Too many requests")


def _words(channel: str) -> str:
    """The channel's name in the words faults use."""
    return {"book": "depth", "ticker": "quote", "ohlc": "bar"}.get(channel, channel)


def compact(data: Any) -> str:
    """JSON without spaces, as the venue sends it."""
    return json.dumps(data, separators=(",", ":"))


def times(ns: int) -> dict[str, str]:
    """When a request came and when its answer left."""
    return {"time_in": rfc3339(ns, 6), "time_out": rfc3339(ns + 47_000, 6)}


def checksum(market: Market) -> int:
    """CRC32 of the ten best asks, then the ten best bids: of each number its digits without the point and without zeros in front.

    With all the venue's decimals written, these are the digits of our integers.
    """
    parts = [f"{level}{there}" for side in (ASK, BID) for level, there in market.book.top(side, CHECKED)]
    return zlib.crc32("".join(parts).encode())


def level_rows(listing: Listing, levels: list[tuple[int, int]]) -> str:
    """Levels with all their digits."""
    rows = (
        f'{{"price":{fixed(level, listing.price_decimals)},"qty":{fixed(there, listing.size_decimals)}}}' for level, there in levels
    )
    return ",".join(rows)


def book_frame(kind: str, market: Market, levels: tuple[list[tuple[int, int]], list[tuple[int, int]]], ts_ns: int) -> str:
    """A snapshot or an update, with the checksum of the book as it is now."""
    listing = market.listing
    sides = f'"bids":[{level_rows(listing, levels[BID])}],"asks":[{level_rows(listing, levels[ASK])}]'
    proof = f'"checksum":{checksum(market)},"timestamp":"{rfc3339(ts_ns, 6)}"'
    return f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{listing.symbol}",{sides},{proof}}}]}}'


def trade_frame(kind: str, listing: Listing, trades: list[Trade]) -> str:
    """Trades, oldest first."""
    rows = ",".join(
        f'{{"symbol":"{listing.symbol}","side":"{"buy" if trade.taker_buys else "sell"}",'
        f'"price":{fixed(trade.price, listing.price_decimals)},"qty":{fixed(trade.size, listing.size_decimals)},'
        f'"ord_type":"{"market" if trade.market_order else "limit"}",'
        f'"trade_id":{trade.number},"timestamp":"{rfc3339(trade.ts_ns, 6)}"}}'
        for trade in trades
    )
    return f'{{"channel":"trade","type":"{kind}","data":[{rows}]}}'


def ticker_frame(kind: str, market: Market, day: Candle | None, ts_ns: int) -> str:
    """Best bid and ask and the statistics of a day."""
    listing = market.listing
    best = [(market.book.top(side, 1) or [(0, 0)])[0] for side in (BID, ASK)]
    last = market.trades[-1].price if market.trades else best[BID][0]
    bar = day or Candle(0, last, last, last, last)
    change = bar.close - bar.open
    vwap = bar.value // bar.volume if bar.volume else last
    told = {
        "bid": best[BID][0], "bid_qty": best[BID][1], "ask": best[ASK][0], "ask_qty": best[ASK][1], "last": last,
        "volume": bar.volume, "vwap": vwap, "low": bar.low, "high": bar.high, "change": change,
    }  # fmt: skip
    sizes = ("bid_qty", "ask_qty", "volume")
    fields = ",".join(
        f'"{name}":{fixed(units, listing.size_decimals if name in sizes else listing.price_decimals)}'
        for name, units in told.items()
    )
    tail = f'"change_pct":{change / bar.open * 100:.2f},"timestamp":"{rfc3339(ts_ns, 6)}"'
    return f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{listing.symbol}",{fields},{tail}}}]}}'


def bar_row(listing: Listing, bar: Candle, minutes: int, ts_ns: int) -> str:
    """One bar of the ohlc channel."""
    prices = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close}
    told = ",".join(f'"{name}":{fixed(units, listing.price_decimals)}' for name, units in prices.items())
    vwap = fixed(bar.value // bar.volume if bar.volume else bar.close, listing.price_decimals)
    begin = rfc3339(bar.start_s * SECOND_NS, 9)
    return (
        f'{{"symbol":"{listing.symbol}",{told},"trades":{bar.count},'
        f'"volume":{fixed(bar.volume, listing.size_decimals)},"vwap":{vwap},'
        f'"interval_begin":"{begin}","interval":{minutes},"timestamp":"{rfc3339(ts_ns, 6)}"}}'
    )


def pair_row(listing: Listing) -> str:
    """One pair of the instrument channel."""
    tick, step = fixed(listing.tick, listing.price_decimals), fixed(1, listing.size_decimals)
    return (
        f'{{"symbol":"{listing.symbol}","base":"{listing.base}","quote":"{listing.quote}","status":"{STATUS[listing.status]}",'
        f'"qty_precision":{listing.size_decimals},"qty_increment":{step},"price_precision":{listing.price_decimals},"cost_precision":5,'
        f'"marginable":false,"has_index":true,"cost_min":{listing.min_notional},"tick_size":{tick},"price_increment":{tick},'
        f'"qty_min":{fixed(listing.min_size, listing.size_decimals)}}}'
    )
