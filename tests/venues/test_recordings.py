"""Recordings of Coinbase and cryptofeed's captures: proven where the venue proves, refused by name where nobody reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.coinbase.importer import CoinbaseReader
from tradewind.venues.cryptofeed.importer import CaptureImporter, CaptureReader
from tradewind.venues.cryptofeed.voice import Captured
from tradewind.venues.frames import FramesImporter
from tradewind.venues.imported import Imported, Streams
from tradewind.venues.lines import Refusals
from tradewind.venues.witness import Findings, Witness

IMPORTERS: dict[str, Callable[..., FramesImporter]] = {
    "coinbase": lambda files, refusals: FramesImporter(files, refusals, CoinbaseReader),
    "cryptofeed": CaptureImporter,
}
KRAKEN_BOOK = "KRAKEN.ws.50.0.txt.zst"


def run(format_name: str, *files: Path) -> tuple[Rows, Imported, Refusals, Findings]:
    refusals, pieces, witness = Refusals(), list[Rows](), Witness()
    importer = IMPORTERS[format_name](files, refusals)

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


@pytest.mark.parametrize(
    ("name", "venue", "symbols", "kinds"),
    [
        ("OKX.ws.1.0", "okx", 3, {codes.DEPTH, codes.QUOTE, codes.TRADE}),
        ("BYBIT.ws.25.0", "bybit", 8, {codes.DEPTH, codes.TRADE}),
        ("BITSTAMP.ws.1.0", "bitstamp", 9, {codes.DEPTH, codes.TRADE}),
        ("KRAKEN_FUTURES.ws.1.0", "kraken-futures", 10, {codes.DEPTH, codes.TRADE}),
    ],
)
def test_other_venues_are_read_whole_and_alike_by_both_ways(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch, name: str, venue: str, symbols: int, kinds: set[int]
) -> None:
    path = shared_data / "ws" / "cryptofeed" / f"{name}.txt.zst"
    rows, imported, refusals, found = run("cryptofeed", path)
    assert (refusals.total, found.crossed_at_message_end) == (0, 0) and set(rows["kind"].tolist()) == kinds
    assert {made.venue for made in imported.instruments} == {venue} and len(imported.instruments) == symbols
    assert len({made.name for made in imported.instruments}) == symbols
    monkeypatch.setattr(Captured, "scanner", None)
    slow, slow_imported, slow_refusals, _ = run("cryptofeed", path)
    assert np.array_equal(rows, slow) and slow_refusals.total == 0
    assert (imported.instruments, imported.streams) == (slow_imported.instruments, slow_imported.streams)


@pytest.mark.parametrize("name", ["KRAKEN.ws.48.0", "KRAKEN.ws.49.0", "KRAKEN.ws.50.0", "COINBASE.ws.28.0"])
def test_old_venues_are_read_alike_by_both_ways(shared_data: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = shared_data / "ws" / "cryptofeed" / f"{name}.txt.zst"
    rows, imported, _, _ = run("cryptofeed", path)
    monkeypatch.setattr(Captured, "scanner", None)
    slow, slow_imported, _, _ = run("cryptofeed", path)
    assert np.array_equal(rows, slow) and imported.streams == slow_imported.streams


@pytest.mark.parametrize(("name", "dropped", "compared"), [("BINANCE", 5, 26), ("BINANCE_FUTURES", 0, 0), ("BITSTAMP", 102, 0)])
def test_changes_join_the_whole_books_of_the_other_file(shared_data: Path, name: str, dropped: int, compared: int) -> None:
    folder = shared_data / "ws" / "cryptofeed"
    files = [folder / f"{name}.{part}.txt.zst" for part in ("ws.1.0", "http.0.0", "0")]
    rows, imported, refusals, found = run("cryptofeed", *files)
    snapshots = rows[(rows["marks"] & codes.SNAPSHOT != 0) & (rows["marks"] & codes.FIRST != 0)]
    assert len(snapshots) == imported.notes["snapshots"] and len(set(snapshots["instrument"].tolist())) == len(snapshots)
    assert (found.gaps, found.book_mismatches, found.crossed_at_message_end, refusals.total) == (0, 0, 0, 0)
    assert imported.notes["chain_breaks"] == imported.notes["diffs_without_snapshot"] == 0
    assert imported.notes["contained_in_snapshot"] >= dropped and found.book_comparisons >= compared
    depth = rows[rows["kind"] == codes.DEPTH]
    for instrument in set(depth["instrument"].tolist()):
        assert depth["marks"][depth["instrument"] == instrument][0] & codes.SNAPSHOT  # no change waits before its book


def test_a_venue_nobody_reads_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"wss://ws.example.com/v1 <-> 1618678132.368463\n" + b'1618678133.1: {"a":1}\n' * 2)
    with pytest.raises(BadData, match=r"frames of ws\.example\.com are not read"):
        run("cryptofeed", path)


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
    reader = CaptureReader(Path("x"), Streams(), Counter[str]())
    reader.rows(b"wss://ws.kraken.com <-> 1618678132.368463")
    with pytest.raises(BadData):
        reader.rows(line)
    coinbase = CoinbaseReader(Path("x"), Streams(), Counter[str]())
    with pytest.raises(BadData):
        coinbase.rows(line)


OKX_TRADE = (
    b'%b: {"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"1","px":"1",'
    b'"sz":"1","side":"buy","ts":"%b"}]}'
)


@pytest.mark.parametrize("times", [(b"1652459225.7", b"9652459225464"), (b"9652459225.7", b"1652459225464")])
def test_times_beyond_64_bits_are_refused_by_name(times: tuple[bytes, bytes]) -> None:
    reader = CaptureReader(Path("x"), Streams(), Counter[str]())
    reader.rows(b"wss://ws.okx.com:8443/ws/v5/public <-> 1652459224.5300605")
    with pytest.raises(BadData, match="64 bits"):
        reader.rows(OKX_TRADE % times)
