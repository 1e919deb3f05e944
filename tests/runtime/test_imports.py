"""`import_files`: the recordings prove themselves, the tape is right, refusals are told."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse
from tradewind.domain.instruments import text
from tradewind.runtime.imports import ImportResult, import_files
from tradewind.storage.tape import Tape

BINANCE = "ws/binance_hftbacktest"


@pytest.fixture(scope="module")
def spot(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ImportResult, Tape]:
    out = tmp_path_factory.mktemp("spot") / "tape"
    files = [shared_data / BINANCE / f"spot_{name}_20240808.gz" for name in ("btcusdt", "ethusdt")]
    return import_files("binance", files, out), Tape.open(out)


@pytest.mark.real
def test_spot_book_equals_book_ticker_and_has_no_gap(spot: tuple[ImportResult, Tape]) -> None:
    result, tape = spot
    assert (result.gaps, result.book_mismatches, result.refused, result.checksum_failures) == (0, 0, 0, 0)
    assert result.details["book_comparisons"] > 1_000
    assert result.details["crossed_at_message_end"] == 0
    assert result.details["missing_trade_ids"] == 0
    assert result.instruments == ["binance:BTC/USDT", "binance:ETH/USDT"]
    assert result.rows == tape.rows == 354_972
    assert tape.manifest.counts["TRADE"] == 9_757 + 6_106
    assert tape.manifest.counts["QUOTE"] == 2 * (28_040 + 24_077)
    assert -1_300_000_000 < result.details["smallest_local_minus_venue_ns"] < -1_270_000_000


@pytest.mark.real
def test_spot_tape_is_well_formed(spot: tuple[ImportResult, Tape]) -> None:
    result, tape = spot
    tape.verify()
    rows = tape.read(0, tape.rows)
    assert (np.diff(rows["ts_local"]) >= 0).all()
    assert (rows["ts_local"][0], rows["ts_local"][-1]) == (result.first_ts, result.last_ts)
    for source, stream in enumerate(tape.manifest.streams):
        mine = rows[rows["source"] == source]
        assert np.array_equal(mine["stream_seq"], np.arange(1, len(mine) + 1))
        assert set(mine["instrument"].tolist()) == {stream.instrument}
    first, last = (rows["marks"] & codes.FIRST) != 0, (rows["marks"] & codes.LAST) != 0
    assert first[0]
    assert last[-1]
    assert np.array_equal(first[1:], last[:-1])
    btc = tape.manifest.instruments[0]
    assert (btc.price_exponent, btc.quantity_exponent, btc.tick, btc.lot) == (2, 6, 1, 10)  # three old orders lie off the lot
    trade = rows[(rows["kind"] == codes.TRADE) & (rows["instrument"] == 0)][0]
    assert text(int(trade["price"]), btc.price_exponent) == "61837.63"
    assert text(int(trade["quantity"]), btc.quantity_exponent) == "0.020000"
    assert (trade["side"], trade["ref"], trade["ts_venue"]) == (codes.SELL, 3_735_683_259, 1_723_161_255_342_000_000)


@pytest.mark.real
def test_usdm_has_no_gap(shared_data: Path, tmp_path: Path) -> None:
    result = import_files("binance-usdm", [shared_data / BINANCE / "usdm_btcusdt_20240808.gz"], tmp_path / "tape")
    assert (result.gaps, result.refused, result.book_mismatches) == (0, 0, 0)
    assert result.details["book_comparisons"] > 500
    made = Tape.open(tmp_path / "tape").manifest.instruments[0]
    assert (made.name, made.payoff, made.price_exponent, made.quantity_exponent) == (
        "binance-usdm:BTC/USDT:perp",
        codes.LINEAR,
        1,
        3,
    )


@pytest.mark.real
def test_wrong_dialect_of_a_real_file(shared_data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"usdm_btcusdt.*binance-usdm, not of binance.*check the format"):
        import_files("binance", [shared_data / BINANCE / "usdm_btcusdt_20240808.gz"], tmp_path / "tape")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
def test_lost_line_is_a_gap(shared_data: Path, tmp_path: Path) -> None:
    lines = gzip.decompress((shared_data / BINANCE / "spot_btcusdt_20240808.gz").read_bytes()).split(b"\n")[:3_000]
    depth = [index for index, line in enumerate(lines) if b"@depth" in line]
    del lines[depth[100]]
    (tmp_path / "lost").write_bytes(b"\n".join(lines))
    assert import_files("binance", [tmp_path / "lost"], tmp_path / "tape").gaps == 1


@pytest.mark.real
def test_altered_level_is_a_mismatch(shared_data: Path, tmp_path: Path) -> None:
    data = gzip.decompress((shared_data / BINANCE / "spot_btcusdt_20240808.gz").read_bytes())
    snapshot = next(line for line in data.split(b"\n") if b"lastUpdateId" in line)
    planted = snapshot.replace(b'"bids":[[', b'"bids":[["61839.00000000","1.00000000"],[')
    (tmp_path / "altered").write_bytes(data.replace(snapshot, planted))
    assert import_files("binance", [tmp_path / "altered"], tmp_path / "tape").book_mismatches > 0


@pytest.mark.real
def test_truncated_recording_keeps_its_beginning(shared_data: Path, tmp_path: Path) -> None:
    whole = (shared_data / BINANCE / "spot_ethusdt_20240808.gz").read_bytes()
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    result = import_files("binance", [tmp_path / "cut.gz"], tmp_path / "tape")
    assert (result.gaps, result.book_mismatches) == (0, 0)
    assert 10_000 < result.rows < 163_000
    assert any(reason.startswith("truncated compression") for reason in result.details["refused"])
    assert 1 <= result.refused <= 2  # the compression, and perhaps the line it broke in


@pytest.mark.real
def test_depeg_folder_is_one_tape_of_three_venues(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ohlcv/1m_2023-03_depeg"
    result = import_files("ohlcv", [folder], tmp_path / "tape")
    tape = Tape.open(tmp_path / "tape")
    assert len(result.instruments) == 11
    assert {made.venue for made in tape.manifest.instruments} == {"binance", "coinbase", "kraken"}
    assert result.refused == 0
    assert result.rows == sum(pl.read_parquet(file).height for file in folder.glob("*.parquet"))
    rows = tape.read(0, tape.rows)
    order = np.lexsort((rows["stream_seq"], rows["source"], rows["ts_local"]))
    assert np.array_equal(order, np.arange(len(rows)))
    for index, made in enumerate(tape.manifest.instruments):
        frame = pl.read_parquet(folder / f"{made.venue}_{made.symbol.lower()}.parquet").sort("timestamp")
        mine = rows[rows["instrument"] == index]
        scale, lot = 10.0**made.price_exponent, 10.0**made.quantity_exponent
        assert np.array_equal(mine["price"] / scale, frame["close"].to_numpy())
        assert np.array_equal(mine["ref"] / scale, frame["open"].to_numpy())
        above, below = mine["value"] >> 32, mine["value"] & 0xFFFFFFFF
        assert np.array_equal((np.maximum(mine["price"], mine["ref"]) + above) / scale, frame["high"].to_numpy())
        assert np.array_equal((np.minimum(mine["price"], mine["ref"]) - below) / scale, frame["low"].to_numpy())
        assert np.allclose(mine["quantity"] / lot, frame["volume"].to_numpy(), rtol=0, atol=1e-8)
        assert np.array_equal(mine["ts_venue"], frame["timestamp"].dt.epoch("ns").to_numpy() + codes.MINUTE)


@pytest.mark.parametrize(("name", "match"), [("binanse", "unknown format.*one of binance"), ("bitmex", "unknown format.*coinbase")])
def test_unknown_format(tmp_path: Path, name: str, match: str) -> None:
    with pytest.raises(BadUse, match=match):
        import_files(name, [tmp_path], tmp_path / "tape")


def test_missing_file_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="absent"):
        import_files("binance", [tmp_path / "absent"], tmp_path / "tape")
    with pytest.raises(BadUse, match=f"{tmp_path}.*0 files"):
        import_files("ohlcv", [tmp_path], tmp_path / "tape")


def test_foreign_target_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(BadUse, match="no tape"):
        import_files("binance", [tmp_path / "a"], tmp_path / "mine")
    with pytest.raises(BadUse, match="is a file"):
        import_files("binance", [tmp_path / "a"], tmp_path / "a")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep me"


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    (tmp_path / "a").write_bytes(b'1723161254000000000 {"u":9,"s":"BTCUSDT","b":"6.5","B":"3.7","a":"7.0","A":"1.5"}\n')
    result = import_files("binance", [tmp_path / "a"], tmp_path / "tape", lambda *what: told.append(what))
    size = (tmp_path / "a").stat().st_size
    assert told == [("a", size, size)]
    assert result.rows == 2
