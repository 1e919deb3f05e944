"""Coinbase's REST answers as rows and instruments (docs.cdp.coinbase.com, Advanced Trade public endpoints, read 2026-11-22)."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import msgspec
from msgspec import Struct

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import MONEY_EXPONENT, Instrument
from tradewind.domain.rows import Rows
from tradewind.venues import base
from tradewind.venues.adapter import Answer
from tradewind.venues.base import At
from tradewind.venues.coinbase.wire import Trade
from tradewind.venues.numbers import decimals_of, one_unit, rfc3339_ns

GRANULARITIES = {
    "1m": "ONE_MINUTE", "5m": "FIVE_MINUTE", "15m": "FIFTEEN_MINUTE", "30m": "THIRTY_MINUTE", "1h": "ONE_HOUR",
    "2h": "TWO_HOUR", "4h": "FOUR_HOUR", "6h": "SIX_HOUR", "1d": "ONE_DAY",
}  # fmt: skip
TRADES_PAGE, CANDLES_PAGE = 1_000, 350
TAKER = ("SELL", "BUY")  # told is the maker's side: SELL means a buyer took it
BACKFILLED = codes.WHOLE | codes.SYNTHETIC


class Product(Struct):
    """The rules of one product."""

    product_id: str
    base_increment: str
    quote_increment: str
    base_currency_id: str
    quote_currency_id: str
    price_increment: str = ""
    base_min_size: str = "0"
    quote_min_size: str = "0"
    product_type: str = "SPOT"
    status: str = "online"
    is_disabled: bool = False
    trading_disabled: bool = False
    view_only: bool = False
    cancel_only: bool = False
    post_only: bool = False
    limit_only: bool = False


class Products(Struct):
    """All products."""

    products: list[Product]


class Level(Struct):
    """One level."""

    price: str
    size: str


class PriceBook(Struct):
    """A book without a sequence number."""

    bids: list[Level]
    asks: list[Level]
    time: str = ""


class ProductBook(Struct):
    """The answer of product_book."""

    pricebook: PriceBook


class Trades(Struct):
    """The answer of ticker: newest first."""

    trades: list[Trade]


class Candle(Struct):
    """One bar; start in unix seconds."""

    start: str
    low: str
    high: str
    open: str
    close: str
    volume: str


class Candles(Struct):
    """The answer of candles: newest first."""

    candles: list[Candle]


class Time(Struct):
    """The server's clock, as text."""

    epoch_millis: str = msgspec.field(name="epochMillis")


_PRODUCTS, _BOOK = msgspec.json.Decoder(Products), msgspec.json.Decoder(ProductBook)
_TRADES, _CANDLES, _TIME = msgspec.json.Decoder(Trades), msgspec.json.Decoder(Candles), msgspec.json.Decoder(Time)


def instruments(answer: Answer, symbols: Sequence[str]) -> list[Instrument]:
    """The wanted products in the order wanted; [] gives all spot products that trade."""
    told: Products = base.decoded(_PRODUCTS, answer, "coinbase")
    found = {product.product_id: product for product in told.products}
    missing = [symbol for symbol in symbols if symbol not in found]
    if missing:
        raise BadData(f"no product {missing[0][:20]}", where="coinbase", expected="products the venue lists, such as BTC-USD")
    wanted = [found[symbol] for symbol in symbols] if symbols else [product for product in told.products if _trades(product)]
    return [_instrument(product) for product in wanted]


def _trades(product: Product) -> bool:
    closed = product.is_disabled or product.trading_disabled or product.view_only or product.cancel_only
    return product.product_type == "SPOT" and product.status == "online" and not closed


def _instrument(product: Product) -> Instrument:
    if product.product_type != "SPOT":
        raise BadData("a product that is not spot", where=f"coinbase:{product.product_id[:30]}", expected="a spot product")
    tick = product.price_increment or product.quote_increment
    price_exponent, quantity_exponent = _decimals(tick), _decimals(product.base_increment)
    return Instrument(
        venue="coinbase",
        symbol=product.product_id,
        base=product.base_currency_id,
        quote=product.quote_currency_id,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        tick=max(1, one_unit(tick, price_exponent)),
        lot=max(1, one_unit(product.base_increment, quantity_exponent)),
        min_quantity=one_unit(product.base_min_size, quantity_exponent),
        min_notional=one_unit(product.quote_min_size, MONEY_EXPONENT),
        status=_status(product),
    )


def _status(product: Product) -> int:
    """Of the product's flags the one that closes it most."""
    if product.status == "delisted" or product.is_disabled:
        return codes.STATUS_DELISTED
    if product.trading_disabled or product.view_only or product.status != "online":
        return codes.STATUS_HALT
    if product.cancel_only:
        return codes.STATUS_CANCEL_ONLY
    if product.post_only:
        return codes.STATUS_POST_ONLY
    return codes.STATUS_LIMIT_ONLY if product.limit_only else codes.TRADING


def _decimals(increment: str) -> int:
    return decimals_of(increment.rstrip("0") if "." in increment else increment)


def snapshot(answer: Answer, at: At, exponents: tuple[int, int]) -> Rows:
    """One SNAPSHOT message; ref 0."""
    book: ProductBook = base.decoded(_BOOK, answer, "coinbase product_book")
    at.ts_venue = rfc3339_ns(book.pricebook.time) if book.pricebook.time else 0
    bids, asks = ([(level.price, level.size) for level in levels] for levels in (book.pricebook.bids, book.pricebook.asks))
    return base.table(base.depth(at, base.both(bids, asks), exponents, codes.SNAPSHOT, 0))


def trades(answer: Answer, at: At, exponents: tuple[int, int]) -> Rows:
    """Oldest first, marked as filled in."""
    told: Trades = base.decoded(_TRADES, answer, "coinbase ticker")
    lines = []
    for one in reversed(told.trades):
        at.ts_venue = rfc3339_ns(one.time)
        side = base.side_of(one.side, TAKER)
        lines.append(base.trade(at, side, (one.price, one.size), exponents, one_unit(one.trade_id, 0), BACKFILLED))
    return base.table(lines)


def candles(answer: Answer, at: At, exponents: tuple[int, int], timeframe: str) -> Rows:
    """Finished bars, oldest first."""
    told: Candles = base.decoded(_CANDLES, answer, "coinbase candles")
    code, lines = codes.TIMEFRAME_NAMES.index(timeframe), []
    for one in sorted(told.candles, key=attrgetter("start")):
        at.ts_venue = one_unit(one.start, 0) * codes.SECOND + codes.TIMEFRAME_NS[code]
        if at.ts_venue <= answer.sent_ns:
            lines.append(base.bar(at, code, (one.open, one.high, one.low, one.close, one.volume), exponents))
    return base.table(lines)


def server_time(answer: Answer) -> int:
    """ns."""
    told: Time = base.decoded(_TIME, answer, "coinbase time")
    return one_unit(told.epoch_millis, 0) * codes.MILLISECOND
