"""Recordings of Coinbase Advanced Trade: a frame a line, a local time in ns before it or not (then the venue's stands in)."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.coinbase.adapter import VENUE, CoinbaseAdapter
from tradewind.venues.frames import Restreamed, local_time, unit_instrument
from tradewind.venues.imported import Streams
from tradewind.venues.keepers import FrameKeeper
from tradewind.venues.scanner import Scanner
from tradewind.venues.symbols import split_symbol
from tradewind.venues.walk import HEAD_EITHER, R_FRAME, R_HEAD, R_NUMBERED

EXPONENT = 8
_PRODUCT = re.compile(rb'"product_id":\s*"([^"\\]{1,24})"')


class CoinbaseReader:
    """One connection's frames; a frame that is missing by its number is counted."""

    silent = False

    def __init__(self, _path: Path, streams: Streams, counts: Counter[str]) -> None:
        self._streams, self._counts = streams, counts
        self._adapter, self._frames = CoinbaseAdapter(), FrameKeeper()
        self._restreamed = Restreamed(streams, self._adapter.carried)

    def rows(self, line: bytes) -> Rows:
        """What a frame holds."""
        ts_local, frame = local_time(line)
        for product in {match.decode("ascii", "replace") for match in _PRODUCT.findall(frame)} - set(self._adapter.index):
            self._adopt(product)
        reading = self._adapter.read(frame, ts_local)
        if reading.refused:
            raise BadData(reading.refused[0].reason, expected="a Coinbase Advanced Trade frame")
        if reading.sequence >= 0 and not self._frames.frame(reading.sequence):
            self._counts["holes_in_sequence_num"] += 1
        for notice in reading.notices:
            self._counts[f"ignored_{notice.code}"] += 1
        rows = reading.rows
        if len(rows):
            rows = self._restreamed(rows)
            if not ts_local:
                rows["ts_local"] = int(rows["ts_venue"].max())
                self._counts["ts_local_from_venue"] += 1
        return rows

    @property
    def scanner(self) -> Scanner | None:
        """The adapter's; it takes only frames that follow by their number."""
        found = self._adapter.scanner
        if found is not None:
            found.table[R_HEAD], found.table[R_NUMBERED], found.table[R_FRAME] = HEAD_EITHER, 1, self._frames.sequence
        return found

    def scanned(self, rows: Rows) -> Rows:
        """Rows of frames in their order."""
        if self._adapter.scanner is not None:
            self._frames.sequence = int(self._adapter.scanner.table[R_FRAME])
        return self._restreamed(rows)

    def ended(self) -> None:
        """Nothing waits."""

    def _adopt(self, product: str) -> None:
        made = unit_instrument(VENUE, product, split_symbol(product), (EXPONENT, EXPONENT))
        self._restreamed.indices.append(self._streams.instrument(f"{VENUE}:{product}", lambda _: made))
        self._adapter.adopt([*self._adapter.instruments, made])
