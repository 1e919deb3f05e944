"""The world looks like a market: its facts stand beside those of a recording, and the measures themselves are right."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from tradewind.domain.codes import BUY, DEPTH, FIRST, LAST, MINUTE, SECOND, SELL, SNAPSHOT, TRADE
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import ROW, Rows
from tradewind.simulation.world import World, default_spec, stylised

COINS = ("binance:BTC/USDT", "binance:ETH/USDT", "kraken:BTC/USD", "coinbase:BTC/USD")


@pytest.fixture(scope="module")
def tape() -> tuple[Rows, list[Instrument]]:
    """Thirty minutes of one seed: several regimes."""
    world = World(default_spec(30 * MINUTE), 5)
    return np.concatenate(list(world.chunks())), world.instruments


@pytest.fixture(scope="module")
def facts(tape: tuple[Rows, list[Instrument]]) -> dict[tuple[str, str], float]:
    frame = stylised.facts(*tape, "world")
    assert frame.columns == ["tape", "instrument", "fact", "value"]
    return {(row["instrument"], row["fact"]): row["value"] for row in frame.iter_rows(named=True)}


# Bands: wide enough for a seed's luck, narrow enough to fail on a market that is none.
BANDS = {
    "return_acf_1s": (-0.15, 0.3),
    "size_acf_1s": (0.08, 0.8),
    "size_acf_5s": (0.05, 0.7),
    "kurtosis_1s": (4.0, 200.0),
    "sign_acf_1": (0.15, 0.7),
    "sign_acf_10": (0.05, 0.4),
    "wait_variation": (1.25, 2.5),
    "volatility_10s": (0.3, 2.5),
    "spread_bp_median": (0.0, 1.0),
    "spread_bp_mean": (0.005, 2.0),
    "messages_per_s": (15.0, 250.0),
    "prints_per_min": (40.0, 3000.0),
}


@pytest.mark.parametrize("fact", BANDS)
def test_coins_behave_like_coins(facts: dict[tuple[str, str], float], fact: str) -> None:
    low, high = BANDS[fact]
    assert {name: facts[name, fact] for name in COINS if not low <= facts[name, fact] <= high} == {}


def test_memory_of_size_decays_slower_than_that_of_returns(facts: dict[tuple[str, str], float]) -> None:
    for name in COINS:
        assert facts[name, "size_acf_1s"] > facts[name, "size_acf_30s"] > 0.03
        assert facts[name, "sign_acf_1"] > facts[name, "sign_acf_10"] > 0


def test_venues_of_one_coin_move_together_but_not_alike(tape: tuple[Rows, list[Instrument]]) -> None:
    rows, instruments = tape
    names = [i.name for i in instruments]
    mids = {n: stylised.on_grid(stylised.touches(rows, names.index(n))[0], SECOND) for n in ("kraken:BTC/USD", "coinbase:BTC/USD")}
    length = min(m.size for m in mids.values())
    a, b = (m[:length] for m in mids.values())
    minute = np.corrcoef(a[60:] - a[:-60], b[60:] - b[:-60])[0, 1]
    second = np.corrcoef(np.diff(a), np.diff(b))[0, 1]
    assert minute > 0.8 > second + 0.1  # lags: the Epps effect
    gaps = (a - b) * 1e4
    assert 0.5 < gaps.std() < 8.0


def test_dislocations_pay_now_and_then(tape: tuple[Rows, list[Instrument]]) -> None:
    """Somewhere in half an hour a sale here and a purchase there earn more than both takers' fees, but seldom."""
    rows, instruments = tape
    usdt = next(k for k, i in enumerate(instruments) if i.name == "kraken:USDT/USD")
    grid = np.arange(rows["ts_local"][0] + SECOND, rows["ts_local"][-1], 100_000_000)
    rate = sampled(rows, usdt, grid).mean(axis=1) / 1e4
    quotes, fees = [], []
    for k, i in enumerate(instruments):
        if i.base == "BTC" and i.quote != "USDC":
            quotes.append(sampled(rows, k, grid) / 100.0 * (rate[:, None] if i.quote == "USDT" else 1.0))
            fees.append(i.taker_fee_e7 / 1e7)
    shares = [
        float(np.mean(quotes[x][:, 0] / quotes[y][:, 1] - 1.0 > fees[x] + fees[y])) for x in range(3) for y in range(3) if x != y
    ]
    assert 0.0005 < sum(shares) < 0.2


def sampled(rows: Rows, instrument: int, grid: np.ndarray) -> np.ndarray:
    """Bid and ask at each time of the grid, in price units."""
    best, _ = stylised.touches(rows, instrument)
    return best[np.searchsorted(best[:, 0], grid, side="right") - 1][:, [1, 3]].astype(float)


def test_touches_of_a_hand_made_book() -> None:
    steps = [  # side, price, quantity, marks
        (BUY, 99, 5, FIRST | SNAPSHOT), (BUY, 98, 7, SNAPSHOT), (SELL, 101, 2, SNAPSHOT), (SELL, 103, 4, SNAPSHOT | LAST),
        (SELL, 101, 0, FIRST), (BUY, 100, 1, LAST),
        (BUY, 100, 0, FIRST | LAST),
        (BUY, 50, 1, FIRST | SNAPSHOT), (SELL, 60, 1, SNAPSHOT | LAST),
    ]  # fmt: skip
    rows = np.zeros(len(steps), ROW)
    for row, (side, price, quantity, marks), t in zip(rows, steps, range(len(steps)), strict=True):
        row["kind"], row["side"], row["price"], row["quantity"], row["marks"], row["ts_local"] = (
            DEPTH,
            side,
            price,
            quantity,
            marks,
            t,
        )
    best, profile = stylised.touches(rows, 0)
    assert best.tolist() == [[3, 99, 5, 101, 2], [5, 100, 1, 103, 4], [6, 99, 5, 103, 4], [8, 50, 1, 60, 1]]
    assert profile[0] == pytest.approx((5 + 2 + 1 + 4 + 5 + 4 + 1 + 1) / 8)


def test_measures_on_series_that_are_known() -> None:
    alternating = np.tile([1.0, -1.0], 500)
    assert stylised.autocorrelation(alternating, 1) == pytest.approx(-1.0)
    assert np.isnan(stylised.autocorrelation(np.ones(100), 1))
    prints = np.zeros(4, ROW)
    prints["kind"], prints["ts_venue"] = TRADE, [1_000_000, 1_500_000, 1_500_000, 2_000_000]
    prints["side"] = [BUY, BUY, SELL, SELL]
    times, signs = stylised.orders_of(prints, 0)
    assert times.tolist() == [1_000_000, 1_000_000, 2_000_000] and signs.tolist() == [1.0, -1.0, -1.0]


def test_a_figure_of_the_curves(tape: tuple[Rows, list[Instrument]]) -> None:
    from plotly import io

    frame = stylised.curves(*tape, "world", list(COINS[:2]))
    figure = stylised.figure(frame)
    curves = frame["curve"].n_unique()
    assert len(figure["data"]) == 2 * curves == 16
    page = io.to_html(figure, include_plotlyjs=False)
    assert {trace["name"] for trace in figure["data"]} == {f"world {name}" for name in COINS[:2]}
    assert "volatility by interval" in page
    assert stylised.figure(stylised.curves(*tape, "world", []))["data"] == []


def test_the_world_stands_beside_a_recording(shared_data: Path, tmp_path: Path, facts: dict[tuple[str, str], float]) -> None:
    from tradewind.runtime.imports import import_files
    from tradewind.storage.tape import Tape

    files = sorted((shared_data / "ws" / "binance_hftbacktest").glob("spot_*.gz"))
    import_files("binance", files, tmp_path / "tape")
    recorded = Tape.open(tmp_path / "tape")
    rows, listed = recorded.read(0, recorded.rows), list(recorded.manifest.instruments)
    real = stylised.facts(rows, listed, "binance 2024-08-08")
    names = [i.name for i in listed]
    assert real["instrument"].n_unique() == len(names) == 2
    for name in names:
        theirs = dict(real.filter(pl.col("instrument") == name).select("fact", "value").iter_rows())
        for fact, factor in {
            "messages_per_s": 4, "orders_per_min": 3, "spread_bp_mean": 4, "mid_changes_per_s": 3, "touch_value_median": 4,
            "volatility_10s": 4, "wait_variation": 1.6, "rows_per_depth_message": 4,
        }.items():  # fmt: skip
            ours = facts[name, fact]
            assert 1 / factor < ours / theirs[fact] < factor, (name, fact, ours, theirs[fact])
    both = pl.concat([stylised.curves(rows, listed, "recorded"), stylised.curves(rows[:0], [], "world")])
    assert len(stylised.figure(both)["data"]) > 8


def test_tempo_brings_the_weather_sooner() -> None:
    calm, fast = (World(msgspec.structs.replace(default_spec(30 * SECOND), tempo=t), 3) for t in (1.0, 40.0))
    counts = []
    for world in (calm, fast):
        assert sum(chunk.size for chunk in world.chunks()) > 0
        counts.append(sum(t.kind == "regime" for t in world.truths))
    assert counts[0] <= 2 < 4 < counts[1]
