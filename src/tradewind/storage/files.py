"""The few disk operations storage needs, each whole or not at all, and the errors they become.

Every byte storage writes goes through a `Disk`, so that a test can make any write, fsync or truncation fail.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tradewind.domain.errors import BadUse, NoRoom, TradewindError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_ACCESS = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)


Part = bytes | bytearray | memoryview  # of single bytes: `len` is the size


class Disk:
    """The operating system's disk. Tests replace single methods."""

    def write(self, fd: int, *parts: Part) -> int:
        return os.write(fd, parts[0]) if len(parts) == 1 else os.writev(fd, parts)

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def datasync(self, fd: int) -> None:
        """Makes the bytes and the length durable, not the times."""
        getattr(os, "fdatasync", os.fsync)(fd)  # macOS has no fdatasync

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def rename(self, source: Path, target: Path) -> None:
        os.rename(source, target)


DISK = Disk()


def disk_error(error: OSError, where: Path | str) -> TradewindError:
    """NoRoom, BadUse (path or permission) or TradewindError (the disk failed), for an OSError."""
    what = error.strerror or str(error)
    if error.errno in NO_ROOM:
        return NoRoom(what, where=str(where), expected="free space", todo="free some space, then start again")
    if error.errno in NO_ACCESS:
        return BadUse(what, where=str(where), expected="a path this user may read and write")
    return TradewindError(what, where=str(where), expected="a disk that works", todo="treat this disk as failing")


@contextmanager
def disk_errors(where: Path | str) -> Iterator[None]:
    """Turns an OSError into what `disk_error` says."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, where) from error


def write_all(fd: int, *parts: Part, disk: Disk = DISK) -> int:
    """Writes every byte and returns how many; one call to the kernel where the kernel takes them all. Raises OSError."""
    size = sum(map(len, parts))
    done = disk.write(fd, *parts)
    if done < size:
        rest = memoryview(b"".join(parts))[done:]
        while rest:
            rest = rest[disk.write(fd, rest) :]
    return size


def sync_folder(folder: Path, disk: Disk = DISK) -> None:
    """Makes the names inside `folder` durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        disk.fsync(fd)
    finally:
        os.close(fd)


def write_whole(path: Path, data: bytes, disk: Disk = DISK) -> None:
    """Puts `data` at `path` whole or not at all: written aside, fsynced, renamed, folder fsynced. Raises OSError."""
    aside = path.with_name(path.name + ".aside")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        try:
            write_all(fd, data, disk=disk)
            disk.fsync(fd)
        finally:
            os.close(fd)
        disk.rename(aside, path)
    except BaseException:  # also on Ctrl-C: nothing half written stays aside
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent, disk)


def lock_folder(folder: Path) -> int:
    """A descriptor that holds `folder` against every other process until it is closed. Raises BadUse where another holds it."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise BadUse("another process is writing here", where=str(folder), todo="stop it, or name another folder") from error
    return fd


def is_held(folder: Path) -> bool:
    """Whether another process, or this one, holds `folder` by `lock_folder`."""
    try:
        os.close(lock_folder(folder))
    except BadUse:
        return True
    return False
