"""The auditor by hand on small journals, by law on large ones, and beside the compiled ledger over a million rows."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from time import perf_counter

import numpy as np
import pytest

from tradewind.chaos.auditor import Audit, audit, broken_identities, compare, equity_change, half_even, profit, unrealised
from tradewind.domain import codes, layout
from tradewind.domain.orders import CANCELED, FILLED, PARTIAL, UNKNOWN
from tradewind.kernel import twin

from . import nasty
from .nasty import BNB, BTC, MARKETS, USDT, Row, as_rows, fill, report, row, submit

SLOTS = nasty.CAPACITY.orders
SPOT_BTC, LINEAR_BTC = 0, 4  # numbers of nasty.MARKETS
UNIT = 10**8


def heard(*messages: list[Row]) -> Audit:
    return audit(as_rows([*nasty.settings(), *(made for message in messages for made in message)]))


def bought(order_id: int, price: int, quantity: int, side: int = codes.BUY, i: int = SPOT_BTC) -> list[Row]:
    """An order filled whole at once without fee; trade id = order id."""
    cost = MARKETS[i].cost(price, quantity)
    return [submit(order_id, i, side, price, quantity), *fill(order_id, i, price, quantity, order_id, (cost, 0, USDT))]


def test_a_purchase_by_hand() -> None:
    """0.5 BTC at 60,000.00 with 30 USDT fee, from 100,000 USDT."""
    found = heard(
        [row(codes.BALANCE, instrument=USDT, account=0, quantity=100_000 * UNIT)],
        [submit(1, SPOT_BTC, codes.BUY, 60_000_00, 50_000)],
        fill(1, SPOT_BTC, 60_000_00, 50_000, 9, (30_000 * UNIT, 30 * UNIT, USDT)),
    )
    assert (found.balance(0, USDT), found.balance(0, BTC)) == (69_970 * UNIT, UNIT // 2)
    holding = found.holdings[0, SPOT_BTC]
    assert (holding.quantity, holding.basis, holding.realised, holding.charges) == (50_000, 30_000 * UNIT, 0, 30 * UNIT)
    assert found.orders[1].status == FILLED
    assert unrealised(found, {SPOT_BTC: 61_000_00}) == {(0, SPOT_BTC): 500 * UNIT}


def test_through_zero_by_hand() -> None:
    """Long 1 at 100.00, then 3 sold at 110.00: 10 realised, short 2 at 110."""
    found = heard(bought(1, 100_00, 100_000), bought(2, 110_00, 300_000, codes.SELL))
    holding = found.holdings[0, SPOT_BTC]
    assert (holding.quantity, holding.basis, holding.realised) == (-200_000, -220 * UNIT, 10 * UNIT)
    assert found.balance(0, USDT) == 230 * UNIT


def test_average_cost_by_hand() -> None:
    """1 at 100 and 1 at 110, then 1 sold at 120: 15 realised, 1 left at 105."""
    found = heard(bought(1, 100_00, 100_000), bought(2, 110_00, 100_000), bought(3, 120_00, 100_000, codes.SELL))
    holding = found.holdings[0, SPOT_BTC]
    assert (holding.quantity, holding.basis, holding.realised, holding.traded) == (100_000, 105 * UNIT, 15 * UNIT, 330 * UNIT)


def test_a_contract_moves_only_what_it_gained() -> None:
    found = heard(bought(1, 100_00, 1_000, i=LINEAR_BTC), bought(2, 90_00, 1_000, codes.SELL, LINEAR_BTC))
    assert (found.balance(0, USDT), found.balance(0, BTC)) == (-10 * UNIT, 0)
    assert not found.reserved()


def test_a_fee_in_a_third_asset() -> None:
    found = heard([submit(1, SPOT_BTC, codes.BUY, 100_00, 100_000)], fill(1, SPOT_BTC, 100_00, 100_000, 1, (100 * UNIT, 7, BNB)))
    assert (found.balance(0, BNB), found.holdings[0, SPOT_BTC].charges) == (-7, 0)
    assert found.ledger()[layout.FEES, 0, BNB] == 7


def test_a_venues_own_rounding_is_an_account() -> None:
    found = heard(
        [submit(1, SPOT_BTC, codes.BUY, 100_00, 100_000)], fill(1, SPOT_BTC, 100_00, 100_000, 1, (100 * UNIT + 3, 0, USDT))
    )
    assert found.balance(0, USDT) == -100 * UNIT - 3
    assert (found.ledger()[layout.ROUNDING, 0, USDT], found.ledger()[layout.TRADING, 0, USDT]) == (3, 100 * UNIT)


def test_reserves_follow_what_is_left() -> None:
    part = fill(1, SPOT_BTC, 90_00, 40_000, 1, (36 * UNIT, 0, USDT))
    found = heard([submit(1, SPOT_BTC, codes.BUY, 100_00, 100_000)], part, [submit(2, SPOT_BTC, codes.SELL, 100_00, 7)])
    assert found.reserved() == {(0, USDT): 60 * UNIT, (0, BTC): 7_000}
    assert found.orders[1].status == PARTIAL


def test_unknown_counts_in_full_and_an_end_releases() -> None:
    order = [submit(1, SPOT_BTC, codes.BUY, 100_00, 100_000), report(1, codes.OUTCOME_UNKNOWN)]
    assert heard(order).reserved() == {(0, USDT): 100 * UNIT}
    assert heard(order).orders[1].status == UNKNOWN
    assert heard(order, [report(1, codes.CANCELED_BY_VENUE)]).reserved() == {}


def test_a_late_fill_moves_money_and_not_the_status() -> None:
    order = [submit(1, SPOT_BTC, codes.BUY, 100_00, 100_000), report(1, codes.CANCELED_BY_VENUE)]
    found = heard(order, fill(1, SPOT_BTC, 100_00, 100_000, 5, (100 * UNIT, 0, USDT)))
    assert (found.orders[1].status, found.n_late, found.balance(0, BTC)) == (CANCELED, 1, UNIT)


@pytest.mark.parametrize(("n", "d", "wanted"), [(5, 10, 0), (15, 10, 2), (-5, 10, 0), (-15, 10, -2), (16, 10, 2), (-16, 10, -2)])
def test_half_to_even(n: int, d: int, wanted: int) -> None:
    assert half_even(n, d) == wanted == round(Fraction(n, d))


def test_realised_and_unrealised_less_fees_is_the_change_of_equity() -> None:
    """Over a nasty journal, with exact ratios as rates: no tolerance at all."""
    found = audit(nasty.Nasty(3).rows(8_000), SLOTS)
    whole = {0: 1, 1: Fraction(1001, 1000), 2: 61_000, 3: 2_600, 4: Fraction(1, 10), 5: 500, 6: Fraction(999, 1000)}
    rates = {asset: Fraction(rate) for asset, rate in whole.items()}
    mids = {i: rates[m.base] / rates[m.quote] * 10**m.price_exponent for i, m in enumerate(MARKETS)}
    change = equity_change(found, rates, mids)
    assert change == profit(found, rates, mids)
    assert change not in (0, equity_change(found, rates | {BTC: Fraction(62_000)}, mids))


def test_a_broken_identity_is_named() -> None:
    found = audit(nasty.Nasty(4).rows(2_000), SLOTS)
    assert not broken_identities(found)
    found.holdings[0, 0].quantity += 1
    found.holdings[1, 1].realised += 1
    assert {d.table for d in broken_identities(found)} == {"position = sum of fills", "realised - basis = - costs"}


def test_a_change_of_any_number_of_the_machine_is_found() -> None:
    """Every table the audit covers, one cell at a time."""
    rows = nasty.Nasty(5).rows(3_000)
    found, state = audit(rows, SLOTS), folded(rows)
    assert not compare(found, state)
    fact = state[0]["fact"]
    order = int(fact["order"]["id"].argmax())
    for table in ("ledger", "reserved", "working", "rule", "limit", "right"):
        assert_found(found, state, fact[table].reshape(-1), 0)
    for name in ("quantity", "basis", "realised", "charges", "open_buy", "open_sell", "n_open", "traded"):
        assert_found(found, state, fact["position"][name].reshape(-1), 1)
    for name in ("status", "instrument", "strategy", "side", "layer", "price", "quantity", "filled", "cost", "open_left", "bound"):
        assert_found(found, state, fact["order"][name], order)


def assert_found(found: Audit, state: np.ndarray, cells: np.ndarray, at: int) -> None:
    cells[at] += 1
    assert compare(found, state), (cells, at)
    cells[at] -= 1
    assert not compare(found, state)


def folded(rows: np.ndarray) -> np.ndarray:
    """The state after the rows, by the uncompiled rooms."""
    facts = twin.load("portfolio.facts", nasty.FIELDS)
    state = nasty.fresh()
    for one in rows:
        facts.apply(state[0], one)
    assert state[0]["clock"]["fault"] == 0
    return state


@pytest.mark.parametrize("seed", range(5))
def test_short_journals_agree_uncompiled(seed: int) -> None:
    rows = nasty.Nasty(seed + 10).rows(4_000)
    assert [*map(str, compare(audit(rows, SLOTS), folded(rows)))] == []


def test_a_journal_in_batches_is_the_same_journal() -> None:
    rows = nasty.Nasty(6).rows(3_000)
    assert audit(np.array_split(rows, 17)).ledger() == audit(rows).ledger()


@pytest.mark.scenario
def test_a_million_rows_agree(record_property: Callable[[str, object], None]) -> None:
    """The compiled fold and the auditor over 1 M rows of venues that keep no promise: every number equal."""
    from .fold import fold

    rows = nasty.Nasty(2026).rows(1_000_000)
    state = nasty.fresh()
    fold(state, rows[:0])  # compile before the clock runs
    began = perf_counter()
    assert fold(state, rows) == 0
    folded_s = perf_counter() - began
    found = audit(rows, SLOTS)
    record_property("rows_per_s_fold", round(rows.size / folded_s))
    record_property("rows_per_s_audit", round(rows.size / (perf_counter() - began - folded_s)))
    assert [*map(str, compare(found, state))] == []
    assert broken_identities(found) == []
    assert min(found.n_fills, found.n_twice, found.n_late, found.n_stray, found.strangers, found.contradictions) > 500
    assert sum(h.realised != 0 for h in found.holdings.values()) == len(MARKETS) * (nasty.CAPACITY.strategies + 1)
