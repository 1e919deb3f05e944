"""Recordings of Kraken v2: wire text, one frame a line (a local time in ns before it or not), or {init, updates}.

Books, trades and tickers are read. A pair's decimals are those its book's checksum proves; a pair without a book gets the finest.
Where no local time was recorded, the venue's stands in for it, and the notes say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.venues.base import NO_ROWS
from tradewind.venues.frames import FramesImporter, Restreamed, local_time, unit_instrument
from tradewind.venues.imported import Imported, Sink, Streams
from tradewind.venues.kraken import layouts, stream, wire
from tradewind.venues.kraken.adapter import KrakenAdapter
from tradewind.venues.kraken.market import book_rows, prove_exponents
from tradewind.venues.kraken.tally import T_COUNT, T_SHOWN, tally
from tradewind.venues.lines import Progress, Refusals, blocks
from tradewind.venues.numbers import rfc3339_ns
from tradewind.venues.scanner import Scanner
from tradewind.venues.symbols import split_symbol
from tradewind.venues.walk import HEAD_EITHER, R_HEAD, R_UNTIMED

VENUE = "kraken"
DEPTHS = (10, 25, 100, 500, 1_000)  # what the book channel offers
MAX_RECORDING_BYTES = 256 << 20  # {init, updates} is one line
FINEST = (10, 8)  # decimals of a pair that has no book
LOOKED_AT = 5_000  # lines in which a file's snapshots are looked for beforehand
READ = ("book", "trade", "ticker")
_COMPACT = ((b'": ', b'":'), (b', "', b',"'), (b"}, {", b"},{"))


class Pairs:
    """The pairs of an import, by number of first sight: a row's `instrument` until it is on the tape."""

    def __init__(self) -> None:
        self.adapter = KrakenAdapter()
        self.unproven: list[str] = []
        self.subscribed: dict[str, int] = {}
        self.ignored: Counter[str] = Counter()

    @property
    def made(self) -> list[Instrument]:
        """The pairs."""
        return self.adapter.instruments

    def book(self, snapshot: wire.BookData) -> int:
        """The number of a pair whose snapshot is here. Raises BadData."""
        if snapshot.symbol not in self.adapter.index:
            exponents, proven = prove_exponents(snapshot)
            self._add(snapshot.symbol, exponents, codes.PROOF_CRC32)
            if not proven:
                self.unproven.append(snapshot.symbol)
        return self.adapter.index[snapshot.symbol]

    def other(self, symbol: str) -> int:
        """The number of a pair that may have no book. Raises BadData."""
        if symbol not in self.adapter.index:
            self._add(symbol, FINEST, codes.PROOF_NONE)
        return self.adapter.index[symbol]

    def _add(self, symbol: str, exponents: tuple[int, int], proof: int) -> None:
        base, quote = split_symbol(symbol)
        made = unit_instrument(VENUE, symbol, (base, quote), exponents, proof=proof)
        self.adapter.adopt([*self.made, made])

    def peek(self, path: Path) -> None:
        """Looks for the snapshots near a file's beginning: their decimals hold for what comes before them too."""
        lines = (line for _, some in blocks(path, Refusals(), None, MAX_RECORDING_BYTES) for line in some)
        for line in islice(lines, LOOKED_AT):
            if b'"snapshot"' not in line[:400]:
                continue
            try:
                message = wire.decode(next(wire.frames(local_time(line)[1])))
                for book in message.data if isinstance(message, wire.Book) and message.snapshot else ():
                    self.book(book)
            except BadData:
                continue  # it is refused when it is read


class KrakenReader:
    """One file."""

    silent = False

    def __init__(self, path: Path, pairs: Pairs, counts: Counter[str], refusals: Refusals) -> None:
        self._path, self._pairs, self._counts, self._refusals = path, pairs, counts, refusals
        self._waiting: list[Rows] = []  # books without a time, until one comes
        self._number = 0  # of the frame in a recording of many
        self._known = -1
        self._scanner: Scanner | None = None

    @property
    def scanner(self) -> Scanner | None:
        """Of the usual frames of all pairs known."""
        if self._waiting or not self._pairs.made:
            return None
        if self._known != len(self._pairs.made):
            self._known = len(self._pairs.made)
            symbols = [(one.symbol, at, one.price_exponent, one.quantity_exponent) for at, one in enumerate(self._pairs.made)]
            made = self._scanner = Scanner(layouts.ALL, symbols, len(KrakenAdapter.carried))
            made.table[R_HEAD] = HEAD_EITHER
        return self._scanner

    def scanned(self, rows: Rows) -> Rows:
        """As they are: pairs are numbered when files have been merged."""
        return rows

    def rows(self, line: bytes) -> Rows:
        """What a line holds: a frame, or a whole recording, of which bad frames are refused one by one."""
        ts_local, frame = local_time(line)
        if not frame.lstrip().startswith(b'{"init"'):
            return self._timed(self._frame(frame, ts_local), ts_local)
        pieces = list[Rows]()
        for number, one in enumerate(self._unusual(frame, ts_local, pieces), 1):
            try:
                pieces.append(self._timed(self._frame(one, ts_local), ts_local))
            except BadData as error:
                self._refusals.add(error.what[:100], self._path.name, number, one)
        return np.concatenate(pieces) if pieces else NO_ROWS

    def ended(self) -> None:
        """Refuses what still waits for a time."""
        for _ in self._waiting:
            self._refusals.add("a book without any time, and none follows it", self._path.name, 0)

    def _unusual(self, recording: bytes, ts_local: int, pieces: list[Rows]) -> Iterator[bytes]:
        """The frames of a recording that the scanner does not know; rows of the others go to `pieces`, in their order."""
        frames = wire.frames(recording)
        if ts_local:
            yield from frames
            return
        for one in frames:
            compact = one
            for spaced, tight in _COMPACT:
                compact = compact.replace(spaced, tight)
            scanner = self.scanner
            if scanner is not None:
                rows, count, _ = scanner.lines(compact + b"\n", 0)
                self._counts["ts_local_from_venue"] += int(scanner.table[R_UNTIMED])
                scanner.table[R_UNTIMED] = 0
                if count:
                    pieces.append(rows)
                    continue
            yield one

    def _timed(self, rows: Rows, ts_local: int) -> Rows:
        """Rows with a local time; what has none waits for it."""
        if not len(rows):
            return NO_ROWS
        if ts_local:
            rows["ts_local"] = ts_local
            return rows
        found = int(rows["ts_venue"].max())
        rows["ts_local"] = found
        self._counts["ts_local_from_venue"] += 1
        if not found:
            self._waiting.append(rows)
            return NO_ROWS
        for early in self._waiting:
            early["ts_local"] = found
        waiting, self._waiting = self._waiting, []
        return np.concatenate([*waiting, rows]) if waiting else rows

    def _frame(self, frame: bytes, ts_local: int) -> Rows:
        message = wire.decode(frame)
        if isinstance(message, wire.Subscribed):
            self._pairs.subscribed[message.symbol] = message.depth
        elif isinstance(message, wire.Book):
            pieces = [self._book(book, message.snapshot) for book in message.data]
            return np.concatenate(pieces) if pieces else NO_ROWS
        elif message.channel in READ:
            return self._other(frame, ts_local)
        else:
            self._pairs.ignored[message.channel] += 1
        return NO_ROWS

    def _book(self, book: wire.BookData, snapshot: bool) -> Rows:
        index = self._pairs.book(book) if snapshot else self._pairs.adapter.index.get(book.symbol)
        if index is None:
            self._counts["updates_without_snapshot"] += 1
            return NO_ROWS
        made = self._pairs.made[index]
        rows = book_rows(book, snapshot, (made.price_exponent, made.quantity_exponent), 0)
        rows["ts_venue"] = rfc3339_ns(book.timestamp) if book.timestamp else 0
        rows["instrument"], rows["source"] = index, self._pairs.adapter.source(index, "depth")
        return rows

    def _other(self, frame: bytes, ts_local: int) -> Rows:
        """Trades and tickers, by the adapter."""
        heard = stream.hear(frame)
        for one in heard.data if isinstance(heard, stream.Frame) else ():
            self._pairs.other(one.symbol)
        reading = self._pairs.adapter.decoded(frame, ts_local)
        if reading.refused:
            raise BadData(reading.refused[0].reason, expected="a Kraken v2 frame")
        return reading.rows


class KrakenImporter(FramesImporter):
    """Turns recordings of Kraken v2 into rows. Use once: `run`."""

    expected = 'Kraken v2 book frames, one a line, or {"init": frame, "updates": [frame, …]}'
    longest = MAX_RECORDING_BYTES

    def __init__(self, files: Sequence[Path], refusals: Refusals, progress: Progress | None = None) -> None:
        super().__init__(files, refusals, self._reader, progress)
        self._pairs, self._depths = Pairs(), dict[int, int]()
        self._tally = np.zeros((0, 3), np.int64)
        self._restreamed = Restreamed(self._streams, KrakenAdapter.carried, self._instrument)

    def _reader(self, path: Path, _streams: Streams, counts: Counter[str]) -> KrakenReader:
        return KrakenReader(path, self._pairs, counts, self._refusals)

    def run(self, sink: Sink) -> Imported:
        """Read every file, give rows to `sink`. Raises BadData where a file holds nothing of Kraken v2."""
        for path in self.files:
            self._pairs.peek(path)
        return super().run(sink)

    def proofs(self) -> tuple[dict[int, int], dict[int, int]]:
        """(proof code, levels a side kept) by instrument."""
        return {index: made.proof for index, made in enumerate(self._streams.instruments)}, self._depths

    def _instrument(self, pair: int) -> int:
        made = self._pairs.made[pair]
        return self._streams.instrument(made.symbol, lambda _: made)

    def _arranged(self, rows: Rows) -> Rows:
        """Messages numbered, changes without a snapshot left out, pairs and streams in the order of the tape."""
        if len(self._tally) < len(self._pairs.made):
            self._tally = np.append(self._tally, np.zeros((len(self._pairs.made) - len(self._tally), 3), np.int64), axis=0)
        keep = np.ones(len(rows), np.bool_)
        dropped = tally(rows, self._tally, keep)
        self._counts["updates_without_snapshot"] += dropped
        if not keep.all():
            rows = rows[keep]
        self._restreamed(rows)
        for pair in np.flatnonzero(self._tally[:, T_COUNT] > 0).tolist():
            made = self._pairs.made[pair]
            shown = next((depth for depth in DEPTHS if depth >= self._tally[pair, T_SHOWN]), DEPTHS[-1])
            self._depths[self._instrument(pair)] = self._pairs.subscribed.get(made.symbol) or shown
        return rows

    def _notes(self) -> dict[str, Any]:
        made = self._streams.instruments
        return {
            "ticks_and_lots": "one unit: the decimals the checksum proves",
            "decimals_not_proven": self._pairs.unproven,
            "book_depth": {made[index].symbol: depth for index, depth in self._depths.items()},
            "ignored": dict(sorted(self._pairs.ignored.items())),
            **{name: self._counts[name] for name in ("clamped_ts_local", "ts_local_from_venue", "updates_without_snapshot")},
        }
