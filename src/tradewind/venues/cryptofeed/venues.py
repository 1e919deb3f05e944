"""The venues of cryptofeed's captures, by protocols partly long gone: Kraken v1, Coinbase Exchange, Binance."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues import base
from tradewind.venues.base import NO_ROWS, At, Line
from tradewind.venues.binance.adapter import BinanceAdapter
from tradewind.venues.frames import KRAKEN_V1_DEPTH, restreamed, unit_instrument
from tradewind.venues.imported import Streams
from tradewind.venues.kraken.answers import new_name
from tradewind.venues.numbers import decimals_of, one_unit, rfc3339_ns
from tradewind.venues.symbols import split_symbol

KRAKEN, COINBASE = "kraken", "coinbase"
EXPONENT = 8


def _decoded(decoder: msgspec.json.Decoder[Any], frame: bytes) -> Any:
    try:
        return decoder.decode(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadData(str(error).partition(" - at ")[0].partition(" (byte ")[0], expected="a market frame") from error


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


class KrakenV1:
    """[channel number, payload, …, channel, pair]; texts show the decimals the checksum is over."""

    def __init__(self, streams: Streams, counts: Counter[str]) -> None:
        self._streams, self._counts = streams, counts

    def hear(self, frame: bytes, ts_local: int) -> Rows:
        """Rows of a frame; events have none."""
        if frame.startswith(b"{"):
            _decoded(_EVENT, frame)
            self._counts["ignored_events"] += 1
            return NO_ROWS
        parts: list[msgspec.Raw] = _decoded(_ARRAY, frame)
        if len(parts) < 4:
            raise BadData("a frame of fewer than four parts", expected="[number, payload, channel, pair]")
        channel, pair = (str(_decoded(_TEXT, bytes(part))) for part in parts[-2:])
        name = channel.partition("-")[0]
        if name == "book":
            return self._book([_decoded(_BOOK, bytes(part)) for part in parts[1:-2]], new_name(pair), ts_local)
        if name == "trade":
            return self._trades(_decoded(_TRADES, bytes(parts[1])), new_name(pair), ts_local)
        if name == "ticker":
            ticker: KrakenTicker = _decoded(_TICKER, bytes(parts[1]))
            at, exponents = self._at(new_name(pair), "quote", (ticker.a[0], ticker.a[2]), ts_local)
            return base.table(base.quote(at, (ticker.b[0], ticker.b[2], ticker.a[0], ticker.a[2]), exponents, 0))
        self._counts[f"ignored_{name[:20]}"] += 1
        return NO_ROWS

    def _at(self, symbol: str, channel: str, shown: tuple[str, str], ts_local: int) -> tuple[At, tuple[int, int]]:
        """Where rows belong, and the decimals of the pair: those of the first numbers `shown`."""
        pair = split_symbol(symbol)
        exponents = decimals_of(shown[0]), decimals_of(shown[1])
        made = unit_instrument(KRAKEN, symbol, pair, exponents, proof=codes.PROOF_CRC32)
        index = self._streams.instrument(f"{KRAKEN}:{symbol}", lambda _: made)
        known = self._streams.instruments[index]
        return At(self._streams.source(index, channel), index, 0, ts_local), (known.price_exponent, known.quantity_exponent)

    def _book(self, parts: list[KrakenBook], symbol: str, ts_local: int) -> Rows:
        whole = any(part.asks or part.bids for part in parts)
        bids = [level for part in parts for level in (part.bids if whole else part.changed_bids)]
        asks = [level for part in parts for level in (part.asks if whole else part.changed_asks)]
        if not bids + asks or any(len(level) < 3 for level in bids + asks):
            raise BadData("a book without levels, or a level without its time", expected="[price, quantity, time]")
        at, exponents = self._at(symbol, "depth", (asks + bids)[0][:2], ts_local)  # type: ignore[arg-type]
        at.ts_venue = max(one_unit(level[2], 9) for level in bids + asks)
        text = "".join(part.checksum for part in parts)
        marks, checksum = (codes.SNAPSHOT, 0) if whole else (0, one_unit(text, 0))
        levels = base.both(*([(level[0], level[1]) for level in side] for side in (bids, asks)))
        lines = base.depth(at, levels, exponents, marks, at.ts_venue, (0, checksum))
        return _proved(lines, whole)

    def _trades(self, told: list[list[str]], symbol: str, ts_local: int) -> Rows:
        lines = []
        for one in told:
            if len(one) < 4:
                raise BadData("a trade of fewer than four parts", expected="[price, quantity, time, side, …]")
            at, exponents = self._at(symbol, "trade", (one[0], one[1]), ts_local)
            at.ts_venue = one_unit(one[2], 9)
            lines.append(base.trade(at, base.side_of(one[3], ("b", "s")), (one[0], one[1]), exponents, 0))
        return base.table(lines)


def _proved(lines: list[Line], whole: bool) -> Rows:
    """A v1 snapshot carries no checksum: ours stands in, so that the first update is what proves it."""
    rows = base.table(lines)
    if whole:
        from tradewind.venues.rimbook import RimBook, crc32_of

        book = RimBook(codes.PROOF_NONE, KRAKEN_V1_DEPTH)
        book.take(rows)
        rows["value"][-1] = crc32_of(book.state, book.levels)
    return rows


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


class CoinbaseExchange:
    """level2 and matches. Tickers of that time tell no quantities and are not read."""

    def __init__(self, streams: Streams, counts: Counter[str]) -> None:
        self._streams, self._counts = streams, counts

    def hear(self, frame: bytes, ts_local: int) -> Rows:
        """Rows of a frame."""
        told: ExchangeFrame = _decoded(_EXCHANGE, frame)
        if told.type not in ("snapshot", "l2update", "match"):
            self._counts[f"ignored_{told.type[:20]}"] += 1
            return NO_ROWS
        made = unit_instrument(COINBASE, told.product_id, split_symbol(told.product_id), (EXPONENT, EXPONENT))
        index = self._streams.instrument(f"{COINBASE}:{told.product_id}", lambda _: made)
        channel = "trade" if told.type == "match" else "depth"
        at = At(self._streams.source(index, channel), index, rfc3339_ns(told.time) if told.time else 0, ts_local)
        if channel == "trade":
            side = base.side_of(told.side, ("sell", "buy"))  # told is the maker's
            return base.table([base.trade(at, side, (told.price, told.size), (EXPONENT, EXPONENT), told.trade_id)])
        levels = base.both(told.bids, told.asks)
        if told.type == "l2update":
            levels = ((base.side_of(side, ("buy", "sell")), price, size) for side, price, size in told.changes)
        marks = codes.SNAPSHOT if told.type == "snapshot" else 0
        return base.table(base.depth(at, levels, (EXPONENT, EXPONENT), marks, at.ts_venue))


# Binance ---------------------------------------------------------------------------------------------------------------------

_SYMBOL = re.compile(rb'"s":"([^"\\]{1,24})"')


class Binance:
    """Combined streams through the adapter. The snapshots of such a capture lie in another file: its diffs join no book."""

    def __init__(self, venue: str, streams: Streams, counts: Counter[str]) -> None:
        self._venue, self._streams, self._counts = venue, streams, counts
        self._adapter, self._indices = BinanceAdapter(venue, aggregated=True), list[int]()

    def hear(self, frame: bytes, ts_local: int) -> Rows:
        """Rows of a frame."""
        for symbol in {match.decode("ascii", "replace") for match in _SYMBOL.findall(frame)} - set(self._adapter.index):
            payoff = codes.LINEAR if self._venue == "binance-usdm" else codes.SPOT
            more = {"payoff": payoff, "proof": codes.PROOF_CHAIN}
            made = unit_instrument(self._venue, symbol, split_symbol(symbol), (EXPONENT, EXPONENT), **more)
            self._indices.append(self._streams.instrument(f"{self._venue}:{symbol}", lambda _, made=made: made))  # type: ignore[misc]
            self._adapter.adopt([*self._adapter.instruments, made])
        reading = self._adapter.read(frame, ts_local)
        if reading.refused:
            raise BadData(reading.refused[0].reason, expected="a Binance stream's frame")
        for notice in reading.notices:
            self._counts[f"ignored_{notice.text[:20] or notice.code}"] += 1
        rows = reading.rows
        return restreamed(rows, self._streams, self._indices, self._adapter.carried) if len(rows) else NO_ROWS
