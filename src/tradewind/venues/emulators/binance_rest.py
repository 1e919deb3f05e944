"""Binance Spot over REST: what each endpoint of the market-data side answers.

Source: binance-spot-api-docs, rest-api.md and filters.md, 2026-07-21. Prices and sizes have eight digits behind the point, as
recordings of 2021 and 2024 show them. Guesses: which of errors.md's codes a malformed number (-1100) and a
limit of none (-1130) get, and that a name in small letters is malformed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .book import ASK, BID, Book, Market, Trade
from .history import MINUTE_S, Candle, History
from .listings import Listing
from .text import fixed
from .venue import Reply, number

SHOWN = 8
LEGAL = {"symbol": "[A-Z0-9-_.]{1,20}", **dict.fromkeys(("limit", "fromId", "startTime", "endTime"), "[0-9]{1,20}")}
PAGE = ("symbol", "limit")
READ = {
    "ping": (), "time": (), "exchangeInfo": ("symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"),
    "depth": (*PAGE, "symbolStatus"), "trades": PAGE, "historicalTrades": (*PAGE, "fromId"),
    "aggTrades": (*PAGE, "fromId", "startTime", "endTime"), "avgPrice": ("symbol",),
    **dict.fromkeys(("klines", "uiKlines"), (*PAGE, "interval", "startTime", "endTime", "timeZone")),
    "ticker/24hr": ("symbol", "symbols", "type", "symbolStatus"),
    **dict.fromkeys(("ticker/price", "ticker/bookTicker"), ("symbol", "symbols", "symbolStatus")),
}  # fmt: skip
"""What each endpoint reads of a query; whoever sends more is refused."""
Shown = Callable[[Market], tuple[Book, int]]
"""The book a request gets to see, and the number of its last change."""
LIMIT = 6_000
MS = 1_000_000
INTERVALS = {
    "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "2h": 7_200, "4h": 14_400, "6h": 21_600, "8h": 28_800,
    "12h": 43_200, "1d": 86_400,
}  # fmt: skip
STATUS = {"online": "TRADING", "halted": "HALT", "cancel_only": "CANCEL_ONLY", "delisted": "BREAK"}
RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": LIMIT},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
]


def compact(data: Any) -> str:
    """JSON without spaces, as the venue sends it."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def refused(code: int, message: str, status: int = 400) -> Reply:
    """An error in the venue's form."""
    return Reply(compact({"code": code, "msg": message}), status)


def malformed(query: Mapping[str, str]) -> Reply | None:
    """The refusal of a query that has signs where they do not belong, or asks for nothing."""
    for name, legal in LEGAL.items():
        if name in query and not re.fullmatch(legal, query[name]):
            return refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^{legal}$'.")
    if not int(query.get("limit", "1")):
        return refused(-1130, "Data sent for parameter 'limit' is not valid.")
    return None


def unread(name: str, query: Mapping[str, str]) -> Reply | None:
    """The refusal of a query that holds what its endpoint does not read."""
    known = sum(sent in READ[name] for sent in query) if name in READ else len(query)
    if known == len(query):
        return None
    return refused(-1104, f"Not all sent parameters were read; read '{known}' parameter(s) but was sent '{len(query)}'.")


def price(listing: Listing, units: int) -> str:
    """A price of the pair."""
    return fixed(units, listing.price_decimals, max(listing.zeros_to, listing.price_decimals))


def size(listing: Listing, units: int) -> str:
    """A size of the pair."""
    return fixed(units, listing.size_decimals, max(listing.zeros_to, listing.size_decimals))


def value(listing: Listing, units: int) -> str:
    """A product of price and size, cut to eight digits."""
    digits = listing.price_decimals + listing.size_decimals
    return fixed(units * 10 ** (SHOWN - digits) if digits <= SHOWN else units // 10 ** (digits - SHOWN), SHOWN)


def depth_weight(limit: int) -> int:
    """What a book of that many levels costs."""
    return next(weight for most, weight in ((100, 5), (500, 25), (1_000, 50), (1 << 62, 250)) if limit <= most)


def weight_of(path: str, query: Mapping[str, str]) -> int:
    """What a request costs of the minute's budget."""
    if path == "/api/v3/depth":
        return depth_weight(number(query, "limit", 100))
    whole = "symbol" not in query
    return {
        "/api/v3/exchangeInfo": 20, "/api/v3/trades": 25, "/api/v3/historicalTrades": 25, "/api/v3/aggTrades": 4,
        "/api/v3/klines": 2, "/api/v3/uiKlines": 2, "/api/v3/avgPrice": 2, "/api/v3/ticker/24hr": 80 if whole else 2,
        "/api/v3/ticker/price": 4 if whole else 2, "/api/v3/ticker/bookTicker": 4 if whole else 2,
    }.get(path, 1)  # fmt: skip


class Binance:
    """The endpoints, over markets by the venue's symbol."""

    root = "/api/v3/"
    reads_all = True  # whether a parameter that an endpoint does not know is refused

    def __init__(
        self, markets: Mapping[str, Market], histories: Mapping[str, History], now_ns: Callable[[], int], book: Shown
    ) -> None:
        self._markets, self._histories, self._now_ns, self._book = markets, histories, now_ns, book
        self._routes: dict[str, Callable[[Mapping[str, str]], Any]] = {
            "ping": lambda _: {},
            "time": lambda _: {"serverTime": now_ns() // MS},
            "exchangeInfo": self._info,
            "ticker/24hr": lambda query: self._each(query, self._day),
            "ticker/price": lambda query: self._each(query, self._last),
            "ticker/bookTicker": lambda query: self._each(query, self._touch),
        }
        self._of_one: dict[str, Callable[[Market, Mapping[str, str]], Any]] = {
            "depth": self.depth,
            "trades": self._trades,
            "historicalTrades": self._old_trades,
            "aggTrades": self._aggregates,
            "klines": self._klines,
            "uiKlines": self._klines,
            "avgPrice": lambda market, _: {"mins": 5, "price": self._average(market), "closeTime": now_ns() // MS},
        }

    def answer(self, path: str, query: Mapping[str, str]) -> Reply:
        """The body for a path that is within the limits."""
        name = path.removeprefix(self.root)
        if wrong := malformed(query) or (unread(name, query) if self.reads_all else None):
            return wrong
        if name in self._routes:
            found = self._routes[name](query)
        elif name in self._of_one:
            found = self._one(query, self._of_one[name])
        else:
            return Reply("<html><head><title>404 Not Found</title></head></html>", 404)
        return found if isinstance(found, Reply) else Reply(compact(found))

    def _one(self, query: Mapping[str, str], make: Callable[[Market, Mapping[str, str]], Any]) -> Any:
        if "symbol" not in query:
            return refused(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        market = self._markets.get(query["symbol"])
        return make(market, query) if market is not None else refused(-1121, "Invalid symbol.")

    def _each(self, query: Mapping[str, str], make: Callable[[str, Market], Any]) -> Any:
        if "symbol" in query:
            return self._one(query, lambda market, _: make(query["symbol"], market))
        return [make(symbol, self._markets[symbol]) for symbol in _wanted(query, self._markets) if symbol in self._markets]

    def _info(self, query: Mapping[str, str]) -> Any:
        wanted = _wanted(query, self._markets)
        if any(symbol not in self._markets for symbol in wanted):
            return refused(-1121, "Invalid symbol.")
        return {
            "timezone": "UTC", "serverTime": self._now_ns() // MS, "rateLimits": RATE_LIMITS, "exchangeFilters": [],
            "symbols": [symbol_info(symbol, self._markets[symbol].listing) for symbol in wanted],
        }  # fmt: skip

    def depth(self, market: Market, query: Mapping[str, str]) -> Any:
        """The book and the number of its last change."""
        limit = min(number(query, "limit", 100), 5_000)
        listing = market.listing
        book, last = self._book(market)
        sides = [[[price(listing, level), size(listing, there)] for level, there in book.top(side, limit)] for side in (BID, ASK)]
        return {"lastUpdateId": last, "bids": sides[0], "asks": sides[1]}

    def _trades(self, market: Market, query: Mapping[str, str]) -> Any:
        return [trade_info(market.listing, trade) for trade in list(market.trades)[-_count(query) :]]

    def _old_trades(self, market: Market, query: Mapping[str, str]) -> Any:
        if "fromId" not in query:
            return self._trades(market, query)
        first = number(query, "fromId", 0)
        return [trade_info(market.listing, trade) for trade in market.trades if trade.number >= first][: _count(query)]

    def _aggregates(self, market: Market, query: Mapping[str, str]) -> Any:
        groups = [(group[0].number, group) for group in aggregated(list(market.trades))]
        if "fromId" in query:
            first = number(query, "fromId", 0)
            found = [item for item in groups if item[0] >= first][: _count(query)]
        elif "startTime" in query or "endTime" in query:
            since, until = number(query, "startTime", 0), number(query, "endTime", 1 << 62)
            found = [item for item in groups if since <= item[1][0].ts_ns // MS <= until][: _count(query)]
        else:
            found = groups[-_count(query) :]
        return [aggregate_info(market.listing, group, "T") for _, group in found]

    def _klines(self, market: Market, query: Mapping[str, str]) -> Any:
        if "interval" not in query:
            return refused(-1102, "Mandatory parameter 'interval' was not sent, was empty/null, or malformed.")
        interval_s = INTERVALS.get(query["interval"])
        if interval_s is None:
            return refused(-1120, "Invalid interval.")
        limit = min(number(query, "limit", 500), 1_000)
        now_s = self._now_ns() // 1_000_000_000
        since = -(-number(query, "startTime", 0) // 1_000)
        until = min(number(query, "endTime", now_s * 1_000) // 1_000, now_s)
        bars = self._histories[market.listing.symbol].series(interval_s, since, until, flat=True)
        chosen = bars[:limit] if "startTime" in query else bars[-limit:]
        return [kline(market.listing, bar, interval_s) for bar in chosen]

    def _average(self, market: Market) -> str:
        return price(market.listing, market.trades[-1].price if market.trades else market.book.best(BID) or 0)

    def _last(self, symbol: str, market: Market) -> Any:
        return {"symbol": symbol, "price": self._average(market)}

    def _touch(self, symbol: str, market: Market) -> Any:
        return {"symbol": symbol, **touch(market, "bidPrice", "bidQty", "askPrice", "askQty")}

    def _day(self, symbol: str, market: Market) -> Any:
        now_ns = self._now_ns()
        day = self._histories[market.listing.symbol].day(now_ns // 1_000_000_000)
        return day_info(symbol, market, day, now_ns) if day else refused(-1000, "An unknown error occurred.")


def _wanted(query: Mapping[str, str], markets: Mapping[str, Market]) -> list[str]:
    if "symbol" in query:
        return [query["symbol"]]
    try:
        return list(json.loads(query["symbols"])) if "symbols" in query else list(markets)
    except ValueError:
        return [""]


def _count(query: Mapping[str, str]) -> int:
    return max(1, min(number(query, "limit", 500), 1_000))


def touch(market: Market, bid: str, bid_size: str, ask: str, ask_size: str) -> dict[str, str]:
    """The best bid and ask under the given names; zero where a side is empty."""
    listing, found = market.listing, []
    for side in (BID, ASK):
        best = market.book.top(side, 1) or [(0, 0)]
        found += [price(listing, best[0][0]), size(listing, best[0][1])]
    return dict(zip((bid, bid_size, ask, ask_size), found, strict=True))


def trade_info(listing: Listing, trade: Trade) -> dict[str, Any]:
    """A trade as `trades` lists it."""
    return {
        "id": trade.number, "price": price(listing, trade.price), "qty": size(listing, trade.size),
        "quoteQty": value(listing, trade.price * trade.size), "time": trade.ts_ns // MS, "isBuyerMaker": not trade.taker_buys,
        "isBestMatch": True,
    }  # fmt: skip


def aggregated(trades: list[Trade]) -> list[list[Trade]]:
    """Trades of one taker at one price put together."""
    groups: list[list[Trade]] = []
    for trade in trades:
        last = groups[-1][-1] if groups else None
        same = last and (last.ts_ns, last.price, last.taker_buys) == (trade.ts_ns, trade.price, trade.taker_buys)
        if same:
            groups[-1].append(trade)
        else:
            groups.append([trade])
    return groups


def aggregate_info(listing: Listing, group: list[Trade], time_name: str) -> dict[str, Any]:
    """One aggregate; its id is its first trade's, so that ids rise without a count of their own."""
    first = group[0]
    return {
        "a": first.number, "p": price(listing, first.price), "q": size(listing, sum(trade.size for trade in group)),
        "f": first.number, "l": group[-1].number, time_name: first.ts_ns // MS, "m": not first.taker_buys, "M": True,
    }  # fmt: skip


def kline(listing: Listing, bar: Candle, interval_s: int) -> list[Any]:
    """A bar as `klines` lists it."""
    return [
        bar.start_s * 1_000, price(listing, bar.open), price(listing, bar.high), price(listing, bar.low), price(listing, bar.close),
        size(listing, bar.volume), (bar.start_s + interval_s) * 1_000 - 1, value(listing, bar.value), bar.count,
        size(listing, bar.taker_volume), value(listing, bar.taker_value), "0",
    ]  # fmt: skip


def day_info(symbol: str, market: Market, day: Candle, now_ns: int) -> dict[str, Any]:
    """The 24 hour statistics."""
    listing = market.listing
    change = day.close - day.open
    sign = "-" if change < 0 else ""
    percent = f"{change / day.open * 100:.3f}"
    return {
        "symbol": symbol, "priceChange": sign + price(listing, abs(change)), "priceChangePercent": percent,
        "weightedAvgPrice": price(listing, day.value // max(day.volume, 1)), "prevClosePrice": price(listing, day.open),
        "lastPrice": price(listing, day.close), "lastQty": size(listing, market.trades[-1].size if market.trades else 0),
        **touch(market, "bidPrice", "bidQty", "askPrice", "askQty"), "openPrice": price(listing, day.open),
        "highPrice": price(listing, day.high), "lowPrice": price(listing, day.low), "volume": size(listing, day.volume),
        "quoteVolume": value(listing, day.value), "openTime": (now_ns // MS) - 1_440 * MINUTE_S * 1_000, "closeTime": now_ns // MS,
        "firstId": day.first_id, "lastId": day.last_id, "count": day.count,
    }  # fmt: skip


def _eight(text: str) -> str:
    whole, _, part = text.partition(".")
    return f"{whole}.{part:0<8}"


def symbol_info(symbol: str, listing: Listing) -> dict[str, Any]:
    """A symbol of `exchangeInfo` with its filters."""
    tick, step = price(listing, listing.tick), size(listing, 1)
    return {
        "symbol": symbol, "status": STATUS[listing.status], "baseAsset": listing.base, "baseAssetPrecision": 8,
        "quoteAsset": listing.quote, "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True, "ocoAllowed": True, "otoAllowed": True, "opoAllowed": True, "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True, "cancelReplaceAllowed": True, "amendAllowed": True, "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": True, "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": size(listing, listing.min_size), "maxQty": "9000.00000000", "stepSize": step},
            {"filterType": "ICEBERG_PARTS", "limit": 100},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "100.00000000", "stepSize": "0.00000000"},
            {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 2000,
             "minTrailingBelowDelta": 10, "maxTrailingBelowDelta": 2000},
            {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2", "askMultiplierUp": "5",
             "askMultiplierDown": "0.2", "avgPriceMins": 5},
            {"filterType": "NOTIONAL", "minNotional": _eight(listing.min_notional), "applyMinToMarket": True,
             "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        ],
        "permissions": [], "permissionSets": [["SPOT"]], "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"],
    }  # fmt: skip
