"""What a session calls equity is what the machine calls it: coins, and contracts that are still open."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from scripted import Stage, instrument, row
from tradewind.domain import codes, layout
from tradewind.domain.rows import ROW
from tradewind.engine.prelude import Limits
from tradewind.kernel import twin
from tradewind.runtime.backtest import unexplained
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


@pytest.mark.parametrize("payoff", [codes.LINEAR, codes.SPOT])
def test_a_fill_of_nobodys_order_counts_in_equity_limits_and_warnings(payoff: int) -> None:
    """Somebody traded by hand: no strategy's position, but our money and our risk, and the report says so."""
    limits = Limits(max_position=250.0)  # reporting units, of the whole book
    stage = Stage([instrument("a", payoff=payoff)], balances={("a", "USD"): 1000.0}, limits=limits)
    stage.book(0, [(99_99, 50_000)], [(100_00, 50_000)])
    stage.wish(0, 10_000)
    stage.wait(codes.SECOND)
    assert (len(stage.said(codes.SUBMIT)), stage.position(0)) == (1, 10_000)
    told = {"instrument": 0, "ref": 777, "side": codes.BUY}
    stage.feed(
        row(codes.FILL, stage.now + 1, **told, price=100_00, quantity=10_000, value=5, marks=codes.FIRST),
        row(codes.CHARGE, stage.now + 1, **told, strategy=stage.names.asset("USD"), value=100 * 10**8, marks=codes.LAST),
    )
    stage.wish(0, 20_000)
    stage.wait(codes.SECOND)
    assert (len(stage.said(codes.SUBMIT)), stage.position(0)) == (1, 10_000), "two held, one of them nobody's: a third is too many"
    stage.book(0, [(109_99, 50_000)], [(110_00, 50_000)], after=50 * codes.MILLISECOND)
    stage.wait(codes.SECOND)
    session, machine = equities(stage)
    assert session == pytest.approx(machine) == pytest.approx(1000.0 + 2 * (109.995 - 100.0))
    plain: Any = SimpleNamespace(state=stage.state, prelude=SimpleNamespace(names=stage.names))
    sentences = unexplained(cast(Session, plain))
    assert [x.split(" came")[0] for x in sentences] == (["+1 BTC at a", "-100 USD at a"] if payoff == codes.SPOT else [])
