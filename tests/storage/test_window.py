"""Long journals are read through a window: the same rows, and faults named at the same offsets, wherever it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.domain.errors import Corrupt
from tradewind.storage import window
from tradewind.storage.batch import MOST_BYTES
from tradewind.storage.journal import JournalReader
from tradewind.storage.window import Window

from .journals import write


def test_a_window_moves_over_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(i % 251 for i in range(1000)))
    found = b""
    with Window(path, 64) as seen:
        at = 0
        while seen.base + at < seen.size:
            at = seen.ahead(at, 10)
            assert len(seen.data) <= 64
            found += seen.data[at : at + 7]
            at += 7
    assert found == path.read_bytes()


def test_batches_larger_than_what_is_left_of_the_window_are_read(tmp_path: Path) -> None:
    sizes = [60_000, 1, 65_535, 30_000, 5, 40_000]
    assert sum(sizes) * 64 > window.SIZE > MOST_BYTES
    rows = write(tmp_path / "j", sizes, texts=3)
    read = [part.copy() for part in JournalReader(tmp_path / "j").rows()]
    assert b"".join(part.tobytes() for part in read) == rows.tobytes()


def test_a_fault_behind_the_first_window_is_found_where_it_is(tmp_path: Path) -> None:
    write(tmp_path / "j", [65_000, 65_000, 65_000, 10])
    path = next((tmp_path / "j").glob("*.journal"))
    data = bytearray(path.read_bytes())
    third = 64 + 2 * (64 + 65_000 * 64 + 128)
    assert third > window.SIZE / 2
    data[third + 64 + 4_000_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupt) as told:
        list(JournalReader(tmp_path / "j").batches())
    assert str(told.value.where).endswith(f"offset {third}")
