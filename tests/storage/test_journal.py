"""A journal gives back what was written, or says that it cannot; never anything else."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import typeof

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse, Corrupt, NoRoom, TradewindError
from tradewind.domain.rows import ROW, rows
from tradewind.storage import journal
from tradewind.storage.batch import MOST_ROWS, ROWS, Place, Sealer, genesis, hash_of, parse, seal
from tradewind.storage.journal import JournalReader, JournalWriter, Proof, expand, verify
from tradewind.storage.tape import Tape, TapeWriter

from .faults import DiskThatFails
from .journals import FAST, HEADER, copy, read, rows_of_any_bits, write


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 4096)


@pytest.mark.parametrize("sizes", [[], [1], [3, 1, 200], [1] * 100, [70_000]])
def test_round_trip(tmp_path: Path, sizes: list[int]) -> None:
    given_rows = write(tmp_path / "j", sizes, texts=2)
    got, texts, boundaries = read(tmp_path / "j")
    assert got == given_rows.tobytes()
    assert len(texts) == min(2, (len(sizes) + 2) // 3) and boundaries[-1] == sum(sizes)
    reader = JournalReader(tmp_path / "j")
    assert reader.header == HEADER
    for part in reader.rows():
        assert typeof(part) == typeof(np.zeros(1, ROW))
    assert reader.recover().cut_bytes == 0


@pytest.mark.parametrize("journal_format", [1, 2])
def test_a_sealer_gives_what_seal_gives(journal_format: int) -> None:
    """One buffer for all sizes: what a longer batch left in it must not show in a shorter one."""
    by = hash_of(journal_format)
    sealer = Sealer(by)
    ours = theirs = Place(genesis(b"a header"), 7, 1 << 40, 9)
    for count in [*range(1, MOST_ROWS + 1), 3, 1, 2]:
        payload, digest = rows_of_any_bits(count, seed=count).tobytes(), (-1) ** count * count << 50
        header, marker, theirs = seal(ROWS, count, payload, digest, theirs, by)
        whole, ours = sealer.seal(payload, digest, ours)
        assert bytes(whole) == header + payload + marker and ours == theirs


def test_digests_and_texts(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "j", HEADER) as writer:
        assert [writer.intern(text) for text in ("no money", "päivää", "no money", "\ud800")] == [1, 2, 1, 3]
        writer.append(rows(2), digest=(1 << 64) - 5)
        assert writer.intern("") == 4
        writer.append(rows(0), digest=7)
        writer.append(rows(0))
        with pytest.raises(BadUse, match="text of 70000 bytes"):
            writer.intern("x" * 70_000)
        writer.intern("written at close")
    reader = JournalReader(tmp_path / "j")
    found = list(reader.batches())
    assert [each.digest for each in found if not each.texts] == [-5, 7]
    assert reader.texts == ["no money", "päivää", "\\ud800", "", "written at close"]
    assert reader.text(2) == "päivää" and reader.text(0) == ""
    with pytest.raises(BadData, match="text 6"):
        reader.text(6)


def test_segments_are_bounded_and_chained(tmp_path: Path, small_segments: None) -> None:
    given_rows = write(tmp_path / "j", [5] * 60, texts=5)
    paths = sorted((tmp_path / "j").glob("*.journal"))
    assert len(paths) > 5 and all(path.stat().st_size <= 4096 for path in paths)
    assert read(tmp_path / "j")[0] == given_rows.tobytes()


splits = st.lists(st.integers(0, 40), min_size=1, max_size=12)


@settings(max_examples=60)
@given(first=splits, second=splits, reopen_at=st.integers(0, 12))
def test_any_split_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, first: list[int], second: list[int], reopen_at: int
) -> None:
    folder = tmp_path_factory.mktemp("split")
    all_rows = rows_of_any_bits(500)
    heads = []
    for name, split in (("a", first), ("b", second), ("c", first)):
        writer = JournalWriter(folder / name, HEADER, disk=FAST)
        at = 0
        for number, size in enumerate([*split, 500]):
            if name == "c" and number == reopen_at:
                writer.close()
                writer = JournalWriter.reopen(folder / name, disk=FAST)
            writer.append(all_rows[at : at + size])
            at += size
        heads.append(writer.head)
        writer.close()
        assert read(folder / name)[0] == all_rows.tobytes()
    real = [
        [size for size in np.diff([0, *np.minimum(np.cumsum([*split, 500]), 500)]).tolist() if size] for split in (first, second)
    ]
    assert heads[0] == heads[2], "reopening is not in the chain"
    assert (heads[0] == heads[1]) == (real[0] == real[1]), "the split is in the chain"


@pytest.mark.parametrize("small", [False, True])
def test_cut_at_every_byte_of_the_last_4_kib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: bool) -> None:
    if small:
        monkeypatch.setattr(journal, "SEGMENT_BYTES", 1500)
    given_rows = write(tmp_path / "j", [1, 2, 3, 4] * 6, texts=9).tobytes()
    whole, _, boundaries = read(tmp_path / "j")
    assert whole == given_rows
    paths = sorted((tmp_path / "j").glob("*.journal"))
    cuts, seen = 0, set()
    while paths and cuts < 4096:
        path = paths.pop()
        for size in range(path.stat().st_size - 1, -1, -1):
            os.truncate(path, size)
            before = read(tmp_path / "j")
            if size % 7 == 0:  # recovering changes the file, so it works on a copy
                copied = copy(tmp_path / "j", tmp_path / f"c{cuts}")
                JournalReader(copied).recover(FAST)
                assert read(copied) == before and JournalReader(copied).recover(FAST).cut_bytes == 0
            assert before[2] == boundaries[: len(before[2])] and before[0] == given_rows[: 64 * before[2][-1]]
            seen.add(len(before[2]))
            cuts += 1
            if cuts == 4096:
                break
        else:
            path.unlink()
    assert len(seen) > 8, "the cuts did not reach far enough back to test anything"


@pytest.mark.parametrize("where", ["middle", "tail"])
def test_flip_every_bit_of_1_kib(tmp_path: Path, where: str) -> None:
    given_rows = write(tmp_path / "j", [1, 2, 3] * 5, texts=3).tobytes()
    boundaries = read(tmp_path / "j")[2]
    path = tmp_path / "j" / "00000.journal"
    good = path.read_bytes()
    begin = len(good) // 2 - 512 if where == "middle" else len(good) - 1024
    outcomes = {"cut": 0, "corrupt": 0}
    places = {"00000.journal"}
    for at in range(begin, begin + 1024):
        for bit in range(8):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :])
            try:
                got, _, found = read(tmp_path / "j")
            except Corrupt as error:
                places.add(error.where.rpartition("/")[2].partition(" offset ")[0])
                outcomes["corrupt"] += 1
                continue
            assert found == boundaries[: len(found)] and len(found) < len(boundaries), f"byte {at} bit {bit} went unseen"
            assert got == given_rows[: 64 * found[-1]]
            outcomes["cut"] += 1
    assert outcomes["corrupt"] + outcomes["cut"] == 8192 and places == {"00000.journal"}
    assert outcomes["cut"] == 0 if where == "middle" else outcomes["cut"] <= 8 * 128, outcomes


def test_corruption_is_never_cut(tmp_path: Path) -> None:
    write(tmp_path / "j", [2] * 9)
    path = tmp_path / "j" / "00000.journal"
    bad = bytearray(path.read_bytes())
    bad[64 + 64 + 3] ^= 1
    path.write_bytes(bad)
    with pytest.raises(Corrupt, match=r"00000\.journal offset 64: rows or texts fail their CRC"):
        JournalReader(tmp_path / "j").recover(FAST)
    with pytest.raises(Corrupt):
        JournalWriter.reopen(tmp_path / "j")
    assert path.read_bytes() == bad


@pytest.mark.parametrize("harm", ["delete", "swap", "repeat", "header", "reference"])
def test_verify_finds_every_rearrangement(tmp_path: Path, small_segments: None, harm: str) -> None:
    write(tmp_path / "j", [5] * 60)
    paths = sorted((tmp_path / "j").glob("*.journal"))
    proof = verify(tmp_path / "j")
    assert proof.rows == 300 and proof.batches == 60 and proof.tail_bytes == 0
    if harm == "delete":
        paths[2].unlink()
    elif harm == "swap":
        first, second = paths[2].read_bytes(), paths[3].read_bytes()
        paths[2].write_bytes(second)
        paths[3].write_bytes(first)
    elif harm == "repeat":
        data = paths[2].read_bytes()
        paths[2].write_bytes(data + data[64:])
    elif harm == "header":
        (tmp_path / "j" / "journal.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(HEADER, machine_hash="cd" * 32)))
    else:
        data = paths[2].read_bytes()
        paths[2].write_bytes(data[:64] + data[64 + 192 + 320 :])
    with pytest.raises(Corrupt):
        verify(tmp_path / "j")


def test_a_shortened_journal_fails_only_a_published_proof(tmp_path: Path, small_segments: None) -> None:
    write(tmp_path / "j", [5] * 60)
    published = verify(tmp_path / "j")
    assert verify(tmp_path / "j", published) == published
    with JournalWriter.reopen(tmp_path / "j") as writer:
        writer.append(rows(3))
    longer = verify(tmp_path / "j", published)
    assert longer.rows == 303
    for path in sorted((tmp_path / "j").glob("*.journal"))[-2:]:
        path.unlink()
    assert verify(tmp_path / "j").batches < 60
    with pytest.raises(Corrupt, match="ends after batch"):
        verify(tmp_path / "j", published)
    other = Proof("00" * 32, 5, 0, 0, 0)
    with pytest.raises(Corrupt, match="another chain at batch 5"):
        verify(tmp_path / "j", other)


@pytest.mark.parametrize("torn", [0, 1, 63, 64, 100, 500])
def test_reopening_continues_the_same_journal(tmp_path: Path, torn: int) -> None:
    for name in ("whole", "torn"):
        write(tmp_path / name, [3, 4], texts=1)
    with open(tmp_path / "torn" / "00000.journal", "ab") as file:
        file.write(b"\x31" * torn)
    for name in ("whole", "torn"):
        with JournalWriter.reopen(tmp_path / name) as writer:
            assert writer.intern("venue said no 0") == 1 and writer.intern("new") == 2
            writer.append(rows_of_any_bits(6))
    first, second = ((tmp_path / name / "00000.journal").read_bytes() for name in ("whole", "torn"))
    assert first == second


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "j", HEADER) as writer:
        writer.append(rows(3))
        assert len(read(tmp_path / "j")[0]) == 192, "reading beside a writer is allowed"
        for forbidden in (JournalWriter.reopen, lambda folder: JournalReader(folder).recover()):
            with pytest.raises(BadUse, match="another process"):
                forbidden(tmp_path / "j")
    with pytest.raises(BadUse, match="holds"):
        JournalWriter(tmp_path / "j", HEADER)
    with pytest.raises(TradewindError, match="closed"):
        writer.append(rows(1))


@pytest.mark.parametrize("room", range(0, 1400, 7))
def test_a_full_disk_loses_nothing_and_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 600)
    disk = DiskThatFails(1 << 20)
    writer = JournalWriter(tmp_path / "j", HEADER, disk=disk)
    disk.room = room
    given_rows = rows_of_any_bits(40)
    written = 0
    with pytest.raises(NoRoom, match="No space left"):
        for at in range(40):
            writer.append(given_rows[at : at + 1])
            written += 1
    disk.room = 1 << 20
    for refused in (lambda: writer.append(given_rows), writer.sync):
        with pytest.raises(TradewindError, match=r"takes nothing more: .*No space left"):
            refused()
    writer.close()
    assert JournalReader(tmp_path / "j").recover(FAST).cut_bytes == 0
    assert read(tmp_path / "j")[0] == given_rows[:written].tobytes()
    with JournalWriter.reopen(tmp_path / "j", disk=FAST) as again:
        again.append(given_rows[written:])
    assert read(tmp_path / "j")[0] == given_rows.tobytes()


@pytest.mark.parametrize("operation", ["write", "datasync", "fsync"])
@pytest.mark.parametrize("begin", [1, 2, 3, 5])
def test_a_failing_disk_stops_the_writer_for_good(tmp_path: Path, operation: str, begin: int) -> None:
    disk = DiskThatFails()
    writer = JournalWriter(tmp_path / "j", HEADER, "power", disk)
    writer.append(rows(1))
    disk.errors[operation] = (errno.EIO, disk.calls[operation] + begin)
    with pytest.raises(TradewindError, match="Input/output error"):
        for _ in range(begin):
            if operation == "fsync":
                writer._named = False  # as after the begin of a segment
            writer.append(rows(1))
    disk.errors.clear()
    with pytest.raises(TradewindError, match=r"takes nothing more: .*Input/output"):
        writer.append(rows(1))
    calls = dict(disk.calls)
    writer.close()
    assert disk.calls == calls, "a sync that failed is never tried again"
    assert verify(tmp_path / "j").rows in (begin, begin + 1)


def test_power_syncs_before_it_returns(tmp_path: Path, small_segments: None) -> None:
    disk = DiskThatFails()
    with JournalWriter(tmp_path / "p", HEADER, "power", disk) as writer:
        named = disk.calls["fsync"]
        for n in range(1, 30):
            writer.append(rows(5))
            assert disk.calls["datasync"] == n
        assert disk.calls["fsync"] - named == len(list((tmp_path / "p").glob("*.journal")))
    disk = DiskThatFails()
    with JournalWriter(tmp_path / "k", HEADER, "process", disk) as writer:
        before = dict(disk.calls)
        for _ in range(29):
            writer.append(rows(5))
        assert (disk.calls["datasync"], disk.calls["fsync"]) == (before["datasync"], before["fsync"])
        assert disk.calls["write"] - before["write"] == 29 + len(list((tmp_path / "k").glob("*.journal"))), "one write a batch"
        writer.sync()
        syncs = disk.calls["datasync"] + disk.calls["fsync"] - before["datasync"] - before["fsync"]
        assert syncs == len(list((tmp_path / "k").glob("*.journal"))) + 1, "every segment, and the folder"


KILLED = """
import os, signal, sys
from hashlib import blake2b
from pathlib import Path
from storage.journals import HEADER, rows_of_any_bits
from tradewind.storage.journal import JournalWriter
writer = JournalWriter(Path(sys.argv[1]), HEADER)
given = rows_of_any_bits(100)
writer.intern("before")
for at in range(0, 100, 10):
    writer.append(given[at : at + 10])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_returned_append_survives_kill_9(tmp_path: Path, repo: Path) -> None:
    environment = os.environ | {"PYTHONPATH": f"{repo / 'src'}{os.pathsep}{repo / 'tests'}"}
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "j")], env=environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert read(tmp_path / "j")[:2] == (rows_of_any_bits(100).tobytes(), ["before"])


@pytest.mark.parametrize("durability", ["always", ""])
def test_bad_durability(tmp_path: Path, durability: str) -> None:
    with pytest.raises(BadUse, match="durability"):
        JournalWriter(tmp_path / "j", HEADER, durability)  # type: ignore[arg-type]
    assert not (tmp_path / "j").exists()


def test_a_header_is_whole_or_absent(tmp_path: Path) -> None:
    for begin, operation in ((1, "write"), (1, "fsync"), (1, "rename")):
        with pytest.raises(TradewindError):
            JournalWriter(tmp_path / "j", HEADER, disk=DiskThatFails(**{operation: (errno.EIO, begin)}))
        assert list((tmp_path / "j").iterdir()) == []
    (tmp_path / "j" / "journal.json.aside").write_bytes(b'{"run"')  # as a kill -9 leaves it
    JournalWriter(tmp_path / "j", HEADER).close()
    assert JournalReader(tmp_path / "j").header == HEADER
    (tmp_path / "j" / "journal.json").write_bytes(b'{"run"')
    with pytest.raises(Corrupt, match=r"journal\.json: does not read"):
        JournalReader(tmp_path / "j")
    with pytest.raises(BadUse, match=r"no journal\.json"):
        JournalReader(tmp_path)


def test_tape_rows_are_put_back(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "t", [], [], "a test") as tape_writer:
        on_tape = rows_of_any_bits(50)
        on_tape["ts_local"] = np.arange(50)
        on_tape["kind"] = codes.DEPTH
        tape_writer.append(on_tape)
    tape = Tape.open(tmp_path / "t")
    own = rows_of_any_bits(3, seed=9)
    marks = rows(3)
    marks["kind"] = codes.TAPE
    marks["ref"], marks["value"] = [0, 20, 20], [20, 20, 50]
    written = np.concatenate([marks[:1], own[:2], marks[1:], own[2:]])
    with JournalWriter(tmp_path / "j", msgspec.structs.replace(HEADER, tape=journal.TapeReference.of(tape))) as writer:
        writer.append(written)
    reader = JournalReader(tmp_path / "j")
    assert reader.header.tape is not None
    got = np.concatenate(list(expand(reader.rows(), reader.header.tape.open())))
    assert got.tobytes() == np.concatenate([on_tape[:20], own[:2], on_tape[20:], own[2:]]).tobytes()
    for column, value in (("value", 51), ("quantity", 1), ("ref", -1)):
        bad = marks[:1].copy()
        bad[column] = value
        with pytest.raises(BadData, match=r"TAPE row|not on this tape"):
            list(expand([bad], tape))
    with TapeWriter(tmp_path / "t", [], [], "a test") as tape_writer:
        tape_writer.append(on_tape[:7])
    with pytest.raises(BadData, match="another tape"):
        reader.header.tape.open()


def test_a_forger_who_seals_again_is_found_by_the_next_link(tmp_path: Path) -> None:
    write(tmp_path / "j", [2, 2, 2])
    path = tmp_path / "j" / "00000.journal"
    data = bytearray(path.read_bytes())
    by = hash_of(2)
    begin = Place(genesis((tmp_path / "j" / "journal.json").read_bytes(), by), 0, 0, 0)
    first = parse(data, 64, begin, by)
    first.rows["price"][0] += 1
    payload = first.rows.tobytes()
    header, marker, _ = seal(ROWS, 2, payload, first.digest, begin, by)
    path.write_bytes(data[:64] + header + payload + marker + data[first.end :])
    with pytest.raises(Corrupt, match=f"offset {first.end}: a commit marker does not seal"):
        verify(tmp_path / "j")


def test_every_bit_of_a_segment_header_counts(tmp_path: Path, small_segments: None) -> None:
    write(tmp_path / "j", [5] * 20)
    for name in ("00000.journal", "00001.journal"):
        path = tmp_path / "j" / name
        good = path.read_bytes()
        for at in range(64):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :])
            with pytest.raises(Corrupt, match=f"{name} offset 0: this segment"):
                verify(tmp_path / "j")
        path.write_bytes(good)
    verify(tmp_path / "j")


def test_sync_writes_texts_too(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "j", HEADER, disk=FAST) as writer:
        writer.intern("a refusal")
        writer.sync()
        assert read(tmp_path / "j")[1] == ["a refusal"]


def test_a_journal_of_format_1_is_read_and_goes_on_in_its_own_chain(tmp_path: Path) -> None:
    """Format 1 has another hash; what was begun under it stays under it. A later one is refused by the name of its release."""
    given_rows = rows_of_any_bits(300)
    with JournalWriter(tmp_path / "j", msgspec.structs.replace(HEADER, format=1)) as writer:
        writer.append(given_rows[:3])
        writer.append(given_rows[3:200], digest=5)
    with JournalWriter.reopen(tmp_path / "j") as writer:
        assert writer.place.rows == 200
        writer.append(given_rows[200:])
    reader = JournalReader(tmp_path / "j")
    assert reader.header.format == 1 and b"".join(part.tobytes() for part in reader.rows()) == given_rows.tobytes()
    first = blake2b((tmp_path / "j" / "journal.json").read_bytes(), digest_size=32).digest()
    assert (tmp_path / "j" / "00000.journal").read_bytes()[24:56] == first
    (tmp_path / "j" / "journal.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(HEADER, format=3)))
    with pytest.raises(BadData, match=r"format 3.*format 1 or 2.*release"):
        JournalReader(tmp_path / "j")
