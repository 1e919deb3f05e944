"""A table that grows at its end and may become longer than memory should hold: in memory while it is short, else in a file.

The file has no name: it is gone with the process, however that ends, and nobody finds half of one.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import files

IN_MEMORY = 1 << 22  # bytes of one table; beyond that it goes to the disk
PART_ROWS = 1 << 15
Records = NDArray[np.void]


class Spool:
    """Records of one dtype by their number. Raises NoRoom where the disk is full, TradewindError where it fails.

    folder: where the file goes; on the disk of the run, because a temporary folder may itself be memory.
    """

    def __init__(self, dtype: np.dtype[Any], folder: Path, in_memory: int = IN_MEMORY) -> None:
        self.dtype, self.folder = dtype, folder
        self._rows = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=in_memory, dir=str(folder))  # noqa: SIM115 - lives as long as the spool
        weakref.finalize(self, self._file.close)

    def __len__(self) -> int:
        return self._rows

    def append(self, records: Records) -> None:
        """Adds records behind the last one."""
        self._put(self._rows, records)
        self._rows += len(records)

    def read(self, start: int, stop: int) -> Records:
        """Records [start, stop) as a writable copy."""
        size = self.dtype.itemsize
        stop = min(stop, self._rows)
        found = np.zeros(max(stop - start, 0), self.dtype)
        with files.disk_errors(self.folder):
            self._file.seek(start * size)
            done = self._file.read(found.nbytes)
        found.view(np.uint8)[:] = np.frombuffer(done, np.uint8)
        return found

    def write(self, start: int, records: Records) -> None:
        """Puts records in the place of those from `start` on."""
        self._put(start, records)

    def parts(self, rows: int = PART_ROWS) -> Iterator[Records]:
        """All records in order, at most `rows` at a time."""
        for start in range(0, self._rows, rows):
            yield self.read(start, start + rows)

    def _put(self, start: int, records: Records) -> None:
        with files.disk_errors(self.folder):
            self._file.seek(start * self.dtype.itemsize)
            self._file.write(np.ascontiguousarray(records).view(np.uint8).data)
            self._file.flush()  # a full disk says so here, not when somebody reads
