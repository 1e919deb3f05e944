"""A disk that fails where a test says."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tradewind.storage import files


class DiskThatFails(files.Disk):
    """Takes `room` bytes, then says ENOSPC; `errors` names an errno for an operation, and the call it begins at.

    It never waits: what a process leaves behind is the same without.
    """

    def __init__(self, room: int = 1 << 60, **errors: tuple[int, int]) -> None:
        self.room, self.errors = room, errors
        self.calls = dict.fromkeys(("write", "fsync", "datasync", "truncate", "rename"), 0)

    def _count(self, operation: str) -> None:
        self.calls[operation] += 1
        number, begin = self.errors.get(operation, (0, 0))
        if number and self.calls[operation] >= begin:
            raise OSError(number, os.strerror(number))

    def write(self, fd: int, *parts: files.Part) -> int:
        self._count("write")
        data = b"".join(parts)[: self.room]
        if not data and self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(data)
        return os.write(fd, data)

    def fsync(self, fd: int) -> None:
        self._count("fsync")

    def datasync(self, fd: int) -> None:
        self._count("datasync")

    def truncate(self, fd: int, size: int) -> None:
        self._count("truncate")
        super().truncate(fd, size)

    def rename(self, source: Path, target: Path) -> None:
        self._count("rename")
        super().rename(source, target)
