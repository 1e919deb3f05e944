"""Kraken recordings: both dialects, times, refusals, depth."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.imported import Imported
from tradewind.venues.kraken.importer import KrakenImporter
from tradewind.venues.lines import Refusals
from tradewind.venues.witness import Findings, Witness

RECORDING = "ws/kraken_v2/orderbook-v2_first300.json.gz"
WIRE = "ws/tickvault_2026-08-24/kraken_book.jsonl"


def run(*files: Path) -> tuple[Rows, Imported, Refusals, Findings]:
    refusals, pieces, witness = Refusals(), list[Rows](), Witness()
    importer = KrakenImporter(files, refusals)
    imported = importer.run(pieces.append)
    rows = np.concatenate(pieces)
    witness.read(rows, *importer.proofs())
    return rows, imported, refusals, witness.findings


@pytest.mark.real
def test_every_checksum_of_the_recording_agrees(shared_data: Path) -> None:
    rows, imported, refusals, found = run(shared_data / RECORDING)
    assert (found.checksum_checks, found.checksum_failures, found.unverified_after_failure) == (301, 0, 0)
    assert refusals.total == 0
    made = imported.instruments[0]
    assert (made.name, made.price_exponent, made.quantity_exponent) == ("kraken:BTC/USD", 1, 8)
    assert rows["ref"][-1] == 301
    assert rows["ts_venue"][0] == 0
    assert rows["ts_local"][0] == 1_690_730_998_343_415_000
    assert np.array_equal(rows["stream_seq"], np.arange(1, len(rows) + 1))


@pytest.mark.real
@pytest.mark.parametrize("which", [0, 1, 57, 148, 299])
def test_one_altered_quantity_is_found_at_its_message(shared_data: Path, tmp_path: Path, which: int) -> None:
    recording = msgspec.json.decode(gzip.decompress((shared_data / RECORDING).read_bytes()))
    book = recording["updates"][which]["data"][0]
    level = (book["bids"] + book["asks"])[0]
    level["qty"] = round(level["qty"] + 0.00000001, 8)
    (tmp_path / "altered.json").write_bytes(msgspec.json.encode(recording))
    _, _, _, found = run(tmp_path / "altered.json")
    assert found.checksum_failures == 1
    assert found.first_checksum_failure_ref == which + 2  # the snapshot is message 1
    assert found.checksum_checks == which + 2


@pytest.mark.real
def test_wire_text(shared_data: Path) -> None:
    rows, imported, refusals, found = run(shared_data / WIRE)
    assert (found.checksum_checks, found.checksum_failures, refusals.total) == (4, 0, 0)
    assert imported.notes["ignored"] == {"heartbeat": 2, "status": 1}
    assert imported.notes["book_depth"] == {"BTC/USD": 10}
    assert rows["ts_venue"][0] == rows["ts_local"][0] > 0


@pytest.mark.real
def test_both_dialects_make_one_stream(shared_data: Path) -> None:
    rows, imported, _, found = run(shared_data / WIRE, shared_data / RECORDING)
    assert len(imported.streams) == 1
    assert (found.checksum_checks, found.checksum_failures) == (305, 0)
    assert (np.diff(rows["ts_local"]) >= 0).all()
    resync = rows[(rows["marks"] & codes.RESYNC) != 0]
    assert resync["ref"].tolist() == [302]


FRAME = (
    b'{"channel":"book","type":"%s","data":[{"symbol":"BTC/USD","bids":[{"price":10.0,"qty":%s}],'
    b'"asks":[{"price":11.0,"qty":1.00000000}],"checksum":%d,"timestamp":"2026-08-24T22:21:58.343688Z"}]}'
)


def test_bad_frames_are_counted_and_the_rest_stands(tmp_path: Path) -> None:
    update = FRAME % (b"update", b"2.00000000", 1)
    lines = [
        update,  # before any snapshot
        b"1787610117110183000 " + FRAME % (b"snapshot", b"1.00000000", 5),
        b"not json",
        update.replace(b"2.00000000", b"-2.0"),
        update.replace(b"2.00000000", b"1e-20"),
        update.replace(b"2026-08-24T", b"yesterday "),
        update.replace(b"BTC/USD", b"NOPE"),
        update,
    ]
    (tmp_path / "k").write_bytes(b"\n".join(lines))
    rows, imported, refusals, found = run(tmp_path / "k")
    assert refusals.total == 4
    assert imported.notes["updates_without_snapshot"] == 2  # the first line, and a symbol that had no snapshot
    assert imported.notes["decimals_not_proven"] == ["BTC/USD"]
    assert len(rows) == 4
    assert found.checksum_failures == 1


@pytest.mark.parametrize(
    "content", [b"", b"PAR1" + bytes(4_000), b"a,b\n" * 3_000, b'{"init": 5, "updates": []}', b'{"channel":"heartbeat"}']
)
def test_foreign_file_is_bad_data(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "foreign").write_bytes(content)
    with pytest.raises(BadData, match=r"foreign.*expected Kraken v2 book frames"):
        run(tmp_path / "foreign")
