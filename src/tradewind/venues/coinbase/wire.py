"""Coinbase Advanced Trade market frames as Structs (docs.cdp.coinbase.com, WebSocket channels, read 2026-11-22).

Every frame of a connection carries `sequence_num`, which counts all of them, `subscriptions` and filtered ones included.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from tradewind.domain.errors import BadData
from tradewind.venues.duplicates import refuse_duplicates

Number = Annotated[int, Meta(ge=0, le=1 << 62)]


class Level(Struct, gc=False):
    """One changed level; quantity 0 removes it."""

    side: str  # bid or offer
    event_time: str
    price_level: str
    new_quantity: str


class BookEvent(Struct, gc=False):
    """A snapshot or changes of one product's book; without changes it is a frame that was filtered out."""

    type: str
    product_id: str
    updates: list[Level]


class Trade(Struct, gc=False):
    """One trade; `side` is the maker's."""

    trade_id: str
    product_id: str
    price: str
    size: str
    side: str
    time: str


class TradesEvent(Struct, gc=False):
    """Trades, newest first."""

    type: str
    trades: list[Trade]


class Ticker(Struct, gc=False):
    """The best bid and ask, among statistics that are not read."""

    product_id: str
    best_bid: str = ""
    best_bid_quantity: str = ""
    best_ask: str = ""
    best_ask_quantity: str = ""


class TickerEvent(Struct, gc=False):
    """Tickers."""

    type: str
    tickers: list[Ticker]


class Candle(Struct, gc=False):
    """A five-minute candle in the making; start in unix seconds."""

    start: str
    high: str
    low: str
    open: str
    close: str
    volume: str
    product_id: str


class CandlesEvent(Struct, gc=False):
    """Candles."""

    type: str
    candles: list[Candle]


class Heartbeat(Struct, gc=False):
    """Once a second; the counter has no gaps."""

    heartbeat_counter: int | str


class Frame(Struct, gc=False):
    """One frame; `events` by its channel, or empty where the channel is not read."""

    channel: str
    sequence: int
    timestamp: str
    events: list[Any]


class Problem(Struct, gc=False):
    """What the venue does not like."""

    message: str


class _Head(Struct, gc=False):
    channel: str = ""
    type: str = ""
    message: str = ""
    timestamp: str = ""
    sequence_num: Number = 0
    events: Raw = Raw(b"[]")


_HEAD = msgspec.json.Decoder(_Head)
_BY_CHANNEL: dict[str, msgspec.json.Decoder[Any]] = {
    "l2_data": msgspec.json.Decoder(list[BookEvent]),
    "market_trades": msgspec.json.Decoder(list[TradesEvent]),
    "ticker": msgspec.json.Decoder(list[TickerEvent]),
    "candles": msgspec.json.Decoder(list[CandlesEvent]),
    "heartbeats": msgspec.json.Decoder(list[Heartbeat]),
    "subscriptions": msgspec.json.Decoder(list[dict[str, dict[str, list[str]]]]),
}


class _Item(Struct, gc=False):
    product_id: str


class _Event(Struct, gc=False):
    product_id: str | None = None
    trades: list[_Item] = []
    tickers: list[_Item] = []
    candles: list[_Item] = []

    @property
    def names(self) -> list[str]:
        """Of the event itself, or of what it lists."""
        listed = [*self.trades, *self.tickers, *self.candles]
        return [self.product_id] if self.product_id is not None else [one.product_id for one in listed]


_EVENTS = msgspec.json.Decoder(list[_Event])


def names(text: bytes) -> tuple[str, list[str]]:
    """(channel, products) of a frame whatever else it holds; none where they cannot be read. Raises what msgspec raises."""
    head = _HEAD.decode(text)
    try:
        named = [event.names for event in _EVENTS.decode(head.events)]
        return head.channel, [name for part in named for name in part] if all(named) else []
    except msgspec.MsgspecError:
        return head.channel, []


def hear(text: bytes) -> Frame | Problem:
    """The message of a frame. Raises BadData (or what msgspec raises) where it is none of Coinbase's."""
    head = _HEAD.decode(text)
    refuse_duplicates(text)
    if not head.channel:
        if head.type == "error" or head.message:
            return Problem(head.message or head.type)
        raise BadData("is no frame of Advanced Trade: no channel", expected="a Coinbase market frame")
    decoder = _BY_CHANNEL.get(head.channel)
    events = decoder.decode(head.events) if decoder else []
    return Frame(head.channel[:40], head.sequence_num, head.timestamp, events)
