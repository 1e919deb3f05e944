"""Coinbase Advanced Trade over WebSocket: numbered frames of level2, market_trades, ticker, candles, heartbeats, status.

Source: docs.cdp.coinbase.com, Advanced Trade WebSocket channels, rate limits and AsyncAPI page, read 2026-11; frames as in a
recording of 2026-08-24: no `client_id`, numbers without zeros at their end, the acknowledgement after the first data. `side` of a
trade is the maker's. Guesses: the texts of errors; the moment within 60 to 90 s at which an idle connection is closed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .book import ASK, BID, Change, Market, Trade
from .clock import SECOND_NS
from .coinbase_rest import Coinbase, product_info
from .faults import Faults
from .flow import Happening
from .limits import Bucket, Rolling
from .stage import Stage
from .text import rfc3339_short, trimmed
from .venue import GOING_AWAY, POLICY, Reply, Session, Venue, parsed

CHANNELS = ("level2", "market_trades", "ticker", "ticker_batch", "candles", "heartbeats", "status")
SUBSCRIBE_WITHIN_NS, IDLE_NS = 5 * SECOND_NS, 75 * SECOND_NS
TRADES_EVERY_NS, BATCH_EVERY_S, CANDLE_S = SECOND_NS // 4, 5, 300
CONNECTS_PER_S = MESSAGES_PER_S = 8
REQUESTS_PER_S, REQUESTS_BURST = 10.0, 15
OLD_TRADES = 50
WORDS = {
    "level2": "depth",
    "market_trades": "trade",
    "ticker": "quote",
    "ticker_batch": "quote",
    "candles": "bar",
    "heartbeats": "heartbeat",
}


class CoinbaseVenue(Venue):
    """The venue. A session's topics are (channel, product)."""

    name = "coinbase"
    followed = ("BTC-USD",)

    def __init__(self, stage: Stage, faults: Faults, seed: int) -> None:
        super().__init__(stage, faults, seed)
        self.connects = Rolling(CONNECTS_PER_S, 1.0)
        self._named = {f"{market.listing.base}-{market.listing.quote}": market for market in self.markets.values()}
        self._rest = Coinbase(self._named, self.histories, lambda: self.stamp(stage.now_ns), faults.book)
        self._bucket = Bucket(REQUESTS_PER_S, REQUESTS_BURST)
        self._listeners: dict[tuple[str, str], dict[Session, None]] = {}
        self._trades: dict[str, list[Trade]] = {}
        self._began_ns = stage.now_ns
        stage.every(TRADES_EVERY_NS, self._flush_trades)

    def rest(self, path: str, query: Mapping[str, str]) -> Reply:
        """The answer, or the refusal of a client that asked too much."""
        if not self._bucket.take(self.stage.now_ns):
            return Reply('{"error":"rate_limit_exceeded","message":"Too many requests"}', 429)
        return self._rest.answer(path, query)

    # Sessions -----------------------------------------------------------------------------------------------------------

    def welcome(self, session: Session) -> None:
        """Says nothing: the client has five seconds to subscribe."""
        session.rate = Rolling(MESSAGES_PER_S, 1.0)

    def obey(self, session: Session, text: str) -> None:
        """Does what a request asks; the acknowledgement lists all that is subscribed."""
        request = parsed(text)
        if request is None:
            return self._refuse(session, "failed to parse request")
        kind, channel = request.get("type"), request.get("channel")
        products = request.get("product_ids") or []
        if kind not in ("subscribe", "unsubscribe"):
            return self._refuse(session, "Type has to be either subscribe or unsubscribe")
        if channel not in CHANNELS:
            return self._refuse(session, f"{channel} is not a valid channel")
        if not isinstance(products, list) or not all(item in self._named for item in products):
            unknown = [item for item in products if item not in self._named] if isinstance(products, list) else [products]
            return self._refuse(session, f"{unknown[0]} is not a valid product")
        if channel == "heartbeats":
            products = [""]
        if channel != "status" and not products:
            return self._refuse(session, "product_ids are required")
        for product in products or list(self._named):
            self._switch(session, kind, (channel, product))
        return self._acknowledge(session)

    def forget(self, session: Session) -> None:
        """Takes a session out of every channel."""
        for topic in list(session.topics):
            self._leave(session, topic)

    def _switch(self, session: Session, kind: str, topic: tuple[str, str]) -> None:
        if kind == "unsubscribe":
            return self._leave(session, topic)
        session.topics[topic] = session.topics.get(topic, 0)
        heard = session.facts.setdefault("given", {})[topic] = self._given(*topic)
        if heard or not topic[1]:
            self._listeners.setdefault((topic[0], heard), {})[session] = None
            self._snapshot(session, topic[0], heard)
        return None

    def _leave(self, session: Session, topic: tuple[str, str]) -> None:
        session.topics.pop(topic, None)
        given = session.facts.get("given", {}).pop(topic, topic[1])
        self._listeners.get((topic[0], given), {}).pop(session, None)

    def _given(self, channel: str, product: str) -> str:
        """The product a client gets for the one it asks."""
        if not product:
            return ""
        return self.faults.given(WORDS.get(channel, channel), product.replace("-", "/")).replace("/", "-")

    def _acknowledge(self, session: Session) -> None:
        listed: dict[str, list[str]] = {}
        for (channel, product), given in session.facts.get("given", {}).items():
            listed.setdefault(channel, []).append(given or product or "heartbeats")
        self._frame(session, "subscriptions", "", f'[{{"subscriptions":{compact(listed)}}}]')

    def _refuse(self, session: Session, why: str) -> None:
        self.emit(session, "error", "", compact({"type": "error", "message": why}))

    def _frame(self, session: Session, channel: str, product: str, events: str) -> None:
        """One frame with the next number of its connection."""
        stamp = rfc3339_short(self.stamp(self.stage.now_ns), 9)
        text = f'{{"channel":"{channel}","timestamp":"{stamp}","sequence_num":{session.sequence},"events":{events}}}'
        session.sequence += 1
        words = WORDS.get("level2" if channel == "l2_data" else channel, "ack" if channel == "subscriptions" else channel)
        self.emit(session, words, product.replace("-", "/"), text)

    # Channels -----------------------------------------------------------------------------------------------------------

    def _snapshot(self, session: Session, channel: str, product: str) -> None:
        makers: dict[str, Callable[[], str]] = {
            "level2": lambda: self._book_events(product),
            "market_trades": lambda: trade_events(
                "snapshot", product, self._named[product], list(self._named[product].trades)[-OLD_TRADES:]
            ),
            "ticker": lambda: self._ticker_events("snapshot", product),
            "ticker_batch": lambda: self._ticker_events("snapshot", product),
            "candles": lambda: self._candle_events("snapshot", product),
            "status": lambda: self._status_events("snapshot", [product]),
        }
        if channel in makers:
            self._frame(session, "l2_data" if channel == "level2" else channel, product, makers[channel]())

    def _say(self, channel: str, product: str, make: Callable[[], str]) -> None:
        listeners = self._listeners.get((channel, product))
        if listeners:
            events = make()
            for session in list(listeners):
                self._frame(session, "l2_data" if channel == "level2" else channel, product, events)

    def happened(self, happening: Happening) -> None:
        """Levels and ticker at once, trades every quarter of a second."""
        market = happening.market
        product = f"{market.listing.base}-{market.listing.quote}"
        if happening.changes:
            self._say("level2", product, lambda: self._level_events(product, market, happening.changes))
        if happening.trades:
            self._trades.setdefault(product, []).extend(happening.trades)
            self._say("ticker", product, lambda: self._ticker_events("update", product))

    def _flush_trades(self, _ts_ns: int) -> None:
        waiting, self._trades = self._trades, {}
        for product, trades in waiting.items():
            self._say(
                "market_trades",
                product,
                partial(trade_events, "update", product, self._named[product], trades),
            )

    def _level_events(self, product: str, market: Market, changes: list[Change]) -> str:
        last = {(change.side, change.price): change.size for change in changes}
        bids, asks = ([(level, there) for (side, level), there in last.items() if side == wanted] for wanted in (BID, ASK))
        levels = self.faults.levels(market, (bids, asks))
        return level_events("update", product, market, levels, self.stamp(changes[0].ts_ns))

    def _book_events(self, product: str) -> str:
        market = self._named[product]
        return level_events(
            "snapshot", product, market, (market.book.top(BID), market.book.top(ASK)), self.stamp(self.stage.now_ns)
        )

    def _ticker_events(self, kind: str, product: str) -> str:
        market = self._named[product]
        return f'[{{"type":"{kind}","tickers":[{compact(self._rest.ticker(product, market))}]}}]'

    def _candle_events(self, kind: str, product: str) -> str:
        now_s, listing = self.stage.now_ns // SECOND_NS, self._named[product].listing
        since_s = now_s // CANDLE_S * CANDLE_S - (CANDLE_S * 100 if kind == "snapshot" else 0)
        bars = self.histories[listing.symbol].series(CANDLE_S, since_s, now_s, flat=False)
        rows = [
            self._rest.bar(listing, bar, ("start", "high", "low", "open", "close", "volume")) | {"product_id": product}
            for bar in reversed(bars)
        ]
        return compact([{"type": kind, "candles": rows}])

    def _status_events(self, kind: str, products: list[str]) -> str:
        names = (
            "product_type",
            "id",
            "base_currency",
            "quote_currency",
            "base_increment",
            "quote_increment",
            "display_name",
            "status",
            "status_message",
            "min_market_funds",
        )
        rows = [status_row(names, product, product_info(product, self._named[product], None)) for product in products]
        return compact([{"type": kind, "products": rows}])

    def announce(self, what: str) -> None:
        """New rules on the status channel."""
        for product in self._named if what == "rules" else ():
            self._say("status", product, partial(self._status_events, "update", [product]))

    def second(self, ts_ns: int) -> None:
        """Heartbeats, bars, batches; connections that never subscribed or fell idle are closed."""
        for session in list(self._listeners.get(("heartbeats", ""), ())):
            count = session.topics["heartbeats", ""] = session.topics["heartbeats", ""] + 1
            when = rfc3339_short(self.stamp(ts_ns), 0).replace("T", " ")[:19]
            uptime = (ts_ns - self._began_ns) / SECOND_NS + 91_717
            told = f"{when}.{ts_ns % SECOND_NS:09d} +0000 UTC m=+{uptime:.9f}"
            self._frame(session, "heartbeats", "", f'[{{"current_time":"{told}","heartbeat_counter":{count}}}]')
        for product in self._named:
            self._say("candles", product, partial(self._candle_events, "update", product))
            if ts_ns // SECOND_NS % BATCH_EVERY_S == 0:
                self._say("ticker_batch", product, partial(self._ticker_events, "update", product))
        for session in list(self.sessions.values()):
            self._judge(session, ts_ns)

    def unwilling(self, kind: str, retry_after_s: int) -> Reply:
        """429, or 503."""
        if kind == "maintenance":
            return Reply('{"error":"unavailable","message":"Service Unavailable"}', 503)
        return Reply('{"error":"rate_limit_exceeded","message":"Too many requests"}', 429)

    def _judge(self, session: Session, ts_ns: int) -> None:
        if not session.topics and ts_ns - session.opened_ns > SUBSCRIBE_WITHIN_NS:
            session.end(POLICY, "subscribe required")
        elif ts_ns - session.sent_ns > IDLE_NS:
            session.end(GOING_AWAY, "")


def compact(data: Any) -> str:
    """JSON without spaces, as the venue sends it."""
    return json.dumps(data, separators=(",", ":"))


def level_events(
    kind: str, product: str, market: Market, levels: tuple[list[tuple[int, int]], list[tuple[int, int]]], ts_ns: int
) -> str:
    """Levels of l2_data, bids first."""
    listing, when = market.listing, rfc3339_short(ts_ns, 6)
    rows = ",".join(
        f'{{"side":"{name}","event_time":"{when}","price_level":"{trimmed(level, listing.price_decimals)}",'
        f'"new_quantity":"{trimmed(there, listing.size_decimals)}"}}'
        for name, side in (("bid", levels[BID]), ("offer", levels[ASK]))
        for level, there in side
    )
    return f'[{{"type":"{kind}","product_id":"{product}","updates":[{rows}]}}]'


def trade_events(kind: str, product: str, market: Market, trades: list[Trade]) -> str:
    """Trades, newest first in a snapshot, oldest first in an update."""
    listing = market.listing
    rows = ",".join(
        f'{{"product_id":"{product}","trade_id":"{trade.number}","price":"{trimmed(trade.price, listing.price_decimals)}",'
        f'"size":"{trimmed(trade.size, listing.size_decimals)}","time":"{rfc3339_short(trade.ts_ns, 6)}",'
        f'"side":"{"SELL" if trade.taker_buys else "BUY"}"}}'
        for trade in (reversed(trades) if kind == "snapshot" else trades)
    )
    return f'[{{"type":"{kind}","trades":[{rows}]}}]'


def status_row(names: tuple[str, ...], product: str, told: dict[str, Any]) -> dict[str, Any]:
    """One product of the status channel."""
    values = (
        told["product_type"], product, told["base_currency_id"], told["quote_currency_id"], told["base_increment"],
        told["quote_increment"], product.replace("-", "/"), told["status"], "", told["quote_min_size"],
    )  # fmt: skip
    return dict(zip(names, values, strict=True))
