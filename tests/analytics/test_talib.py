"""The classic indicators against TA-Lib, on recorded and on random bars.

Both see the same numbers: bars in integer units as floats. Compared is from where both give a value on, relative to the
larger of TA-Lib's value and its mean size (a MACD crosses zero: what is relative to zero says nothing).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import talib
from numpy.typing import NDArray

from tradewind.engine.batch import Loop, features

from . import bars

NEAR = 1e-9
Floats = NDArray[np.float64]
Bars = dict[str, Floats]

# Where the conventions differ, by name; docs/features.md says why.
DIFFERENCES = {
    "neutral-when-flat": "RSI, stochastic and MFI of a market that did not move: 50, TA-Lib 0",
    "stochastic-warm-up": "slow_k from bar 16; TA-Lib holds it back until slow_d, bar 18",
}
LATER = {"stochastic.slow_k": 2}  # by how many bars TA-Lib begins later: "stochastic-warm-up"

TALIB: dict[str, Callable[[Bars], Floats]] = {
    "returns.simple1": lambda b: talib.ROCP(b["close"], 1),
    "returns.simple20": lambda b: talib.ROCP(b["close"], 20),
    "sma.sma10": lambda b: talib.SMA(b["close"], 10),
    "sma.sma20": lambda b: talib.SMA(b["close"], 20),
    "sma.sma30": lambda b: talib.SMA(b["close"], 30),
    "ema.fast": lambda b: talib.EMA(b["close"], 12),
    "ema.slow": lambda b: talib.EMA(b["close"], 26),
    "rsi.rsi": lambda b: talib.RSI(b["close"], 14),
    "atr.true_range": lambda b: talib.TRANGE(b["high"], b["low"], b["close"]),
    "atr.atr": lambda b: talib.ATR(b["high"], b["low"], b["close"], 14),
    "bollinger.upper": lambda b: talib.BBANDS(b["close"], 20, 2, 2)[0],
    "bollinger.middle": lambda b: talib.BBANDS(b["close"], 20, 2, 2)[1],
    "bollinger.lower": lambda b: talib.BBANDS(b["close"], 20, 2, 2)[2],
    "macd.macd": lambda b: talib.MACD(b["close"], 12, 26, 9)[0],
    "macd.macd_line": lambda b: talib.MACD(b["close"], 12, 26, 9)[1],
    "macd.macd_bars": lambda b: talib.MACD(b["close"], 12, 26, 9)[2],
    "stochastic.fast_k": lambda b: talib.STOCHF(b["high"], b["low"], b["close"], 14, 1, 0)[0],
    "stochastic.slow_k": lambda b: talib.STOCH(b["high"], b["low"], b["close"], 14, 3, 0, 3, 0)[0],
    "stochastic.slow_d": lambda b: talib.STOCH(b["high"], b["low"], b["close"], 14, 3, 0, 3, 0)[1],
    "adx.plus_di": lambda b: talib.PLUS_DI(b["high"], b["low"], b["close"], 14),
    "adx.minus_di": lambda b: talib.MINUS_DI(b["high"], b["low"], b["close"], 14),
    "adx.adx": lambda b: talib.ADX(b["high"], b["low"], b["close"], 14),
    "cci.cci": lambda b: talib.CCI(b["high"], b["low"], b["close"], 20),
    "mfi.mfi": lambda b: talib.MFI(b["high"], b["low"], b["close"], b["volume"], 14),
    "obv.obv": lambda b: talib.OBV(b["close"], b["volume"]),
}
IN_UNITS = bars.COIN.__class__(venue="t", symbol="t", base="C", quote="USD", price_exponent=0, quantity_exponent=0)


def in_units(frame: pl.DataFrame, price: float, quantity: float) -> pl.DataFrame:
    prices = [(pl.col(name) * price).round() for name in ("open", "high", "low", "close")]
    return frame.select(*prices, (pl.col("volume") * quantity).round())


def furthest(loop: Loop, frame: pl.DataFrame, names: list[str] | None = None) -> dict[str, float]:
    """By field: how far it lies from TA-Lib's, where both have a value and the market moved."""
    ours = features(frame, loop.composition.features, "1m", IN_UNITS, loop)
    arrays = {name: frame[name].to_numpy().astype(np.float64) for name in frame.columns}
    moved = ~flat(frame)
    found = {}
    for name in names or TALIB:
        theirs = TALIB[name](arrays)
        warm = next(count for output, _, count in loop.outputs if output == name)
        first = int(np.flatnonzero(~np.isnan(theirs))[0])
        assert first == warm - 1 + LATER.get(name, 0), name
        mine = ours[name].to_numpy()[first:]
        theirs = theirs[first:]
        keep = moved[first:] if name.split(".")[0] in ("stochastic", "mfi") else np.ones(len(mine), bool)
        size = np.maximum(np.abs(theirs), np.abs(theirs).mean())
        found[name] = float(np.max((np.abs(mine - theirs) / size)[keep]))
    return found


def flat(frame: pl.DataFrame) -> NDArray[np.bool_]:
    """Where any of the last five 14-bar ranges had no width: "neutral-when-flat" """
    width = frame["high"].rolling_max(14) - frame["low"].rolling_min(14)
    return (width == 0).cast(pl.Int8).rolling_max(5, min_samples=1).fill_null(0).to_numpy() > 0


def test_ten_classic_indicators_are_compared() -> None:
    assert len({name.split(".")[0] for name in TALIB}) >= 10


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "price", "quantity"), [("binance_btcusdt", 1e2, 1e8), ("kraken_btcusd", 1e1, 1e8), ("kraken_usdcusd", 1e4, 1e8)]
)
def test_recorded_bars_agree(loop: Loop, shared_data: Path, name: str, price: float, quantity: float) -> None:
    frame = in_units(pl.read_parquet(shared_data / "ohlcv" / "1m_2023-03_depeg" / f"{name}.parquet"), price, quantity)
    assert flat(frame).mean() < 0.1
    worst = furthest(loop, frame)
    assert max(worst.values()) < NEAR, worst


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("calm", [0.0, 0.5])
def test_random_bars_agree(loop: Loop, seed: int, calm: float) -> None:
    frame = in_units(bars.random_bars(5_000, seed, calm), 1e2, 1e5)
    worst = furthest(loop, frame)
    assert max(worst.values()) < NEAR, worst


def test_the_comparison_can_fail(loop: Loop) -> None:
    frame = in_units(bars.random_bars(500, 1), 1e2, 1e5)
    moved = frame.with_columns(close=pl.when(pl.int_range(500) == 300).then(pl.col("high")).otherwise("close"))
    ours = features(moved, bars.OF_BARS, "1m", IN_UNITS, loop)["rsi.rsi"].to_numpy()
    theirs = talib.RSI(frame["close"].to_numpy(), 14)
    assert np.nanmax(np.abs(ours - theirs)[14:]) > 1e-3
    np.testing.assert_allclose(ours[14:300], theirs[14:300], rtol=NEAR)


# The named differences -------------------------------------------------------------------------------------------------


def still(n: int, volume: float = 5.0) -> pl.DataFrame:
    return pl.DataFrame({name: [100.0] * n for name in ("open", "high", "low", "close")} | {"volume": [volume] * n})


def test_neutral_when_flat(loop: Loop) -> None:
    frame = still(40)
    made = features(frame, bars.OF_BARS, "1m", IN_UNITS, loop)
    for name in ("rsi.rsi", "stochastic.fast_k", "stochastic.slow_k", "stochastic.slow_d", "mfi.mfi"):
        assert made[name][-1] == 50.0
        assert TALIB[name]({column: frame[column].to_numpy() for column in frame.columns})[-1] == 0.0
    for name in ("cci.cci", "adx.adx", "adx.plus_di", "atr.atr", "macd.macd", "obv.obv", "bollinger.upper"):
        assert made[name][-1] == TALIB[name]({column: frame[column].to_numpy() for column in frame.columns})[-1]


def test_differences_are_documented(repo: Path) -> None:
    page = (repo / "docs" / "features.md").read_text()
    assert all(f"`{name}`" in page for name in DIFFERENCES)
