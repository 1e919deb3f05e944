"""cryptofeed's captures: `URL <-> TIME` connected, `URL <- TEXT` sent, `TIME: TEXT` received, `URL -> TIME: TEXT` a REST answer.

TIME is unix seconds of the local clock. The venue is known by the address in the first line; those without a reader here are
refused by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.base import NO_ROWS
from tradewind.venues.cryptofeed import venues
from tradewind.venues.imported import Streams
from tradewind.venues.numbers import one_unit

_RECEIVED = re.compile(rb"(\d{10}\.\d{1,9}): (.*)", re.DOTALL)
_ADDRESS = re.compile(rb"(wss?|https?)://([a-zA-Z0-9.-]{1,100})[^ ]* (<->|<-|->) (.*)", re.DOTALL)
Hear = Callable[[bytes, int], Rows]
READERS: dict[str, Callable[[Streams, Counter[str]], Hear]] = {
    "ws.kraken.com": lambda streams, counts: venues.KrakenV1(streams, counts).hear,
    "ws-feed.pro.coinbase.com": lambda streams, counts: venues.CoinbaseExchange(streams, counts).hear,
    "ws-feed.exchange.coinbase.com": lambda streams, counts: venues.CoinbaseExchange(streams, counts).hear,
    "stream.binance.com": lambda streams, counts: venues.Binance("binance", streams, counts).hear,
    "fstream.binance.com": lambda streams, counts: venues.Binance("binance-usdm", streams, counts).hear,
}


class CaptureReader:
    """One capture file."""

    def __init__(self, path: Path, streams: Streams, counts: Counter[str]) -> None:
        self._path, self._streams, self._counts = path, streams, counts
        self._hear: Hear | None = None
        self._host = ""

    def rows(self, line: bytes) -> Rows:
        """What a received frame holds; lines of connecting and sending give none."""
        told = _RECEIVED.match(line)
        if told is None:
            return self._address(line)
        if self._hear is None:
            raise BadData(f"frames of {self._host or 'no address'} are not read", expected=", ".join(sorted(READERS)))
        return self._hear(told[2].strip(), one_unit(told[1].decode(), 9))

    def _address(self, line: bytes) -> Rows:
        found = _ADDRESS.match(line)
        if found is None:
            raise BadData("neither a frame nor an address", expected="TIME: TEXT, or URL <-> TIME")
        if found[1].startswith(b"http"):
            self._counts["rest_answers_not_read"] += 1
            return NO_ROWS
        self._host = found[2].decode()
        if self._hear is None and self._host in READERS:
            self._hear = READERS[self._host](self._streams, self._counts)
        return NO_ROWS
