"""What the bridge says, as JSON with numbers as text: `fabric.unified` makes it of ccxt's answers, the adapter reads it.

Times are milliseconds, 0 where the venue tells none.
"""

from __future__ import annotations

import msgspec

Level = tuple[str, str]
"""(price, quantity)."""
Candle = tuple[int, str, str, str, str, str]
"""(start, open, high, low, close, volume)."""


class Deal(msgspec.Struct):
    """One market trade; `side` is the taker's, buy or sell."""

    id: str
    ts: int
    side: str
    price: str
    amount: str


class Book(msgspec.Struct, tag="book", tag_field="c"):
    """A book: whole, or the levels that changed; an amount of 0 removes one."""

    symbol: str
    whole: bool
    ts: int
    bids: list[Level]
    asks: list[Level]


class Best(msgspec.Struct, tag="best", tag_field="c"):
    """The best bid and ask."""

    symbol: str
    ts: int
    bid: Level
    ask: Level


class Deals(msgspec.Struct, tag="trades", tag_field="c"):
    """Trades, oldest first."""

    symbol: str
    trades: list[Deal]


class Candles(msgspec.Struct, tag="bars", tag_field="c"):
    """Finished bars, oldest first."""

    symbol: str
    timeframe: str
    bars: list[Candle]


class Word(msgspec.Struct, tag="word", tag_field="c"):
    """What was asked for and what became of it: subscribed, refused or error."""

    code: str
    number: int
    symbol: str = ""
    channel: str = ""
    text: str = ""


class Wish(msgspec.Struct):
    """What the adapter sends: channels of symbols, to be watched or left."""

    op: str  # watch | leave
    number: int
    topics: list[tuple[str, str]]  # (channel, symbol)


class Listed(msgspec.Struct):
    """One market of ccxt's, its numbers as text; "" where ccxt knows none."""

    symbol: str  # ccxt's unified name, BTC/USDT or BTC/USDT:USDT
    base: str
    quote: str
    kind: str  # spot | linear | inverse (amounts are of the quote asset); "" where it is not bridged
    price_step: str
    amount_step: str
    least_amount: str = ""
    least_cost: str = ""
    maker: str = ""
    taker: str = ""
    active: bool = True
    dated: str = ""  # the day a future ends, YYMMDD
    why: str = ""  # it is not bridged


class Page(msgspec.Struct):
    """Trades since a time, oldest first."""

    since: int
    trades: list[Deal]


class Interest(msgspec.Struct):
    """Open contracts, in the base asset."""

    ts: int
    amount: str


class Marks(msgspec.Struct):
    """What a perpetual is marked by; "" and 0 where the venue does not tell."""

    ts: int
    mark: str
    index: str
    rate: str  # of the next funding
    next: int  # when it is


class Time(msgspec.Struct):
    """The venue's clock."""

    now: int


class _Named(msgspec.Struct):
    c: str
    symbol: str = ""


def names(text: bytes) -> tuple[str, str]:
    """(tag, symbol) of a frame whatever else it holds. Raises what msgspec raises."""
    named = _NAMED.decode(text)
    return named.c, named.symbol


_NAMED = msgspec.json.Decoder(_Named)
FRAME = msgspec.json.Decoder(Book | Best | Deals | Candles | Word)
WISH = msgspec.json.Decoder(Wish)
LISTED = msgspec.json.Decoder(list[Listed])
BOOK = msgspec.json.Decoder(Book)
PAGE = msgspec.json.Decoder(Page)
CANDLES = msgspec.json.Decoder(Candles)
INTEREST = msgspec.json.Decoder(Interest)
MARKS = msgspec.json.Decoder(Marks)
TIME = msgspec.json.Decoder(Time)
