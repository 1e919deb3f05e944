"""What a session calls equity is what the machine calls it: coins, and contracts that are still open."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from scripted import Stage, instrument
from tradewind.domain import codes, layout
from tradewind.domain.rows import ROW
from tradewind.kernel import twin
from tradewind.runtime.session import Session


def equities(stage: Stage) -> tuple[float, float]:
    """By the session's arithmetic and by the machine's."""
    plain: Any = SimpleNamespace(state=stage.state, instruments=stage.setup.instruments)
    fields = layout.field_names(stage.machine.state_dtype, stage.machine.venue_dtype, ROW)
    return Session.equity(cast(Session, plain)), twin.load("portfolio.ledger", fields).total_worth(stage.s)


def test_an_open_contract_counts_before_it_is_closed() -> None:
    stage = Stage([instrument("a", payoff=codes.LINEAR)], balances={("a", "USD"): 1000.0})
    stage.book(0, [(99_99, 50_000)], [(100_00, 50_000)])
    stage.wish(0, 20_000)
    for price in (100_00, 110_00):
        stage.book(0, [(price - 1, 50_000)], [(price, 50_000)], after=50 * codes.MILLISECOND)
        stage.wait(codes.SECOND)
    assert stage.position(0) == 20_000
    session, machine = equities(stage)
    assert session == pytest.approx(machine) == pytest.approx(1000.0 + 2 * (109.995 - 100.0))
