"""Everything Binance sends over a market socket, spot and USD-M: the recorded kinds of `wire` and those only heard live.

Spot: web-socket-streams.md of 2026-07-21. USD-M: developers.binance.com, "Websocket Market Streams", read 2026-11-22.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from tradewind.domain.errors import BadData
from tradewind.venues.binance.wire import BookTicker, DepthUpdate, Id, Stamp, Trade
from tradewind.venues.duplicates import refuse_duplicates


class AggTrade(Struct, gc=False):
    """Trades of one taker order at one price, told as one."""

    event_time: Stamp = field(name="E")
    symbol: str = field(name="s")
    trade_id: Id = field(name="a")
    price: str = field(name="p")
    quantity: str = field(name="q")
    first_id: Id = field(name="f")
    last_id: Id = field(name="l")
    trade_time: Stamp = field(name="T")
    buyer_is_maker: bool = field(name="m")


class MarkPrice(Struct, gc=False):
    """USD-M: mark and index price, the funding rate and when it is next paid."""

    event_time: Stamp = field(name="E")
    symbol: str = field(name="s")
    mark: str = field(name="p")
    index: str = field(name="i")
    rate: str = field(name="r")
    next_time: Stamp = field(name="T")


class ForcedOrder(Struct, gc=False):
    """The order of a liquidation."""

    symbol: str = field(name="s")
    side: str = field(name="S")
    quantity: str = field(name="q")
    price: str = field(name="p")
    average: str = field(name="ap")
    filled: str = field(name="z")
    trade_time: Stamp = field(name="T")


class Liquidation(Struct, gc=False):
    """USD-M: at most the largest one in a second is told."""

    event_time: Stamp = field(name="E")
    order: ForcedOrder = field(name="o")


class Candle(Struct, gc=False):
    """A kline; `closed` says whether it is finished."""

    start: Stamp = field(name="t")
    end: Stamp = field(name="T")
    symbol: str = field(name="s")
    interval: str = field(name="i")
    open: str = field(name="o")
    high: str = field(name="h")
    low: str = field(name="l")
    close: str = field(name="c")
    volume: str = field(name="v")
    closed: bool = field(name="x")


class Kline(Struct, gc=False):
    """A frame of the kline stream."""

    event_time: Stamp = field(name="E")
    candle: Candle = field(name="k")


class Problem(Struct, gc=False):
    """What the venue says of a request it did not like."""

    code: int = 0
    msg: str = ""


class Reply(Struct, gc=False):
    """The answer to SUBSCRIBE or UNSUBSCRIBE: `result` null is agreement."""

    id: int | str | None = None
    error: Problem | UnsetType = UNSET


class Shutdown(Struct, gc=False):
    """The server goes down soon: connect anew at once."""

    event_time: Stamp = field(name="E")


Heard = DepthUpdate | BookTicker | Trade | AggTrade | MarkPrice | Liquidation | Kline | Reply | Shutdown


class _Envelope(Struct, gc=False):
    stream: str = ""
    data: msgspec.Raw | UnsetType = UNSET
    kind: str = field(name="e", default="")
    best_bid: msgspec.Raw | UnsetType = field(name="B", default=UNSET)
    result: msgspec.Raw | UnsetType = UNSET
    error: msgspec.Raw | UnsetType = UNSET


class _Named(Struct, gc=False):
    stream: str = ""
    kind: str = field(name="e", default="")
    symbol: str = field(name="s", default="")


class _Kind(Struct, gc=False):
    kind: str = field(name="e", default="bookTicker")


_ENVELOPE, _KIND = msgspec.json.Decoder(_Envelope), msgspec.json.Decoder(_Kind)
_BY_KIND: dict[str, msgspec.json.Decoder[Any]] = {
    "depthUpdate": msgspec.json.Decoder(DepthUpdate),
    "bookTicker": msgspec.json.Decoder(BookTicker),
    "trade": msgspec.json.Decoder(Trade),
    "aggTrade": msgspec.json.Decoder(AggTrade),
    "markPriceUpdate": msgspec.json.Decoder(MarkPrice),
    "forceOrder": msgspec.json.Decoder(Liquidation),
    "kline": msgspec.json.Decoder(Kline),
    "serverShutdown": msgspec.json.Decoder(Shutdown),
}
_OF_CHANNEL = {"depth": "depthUpdate", "markPrice": "markPriceUpdate", "!serverShutdown": "serverShutdown"}
_REPLY = msgspec.json.Decoder(Reply)


_NAMED = msgspec.json.Decoder(_Named)


def names(text: bytes) -> tuple[str, list[str]]:
    """(stream or kind, symbols) of a frame whatever else it holds. Raises what msgspec raises."""
    named = _NAMED.decode(text)
    symbol, _, channel = named.stream.partition("@")
    if channel:
        return channel.partition("@")[0].partition("_")[0], [symbol.upper()]
    return named.stream or named.kind, [named.symbol] if named.symbol else []


def hear(text: bytes) -> Heard | str:
    """The message of a frame, combined or raw; the name of a kind that is not read.

    Raises BadData (or what msgspec raises) where it is no JSON, lacks a field, holds a value out of range or names a key twice.
    """
    envelope = _ENVELOPE.decode(text)
    refuse_duplicates(text)
    if envelope.stream:
        if envelope.data is UNSET:
            raise BadData("a combined stream without data", expected='{"stream": …, "data": …}')
        return _of_stream(envelope.stream, envelope.data)
    if envelope.kind or envelope.best_bid is not UNSET:
        return _decode(envelope.kind or "bookTicker", msgspec.Raw(text))
    if envelope.result is not UNSET or envelope.error is not UNSET:
        reply: Reply = _REPLY.decode(text)
        return reply
    raise BadData("is no Binance market message", expected="a stream's message or a reply")


def _of_stream(stream: str, data: msgspec.Raw) -> Heard | str:
    channel = stream.partition("@")[2].partition("@")[0].partition("_")[0] or stream
    kind = _KIND.decode(data).kind
    if kind != _OF_CHANNEL.get(channel, channel):
        raise BadData("a message of another kind than its stream", expected=_OF_CHANNEL.get(channel, channel)[:20])
    return _decode(kind, data)


def _decode(kind: str, data: msgspec.Raw) -> Heard | str:
    decoder = _BY_KIND.get(kind)
    if decoder is None:
        return kind[:40]
    heard: Heard = decoder.decode(data)
    return heard
