"""Gaps: stretches in which a series does not tell what happened at its venue, each with its cause.

Four causes: the rim said so (a STREAM row of another condition than SYNCED), rows were refused as a stretch that breaks a
book, bars are missing, or a stream of quotes or depth fell silent while the tape went on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes, reasons
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import Rows
from tradewind.storage.projection import CHANNELS, OF_KIND, short_name

SILENCE_NS = codes.MINUTE  # without a row of depth or quotes: longer than any quiet minute the recordings show
BREAKS = (
    reasons.HOLE_IN_STREAM, reasons.CHAIN_BROKEN, reasons.CHECKSUM_WRONG, reasons.BOOK_NOT_SYNCED, reasons.CROSSED_BOOK,
    reasons.FROZEN_FEED,
)  # fmt: skip
CONDITIONS = ("UNAVAILABLE", "SYNCED", "GAP", "BACKFILLING", "STALE", "INVALID")
SILENT = "silence"
MISSING = "missing bars"


class Watch:
    """Sees the rows of one tape in order and finds its gaps."""

    def __init__(self, instruments: Sequence[Instrument], streams: Sequence[Stream]) -> None:
        self.instruments, self.streams = instruments, streams
        self._open: dict[tuple[int, str], tuple[int, str, str]] = {}  # (source, why) -> start, cause, digest
        self._last: dict[int, int] = {}  # by kind and instrument: when last heard
        self._now = 0

    def see(self, rows: Rows, fates: NDArray[np.int16], digest: str) -> list[dict[str, Any]]:
        """The gaps that ended in these rows."""
        found: list[dict[str, Any]] = []
        for n in np.flatnonzero(rows["kind"] == codes.STREAM):
            found += self._announced(rows[n], digest)
        frame = np.where(rows["kind"] == codes.BAR, rows["strategy"], 0).astype(np.int64)  # each timeframe is a series of its own
        group = frame << 32 | rows["kind"].astype(np.int64) << 16 | rows["instrument"]
        for key in np.unique(group).tolist():
            kind = key >> 16 & 0xFFFF
            if kind in (codes.DEPTH, codes.QUOTE, codes.BAR):
                mine = np.flatnonzero(group == key)
                found += self._heard(key, rows[mine], fates[mine], digest)
        self._now = int(rows["ts_local"][-1])
        return found

    def close(self) -> list[dict[str, Any]]:
        """The gaps that last to the tape's end."""
        return [
            self._gap(self._series(source), start, self._now, cause, digest)
            for (source, _), (start, cause, digest) in self._open.items()
        ]

    def _announced(self, row: np.void, digest: str) -> list[dict[str, Any]]:
        source, now = int(row["source"]), int(row["ts_local"])
        was = self._open.pop((source, "rim"), None)
        if int(row["value"]) != codes.SYNCED:
            cause = f"{CONDITIONS[int(row['value'])]}" if 0 <= row["value"] < len(CONDITIONS) else f"condition {row['value']}"
            self._open[source, "rim"] = (now, cause, digest)
        return [self._gap(self._series(source), was[0], now, was[1], was[2])] if was and was[0] < now else []

    def _heard(self, key: int, rows: Rows, fates: NDArray[np.int16], digest: str) -> list[dict[str, Any]]:
        """Silence, missing bars, and stretches that broke a book."""
        kind, times = key >> 16 & 0xFFFF, rows["ts_local"]
        instrument = self.instruments[key & 0xFFFF]
        series = (instrument.venue, short_name(instrument), CHANNELS[OF_KIND[kind].name])
        if kind == codes.BAR:
            length = np.array(codes.TIMEFRAME_NS)[rows["strategy"]]
            ends = np.concatenate([[self._last.get(key, int(rows["ts_venue"][0]) - int(length[0]))], rows["ts_venue"]])
            self._last[key] = int(rows["ts_venue"][-1])
            missing = np.flatnonzero((np.diff(ends) > length) & (ends[:-1] > 0))
            return [self._gap(series, int(ends[n]), int(ends[n + 1] - length[n]), MISSING, digest) for n in missing]
        heard = np.concatenate([[self._last.get(key, int(times[0]))], times])
        self._last[key] = int(times[-1])
        silent = np.flatnonzero(np.diff(heard) > SILENCE_NS)
        found = [self._gap(series, int(heard[n]), int(heard[n + 1]), SILENT, digest) for n in silent]
        return found + self._broken(series, times, fates, digest)

    def _broken(
        self, series: tuple[str, str, str], times: NDArray[np.int64], fates: NDArray[np.int16], digest: str
    ) -> list[dict[str, Any]]:
        broken = np.isin(fates, BREAKS)
        if not broken.any():
            return []
        edges = np.flatnonzero(np.diff(np.concatenate([[False], broken, [False]]).astype(np.int8)))
        found = []
        for start, stop in edges.reshape(-1, 2).tolist():
            healed = int(times[stop]) if stop < len(times) else int(times[-1])
            found.append(self._gap(series, int(times[start]), healed, reasons.name(int(fates[start])), digest))
        return found

    def _series(self, source: int) -> tuple[str, str, str]:
        stream = self.streams[source]
        return stream.venue, short_name(self.instruments[stream.instrument]), stream.channel

    @staticmethod
    def _gap(series: tuple[str, str, str], start: int, stop: int, cause: str, digest: str) -> dict[str, Any]:
        name = hashlib.sha256(f"{' '.join(series)} {start} {cause}".encode()).hexdigest()[:16]
        named = dict(zip(("venue", "instrument", "channel"), series, strict=True))
        return {"id": name, **named, "start_ns": start, "stop_ns": stop, "cause": cause, "digest": digest}
