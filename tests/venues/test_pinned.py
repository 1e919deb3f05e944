"""Every format's rows, byte by byte: a faster reader must give the rows the careful one gave."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tradewind.runtime.imports import import_files
from tradewind.storage.tape import Tape

PINNED = [
    ("binance", "ws/binance_hftbacktest/spot_btcusdt_20240808.gz", 191910, "517c036792fc6c2f6d607e3a"),
    ("kraken", "ws/kraken_v2/orderbook-v2_first300.json.gz", 402, "50b085bf6d72f7d786c67c59"),
    ("kraken", "ws/tickvault_2026-08-24/kraken_book.jsonl", 25, "89bd42117aeafa18efbf8881"),
    ("coinbase", "ws/tickvault_2026-08-24/coinbase_l2.jsonl", 43, "124ae626949f285bd3e4ce20"),
    ("cryptofeed", "ws/cryptofeed/BINANCE_FUTURES.ws.1.0.txt.zst", 7618, "205eec9d782e0b38a73fff14"),
    ("cryptofeed", "ws/cryptofeed/BITSTAMP.ws.1.0.txt.zst", 1960, "2a33524104dabd66bfab207c"),
    ("cryptofeed", "ws/cryptofeed/BYBIT.ws.25.0.txt.zst", 20443, "f345eb077c41f0795846984b"),
    ("cryptofeed", "ws/cryptofeed/COINBASE.ws.28.0.txt.zst", 15253, "07baadc95e4fcd316cc4674e"),
    ("cryptofeed", "ws/cryptofeed/KRAKEN.ws.49.0.txt.zst", 28, "65f898a541810ec519f26846"),
    ("cryptofeed", "ws/cryptofeed/KRAKEN.ws.50.0.txt.zst", 10457, "466bf3bb8ac76f9baa35626e"),
    ("cryptofeed", "ws/cryptofeed/KRAKEN_FUTURES.ws.1.0.txt.zst", 8588, "47420c790b59f42fdd26fc7a"),
    ("cryptofeed", "ws/cryptofeed/OKX.ws.1.0.txt.zst", 8394, "703b01a806277d3399069c82"),
    ("ohlcv", "ohlcv/1m_2023-03_depeg/kraken_usdcusd.parquet", 10850, "80b10cb983e5361816e8580c"),
    ("ohlcv", "ohlcv/bitfinex_1m/BTCUSD_2013.csv.gz", 147897, "48857b4f26ecc36392f236ff"),
    ("ohlcv", "ohlcv/hourly_multi_venue/Binance_BTCUSDT_1h_2017-08_2020-12.csv.zst", 29532, "62f26c6e012cfe4b1639677f"),
    ("ohlcv", "ohlcv/hourly_multi_venue/Bitstamp_BTCUSD_1h_2017-07_2019-03.csv.zst", 13569, "7ca982a1dd800b97ebcbfb6d"),
    ("ohlcv", "ohlcv/lean/coinbase/minute/btcusd/20170903_trade.zip", 1440, "ac5fa43f7018e4e2a4839cb1"),
]
"""(format, recording, rows, beginning of the sha256 over its rows)."""


@pytest.mark.real
@pytest.mark.parametrize(("kind", "name", "rows", "digest"), PINNED, ids=[Path(one[1]).name for one in PINNED])
def test_rows_are_what_they_were(shared_data: Path, tmp_path: Path, kind: str, name: str, rows: int, digest: str) -> None:
    assert import_files(kind, [shared_data / name], tmp_path / "tape").rows == rows
    tape, found = Tape.open(tmp_path / "tape"), hashlib.sha256()
    for place in range(len(tape.manifest.segments)):
        found.update(tape.segment(place).tobytes())
    assert found.hexdigest().startswith(digest)
