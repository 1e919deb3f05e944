"""An emulated Lantern: what `tradewind sandbox --venues lantern` serves, and what `tradewind check venue:lantern` follows."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tradewind.venues.emulators.book import ASK, BID, Market, Trade
from tradewind.venues.emulators.flow import Happening
from tradewind.venues.emulators.listings import Listing
from tradewind.venues.emulators.text import fixed
from tradewind.venues.emulators.venue import Reply, Session, Venue, parsed


class LanternVenue(Venue):
    """The venue's words over the sandbox's flow of orders. A session's topics are (channel, symbol)."""

    name = "lantern"
    listings = (Listing(base="BTC", quote="USD", price_decimals=2, size_decimals=4),)
    followed = ("BTC-USD",)
    ws_path = "/public"

    def rest(self, path: str, query: Mapping[str, str]) -> Reply:
        """Instruments and the clock."""
        if path == "/instruments":
            listed = [
                {
                    "symbol": spelled(market), "base": market.listing.base, "quote": market.listing.quote,
                    "price_decimals": market.listing.price_decimals, "size_decimals": market.listing.size_decimals,
                }
                for market in self.markets.values()
            ]  # fmt: skip
            return Reply(json.dumps(listed))
        if path == "/time":
            return Reply(str(self.stamp(self.stage.now_ns)))
        return Reply('{"error":"unknown path"}', 404)

    def unwilling(self, kind: str, retry_after_s: int) -> Reply:
        """429 with how long to wait, 503 in maintenance."""
        if kind == "rate_limit":
            return Reply('{"error":"too many requests"}', 429, {"retry-after": str(retry_after_s)})
        return Reply('{"error":"maintenance"}', 503)

    def obey(self, session: Session, text: str) -> None:
        """Subscribes and unsubscribes; a new listener gets the whole book and the best quote at once."""
        request = parsed(text) or {}
        for topic in request.get("topics", ()):
            channel, _, symbol = topic.partition(":")
            if request.get("method") == "unsubscribe":
                session.topics.pop((channel, symbol), None)
                continue
            session.topics[channel, symbol] = True
            for market in self.markets.values():
                if spelled(market) == symbol and channel in ("depth", "quote"):
                    self._say(session, channel, market)
        self.emit(session, "ack", "", json.dumps({"type": "welcome", "id": request.get("id", 0)}))

    def happened(self, happening: Happening) -> None:
        """Whole books and best quotes after every change, then the trades."""
        market = happening.market
        for session in list(self.sessions.values()):
            for channel in ("depth", "quote") if happening.changes else ():
                if (channel, spelled(market)) in session.topics:
                    self._say(session, channel, market)
            if ("trade", spelled(market)) in session.topics:
                for trade in happening.trades:
                    self.emit(session, "trade", market.listing.symbol, self._trade(market, trade))

    def _say(self, session: Session, channel: str, market: Market) -> None:
        sides = [[_level(market, *level) for level in market.book.top(side, 200)] for side in (BID, ASK)]
        told = {"symbol": spelled(market), "seq": market.number, "ts": self.stamp(self.stage.now_ns)}
        if channel == "depth":
            told |= {"type": "book", "bids": sides[0], "asks": sides[1]}
        else:
            told |= {"type": "best", "bid": sides[0][0], "ask": sides[1][0]}
        self.emit(session, channel, market.listing.symbol, json.dumps(told))

    def _trade(self, market: Market, trade: Trade) -> str:
        price, size = _level(market, trade.price, trade.size)
        side = "buy" if trade.taker_buys else "sell"
        told = {"type": "trade", "symbol": spelled(market), "id": trade.number, "ts": self.stamp(trade.ts_ns), "side": side}
        return json.dumps(told | {"price": price, "size": size})


def spelled(market: Market) -> str:
    """A pair as Lantern writes it."""
    return market.listing.symbol.replace("/", "-")


def _level(market: Market, price: int, size: int) -> tuple[str, str]:
    return fixed(price, market.listing.price_decimals), fixed(size, market.listing.size_decimals)
