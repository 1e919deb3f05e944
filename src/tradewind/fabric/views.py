"""The tables in RAM: rows that still arrive, and read-only views of them that no later row changes.

One writer appends; any number of readers hold a `View`, which names its version (the rows written so far) and shares the memory.
Rows lie in chunks that are written once and never moved; the oldest chunks go when there are more than asked for, and a
view keeps those it has.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import ROW, W_TS_LOCAL, Rows, rows, words
from tradewind.storage.projection import TABLES, Source, pieces

if TYPE_CHECKING:
    import polars as pl

CHUNK_ROWS = 1 << 16  # 4 MiB


class View:
    """What was there at one version. first, version: numbers of its first row and of the row after its last."""

    def __init__(self, first: int, version: int, parts: tuple[Rows, ...]) -> None:
        self.first, self.version, self.parts = first, version, parts

    def __len__(self) -> int:
        return self.version - self.first

    def rows(self) -> Rows:
        """All rows in one array: a copy where they lie in several chunks; it cannot be written."""
        whole = self.parts[0] if len(self.parts) == 1 else np.concatenate([np.zeros(0, ROW), *self.parts])
        whole.flags.writeable = False
        return whole

    def since(self, ts_local: int) -> Rows:
        """The rows from a journal time on."""
        whole = self.rows()
        return whole[int(np.searchsorted(words(whole)[:, W_TS_LOCAL], ts_local)) :] if len(whole) else whole

    def frame(self, table: str, instruments: list[Instrument]) -> pl.DataFrame:
        """The rows of one of the lake's tables as Polars columns, with venue and instrument; `at` is the row's number."""
        import polars as pl

        whole = self.rows()
        mine = np.flatnonzero(np.isin(whole["kind"], TABLES[table].kinds))
        found = [
            piece.frame.with_columns(venue=pl.lit(piece.venue), instrument=pl.lit(piece.instrument))
            for piece in pieces(whole[mine], mine + self.first, Source(0, instruments))
        ]
        return pl.concat(found).sort("at") if found else pl.DataFrame()


class Hot:
    """The newest rows. most: rows kept at least, rounded up to whole chunks."""

    def __init__(self, most: int = 1 << 22) -> None:
        self._chunks: deque[Rows] = deque()
        self._most = -(-most // CHUNK_ROWS) + 1
        self._used = CHUNK_ROWS  # of the last chunk
        self.version = 0

    def append(self, more: Rows) -> int:
        """Takes rows in and returns the new version."""
        done = 0
        while done < len(more):
            if self._used == CHUNK_ROWS:
                self._chunks.append(rows(CHUNK_ROWS))
                self._used = 0
                while len(self._chunks) > self._most:
                    self._chunks.popleft()
            part = more[done : done + CHUNK_ROWS - self._used]
            self._chunks[-1][self._used : self._used + len(part)] = part
            self._used += len(part)
            done += len(part)
        self.version += len(more)
        return self.version

    def view(self) -> View:
        """The present version: a few pointers, no copy."""
        parts = [chunk if chunk is not self._chunks[-1] else chunk[: self._used] for chunk in self._chunks]
        read_only = tuple(part.view() for part in parts if len(part))
        for part in read_only:
            part.flags.writeable = False
        return View(self.version - sum(map(len, read_only)), self.version, read_only)
