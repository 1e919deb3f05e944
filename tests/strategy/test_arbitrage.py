"""Arbitrage over two and three venues: both legs, legs that fail, hedges by rule, and what it must not do."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

import scripted
from scripted import MS, Stage, instrument
from tradewind.domain import codes, layout, reasons
from tradewind.domain.codes import BUY, EVIDENCE, SELL, SUBMIT
from tradewind.engine.prelude import Latency, Limits

FAST = Latency(feed_ns=MS, order_ns=MS, report_ns=MS)
LIMITS = Limits(max_age_ns=3600 * codes.SECOND)


def desk(n: int = 2, *, rules: tuple[dict[str, Any], ...] = (), **more: Any) -> Stage:
    """`n` venues that all quote 100.00 by 100.10 and 5 coins a side; one strategy that may trade one coin at a time."""
    rules = rules or ({},) * n
    instruments = [instrument("abc"[j], **{"lot": 10, **rules[j]}) for j in range(n)]
    parameters = {"quantity": 10_000.0, "cooldown_ms": 100.0, **more.pop("parameters", {})}
    stage = Stage(instruments, ("arbitrage",), (parameters,), **{"latency": FAST, "limits": LIMITS, **more})
    for j in range(n):
        show(stage, j)
    return stage


def show(stage: Stage, j: int, bid: int = 10000, ask: int = 10010, size: int = 50_000, after: int = MS) -> None:
    """Venue j's touch."""
    stage.book(j, [(bid, size)], [(ask, size)], after=after)


def positions(stage: Stage) -> list[int]:
    return [stage.position(j) for j in range(len(stage.setup.instruments))]


def settle(stage: Stage, ns: int = 50 * MS) -> None:
    """Time for everything under way."""
    stage.wait(ns)


def memory(stage: Stage, name: str) -> int:
    return int(stage.s["arbitrage"][0, 0][name])


def causes(stage: Stage) -> list[int]:
    return [int(e["value"]) for e in stage.said(EVIDENCE) if e["ref"] != 0]


# Both legs --------------------------------------------------------------------------------------------------------------------


def test_two_legs_at_once() -> None:
    """Buys where it is cheap, sells where it is dear, the same amount in the same step."""
    stage = desk()
    show(stage, 1, 10100, 10110)
    orders = stage.said(SUBMIT)
    assert {(int(o["instrument"]), int(o["side"]), int(o["price"])) for o in orders} == {(0, BUY, 10010), (1, SELL, 10100)}
    assert len({int(o["ts_local"]) for o in orders}) == 1
    settle(stage)
    assert positions(stage) == [10_000, -10_000]
    assert memory(stage, "hedges") == memory(stage, "owed") == memory(stage, "setbacks") == 0


def test_fees_and_margin_decide() -> None:
    """The edge counts after both taker fees, at the edge of the margin."""
    fee = {"taker_fee_e7": 20_000}  # 20 bp a leg
    for bid, trades in ((10060, 0), (10061, 2)):
        stage = desk(rules=(fee, fee), parameters={"margin_bp": 10.0})
        edge = (bid * (1 - 0.002) / (10010 * (1 + 0.002)) - 1) * 1e4
        assert (edge > 10.0) == (trades > 0)
        show(stage, 1, bid, bid + 10)
        assert len(stage.said(SUBMIT)) == trades
        noted = stage.s["noted"][0, 1]
        if not trades:
            assert noted["code"] == reasons.EDGE_TOO_SMALL
            assert noted["measured"] == pytest.approx(edge, rel=1e-9)


def test_quotes_in_other_currencies_are_converted() -> None:
    """USDT worth 0.95: what looks dear is not. Without the rate nothing trades at all."""

    def stage_of(usdt: int) -> Stage:
        stage = Stage(
            [instrument("a"), instrument("b", quote="USDT"), instrument("a", base="USDT", price_exponent=4)],
            ("arbitrage",), ({"quantity": 10_000.0},), latency=FAST, limits=LIMITS,
        )  # fmt: skip
        if usdt:
            show(stage, 2, usdt - 1, usdt + 1)
        show(stage, 0)
        show(stage, 1, 10400, 10410)
        show(stage, 0, 10000, 10009)
        return stage

    assert len(stage_of(10_000).said(SUBMIT)) == 2
    assert stage_of(9_500).said(SUBMIT)[0]["side"] in (BUY, SELL)
    legs = {(int(o["instrument"]), int(o["side"])) for o in stage_of(9_500).said(SUBMIT)}
    assert legs == {(1, BUY), (0, SELL)}, "at 0.95 the dear venue is the cheap one"
    assert len(stage_of(9_620).said(SUBMIT)) == 0
    assert stage_of(0).said(SUBMIT) == []


def test_a_venue_without_a_rate_is_no_partner() -> None:
    """Two venues agree on a reference; the third quotes in a currency nobody can price, however cheap it looks."""
    instruments = [instrument("a"), instrument("b"), instrument("c", quote="USDT")]
    stage = Stage(instruments, ("arbitrage",), ({"quantity": 10_000.0},), latency=FAST, limits=LIMITS)
    show(stage, 2, 9_000, 9_010)
    for j in range(2):
        show(stage, j)
    show(stage, 0, 10000, 10009)
    assert stage.s["group"][0]["grade"] == codes.GRADE_B
    assert stage.said(SUBMIT) == []


@pytest.mark.parametrize(
    ("held", "tracks", "expected"), [(0.4, True, 4_000), (0.4, False, 10_000), (0.0, True, 0), (50.0, True, 10_000)]
)
def test_sells_only_what_is_held(held: float, tracks: bool, expected: int) -> None:
    balances = {("a", "USD"): 1e6, ("b", "BTC"): held, ("b", "USD"): 1.0, ("a", "BTC"): 9.0}
    stage = desk(balances=balances, limits=msgspec.structs.replace(LIMITS, tracks_balance=tracks))
    show(stage, 1, 10100, 10110)
    settle(stage)
    assert positions(stage) == [expected, -expected]


def test_buys_only_what_is_paid_for_with_fees() -> None:
    fee = {"taker_fee_e7": 100_000}
    stage = desk(rules=(fee, fee), balances={("a", "USD"): 50.0, ("b", "BTC"): 9.0, ("b", "USD"): 0.0})
    show(stage, 1, 10300, 10310)
    settle(stage)
    bought = stage.position(0)
    assert 0 < bought <= 50.0 / (100.10 * 1.01) * 1e4
    assert bought + 10 > 50.0 / (100.10 * 1.01) * 1e4 * 0.999
    assert stage.s["fact"]["ledger"][layout.CASH].min() >= 0


def test_lots_that_do_not_divide_each_other() -> None:
    """A pair is a multiple of both lots, so that neither leg is refused."""
    stage = desk(rules=({"lot": 60}, {"lot": 90}))
    show(stage, 1, 10100, 10110)
    settle(stage)
    assert positions(stage) == [9_900, -9_900]


def test_a_leg_the_venue_would_refuse_stops_both() -> None:
    """Too small for one venue: nothing is sent at all, with a reason."""
    stage = desk(rules=({}, {"min_notional": 101_00000000}), parameters={"quantity": 10_000.0})
    show(stage, 1, 10090, 10100)
    assert stage.said(SUBMIT) == []
    assert stage.s["noted"][0, 0]["code"] == reasons.QUANTITY_TOO_SMALL


@pytest.mark.parametrize("wrong", ["unbelieved", "stale", "old", "no right"])
def test_no_strike_on_a_leg_that_cannot_be_sent(wrong: str) -> None:
    """The other venue looks dear, but its touch is not to be used: not even the good leg goes out."""
    stage = desk(3, limits=Limits(max_age_ns=codes.SECOND))
    top = stage.s["top"][1]
    top["bid"], top["ask"] = 10100, 10110
    if wrong == "unbelieved":
        top["good"] = 0
    elif wrong == "stale":
        top["condition"] = codes.STALE
    elif wrong == "old":
        top["ts"] -= 2 * codes.SECOND
    else:
        stage.s["fact"]["right"][0, 1] = 0
    show(stage, 0, 10000, 10009)
    assert stage.s["group"][0]["grade"] >= codes.GRADE_B
    assert stage.said(SUBMIT) == []


def test_cooldown_and_legs_in_flight() -> None:
    stage = desk(parameters={"cooldown_ms": 100.0})
    show(stage, 1, 10100, 10110)
    for step in range(20):
        show(stage, 1, 10101 + step % 2, 10111)
    assert len(stage.said(SUBMIT)) == 2
    assert stage.s["noted"][0, 1]["code"] == reasons.LEGS_IN_FLIGHT
    show(stage, 1, 10100, 10110, after=100 * MS)
    assert len(stage.said(SUBMIT)) == 4


def test_weights_scale_both_legs_alike() -> None:
    stage = desk(rules=({"lot": 10}, {"lot": 70}))
    stage.s["share"][0]["weight"] = 300
    show(stage, 1, 10100, 10110)
    settle(stage)
    whole = 10_000 * 300 // 1024 // 70 * 70
    assert positions(stage) == [whole, -whole]


# Legs that fail ------------------------------------------------------------------------------------------------------------------


def broken(stage: Stage, **after_strike: int) -> None:
    """Venue 1 turns dear, then its bid is gone before our sale arrives: the sold leg fails or fills in part."""
    show(stage, 1, 10100, 10110)
    assert len(stage.said(SUBMIT)) == 2
    show(stage, 1, **{"bid": 10000, "ask": 10010, "after": 100_000, **after_strike})


def test_a_vanished_quote_is_hedged() -> None:
    """The bought coin is sold again at once, where that costs least; the net position is what it was."""
    stage = desk(3)
    show(stage, 2, 10005, 10012)
    broken(stage)
    settle(stage)
    assert sum(positions(stage)) == 0
    assert positions(stage) == [10_000, 0, -10_000], "venue 2 bid most"
    assert causes(stage).count(reasons.LEG_HEDGED) == 1
    evidence = next(e for e in stage.said(EVIDENCE) if e["value"] == reasons.LEG_HEDGED)
    assert int(evidence["price"]) == codes.E9, "the open amount in whole coins"
    assert (memory(stage, "hedges"), memory(stage, "setbacks"), memory(stage, "owed")) == (1, 1, 0)


def test_a_partial_leg_is_hedged_for_the_rest() -> None:
    stage = desk()
    broken(stage, bid=10100, ask=10110, size=4_000)
    settle(stage)
    assert sum(positions(stage)) == 0
    hedge = list(stage.said(SUBMIT))[2]
    assert (int(hedge["side"]), int(hedge["quantity"])) == (SELL, 6_000)


def test_no_second_hedge_while_one_is_in_flight() -> None:
    """Touches that move while the hedge is under way start nothing."""
    stage = desk(latency=Latency(feed_ns=MS, order_ns=20 * MS, report_ns=20 * MS))
    show(stage, 1, 10100, 10110)
    show(stage, 1, after=MS)
    for step in range(200):
        show(stage, 0, 10000, 10010 + step % 2, after=MS)
    assert causes(stage).count(reasons.LEG_HEDGED) == 1
    assert sum(positions(stage)) == 0


def test_a_hedge_that_does_not_fill_waits_and_tries_again() -> None:
    """A hedge whose price ran away is sent again after the cooldown, not with every report."""
    slow = Latency(feed_ns=MS, order_ns=3 * MS, report_ns=3 * MS)
    stage = desk(parameters={"hedge_slip_bp": 0.0, "cooldown_ms": 100.0}, latency=slow)
    show(stage, 1, 10100, 10110)
    show(stage, 1, 10000, 10010, after=100_000)
    price = 10000
    for _ in range(120):
        price -= 1
        for j in range(2):
            show(stage, j, price, price + 10, after=MS)
    hedges = causes(stage).count(reasons.LEG_HEDGED)
    assert 2 <= hedges <= 4
    assert memory(stage, "owed") == 10_000 * 10_000
    assert causes(stage).count(reasons.EDGE_OVER_COST) == 2, "no new pair before the old is settled"
    settle(stage, 200 * MS)
    for j in range(2):
        show(stage, j, price, price + 11)
    settle(stage)
    assert sum(positions(stage)) == 0
    assert memory(stage, "owed") == 0


def test_a_hedge_the_review_refuses_is_not_forgotten() -> None:
    """Nothing may be sent while the ladder says so; as soon as it may, the leg is closed."""
    stage = desk()
    show(stage, 1, 10100, 10110)
    stage.s["fact"]["limit"][0, layout.ORDERS_PER_S] = 0
    stage.s["budget"]["tokens_e9"] = 0
    show(stage, 1, after=100_000)
    settle(stage)
    assert sum(positions(stage)) == 10_000
    stage.s["fact"]["limit"][0, layout.ORDERS_PER_S] = 1000
    settle(stage, 200 * MS)
    show(stage, 0, 10000, 10009)
    settle(stage)
    assert sum(positions(stage)) == 0


def test_dust_under_every_minimum_stays_and_blocks_nothing() -> None:
    """Three dollars nobody takes are no leg risk: noted nowhere as owed, and the next pair goes out."""
    small = {"min_notional": 5_00000000}
    stage = desk(rules=(small, small))
    broken(stage, bid=10100, ask=10110, size=9_700)
    settle(stage)
    assert sum(positions(stage)) == 300
    assert (memory(stage, "owed"), memory(stage, "setbacks")) == (0, 0)
    assert causes(stage).count(reasons.LEG_HEDGED) == 0
    show(stage, 1, 10100, 10111, after=200 * MS)
    settle(stage)
    assert len(stage.said(SUBMIT)) == 4


def test_setbacks_double_the_pause_and_a_clean_pair_ends_it() -> None:
    """One failed pair: 200 ms instead of 100; two: 400; then a pair that fills restores the 100."""
    stage = desk(parameters={"cooldown_ms": 100.0})
    for setbacks in (1, 2):
        orders = len(stage.said(SUBMIT))
        show(stage, 1, 10100, 10110)
        show(stage, 1, after=100_000)
        settle(stage, 20 * MS)
        assert memory(stage, "setbacks") == setbacks
        assert len(stage.said(SUBMIT)) == orders + 3, "two legs and a hedge"
        show(stage, 1, 10100, 10110, after=((100 << setbacks) - 40) * MS)
        settle(stage, 10 * MS)
        show(stage, 1, after=MS)
        assert len(stage.said(SUBMIT)) == orders + 3, "still pausing"
        settle(stage, 50 * MS)
    show(stage, 1, 10100, 10110)
    settle(stage)
    assert sum(positions(stage)) == memory(stage, "setbacks") == 0


def test_reduce_only_hedges_by_reducing() -> None:
    """Where only reducing is allowed, the coin is sold where it was bought, however good the other venue's price."""
    stage = desk(3)
    show(stage, 1, 10100, 10110)
    from scripted import row

    stage.feed(row(codes.OPERATOR, stage.now, value=codes.REDUCE_ONLY))
    show(stage, 1, after=100_000)
    show(stage, 2, 10009, 10012)
    settle(stage)
    show(stage, 0, 10000, 10011, after=200 * MS)
    settle(stage)
    assert positions(stage) == [0, 0, 0]


@pytest.mark.parametrize("seed", range(12))
def test_net_position_always_comes_back(seed: int) -> None:
    """Random touches of three venues with little size, slow orders: legs fail all the time, nothing stays open."""
    random = np.random.default_rng(seed)
    rules = ({"taker_fee_e7": 1_000}, {"taker_fee_e7": 500, "lot": 20}, {"lot": 50})
    slow = Latency(feed_ns=MS, order_ns=4 * MS, report_ns=4 * MS, jitter_ns=4 * MS)
    stage = desk(3, rules=rules, latency=slow, parameters={"cooldown_ms": 10.0, "hedge_slip_bp": 60.0})
    mid = 10_000.0
    for _ in range(250):
        mid += random.normal(0, 4)
        bid = int(mid + random.normal(0, 25))
        width, size, after = (int(x) for x in random.integers((1, 1, 1), (8, 12, 4)))
        show(stage, int(random.integers(0, 3)), bid, bid + width, size * 1000, after * MS)
    for _ in range(30):
        for j in range(3):
            show(stage, j, 10_000, 10_003 + int(random.integers(0, 2)), 500_000, 20 * MS)
    assert stage.reason == codes.END
    net = sum(positions(stage))
    assert abs(net) < 50, "no more than what the coarsest lot cannot express"
    assert memory(stage, "hedges") > 0
    assert len(stage.said(SUBMIT)) > 10
    assert stage.s["fact"]["ledger"][layout.CASH].min() >= 0


# Venues that take less --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "trades"),
    [
        (layout.ACCESS, codes.CAUTIOUS, True), (layout.ACCESS, codes.REDUCE_ONLY, False), (layout.ACCESS, codes.CANCEL_ONLY, False),
        (layout.TRADING_STATUS, codes.STATUS_LIMIT_ONLY, True), (layout.TRADING_STATUS, codes.STATUS_POST_ONLY, False),
        (layout.TRADING_STATUS, codes.STATUS_REDUCE_ONLY, False), (layout.TRADING_STATUS, codes.STATUS_HALT, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", [0, 1])
def test_no_pair_begins_where_one_leg_alone_would_pass(where: int, column: int, value: int, trades: bool) -> None:
    """Whichever leg it is: not one order, and the other venues' pairs go on."""
    stage = desk(3)
    stage.feed(scripted.row(codes.RULE, stage.now + MS, instrument=where, ref=column, value=value))
    show(stage, 0), show(stage, 2)
    show(stage, 1, 10100, 10110)
    sent = {int(o["instrument"]) for o in stage.said(SUBMIT)}
    assert (where in sent) == trades
    assert not sent if where == 1 and not trades else len(sent) == 2, "venue 1 is the dear one; 0 and 2 are alike"
    reason = reasons.ACCESS_LOST if column == layout.ACCESS else reasons.NOT_TRADING
    if where == 1 and not trades:
        show(stage, 1, 10105, 10115)
        assert stage.s["noted"][0, 1]["code"] == reason


@pytest.mark.parametrize(("granted", "hedged"), [(codes.CAUTIOUS, True), (codes.REDUCE_ONLY, False), (codes.CANCEL_ONLY, False)])
def test_a_hedge_goes_only_where_it_may(granted: int, hedged: bool) -> None:
    """The position is at venue 0; venue 1, where selling costs less, may only be reduced, or not at all, and holds nothing."""
    stage = desk()
    stage.feed(scripted.row(codes.RULE, stage.now + MS, instrument=1, ref=layout.ACCESS, value=granted))
    stage.s["fact"]["position"][0, 0]["quantity"] = 10_000
    stage.s["arbitrage"][0, 0]["owed"] = 10_000 * 10_000
    stage.now += codes.SECOND
    show(stage, 1, 10005, 10015)
    show(stage, 0)
    (sent,) = stage.said(SUBMIT)
    assert (int(sent["side"]), int(sent["instrument"])) == (SELL, 1 if hedged else 0)
