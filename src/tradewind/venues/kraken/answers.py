"""Kraken's REST answers as rows and instruments (docs.kraken.com, Spot REST, read 2026-11-22)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from msgspec import Raw, Struct

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import MONEY_EXPONENT, Instrument
from tradewind.domain.rows import Rows
from tradewind.venues import base
from tradewind.venues.adapter import Answer
from tradewind.venues.base import At
from tradewind.venues.kraken.stream import PairData, words
from tradewind.venues.numbers import one_unit

INTERVALS = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1_440, "1w": 10_080}
OLD_NAMES = {"XBT": "BTC", "XDG": "DOGE"}  # v1 and REST name, v2 name
NEW_NAMES = {new: old for old, new in OLD_NAMES.items()}
PAGE = 1_000
BACKFILLED = codes.WHOLE | codes.SYNTHETIC


class Answered(Struct):
    """Every answer: errors, or a result."""

    error: list[str] = []
    result: Raw = Raw(b"{}")


class Pair(Struct):
    """What AssetPairs says of one pair."""

    altname: str
    pair_decimals: int
    lot_decimals: int
    wsname: str = ""
    tick_size: str = ""
    ordermin: str = "0"
    costmin: str = "0"
    status: str = "online"
    fees: list[tuple[float, Raw]] = []
    fees_maker: list[tuple[float, Raw]] = []


class Time(Struct):
    """The server's clock."""

    unixtime: int


_ANSWERED, _PAIRS = msgspec.json.Decoder(Answered), msgspec.json.Decoder(dict[str, Pair])
_BY_PAIR, _TIME = msgspec.json.Decoder(dict[str, Raw]), msgspec.json.Decoder(Time)
_TRADES, _CANDLES = msgspec.json.Decoder(list[list[Raw]]), msgspec.json.Decoder(list[list[Raw]])
_TEXT = msgspec.json.Decoder(str)


class Book(Struct):
    """The Depth answer: [price, quantity, unix time] a level."""

    bids: list[tuple[str, str, float]]
    asks: list[tuple[str, str, float]]


_BOOK = msgspec.json.Decoder(Book)


def rest_name(symbol: str) -> str:
    """XBTUSD of BTC/USD: the name REST requests know."""
    base_asset, _, quote_asset = symbol.partition("/")
    return NEW_NAMES.get(base_asset, base_asset) + NEW_NAMES.get(quote_asset, quote_asset)


def new_name(wsname: str) -> str:
    """BTC/USD of XBT/USD: the name of the v2 sockets."""
    base_asset, _, quote_asset = wsname.partition("/")
    return f"{OLD_NAMES.get(base_asset, base_asset)}/{OLD_NAMES.get(quote_asset, quote_asset)}"


def _result(answer: Answer, decoder: msgspec.json.Decoder[Any]) -> Any:
    answered: Answered = base.decoded(_ANSWERED, answer, "kraken")
    if answered.error:
        raise BadData(f"the venue answers {answered.error[0][:60]}", where="kraken", expected="a result")
    return _decode(decoder, answered.result)


def _decode(decoder: msgspec.json.Decoder[Any], raw: Raw) -> Any:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadData(f"an answer that cannot be read: {error}", where="kraken", expected="the documented JSON") from error


def instruments(answer: Answer, symbols: Sequence[str]) -> list[Instrument]:
    """The wanted symbols in the order wanted; [] gives all that are online."""
    pairs: dict[str, Pair] = _result(answer, _PAIRS)
    found = {new_name(pair.wsname): pair for pair in pairs.values() if pair.wsname}
    missing = [symbol for symbol in symbols if symbol not in found]
    if missing:
        raise BadData(f"no symbol {missing[0][:20]}", where="kraken", expected="symbols the venue lists, such as BTC/USD")
    wanted = symbols or [symbol for symbol, pair in found.items() if pair.status == "online"]
    return [_instrument(symbol, found[symbol]) for symbol in wanted]


def _instrument(symbol: str, pair: Pair) -> Instrument:
    base_asset, _, quote_asset = symbol.partition("/")
    return Instrument(
        venue="kraken",
        symbol=symbol,
        base=base_asset,
        quote=quote_asset,
        price_exponent=pair.pair_decimals,
        quantity_exponent=pair.lot_decimals,
        tick=max(1, one_unit(pair.tick_size, pair.pair_decimals)) if pair.tick_size else 1,
        min_quantity=one_unit(pair.ordermin, pair.lot_decimals),
        min_notional=one_unit(pair.costmin, MONEY_EXPONENT),
        maker_fee_e7=_fee(pair.fees_maker or pair.fees),
        taker_fee_e7=_fee(pair.fees),
        proof=codes.PROOF_CRC32,
        status=STATUS.get(pair.status, codes.STATUS_HALT),
    )


STATUS = {
    "online": codes.TRADING, "post_only": codes.STATUS_POST_ONLY, "cancel_only": codes.STATUS_CANCEL_ONLY,
    "limit_only": codes.STATUS_LIMIT_ONLY, "reduce_only": codes.STATUS_REDUCE_ONLY, "delisted": codes.STATUS_DELISTED,
}  # fmt: skip
"""Words of AssetPairs and of the instrument channel; every other (maintenance, work_in_progress, …) is a halt."""


def _fee(tiers: list[tuple[float, Raw]]) -> int:
    """The first tier's, in 1e-7 of the cost."""
    return one_unit(words(tiers[0][1]), 5) if tiers else 10_000


def of_channel(pairs: Sequence[PairData]) -> list[Instrument]:
    """Instruments of an `instrument` snapshot, which tells no fees."""
    return [
        Instrument(
            venue="kraken",
            symbol=pair.symbol,
            base=pair.base,
            quote=pair.quote,
            price_exponent=pair.price_precision,
            quantity_exponent=pair.qty_precision,
            tick=max(1, one_unit(words(pair.price_increment), pair.price_precision)),
            lot=max(1, one_unit(words(pair.qty_increment), pair.qty_precision)),
            min_quantity=one_unit(words(pair.qty_min), pair.qty_precision),
            min_notional=one_unit(words(pair.cost_min), MONEY_EXPONENT),
            proof=codes.PROOF_CRC32,
            status=STATUS.get(pair.status, codes.STATUS_HALT),
        )
        for pair in pairs
    ]


def _only(by_pair: dict[str, Raw]) -> Raw:
    """The one list among the answer's keys; `last` is no pair."""
    names = [name for name in by_pair if name != "last"]
    if len(names) != 1:
        raise BadData(f"{len(names)} pairs in an answer", where="kraken", expected="one")
    return by_pair[names[0]]


def snapshot(answer: Answer, at: At, exponents: tuple[int, int]) -> Rows:
    """One SNAPSHOT message without a checksum; ref 0."""
    book: Book = _decode(_BOOK, _only(_result(answer, _BY_PAIR)))
    levels = base.both(*([level[:2] for level in levels] for levels in (book.bids, book.asks)))
    return base.table(base.depth(at, levels, exponents, codes.SNAPSHOT, 0))


def trades(answer: Answer, at: At, exponents: tuple[int, int]) -> tuple[Rows, int, bool]:
    """(trades, where the next page begins, was this one full)."""
    by_pair: dict[str, Raw] = _result(answer, _BY_PAIR)
    lines = []
    for one in _decode(_TRADES, _only(by_pair)):
        if len(one) < 7:
            raise BadData("a trade of fewer than seven parts", where="kraken", expected="[price, volume, time, side, …, id]")
        price, volume, side = (str(_decode(_TEXT, one[place])) for place in (0, 1, 3))
        at.ts_venue = _seconds(words(one[2]))
        aggressor = base.side_of(side, ("b", "s"))
        lines.append(base.trade(at, aggressor, (price, volume), exponents, one_unit(words(one[6]), 0), BACKFILLED))
    last = words(by_pair.get("last", Raw(b"0"))).strip('"')
    return base.table(lines), int(last) if last.isdigit() and len(last) < 20 else 0, len(lines) >= PAGE


def _seconds(text: str) -> int:
    """ns of unix seconds with a fraction: Kraken shows at most seven decimals of it."""
    try:
        return int(Decimal(text).scaleb(9).to_integral_value()) if len(text) < 32 else 0
    except InvalidOperation as error:
        raise BadData("a time that is no number", where="kraken", expected="unix seconds") from error


def candles(answer: Answer, at: At, exponents: tuple[int, int], timeframe: str) -> Rows:
    """[time, open, high, low, close, vwap, volume, count] to finished bars."""
    step = INTERVALS[timeframe] * codes.MINUTE
    code, lines = codes.TIMEFRAME_NS.index(step), []
    for one in _decode(_CANDLES, _only(_result(answer, _BY_PAIR))):
        if len(one) < 7:
            raise BadData("a candle of fewer than seven parts", where="kraken", expected="[time, o, h, l, c, vwap, volume, …]")
        texts = tuple(str(_decode(_TEXT, one[place])) for place in (1, 2, 3, 4, 6))
        at.ts_venue = one_unit(words(one[0]), 0) * codes.SECOND + step
        if at.ts_venue <= answer.sent_ns:
            lines.append(base.bar(at, code, texts, exponents))  # type: ignore[arg-type]
    return base.table(lines)


def server_time(answer: Answer) -> int:
    """ns, to the second."""
    told: Time = _result(answer, _TIME)
    return told.unixtime * codes.SECOND
