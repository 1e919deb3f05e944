"""Kraken Spot over REST, version 0: what each public endpoint answers.

Source: docs.kraken.com, Spot REST market data, read 2026-11; answers recorded in November 2025 give the digits. Guess: how many
requests an address may make (the venue says "about one a second"; here a bucket of 15 that refills by one a second),
and that what is no number, no interval or no pair is `EGeneral:Invalid arguments`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from email.utils import formatdate
from math import isfinite
from typing import Any

from .book import ASK, BID, Book, Market, Trade
from .clock import SECOND_NS
from .history import Candle, History
from .listings import Listing
from .text import fixed
from .venue import Reply, number

ASSET_NAMES = {"BTC": "XXBT", "ETH": "XETH", "USD": "ZUSD", "EUR": "ZEUR"}
ALT_NAMES = {"BTC": "XBT"}
INTERVALS_MIN = (1, 5, 15, 30, 60, 240, 1_440, 10_080, 21_600)
MOST_BARS, MOST_TRADES, MOST_LEVELS = 720, 1_000, 500
Shown = Callable[[Market], tuple[Book, int]]
"""The book a request gets to see, and the number of its last change."""
PRICE_DIGITS = 5  # of Depth, Trades and Ticker, where the pair has fewer
STATUS = {"online": "online", "halted": "cancel_only", "cancel_only": "cancel_only", "delisted": "delisted"}
FEES = [[0, 0.4], [10_000, 0.35], [50_000, 0.24], [100_000, 0.22]]
FEES_MAKER = [[0, 0.25], [10_000, 0.2], [50_000, 0.14], [100_000, 0.12]]


def reply(result: Any) -> Reply:
    """A result in the venue's envelope."""
    return Reply(json.dumps({"error": [], "result": result}, separators=(",", ":")))


def refused(*errors: str) -> Reply:
    """Errors, with status 200 as the venue gives them."""
    return Reply(json.dumps({"error": list(errors)}, separators=(",", ":")))


def alt_name(listing: Listing) -> str:
    """XBTUSD."""
    return ALT_NAMES.get(listing.base, listing.base) + listing.quote


def pair_name(listing: Listing) -> str:
    """The key of answers: XXBTZUSD for the old pairs, USDTZUSD, otherwise the plain name."""
    base, quote = (ASSET_NAMES.get(asset, asset) for asset in (listing.base, listing.quote))
    return base + quote if base != listing.base or listing.base == "USDT" else alt_name(listing)


def price(listing: Listing, units: int) -> str:
    """A price as Depth and Trades write it."""
    return fixed(units, listing.price_decimals, max(PRICE_DIGITS, listing.price_decimals))


def size(listing: Listing, units: int) -> str:
    """A size."""
    return fixed(units, listing.size_decimals)


def _malformed(name: str, query: Mapping[str, str]) -> bool:
    """Whether a query has something else where a number belongs, or an interval there is not."""
    try:
        numbers = [float(query[key]) for key in ("count", "since", "interval") if key in query]
    except ValueError:
        return True
    return not all(map(isfinite, numbers)) or (name == "OHLC" and number(query, "interval", 1) not in INTERVALS_MIN)


class Kraken:
    """The endpoints, over markets by any name a client may use."""

    def __init__(
        self, markets: Mapping[str, Market], histories: Mapping[str, History], now_ns: Callable[[], int], book: Shown
    ) -> None:
        self._histories, self._now_ns, self._book = histories, now_ns, book
        self._markets = markets
        self._named: dict[str, Market] = {}
        for market in markets.values():
            listing = market.listing
            names = (alt_name(listing), pair_name(listing), f"{ALT_NAMES.get(listing.base, listing.base)}/{listing.quote}")
            for name in (*names, listing.base + listing.quote, listing.symbol):
                self._named[name] = market
        self._of_one: dict[str, Callable[[Market, Mapping[str, str]], Any]] = {
            "Depth": self._depth,
            "Trades": self._trades,
            "OHLC": self._bars,
            "Spread": self._spread,
        }

    def answer(self, path: str, query: Mapping[str, str]) -> Reply:
        """The body for a path that is within the limits."""
        name = path.removeprefix("/0/public/")
        if name in self._of_one:
            if "pair" not in query or _malformed(name, query):
                return refused("EGeneral:Invalid arguments")
            market = self._named.get(query.get("pair", ""))
            return reply(self._of_one[name](market, query)) if market is not None else refused("EQuery:Unknown asset pair")
        if name == "Time":
            now_s = self._now_ns() // SECOND_NS
            return reply({"unixtime": now_s, "rfc1123": formatdate(now_s).replace("-0000", "+0000")})
        if name == "SystemStatus":
            return reply({"status": "online", "timestamp": _when(self._now_ns())})
        if name == "Assets":
            return reply(self._assets())
        if name in ("AssetPairs", "Ticker"):
            return self._pairs(query, pair_info if name == "AssetPairs" else self._ticker)
        return refused("EGeneral:Unknown method")

    def _assets(self) -> dict[str, Any]:
        found = sorted({asset for market in self._markets.values() for asset in (market.listing.base, market.listing.quote)})
        return {
            ASSET_NAMES.get(asset, asset): {
                "aclass": "currency", "altname": ALT_NAMES.get(asset, asset), "decimals": 4 if asset in ("USD", "EUR") else 10,
                "display_decimals": 2 if asset in ("USD", "EUR") else 5, "collateral_value": 1.0, "status": "enabled",
            }
            for asset in found
        }  # fmt: skip

    def _pairs(self, query: Mapping[str, str], make: Callable[[Market], dict[str, Any]]) -> Reply:
        names = query["pair"].split(",") if query.get("pair") else [pair_name(market.listing) for market in self._markets.values()]
        if any(name not in self._named for name in names):
            return refused("EQuery:Unknown asset pair")
        markets = [self._named[name] for name in names]
        return reply({pair_name(market.listing): make(market) for market in markets})

    def _depth(self, market: Market, query: Mapping[str, str]) -> Any:
        count = max(1, min(number(query, "count", 100), MOST_LEVELS))
        sides = {}
        for name, side in (("asks", ASK), ("bids", BID)):
            levels = self._book(market)[0].top(side, count)
            sides[name] = [
                [price(market.listing, level), _three(market.listing, there), self._now_ns() // SECOND_NS]
                for level, there in levels
            ]
        return {pair_name(market.listing): sides}

    def _trades(self, market: Market, query: Mapping[str, str]) -> Any:
        since_ns = _since_ns(query.get("since", ""))
        count = max(1, min(number(query, "count", MOST_TRADES), MOST_TRADES))
        later = [trade for trade in market.trades if trade.ts_ns > since_ns]
        chosen = later[:count] if since_ns else later[-count:]
        last = chosen[-1].ts_ns if chosen else since_ns
        return {pair_name(market.listing): [_trade_row(market.listing, trade) for trade in chosen], "last": str(last)}

    def _bars(self, market: Market, query: Mapping[str, str]) -> Any:
        interval_s = 60 * number(query, "interval", 1)
        now_s = self._now_ns() // SECOND_NS
        since_s = number(query, "since", 0)
        bars = self._histories[market.listing.symbol].series(interval_s, since_s + 1 if since_s else 0, now_s, flat=True)[
            -MOST_BARS:
        ]
        last = bars[-2].start_s if len(bars) > 1 else since_s
        return {pair_name(market.listing): [_bar_row(market.listing, bar) for bar in bars], "last": last}

    def _spread(self, market: Market, _query: Mapping[str, str]) -> Any:
        now_s, listing = self._now_ns() // SECOND_NS, market.listing
        bid, ask = market.book.best(BID) or 0, market.book.best(ASK) or 0
        return {pair_name(listing): [[now_s, price(listing, bid), price(listing, ask)]], "last": now_s}

    def _ticker(self, market: Market) -> dict[str, Any]:
        listing = market.listing
        day = self._histories[listing.symbol].day(self._now_ns() // SECOND_NS)
        sides = [market.book.top(side, 1) or [(0, 0)] for side in (ASK, BID)]
        touch = [
            [price(listing, best[0][0]), str(max(1, best[0][1] // 10**listing.size_decimals)), _three(listing, best[0][1])]
            for best in sides
        ]
        last = market.trades[-1] if market.trades else None
        if day is None or last is None:
            return {"a": touch[0], "b": touch[1]}
        both = [size(listing, day.volume)] * 2
        vwap = [price(listing, day.value // max(1, day.volume))] * 2
        return {
            "a": touch[0], "b": touch[1], "c": [price(listing, last.price), size(listing, last.size)], "v": both, "p": vwap,
            "t": [day.count] * 2, "l": [price(listing, day.low)] * 2, "h": [price(listing, day.high)] * 2,
            "o": price(listing, day.open),
        }  # fmt: skip


def _three(listing: Listing, units: int) -> str:
    """A size with three digits, as Depth rounds it; never to nothing."""
    cut = 10 ** (listing.size_decimals - 3)
    return fixed(max(1, units // cut), 3)


def _when(ns: int) -> str:
    return formatdate(ns // SECOND_NS)


def _since_ns(text: str) -> int:
    """`since` is an id in ns, or a time in seconds."""
    try:
        value = float(text)
    except ValueError:
        return 0
    return int(text) if value > 1e15 and text.isdigit() else round(value * SECOND_NS)


def _trade_row(listing: Listing, trade: Trade) -> list[Any]:
    side, kind = "b" if trade.taker_buys else "s", "m" if trade.market_order else "l"
    seconds = trade.ts_ns // 1_000 / 1e6
    return [price(listing, trade.price), size(listing, trade.size), seconds, side, kind, "", trade.number]


def _bar_row(listing: Listing, bar: Candle) -> list[Any]:
    told = [fixed(units, listing.price_decimals) for units in (bar.open, bar.high, bar.low, bar.close)]
    vwap = fixed(bar.value // bar.volume, listing.price_decimals) if bar.volume else "0.0"
    return [bar.start_s, *told, vwap, size(listing, bar.volume), bar.count]


def pair_info(market: Market) -> dict[str, Any]:
    """A pair of AssetPairs."""
    listing = market.listing
    base, quote = (ASSET_NAMES.get(asset, asset) for asset in (listing.base, listing.quote))
    return {
        "altname": alt_name(listing), "wsname": f"{ALT_NAMES.get(listing.base, listing.base)}/{listing.quote}",
        "aclass_base": "currency", "base": base, "aclass_quote": "currency", "quote": quote, "lot": "unit", "cost_decimals": 5,
        "pair_decimals": listing.price_decimals, "lot_decimals": listing.size_decimals, "lot_multiplier": 1, "leverage_buy": [],
        "leverage_sell": [], "fees": FEES, "fees_maker": FEES_MAKER, "fee_volume_currency": "ZUSD", "margin_call": 80,
        "margin_stop": 40, "ordermin": size(listing, listing.min_size).rstrip("0").rstrip("."), "costmin": listing.min_notional,
        "tick_size": fixed(listing.tick, listing.price_decimals), "status": STATUS[listing.status],
    }  # fmt: skip
