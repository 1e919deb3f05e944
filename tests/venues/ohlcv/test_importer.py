"""Bars: units, quarantine by reason, what is kept though odd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.imported import Imported
from tradewind.venues.lines import Refusals
from tradewind.venues.ohlcv.importer import BarImporter

START = 1_677_628_800_000_000_000
MINUTE_CODE = codes.TIMEFRAME_NAMES.index("1m")
Bar = tuple[int, Any, Any, Any, Any, Any]  # minute, open, high, low, close, volume


def write(path: Path, bars: list[Bar], **columns: Any) -> Path:
    names = ("open", "high", "low", "close", "volume")
    data = {name: [float("nan") if bar[i + 1] is None else float(bar[i + 1]) for bar in bars] for i, name in enumerate(names)}
    times = pl.Series([START + int(bar[0] * 60e9) for bar in bars], dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))
    pl.DataFrame({**data, "timestamp": times, **columns}).write_parquet(path)
    return path


def run(*files: Path) -> tuple[Rows, Imported, Refusals]:
    refusals, pieces = Refusals(), list[Rows]()
    imported = BarImporter(files, refusals).run(pieces.append)
    return np.concatenate(pieces), imported, refusals


def unpack(value: int) -> tuple[int, int]:
    low = value & 0xFFFFFFFF
    return value >> 32, low - (1 << 32) if low >= 1 << 31 else low


def test_a_bar_is_whole_and_stamped_at_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "kraken_btcusd.parquet", [(0, 100.5, 102, 99.25, 101, 3.5), (1, 101, 101, 101, 101, 0)])
    rows, imported, refusals = run(path)
    made = imported.instruments[0]
    assert (made.name, made.price_exponent, made.quantity_exponent) == ("kraken:BTC/USD", 2, 1)
    bar = rows[0]
    assert (bar["price"], bar["ref"], bar["quantity"]) == (10_100, 10_050, 35)
    assert unpack(int(bar["value"])) == (100, 125)
    assert (bar["ts_venue"], bar["ts_local"]) == (START + codes.MINUTE, START + codes.MINUTE)
    assert (bar["kind"], bar["marks"], bar["strategy"]) == (codes.BAR, codes.WHOLE, MINUTE_CODE)
    assert rows["stream_seq"].tolist() == [1, 2]
    assert refusals.total == 0
    assert imported.notes["files"][path.name]["flat_without_volume"] == 1


def test_broken_ranges_stay_on_the_tape(tmp_path: Path) -> None:
    rows, _, refusals = run(
        write(tmp_path / "v_btcusd.parquet", [(0, 100, 90, 110, 101, 1), (1, 0, 0, 0, 5, 1), (2, 1, 1, 1, 1, 1)])
    )
    assert unpack(int(rows["value"][0])) == (-11, -10)
    assert (len(rows), refusals.total) == (3, 0)


def test_quarantine_by_reason(tmp_path: Path) -> None:
    bars: list[Bar] = [(k, 10, 11, 9, 10, 1) for k in range(12)]
    bars += [
        (12, None, 11, 9, 10, 1),
        (13, 10, float("inf"), 9, 10, 1),
        (14, 10, 11, 9, 10, -1),
        (15, 10, 1e300, 9, 10, 1),
        (16, 10, 3e9, 9, 10, 1),
        (17.5, 10, 11, 9, 10, 1),
        (11, 10, 11, 9, 10.5, 7),
    ]
    rows, _, refusals = run(write(tmp_path / "v_btcusd.parquet", bars))
    assert len(rows) == 12
    assert refusals.counts() == {
        "a bar that begins off its timeframe": 1,
        "a bar that does not fit units of 1e-0 and 1e-0": 1,
        "a bar with a missing or infinite number": 2,
        "a bar with a negative number": 1,
        "a bar with a number beyond 2^53": 1,
        "a second bar for one time": 1,
    }
    assert refusals.by_reason["a bar with a negative number"].where == "v_btcusd.parquet, line 15"
    assert rows["quantity"].tolist() == [1] * 12


def test_sums_of_floats_are_rounded_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "v_btcusd.parquet", [(0, 1, 1, 1, 1, 0.1 + 0.2), (1, 1, 1, 1, 1, 0.3), (2, 1, 1, 1, 1, 0.7)])
    rows, imported, _ = run(path)
    assert rows["quantity"].tolist() == [3, 3, 7]
    assert imported.notes["rounded"] == 1


def test_one_odd_price_does_not_make_every_unit_fine(tmp_path: Path) -> None:
    bars: list[Bar] = [(k, 24_000 + k, 24_100 + k, 23_900, 24_000, 1) for k in range(2_000)]
    bars[7] = (7, 24_000.123456789, 24_100, 23_900, 24_000, 1)
    rows, imported, refusals = run(write(tmp_path / "v_btcusd.parquet", bars))
    assert imported.instruments[0].price_exponent == 0
    assert (len(rows), refusals.total, imported.notes["rounded"]) == (2_000, 0, 1)


def test_rows_are_sorted_and_merged_by_time_then_source(tmp_path: Path) -> None:
    one = write(tmp_path / "kraken_btcusd.parquet", [(2, 1, 1, 1, 1, 1), (0, 2, 2, 2, 2, 1), (1, 3, 3, 3, 3, 1)])
    two = write(tmp_path / "coinbase_btcusd.parquet", [(0, 4, 4, 4, 4, 1), (1, 5, 5, 5, 5, 1)])
    rows, imported, _ = run(one, two)
    assert rows["price"].tolist() == [2, 4, 3, 5, 1]
    assert rows["source"].tolist() == [0, 1, 0, 1, 0]
    assert [stream.channel for stream in imported.streams] == ["bar", "bar"]


@pytest.mark.parametrize(
    ("name", "bars", "match"),
    [
        ("btcusd.parquet", [(0, 1, 1, 1, 1, 1), (1, 1, 1, 1, 1, 1)], "venue and pair"),
        ("v_btcxyz.parquet", [(0, 1, 1, 1, 1, 1), (1, 1, 1, 1, 1, 1)], "quote asset"),
        ("v_btcusd.parquet", [(0, 1, 1, 1, 1, 1)], "two bars or more"),
        ("v_btcusd.parquet", [(0, 1, 1, 1, 1, 1), (2, 1, 1, 1, 1, 1)], "120000000000 ns apart"),
        ("v_btcusd.parquet", [(0, None, 1, 1, 1, 1)], "missing or infinite"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, bars: list[Bar], match: str) -> None:
    with pytest.raises(BadData, match=match):
        run(write(tmp_path / name, bars))


def test_foreign_and_incomplete_files(tmp_path: Path) -> None:
    (tmp_path / "v_btcusd.parquet").write_bytes(b"hello")
    with pytest.raises(BadData, match="no parquet"):
        run(tmp_path / "v_btcusd.parquet")
    pl.DataFrame({"open": [1.0]}).write_parquet(tmp_path / "v_btcusd.parquet")
    with pytest.raises(BadData, match="lacks the columns high"):
        run(tmp_path / "v_btcusd.parquet")
