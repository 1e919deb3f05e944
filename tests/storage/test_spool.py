"""A spool gives back what was put into it, in memory and on disk, leaves nothing behind and says when a disk is full."""

from __future__ import annotations

import errno
import gc
from pathlib import Path

import numpy as np
import pytest

from tradewind.domain.errors import NoRoom
from tradewind.storage.spool import Spool

PAIR = np.dtype([("a", "i8"), ("b", "i2")])


def pairs(start: int, stop: int) -> np.ndarray:
    made = np.zeros(stop - start, PAIR)
    made["a"], made["b"] = np.arange(start, stop), np.arange(start, stop) % 7
    return made


@pytest.mark.parametrize("in_memory", [1 << 20, 64])
def test_records_come_back_and_change_in_place(tmp_path: Path, in_memory: int) -> None:
    spool = Spool(PAIR, tmp_path, in_memory)
    for start, stop in ((0, 3), (3, 3), (3, 50), (50, 101)):
        spool.append(pairs(start, stop))
    changed = spool.read(40, 60)
    changed["b"] = -1
    spool.write(40, changed)
    expected = pairs(0, 101)
    expected["b"][40:60] = -1
    assert len(spool) == 101
    assert np.concatenate(list(spool.parts(8))).tobytes() == expected.tobytes()
    assert len(spool.read(90, 500)) == 11 and len(spool.read(101, 120)) == 0


def test_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    spool = Spool(PAIR, tmp_path, 64)
    spool.append(pairs(0, 1000))
    assert list(tmp_path.iterdir()) == []  # the file has no name even while it is used
    del spool
    gc.collect()


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(PAIR, tmp_path, 1 << 20)

    def full(data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool._file, "write", full)
    with pytest.raises(NoRoom) as told:
        spool.append(pairs(0, 2))
    assert str(tmp_path) in str(told.value.where) and len(spool) == 0
