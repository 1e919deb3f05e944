"""Recordings of Coinbase and cryptofeed's captures: proven where the venue proves, refused by name where nobody reads them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.coinbase.importer import CoinbaseReader
from tradewind.venues.cryptofeed.importer import CaptureReader
from tradewind.venues.frames import FramesImporter
from tradewind.venues.imported import Imported
from tradewind.venues.lines import Refusals
from tradewind.venues.witness import Findings, Witness

READERS = {"coinbase": CoinbaseReader, "cryptofeed": CaptureReader}
KRAKEN_BOOK = "KRAKEN.ws.50.0.txt.zst"


def run(format_name: str, *files: Path) -> tuple[Rows, Imported, Refusals, Findings]:
    refusals, pieces, witness = Refusals(), list[Rows](), Witness()
    importer = FramesImporter(files, refusals, READERS[format_name])

    def sink(rows: Rows) -> None:
        pieces.append(rows)
        witness.read(rows, *importer.proofs())

    imported = importer.run(sink)
    return np.concatenate(pieces), imported, refusals, witness.findings


def test_every_checksum_of_kraken_v1_agrees(shared_data: Path) -> None:
    rows, imported, refusals, found = run("cryptofeed", shared_data / "ws" / "cryptofeed" / KRAKEN_BOOK)
    assert (found.checksum_failures, refusals.total) == (0, 0) and found.checksum_checks > 2_500
    assert {made.proof for made in imported.instruments} == {codes.PROOF_CRC32}
    assert (np.diff(rows["ts_local"]) >= 0).all() and len(imported.instruments) == 10


def test_a_level_changed_in_the_capture_is_found(shared_data: Path, tmp_path: Path) -> None:
    import zstandard

    text = zstandard.ZstdDecompressor().decompress((shared_data / "ws" / "cryptofeed" / KRAKEN_BOOK).read_bytes(), 1 << 26)
    assert text.count(b'"10324.15010000"') > 1
    path = tmp_path / "changed"
    path.write_bytes(text.replace(b'"10324.15010000"', b'"10324.15010001"'))
    assert run("cryptofeed", path)[3].checksum_failures > 0


@pytest.mark.parametrize(
    "name", ["COINBASE.ws.28.0", "BINANCE.ws.1.0", "BINANCE_FUTURES.ws.1.0", "KRAKEN.ws.48.0", "KRAKEN.ws.49.0"]
)
def test_captures_are_read_whole_and_never_cross(shared_data: Path, name: str) -> None:
    rows, imported, refusals, found = run("cryptofeed", shared_data / "ws" / "cryptofeed" / f"{name}.txt.zst")
    assert refusals.total == 0 and len(rows) and found.crossed_at_message_end == 0
    assert set(rows["instrument"].tolist()) == set(range(len(imported.instruments)))
    ends = rows["marks"] & codes.LAST != 0
    assert (rows["marks"][np.flatnonzero(ends)[:-1] + 1] & codes.FIRST).all()


@pytest.mark.parametrize(("name", "host"), [("OKX.ws.1.0", "ws.okx.com"), ("BITSTAMP.ws.1.0", "ws.bitstamp.net")])
def test_a_venue_nobody_reads_is_named(shared_data: Path, name: str, host: str) -> None:
    with pytest.raises(BadData, match=f"frames of {host} are not read"):
        run("cryptofeed", shared_data / "ws" / "cryptofeed" / f"{name}.txt.zst")


def test_coinbase_frames_are_counted(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "ws" / "tickvault_2026-08-24" / "coinbase_l2.jsonl"
    rows, imported, _, _ = run("coinbase", source)
    assert "holes_in_sequence_num" not in imported.notes and imported.notes["ts_local_from_venue"] == 7
    assert [made.name for made in imported.instruments] == ["coinbase:BTC/USD"]
    lines = source.read_bytes().splitlines()
    path = tmp_path / "lost"
    path.write_bytes(b"\n".join([*lines[:4], *lines[5:]]))
    assert run("coinbase", path)[1].notes["holes_in_sequence_num"] == 1
    stamped = tmp_path / "stamped"
    stamped.write_bytes(b"\n".join(b"%d %s" % (1_787_610_900_000_000_000 + k, line) for k, line in enumerate(lines)))
    assert run("coinbase", stamped)[0]["ts_local"][0] == 1_787_610_900_000_000_000
    assert len(run("coinbase", stamped)[0]) == len(rows)


@pytest.mark.parametrize(
    "line",
    [b"{}", b"1618678132.1: {", b"1618678132.1: [1]", b"x" * 50, b"\xff", b'1618678132.1: [1,{"as":[["1"]]},"book-10","A/USD"]'],
)
def test_lines_that_are_nothing_are_refused(line: bytes) -> None:
    from tradewind.venues.imported import Streams

    reader = CaptureReader(Path("x"), Streams(), Counter[str]())
    reader.rows(b"wss://ws.kraken.com <-> 1618678132.368463")
    with pytest.raises(BadData):
        reader.rows(line)
    coinbase = CoinbaseReader(Path("x"), Streams(), Counter[str]())
    with pytest.raises(BadData):
        coinbase.rows(line)
