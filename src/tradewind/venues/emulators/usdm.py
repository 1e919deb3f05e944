"""Binance USD-M futures: the same requests and subscriptions as spot with other limits, other fields, and marks beside the book.

Source: developers.binance.com, USDS-margined futures, market streams and REST market data, read 2026-11; fields and digits of
depth, bookTicker, trade and the snapshot as in recordings of 2024-08-08. Ids of the book skip: each diff names the last one's end
(`pu`). Guesses: that a stream asked at the other address (/public, /market) stays silent; how often positions are liquidated; the
size of the open interest; that a parameter no endpoint knows is read over; that /ws and /stream without an address still serve
everything.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from .binance import BinanceVenue, Ns, depth_event
from .binance_rest import MS, Binance, Shown, aggregate_info, price, refused, size, touch
from .book import ASK, BID, Book, Market, Trade
from .clock import SECOND_NS
from .faults import Faults, Levels
from .flow import Flow
from .limits import Rolling
from .listings import Listing
from .stage import Stage
from .text import fixed
from .venue import Session, number

LIMIT = 2_400
STRIDE = 7  # book ids per change: they skip, as on the real venue
FUNDING_EVERY_MS = 8 * 3_600_000
MARK_DIGITS = 8
ADDRESSES = ("public", "market")
OF_PUBLIC = (
    "depth",
    "bookTicker",
    "trade",
)  # starts of names; witness: ccxt 4.5.90 asks these under /public, all others under /market
DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1_000)
DEPTH_WEIGHTS = ((50, 2), (100, 5), (500, 10), (1_000, 20))
LIQUIDATIONS_PER_S = 0.05


class Usdm(Binance):
    """The endpoints under /fapi/v1."""

    root = "/fapi/v1/"
    reads_all = False

    def __init__(self, venue: UsdmVenue, book: Shown) -> None:
        super().__init__(venue.named, venue.histories, lambda: venue.stamp(venue.stage.now_ns), book)
        self._venue = venue
        for name in ("avgPrice", "uiKlines", "historicalTrades"):
            del self._of_one[name]
        self._of_one["openInterest"] = lambda market, _: self._open_interest(market)
        self._of_one["fundingRate"] = self._funding
        self._routes["premiumIndex"] = lambda query: self._each(query, self._premium)

    def depth(self, market: Market, query: Mapping[str, str]) -> Any:
        """The book, with the times the spot side lacks."""
        limit = number(query, "limit", 500)
        if limit not in DEPTH_LIMITS:
            return refused(-4021, f"{limit} is not valid depth limit")
        told = super().depth(market, {"limit": str(limit)})
        now_ms = self._now_ns() // MS
        return {"lastUpdateId": told["lastUpdateId"], "E": now_ms, "T": now_ms, "bids": told["bids"], "asks": told["asks"]}

    def _info(self, query: Mapping[str, str]) -> Any:
        rows = [usdm_info(symbol, market.listing) for symbol, market in self._markets.items()]
        assets = [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}]
        limits = [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": LIMIT},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1_200},
        ]
        head = {"timezone": "UTC", "serverTime": self._now_ns() // MS, "futuresType": "U_MARGINED"}
        return {**head, "rateLimits": limits, "exchangeFilters": [], "assets": assets, "symbols": rows}

    def _open_interest(self, market: Market) -> Any:
        told = size(market.listing, self._venue.open_interest(market))
        return {"openInterest": told, "symbol": _symbol(market), "time": self._now_ns() // MS}

    def _premium(self, symbol: str, market: Market) -> Any:
        mark, index, rate, next_ms = self._venue.marks(market)
        return {
            "symbol": symbol, "markPrice": mark, "indexPrice": index, "estimatedSettlePrice": index, "lastFundingRate": rate,
            "interestRate": "0.00010000", "nextFundingTime": next_ms, "time": self._now_ns() // MS,
        }  # fmt: skip

    def _funding(self, market: Market, query: Mapping[str, str]) -> Any:
        now_ms = self._now_ns() // MS
        since, until = number(query, "startTime", 0), min(number(query, "endTime", now_ms), now_ms)
        limit = max(1, min(number(query, "limit", 100), 1_000))
        last = until // FUNDING_EVERY_MS
        first = max(-(-since // FUNDING_EVERY_MS), last - limit + 1) if not since else -(-since // FUNDING_EVERY_MS)
        times = [place * FUNDING_EVERY_MS for place in range(first, last + 1)][:limit]
        mark = self._venue.marks(market)[0]
        return [
            {"symbol": _symbol(market), "fundingTime": when, "fundingRate": funding_rate(market, when), "markPrice": mark}
            for when in times
        ]


class UsdmVenue(BinanceVenue):
    """The USD-M venue."""

    name = "binance-usdm"
    followed = ("BTCUSDT",)
    limit = LIMIT
    messages_per_s = 10
    most_streams = 200
    ping_every_ns, pong_within_ns = 180 * SECOND_NS, 600 * SECOND_NS

    def __init__(self, stage: Stage, faults: Faults, seed: int) -> None:
        super().__init__(stage, faults, seed)
        self.connects = Rolling(300, 300)
        self._chance = random.Random(f"{seed}/usdm")

    def _answers(self) -> Binance:
        return Usdm(self, self._shown)

    @property
    def named(self) -> dict[str, Market]:
        """Markets by the venue's symbol."""
        return self._named

    def _shown(self, market: Market) -> tuple[Book, int]:
        book, last = self.faults.book(market)
        return book, last * STRIDE

    def weight(self, path: str, query: Mapping[str, str]) -> int:
        """What a request costs."""
        name = path.removeprefix("/fapi/v1/")
        if name == "depth":
            limit = number(query, "limit", 500)
            return next((weight for most, weight in DEPTH_WEIGHTS if limit <= most), 20)
        return {"trades": 5, "aggTrades": 20, "klines": 5, "premiumIndex": 1 if "symbol" in query else 10, "fundingRate": 1}.get(
            name, 1
        )

    def serves(self, path: str) -> bool:
        """As spot, and the same under /public and /market."""
        return super().serves(_inner(path))

    def welcome(self, session: Session) -> None:
        """Remembers the address, then as spot."""
        first = session.path.strip("/").partition("/")[0]
        session.facts["address"] = first if first in ADDRESSES else ""
        session.path = _inner(session.path)
        super().welcome(session)

    def _given(self, stream: str, session: Session) -> str:
        address = session.facts["address"]
        elsewhere = address and (address == "public") != stream.partition("@")[2].startswith(OF_PUBLIC)
        return "" if elsewhere else super()._given(stream, session)

    # What events look like --------------------------------------------------------------------------------------------

    def depth_told(self, symbol: str, market: Market, ids: tuple[int, int], levels: Levels, ts_ns: int) -> dict[str, Any]:
        """A diff that names the end of the one before."""
        told = depth_event(symbol, market.listing, ((ids[0] - 1) * STRIDE + 2, ids[1] * STRIDE), levels, ts_ns)
        head = {
            "e": told["e"],
            "E": told["E"],
            "T": Ns(ts_ns),
            "s": symbol,
            "U": told["U"],
            "u": told["u"],
            "pu": (ids[0] - 1) * STRIDE,
        }
        return {**head, "b": told["b"], "a": told["a"]}

    def trade_told(self, symbol: str, listing: Listing, trade: Trade, ts_ns: int) -> dict[str, Any]:
        """A trade, on a stream the venue serves and does not document."""
        return {
            "e": "trade", "E": Ns(ts_ns), "T": Ns(ts_ns), "s": symbol, "t": trade.number, "p": price(listing, trade.price),
            "q": size(listing, trade.size), "X": "MARKET", "m": not trade.taker_buys,
        }  # fmt: skip

    def aggregate_told(self, symbol: str, listing: Listing, group: list[Trade], ts_ns: int) -> dict[str, Any]:
        """As spot, without its last field."""
        told = aggregate_info(listing, group, "T")
        told.pop("M")
        return {"e": "aggTrade", "E": Ns(ts_ns), "s": symbol, **told, "T": Ns(ts_ns)}

    def touch_told(self, symbol: str, market: Market) -> dict[str, Any]:
        """The best bid and ask, with times."""
        ts_ns = Ns(self.stamp(self.stage.now_ns))
        return {
            "e": "bookTicker", "u": market.number * STRIDE, "s": symbol, **touch(market, "b", "B", "a", "A"),
            "T": ts_ns, "E": ts_ns,
        }  # fmt: skip

    # Marks, funding, liquidations -----------------------------------------------------------------------------------------

    def second(self, ts_ns: int) -> None:
        """As spot; then marks every second or every three, and now and then a liquidation."""
        super().second(ts_ns)
        for symbol, market in self._named.items():
            stream = symbol.lower() + "@markPrice"
            for name, every in ((stream + "@1s", 1), (stream, 3)):
                if name in self._streams and ts_ns // SECOND_NS % every == 0:
                    self.say(name, symbol, self._mark_told(symbol, market, ts_ns))
            if self._chance.random() < LIQUIDATIONS_PER_S:
                self.say(symbol.lower() + "@forceOrder", symbol, self._liquidation_told(symbol, market, ts_ns))

    def channel_of(self, stream: str) -> str:
        """As spot, with `mark` and `liquidation`."""
        what = stream.partition("@")[2]
        if what.startswith("markPrice"):
            return "mark"
        return "liquidation" if what == "forceOrder" else super().channel_of(stream)

    def marks(self, market: Market) -> tuple[str, str, str, int]:
        """Mark and index price, funding rate, and when it is next paid, in ms."""
        listing, now_ms = market.listing, self.stamp(self.stage.now_ns) // MS
        bid, ask = market.book.best(BID) or 0, market.book.best(ASK) or 0
        mark = (bid + ask) * 10**MARK_DIGITS // 2 // 10**listing.price_decimals
        index = mark
        if isinstance(self.stage.flow, Flow):
            worth = self.stage.flow.assets.worth
            index = round(worth[listing.base] / worth[listing.quote] * 10**MARK_DIGITS)
        next_ms = (now_ms // FUNDING_EVERY_MS + 1) * FUNDING_EVERY_MS
        return fixed(mark, MARK_DIGITS), fixed(index, MARK_DIGITS), funding_rate(market, next_ms), next_ms

    def open_interest(self, market: Market) -> int:
        """Contracts open, in units of the size."""
        return int(80_000 * 10**market.listing.size_decimals) + market.trade_number % 9_973

    def _mark_told(self, symbol: str, market: Market, ts_ns: int) -> dict[str, Any]:
        mark, index, rate, next_ms = self.marks(market)
        return {
            "e": "markPriceUpdate", "E": Ns(self.stamp(ts_ns)), "s": symbol, "p": mark, "i": index, "P": index, "r": rate,
            "T": Ns(next_ms * MS),
        }  # fmt: skip

    def _liquidation_told(self, symbol: str, market: Market, ts_ns: int) -> dict[str, Any]:
        side = self._chance.choice((BID, ASK))
        level, there = (market.book.top(side, 1) or [(0, 0)])[0]
        amount, at = size(market.listing, max(1, there // 2)), price(market.listing, level)
        order = {
            "s": symbol, "S": "SELL" if side == BID else "BUY", "o": "LIMIT", "f": "IOC", "q": amount, "p": at, "ap": at,
            "X": "FILLED", "l": amount, "z": amount, "T": self.stamp(ts_ns) // MS,
        }  # fmt: skip
        return {"e": "forceOrder", "E": Ns(self.stamp(ts_ns)), "o": order}


def _inner(path: str) -> str:
    """The path behind /public or /market."""
    first, _, rest = path.strip("/").partition("/")
    return "/" + rest if first in ADDRESSES else path


def _symbol(market: Market) -> str:
    return market.listing.base + market.listing.quote


def funding_rate(market: Market, when_ms: int) -> str:
    """The rate paid at a time: the same whenever it is asked."""
    drawn = random.Random(f"funding/{_symbol(market)}/{when_ms // FUNDING_EVERY_MS}").gauss(0.000_1, 0.000_05)
    return f"{drawn:.8f}"


def usdm_info(symbol: str, listing: Listing) -> dict[str, Any]:
    """A symbol of `exchangeInfo` with its filters."""
    tick, step, least = price(listing, listing.tick), size(listing, 1), size(listing, listing.min_size)
    status = {"online": "TRADING", "delisted": "SETTLING"}.get(listing.status, "BREAK")
    return {
        "symbol": symbol, "pair": symbol, "contractType": "PERPETUAL", "deliveryDate": 4133404800000, "onboardDate": 1569398400000,
        "status": status, "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000", "baseAsset": listing.base,
        "quoteAsset": listing.quote, "marginAsset": listing.quote, "pricePrecision": listing.price_decimals,
        "quantityPrecision": listing.size_decimals, "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN",
        "underlyingSubType": ["PoW"], "triggerProtect": "0.0500", "liquidationFee": "0.012500", "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
            {"filterType": "LOT_SIZE", "stepSize": step, "maxQty": "1000", "minQty": least},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": step, "maxQty": "120", "minQty": least},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
            {"filterType": "MIN_NOTIONAL", "notional": "100"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }  # fmt: skip
