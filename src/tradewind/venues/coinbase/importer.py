"""Recordings of Coinbase Advanced Trade: a frame a line, a local time in ns before it or not (then the venue's stands in)."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.coinbase.adapter import VENUE, CoinbaseAdapter
from tradewind.venues.frames import local_time, restreamed, unit_instrument
from tradewind.venues.imported import Streams
from tradewind.venues.keepers import FrameKeeper
from tradewind.venues.symbols import split_symbol

EXPONENT = 8
_PRODUCT = re.compile(rb'"product_id":\s*"([^"\\]{1,24})"')


class CoinbaseReader:
    """One connection's frames; a frame that is missing by its number is counted."""

    def __init__(self, _path: Path, streams: Streams, counts: Counter[str]) -> None:
        self._streams, self._counts = streams, counts
        self._adapter, self._frames = CoinbaseAdapter(), FrameKeeper()
        self._indices: list[int] = []

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
            rows = restreamed(rows, self._streams, self._indices, self._adapter.carried)
            if not ts_local:
                rows["ts_local"] = int(rows["ts_venue"].max())
                self._counts["ts_local_from_venue"] += 1
        return rows

    def _adopt(self, product: str) -> None:
        made = unit_instrument(VENUE, product, split_symbol(product), (EXPONENT, EXPONENT))
        self._indices.append(self._streams.instrument(f"{VENUE}:{product}", lambda _: made))
        self._adapter.adopt([*self._adapter.instruments, made])
