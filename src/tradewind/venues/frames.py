"""Recordings of a connection's frames, one a line, turned into rows by a reader of its venue; several files in order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.venues.imported import Grids, Imported, Sink, Streams, gathered, merged
from tradewind.venues.lines import MAX_USELESS_LINES, Progress, Refusals, blocks

BATCH_ROWS = 1 << 16
NS_DIGITS = 19
EARLIEST_NS, LATEST_NS = 1_230_768_000 * codes.SECOND, 4_102_444_800 * codes.SECOND  # 2009 and 2100


class Reader(Protocol):
    """One file's way from lines to rows."""

    def rows(self, line: bytes) -> Rows:
        """What a line holds, ts_local set; may be nothing. Raises BadData."""


class FramesImporter:
    """Turns files into rows with readers made by `open_reader(path, streams, counts)`. Use once: `run`."""

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
        for rows in gathered(merged([self._rows(path) for path in self.files]), BATCH_ROWS):
            self._streams.number(rows)
            self._grids.see(rows)
            sink(rows)
        settled = [self._settled(index, made) for index, made in enumerate(self._streams.instruments)]
        return Imported(
            instruments=[instrument for instrument, _ in settled],
            streams=self._streams.streams,
            scales=[scales for _, scales in settled],
            notes={"ticks_and_lots": "inferred; under a checksum the decimals shown", **dict(sorted(self._counts.items()))},
        )

    def _settled(self, index: int, made: Instrument) -> tuple[Instrument, tuple[int, int]]:
        """A checksum is over the decimals the venue shows: they stay."""
        return (made, (1, 1)) if made.proof == codes.PROOF_CRC32 else self._grids.settle(index, made)

    def _rows(self, path: Path) -> Iterator[Rows]:
        reader, last, useful = self._open(path, self._streams, self._counts), 0, False
        for number, lines in blocks(path, self._refusals, self._progress):
            for at, line in enumerate(lines, number):
                if not line.strip():
                    continue
                try:
                    rows = reader.rows(line)
                except BadData as error:
                    self._refusals.add(error.what[:100], path.name, at, line)
                    if not useful and at > MAX_USELESS_LINES:
                        raise self._useless(path) from error
                    continue
                if len(rows):
                    useful = True
                    self._counts["clamped_ts_local"] += int(rows["ts_local"][0] < last)
                    rows["ts_local"] = last = max(last, int(rows["ts_local"][0]))
                    yield rows
        if not useful:
            raise self._useless(path)

    def _useless(self, path: Path) -> BadData:
        return BadData(
            f"nothing in it can be used: {self._refusals.first()}",
            where=str(path),
            expected="market frames, one a line",
            todo="check the format's name and the file",
        )


KRAKEN_V1_DEPTH = 1_000


def local_time(line: bytes) -> tuple[int, bytes]:
    """(local time in ns or 0 where none was recorded, the frame)."""
    head, _, body = line.partition(b" ")
    if len(head) == NS_DIGITS and head.isdigit() and EARLIEST_NS < int(head) < LATEST_NS:
        return int(head), body
    return 0, line


def restreamed(rows: Rows, streams: Streams, indices: list[int], channels: Sequence[str]) -> Rows:
    """An adapter's rows with the instruments and streams of the import; `indices` by the adapter's instrument."""
    sources = rows["source"]
    for source in np.unique(sources).tolist():
        instrument = indices[source // len(channels)]
        mine = sources == source
        rows["instrument"][mine] = instrument
        rows["source"][mine] = -1 - streams.source(instrument, channels[source % len(channels)])
    rows["source"] = -1 - rows["source"]
    return rows


def unit_instrument(venue: str, symbol: str, pair: tuple[str, str], exponents: tuple[int, int], **more: Any) -> Instrument:
    """An instrument of which only its name and decimals are known."""
    more |= {"price_exponent": exponents[0], "quantity_exponent": exponents[1]}
    return Instrument(venue=venue, symbol=symbol, base=pair[0], quote=pair[1], **more)
