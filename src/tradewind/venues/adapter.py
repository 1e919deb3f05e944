"""What the fabric asks of a venue's market-data side: how to subscribe, how to read a frame, what to ask by REST.

An adapter owns no socket, no clock and no task. It turns wishes into bytes and bytes into rows, so the very same object
works live, against an emulator, over a recording and under a virtual loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import Rows

DEPTH, QUOTE, TRADE, BAR = "depth", "quote", "trade", "bar"
FUNDING, MARK, OPEN_INTEREST, LIQUIDATION = "funding", "mark", "open_interest", "liquidation"
CHANNELS = (DEPTH, QUOTE, TRADE, BAR, FUNDING, MARK, OPEN_INTEREST, LIQUIDATION)

GUESS = ""  # the witness of a fact nobody has seen confirmed


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of a venue: its value, where it is written, as of when, and who confirmed it."""

    value: float | int | str | bool | tuple[float | int | str, ...]
    unit: str = ""
    source: str  # the document's title and section
    date: str  # of the document, YYYY-MM-DD
    witness: str = GUESS  # a recording, a documented example or a client that agrees; GUESS where there is none


class Topic(msgspec.Struct, frozen=True):
    """One subscription: a channel of CHANNELS for one of the adapter's instruments."""

    channel: str
    instrument: int


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One REST request and what it costs of the venue's budget."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    weight: int = 1
    purpose: str = "market"  # rules | market | history | clock; budgets are kept by it


class Answer(msgspec.Struct, kw_only=True):
    """What came back. Times are ns of the local clock."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    sent_ns: int
    received_ns: int


class Notice(msgspec.Struct, kw_only=True):
    """What a frame said beside rows."""

    code: str  # subscribed | refused | heartbeat | status | shutdown | pong | error
    topic: Topic | None = None
    text: str = ""
    number: int = 0  # the id of the request it answers, or a heartbeat's counter


class Refused(msgspec.Struct, kw_only=True):
    """Something on the wire that did not become a row."""

    reason: str  # repeats: without places and values
    text: bytes = b""  # its beginning
    topics: Sequence[Topic] | None = None  # whose data went with it; None: it does not say so clearly


class Reading(msgspec.Struct, gc=False):
    """All that one frame held. `rows` are whole messages, `source` is an index of the adapter's `streams`, `stream_seq` is 0."""

    rows: Rows
    notices: Sequence[Notice] = ()
    refused: Sequence[Refused] = ()
    sequence: int = -1  # the frame's number on its connection, where the venue counts frames (Coinbase)


class Quota(msgspec.Struct, kw_only=True):
    """What an answer's status and headers say of the budget."""

    used: Mapping[str, int] = {}  # by the name of the venue's window (`1m`, …)
    retry_after_ns: int = 0  # above 0: ask nothing before
    banned: bool = False


class Page(msgspec.Struct):
    """A part of a history, oldest first, and how to go on; `next` is None at its end."""

    rows: Rows
    next: Ask | None = None


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter's optional method `samples()` gives, so that it can be checked without its venue."""

    instruments: Sequence[Instrument]
    frames: Sequence[bytes]  # as the venue sends them, of those instruments; at least one of every channel it streams


class MarketAdapter(Protocol):
    """A venue's public side. Methods raise BadData for an answer that cannot be read; `read` never raises."""

    venue: str
    facts: Mapping[str, Fact]
    instruments: list[Instrument]
    streams: list[Stream]

    def channels(self) -> Sequence[str]:
        """The channels this venue has."""

    def socket_url(self, base: str, topics: Sequence[Topic]) -> str:
        """Where to connect for `topics`; `base` is the configured address.

        Raises BadUse where they live at several addresses (USD-M): group topics by what this gives for each alone.
        """

    def subscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """Frames to send after connecting; `number` marks the first request's id."""

    def unsubscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        """The reverse."""

    def read(self, frame: bytes, ts_local: int) -> Reading:
        """Everything a frame holds."""

    def ask_instruments(self) -> Ask:
        """For the instruments with their trading rules."""

    def read_instruments(self, answer: Answer, symbols: Sequence[str]) -> list[Instrument]:
        """The wanted ones; [] wants all. They become `instruments` when given to `adopt`."""

    def adopt(self, instruments: Sequence[Instrument]) -> None:
        """Fix the instruments (and by that the streams) of this adapter's rows."""

    def ask_snapshot(self, topic: Topic) -> Ask | None:
        """For a whole book by REST; None where the stream itself brings it."""

    def read_snapshot(self, topic: Topic, answer: Answer) -> Rows:
        """One SNAPSHOT message."""

    def ask_trades(self, topic: Topic, since_id: int, since_ns: int) -> Ask | None:
        """For trades after an id (-1: none) or, where the venue only knows times, after a time; None where there is no history."""

    def read_trades(self, topic: Topic, answer: Answer) -> Page:
        """Trades by REST; marked SYNTHETIC | WHOLE."""

    def ask_candles(self, topic: Topic, timeframe: str, since_ns: int, until_ns: int) -> Ask | None:
        """For finished bars of [since, until)."""

    def read_candles(self, topic: Topic, timeframe: str, answer: Answer) -> Page:
        """Finished bars by REST, oldest first. `next` stays None: to go on, ask again from the last bar's end."""

    def ask_time(self) -> Ask | None:
        """For the venue's clock."""

    def read_time(self, answer: Answer) -> int:
        """Its time in ns."""

    def quota(self, answer: Answer) -> Quota:
        """What an answer says of the request budget."""
