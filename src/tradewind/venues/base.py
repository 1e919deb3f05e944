"""What all adapters share: instruments and their streams, the guard around a frame, messages put together as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import ROW, Rows, pack_range, rows
from tradewind.venues.adapter import Answer, Fact, Quota, Reading, Refused, Topic
from tradewind.venues.duplicates import refuse_duplicates
from tradewind.venues.imported import MAX_STREAMS
from tradewind.venues.numbers import one_unit
from tradewind.venues.scanner import MAX_FRAME_BYTES, Layout, Scanner, Stretch

SHOWN_BYTES = 120
OK_STATUS = 200
TOO_MANY, BANNED = 429, 418

Line = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, int]
"""A row's fields in their order."""


class Market:
    """The part of an adapter that is the same for every venue. A venue adds `_read` and the REST methods."""

    venue = ""
    carried: tuple[str, ...] = ()  # the channels this venue has
    bar_timeframe = "1m"  # of the bars it streams
    counted = False  # the venue counts the frames of a connection
    facts: Mapping[str, Fact] = {}

    def __init__(self) -> None:
        self.instruments: list[Instrument] = []
        self.streams: list[Stream] = []
        self.index: dict[str, int] = {}
        self.scanner: Scanner | None = None  # knows the common frames; without it all are decoded the slow way

    def channels(self) -> Sequence[str]:
        """The channels this venue has."""
        return self.carried

    def adopt(self, instruments: Sequence[Instrument]) -> None:
        """Fix the instruments, and by that the streams: every channel of every instrument, in this order."""
        index = {made.symbol: at for at, made in enumerate(instruments)}
        if len(index) != len(instruments) or any(made.venue != self.venue for made in instruments):
            raise BadUse("instruments of another venue, or one twice", where=self.venue, expected="each symbol of this venue once")
        if len(instruments) * len(self.carried) > MAX_STREAMS:
            raise BadUse(f"more than {MAX_STREAMS} streams", where=self.venue, todo="follow fewer symbols")
        self.instruments, self.index = list(instruments), index
        self.scanner = self._scanner()
        self.streams = [
            Stream(venue=self.venue, channel=channel, instrument=at) for at in range(len(instruments)) for channel in self.carried
        ]

    def layouts(self) -> Sequence[Layout]:
        """The venue's common frames."""
        return ()

    def _scanner(self) -> Scanner | None:
        layouts = self.layouts()
        symbols = [(made.symbol, at, made.price_exponent, made.quantity_exponent) for at, made in enumerate(self.instruments)]
        return Scanner(layouts, symbols, len(self.carried)) if layouts else None

    def source(self, instrument: int, channel: str) -> int:
        """The index of an instrument's channel in `streams`."""
        return instrument * len(self.carried) + self.carried.index(channel)

    def known(self, symbol: str) -> int:
        """The index of an adopted symbol. Raises BadData for any other."""
        found = self.index.get(symbol)
        if found is None:
            raise BadData("a symbol nobody asked for", expected="one of the subscribed symbols")
        return found

    def read(self, frame: bytes, ts_local: int) -> Reading:
        """Everything a frame holds. Never raises: what cannot be read is refused, with its beginning."""
        scanner = self.scanner
        rows = None if scanner is None else scanner.scan(frame, ts_local)
        return self.decoded(frame, ts_local) if rows is None else Reading(rows)

    def stretch(self, text: bytes, at: int, ts_local: int, number: int) -> Stretch | None:
        """What the usual frames hold that stand one a line from byte `at` of `text` on, up to the first unusual one.

        The first is of `ts_local`, each next a ns later; `number` is the connection's frame before, where the venue counts them.
        None where nothing is known of usual frames, or of the frame before.
        """
        if self.scanner is None or (self.counted and number < 0):
            return None
        return self.scanner.stretch(text, at, ts_local, number if self.counted else -1)

    def decoded(self, frame: bytes, ts_local: int) -> Reading:
        """The same, without the scanner."""
        if len(frame) > MAX_FRAME_BYTES:
            return refuse("a frame of more than 4 MiB", frame)
        try:
            return self._read(frame, ts_local)
        except BadData as error:
            return refuse(error.what, frame, self.concerned(frame))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return refuse(_placeless(str(error)), frame, self.concerned(frame))
        except RecursionError:
            return refuse("nested too deep", frame)
        except (ValueError, OverflowError, TypeError) as error:  # a frame is hostile input: whatever it provokes is its refusal
            return refuse(f"unreadable: {type(error).__name__}", frame, self.concerned(frame))

    def _read(self, frame: bytes, ts_local: int) -> Reading:
        raise NotImplementedError

    def concerned(self, frame: bytes) -> Sequence[Topic] | None:
        """Whose data went with a refused frame: all of its channel where it names none of our symbols, None without a channel."""
        try:
            refuse_duplicates(frame)
            channel, symbols = self._named(frame)
        except (BadData, msgspec.MsgspecError, ValueError, RecursionError):  # what cannot even be read that far says nothing
            return None
        if not channel:
            return None
        if channel not in self.carried:
            return ()
        known = bool(symbols) and all(symbol in self.index for symbol in symbols)
        return [Topic(channel, self.index[symbol]) for symbol in symbols] if known else self._all_of(channel)

    def _all_of(self, channel: str) -> Sequence[Topic]:
        return [Topic(channel, at) for at in range(len(self.instruments))]

    def _named(self, frame: bytes) -> tuple[str, Sequence[str]]:
        """(our name of a frame's channel, its symbols), read as leniently as may be; "" for a channel nobody can tell."""
        return "", ()

    def exponents(self, instrument: int) -> tuple[int, int]:
        """(price, quantity)."""
        made = self.instruments[instrument]
        return made.price_exponent, made.quantity_exponent

    def quota(self, answer: Answer) -> Quota:
        """What status and headers say; a venue with weights in its headers says more."""
        return Quota(retry_after_ns=retry_after(answer), banned=answer.status == BANNED)


def refuse(reason: str, frame: bytes, topics: Sequence[Topic] | None = None) -> Reading:
    return Reading(NO_ROWS, refused=[Refused(reason=reason[:SHOWN_BYTES], text=bytes(frame[:SHOWN_BYTES]), topics=topics)])


def _placeless(text: str) -> str:
    """A decoder's complaint without the byte at which it arose, so that equal faults count together."""
    return text.partition(" (byte ")[0].partition(" - at ")[0]


NO_ROWS: Rows = rows(0)
NO_ROWS.flags.writeable = False


def retry_after(answer: Answer) -> int:
    """Nanoseconds that a 418, 429 or 503 asks us to wait; a second where it does not say."""
    if answer.status not in (TOO_MANY, BANNED, 503):
        return 0
    text = answer.headers.get("retry-after", "")
    return (int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 1) * codes.SECOND


def body(answer: Answer, venue: str) -> bytes:
    """The body of a good answer. Raises BadData with the venue's own words for any other."""
    if answer.status != OK_STATUS:
        words = answer.body[:SHOWN_BYTES].decode("utf-8", "replace")
        raise BadData(f"status {answer.status}: {words}", where=venue, expected=f"status {OK_STATUS}")
    return answer.body


def decoded(decoder: msgspec.json.Decoder[Any], answer: Answer, venue: str) -> Any:
    """An answer's body as `decoder` reads it. Raises BadData."""
    try:
        return decoder.decode(body(answer, venue))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadData(
            f"an answer that cannot be read: {_placeless(str(error))}", where=venue, expected="the documented JSON"
        ) from error


# Rows ------------------------------------------------------------------------------------------------------------------------


class At(msgspec.Struct, gc=False):
    """Where and when rows belong."""

    source: int
    instrument: int
    ts_venue: int
    ts_local: int


def line(kind: int, at: At, marks: int = codes.WHOLE, **fields: int) -> Line:
    """One row: `fields` are side, strategy, price, quantity, ref, value."""
    get = fields.get
    return (
        kind, get("side", 0), marks, at.source, at.instrument, 0, get("strategy", 0), 0, at.ts_venue, at.ts_local,
        get("price", 0), get("quantity", 0), get("ref", 0), get("value", 0),
    )  # fmt: skip


def table(lines: Sequence[Line]) -> Rows:
    """Rows of lines. Raises BadData for a number or time beyond 64 bits."""
    try:
        return np.array(lines, ROW) if lines else NO_ROWS
    except OverflowError as error:
        raise BadData("a number or time beyond 64 bits", expected="what a market tells") from error


def side_of(word: str, words: tuple[str, str]) -> int:
    """BUY for the first of `words`, SELL for the second. Raises BadData for any other."""
    if word not in words:
        raise BadData("a side that is neither", expected=" or ".join(words))
    return words.index(word)


Levels = Iterable[tuple[int, str, str]]
"""(side, price, quantity), in the order they are told."""


def both(bids: Iterable[tuple[str, str]], asks: Iterable[tuple[str, str]]) -> Levels:
    """The bids, then the asks."""
    return chain(((codes.BUY, *level) for level in bids), ((codes.SELL, *level) for level in asks))


def depth(
    at: At, levels: Levels, exponents: tuple[int, int], marks: int, ref: int, ends: tuple[int, int] = (0, 0),
) -> list[Line]:  # fmt: skip
    """One depth message; `ends` are the values of its first and of its last row. Raises BadData."""
    lines = []
    for side, price_text, quantity_text in levels:
        price, quantity = one_unit(price_text, exponents[0]), one_unit(quantity_text, exponents[1])
        if price <= 0 or quantity < 0:
            raise BadData("a level without a price, or below zero", expected="a price above zero, a quantity not below")
        lines.append(
            [codes.DEPTH, side, marks, at.source, at.instrument, 0, 0, 0, at.ts_venue, at.ts_local, price, quantity, ref, 0]
        )
    if not lines:
        marks |= codes.EMPTY
        lines.append([codes.DEPTH, 0, marks, at.source, at.instrument, 0, 0, 0, at.ts_venue, at.ts_local, 0, 0, ref, 0])
    lines[0][2] |= codes.FIRST
    lines[-1][2] |= codes.LAST
    lines[0][-1] = ends[0]
    lines[-1][-1] = ends[1] or lines[-1][-1]
    return [tuple(one) for one in lines]  # type: ignore[misc]


def quote(at: At, texts: tuple[str, str, str, str], exponents: tuple[int, int], ref: int) -> list[Line]:
    """The best bid and the best ask: (bid, its quantity, ask, its quantity). Raises BadData."""
    numbers = [one_unit(text, exponents[place & 1]) for place, text in enumerate(texts)]
    if min(numbers) < 0:
        raise BadData("a best quote below zero", expected="prices and quantities not below zero")
    return [
        line(codes.QUOTE, at, codes.FIRST, side=codes.BUY, price=numbers[0], quantity=numbers[1], ref=ref),
        line(codes.QUOTE, at, codes.LAST, side=codes.SELL, price=numbers[2], quantity=numbers[3], ref=ref),
    ]


def trade(at: At, side: int, texts: tuple[str, str], exponents: tuple[int, int], ref: int, marks: int = codes.WHOLE) -> Line:
    """One market trade: its aggressor, (price, quantity), the venue's id. Raises BadData."""
    price, quantity = one_unit(texts[0], exponents[0]), one_unit(texts[1], exponents[1])
    if price <= 0 or quantity <= 0:
        raise BadData("a trade of nothing", expected="a price and a quantity above zero")
    return line(codes.TRADE, at, marks, side=side, price=price, quantity=quantity, ref=ref)


def bar(at: At, timeframe: int, texts: tuple[str, str, str, str, str], exponents: tuple[int, int]) -> Line:
    """One finished bar: (open, high, low, close, volume); `at.ts_venue` is its end. Raises BadData."""
    opened, high, low, close = (one_unit(text, exponents[0]) for text in texts[:4])
    volume = one_unit(texts[4], exponents[1])
    try:
        value = pack_range(high - max(opened, close), min(opened, close) - low)
    except OverflowError as error:
        raise BadData("a bar of more range than 32 bits of its unit", expected="an honest bar") from error
    return line(codes.BAR, at, strategy=timeframe, price=close, quantity=volume, ref=opened, value=value)
