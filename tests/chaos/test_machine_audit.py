"""The auditor over journals the whole machine wrote: strategies, review, orders and the simulated venue."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from scripted import MS, Stage, instrument
from tradewind.chaos.auditor import audit, broken_identities, compare
from tradewind.domain import codes
from tradewind.domain.rows import ROW, Rows
from tradewind.engine.prelude import Latency, Prelude

MAKER_AND_WISHES = ({"quantity": 10_000.0, "layers": 2.0, "max_inventory": 3.0, "every_ms": 200.0}, {})


def traded(seed: int) -> tuple[Stage, Rows]:
    """Two spot markets and a contract that wander for half a minute, a market maker and wishes that pass through zero."""
    random = Random(seed)
    markets = [
        instrument("a", "BTC", taker_fee_e7=5_000, maker_fee_e7=-1_000),
        instrument("b", "BTC", price_exponent=1, quantity_exponent=8, lot=10_000, taker_fee_e7=7_001, maker_fee_e7=1_003),
        instrument("b", "BTC", payoff=codes.LINEAR, quantity_exponent=3, taker_fee_e7=5_001),
    ]
    latency = Latency(order_ns=5 * MS, report_ns=7 * MS, feed_ns=MS, partial_fills=True)
    strategies = ("market_maker", "python")
    stage = Stage(markets, strategies, MAKER_AND_WISHES, latency=latency)
    prices = [100_00, 100_0, 100_00]
    for step in range(120):
        for i, market in enumerate(markets):
            prices[i] += random.randint(-2, 2)
            lots = [random.randint(1, 400) * market.lot for _ in range(4)]
            bids = [(prices[i] - 1, lots[0]), (prices[i] - 2, lots[1])]
            stage.book(i, bids, [(prices[i] + 1, lots[2]), (prices[i] + 2, lots[3])], after=80 * MS)
            if random.random() < 0.5:
                aggressor = random.randrange(2)
                stage.trade(i, aggressor, prices[i] + (1 if aggressor == codes.BUY else -1), random.randint(1, 500) * market.lot)
            if step % 5 == i:
                stage.wish(i, random.randint(-300, 300) * market.lot, k=1)
    prelude = Prelude(stage.machine, stage.setup, 0).rows()  # played as tape, so its rows are not among the journal's
    return stage, np.concatenate([prelude, np.array(stage.journal, ROW)])


@pytest.mark.parametrize("seed", [1, 2])
def test_a_machines_own_journal_agrees(seed: int) -> None:
    stage, journal = traded(seed)
    found = audit(journal)
    assert [*map(str, compare(found, stage.state))] == []
    assert broken_identities(found) == []
    assert stage.s["clock"]["fault"] == 0
    dealt = {at for at, holding in found.holdings.items() if holding.traded}
    assert {strategy for strategy, _ in dealt} == {0, 1}
    assert {i for _, i in dealt} == {0, 1, 2}
    assert found.n_fills > 80


def test_a_fill_the_machine_did_not_hear_of_is_found() -> None:
    """The auditor objects when the journal holds one row more than the machine was told."""
    stage, journal = traded(1)
    first = int(np.flatnonzero(journal["kind"] == codes.FILL)[0])
    forged = journal[first : first + 2].copy()
    forged["value"][0] = 1 << 40
    differences = compare(audit([journal, forged]), stage.state)
    assert {d.table for d in differences} >= {"ledger", "position.quantity", "ids"}
