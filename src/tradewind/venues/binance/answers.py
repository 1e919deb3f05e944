"""Binance's REST answers as rows and instruments (rest-api.md of 2026-07-21; USD-M: developers.binance.com, 2026-11-22)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct, field

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import MONEY_EXPONENT, Instrument
from tradewind.domain.rows import Rows
from tradewind.venues import base
from tradewind.venues.adapter import Answer
from tradewind.venues.base import At
from tradewind.venues.binance.market import to_ns
from tradewind.venues.binance.wire import USDM, DepthSnapshot, Id, Stamp
from tradewind.venues.numbers import decimals_of, one_unit

INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "1w")
FINER = 3  # decimals beyond the lot's: what rests from the days of a finer lot stays in the book (seen 2024-08-08, BTCUSDT)
STATUS = {
    "TRADING": codes.TRADING, "CANCEL_ONLY": codes.STATUS_CANCEL_ONLY, "PRE_DELIVERING": codes.STATUS_DELISTED,
    "DELIVERING": codes.STATUS_DELISTED, "DELIVERED": codes.STATUS_DELISTED, "CLOSE": codes.STATUS_DELISTED,
}  # fmt: skip
"""Words of exchangeInfo; every other (HALT, BREAK, PRE_TRADING, PENDING_TRADING, one of a later release) is a halt."""
BACKFILLED = codes.WHOLE | codes.SYNTHETIC


class Filter(Struct):
    """One trading rule; only the fields of its kind are there."""

    kind: str = field(name="filterType")
    tick: str = field(name="tickSize", default="")
    step: str = field(name="stepSize", default="")
    least: str = field(name="minQty", default="0")
    spot_notional: str = field(name="minNotional", default="0")
    futures_notional: str = field(name="notional", default="0")


class Symbol(Struct):
    """What exchangeInfo says of one symbol."""

    symbol: str
    status: str
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    filters: list[Filter]
    base_precision: int = field(name="baseAssetPrecision", default=8)
    contract: str = field(name="contractType", default="")


class ExchangeInfo(Struct):
    """The answer of exchangeInfo."""

    symbols: list[Symbol]


class OldTrade(Struct):
    """A trade of historicalTrades or trades."""

    trade_id: Id = field(name="id")
    price: str
    quantity: str = field(name="qty")
    trade_time: Stamp = field(name="time")
    buyer_is_maker: bool = field(name="isBuyerMaker")


class OldAggTrade(Struct):
    """A trade of aggTrades."""

    trade_id: Id = field(name="a")
    price: str = field(name="p")
    quantity: str = field(name="q")
    trade_time: Stamp = field(name="T")
    buyer_is_maker: bool = field(name="m")


class OpenInterest(Struct):
    """USD-M: the answer of openInterest."""

    amount: str = field(name="openInterest")
    time: Stamp


class Time(Struct):
    """The answer of time."""

    now: Stamp = field(name="serverTime")


_INFO, _DEPTH = msgspec.json.Decoder(ExchangeInfo), msgspec.json.Decoder(DepthSnapshot)
_TRADES, _AGGREGATED = msgspec.json.Decoder(list[OldTrade]), msgspec.json.Decoder(list[OldAggTrade])
_KLINES = msgspec.json.Decoder(list[list[int | str]])
_INTEREST, _TIME = msgspec.json.Decoder(OpenInterest), msgspec.json.Decoder(Time)


def instruments(venue: str, answer: Answer, symbols: Sequence[str]) -> list[Instrument]:
    """The wanted symbols in the order wanted; [] gives all that trade. Raises BadData where one is missing or its rules are."""
    info: ExchangeInfo = base.decoded(_INFO, answer, venue)
    found = {one.symbol: one for one in info.symbols}
    missing = [symbol for symbol in symbols if symbol not in found]
    if missing:
        raise BadData(f"no symbol {missing[0][:20]}", where=venue, expected="symbols the venue lists")
    wanted = [found[symbol] for symbol in symbols] if symbols else [one for one in info.symbols if _trades(one, venue)]
    return [_instrument(venue, one) for one in wanted]


def _trades(one: Symbol, venue: str) -> bool:
    perpetual = venue != USDM or one.contract == "PERPETUAL"
    return one.status == "TRADING" and perpetual and {"PRICE_FILTER", "LOT_SIZE"} <= {rule.kind for rule in one.filters}


def _instrument(venue: str, one: Symbol) -> Instrument:
    rules = {rule.kind: rule for rule in one.filters}
    if "PRICE_FILTER" not in rules or "LOT_SIZE" not in rules:
        raise BadData("a symbol without PRICE_FILTER or LOT_SIZE", where=f"{venue}:{one.symbol[:20]}", expected="its trading rules")
    tick, lot = rules["PRICE_FILTER"].tick.rstrip("0"), rules["LOT_SIZE"]
    price_exponent, lot_decimals = decimals_of(tick), decimals_of(lot.step.rstrip("0"))
    quantity_exponent = max(lot_decimals, min(one.base_precision, lot_decimals + FINER))
    notional = rules.get("NOTIONAL") or rules.get("MIN_NOTIONAL")
    least = "0" if notional is None else notional.futures_notional if venue == USDM else notional.spot_notional
    return Instrument(
        venue=venue,
        symbol=one.symbol,
        base=one.base,
        quote=one.quote,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        tick=max(1, one_unit(rules["PRICE_FILTER"].tick, price_exponent)),
        lot=max(1, one_unit(lot.step, quantity_exponent)),
        min_quantity=one_unit(lot.least, quantity_exponent),
        min_notional=one_unit(least, MONEY_EXPONENT),
        payoff=codes.LINEAR if venue == USDM else codes.SPOT,
        status=STATUS.get(one.status, codes.STATUS_HALT),
        proof=codes.PROOF_CHAIN,
    )


def snapshot(answer: Answer, at: At, exponents: tuple[int, int]) -> Rows:
    """One SNAPSHOT message; ref = lastUpdateId, the venue's time where it tells one."""
    told: DepthSnapshot = base.decoded(_DEPTH, answer, "binance depth")
    at.ts_venue = to_ns(told.event_time)
    return base.table(base.depth(at, base.both(told.bids, told.asks), exponents, codes.SNAPSHOT, told.last_id))


def trades(answer: Answer, at: At, exponents: tuple[int, int], aggregated: bool) -> Rows:
    """Trades as they came, marked as filled in."""
    told: list[OldTrade] | list[OldAggTrade] = base.decoded(_AGGREGATED if aggregated else _TRADES, answer, "binance trades")
    lines = []
    for one in told:
        at.ts_venue = to_ns(one.trade_time)
        side = codes.SELL if one.buyer_is_maker else codes.BUY
        lines.append(base.trade(at, side, (one.price, one.quantity), exponents, one.trade_id, BACKFILLED))
    return base.table(lines)


def candles(answer: Answer, at: At, exponents: tuple[int, int], timeframe: str) -> Rows:
    """Bars that had ended when the request was sent; ts_venue is a bar's end."""
    told: list[list[int | str]] = base.decoded(_KLINES, answer, "binance klines")
    code, lines = codes.TIMEFRAME_NAMES.index(timeframe), []
    for one in told:
        start, texts = one[0] if one else None, tuple(one[1:6])
        if not isinstance(start, int) or len(texts) != 5 or not all(isinstance(text, str) for text in texts):
            raise BadData("a kline of another shape", where="binance klines", expected="[time, open, high, low, close, volume, …]")
        at.ts_venue = to_ns(start) + codes.TIMEFRAME_NS[code]
        if at.ts_venue <= answer.sent_ns:
            lines.append(base.bar(at, code, texts, exponents))  # type: ignore[arg-type]
    return base.table(lines)


def open_interest(answer: Answer, at: At, exponents: tuple[int, int]) -> Rows:
    """One OBSERVATION."""
    told: OpenInterest = base.decoded(_INTEREST, answer, "binance openInterest")
    at.ts_venue = to_ns(told.time)
    return base.table([base.line(codes.OBSERVATION, at, value=one_unit(told.amount, exponents[1]), ref=at.ts_venue)])


def server_time(answer: Answer, venue: str) -> int:
    """ns."""
    told: Time = base.decoded(_TIME, answer, venue)
    return to_ns(told.now)
