"""Market logs of format 1 are read and taken up; those of a later format are refused by name."""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec
import pytest

from tradewind.domain.errors import BadData, Corrupt
from tradewind.storage import marketlog, marketsegments
from tradewind.storage.marketlog import MarketLog, MarketReader

from . import oldlog
from .journals import FAST, rows_of_any_bits


def read(folder: Path) -> bytes:
    return b"".join(part.tobytes() for part in MarketReader(folder).rows())


@pytest.mark.parametrize("n", [0, 3, 10, 40, 67, 137])
def test_an_old_log_is_read_and_goes_on_as_a_new_one(tmp_path: Path, n: int) -> None:
    given_rows = rows_of_any_bits(300)
    oldlog.write(tmp_path / "m", given_rows[:n])
    assert read(tmp_path / "m") == given_rows[:n].tobytes()
    assert MarketReader(tmp_path / "m").verify() == n
    for stop in (n, n + 1, 300):
        with MarketLog.reopen(tmp_path / "m", FAST) as log:
            assert log.manifest.format == 3
            log.append(given_rows[log.rows : stop])
        assert read(tmp_path / "m") == given_rows[:stop].tobytes()
        assert MarketReader(tmp_path / "m").verify() == stop
    assert [segment.by for segment in MarketReader(tmp_path / "m").manifest.segments][n // 40 :] == ["blake3"] * (7 - n // 40)


def test_a_log_of_format_2_goes_on_as_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Format 2 is the same but that every tail has a file of its own, cut to its length, and segments are sealed by SHA-256."""
    given_rows = rows_of_any_bits(150)
    monkeypatch.setattr(marketlog, "BLOCK_ROWS", oldlog.BLOCK)
    monkeypatch.setattr(marketlog, "SEGMENT_ROWS", oldlog.SEGMENT)
    with monkeypatch.context() as then:
        then.setattr(marketsegments, "SEALED_BY", "sha256")
        with MarketLog(tmp_path / "m", [], [], "a release of last week", FAST) as log:
            log.append(given_rows[:65])
    older = msgspec.structs.replace(MarketReader(tmp_path / "m").manifest, format=2)
    (tmp_path / "m" / "market.json").write_bytes(msgspec.json.encode(older.proven()))
    assert read(tmp_path / "m") == given_rows[:65].tobytes()
    with MarketLog.reopen(tmp_path / "m", FAST) as log:
        assert log.manifest.format == 3
        log.append(given_rows[65:])
    assert read(tmp_path / "m") == given_rows.tobytes() and MarketReader(tmp_path / "m").verify() == 150
    assert [segment.by for segment in log.manifest.segments] == ["sha256", "blake3", "blake3"]


def test_a_torn_old_tail_is_cut(tmp_path: Path) -> None:
    given_rows = rows_of_any_bits(47)
    oldlog.write(tmp_path / "m", given_rows)
    tail = tmp_path / "m" / f"{40:015d}.tail"
    data = tail.read_bytes()
    tail.write_bytes(data[:-1])
    with MarketLog.reopen(tmp_path / "m", FAST) as log:
        assert log.rows == 46
    assert read(tmp_path / "m") == given_rows[:46].tobytes()
    tail.write_bytes(data[:300] + b"\xff" + data[301:])
    with pytest.raises(Corrupt, match="a whole commit marker follows"):
        read(tmp_path / "m")


def test_an_old_sealed_segment_is_proven(tmp_path: Path) -> None:
    oldlog.write(tmp_path / "m", rows_of_any_bits(80))
    manifest = MarketReader(tmp_path / "m").manifest
    other = msgspec.structs.replace(manifest.segments[1], digest="00" * 32)
    changed = msgspec.structs.replace(manifest, segments=[manifest.segments[0], other])
    (tmp_path / "m" / "market.json").write_bytes(msgspec.json.encode(changed.proven()))
    with pytest.raises(Corrupt, match="not what was sealed"):
        MarketReader(tmp_path / "m").verify()


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    oldlog.write(tmp_path / "m", rows_of_any_bits(20))
    later = msgspec.structs.replace(MarketReader(tmp_path / "m").manifest, format=4)
    (tmp_path / "m" / "market.json").write_bytes(msgspec.json.encode(later.proven()))
    with pytest.raises(BadData, match=r"format 4.*format 1, 2 or 3.*an old release"):
        MarketReader(tmp_path / "m")


def test_a_later_codec_is_refused(tmp_path: Path) -> None:
    oldlog.write(tmp_path / "m", rows_of_any_bits(20))
    path = tmp_path / "m" / "00000.market"
    data = bytearray(path.read_bytes())
    data[64 + 20] = 9
    data[64 + 60 : 64 + 64] = zlib.crc32(data[64 : 64 + 60]).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(BadData, match=r"codec 9.*codec 0 or 1.*release"):
        read(tmp_path / "m")
