"""Recordings of Kraken v2 books: wire text, one frame a line (a local time in ns before it or not), or {init, updates}.

Where no local time was recorded, the venue's stands in for it, and the notes say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.venues.imported import Imported, Sink, Streams
from tradewind.venues.kraken import wire
from tradewind.venues.kraken.market import book_rows, prove_exponents
from tradewind.venues.lines import MAX_USELESS_LINES, Progress, Refusals, blocks
from tradewind.venues.numbers import rfc3339_ns
from tradewind.venues.symbols import split_symbol

VENUE = "kraken"
DEPTHS = (10, 25, 100, 500, 1_000)  # what the book channel offers
MAX_RECORDING_BYTES = 256 << 20  # {init, updates} is one line
BATCH_ROWS = 1 << 16
EARLIEST_NS = 1_230_768_000 * codes.SECOND
NS_DIGITS = 19
Entry = tuple[int, int, int, bool, int, wire.BookData]
"""(ts_local, file, line or frame, snapshot, ts_venue, book)"""


class KrakenImporter:
    """Turns recordings of the v2 book channel into rows. Use once: `run`."""

    def __init__(self, files: Sequence[Path], refusals: Refusals, progress: Progress | None = None) -> None:
        self.files = list(files)
        self._refusals, self._progress = refusals, progress
        self._streams = Streams()
        self._depths: dict[int, int] = {}
        self._subscribed: dict[str, int] = {}
        self._numbers: dict[int, int] = {}  # messages so far, per instrument
        self._unproven: list[str] = []
        self._ignored: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    def proofs(self) -> tuple[dict[int, int], dict[int, int]]:
        """(proof code, levels a side kept) by instrument."""
        return dict.fromkeys(range(len(self._streams.instruments)), codes.PROOF_CRC32), self._depths

    def run(self, sink: Sink) -> Imported:
        """Read every file, give rows to `sink`. Raises BadData where a file holds no Kraken v2 book."""
        readers = [self._entries(index) for index in range(len(self.files))]
        pieces, waiting = list[Rows](), 0
        for entry in readers[0] if len(readers) == 1 else merge(*readers, key=itemgetter(0)):
            rows = self._rows(entry)
            if rows is not None:
                pieces.append(rows)
                waiting += len(rows)
            if waiting >= BATCH_ROWS:
                self._flush(pieces, sink)
                pieces, waiting = [], 0
        self._flush(pieces, sink)
        return Imported(
            instruments=self._streams.instruments,
            streams=self._streams.streams,
            scales=[(1, 1)] * len(self._streams.instruments),
            notes=self._notes(),
        )

    def _notes(self) -> dict[str, Any]:
        return {
            "ticks_and_lots": "one unit: the decimals the checksum proves",
            "decimals_not_proven": self._unproven,
            "book_depth": {self._streams.instruments[index].symbol: depth for index, depth in self._depths.items()},
            "ignored": dict(sorted(self._ignored.items())),
            **{name: self._counts[name] for name in ("clamped_ts_local", "ts_local_from_venue", "updates_without_snapshot")},
        }

    def _flush(self, pieces: list[Rows], sink: Sink) -> None:
        if pieces:
            rows = np.concatenate(pieces)
            self._streams.number(rows)
            sink(rows)

    # Lines to books -------------------------------------------------------------------------------------------------------

    def _entries(self, file: int) -> Iterator[Entry]:
        """Books of one file, times non-decreasing. A snapshot without any time takes that of the next book."""
        path, last, waiting, any_book = self.files[file], 0, list[Entry](), False
        for at, ts_local, snapshot, book in self._books(path):
            any_book = True
            try:
                ts_venue = rfc3339_ns(book.timestamp) if book.timestamp else 0
            except BadData as error:
                self._refusals.add("a time that cannot be read", path.name, at, error.what)
                continue
            if not ts_local:
                ts_local = ts_venue
                self._counts["ts_local_from_venue"] += 1
            if not ts_local:
                waiting.append((0, file, at, snapshot, 0, book))
                continue
            if ts_local < last:
                ts_local = last
                self._counts["clamped_ts_local"] += 1
            last = ts_local
            for early in waiting:
                yield ts_local, *early[1:]
            waiting.clear()
            yield ts_local, file, at, snapshot, ts_venue, book
        for early in waiting:
            self._refusals.add("a book without any time, and none follows it", path.name, early[2])
        if not any_book:
            raise self._useless(path)

    def _books(self, path: Path) -> Iterator[tuple[int, int, bool, wire.BookData]]:
        """(line or frame, ts_local or 0, snapshot, book); what is no book is counted."""
        useful = False
        for number, lines in blocks(path, self._refusals, self._progress, MAX_RECORDING_BYTES):
            for at, line in enumerate(lines, number):
                if not line.strip():
                    continue
                for frame_at, ts_local, frame in self._frames(line, path.name, at):
                    message = self._decode(frame, path.name, frame_at)
                    useful = useful or message is not None
                    if isinstance(message, wire.Book):
                        for book in message.data:
                            yield frame_at, ts_local, message.snapshot, book
                if not useful and at > MAX_USELESS_LINES:
                    raise self._useless(path)

    def _frames(self, line: bytes, file: str, at: int) -> Iterator[tuple[int, int, bytes]]:
        head, _, body = line.partition(b" ")
        ts_local = 0
        if len(head) == NS_DIGITS and head.isdigit() and int(head) > EARLIEST_NS:
            ts_local, line = int(head), body
        try:
            for index, frame in enumerate(wire.frames(line)):
                yield at + index, ts_local, frame
        except BadData as error:
            self._refusals.add(error.what[:100], file, at, line)

    def _decode(self, frame: bytes, file: str, at: int) -> wire.Book | wire.Subscribed | wire.Ignored | None:
        try:
            message = wire.decode(frame)
        except BadData as error:
            self._refusals.add(error.what.partition(" (byte ")[0][:100], file, at, frame)
            return None
        if isinstance(message, wire.Subscribed):
            self._subscribed[message.symbol] = message.depth
        elif isinstance(message, wire.Ignored):
            self._ignored[message.channel] += 1
        return message

    def _useless(self, path: Path) -> BadData:
        return BadData(
            f"nothing in it can be used: {self._refusals.first()}",
            where=str(path),
            expected='Kraken v2 book frames, one a line, or {"init": frame, "updates": [frame, …]}',
            todo="check the format's name and the file",
        )

    # Books to rows ----------------------------------------------------------------------------------------------------------

    def _rows(self, entry: Entry) -> Rows | None:
        ts_local, file, at, snapshot, ts_venue, book = entry
        try:
            if not snapshot and book.symbol not in {made.symbol for made in self._streams.instruments}:
                self._counts["updates_without_snapshot"] += 1
                return None
            instrument = self._streams.instrument(book.symbol, lambda symbol: self._make(symbol, book))
            made = self._streams.instruments[instrument]
            number = self._numbers.get(instrument, 0) + 1
            rows = book_rows(book, snapshot, (made.price_exponent, made.quantity_exponent), number)
        except BadData as error:
            self._refusals.add("a number or symbol that cannot be read", self.files[file].name, at, error.what)
            return None
        if snapshot:
            self._depths[instrument] = self._depth(book)
            if number > 1:
                rows["marks"][0] |= codes.RESYNC
        self._numbers[instrument] = number
        rows["ts_local"], rows["ts_venue"] = ts_local, ts_venue
        rows["instrument"], rows["source"] = instrument, self._streams.source(instrument, "depth")
        return rows

    def _depth(self, snapshot: wire.BookData) -> int:
        shown = max(len(snapshot.bids), len(snapshot.asks))
        return self._subscribed.get(snapshot.symbol) or next((depth for depth in DEPTHS if depth >= shown), DEPTHS[-1])

    def _make(self, symbol: str, snapshot: wire.BookData) -> Instrument:
        base, quote = split_symbol(symbol)
        (price_exponent, quantity_exponent), proven = prove_exponents(snapshot)
        if not proven:
            self._unproven.append(symbol)
        return Instrument(
            venue=VENUE,
            symbol=symbol,
            base=base,
            quote=quote,
            price_exponent=price_exponent,
            quantity_exponent=quantity_exponent,
            proof=codes.PROOF_CRC32,
        )
