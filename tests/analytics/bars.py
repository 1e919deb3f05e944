"""Bars for the tests of features: random ones, recorded ones, and what the machine itself makes of them, row by row."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tradewind.domain.instruments import Instrument
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import Rows, rows
from tradewind.engine.compose import DEFAULT_FEATURES, Composition, Machine
from tradewind.engine.prelude import Prelude, Setup
from tradewind.engine.snapshot import fresh_state
from tradewind.runtime.imports import import_files
from tradewind.storage.tape import Tape

OF_BARS = (
    "returns", "sma", "ema", "rsi", "atr", "bollinger", "macd", "realised_volatility", "stochastic", "adx", "cci", "mfi", "obv",
)  # fmt: skip
COIN = Instrument(venue="test", symbol="COIN", base="COIN", quote="USD", price_exponent=2, quantity_exponent=5)
RECORDED = ("binance_btcusdt", "coinbase_btcusd", "kraken_usdcusd")
SMALL = Capacity(instruments=4, venues=4, assets=8, strategies=1, sources=8, levels=8, orders=8, layers=1, resting=8, flight=8)


def cache() -> Path:
    """Where this run composes: beside its compile cache, so that it reads nothing another run left."""
    return Path(os.environ["NUMBA_CACHE_DIR"]) / "machines"


def random_bars(n: int, seed: int, calm: float = 0.0) -> pl.DataFrame:
    """n one-minute bars of a random walk in cents; a share `calm` of them stand still."""
    r = np.random.default_rng(seed)
    moves = np.where(r.random(n) < calm, 0.0, r.normal(0, 1e-3, n))
    close = np.maximum(np.rint(30_000 * np.exp(np.cumsum(moves)) * 100), 100)
    opened = np.concatenate([[3_000_000.0], close[:-1]])
    reach = np.where(moves == 0.0, 0.0, np.rint(r.exponential(2_000, (2, n))))
    high, low = np.maximum(opened, close) + reach[0], np.maximum(np.minimum(opened, close) - reach[1], 1)
    prices = {name: values / 100 for name, values in zip(("open", "high", "low", "close"), (opened, high, low, close), strict=True)}
    volume = np.rint(r.exponential(5, n) * 1e5) / 1e5
    return pl.DataFrame({**prices, "volume": volume})


def import_tape(shared_data: Path, folder: Path) -> Tape:
    """The recorded bars of three pairs, one of them a de-pegging stable coin, as one tape."""
    import_files("ohlcv", [shared_data / "ohlcv" / "1m_2023-03_depeg" / f"{name}.parquet" for name in RECORDED], folder)
    return Tape.open(folder)


def frame_of(tape_rows: Rows, instrument: Instrument) -> pl.DataFrame:
    """Bar rows of one instrument as a frame in whole units."""
    value = tape_rows["value"]
    low_below = ((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000
    opened, close = tape_rows["ref"], tape_rows["price"]
    numbers = {
        "open": opened, "high": np.maximum(opened, close) + (value >> 32), "low": np.minimum(opened, close) - low_below,
        "close": close,
    }  # fmt: skip
    prices = {name: whole / 10.0**instrument.price_exponent for name, whole in numbers.items()}
    return pl.DataFrame({**prices, "volume": tape_rows["quantity"] / 10.0**instrument.quantity_exponent})


def stepped(
    tape_rows: Rows, instruments: list[Instrument], outputs: list[tuple[str, str]], timeframes: tuple[str, ...]
) -> dict[tuple[int, int], NDArray[np.float64]]:
    """The features' fields after every bar the uncompiled machine closed, by (instrument, timeframe): shape (bars, fields)."""
    capacity = Capacity(**{name: getattr(SMALL, name) for name in SMALL.__struct_fields__} | {"timeframes": len(timeframes)})
    machine = Machine(
        Composition(strategies=(), features=DEFAULT_FEATURES + _others(), capacity=capacity), compiled=False, cache=cache()
    )
    tables = {name: module.NAME for name, module in zip(machine.composition.features, machine.features, strict=True)}
    setup = Setup(instruments=instruments, reporting=instruments[0].quote, strategies=(), timeframes=timeframes, bars_only=True)
    state, out = fresh_state(machine), rows(1024)
    prelude = Prelude(machine, setup, int(tape_rows["ts_local"][0])).rows()
    machine.run(state, prelude, 0, len(prelude), out)
    s, run = state[0], machine.run
    found: dict[tuple[int, int], list[list[float]]] = {}
    for n in range(len(tape_rows)):
        i = int(tape_rows["instrument"][n])
        before = s["bar"]["closed"][i].copy()
        run(state, tape_rows, n, n + 1, out)
        for f in np.flatnonzero(s["bar"]["closed"][i] != before).tolist():
            found.setdefault((i, f), []).append([s[tables[name]][i, f][field] for name, field in outputs])
    return {place: np.array(values, np.float64) for place, values in found.items()}


def _others() -> tuple[str, ...]:
    return tuple(name for name in OF_BARS if name not in DEFAULT_FEATURES)
