"""Coinbase Advanced Trade over REST: the public market endpoints.

Source: docs.cdp.coinbase.com, Advanced Trade REST API, public endpoints, read 2026-11; documented examples give fields and digits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .book import ASK, BID, Book, Market, Trade
from .clock import SECOND_NS
from .history import Candle, History
from .listings import Listing
from .text import rfc3339_short, trimmed
from .venue import Reply, number

Shown = Callable[[Market], tuple[Book, int]]
"""The book a request gets to see, and the number of its last change."""
ROOT = "/api/v3/brokerage/"
GRANULARITIES = {
    "ONE_MINUTE": 60, "FIVE_MINUTE": 300, "FIFTEEN_MINUTE": 900, "THIRTY_MINUTE": 1_800, "ONE_HOUR": 3_600, "TWO_HOUR": 7_200,
    "FOUR_HOUR": 14_400, "SIX_HOUR": 21_600, "ONE_DAY": 86_400,
}  # fmt: skip
MOST_BARS, MOST_TRADES = 350, 1_000
NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum", "USD": "US Dollar", "USDT": "Tether", "USDC": "USDC", "SOL": "Solana"}


def refused(status: int, kind: str, message: str) -> Reply:
    """An error in the venue's form."""
    return Reply(json.dumps({"error": kind, "error_details": message, "message": message}, separators=(",", ":")), status)


class Coinbase:
    """The endpoints, over markets by product id."""

    def __init__(
        self, markets: Mapping[str, Market], histories: Mapping[str, History], now_ns: Callable[[], int], book: Shown
    ) -> None:
        self._markets, self._histories, self._now_ns, self._shown = markets, histories, now_ns, book

    def answer(self, path: str, query: Mapping[str, str]) -> Reply:
        """The body for a path that is within the limits."""
        if path.startswith("/v2/"):
            return self._old(path)
        parts = path.removeprefix(ROOT).strip("/").split("/")
        if parts == ["time"]:
            return _reply(self._time())
        if parts == ["market", "product_book"]:
            return self._of(query.get("product_id", ""), lambda market: self._book(query["product_id"], market, query))
        if parts == ["market", "products"]:
            return self._products(query)
        if parts[:2] == ["market", "products"] and len(parts) in (3, 4):
            return self._of(parts[2], lambda market: self._product(parts[2], market, "".join(parts[3:]), query))
        return refused(404, "NOT_FOUND", "not found")

    def _of(self, product: str, make: Callable[[Market], Any]) -> Reply:
        if product not in self._markets:
            return refused(404, "NOT_FOUND", "valid product_id is required")
        found = make(self._markets[product])
        return found if isinstance(found, Reply) else _reply(found)

    def _old(self, path: str) -> Reply:
        """The three public endpoints of the app's API that clients read at their start."""
        now_ns = self._now_ns()
        assets = sorted({asset for market in self._markets.values() for asset in (market.listing.base, market.listing.quote)})
        if path == "/v2/time":
            return _reply({"data": {"iso": rfc3339_short(now_ns, 0), "epoch": now_ns // SECOND_NS}})
        if path == "/v2/currencies":
            return _reply({"data": [{"id": "USD", "name": "US Dollar", "min_size": "0.01"}]})
        if path == "/v2/currencies/crypto":
            crypto = [asset for asset in assets if asset != "USD"]
            return _reply(
                {
                    "data": [
                        {"code": asset, "name": NAMES.get(asset, asset), "exponent": 8, "type": "crypto", "asset_id": asset}
                        for asset in crypto
                    ]
                }
            )
        if path == "/v2/exchange-rates":
            return _reply({"data": {"currency": "USD", "rates": dict.fromkeys(assets, "1")}})
        return refused(404, "NOT_FOUND", "not found")

    def _time(self) -> dict[str, str]:
        now_ns = self._now_ns()
        return {"iso": rfc3339_short(now_ns, 9), "epochSeconds": str(now_ns // SECOND_NS), "epochMillis": str(now_ns // 1_000_000)}

    def _products(self, query: Mapping[str, str]) -> Reply:
        if query.get("product_type", "SPOT") not in ("SPOT", "UNKNOWN_PRODUCT_TYPE"):
            return _reply({"products": [], "num_products": 0, "pagination": None})
        rows = [product_info(product, market, self._day(market)) for product, market in self._markets.items()]
        return _reply({"products": rows, "num_products": len(rows), "pagination": None})

    def _product(self, product: str, market: Market, what: str, query: Mapping[str, str]) -> Any:
        if what == "":
            return product_info(product, market, self._day(market))
        if what == "ticker":
            return self._trades(product, market, query)
        return self._candles(market, query) if what == "candles" else refused(404, "NOT_FOUND", "not found")

    def _day(self, market: Market) -> Candle | None:
        return self._histories[market.listing.symbol].day(self._now_ns() // SECOND_NS)

    def _book(self, product: str, market: Market, query: Mapping[str, str]) -> Any:
        limit = number(query, "limit", 0) or None
        listing, shown = market.listing, self._shown(market)[0]
        sides = {
            name: [
                {"price": trimmed(level, listing.price_decimals), "size": trimmed(there, listing.size_decimals)}
                for level, there in shown.top(side, limit)
            ]
            for name, side in (("bids", BID), ("asks", ASK))
        }
        bid, ask = market.book.best(BID), market.book.best(ASK)
        told = {"pricebook": {"product_id": product, **sides, "time": rfc3339_short(self._now_ns(), 6)}}
        if bid is None or ask is None:
            return told
        middle = trimmed((bid + ask) * 5, listing.price_decimals + 1)
        return told | {
            "last": trimmed(market.trades[-1].price, listing.price_decimals) if market.trades else middle,
            "mid_market": middle, "spread_bps": f"{(ask - bid) * 20_000 / (bid + ask):.12f}",
            "spread_absolute": trimmed(ask - bid, listing.price_decimals),
        }  # fmt: skip

    def _trades(self, product: str, market: Market, query: Mapping[str, str]) -> Any:
        since_ns, until_ns = (_time_ns(query.get(name, "")) for name in ("start", "end"))
        limit = max(1, min(number(query, "limit", 100), MOST_TRADES))
        chosen = [trade for trade in market.trades if since_ns <= trade.ts_ns and (not until_ns or trade.ts_ns <= until_ns)][
            -limit:
        ]
        listing, bid, ask = market.listing, market.book.best(BID) or 0, market.book.best(ASK) or 0
        return {
            "trades": [trade_row(product, market, trade) for trade in reversed(chosen)],
            "best_bid": trimmed(bid, listing.price_decimals), "best_ask": trimmed(ask, listing.price_decimals),
        }  # fmt: skip

    def _candles(self, market: Market, query: Mapping[str, str]) -> Any:
        interval_s = GRANULARITIES.get(query.get("granularity", ""))
        if interval_s is None:
            return refused(400, "INVALID_ARGUMENT", "granularity is invalid")
        now_s = self._now_ns() // SECOND_NS
        since_s, until_s = number(query, "start", 0), number(query, "end", now_s)
        if (until_s - since_s) // interval_s > MOST_BARS:
            return refused(400, "INVALID_ARGUMENT", "number of candles requested should be less than 350 ")
        bars = self._histories[market.listing.symbol].series(interval_s, since_s, min(until_s, now_s), flat=False)
        names = ("start", "low", "high", "open", "close", "volume")
        return {"candles": [self.bar(market.listing, bar, names) for bar in reversed(bars)]}

    def bar(self, listing: Listing, bar: Candle, names: tuple[str, ...]) -> dict[str, str]:
        """A bar with its fields in the order of a channel or an endpoint."""
        prices = {"low": bar.low, "high": bar.high, "open": bar.open, "close": bar.close}
        told = {name: trimmed(units, listing.price_decimals) for name, units in prices.items()}
        told |= {"start": str(bar.start_s), "volume": trimmed(bar.volume, listing.size_decimals)}
        return {name: told[name] for name in names}

    def ticker(self, product: str, market: Market) -> dict[str, str]:
        """The ticker channel's row."""
        listing, day = market.listing, self._day(market)
        best = [(market.book.top(side, 1) or [(0, 0)])[0] for side in (BID, ASK)]
        last = market.trades[-1].price if market.trades else best[BID][0]
        bar = day or Candle(0, last, last, last, last)
        prices = {"low_24_h": bar.low, "high_24_h": bar.high, "low_52_w": bar.low, "high_52_w": bar.high}
        told = {"type": "ticker", "product_id": product, "price": trimmed(last, listing.price_decimals)}
        told["volume_24_h"] = trimmed(bar.volume, listing.size_decimals)
        told |= {name: trimmed(units, listing.price_decimals) for name, units in prices.items()}
        told["price_percent_chg_24_h"] = f"{(bar.close - bar.open) / bar.open * 100:.14f}"
        for name, (level, there) in zip(("best_bid", "best_ask"), best, strict=True):
            told[name] = trimmed(level, listing.price_decimals)
            told[name + "_quantity"] = trimmed(there, listing.size_decimals)
        return told


def _reply(data: Any) -> Reply:
    return Reply(json.dumps(data, separators=(",", ":")))


def _time_ns(text: str) -> int:
    """A time in seconds or in RFC 3339; 0 where there is none."""
    if text.isdigit():
        return int(text) * SECOND_NS
    try:
        return round(datetime.fromisoformat(text).timestamp() * SECOND_NS)
    except ValueError:
        return 0


def trade_row(product: str, market: Market, trade: Trade) -> dict[str, str]:
    """A trade as `ticker` lists it; `side` is the maker's."""
    listing = market.listing
    return {
        "trade_id": str(trade.number), "product_id": product, "price": trimmed(trade.price, listing.price_decimals),
        "size": trimmed(trade.size, listing.size_decimals), "time": rfc3339_short(trade.ts_ns, 6),
        "side": "SELL" if trade.taker_buys else "BUY", "bid": "", "ask": "", "exchange": "coinbase",
    }  # fmt: skip


def product_info(product: str, market: Market, day: Candle | None) -> dict[str, Any]:
    """A product with its rules."""
    listing = market.listing
    tick, step = trimmed(listing.tick, listing.price_decimals), trimmed(1, listing.size_decimals)
    online = listing.status == "online"
    last = trimmed(market.trades[-1].price if market.trades else market.book.best(BID) or 0, listing.price_decimals)
    change = f"{(day.close - day.open) / day.open * 100:.14f}" if day else "0"
    return {
        "product_id": product, "price": last, "price_percentage_change_24h": change,
        "volume_24h": trimmed(day.volume, listing.size_decimals) if day else "0", "volume_percentage_change_24h": "0",
        "base_increment": step, "quote_increment": tick, "quote_min_size": listing.min_notional, "quote_max_size": "150000000",
        "base_min_size": trimmed(listing.min_size, listing.size_decimals), "base_max_size": "3400",
        "base_name": NAMES.get(listing.base, listing.base), "quote_name": NAMES.get(listing.quote, listing.quote), "watched": False,
        "is_disabled": listing.status == "delisted", "new": False,
        "status": "delisted" if listing.status == "delisted" else "online", "cancel_only": listing.status == "cancel_only",
        "limit_only": False, "post_only": False, "trading_disabled": not online,
        "auction_mode": False, "product_type": "SPOT", "quote_currency_id": listing.quote, "base_currency_id": listing.base,
        "fcm_trading_session_details": None, "mid_market_price": "", "alias": "", "alias_to": [],
        "base_display_symbol": listing.base, "quote_display_symbol": listing.quote, "view_only": False, "price_increment": tick,
        "display_name": product, "product_venue": "CBE",
        "approximate_quote_24h_volume": trimmed(day.value, listing.price_decimals + listing.size_decimals) if day else "0",
        "new_at": "2023-01-01T00:00:00Z", "market_cap": "", "base_cbrn": "", "quote_cbrn": "", "product_cbrn": "", "icon_color": "",
        "icon_url": "", "display_name_overwrite": "", "is_alpha_testing": False, "about_description": "", "best_bid_price": "",
        "best_ask_price": "",
    }  # fmt: skip
