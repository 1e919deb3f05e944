"""The tape holds exactly the rows it was given, or refuses by name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numba import typeof

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse, Corrupt, NoRoom
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import ROW, Rows
from tradewind.storage import files, tape
from tradewind.storage.tape import Tape, TapeWriter

from .faults import DiskThatFails

BTC = Instrument(venue="binance", symbol="BTCUSDT", base="BTC", quote="USDT", price_exponent=2, quantity_exponent=5)
DEPTHS = Stream(venue="binance", channel="depth", instrument=0)


def some_rows(n: int, seed: int = 7) -> Rows:
    random = np.random.default_rng(seed)
    rows = np.frombuffer(random.bytes(n * 64), ROW).copy()
    rows["kind"] = random.integers(codes.DEPTH, codes.BAR + 1, n)
    rows["ts_local"] = np.sort(random.integers(0, 1 << 60, n))
    return rows


def make(folder: Path, rows: Rows) -> tape.TapeManifest:
    with TapeWriter(folder, [BTC], [DEPTHS], "a test") as writer:
        writer.append(rows)
        return writer.close({"gaps": 3})


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(tape, "SEGMENT_ROWS", 100)
    return 100


@pytest.mark.parametrize("n", [0, 1, 99, 100, 101, 350])
@pytest.mark.parametrize("batch", [1, 33, 1000])
def test_round_trip(tmp_path: Path, small_segments: int, n: int, batch: int) -> None:
    rows = some_rows(n)
    with TapeWriter(tmp_path / "t", [BTC], [DEPTHS], "a test") as writer:
        for start in range(0, n, batch):
            writer.append(rows[start : start + batch])
    read = Tape.open(tmp_path / "t")
    read.verify()
    parts = [segment.copy() for segment in read.segments()]
    assert [len(part) for part in parts] == [100] * (n // 100) + ([n % 100] if n % 100 else [])
    assert b"".join(part.tobytes() for part in parts) == rows.tobytes()
    assert read.rows == n and sum(read.manifest.counts.values()) == n
    assert read.manifest.counts.get("TRADE", 0) == int(np.sum(rows["kind"] == codes.TRADE))
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_manifest_is_what_was_given(tmp_path: Path) -> None:
    rows = some_rows(10)
    manifest = make(tmp_path / "t", rows)
    read = Tape.open(tmp_path / "t")
    assert read.manifest == manifest and manifest.notes == {"gaps": 3}
    assert manifest.instruments == [BTC] and manifest.streams == [DEPTHS] and manifest.made_by == "a test"
    (segment,) = manifest.segments
    assert (segment.first_ts, segment.last_ts) == (rows["ts_local"][0], rows["ts_local"][-1])
    assert segment.sha256 == hashlib.sha256(rows.tobytes()).hexdigest()
    assert read.digest == hashlib.sha256(bytes.fromhex(segment.sha256)).hexdigest()


def test_a_segment_has_the_type_of_fresh_rows(tmp_path: Path) -> None:
    make(tmp_path / "t", some_rows(10))
    for segment in Tape.open(tmp_path / "t").segments():
        assert typeof(segment) == typeof(np.zeros(1, ROW))
        segment["price"] = 1  # must not fault, must not reach the file
    Tape.open(tmp_path / "t").verify()


@pytest.mark.parametrize(("start", "stop"), [(0, 350), (95, 105), (100, 200), (340, 999), (5, 5), (-3, 350), (10, 5)])
def test_read_is_a_slice(tmp_path: Path, small_segments: int, start: int, stop: int) -> None:
    rows = some_rows(350)
    make(tmp_path / "t", rows)
    assert Tape.open(tmp_path / "t").read(start, stop).tobytes() == rows[start:stop].tobytes()


def test_time_that_falls_is_refused_and_nothing_kept(tmp_path: Path) -> None:
    rows = some_rows(20)
    with TapeWriter(tmp_path / "t", [BTC], [DEPTHS], "a test") as writer:
        writer.append(rows[:10])
        with pytest.raises(BadData, match="row 10: ts_local falls"):
            writer.append(rows[:1])
        with pytest.raises(BadData, match="row 15: ts_local falls"):
            writer.append(np.concatenate([rows[15:20], rows[:1]]))
        writer.append(rows[10:])
    assert Tape.open(tmp_path / "t").read(0, 99).tobytes() == rows.tobytes()


@pytest.mark.parametrize("kind", [0, -1, 127])
def test_an_unknown_kind_is_refused(tmp_path: Path, kind: int) -> None:
    rows = some_rows(3)
    rows["kind"][2] = kind
    with TapeWriter(tmp_path / "t", [BTC], [DEPTHS], "a test") as writer, pytest.raises(BadData, match=f"row 2: {kind} is no kind"):
        writer.append(rows)


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), TapeWriter(tmp_path / "t", [BTC], [DEPTHS], "a test") as writer:
        writer.append(some_rows(3))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_tape_is_replaced_and_a_foreign_folder_is_not(tmp_path: Path) -> None:
    make(tmp_path / "t", some_rows(3))
    make(tmp_path / "t", some_rows(5))
    assert Tape.open(tmp_path / "t").rows == 5
    (tmp_path / "t" / "holiday.jpg").write_bytes(b"")
    with pytest.raises(BadUse, match=r"holiday\.jpg"):
        make(tmp_path / "t", some_rows(3))
    assert Tape.open(tmp_path / "t").rows == 5


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "t", [BTC], [DEPTHS], "a test"), pytest.raises(BadUse, match="another process"):
        TapeWriter(tmp_path / "t", [BTC], [DEPTHS], "a test")


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    make(tmp_path / "t", some_rows(2))
    path = tmp_path / "t" / "00000.rows"
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 16]) + good[at + 1 :])
        with pytest.raises(Corrupt, match=r"00000\.rows"):
            Tape.open(tmp_path / "t").verify()
    for size in (0, 127, 129):
        path.write_bytes((good + good)[:size])
        with pytest.raises(Corrupt, match=f"{size} bytes; expected 128 bytes"):
            Tape.open(tmp_path / "t")
    path.unlink()
    with pytest.raises(Corrupt, match="missing"):
        Tape.open(tmp_path / "t")


def test_a_manifest_that_is_not_ours(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match=r"no tape\.json"):
        Tape.open(tmp_path / "t")
    make(tmp_path / "t", some_rows(2))
    path = tmp_path / "t" / "tape.json"
    manifest = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(manifest | {"format": 2}))
    with pytest.raises(BadData, match="tape format 2"):
        Tape.open(tmp_path / "t")
    manifest["segments"][0]["file"] = "../t/00000.rows"
    path.write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(Corrupt, match="names a segment"):
        Tape.open(tmp_path / "t")
    path.write_bytes(b'{"format": 1')
    with pytest.raises(Corrupt, match="does not read"):
        Tape.open(tmp_path / "t")


def test_a_full_disk_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "DISK", DiskThatFails(room=700))
    make(tmp_path / "small", some_rows(0))
    writer = TapeWriter(tmp_path / "t", [BTC], [DEPTHS], "a test")
    with pytest.raises(NoRoom, match="No space left"):
        writer.append(some_rows(12))
    with pytest.raises(BadUse, match="closed"):
        writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_a_flipped_bit_in_the_manifest_never_crashes(tmp_path: Path) -> None:
    make(tmp_path / "t", some_rows(2))
    path = tmp_path / "t" / "tape.json"
    good = path.read_bytes()
    refused = 0
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :])
        try:
            read = Tape.open(tmp_path / "t")
            assert read.digest
            read.verify()
        except (BadData, BadUse):
            refused += 1
    assert refused > len(good) // 2


def test_a_range_of_time_is_found_by_halving(tmp_path: Path, small_segments: int) -> None:
    rows = some_rows(5 * small_segments + 17)
    rows["ts_local"] = np.sort(np.random.default_rng(1).integers(0, 300, len(rows)))  # many rows share a time
    make(tmp_path / "t", rows)
    found = Tape.open(tmp_path / "t")
    for low, high in ((0, 300), (10, 11), (57, 58), (299, 400), (-5, 1), (120, 120), (200, 100), (301, 900)):
        wanted = rows[(rows["ts_local"] >= low) & (rows["ts_local"] < high)]
        parts = found.between(low, high)
        got = np.concatenate(parts) if parts else rows[:0]
        assert got.tobytes() == wanted.tobytes(), (low, high)
