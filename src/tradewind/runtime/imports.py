"""`tradewind import`: recordings in, a tape folder and its figures out.

Rows are spooled to a nameless file while they are read, because only the whole recording shows how coarse an instrument's
units may be; then they are brought to those units and written as a tape.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec
import numpy as np

from tradewind import __version__
from tradewind.domain.errors import BadData, BadUse
from tradewind.domain.rows import ROW, Rows
from tradewind.storage.files import disk_errors
from tradewind.storage.tape import TapeWriter
from tradewind.venues import account
from tradewind.venues.ahead import Aside, ahead
from tradewind.venues.binance.importer import BinanceImporter
from tradewind.venues.coinbase.importer import CoinbaseReader
from tradewind.venues.cryptofeed.importer import CaptureImporter
from tradewind.venues.frames import FramesImporter
from tradewind.venues.imported import Imported, Sink
from tradewind.venues.kraken.importer import KrakenImporter
from tradewind.venues.lines import Progress, Refusals
from tradewind.venues.ohlcv.importer import BarImporter
from tradewind.venues.weighing import Weighing
from tradewind.venues.witness import Findings

FORMATS = ("binance", "binance-usdm", "coinbase", "cryptofeed", "kraken", "ohlcv")
SPOOL_ROWS = 1 << 14
MAX_FILES = 4_096


class ImportResult(msgspec.Struct, kw_only=True):
    """What an import did. Times are ts_local in ns; `refused` counts lines (or bars) of which nothing was taken."""

    rows: int
    instruments: list[str]
    gaps: int
    checksum_failures: int
    book_mismatches: int
    refused: int
    first_ts: int
    last_ts: int
    details: dict[str, Any]


class Importer(Protocol):
    """One format's way from files to rows."""

    def run(self, sink: Sink) -> Imported:
        """Give all rows to `sink` in tape order; whole messages a call."""
        ...

    def proofs(self) -> tuple[dict[int, int], dict[int, int]]:
        """(proof code, levels a side kept) by instrument, as known so far."""
        ...


def import_files(
    format: str,  # noqa: A002 — the command contract's word
    files: Sequence[Path],
    out: Path,
    progress: Progress | None = None,
) -> ImportResult:
    """Import `files` (or folders of them) as one tape at `out`, in time order.

    Raises BadUse for an unknown format, a missing file or a folder that is no tape; BadData where a file holds nothing
    of the format, naming the first line and what was expected; NoRoom where the disk is full.
    """
    _check_out(out)
    refusals = Refusals()
    importer = _importer(format, _expand(format, files), refusals, progress)
    witness = Weighing()
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent) as spool:
            rows = 0
            with Aside(lambda given: witness.read(given[0], given[1], given[2])) as weighed:

                def sink(chunk: Rows) -> None:
                    nonlocal rows
                    chunk = np.ascontiguousarray(chunk)
                    proofs, depths = importer.proofs()
                    weighed((chunk, proofs, dict(depths)))
                    spool.write(chunk.view(np.uint8).data)
                    rows += len(chunk)

                imported = importer.run(sink)
            if not rows:
                raise BadData(f"no row came out: {refusals.first()}", where=", ".join(map(str, files)), expected=format)
            return _write(out, spool, imported, refusals, witness.findings)


def _write(out: Path, spool: IO[bytes], imported: Imported, refusals: Refusals, findings: Findings) -> ImportResult:
    details: dict[str, Any] = {
        **imported.notes,
        **msgspec.to_builtins(findings),
        "refused": refusals.counts(),
        "first_refusals": {reason: f"{first.where}: {first.example}" for reason, first in sorted(refusals.by_reason.items())},
    }
    with TapeWriter(out, imported.instruments, imported.streams, f"tradewind {__version__} import") as writer:
        for chunk in ahead(_rescaled(spool, imported.scales)):
            writer.append(chunk)
        manifest = writer.close(details)
    return ImportResult(
        rows=sum(segment.rows for segment in manifest.segments),
        instruments=[instrument.name for instrument in imported.instruments],
        gaps=findings.gaps,
        checksum_failures=findings.checksum_failures,
        book_mismatches=findings.book_mismatches,
        refused=refusals.total,
        first_ts=manifest.segments[0].first_ts,
        last_ts=manifest.segments[-1].last_ts,
        details=details,
    )


def _rescaled(spool: IO[bytes], scales: list[tuple[int, int]]) -> Iterator[Rows]:
    """The spooled rows in the units their instruments settled on; each divisor divides every number exactly."""
    divisors = np.array(scales, np.int64)
    spool.seek(0)
    while True:
        rows = np.empty(SPOOL_ROWS, ROW)
        count = spool.readinto(rows.view(np.uint8).data) // ROW.itemsize  # type: ignore[attr-defined]
        if not count:
            return
        rows = rows[:count]
        if (divisors != 1).any() and (wrong := account.divide(rows, divisors)) >= 0:
            raise BadData("a number off its own grid", where=f"row {wrong}", todo="report this as a defect")
        yield rows


def _importer(name: str, files: list[Path], refusals: Refusals, progress: Progress | None) -> Importer:
    if name in ("binance", "binance-usdm"):
        return BinanceImporter(name, files, refusals, progress)
    if name == "coinbase":
        return FramesImporter(files, refusals, CoinbaseReader, progress)
    if name == "cryptofeed":
        return CaptureImporter(files, refusals, progress)
    if name == "kraken":
        return KrakenImporter(files, refusals, progress)
    return BarImporter(files, refusals, progress)


def _expand(name: str, files: Sequence[Path]) -> list[Path]:
    if name not in FORMATS:
        raise BadUse(f"unknown format {name!r}", expected=f"one of {', '.join(FORMATS)}")
    found: list[Path] = []
    for file in map(Path, files):
        if not file.exists():
            raise BadUse("no such file", where=str(file), expected="recordings to import")
        found += sorted(inner for inner in file.iterdir() if inner.is_file()) if file.is_dir() else [file]
    if not 0 < len(found) <= MAX_FILES:
        given = ", ".join(str(file) for file in list(files)[:3])
        raise BadUse(
            f"{len(found)} files to import", where=given, expected=f"1 to {MAX_FILES}",
            todo="name recordings, or a folder that holds them directly",
        )  # fmt: skip
    return found


def _check_out(out: Path) -> None:
    """Say early what the writer would say late. Raises BadUse."""
    if out.exists() and not out.is_dir():
        raise BadUse("is a file", where=str(out), expected="a new or empty folder, or a tape")
    if out.is_dir() and any(out.iterdir()) and not (out / "tape.json").is_file():
        raise BadUse("holds something that is no tape", where=str(out), expected="a new or empty folder, or a tape")
