"""cryptofeed's captures: `URL <-> TIME` connected, `URL <- TEXT` sent, `TIME: TEXT` received, `URL -> TIME: TEXT` a REST answer.

TIME is unix seconds of the local clock. The venue is known by the address in the first line; those without a reader here are
refused by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.base import NO_ROWS
from tradewind.venues.binance.join import Joins, messages
from tradewind.venues.cryptofeed import elsewhere, venues
from tradewind.venues.cryptofeed.voice import Voice
from tradewind.venues.frames import FramesImporter
from tradewind.venues.imported import Streams
from tradewind.venues.lines import GZIP_MAGIC, ZSTD_MAGIC, Progress, Refusals, blocks
from tradewind.venues.numbers import one_unit
from tradewind.venues.scanner import Scanner
from tradewind.venues.walk import HEAD_SECONDS, R_HEAD

_RECEIVED = re.compile(rb"(\d{10}\.\d{1,9}): (.*)", re.DOTALL)
_ADDRESS = re.compile(rb"(wss?|https?)://([a-zA-Z0-9.-]{1,100})(?::[0-9]+)?([^ ]*) (<->|<-|->) (.*)", re.DOTALL)
READERS: dict[str, Callable[[Streams, Counter[str]], Voice]] = {
    "ws.kraken.com": venues.KrakenV1,
    "ws-feed.pro.coinbase.com": venues.CoinbaseExchange,
    "ws-feed.exchange.coinbase.com": venues.CoinbaseExchange,
    "stream.binance.com": partial(venues.Binance, "binance"),
    "fstream.binance.com": partial(venues.Binance, "binance-usdm"),
    "api.binance.com": partial(venues.Binance, "binance"),
    "fapi.binance.com": partial(venues.Binance, "binance-usdm"),
    "ws.okx.com": elsewhere.Okx,
    "stream.bybit.com": elsewhere.Bybit,
    "ws.bitstamp.net": elsewhere.Bitstamp,
    "www.bitstamp.net": elsewhere.Bitstamp,
    "futures.kraken.com": elsewhere.KrakenFutures,
}
_SNAPSHOTS = {  # by host: the venue, and how a path asks for a whole book
    "api.binance.com": ("binance", venues.BOOK_ASKED),
    "fapi.binance.com": ("binance-usdm", venues.BOOK_ASKED),
    "www.bitstamp.net": (elsewhere.BITSTAMP, elsewhere.ORDER_BOOK),
}


class CaptureReader:
    """One capture file. `silent` where it holds REST answers: they may be such as are not read."""

    def __init__(self, path: Path, streams: Streams, counts: Counter[str]) -> None:
        self._path, self._streams, self._counts = path, streams, counts
        self._voice: Voice | None = None
        self._host = ""
        self.silent = False
        self._askers: dict[str, Voice] = {}

    def rows(self, line: bytes) -> Rows:
        """What a received frame holds; lines of connecting and sending give none."""
        told = _RECEIVED.match(line)
        if told is None:
            return self._address(line)
        if self._voice is None:
            raise BadData(f"frames of {self._host or 'no address'} are not read", expected=", ".join(sorted(READERS)))
        return self._voice.hear(told[2].strip(), one_unit(told[1].decode(), 9))

    @property
    def scanner(self) -> Scanner | None:
        """The venue's, where one was named."""
        found = self._voice.scanner if self._voice is not None else None
        if found is not None:
            found.table[R_HEAD] = HEAD_SECONDS
        return found

    def scanned(self, rows: Rows) -> Rows:
        """Rows of frames in their order."""
        return self._voice.scanned(rows) if self._voice is not None and len(rows) else rows

    def ended(self) -> None:
        """Nothing waits."""

    def _address(self, line: bytes) -> Rows:
        found = _ADDRESS.match(line)
        if found is None and line.startswith(b"configuration: "):
            return NO_ROWS
        if found is None:
            raise BadData("neither a frame nor an address", expected="TIME: TEXT, or URL <-> TIME")
        host = found[2].decode()
        if found[1].startswith(b"http"):
            return self._answer(host, found[3].decode("ascii", "replace"), found[5])
        self._host = host
        if self._voice is None and host in READERS:
            self._voice = READERS[host](self._streams, self._counts)
        return NO_ROWS

    def _answer(self, host: str, path: str, told: bytes) -> Rows:
        """A REST answer: a whole book, or what is not read."""
        self.silent = True
        answer = _RECEIVED.match(told)
        if answer is not None and host in _SNAPSHOTS:
            if host not in self._askers:
                self._askers[host] = READERS[host](self._streams, self._counts)
            rows = self._askers[host].answered(path, answer[2], one_unit(answer[1].decode(), 9))
            if rows is not None:
                return rows
        self._counts["rest_answers_not_read"] += 1
        return NO_ROWS


class CaptureImporter(FramesImporter):
    """Captures of any venues together. Where the files hold the whole books that a client asked for by REST, changes join them."""

    def __init__(self, files: Sequence[Path], refusals: Refusals, progress: Progress | None = None) -> None:
        super().__init__(files, refusals, CaptureReader, progress)
        self._asked = set[str]().union(*map(_asked, self.files))
        self._joins = Joins()

    def _arranged(self, rows: Rows) -> Rows:
        if not self._asked:
            return rows
        made = self._streams.instruments
        joined = {at: one.proof == codes.PROOF_CHAIN for at, one in enumerate(made) if f"{one.venue}:{one.symbol}" in self._asked}
        built = messages(rows)
        return self._joins.arranged(built, np.ones(len(rows), np.bool_), joined)

    def _ended(self) -> None:
        if self._asked:
            self._counts.update(self._joins.ended())


def _asked(path: Path) -> set[str]:
    """`venue:symbol` of the whole books in a file of REST answers; other files are not looked at further."""
    with suppress(OSError), path.open("rb") as stream:
        if stream.read(4) not in (b"http", GZIP_MAGIC, ZSTD_MAGIC) and stream.seek(0) == 0 and stream.read(2) != GZIP_MAGIC:
            return set()
    asked = set[str]()
    for _, lines in blocks(path, Refusals()):
        if not lines[0].startswith(b"http"):
            return asked
        for found in filter(None, map(_ADDRESS.match, lines)):
            venue, form = _SNAPSHOTS.get(found[2].decode(), ("", None))
            book = form.search(found[3].decode("ascii", "replace")) if form else None
            asked |= {f"{venue}:{book[1]}"} if book else set()
    return asked
