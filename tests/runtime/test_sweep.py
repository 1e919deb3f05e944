"""A sweep is backtests: every point gives what a run of its own gives, whatever thread played it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest

import machines
from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import Stream
from tradewind.domain.rows import rows
from tradewind.engine.prelude import StrategySetup
from tradewind.runtime import sweep as under_test
from tradewind.runtime import trials
from tradewind.runtime.bench import bars_setup, played
from tradewind.runtime.bench_tapes import BAR_COIN, bars_tape
from tradewind.runtime.options import SweepOptions, configured
from tradewind.runtime.sweep import Outcome, grid_of, sweep, sweep_machine
from tradewind.storage.tape import TapeWriter

GRID = [{"sma_cross.fast": float(fast), "sma_cross.slow": float(slow)} for fast in (3, 5) for slow in (20, 30, 40)]
BARS = 4_000


@cache
def outcomes(threads: int) -> list[Outcome]:
    tape = bars_tape(BARS)
    return sweep_machine(machines.bars_machine(), bars_setup(), [tape[:1_500], tape[1_500:]], GRID, threads=threads)


def test_each_point_is_its_own_backtest() -> None:
    for point, found in zip(GRID, outcomes(1), strict=True):
        setup = bars_setup()
        named = {key.split(".")[1]: value for key, value in point.items()}
        first = msgspec.structs.replace(setup.strategies[0], parameters={**setup.strategies[0].parameters, **named})
        _, session = played(
            machines.bars_machine(), msgspec.structs.replace(setup, strategies=[first, StrategySetup()]), bars_tape(BARS)
        )
        count = session.state[0]["count"]
        assert found.parameters == point
        assert (found.orders, found.fills) == (count["submits"], count["fills"])
        assert found.equity == session.state[0]["budget"]["equity"]
    assert len({found.orders for found in outcomes(1)}) > 3


def test_threads_change_nothing() -> None:
    assert outcomes(3) == outcomes(1)


def test_a_point_says_how_it_went() -> None:
    for found in outcomes(1):
        assert found.sharpe is not None
        assert found.gain < 0.0 < found.drawdown < 1.0  # fees of 0.1 % eat every cross of a random walk


@pytest.mark.parametrize("few", [2, 100])  # side by side in one market, and one by one
def test_a_point_begins_where_all_it_holds_has_a_price(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """Half of the capital lies in a coin that the first rows do not price: counted with them, doing nothing earns 100 %."""
    monkeypatch.setattr(under_test, "FEW", few)
    silence, bars = rows(400), bars_tape(1_600)
    silence["kind"], silence["marks"], silence["strategy"] = codes.CLOCK, codes.WHOLE, -1
    silence["ts_local"] = bars["ts_local"][0] - codes.HOUR + np.arange(400) * codes.SECOND
    price = bars["price"][0] / 100
    setup = msgspec.structs.replace(bars_setup(), balances={("bench", "USDT"): 1e6, ("bench", "BTC"): 1e6 / price})
    first = msgspec.structs.replace(setup.strategies[0], parameters={**setup.strategies[0].parameters, "quantity": 1.0})
    setup = msgspec.structs.replace(setup, strategies=[first, *setup.strategies[1:]])
    moved = bars["price"][-1] / bars["price"][0] / 2 - 0.5  # of the capital, by the coin alone: orders are of 0.00001
    for point in sweep_machine(machines.bars_machine(), setup, [np.concatenate([silence, bars])], GRID[:2]):
        assert point.equity == pytest.approx(2e6 * (1 + moved), rel=1e-4)
        assert point.gain == pytest.approx(moved, abs=2e-3)
        assert point.sharpe is not None and point.sharpe * moved > 0.0


def test_grids_are_all_combinations() -> None:
    assert grid_of(["a.x=1,2", "b.y=3"]) == [{"a.x": 1.0, "b.y": 3.0}, {"a.x": 2.0, "b.y": 3.0}]


def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan's own machine would be one more to compile: the same composition runs uncompiled here."""
    monkeypatch.setattr(
        "tradewind.runtime.planning.Machine", lambda composition, **_: under_test.Machine(composition, compiled=False)
    )


def a_tape(folder: Path) -> Path:
    with TapeWriter(folder / "tape", [BAR_COIN], [Stream(venue="bench", channel="bar", instrument=0)], "a test") as writer:
        writer.append(bars_tape(300))
    return folder / "tape"


@pytest.mark.parametrize("axes", [["a.x"], ["a.x="], ["x=1"], ["a.x=1,two"], ["a.x=nan"], ["a.x=1", "a.x=2"]])
def test_a_bad_axis_is_refused(axes: list[str]) -> None:
    with pytest.raises(BadUse):
        grid_of(axes)


@pytest.mark.parametrize(("key", "told"), [("nobody.fast", "nobody"), ("sma_cross.speed", "speed")])
def test_a_parameter_that_is_none_is_named(key: str, told: str) -> None:
    with pytest.raises(BadUse, match=told):
        sweep_machine(machines.bars_machine(compiled=False), bars_setup(), [bars_tape(3)], [{key: 1.0}])


def test_a_python_strategys_parameter_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would change nothing, and every point would be the same."""
    uncompiled(monkeypatch)
    options = SweepOptions(
        tape=a_tape(tmp_path), out=tmp_path / "out", strategy=["swing"], capital="1000000 USDT", grid=["swing.horizon=3,5"]
    )
    with pytest.raises(BadUse, match="horizon"):
        sweep(options, configured(options, {}))


def test_the_command_adds_every_point_to_the_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uncompiled(monkeypatch)
    options = SweepOptions(
        tape=a_tape(tmp_path), out=tmp_path / "out", strategy=["sma_cross"], capital="1000000 USDT", grid=["sma_cross.fast=3,5"]
    )
    loaded = configured(options, {})
    found = sweep(options, loaded)
    assert [point.parameters for point in found.points] == [{"sma_cross.fast": 3.0}, {"sma_cross.fast": 5.0}]
    for point in found.points:  # on the capital given, which is the first peak
        assert point.gain == point.equity / 1e6 - 1.0 and point.drawdown >= -point.gain
    assert found.best in found.points and found.trials == 2 and found.rows_per_s > 0
    assert trials.count(tmp_path / "out", "sma_cross") == 2
    assert sweep(options, loaded).trials == 4
    late = Outcome(parameters={}, equity=900.0, gain=0.0, sharpe=None, drawdown=0.01, orders=0, fills=0, refused=0)
    assert under_test._on_capital(late, 1000.0).drawdown == pytest.approx(0.1), "what was lost before the first sample counts"
