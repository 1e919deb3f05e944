"""The venues of cryptofeed's captures, by protocols partly long gone: Kraken v1, Coinbase Exchange, Binance."""

from __future__ import annotations

import re
from collections import Counter

import msgspec
import numpy as np
from msgspec import Struct

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues import base
from tradewind.venues.adapter import DEPTH, Answer, Topic
from tradewind.venues.base import NO_ROWS, At, Line
from tradewind.venues.binance.adapter import BinanceAdapter
from tradewind.venues.cryptofeed import layouts
from tradewind.venues.cryptofeed.voice import EXPONENT, Captured, decoded
from tradewind.venues.frames import KRAKEN_V1_DEPTH, Restreamed, unit_instrument
from tradewind.venues.imported import Streams
from tradewind.venues.kraken.answers import new_name
from tradewind.venues.numbers import decimals_of, one_unit, rfc3339_ns
from tradewind.venues.rimbook import RimBook, crc32_of
from tradewind.venues.scanner import Scanner
from tradewind.venues.symbols import split_symbol

KRAKEN, COINBASE = "kraken", "coinbase"


# Kraken v1 -------------------------------------------------------------------------------------------------------------------

KrakenLevel = list[str]  # price, quantity, time, and "r" where it is told again


class KrakenBook(Struct):
    """as and bs: a snapshot; a, b: changes; c: the CRC32 of the best ten a side after them."""

    asks: list[KrakenLevel] = msgspec.field(name="as", default=[])
    bids: list[KrakenLevel] = msgspec.field(name="bs", default=[])
    changed_asks: list[KrakenLevel] = msgspec.field(name="a", default=[])
    changed_bids: list[KrakenLevel] = msgspec.field(name="b", default=[])
    checksum: str = msgspec.field(name="c", default="")


class KrakenTicker(Struct):
    """(price, whole lots, quantity) of the best ask and bid."""

    a: tuple[str, int | str, str]
    b: tuple[str, int | str, str]


class KrakenEvent(Struct):
    """Status, heartbeat, reply."""

    event: str


_EVENT = msgspec.json.Decoder(KrakenEvent)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT, _BOOK, _TICKER = msgspec.json.Decoder(str), msgspec.json.Decoder(KrakenBook), msgspec.json.Decoder(KrakenTicker)
_TRADES = msgspec.json.Decoder(list[list[str]])


class KrakenV1(Captured):
    """[channel number, payload, …, channel, pair]; texts show the decimals the checksum is over."""

    layouts = layouts.KRAKEN_V1

    def hear(self, frame: bytes, ts_local: int) -> Rows:
        """Rows of a frame; events have none."""
        if frame.startswith(b"{"):
            decoded(_EVENT, frame)
            self.ignore("events")
            return NO_ROWS
        parts: list[msgspec.Raw] = decoded(_ARRAY, frame)
        self._number = bytes(parts[0]).decode("ascii", "replace") if parts else ""
        if len(parts) < 4:
            raise BadData("a frame of fewer than four parts", expected="[number, payload, channel, pair]")
        channel, pair = (str(decoded(_TEXT, bytes(part))) for part in parts[-2:])
        name = channel.partition("-")[0]
        if name == "book":
            self._frame = frame
            return self._book([decoded(_BOOK, bytes(part)) for part in parts[1:-2]], pair, ts_local)
        if name == "trade":
            return self._trades(decoded(_TRADES, bytes(parts[1])), pair, ts_local)
        if name == "ticker":
            ticker: KrakenTicker = decoded(_TICKER, bytes(parts[1]))
            at, exponents = self._place_of(pair, "quote", (ticker.a[0], ticker.a[2]), ts_local)
            return base.table(base.quote(at, (ticker.b[0], ticker.b[2], ticker.a[0], ticker.a[2]), exponents, 0))
        self.ignore(name)
        return NO_ROWS

    def scanned(self, rows: Rows) -> Rows:
        """Of many frames; snapshots get the checksum they do not carry."""
        self._restreamed(rows)
        for first in np.flatnonzero(rows["marks"] & (codes.FIRST | codes.SNAPSHOT) == codes.FIRST | codes.SNAPSHOT).tolist():
            last = first + int(np.argmax(rows["marks"][first:] & codes.LAST != 0)) + 1
            _prove(rows[first:last])
        return rows

    def _place_of(self, pair: str, channel: str, shown: tuple[str, str], ts_local: int) -> tuple[At, tuple[int, int]]:
        """Where rows belong, and the decimals of the pair: those of the first numbers `shown`."""
        symbol = new_name(pair)
        exponents = decimals_of(shown[0]), decimals_of(shown[1])
        made = unit_instrument(KRAKEN, symbol, split_symbol(symbol), exponents, proof=codes.PROOF_CRC32)
        index, known = self.known(made, (pair, self._number))
        return self.at(index, channel, 0, ts_local), (known.price_exponent, known.quantity_exponent)

    def _book(self, parts: list[KrakenBook], pair: str, ts_local: int) -> Rows:
        whole = any(part.asks or part.bids for part in parts)
        bids = [level for part in parts for level in (part.bids if whole else part.changed_bids)]
        asks = [level for part in parts for level in (part.asks if whole else part.changed_asks)]
        if not bids + asks or any(len(level) < 3 for level in bids + asks):
            raise BadData("a book without levels, or a level without its time", expected="[price, quantity, time]")
        at, exponents = self._place_of(pair, "depth", (asks + bids)[0][:2], ts_local)  # type: ignore[arg-type]
        usual = self.usual(self._frame, ts_local) if whole else None
        if usual is not None:
            return usual
        at.ts_venue = max(one_unit(level[2], 9) for level in bids + asks)
        text = "".join(part.checksum for part in parts)
        marks, checksum = (codes.SNAPSHOT, 0) if whole else (0, one_unit(text, 0))
        levels = base.both(*([(level[0], level[1]) for level in side] for side in (bids, asks)))
        lines = base.depth(at, levels, exponents, marks, at.ts_venue, (0, checksum))
        return _proved(lines, whole)

    def _trades(self, told: list[list[str]], pair: str, ts_local: int) -> Rows:
        lines = []
        for one in told:
            if len(one) < 4:
                raise BadData("a trade of fewer than four parts", expected="[price, quantity, time, side, …]")
            at, exponents = self._place_of(pair, "trade", (one[0], one[1]), ts_local)
            at.ts_venue = one_unit(one[2], 9)
            lines.append(base.trade(at, base.side_of(one[3], ("b", "s")), (one[0], one[1]), exponents, 0))
        return base.table(lines)


def _proved(lines: list[Line], whole: bool) -> Rows:
    rows = base.table(lines)
    if whole:
        _prove(rows)
    return rows


def _prove(rows: Rows) -> None:
    """A v1 snapshot carries no checksum: ours stands in, so that the first update is what proves it."""
    book = RimBook(codes.PROOF_NONE, KRAKEN_V1_DEPTH)
    book.take(rows)
    rows["value"][-1] = crc32_of(book.state, book.levels)


# Coinbase Exchange -----------------------------------------------------------------------------------------------------------


class ExchangeFrame(Struct):
    """Any frame; only the fields of its type are there."""

    type: str
    product_id: str = ""
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []
    changes: list[tuple[str, str, str]] = []
    time: str = ""
    trade_id: int = 0
    side: str = ""
    size: str = ""
    price: str = ""


_EXCHANGE = msgspec.json.Decoder(ExchangeFrame)


class CoinbaseExchange(Captured):
    """level2 and matches. Tickers of that time tell no quantities and are not read."""

    layouts = layouts.COINBASE_EXCHANGE

    def hear(self, frame: bytes, ts_local: int) -> Rows:
        """Rows of a frame."""
        told: ExchangeFrame = decoded(_EXCHANGE, frame)
        if told.type not in ("snapshot", "l2update", "match"):
            self.ignore(told.type)
            return NO_ROWS
        made = unit_instrument(COINBASE, told.product_id, split_symbol(told.product_id), (EXPONENT, EXPONENT))
        index, _ = self.known(made, (told.product_id,))
        usual = self.usual(frame, ts_local) if told.type == "snapshot" else None
        if usual is not None:
            return usual
        channel = "trade" if told.type == "match" else "depth"
        at = self.at(index, channel, rfc3339_ns(told.time) if told.time else 0, ts_local)
        if channel == "trade":
            side = base.side_of(told.side, ("sell", "buy"))  # told is the maker's
            return base.table([base.trade(at, side, (told.price, told.size), (EXPONENT, EXPONENT), told.trade_id)])
        levels = base.both(told.bids, told.asks)
        if told.type == "l2update":
            levels = ((base.side_of(side, ("buy", "sell")), price, size) for side, price, size in told.changes)
        marks = codes.SNAPSHOT if told.type == "snapshot" else 0
        return base.table(base.depth(at, levels, (EXPONENT, EXPONENT), marks, at.ts_venue))


# Binance ---------------------------------------------------------------------------------------------------------------------

BOOK_ASKED = re.compile(r"/depth\?symbol=([A-Z0-9]{1,24})(?:&|$)")
_SYMBOL = re.compile(rb'"s":"([^"\\]{1,24})"')


class Binance:
    """Combined streams through the adapter, and the REST snapshots of the capture's other file."""

    def __init__(self, venue: str, streams: Streams, counts: Counter[str]) -> None:
        self._venue, self._streams, self._counts = venue, streams, counts
        self._adapter = BinanceAdapter(venue, aggregated=True)
        self._restreamed = Restreamed(streams, self._adapter.carried)

    @property
    def scanner(self) -> Scanner | None:
        """The adapter's."""
        return self._adapter.scanner

    def scanned(self, rows: Rows) -> Rows:
        """The scanner's rows, on the streams of the import."""
        return self._restreamed(rows)

    def hear(self, frame: bytes, ts_local: int) -> Rows:
        """Rows of a frame."""
        for symbol in {match.decode("ascii", "replace") for match in _SYMBOL.findall(frame)}:
            self._follow(symbol)
        reading = self._adapter.read(frame, ts_local)
        if reading.refused:
            raise BadData(reading.refused[0].reason, expected="a Binance stream's frame")
        for notice in reading.notices:
            self._counts[f"ignored_{notice.text[:20] or notice.code}"] += 1
        return self._restreamed(reading.rows) if len(reading.rows) else NO_ROWS

    def answered(self, path: str, body: bytes, ts_local: int) -> Rows | None:
        """The whole book of GET depth."""
        found = BOOK_ASKED.search(path)
        if found is None:
            return None
        at = self._follow(found[1])
        rows = self._adapter.read_snapshot(
            Topic(DEPTH, at), Answer(status=200, headers={}, body=body, sent_ns=ts_local, received_ns=ts_local)
        )
        return self._restreamed(rows)

    def _follow(self, symbol: str) -> int:
        """The adapter's index of a symbol, adopted at first sight."""
        if symbol not in self._adapter.index:
            payoff = codes.LINEAR if self._venue == "binance-usdm" else codes.SPOT
            more = {"payoff": payoff, "proof": codes.PROOF_CHAIN}
            made = unit_instrument(self._venue, symbol, split_symbol(symbol), (EXPONENT, EXPONENT), **more)
            self._restreamed.indices.append(self._streams.instrument(f"{self._venue}:{symbol}", lambda _: made))
            self._adapter.adopt([*self._adapter.instruments, made])
        return self._adapter.index[symbol]
