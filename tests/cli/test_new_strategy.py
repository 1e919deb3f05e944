"""The template of `new strategy`: it is checked and backtested as it comes, and a misspelt parameter is found at its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tradewind.domain import codes
from tradewind.domain.instruments import Stream
from tradewind.engine.compose import Composition, Machine
from tradewind.runtime.bench_tapes import BAR_COIN, bars_tape
from tradewind.runtime.planning import Plan, load_strategy
from tradewind.storage.journal import JournalReader
from tradewind.storage.tape import TapeWriter


@pytest.fixture
def bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tape of 300 one-minute bars, and machines that need no compiler."""

    def machine(self: Plan, **_: object) -> Machine:
        assert isinstance(self.composition, Composition)
        return Machine(self.composition, compiled=False)

    monkeypatch.setattr(Plan, "machine", machine)
    coin = msgspec.structs.replace(BAR_COIN, venue="binance")
    writer = TapeWriter(tmp_path / "bars", [coin], [Stream(venue="binance", channel="bar", instrument=0)], "test")
    writer.append(bars_tape(300))
    writer.close()
    return tmp_path / "bars"


def test_the_template_trades_at_once(run: Callable[..., Any], bars: Path) -> None:
    made = run("new", "strategy", "my_idea", "--json").data
    code, configuration = made["files"]
    strategy = load_strategy(Path(code), {"length": 20.0})
    assert strategy.parameters == {"length": 20.0, "size": 1.0}
    assert "--config strategies/my_idea.toml" in made["next"]
    told = run("backtest", "--config", configuration, "--tape", str(bars), "--capital", "100000 USDT", "--json")
    assert told.code == 0, told.err
    assert told.data["fills"] > 5
    assert set(told.data["pnl"]) == {"my_idea", "all"}
    rows = list(JournalReader(Path(told.data["journal"])).rows())
    assert sum(int((part["kind"] == codes.WAKE).sum()) for part in rows) == 300


@pytest.mark.parametrize(
    ("kind", "near"), [("python:my_idea.py", "length"), ("swing", "slow"), ("sma_cross", "slow"), ("market_maker", "layers")]
)
def test_a_parameter_nobody_declared_is_named_with_its_line(run: Callable[..., Any], bars: Path, kind: str, near: str) -> None:
    run("new", "strategy", "my_idea", "--out", ".")
    Path("some.toml").write_text(f'[strategies.mine]\nkind = "{kind}"\n\n[strategies.mine.parameters]\n{near}x = 5\n')
    told = run("backtest", "--config", "some.toml", "--tape", str(bars), "--json")
    assert told.code == 2
    error = told.data["error"]
    assert f"{near}x" in error["what"]
    assert error["where"] == f"some.toml, line 5, key strategies.mine.parameters.{near}x"
    assert near in error["expected"]
