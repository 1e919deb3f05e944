"""The tape: a folder of recorded rows that backtests read.

    tape.json              TapeManifest
    00000.rows, 00001.rows segments of at most 2^20 raw rows (`domain.rows.ROW`), sorted by ts_local

A writer works in a folder beside the target and renames it at `close`, so a half-written tape never carries the name.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import shutil
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np

from tradewind.domain.errors import BadData, BadUse, Corrupt
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import KIND_NAMES, ROW, ROW_BYTES, W_TS_LOCAL, Rows, words

from . import files

FORMAT = 1
MANIFEST = "tape.json"
SEGMENT_ROWS = 1 << 20
OUR_FILE = re.compile(r"tape\.json(\.aside)?|\d{5,}\.rows")
SHA256 = re.compile(r"[0-9a-f]{64}")
_KNOWN = np.zeros(256, np.bool_)  # by code, the negative ones from the end
_KNOWN[list(KIND_NAMES)] = True


class TapeSegment(msgspec.Struct, frozen=True, kw_only=True):
    """One file of rows; both times are ts_local in ns."""

    file: str
    rows: int
    first_ts: int
    last_ts: int
    sha256: str


class TapeManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a tape holds: a row's `instrument` and `source` are indices into the two lists; counts are per name of kind."""

    format: int
    made_by: str
    instruments: list[Instrument]
    streams: list[Stream]
    segments: list[TapeSegment]
    counts: dict[str, int]
    notes: dict[str, Any]


def names_of_kinds(counts: Sequence[int]) -> dict[str, int]:
    """Rows per name of kind, from rows per code."""
    return {KIND_NAMES.get(kind, f"kind {kind}"): int(count) for kind, count in enumerate(counts) if count}


class TapeWriter:
    """Writes a tape; nothing stands at `folder` before `close`.

    A tape that stood there before is replaced at `close`; a folder with anything else in it is refused (BadUse).
    """

    def __init__(self, folder: Path | str, instruments: Sequence[Instrument], streams: Sequence[Stream], made_by: str) -> None:
        self._disk = files.DISK
        self.folder = Path(folder).resolve()
        self._instruments, self._streams, self._made_by = list(instruments), list(streams), made_by
        self._segments: list[TapeSegment] = []
        self._counts = np.zeros(128, np.int64)
        self._rows = 0  # of all segments
        self._in_segment = self._first_ts = 0
        self._last_ts = -(1 << 63)
        self._fd = self._lock = -1
        self._refuse_foreign(self.folder)
        self._work = self.folder.with_name(self.folder.name + ".partial")
        with files.disk_errors(self._work):
            self._refuse_foreign(self._work)
            self._work.mkdir(parents=True, exist_ok=True)
            self._lock = files.lock_folder(self._work)
            for left_by_a_crash in self._work.iterdir():
                left_by_a_crash.unlink()

    def append(self, rows: Rows) -> None:
        """Adds rows. Raises BadData where ts_local falls or a kind is unknown: nothing of these rows is then kept.

        Raises NoRoom where the disk is full: the tape is then abandoned.
        """
        if self._lock < 0:
            raise BadUse("the tape is closed", where=str(self.folder))
        if rows.dtype != ROW:
            raise BadUse(f"rows of type {rows.dtype}", where=str(self.folder), expected="domain.rows.ROW")
        if not len(rows):
            return
        rows = np.ascontiguousarray(rows)
        self._check(rows)
        self._counts += np.bincount(rows["kind"], minlength=128)
        try:
            with files.disk_errors(self._work):
                self._write(rows)
        except BaseException:  # also on Ctrl-C: half a tape is none
            self.abandon()
            raise

    def close(self, notes: dict[str, Any] | None = None) -> TapeManifest:
        """Finishes the tape, gives it its name and returns its manifest."""
        if self._lock < 0:
            raise BadUse("the tape is closed", where=str(self.folder))
        manifest_notes = notes or {}
        try:
            with files.disk_errors(self._work):
                self._finish_segment()
                manifest = TapeManifest(
                    format=FORMAT,
                    made_by=self._made_by,
                    instruments=self._instruments,
                    streams=self._streams,
                    segments=self._segments,
                    counts=names_of_kinds(self._counts.tolist()),
                    notes=manifest_notes,
                )
                files.write_whole(
                    self._work / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n", self._disk
                )
                self._put_in_place()
        except BaseException:  # also on Ctrl-C: half a tape is none
            self.abandon()
            raise
        self._release()
        return manifest

    def abandon(self) -> None:
        """Forgets what was written; a tape that stood at `folder` before stays."""
        if self._lock < 0:
            return
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        shutil.rmtree(self._work, ignore_errors=True)
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self.abandon()
        elif self._lock >= 0:
            self.close()

    @staticmethod
    def _refuse_foreign(folder: Path) -> None:
        with files.disk_errors(folder):
            if not folder.exists():
                return
            foreign = [name for name in sorted(os.listdir(folder)) if not OUR_FILE.fullmatch(name)]
        if foreign:
            raise BadUse(
                f"holds {foreign[0]!r}, which is no part of a tape", where=str(folder), expected="a new or empty folder, or a tape"
            )

    def _check(self, rows: Rows) -> None:
        times = rows["ts_local"]
        if times[0] < self._last_ts or np.any(times[1:] < times[:-1]):
            at = 0 if times[0] < self._last_ts else int(np.argmax(times[1:] < times[:-1])) + 1
            before = self._last_ts if at == 0 else int(times[at - 1])
            raise BadData(
                f"ts_local falls from {before} to {int(times[at])}",
                where=f"{self.folder} row {self._rows + at}",
                expected="rows sorted by (ts_local, source, stream_seq)",
            )
        known = _KNOWN[rows["kind"]]
        if not known.all():
            at = int(np.argmin(known))
            raise BadData(
                f"{int(rows['kind'][at])} is no kind of row",
                where=f"{self.folder} row {self._rows + at}",
                expected="a code of domain.codes",
            )

    def _write(self, rows: Rows) -> None:
        while len(rows):
            if self._in_segment == SEGMENT_ROWS:
                self._finish_segment()
            part = rows[: SEGMENT_ROWS - self._in_segment]
            self._write_part(part)
            rows = rows[len(part) :]

    def _write_part(self, part: Rows) -> None:
        if self._fd < 0:
            path = self._work / f"{len(self._segments):05d}.rows"
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            self._hash = hashlib.sha256()
            self._first_ts = int(part["ts_local"][0])
        data = part.view(np.uint8).data
        files.write_all(self._fd, data, disk=self._disk)
        self._hash.update(data)
        self._last_ts = int(part["ts_local"][-1])
        self._in_segment += len(part)
        self._rows += len(part)

    def _finish_segment(self) -> None:
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            self._disk.fsync(fd)
        finally:
            os.close(fd)
        self._segments.append(
            TapeSegment(
                file=f"{len(self._segments):05d}.rows",
                rows=self._in_segment,
                first_ts=self._first_ts,
                last_ts=self._last_ts,
                sha256=self._hash.hexdigest(),
            )
        )
        self._in_segment = 0

    def _put_in_place(self) -> None:
        former = self.folder.with_name(self.folder.name + ".former")
        self._refuse_foreign(self.folder)
        if self.folder.exists():
            self._refuse_foreign(former)
            shutil.rmtree(former, ignore_errors=True)
            os.rename(self.folder, former)
        os.rename(self._work, self.folder)
        files.sync_folder(self.folder.parent)
        shutil.rmtree(former, ignore_errors=True)

    def _release(self) -> None:
        os.close(self._lock)
        self._lock = -1


class Tape:
    """A tape opened for reading."""

    def __init__(self, folder: Path, manifest: TapeManifest) -> None:
        self.folder, self.manifest = folder, manifest
        self.rows = sum(segment.rows for segment in manifest.segments)

    @classmethod
    def open(cls, folder: Path | str) -> Tape:
        """The tape at `folder`; every file's size is checked, its bytes by `verify`. Raises BadUse, BadData, Corrupt."""
        folder = Path(folder)
        path = folder / MANIFEST
        if not path.is_file():
            raise BadUse("no tape.json here", where=str(folder), expected="a folder made by `tradewind import`")
        with files.disk_errors(path):
            text = path.read_bytes()
        try:
            manifest = msgspec.json.decode(text, type=TapeManifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Corrupt(
                f"does not read as a tape's manifest: {error}", where=str(path), todo="import the recording again"
            ) from error
        if manifest.format != FORMAT:
            raise BadData(f"tape format {manifest.format}", where=str(path), expected=f"format {FORMAT}", todo="import it again")
        tape = cls(folder, manifest)
        for segment in manifest.segments:
            tape._check_size(segment)
        return tape

    @property
    def digest(self) -> str:
        """Hex sha256 over the raw sha256 of every segment, in order: names the rows, not the manifest."""
        return hashlib.sha256(b"".join(bytes.fromhex(segment.sha256) for segment in self.manifest.segments)).hexdigest()

    def segments(self) -> Iterator[Rows]:
        """Each segment, mapped. An array holds its rows only until the next is asked for: copy what must last.

        Writing into an array is allowed and never reaches the file.
        """
        for segment in self.manifest.segments:
            mapped = self._map(segment)
            yield np.frombuffer(mapped, ROW)
            if hasattr(mmap, "MADV_DONTNEED"):  # the caller's name still holds the array while the next one is made
                mapped.madvise(mmap.MADV_DONTNEED)

    def segment(self, index: int) -> Rows:
        """Segment `index`, mapped for as long as the array lives. Raises BadData where there is none."""
        if not 0 <= index < len(self.manifest.segments):
            raise BadData(f"segment {index} is not on this tape", where=str(self.folder))
        return np.frombuffer(self._map(self.manifest.segments[index]), ROW)

    def read(self, start: int, stop: int) -> Rows:
        """A copy of rows [start, stop), counted over the whole tape and clipped to it like a slice."""
        start, stop, _ = slice(start, stop).indices(self.rows)
        out = np.zeros(max(stop - start, 0), ROW)
        base = 0
        for index, segment in enumerate(self.manifest.segments):
            low, high = max(start, base), min(stop, base + segment.rows)
            if low < high:
                out[low - start : high - start] = self.segment(index)[low - base : high - base]
            base += segment.rows
        return out

    def between(self, start_ns: int, stop_ns: int) -> list[Rows]:
        """The rows with start_ns <= ts_local < stop_ns, in order, as views of the mapped segments: found by halving, not read."""
        found: list[Rows] = []
        for index, segment in enumerate(self.manifest.segments):
            if segment.last_ts >= start_ns and segment.first_ts < stop_ns:
                rows = self.segment(index)
                times = words(rows)
                low = bisect_left(range(len(rows)), start_ns, key=lambda at, times=times: times.item(at, W_TS_LOCAL))  # type: ignore[misc]
                high = bisect_left(range(len(rows)), stop_ns, low, key=lambda at, times=times: times.item(at, W_TS_LOCAL))  # type: ignore[misc]
                if low < high:
                    found.append(rows[low:high])
        return found

    def verify(self) -> None:
        """Reads every byte. Raises Corrupt naming the first file that is not what was written."""
        for segment in self.manifest.segments:
            path = self._check_size(segment)
            with files.disk_errors(path), open(path, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != segment.sha256:
                raise Corrupt(f"sha256 is {found}", where=str(path), expected=segment.sha256, todo="import the recording again")

    def _map(self, segment: TapeSegment) -> mmap.mmap:
        path = self._check_size(segment)
        with files.disk_errors(path), open(path, "rb") as file:
            return mmap.mmap(file.fileno(), segment.rows * ROW_BYTES, access=mmap.ACCESS_COPY)

    def _check_size(self, segment: TapeSegment) -> Path:
        path = self.folder / segment.file
        if not OUR_FILE.fullmatch(segment.file) or segment.rows < 1 or not SHA256.fullmatch(segment.sha256):
            raise Corrupt(
                f"names a segment {segment.file!r} of {segment.rows} rows and sha256 {segment.sha256!r}",
                where=str(self.folder / MANIFEST),
            )
        size = path.stat().st_size if path.is_file() else -1
        if size != segment.rows * ROW_BYTES:
            what = "the file is missing" if size < 0 else f"the file has {size} bytes"
            raise Corrupt(what, where=str(path), expected=f"{segment.rows * ROW_BYTES} bytes", todo="import the recording again")
        return path
