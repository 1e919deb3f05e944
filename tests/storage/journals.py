"""Small journals to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from tradewind.domain import codes
from tradewind.domain.rows import ROW, Rows
from tradewind.storage import files
from tradewind.storage.journal import JournalHeader, JournalReader, JournalWriter

HEADER = JournalHeader(
    run="r1",
    machine_hash="ab" * 32,
    build="0.1.0",
    configuration="[run]\n",
    instruments=[],
    made_by="a test",
    created_ts=1_723_000_000,
)


class Unsynced(files.Disk):
    """A disk that does not wait."""

    def fsync(self, fd: int) -> None:
        pass

    def datasync(self, fd: int) -> None:
        pass


FAST = Unsynced()


def rows_of_any_bits(n: int, seed: int = 1) -> Rows:
    random = np.random.default_rng(seed)
    rows = np.frombuffer(random.bytes(n * 64), ROW).copy()
    rows["kind"] = random.integers(codes.DEPTH, codes.HALT + 1, n)
    return rows


def write(folder: Path, sizes: list[int], seed: int = 1, texts: int = 0) -> Rows:
    """A journal with batches of `sizes`, a text before every third batch while `texts` last; returns all its rows."""
    rows = rows_of_any_bits(sum(sizes), seed)
    at = 0
    with JournalWriter(folder, HEADER, disk=FAST) as writer:
        for number, size in enumerate(sizes):
            if number % 3 == 0 and number // 3 < texts:
                writer.intern(f"venue said no {number}" * (number + 1))
            writer.append(rows[at : at + size], digest=number)
            at += size
    return rows


def read(folder: Path) -> tuple[bytes, list[str], list[int]]:
    """The bytes of all rows, the texts, and the number of rows before each commit boundary, 0 included."""
    reader = JournalReader(folder)
    boundaries = [0]
    out = []
    for found in reader.batches():
        out.append(found.rows.tobytes())
        boundaries.append(found.place.rows)
    return b"".join(out), reader.texts, boundaries


def copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target
