"""An inverse contract is heard, and nobody may trade it: the ledger knows no payoff in the base asset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.fabric import markets
from tests.scripted import SMALL

from tradewind.domain import codes, layout
from tradewind.domain.errors import BadData, BadUse
from tradewind.engine.compose import Composition, Machine
from tradewind.engine.prelude import Prelude, Setup, StrategySetup
from tradewind.runtime import config
from tradewind.runtime.planning import plan
from tradewind.storage.projection import short_name
from tradewind.storage.tape import Tape, TapeWriter

INVERSE = msgspec.structs.replace(markets.KRAKEN, quote="USD", payoff=codes.INVERSE)
DATED = msgspec.structs.replace(INVERSE, base="BTC270326", payoff=codes.LINEAR, status=codes.STATUS_CANCEL_ONLY)


def laid_out(folder: Path, other: Any) -> Tape:
    with TapeWriter(folder, [markets.BTC, other], markets.STREAMS, "a test") as writer:
        writer.append(markets.market(2))
        writer.close()
    return Tape.open(folder)


def planned(tmp_path: Path, other: Any, named: str) -> Any:
    (tmp_path / "tradewind.toml").write_text(f"[strategies.swing]\ninstruments = {named}\n", encoding="utf-8")
    loaded = config.load(folder=tmp_path, environment={})
    return plan(loaded, laid_out(tmp_path / "tape", other))


def test_no_strategy_gets_it_and_the_plan_says_why(tmp_path: Path) -> None:
    found = planned(tmp_path, INVERSE, '["*"]')
    assert all(1 not in strategy.instruments for strategy in found.setup.strategies)
    assert any(0 in strategy.instruments for strategy in found.setup.strategies)
    assert [note for note in found.notes if "kraken:BTC/USD:inverse is heard and not traded: it is an inverse contract" in note]


def test_what_ends_is_named_in_the_plan(tmp_path: Path) -> None:
    found = planned(tmp_path, DATED, '["*"]')
    assert [note for note in found.notes if "BTC270326/USD:perp is heard and not traded: its status is CANCEL_ONLY" in note]


def test_contracts_of_one_pair_have_names_of_their_own(tmp_path: Path) -> None:
    """And a configuration can name either."""
    linear = msgspec.structs.replace(INVERSE, payoff=codes.LINEAR)
    spot = msgspec.structs.replace(INVERSE, payoff=codes.SPOT)
    names = [x.name for x in (spot, linear, INVERSE)]
    assert names == ["kraken:BTC/USD", "kraken:BTC/USD:perp", "kraken:BTC/USD:inverse"]
    assert short_name(INVERSE) == "BTC/USD:inverse" != short_name(linear)
    for name in names:
        (tmp_path / "tradewind.toml").write_text(f'[strategies.swing]\ninstruments = ["{name}"]\n', encoding="utf-8")
        assert config.load(folder=tmp_path, environment={}).config.strategies["swing"].instruments == (name,)
    (tmp_path / "tradewind.toml").write_text('[strategies.swing]\ninstruments = ["kraken:BTC/USD:other"]\n', encoding="utf-8")
    with pytest.raises(BadUse, match="other"):
        config.load(folder=tmp_path, environment={})


def test_a_strategy_that_names_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="inverse contract: it is heard, and never traded") as caught:
        planned(tmp_path, INVERSE, '["kraken:BTC/USD:inverse"]')
    assert caught.value.where == "strategies.swing.instruments"


def test_the_machine_refuses_its_orders_and_knows_no_cost_of_it() -> None:
    machine = Machine(Composition(strategies=("python",), capacity=SMALL), compiled=False)
    setup = Setup(
        instruments=[markets.BTC, INVERSE], reporting="USD", strategies=[StrategySetup(parameters={}, instruments=(0,))],
        balances={("binance", "USDT"): 1e6},
    )  # fmt: skip
    rules = Prelude(machine, setup, 1).rows()
    told = rules[(rules["kind"] == codes.RULE) & (rules["instrument"] == 1)]
    status = told[told["ref"] == layout.TRADING_STATUS]
    assert status["value"].tolist() == [codes.STATUS_CANCEL_ONLY]
    assert not np.any((rules["kind"] == codes.RIGHT) & (rules["instrument"] == 1))
    wrong = msgspec.structs.replace(setup, strategies=[StrategySetup(parameters={}, instruments=(0, 1))])
    with pytest.raises(BadData, match="no cost of the form"):
        Prelude(machine, wrong, 1).rows()
