"""What really happened, one by one: genuine extremes pass, real defects of real files are caught by name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from tradewind.domain import codes, reasons
from tradewind.domain.layout import Capacity
from tradewind.engine.compose import Composition, Machine
from tradewind.fabric.scoring import Heard, listen
from tradewind.fabric.sieve import TAKEN, Judge, Sieve
from tradewind.runtime.imports import import_files
from tradewind.storage.tape import Tape, TapeWriter

from . import hourly

pytestmark = pytest.mark.real
SMALL = Composition(strategies=("python",), capacity=Capacity(instruments=16, venues=8, levels=16, orders=64, flight=16, resting=8))
PRICE_CODES = {reasons.IMPOSSIBLE_JUMP, reasons.OFF_CONSENSUS, reasons.WRONG_SCALE, reasons.WRONG_INSTRUMENT, reasons.DISTRUSTED}


def heard(tape: Tape) -> Heard:
    return listen(tape, machine=Machine(SMALL, compiled=False))


def told(found: Heard, name: str, codes_wanted: Iterable[int] = PRICE_CODES) -> list[int]:
    """The codes told of an instrument, out of those asked for."""
    names = [x.name for x in found.instruments]
    wanted = set(codes_wanted)
    return [v.code for v in found.verdicts if names[v.instrument] == name and v.code in wanted]


def test_the_usdc_depeg_of_march_2023_passes(shared_data: Path, tmp_path: Path) -> None:
    """11 March, 06:00 to 07:40: USDC at 0.87, BTC/USDC 13 % over BTC/USD. Nobody's Bitcoin is called false for it."""
    import_files("ohlcv", sorted((shared_data / "ohlcv" / "1m_2023-03_depeg").glob("*.parquet")), tmp_path / "all")
    whole = Tape.open(tmp_path / "all")
    rows = np.concatenate([part.copy() for part in whole.segments()])
    start = 1_678_514_400 * codes.SECOND
    rows = rows[(rows["ts_local"] >= start) & (rows["ts_local"] < start + 100 * codes.MINUTE)]
    with TapeWriter(tmp_path / "depeg", whole.manifest.instruments, whole.manifest.streams, "a slice") as writer:
        writer.append(rows)
        writer.close({})
    found = heard(Tape.open(tmp_path / "depeg"))
    kraken = rows[rows["instrument"] == [x.name for x in found.instruments].index("kraken:USDC/USD")]
    scale = 10.0 ** next(x.price_exponent for x in found.instruments if x.name == "kraken:USDC/USD")
    assert kraken["price"].min() / scale < 0.90, "this is the crash of the peg"
    for name in ("kraken:BTC/USD", "kraken:BTC/USDC", "coinbase:BTC/USD", "binance:BTC/USDT"):
        assert told(found, name) == [], name
    assert len(told(found, "kraken:USDC/USD")) <= 1, "two sources 3 % apart: one is named, nobody is believed"


def test_no_minute_of_the_depeg_is_quarantined(shared_data: Path, tmp_path: Path) -> None:
    """10 March 21:00 to 11 March 11:00: three prices of one coin, every one traded. A false print of a calm night is refused."""
    import_files("ohlcv", sorted((shared_data / "ohlcv" / "1m_2023-03_depeg").glob("*.parquet")), tmp_path / "all")
    whole = Tape.open(tmp_path / "all")
    every = np.concatenate([part.copy() for part in whole.segments()])
    names = [x.name for x in whole.manifest.instruments]

    def fates(first_s: int, hours: int, spoil: bool = False) -> np.ndarray:
        start = first_s * codes.SECOND
        rows = every[(every["ts_local"] >= start) & (every["ts_local"] < start + hours * codes.HOUR)].copy()
        if spoil:
            bad = np.flatnonzero(rows["instrument"] == names.index("kraken:USDC/USD"))[-5]
            rows["price"][bad] = rows["ref"][bad] = rows["price"][bad] * 0.9
        for source in np.unique(rows["source"]):
            mine = np.flatnonzero(rows["source"] == source)
            rows["stream_seq"][mine] = 1 + np.arange(len(mine))
        judge = Judge(len(names), len(whole.manifest.streams), compiled=False)
        return Sieve(whole.manifest.instruments, whole.manifest.streams, judge).fates(rows)

    assert set(fates(1_678_482_000, 14).tolist()) == {TAKEN}
    assert sorted(set(fates(1_677_974_400, 2, spoil=True).tolist())) == [TAKEN, reasons.IMPOSSIBLE_JUMP], "5 March, one false print"


def test_the_premium_of_december_2017_passes(shared_data: Path, tmp_path: Path) -> None:
    """7 December 2017, 17:00: Coinbase 9.2 % over the median of the venues, because everybody was apart."""
    names = [name for name in hourly.FILES if name.endswith("BTC/USD")]
    parts = {name: hourly.bars(shared_data, name, "2017-12-05", "2017-12-09") for name in names}
    found = heard(hourly.tape(parts, tmp_path / "tape"))
    closes = {name: {int(r["ts_local"]): int(r["price"]) for r in part} for name, part in parts.items()}
    moment = hourly._opened("2017-12-07 05-PM") + codes.HOUR
    there = np.array([closes[name][moment] for name in names], float)
    assert closes["coinbase:BTC/USD"][moment] / np.median(there) > 1.08, "the premium is in the data"
    names = [x.name for x in found.instruments]
    of_coinbase = [v for v in found.verdicts if names[v.instrument] == "coinbase:BTC/USD" and v.code in PRICE_CODES]
    assert not [v for v in of_coinbase if v.ts_ns <= moment + codes.MINUTE], "the way up, and its highest hour"
    assert len(of_coinbase) <= 1


def test_binances_first_tick_is_caught(shared_data: Path, tmp_path: Path) -> None:
    """17 August 2017: the hour opens at 16,199.91 (ETH 652.74) where the market stood at 4,300 (300)."""
    names = ("binance:BTC/USDT", "binance:ETH/USDT", "coinbase:BTC/USD", "coinbase:ETH/USD", "kraken:BTC/USD", "kraken:ETH/USD")
    parts = {name: hourly.bars(shared_data, name, "2017-08-16", "2017-08-18") for name in names}
    found = heard(hourly.tape(parts, tmp_path / "tape"))
    for name in names[:2]:
        assert reasons.LONG_WICK in told(found, name, {reasons.LONG_WICK}), name
    for name in ("coinbase:BTC/USD", "kraken:BTC/USD"):
        assert told(found, name) == [], name


def test_geminis_zero_open_is_caught(shared_data: Path, tmp_path: Path) -> None:
    """8 October 2015: the first hour opens at nothing."""
    part = hourly.bars(shared_data, "gemini:BTC/USD", "2015-10-08", "2015-10-09")
    found = heard(hourly.tape({"gemini:BTC/USD": part}, tmp_path / "tape"))
    assert part["ref"][0] == 0
    assert [v.code for v in found.verdicts][:2] == [reasons.BAD_PRICE, reasons.BROKEN_BAR]
    assert found.verdicts[0].ts_ns == part["ts_local"][0]


def test_doubled_hours_are_caught(shared_data: Path, tmp_path: Path) -> None:
    """Binance, autumn 2020: every hour twice, with another volume and another close; the second one never enters."""
    part = hourly.bars(shared_data, "binance:BTC/USDT", "2020-09-01", "2020-09-02")
    found = heard(hourly.tape({"binance:BTC/USDT": part}, tmp_path / "tape"))
    assert len(part) == 48 and len(np.unique(part["ts_local"])) == 24
    assert {v.code for v in found.verdicts} == {reasons.TOLD_TWICE} and len(found.verdicts) >= 20


def test_mixed_units_of_time_are_caught(shared_data: Path, tmp_path: Path) -> None:
    """The same file's unix column: seconds among milliseconds. Read as one unit, half the bars stand in January 1970."""
    part = hourly.bars(shared_data, "binance:BTC/USDT", "2020-09-01", "2020-09-02", unix_ns=codes.MILLISECOND)
    found = heard(hourly.tape({"binance:BTC/USDT": part}, tmp_path / "tape"))
    wrong = int((np.abs(part["ts_local"] - part["ts_venue"]) > codes.DAY).sum())
    assert wrong == 24
    assert {v.code for v in found.verdicts} <= {reasons.CLOCK_JUMPED, reasons.OLD_MESSAGE} and len(found.verdicts) >= 20
