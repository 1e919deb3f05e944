"""Kraken v2 market messages as Structs (docs.kraken.com/api/docs/websocket-v2/book). Numbers keep their text.

Kraken writes numbers without quotes and its checksum is over their digits, trailing zeros included: a float would lose
them, so prices and quantities stay raw until `market` makes integers of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tradewind.domain.errors import BadData
from tradewind.venues.duplicates import refuse_duplicates

MAX_LEVELS = 1_000  # the deepest book Kraken offers


class Level(Struct, gc=False):
    """A level whose numbers are still text."""

    price: msgspec.Raw
    qty: msgspec.Raw

    @property
    def texts(self) -> tuple[str, str]:
        """(price, quantity) as written."""
        return bytes(self.price).decode("ascii", "replace"), bytes(self.qty).decode("ascii", "replace")


class BookData(Struct, gc=False):
    """One symbol's book or its changes."""

    symbol: str
    bids: list[Level]
    asks: list[Level]
    checksum: Annotated[int, Meta(ge=0, lt=1 << 32)]
    timestamp: str = ""


class Book(Struct, frozen=True):
    """A frame of the book channel."""

    snapshot: bool
    data: list[BookData]


class Subscribed(Struct, frozen=True):
    """The venue agreed to send a book of `depth` levels a side."""

    symbol: str
    depth: int


class Ignored(Struct, frozen=True):
    """A well-formed frame without a book: heartbeat, status, another channel."""

    channel: str


class _Head(Struct, gc=False):
    channel: str = ""
    type: str = ""
    method: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    result: msgspec.Raw = msgspec.Raw(b"{}")


class _Result(Struct, gc=False):
    channel: str = ""
    symbol: str = ""
    depth: int = 0


class _Recording(Struct, gc=False):
    init: msgspec.Raw
    updates: list[msgspec.Raw]


_HEAD, _RESULT = msgspec.json.Decoder(_Head), msgspec.json.Decoder(_Result)
_DATA, _RECORDING = msgspec.json.Decoder(list[BookData]), msgspec.json.Decoder(_Recording)
_FRAME_COLONS, _DATA_COLONS, _LEVEL_COLONS, _TIMESTAMP_COLONS = 3, 4, 2, 3


def frames(line: bytes) -> Iterator[bytes]:
    """The frames in a line: the line itself, or all of a recording {"init": frame, "updates": [frame, …]} kept as one."""
    if not line.lstrip().startswith(b'{"init"'):
        yield line
        return
    try:
        recording = _RECORDING.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadData(str(error), expected='a recording {"init": frame, "updates": [frame, …]}') from error
    yield bytes(recording.init)
    for update in recording.updates:
        yield bytes(update)


def decode(text: bytes) -> Book | Subscribed | Ignored:
    """The frame in `text`. Raises BadData where it is no JSON, lacks a field or names a key twice."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadData(str(error), expected="a Kraken v2 frame") from error
    except RecursionError as error:
        raise BadData("nested too deep", expected="a Kraken v2 frame") from error


def _decode(text: bytes) -> Book | Subscribed | Ignored:
    head = _HEAD.decode(text)
    if head.method == "subscribe":
        result = _RESULT.decode(head.result)
        return Subscribed(result.symbol, result.depth) if result.channel == "book" else Ignored("reply")
    if head.channel != "book":
        if not head.channel and not head.method:
            raise BadData("is no frame of Kraken v2: neither channel nor method", expected="a Kraken v2 frame")
        return Ignored(head.channel[:40] or "reply")
    if head.type not in ("snapshot", "update"):
        raise BadData(f"a book frame of type {head.type[:40]!r}", expected="snapshot or update")
    data = _DATA.decode(head.data)
    colons = _FRAME_COLONS
    for book in data:
        if len(book.bids) + len(book.asks) > 2 * MAX_LEVELS:
            raise BadData(f"{len(book.bids) + len(book.asks)} levels", expected=f"at most {MAX_LEVELS} a side")
        colons += _DATA_COLONS + _LEVEL_COLONS * (len(book.bids) + len(book.asks)) + _TIMESTAMP_COLONS * bool(book.timestamp)
    if text.count(b":") != colons:
        refuse_duplicates(text)
    return Book(head.type == "snapshot", data)
