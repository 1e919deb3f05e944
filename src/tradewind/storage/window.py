"""A piece of a file that moves forward: how a long file is read with little memory."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from . import files

SIZE = 8 << 20


class Window:
    """Bytes [base, base + len(data)) of a file as it was when it was opened. Raises what `files.disk_error` says.

    `data` is never written again by the window: what looks into an old one stays good.
    """

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self._path, self._most = path, size
        with files.disk_errors(path):
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by `__exit__`
            self.size = os.fstat(self._file.fileno()).st_size
        self.base = 0
        self.data = bytearray()
        self.advance(0)

    def ahead(self, at: int, needed: int) -> int:
        """Where data[at] lies once `needed` bytes behind it are there too, or all that the file has."""
        if len(self.data) - at >= needed or self.base + len(self.data) >= self.size:
            return at
        self.advance(at)
        return 0

    def advance(self, at: int) -> None:
        """Begins at data[at]."""
        kept = self.data[at:]
        self.base += at
        more = bytearray(max(min(self._most, self.size - self.base) - len(kept), 0))
        with files.disk_errors(self._path):
            done = self._file.readinto(more)
        if done < len(more):  # somebody cut it meanwhile
            del more[done:]
            self.size = self.base + len(kept) + done
        self.data = kept + more if kept else more

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
