"""What Kraken v2 sends over a public socket (docs.kraken.com, Spot WebSocket v2, 2026-11-22). Numbers keep their text."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from tradewind.domain.errors import BadData
from tradewind.venues.duplicates import refuse_duplicates
from tradewind.venues.kraken.wire import MAX_LEVELS, BookData


class TradeData(Struct, gc=False):
    """One trade; `side` is the taker's."""

    symbol: str
    side: str
    price: Raw
    qty: Raw
    trade_id: int
    timestamp: str


class TickerData(Struct, gc=False):
    """The best bid and ask, among statistics that are not read."""

    symbol: str
    bid: Raw
    bid_qty: Raw
    ask: Raw
    ask_qty: Raw
    timestamp: str = ""


class CandleData(Struct, gc=False):
    """A candle in the making; `interval` in minutes."""

    symbol: str
    interval: int
    interval_begin: str
    open: Raw
    high: Raw
    low: Raw
    close: Raw
    volume: Raw


class PairData(Struct):
    """The rules of one pair."""

    symbol: str
    base: str
    quote: str
    status: str
    price_precision: int
    qty_precision: int
    price_increment: Raw
    qty_increment: Raw
    qty_min: Raw
    cost_min: Raw = Raw(b"0")


class Reference(Struct):
    """The data of the instrument channel; assets are not read."""

    pairs: list[PairData]


class StatusData(Struct):
    """The state of the matching engine: online, maintenance, cancel_only, post_only."""

    system: str = ""


class Result(Struct, frozen=True):
    """What a subscription was made for."""

    channel: str = ""
    symbol: str = ""
    depth: int = 0


class Reply(Struct):
    """The answer to a request."""

    method: str
    success: bool = True
    error: str = ""
    symbol: str = ""
    req_id: int = 0
    result: Result = Result()


class Frame(Struct):
    """A frame of a channel: `data` has been read by the channel's own Struct; None where the channel is not read."""

    channel: str
    snapshot: bool
    data: Any


class _Head(Struct, gc=False):
    channel: str = ""
    type: str = ""
    method: str = ""
    error: str = ""
    data: Raw = Raw(b"[]")


class _Named(Struct, gc=False):
    symbol: str


_HEAD, _REPLY = msgspec.json.Decoder(_Head), msgspec.json.Decoder(Reply)
_BY_CHANNEL: dict[str, msgspec.json.Decoder[Any]] = {
    "book": msgspec.json.Decoder(list[BookData]),
    "trade": msgspec.json.Decoder(list[TradeData]),
    "ticker": msgspec.json.Decoder(list[TickerData]),
    "ohlc": msgspec.json.Decoder(list[CandleData]),
    "instrument": msgspec.json.Decoder(Reference),
    "status": msgspec.json.Decoder(list[StatusData]),
}


_NAMED = msgspec.json.Decoder(list[_Named])


def names(text: bytes) -> tuple[str, list[str]]:
    """(channel, symbols) of a frame whatever else it holds; none where the symbols cannot be read. Raises what msgspec raises."""
    head = _HEAD.decode(text)
    try:
        return head.channel or head.method, [one.symbol for one in _NAMED.decode(head.data)]
    except msgspec.MsgspecError:
        return head.channel or head.method, []


def words(raw: Raw) -> str:
    """A number's text."""
    return bytes(raw).decode("ascii", "replace")


def hear(text: bytes) -> Frame | Reply:
    """The message of a frame. Raises BadData (or what msgspec raises) where it is none of Kraken's."""
    head = _HEAD.decode(text)
    refuse_duplicates(text)
    if head.method or (head.error and not head.channel):
        return _REPLY.decode(text) if head.method else Reply(method="error", success=False, error=head.error)
    if not head.channel:
        raise BadData("is no frame of Kraken v2: neither channel nor method", expected="a Kraken v2 frame")
    decoder = _BY_CHANNEL.get(head.channel)
    if decoder is None:
        return Frame(head.channel[:40], False, None)
    if head.type not in ("snapshot", "update"):
        raise BadData("a frame of another type", expected="snapshot or update")
    frame = Frame(head.channel, head.type == "snapshot", decoder.decode(head.data))
    if head.channel == "book" and any(len(book.bids) > MAX_LEVELS or len(book.asks) > MAX_LEVELS for book in frame.data):
        raise BadData("too many levels", expected=f"at most {MAX_LEVELS} a side")
    return frame
