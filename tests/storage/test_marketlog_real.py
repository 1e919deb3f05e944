"""What venues really send fits in 12 bytes a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tradewind.domain.rows import Rows
from tradewind.storage.marketlog import BLOCK_ROWS, MarketLog, MarketReader
from tradewind.venues.binance.importer import BinanceImporter
from tradewind.venues.lines import Refusals

from .journals import FAST

FOLDER = "ws/binance_hftbacktest"


@pytest.mark.parametrize(
    ("dialect", "names", "most"),
    [
        ("binance", ["spot_btcusdt_20240808.gz", "spot_ethusdt_20240808.gz"], 6.0),
        ("binance-usdm", ["usdm_btcusdt_20240808.gz"], 5.6),
    ],
)
def test_recorded_depth_takes_few_bytes(shared_data: Path, tmp_path: Path, dialect: str, names: list[str], most: float) -> None:
    parts: list[Rows] = []
    importer = BinanceImporter(dialect, [shared_data / FOLDER / name for name in names], Refusals())
    scales = importer.run(lambda rows: parts.append(rows.copy())).scales
    given_rows = np.concatenate(parts)
    for instrument, (price, quantity) in enumerate(scales):  # as a tape has them: in units no finer than the venue's
        its = given_rows["instrument"] == instrument
        given_rows["price"][its] //= price
        given_rows["quantity"][its] //= quantity
    whole = len(given_rows) // BLOCK_ROWS * BLOCK_ROWS
    assert whole >= 2 * BLOCK_ROWS
    with MarketLog(tmp_path / "m", [], [], "a test", FAST) as log:
        log.append(given_rows[:whole])
        log.sync()
    at_rest = sum(path.stat().st_size for path in (tmp_path / "m").iterdir())
    assert at_rest <= most * whole <= 12 * whole, f"{at_rest / whole:.2f} bytes a row"
    at = 0
    for part in MarketReader(tmp_path / "m").rows():
        assert part.tobytes() == given_rows[at : at + len(part)].tobytes()
        at += len(part)
    assert at == whole
