"""The market log gives back every row bit for bit, through crashes, seals and pruning, in a tenth of the room."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse, Corrupt, NoRoom, TradewindError
from tradewind.domain.rows import Rows, rows
from tradewind.storage import marketlog
from tradewind.storage.journal import expand
from tradewind.storage.marketlog import MarketLog, MarketReader

from .faults import DiskThatFails
from .journals import FAST, copy, rows_of_any_bits


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marketlog, "BLOCK_ROWS", 10)
    monkeypatch.setattr(marketlog, "SEGMENT_ROWS", 40)
    monkeypatch.setattr(marketlog, "TAILS_KEPT", 3)
    monkeypatch.setattr(marketlog, "STAGED_ROWS", 1)


def begin(folder: Path, disk: marketlog.files.Disk = FAST) -> MarketLog:
    return MarketLog(folder, [], [], "a test", disk)


def write(folder: Path, n: int, step: int = 7) -> Rows:
    given_rows = rows_of_any_bits(n)
    with begin(folder) as log:
        for at in range(0, n, step):
            log.append(given_rows[at : at + step])
    return given_rows


def read(folder: Path, start: int = 0) -> bytes:
    return b"".join(part.tobytes() for part in MarketReader(folder).rows(start))


@pytest.mark.parametrize("n", [0, 1, 9, 10, 11, 39, 40, 41, 137, 200])
@pytest.mark.parametrize("step", [1, 7, 500])
def test_round_trip(tmp_path: Path, n: int, step: int) -> None:
    given_rows = write(tmp_path / "m", n, step)
    reader = MarketReader(tmp_path / "m")
    assert read(tmp_path / "m") == given_rows.tobytes()
    assert reader.verify() == n and reader.manifest.sealed == n // 40
    for start in (0, 5, 10, 44, n):
        assert read(tmp_path / "m", start) == given_rows[start:].tobytes()
    for index in range(n // 40 + 1):
        assert reader.segment(index).tobytes() == given_rows[40 * index : 40 * (index + 1)].tobytes()


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from(["append", "flush", "reopen", "sync", "prune"])), max_size=20),
    st.sampled_from([1, 4, 7, 100]),
)
def test_any_life_keeps_every_row(tmp_path_factory: pytest.TempPathFactory, life: list[tuple[int, str]], staged: int) -> None:
    marketlog.STAGED_ROWS = staged
    folder = tmp_path_factory.mktemp("life") / "m"
    given_rows = rows_of_any_bits(600)
    log, written, kept = begin(folder), 0, 0
    for size, event in life:
        if event == "reopen":
            log.close()
            log = MarketLog.reopen(folder, FAST)
        elif event == "sync":
            log.sync()
            assert len(read(folder)) == 64 * (written - kept)
        elif event == "flush":
            log.flush()
            assert len(read(folder)) == 64 * (written - kept)
        elif event == "prune":
            log.prune(written - size)
            kept = max(kept, max(written - size, 0) // 40 * 40)
        log.append(given_rows[written : written + size])
        written += size
        assert log.rows == written
        seen = read(folder)
        assert given_rows[kept:written].tobytes().startswith(seen) and len(seen) > 64 * (written - kept - staged)
    log.close()
    assert read(folder) == given_rows[kept:written].tobytes()
    assert MarketReader(folder).verify() == written and MarketReader(folder).first_row == kept
    names = sorted(os.listdir(folder))
    assert sum(name.endswith(".tail") for name in names) <= 4


@pytest.mark.parametrize("name", ["tail", "market"])
def test_a_torn_end_is_cut(tmp_path: Path, name: str) -> None:
    given_rows = write(tmp_path / "m", 137, 7)
    ends = {7 * k for k in range(20)} | {10 * k for k in range(14)} | {137}
    path = max((tmp_path / "m").glob(f"*.{name}"))
    good = path.read_bytes()
    end = MarketReader(tmp_path / "m").tail(130).whole if name == "tail" else len(good)
    assert (name == "tail") == (end < len(good)), "a tail is written over an older one"
    seen = set()
    for size in sorted({*range(0, len(good), 19), *range(end - 70, end)}):
        folder = copy(tmp_path / "m", tmp_path / f"{size}")
        (folder / path.name).write_bytes(good[:size])
        whole = read(folder)
        with MarketLog.reopen(folder, FAST) as log:
            kept = log.rows
            assert len(whole) == 64 * kept and kept in ends
            log.append(given_rows[kept:])
        assert read(folder) == given_rows.tobytes() and MarketReader(folder).verify() == 137
        seen.add(kept)
    assert seen == {130, 133, 137} if name == "tail" else seen == {137}, "the tails of unsynced blocks are kept"


def test_the_tail_outlives_a_block_that_was_lost(tmp_path: Path) -> None:
    """Power went before the packed block reached the disk: the plain rows it came from are still there."""
    given_rows = write(tmp_path / "m", 67)
    assert [path.name for path in sorted((tmp_path / "m").glob("*.tail"))] == [f"{n:015d}.tail" for n in (40, 50, 60)]
    (tmp_path / "m" / "00001.market").unlink()
    assert read(tmp_path / "m") == given_rows.tobytes()
    with MarketLog.reopen(tmp_path / "m", FAST) as log:
        assert log.rows == 67
        log.sync()
    assert [path.name for path in (tmp_path / "m").glob("*.tail")] == [f"{60:015d}.tail"]
    assert read(tmp_path / "m") == given_rows.tobytes() and MarketReader(tmp_path / "m").verify() == 67


def test_a_tail_that_is_written_over_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_rows = write(tmp_path / "m", 137)
    path = tmp_path / "m" / f"{130:015d}.tail"
    good = path.read_bytes()
    second = good.index(b"TWframe", 8)
    torn = bytes(second) + good[second:]  # the first frame was not there yet, the second was
    reads = [torn]

    def read_bytes(of: Path) -> bytes:
        if of == path and reads:
            return reads.pop()
        with open(of, "rb") as file:
            return file.read()

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert read(tmp_path / "m") == given_rows.tobytes() and not reads
    reads += [torn, torn]
    with pytest.raises(Corrupt, match="another frame follows"):
        read(tmp_path / "m")


def test_every_flipped_bit_is_found_or_cut(tmp_path: Path) -> None:
    given_rows = write(tmp_path / "m", 96, 3).tobytes()
    for path in sorted((tmp_path / "m").iterdir()):
        good = path.read_bytes()
        cut = 0
        for at in range(0, len(good), 61 if path.suffix == ".market" else 5):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :])
            try:
                got = read(tmp_path / "m")
                MarketReader(tmp_path / "m").verify()
            except BadData:
                continue
            finally:
                path.write_bytes(good)
            if path.suffix == ".tail" and (int(path.stem) < 90 or at >= MarketReader(tmp_path / "m").tail(90).whole):
                assert got == given_rows  # its rows are in a block
                continue
            assert path.suffix != ".json", f"{path.name} byte {at} went unseen"
            assert given_rows.startswith(got), f"{path.name} byte {at} gave wrong rows"
            healed = path.name == "00002.market" and len(got) == len(given_rows)  # the tail of its last block still stands
            assert healed or len(got) < len(given_rows), f"{path.name} byte {at} went unseen"
            cut += 1
        assert cut == 0 or path.name in ("00002.market", f"{90:015d}.tail"), "only what is not sealed may be cut"


@pytest.mark.parametrize("harm", ["delete", "swap", "older"])
def test_sealed_segments_are_chained(tmp_path: Path, harm: str) -> None:
    write(tmp_path / "m", 200)
    first, second = tmp_path / "m" / "00001.market", tmp_path / "m" / "00002.market"
    if harm == "delete":
        second.unlink()
    elif harm == "swap":
        data = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(data)
    else:
        with begin(tmp_path / "other") as log:
            log.append(rows(200))
        second.write_bytes((tmp_path / "other" / "00002.market").read_bytes())
    for proof in (MarketReader(tmp_path / "m").verify, lambda: read(tmp_path / "m")):
        with pytest.raises(Corrupt, match=r"0000[12]\.market"):
            proof()


def test_pruning_keeps_numbers_and_chain(tmp_path: Path) -> None:
    given_rows = write(tmp_path / "m", 170)
    with MarketLog.reopen(tmp_path / "m", FAST) as log:
        assert [log.prune(before) for before in (39, 40, 121, 100, 10_000)] == [0, 1, 2, 0, 1]
        log.append(given_rows[:5])
    reader = MarketReader(tmp_path / "m")
    assert reader.first_row == 160 and reader.verify() == 175
    assert read(tmp_path / "m") == given_rows[160:].tobytes() + given_rows[:5].tobytes()
    assert len(list((tmp_path / "m").glob("*.market"))) == 1
    with pytest.raises(BadData, match="segment 0"):
        reader.segment(0)


def test_a_journal_can_point_into_it(tmp_path: Path) -> None:
    given_rows = write(tmp_path / "m", 95)
    mark = rows(2)
    mark["kind"], mark["ref"], mark["value"], mark["quantity"] = codes.TAPE, [3, 0], [40, 15], [1, 2]
    got = np.concatenate(list(expand([mark], MarketReader(tmp_path / "m"))))
    assert got.tobytes() == given_rows[43:95].tobytes()


@pytest.mark.parametrize("room", range(0, 9000, 97))
def test_a_full_disk_loses_nothing(tmp_path: Path, room: int) -> None:
    disk = DiskThatFails()
    log = begin(tmp_path / "m", disk)
    disk.room = room
    given_rows = rows_of_any_bits(130)
    at = 0
    try:
        for at in range(0, 130, 5):
            log.append(given_rows[at : at + 5])
    except NoRoom:
        with pytest.raises(TradewindError, match="takes nothing more"):
            log.append(given_rows)
        log.close()
        reader = MarketReader(tmp_path / "m")
        data, _, end = reader.blocks(reader.manifest.sealed)
        assert end == len(data), "nothing half is left"
        for path in (tmp_path / "m").glob("*.tail"):
            tail = reader.tail(int(path.stem))
            assert tail.whole == tail.size, "nothing half is left"
        log = MarketLog.reopen(tmp_path / "m", FAST)
        assert log.rows in (at, at + 5), "whole appends only"
        log.append(given_rows[log.rows :])
    log.close()
    assert read(tmp_path / "m") == given_rows.tobytes()


@pytest.mark.parametrize("operation", ["write", "datasync", "fsync", "rename"])
def test_a_failing_disk_stops_it_for_good(tmp_path: Path, operation: str) -> None:
    disk = DiskThatFails()
    log = begin(tmp_path / "m", disk)
    log.append(rows(39))
    disk.errors[operation] = (errno.EIO, disk.calls[operation] + 1)

    def go(act: Callable[[], None]) -> None:
        with pytest.raises(TradewindError, match="Input/output error"):
            act()

    go(log.sync if operation == "datasync" else lambda: log.append(rows(5)))
    disk.errors.clear()
    go(log.sync)
    go(lambda: log.append(rows(1)))
    log.close()
    with MarketLog.reopen(tmp_path / "m", FAST) as again:
        assert again.rows in (39, 40, 44)


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match=r"no market\.json"):
        MarketReader(tmp_path)
    with begin(tmp_path / "m"):
        for forbidden in (lambda: begin(tmp_path / "m"), lambda: MarketLog.reopen(tmp_path / "m")):
            with pytest.raises(BadUse, match=r"holds|another process"):
                forbidden()
    (tmp_path / "m" / "market.json").write_bytes(b"{")
    with pytest.raises(Corrupt, match=r"market\.json"):
        MarketReader(tmp_path / "m")


@pytest.mark.parametrize("harm", ["flip", "swap", "repeat"])
def test_blocks_of_the_open_segment_are_proven(tmp_path: Path, harm: str) -> None:
    write(tmp_path / "m", 110)
    path = tmp_path / "m" / "00002.market"
    data, blocks, _ = MarketReader(tmp_path / "m").blocks(2)
    first, second = data[64 : blocks[0].end], data[blocks[0].end : blocks[1].end]
    if harm == "flip":
        data[200] ^= 1
    elif harm == "swap":
        data[64 : blocks[1].end] = second + first
    else:
        data[blocks[1].end :] = second + data[blocks[1].end :]
    path.write_bytes(data)
    with pytest.raises(Corrupt, match=r"00002\.market offset"):
        MarketLog.reopen(tmp_path / "m", FAST)
    assert path.read_bytes() == data
