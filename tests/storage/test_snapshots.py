"""Snapshots: what is loaded is what was taken, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.domain.errors import Corrupt, NoRoom
from tradewind.storage import snapshots
from tradewind.storage.files import Disk, Part
from tradewind.storage.snapshots import Moment, Snapshots


def moment(row: int) -> Moment:
    return Moment(
        machine_hash="m", build="b", ts_local=5, market_row=row, chain="00", batches=3, rows=9, extras={"seats": {"1": [7, []]}}
    )


def test_what_was_taken_comes_back(tmp_path: Path) -> None:
    kept = Snapshots(tmp_path / "s")
    parts: list[Part] = [bytes(range(256)) * 40, b"", b"x"]
    assert kept.take(moment(12), parts).parts == parts
    found = next(kept.newest())
    assert found.parts == parts
    assert (found.moment.market_row, found.moment.extras, found.moment.sizes) == (12, {"seats": {"1": [7, []]}}, [10_240, 0, 1])


def test_the_last_two_are_kept_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    kept = Snapshots(tmp_path / "s")
    for row in (10, 20, 300):
        kept.take(moment(row), [bytes([row % 256]) * 500])
    assert [path.stem for path in kept.paths()] == [f"{20:015d}", f"{300:015d}"]
    assert kept.oldest_row() == 20
    path = kept.path(300)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    assert [found.moment.market_row for found in kept.newest()] == [20]
    with pytest.raises(Corrupt, match="own proof"):
        kept.load(path)


@pytest.mark.parametrize("keep", [0, 3, 11, 40, -1])
def test_any_cut_is_found(tmp_path: Path, keep: int) -> None:
    kept = Snapshots(tmp_path / "s")
    kept.take(moment(1), [b"some state" * 30])
    path = kept.path(1)
    path.write_bytes(path.read_bytes()[:keep])
    assert list(kept.newest()) == []


class Forgetful(Disk):
    """Says it wrote, and wrote something else; or has no room."""

    def __init__(self, error: OSError | None = None) -> None:
        self.error = error

    def write(self, fd: int, *parts: Part) -> int:
        if self.error is not None:
            raise self.error
        data = bytearray(b"".join(parts))
        data[-40] ^= 1
        return super().write(fd, bytes(data))


def test_a_disk_that_lies_is_found_before_anything_is_thrown_away(tmp_path: Path) -> None:
    Snapshots(tmp_path / "s").take(moment(1), [b"one"])
    with pytest.raises(Corrupt):
        Snapshots(tmp_path / "s", Forgetful()).take(moment(2), [b"two"])
    assert [found.moment.market_row for found in Snapshots(tmp_path / "s").newest()] == [1]


def test_a_full_disk_leaves_the_former_snapshot(tmp_path: Path) -> None:
    Snapshots(tmp_path / "s").take(moment(1), [b"one"])
    with pytest.raises(NoRoom):
        Snapshots(tmp_path / "s", Forgetful(OSError(28, "No space left on device"))).take(moment(2), [b"two"])
    assert [path.stem for path in Snapshots(tmp_path / "s").paths()] == [f"{1:015d}"]


def test_a_snapshot_of_a_later_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Snapshots(tmp_path / "s").take(moment(1), [b"one"])
    monkeypatch.setattr(snapshots, "FORMAT", 2)
    assert list(Snapshots(tmp_path / "s").newest()) == []
