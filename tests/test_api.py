"""`import tradewind as tw`: what it offers, what it costs, and that its frames are what the command line counts."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import tradewind as tw
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import Instrument


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the default world."""
    return tw.make_tape(tw.default_spec(4_000_000_000), tmp_path_factory.mktemp("api") / "tape", seed=3).folder


@pytest.fixture(scope="module")
def result(tape: Path, tmp_path_factory: pytest.TempPathFactory, numba_cache: Path) -> tw.Result:
    """A run over it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADEWIND_CACHE", str(numba_cache / "machines"))
        return tw.backtest(tape, capital=20_000, out=tmp_path_factory.mktemp("runs"), risk__max_open_orders=50, seed=5)


def test_the_import_is_instant(repo: Path) -> None:
    heavy = "{'numpy', 'numba', 'polars', 'msgspec', 'rich'}"
    call = [sys.executable, "-c", f"import sys, tradewind; print(tradewind.__version__, *sorted({heavy} & set(sys.modules)))"]
    done = subprocess.run(call, env={"PYTHONPATH": str(repo / "src")}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [tw.__version__]


def test_it_offers_what_it_names() -> None:
    assert set(tw.__all__) <= set(dir(tw))
    assert all(getattr(tw, name) is not None for name in tw.__all__)
    with pytest.raises(AttributeError, match="no attribute 'backtset'"):
        _ = tw.backtset  # type: ignore[attr-defined]


def test_the_stub_offers_the_same(repo: Path) -> None:
    stub = (repo / "src/tradewind/__init__.pyi").read_text()
    assert all(f" {name}" in stub or f"{name}:" in stub for name in tw.__all__)


def test_a_world_and_its_spec_make_the_same_tape(tape: Path, tmp_path: Path) -> None:
    world = tw.World(tw.default_spec(4_000_000_000), 3)
    assert tw.make_tape(world, tmp_path / "again").digest == _digest(tape)
    assert tw.make_tape(world.spec, tmp_path / "other", seed=4).digest != _digest(tape)


def _digest(folder: Path) -> str:
    from tradewind.storage.tape import Tape

    return Tape.open(folder).digest


@pytest.mark.scenario
def test_a_backtest_gives_frames_that_agree_with_its_figures(result: tw.Result) -> None:
    equity, fills, orders = result.equity_curve, result.fills_frame, result.orders_frame
    assert result.fills == fills.height > 0
    assert result.orders == orders.height >= fills["order_id"].n_unique()
    assert set(fills["order_id"]) <= set(orders["order_id"])
    assert equity["ts_ns"].is_sorted()
    assert abs(equity["equity"][0] / 20_000 - 1) < 0.01
    assert {f"pnl:{name}" for name in result.strategies} <= set(equity.columns)
    assert equity["equity"][-1] == pytest.approx(result.equity, rel=1e-3)
    assert Path(result.report).exists()


@pytest.mark.scenario
def test_settings_reach_the_run(result: tw.Result) -> None:
    from tradewind.storage.journal import JournalReader

    header = JournalReader(Path(result.journal)).header
    assert '"max_open":50' in header.configuration


@pytest.mark.scenario
def test_its_journal_replays(result: tw.Result, numba_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_CACHE", str(numba_cache / "machines"))
    replayed = tw.replay(result.journal)
    assert replayed.equal, replayed.first_difference
    assert (replayed.digest, replayed.machine_hash) == (result.digest, result.machine_hash)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"strategies": "swng"}, "swng"),
        ({"capital": "much"}, "much"),
        ({"risk__max_open_order": 5}, "max_open_order"),
        ({"think_ns": "soon"}, "soon"),
    ],
)
def test_bad_use_is_told_before_anything_begins(tape: Path, tmp_path: Path, words: dict[str, object], said: str) -> None:
    with pytest.raises(BadUse, match=said):
        tw.backtest(tape, out=tmp_path / "runs", **words)  # type: ignore[arg-type]
    assert not (tmp_path / "runs").exists()


def test_features_of_a_frame_of_bars() -> None:
    start = datetime(2024, 8, 5, tzinfo=UTC)
    close = [100.0 + (n * 7 % 13) for n in range(60)]
    bars = pl.DataFrame(
        {
            "timestamp": [start + timedelta(minutes=n) for n in range(60)],
            "open": close, "high": [x + 1 for x in close], "low": [x - 1 for x in close], "close": close, "volume": [2.0] * 60,
        }
    )  # fmt: skip
    x = Instrument(venue="binance", symbol="BTCUSDT", base="BTC", quote="USDT", price_exponent=2, quantity_exponent=5)
    frame = tw.features(bars, ["sma"], "1m", x)
    assert frame.height == 60
    assert frame["timestamp"].to_list() == bars["timestamp"].to_list()
    assert len(frame.columns) >= 2
