"""Lines: every compression gives the same lines, damage is counted, nothing is silently lost."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from tradewind.domain.errors import BadData
from tradewind.venues import lines
from tradewind.venues.lines import Refusals, blocks

TEXT = b"\n".join(f"line {i} {'x' * (i % 97)}".encode() for i in range(20_000)) + b"\n"


def read(path: Path, max_line: int = lines.MAX_LINE_BYTES) -> tuple[list[tuple[int, bytes]], Refusals]:
    refusals = Refusals()
    found = [(number + i, line) for number, block in blocks(path, refusals, max_line=max_line) for i, line in enumerate(block)]
    return found, refusals


@pytest.mark.parametrize("packed", [TEXT, gzip.compress(TEXT), zstandard.compress(TEXT)], ids=["plain", "gzip", "zstd"])
def test_compression_is_found_by_content(tmp_path: Path, packed: bytes) -> None:
    (tmp_path / "any.name").write_bytes(packed)
    found, refusals = read(tmp_path / "any.name")
    assert [line for _, line in found] == TEXT.splitlines()
    assert [number for number, _ in found] == list(range(1, 20_001))
    assert refusals.total == 0


def test_gzip_members_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "two").write_bytes(gzip.compress(b"one\ntw") + gzip.compress(b"o\nthree"))
    assert [line for _, line in read(tmp_path / "two")[0]] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_truncated_file_keeps_what_came_before(tmp_path: Path, pack: object) -> None:
    packed = pack(TEXT)  # type: ignore[operator]
    (tmp_path / "cut").write_bytes(packed[: len(packed) * 2 // 3])
    found, refusals = read(tmp_path / "cut")
    assert any("truncated" in reason for reason in refusals.by_reason)
    whole = TEXT.splitlines()
    if pack is gzip.compress:
        assert len(found) > 10_000
    assert all(line == whole[number - 1] for number, line in found[:-1])


def test_damaged_gzip_is_counted(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[len(packed) // 2] ^= 0xFF
    (tmp_path / "bad").write_bytes(packed)
    _, refusals = read(tmp_path / "bad")
    assert refusals.total == 1


def test_long_line_is_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"a\n" + b"y" * 300_000 + b"\nb\n" + b"z" * 2_000 + b"\nc")
    found, refusals = read(tmp_path / "long", max_line=1_000)
    assert [line for _, line in found if line] == [b"a", b"b", b"c"]
    assert refusals.by_reason["line too long"].count == 2
    assert refusals.by_reason["line too long"].where == "long, line 2"
    assert found[-1][0] == 5


def test_missing_file_says_which(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"absent\.gz"):
        read(tmp_path / "absent.gz")


def test_reasons_are_bounded() -> None:
    refusals = Refusals()
    for index in range(1_000):
        refusals.add(f"reason {index}", "f", index)
    assert refusals.total == 1_000
    assert len(refusals.by_reason) <= lines.MAX_REASONS + 1
    assert sum(refusals.counts().values()) == 1_000


def test_a_line_of_many_pieces_is_put_together_once(tmp_path: Path) -> None:
    long = b"q" * (5 << 20)
    (tmp_path / "long").write_bytes(long + b"\nshort\n" + long)
    found, refusals = read(tmp_path / "long")
    assert [line for _, line in found] == [long, b"short", long]
    assert refusals.total == 0
    found, refusals = read(tmp_path / "long", max_line=1 << 20)
    assert [line for _, line in found if line] == [b"short"]
    assert refusals.by_reason["line too long"].count == 2
