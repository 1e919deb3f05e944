"""Recordings of a connection's frames, one a line, turned into rows by a reader of its venue; several files in order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument
from tradewind.domain.pieces import gathered
from tradewind.domain.rows import Rows
from tradewind.venues.imported import Grids, Imported, Sink, Streams, merged
from tradewind.venues.lines import MAX_LINE_BYTES, MAX_USELESS_LINES, Progress, Refusals, texts
from tradewind.venues.scanner import Scanner
from tradewind.venues.walk import R_CLAMPED, R_LAST_LOCAL, R_UNTIMED

BATCH_ROWS = 1 << 14
NS_DIGITS = 19
EARLIEST_NS, LATEST_NS = 1_230_768_000 * codes.SECOND, 4_102_444_800 * codes.SECOND  # 2009 and 2100


class Reader(Protocol):
    """One file's way from lines to rows. `scanner` knows the usual lines; it may change whenever an unusual one was read."""

    @property
    def scanner(self) -> Scanner | None: ...

    @property
    def silent(self) -> bool:
        """Whether a file of which nothing became a row may be right."""

    def rows(self, line: bytes) -> Rows:
        """What a line holds, ts_local set; may be nothing. Raises BadData."""

    def scanned(self, rows: Rows) -> Rows:
        """The scanner's rows of many lines, brought to the streams of the import."""

    def ended(self) -> None:
        """All lines were read."""


class FramesImporter:
    """Turns files into rows with readers made by `open_reader(path, streams, counts)`. Use once: `run`."""

    expected = "market frames, one a line"
    longest = MAX_LINE_BYTES

    def __init__(
        self,
        files: Sequence[Path],
        refusals: Refusals,
        open_reader: Callable[[Path, Streams, Counter[str]], Reader],
        progress: Progress | None = None,
    ) -> None:
        self.files, self._refusals, self._progress, self._open = list(files), refusals, progress, open_reader
        self._streams, self._grids, self._counts = Streams(), Grids(), Counter[str]()

    def proofs(self) -> tuple[dict[int, int], dict[int, int]]:
        """(proof code, levels a side kept) by instrument."""
        made = self._streams.instruments
        return {index: one.proof for index, one in enumerate(made)}, {
            index: KRAKEN_V1_DEPTH for index, one in enumerate(made) if one.proof == codes.PROOF_CRC32
        }

    def run(self, sink: Sink) -> Imported:
        """Read every file, give rows to `sink`. Raises BadData where a file holds nothing that is read."""
        for merged_rows in gathered(merged([self._rows(path) for path in self.files]), BATCH_ROWS):
            rows = self._arranged(merged_rows)
            self._streams.number(rows)
            self._grids.see(rows)
            sink(rows)
        self._ended()
        settled = [self._settled(index, made) for index, made in enumerate(self._streams.instruments)]
        return Imported(
            instruments=[instrument for instrument, _ in settled],
            streams=self._streams.streams,
            scales=[scales for _, scales in settled],
            notes=self._notes(),
        )

    def _notes(self) -> dict[str, Any]:
        return {"ticks_and_lots": "inferred; under a checksum the decimals shown", **dict(sorted(self._counts.items()))}

    def _arranged(self, rows: Rows) -> Rows:
        """Rows of all files in order of time, as they shall lie on the tape."""
        return rows

    def _ended(self) -> None:
        """All files were read."""

    def _settled(self, index: int, made: Instrument) -> tuple[Instrument, tuple[int, int]]:
        """A checksum is over the decimals the venue shows: they stay."""
        return (made, (1, 1)) if made.proof == codes.PROOF_CRC32 else self._grids.settle(index, made)

    def _rows(self, path: Path) -> Iterator[Rows]:
        """Rows of one file in its order, times non-decreasing: usual lines by the block, the others one by one."""
        reader, last, useful = self._open(path, self._streams, self._counts), 0, False
        place = 0  # of the last line taken
        for text in texts(path, self._refusals, self._progress, self.longest):
            at = 0
            while at < len(text):
                scanner = reader.scanner
                if scanner is not None:
                    scanner.table[R_LAST_LOCAL] = last
                    rows, count, at = scanner.lines(text, at)
                    if count:
                        place += count
                        last, useful = self._counted(scanner), useful or len(rows) > 0
                        yield reader.scanned(rows)
                        continue
                end = text.index(b"\n", at)
                line, at, place = text[at:end], end + 1, place + 1
                if not line.strip():
                    continue
                try:
                    rows = reader.rows(line)
                except BadData as error:
                    self._refusals.add(error.what[:100], path.name, place, line)
                    if not useful and place > MAX_USELESS_LINES:
                        raise self._useless(path) from error
                    continue
                if len(rows):
                    useful = True
                    last = self._never_back(rows, last)
                    yield rows
        reader.ended()
        if not useful and not reader.silent:
            raise self._useless(path)

    def _never_back(self, rows: Rows, last: int) -> int:
        """Times of a line's rows made such that they never fall; the last."""
        times = rows["ts_local"]
        before = np.maximum.accumulate(np.append(last, times))
        first = (rows["marks"] & codes.FIRST) != 0
        first[0] = True
        self._counts["clamped_ts_local"] += int((first & (times < before[:-1])).sum())
        rows["ts_local"] = before[1:]
        return int(before[-1])

    def _counted(self, scanner: Scanner) -> int:
        """Takes over what the scanner counted; the last local time."""
        for register, name in ((R_CLAMPED, "clamped_ts_local"), (R_UNTIMED, "ts_local_from_venue")):
            if scanner.table[register]:
                self._counts[name] += int(scanner.table[register])
                scanner.table[register] = 0
        return int(scanner.table[R_LAST_LOCAL])

    def _useless(self, path: Path) -> BadData:
        return BadData(
            f"nothing in it can be used: {self._refusals.first()}",
            where=str(path),
            expected=self.expected,
            todo="check the format's name and the file",
        )


KRAKEN_V1_DEPTH = 1_000


def local_time(line: bytes) -> tuple[int, bytes]:
    """(local time in ns or 0 where none was recorded, the frame)."""
    head, _, body = line.partition(b" ")
    if len(head) == NS_DIGITS and head.isdigit() and EARLIEST_NS < int(head) < LATEST_NS:
        return int(head), body
    return 0, line


class Restreamed:
    """Gives an adapter's rows the instruments and streams of the import, numbered in the order in which rows show them."""

    def __init__(self, streams: Streams, channels: Sequence[str], find: Callable[[int], int] | None = None) -> None:
        """`find` gives the import's instrument for the adapter's; without it `indices` does."""
        self.indices: list[int] = []
        self._find = find or self.indices.__getitem__
        self._streams, self._channels = streams, channels
        self._known = np.zeros(0, np.int16)  # the import's stream by the adapter's; -1: not seen yet
        self._instrument = np.zeros(0, np.int16)

    def __call__(self, rows: Rows) -> Rows:
        """The same rows, changed."""
        if not len(rows):
            return rows
        told = np.ascontiguousarray(rows["source"])
        added = int(told.max()) + 1 - len(self._known)
        if added > 0:
            self._known = np.append(self._known, np.full(added, -1, np.int16))
            self._instrument = np.append(self._instrument, np.zeros(added, np.int16))
        found = self._known[told]
        if found.min() < 0:
            self._learn(told)
            found = self._known[told]
        rows["source"], rows["instrument"] = found, self._instrument[told]
        return rows

    def _learn(self, told: NDArray[np.int16]) -> None:
        sources, first = np.unique(told, return_index=True)
        for source in sources[np.argsort(first)].tolist():
            index = self._find(source // len(self._channels))
            self._known[source] = self._streams.source(index, self._channels[source % len(self._channels)])
            self._instrument[source] = index


def unit_instrument(venue: str, symbol: str, pair: tuple[str, str], exponents: tuple[int, int], **more: Any) -> Instrument:
    """An instrument of which only its name and decimals are known."""
    more |= {"price_exponent": exponents[0], "quantity_exponent": exponents[1]}
    return Instrument(venue=venue, symbol=symbol, base=pair[0], quote=pair[1], **more)
