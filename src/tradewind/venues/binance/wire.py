"""Binance market messages as Structs: spot (web-socket-streams.md) and USD-M futures, read on 2024-08-08 recordings.

`decode` is the one entry: it knows combined streams ({"stream", "data"}), plain messages, REST depth answers and
replies to subscriptions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from tradewind.domain.errors import BadData
from tradewind.venues.duplicates import refuse_duplicates

SPOT, USDM = "binance", "binance-usdm"

Id = Annotated[int, Meta(ge=0, le=1 << 62)]
Stamp = Annotated[int, Meta(ge=0, le=9_000_000_000_000_000)]  # ms, or µs where asked for
Levels = list[tuple[str, str]]


class DepthUpdate(Struct, gc=False):
    """Changed levels; `previous` is USD-M only."""

    kind: str = field(name="e")
    event_time: Stamp = field(name="E")
    symbol: str = field(name="s")
    first_id: Id = field(name="U")
    last_id: Id = field(name="u")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")
    previous_id: Id | UnsetType = field(name="pu", default=UNSET)
    trade_time: Stamp | UnsetType = field(name="T", default=UNSET)

    @property
    def colons(self) -> int:
        return 7 + (self.previous_id is not UNSET) + (self.trade_time is not UNSET)

    @property
    def dialect(self) -> str:
        return SPOT if self.previous_id is UNSET else USDM


class BookTicker(Struct, gc=False):
    """Best bid and ask; spot gives neither kind nor times."""

    last_id: Id = field(name="u")
    symbol: str = field(name="s")
    bid: str = field(name="b")
    bid_quantity: str = field(name="B")
    ask: str = field(name="a")
    ask_quantity: str = field(name="A")
    kind: str | UnsetType = field(name="e", default=UNSET)
    trade_time: Stamp | UnsetType = field(name="T", default=UNSET)
    event_time: Stamp | UnsetType = field(name="E", default=UNSET)

    @property
    def colons(self) -> int:
        return 6 + (self.kind is not UNSET) + (self.trade_time is not UNSET) + (self.event_time is not UNSET)

    @property
    def dialect(self) -> str:
        return SPOT if self.kind is UNSET else USDM


class Trade(Struct, gc=False):
    """One trade. `X` (order type) is USD-M only, `M` (ignore) spot only."""

    kind: str = field(name="e")
    event_time: Stamp = field(name="E")
    symbol: str = field(name="s")
    trade_id: Id = field(name="t")
    price: str = field(name="p")
    quantity: str = field(name="q")
    trade_time: Stamp = field(name="T")
    buyer_is_maker: bool = field(name="m")
    ignore: bool | UnsetType = field(name="M", default=UNSET)
    order_type: str | UnsetType = field(name="X", default=UNSET)

    @property
    def colons(self) -> int:
        return 8 + (self.ignore is not UNSET) + (self.order_type is not UNSET)

    @property
    def dialect(self) -> str:
        return SPOT if self.order_type is UNSET else USDM


class DepthSnapshot(Struct, gc=False):
    """The answer of GET depth; it names no symbol. USD-M adds two times."""

    last_id: Id = field(name="lastUpdateId")
    bids: Levels
    asks: Levels
    event_time: Stamp | UnsetType = field(name="E", default=UNSET)
    trade_time: Stamp | UnsetType = field(name="T", default=UNSET)

    @property
    def colons(self) -> int:
        return 3 + (self.event_time is not UNSET) + (self.trade_time is not UNSET)

    @property
    def dialect(self) -> str:
        return SPOT if self.event_time is UNSET else USDM


Message = DepthUpdate | BookTicker | Trade | DepthSnapshot


class _Envelope(Struct, gc=False):
    """Everything that tells messages apart; `bids` and `best_bid` are only asked whether they are there."""

    stream: str = ""
    data: msgspec.Raw | UnsetType = UNSET
    kind: str = field(name="e", default="")
    last_update_id: msgspec.Raw | UnsetType = field(name="lastUpdateId", default=UNSET)
    best_bid: msgspec.Raw | UnsetType = field(name="B", default=UNSET)
    result: msgspec.Raw | UnsetType = UNSET
    error: msgspec.Raw | UnsetType = UNSET


class Ignored(Struct, frozen=True):
    """A well-formed message that carries no market row: a reply, or a channel that is not read."""

    channel: str


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_DEPTH, _TRADE = msgspec.json.Decoder(DepthUpdate), msgspec.json.Decoder(Trade)
_TICKER, _SNAPSHOT = msgspec.json.Decoder(BookTicker), msgspec.json.Decoder(DepthSnapshot)
_BY_CHANNEL: dict[str, tuple[msgspec.json.Decoder[Message], str]] = {
    "depth": (_DEPTH, "depthUpdate"),  # type: ignore[dict-item]
    "trade": (_TRADE, "trade"),  # type: ignore[dict-item]
    "bookTicker": (_TICKER, "bookTicker"),  # type: ignore[dict-item]
}
_BY_KIND = {"depthUpdate": "depth", "trade": "trade", "bookTicker": "bookTicker"}
_ENVELOPE_COLONS = 2


@lru_cache(maxsize=4_096)
def _channel(stream: str) -> str:
    """`depth` of btcusdt@depth@100ms."""
    return stream.partition("@")[2].partition("@")[0]


def decode(text: bytes) -> Message | Ignored:
    """The message in `text`.

    Raises BadData where it is no JSON, lacks a field, holds a value out of range or names a key twice.
    """
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadData(str(error), expected="a Binance market message") from error
    except RecursionError as error:
        raise BadData("nested too deep", expected="a Binance market message") from error


def _decode(text: bytes) -> Message | Ignored:
    envelope = _ENVELOPE.decode(text)
    extra, body = 0, msgspec.Raw(text)
    if envelope.stream:
        if envelope.data is UNSET:
            raise BadData("a combined stream without data", expected='{"stream": …, "data": …}')
        channel, body, extra = _channel(envelope.stream), envelope.data, _ENVELOPE_COLONS
    elif envelope.last_update_id is not UNSET:
        return _whole(_SNAPSHOT.decode(text), text, 0)
    elif envelope.kind or envelope.best_bid is not UNSET:
        channel = _BY_KIND.get(envelope.kind, envelope.kind) if envelope.kind else "bookTicker"
    elif envelope.result is not UNSET or envelope.error is not UNSET:
        return Ignored("reply")
    else:
        raise BadData("is none of depth, bookTicker, trade, snapshot", expected="a Binance market message")
    known = _BY_CHANNEL.get(channel)
    if known is None:
        return Ignored(channel[:40])
    message = known[0].decode(body)
    if getattr(message, "kind", UNSET) not in (known[1], UNSET):
        raise BadData(f"a message of another kind in a {channel} stream", expected=known[1])
    return _whole(message, text, extra)


def _whole(message: Message, text: bytes, envelope_colons: int) -> Message:
    """`message`, once it is sure that no key was written twice: as many colons as fields, or a slow look."""
    if text.count(b":") != message.colons + envelope_colons:
        refuse_duplicates(text)
    return message
