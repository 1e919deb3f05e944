"""A recording: the market log of a live run or of `data record`, read as a tape.

    FOLDER/market/      the market log
    FOLDER/notes.json   what a tape's manifest would say beside the rows: first prices, depths of books, where it came from
    FOLDER/sittings     where a later sitting of `data record` went on, a row number a line

A segment of a recording ends where one of the log does or where a sitting did, so those of a sitting that has ended never change,
whatever is recorded later: a store that took them in knows them again.

So a backtest, a paper run or a replay takes a recording wherever it takes a tape, and rows keep the numbers a live journal
gave them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tradewind.domain.errors import BadData, Corrupt
from tradewind.domain.rows import ROW, Rows

from . import files
from .marketlog import MANIFEST as MARKET_MANIFEST
from .marketlog import MarketReader
from .tape import FORMAT, MANIFEST, Tape, TapeManifest, TapeSegment, names_of_kinds

MARKET, NOTES, SITTINGS = "market", "notes.json", "sittings"


def is_recording(folder: Path) -> bool:
    """Whether a recording lies at `folder`."""
    return (folder / MARKET / MARKET_MANIFEST).is_file()


def write_notes(folder: Path, notes: dict[str, Any]) -> None:
    """Puts a recording's notes in place, whole or not at all."""
    files.write_whole(folder / NOTES, msgspec.json.format(msgspec.json.encode(notes), indent=1) + b"\n")


def read_notes(folder: Path) -> dict[str, Any]:
    """A recording's notes; {} where none were written. Raises Corrupt."""
    path = folder / NOTES
    if not path.is_file():
        return {}
    try:
        found: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"does not read as notes: {error}", where=str(path)) from error
    return found


def note_sitting(folder: Path, row: int) -> None:
    """Writes down that a later sitting goes on with row `row`: before any of its rows."""
    known = sittings_of(folder)
    if row and row not in known:
        files.write_whole(folder / SITTINGS, "".join(f"{number}\n" for number in (*known, row)).encode())


def sittings_of(folder: Path) -> list[int]:
    """The rows with which later sittings went on; [] where there was one. Raises Corrupt."""
    path = folder / SITTINGS
    try:
        found = [int(line) for line in path.read_text("ascii").split()] if path.is_file() else []
    except ValueError as error:
        raise Corrupt(f"does not read as row numbers: {error}", where=str(path)) from error
    if found != sorted(set(found)) or (found and found[0] <= 0):
        raise Corrupt("row numbers that do not rise", where=str(path))
    return found


class Recording(Tape):
    """A market log with the face of a tape. Its hashes are over rows, made when asked for: a run may still be writing."""

    def __init__(self, folder: Path) -> None:
        self._reader = MarketReader(folder / MARKET)
        manifest = self._reader.manifest
        if manifest.pruned:
            raise BadData(f"retention removed its first {self._reader.first_row} rows", where=str(folder), expected="all of it")
        self._kept: tuple[int, Rows] = (-1, np.zeros(0, ROW))
        self._places: list[tuple[int, int, int]] = []  # of each segment: the log's, from, to
        segments, counts, sittings, before = [], np.zeros(128, np.int64), sittings_of(folder), 0
        for index in range(manifest.sealed + 1):
            whole = self._reader.segment(index)
            cuts = [0, *(row - before for row in sittings if before < row < before + len(whole)), len(whole)]
            for start, stop in pairwise(cuts) if len(whole) else ():
                rows, name = whole[start:stop], f"{index:05d}.market" + (f"+{start}" if start else "")
                counts += np.bincount(rows["kind"], minlength=128)
                first, last = int(rows["ts_local"][0]), int(rows["ts_local"][-1])
                segments.append(TapeSegment(file=name, rows=len(rows), first_ts=first, last_ts=last, sha256=""))
                self._places.append((index, start, stop))
            before += len(whole)
        described = TapeManifest(
            format=FORMAT, made_by=manifest.made_by, instruments=manifest.instruments, streams=manifest.streams,
            segments=segments, counts=names_of_kinds(counts.tolist()), notes=read_notes(folder),
        )  # fmt: skip
        super().__init__(folder, described)

    @property
    def digest(self) -> str:
        """Hex sha256 over the sha256 of every segment's rows: what a tape of these rows would have."""
        each = (hashlib.sha256(rows.tobytes()).digest() for rows in self.segments())
        return hashlib.sha256(b"".join(each)).hexdigest()

    def segments(self) -> Iterator[Rows]:
        """Each segment's rows."""
        for index in range(len(self.manifest.segments)):
            yield self.segment(index)

    def segment(self, index: int) -> Rows:
        """The rows of one segment. Raises BadData where there is none."""
        if not 0 <= index < len(self.manifest.segments):
            raise BadData(f"segment {index} is not in this recording", where=str(self.folder))
        place, start, stop = self._places[index]
        if self._kept[0] != place:
            self._kept = (place, self._reader.segment(place))
        return self._kept[1][start:stop]

    def verify(self) -> None:
        """Proves every segment. Raises Corrupt."""
        self._reader.verify()


def open_tape(folder: Path | str) -> Tape:
    """The tape or recording at `folder`. Raises BadUse, BadData, Corrupt."""
    folder = Path(folder)
    return Recording(folder) if is_recording(folder) and not (folder / MANIFEST).is_file() else Tape.open(folder)
