"""X1 to X6 and what they mean for orders: nothing is sent on a price that is not believed, and everything again when it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tradewind.domain import codes, reasons
from tradewind.engine.prelude import Limits

from .stage import instruments
from .traded import Traded

THREE = instruments("a:BTC/USD", "b:BTC/USD", "c:BTC/USD")
PRICE = 1_000.0
SENT = Limits(orders_per_s=100_000)


def well(n: int = 3, seconds: float = 5.0, **more: object) -> Traded:
    """n venues of one price, all of them traded."""
    stage = Traded(THREE[:n], **more)
    assert stage.quotes(seconds, [PRICE] * n) == []
    assert all(stage.orders(i) for i in range(n)), "nothing is traded at all"
    return stage


def first_told(second: Callable[[int], list[tuple[int, int]]]) -> tuple[int, list[tuple[int, int]]]:
    """The first of at most twenty seconds, played one after another, in which a verdict is told, and what is told."""
    for number in range(1, 21):
        if told := second(number):
            return number, told
    raise AssertionError("nothing is told within twenty seconds")


def test_x1_a_liar_is_found_in_time_leaves_the_reference_and_gets_no_order() -> None:
    """0.05 % a second away: found within ten seconds of half a percent; the honest are traded throughout."""
    stage = well()
    second, told = first_told(lambda second: stage.quotes(1, [PRICE * (1 + 0.0005 * second), PRICE, PRICE]))
    assert told == [(0, reasons.OFF_CONSENSUS)]
    found = stage.now
    for more in range(10):
        stage.quotes(1, [PRICE * (1 + 0.0005 * (second + more)), PRICE, PRICE])
        assert float(stage.s["group"]["reference"][0]) == pytest.approx(PRICE, rel=1e-4)
    assert not stage.orders(0, found)
    assert stage.orders(1, found) and stage.orders(2, found)
    stage.quotes(40, [PRICE] * 3)
    assert stage.orders(0, found), "it is forgiven, and traded again"


@pytest.mark.parametrize(("factor", "code"), [(0.1, reasons.WRONG_SCALE), (0.124, reasons.IMPOSSIBLE_JUMP)])
@pytest.mark.parametrize("n", [1, 3])
def test_x2_a_bad_tick_makes_no_order(factor: float, code: int, n: int) -> None:
    """90 % low as Pyth in 2021, 65,800 to 8,200 as Binance.US in October 2021; half a second of one venue, alone or of three."""
    stage = well(n)
    began = stage.now
    said = stage.feed(stage.touch(0, PRICE * factor))
    assert [int(r["value"]) for r in said if r["kind"] == codes.VERDICT] == [code]
    for _ in range(5):
        stage.feed(stage.touch(0, PRICE * factor * (1 + 1e-6)))
        for i in range(1, n):
            stage.feed(stage.touch(i, PRICE))
        stage.wait(0.1)
        assert float(stage.s["group"]["reference"][0]) == pytest.approx(PRICE, rel=1e-5)
    assert not stage.orders(0, began)
    stage.quotes(3, [PRICE] * n)
    prices = stage.orders(0, began)
    assert prices and min(prices) > 0.99 * PRICE * 1e4


def test_x3_a_gradual_crash_is_believed_and_the_drawdown_acts() -> None:
    """20 % within a minute on every venue: not one verdict, orders go on, until the loss of the coins held latches the ladder."""
    stage = well(3, limits=Limits(orders_per_s=100_000, drawdown=0.10))
    verdicts, latched = [], 0
    for second in range(1, 61):
        for quarter in range(4):
            price = PRICE * (1 - 0.2 * (second - 1 + quarter / 4) / 60)
            verdicts += stage.quotes(0.25, [price, price * 1.0001, price * 0.9999])
        assert float(stage.s["group"]["reference"][0]) == pytest.approx(price, rel=1e-3)
        latched = latched or (second if stage.rung() >= codes.REDUCE_ONLY else 0)
        assert latched or stage.orders(0, stage.now - 2 * codes.SECOND)
    assert verdicts == [] and all(stage.s["top"]["good"][:3])
    assert 30 <= latched <= 34, "half of the way down is the limit of 10 %"
    stage.quotes(5, [PRICE] * 3)
    assert stage.rung() >= codes.REDUCE_ONLY, "and nobody climbs back without a person"


def test_x4_two_that_disagree_open_nothing_on_either_side() -> None:
    stage = well(2)
    stage.feed(stage.touch(1, PRICE * 1.2))
    began = stage.now
    stage.quotes(10, [PRICE, PRICE * 1.2])
    assert not stage.orders(0, began, opening=True) and not stage.orders(1, began, opening=True)
    assert int(stage.s["group"]["grade"][0]) == codes.GRADE_NONE
    stage.quotes(40, [PRICE, PRICE])
    assert int(stage.s["group"]["grade"][0]) == codes.GRADE_B
    assert stage.orders(0, began, opening=True) and stage.orders(1, began, opening=True)


def test_x6_fresh_stamps_on_one_old_value_get_no_order() -> None:
    """The others walk 0.015 % a second; told within 20 s, though a message comes every second."""
    stage = well()

    def walk(second: int) -> list[tuple[int, int]]:
        told = stage.quotes(1, [PRICE * (1 + 0.00015 * second)] * 2)
        stage.feed(stage.touch(2, PRICE))
        return told

    second, told = first_told(walk)
    assert told == [(2, reasons.FROZEN_FEED)]
    found = stage.now
    for more in range(30):
        walk(second + more)
    assert not stage.orders(2, found) and stage.orders(0, found)
    assert stage.working(0) and not stage.working(2), "and what stood there was taken back"
    stage.quotes(40, [PRICE * (1 + 0.00015 * (second + 29))] * 3)
    assert stage.orders(2, found)


def test_f8_a_book_of_one_side_gets_no_order() -> None:
    stage = Traded(THREE[:1])
    for second in range(6):
        stage.at(second)
        stage.feed(stage.snapshot(0, PRICE, levels=1))
        stage.wait(0.4)
    assert stage.orders(0)
    stage.feed(stage.diff(0, [(codes.BUY, round(PRICE * 1e4) - 1, 0)]))
    began = stage.now
    for _ in range(10):
        stage.feed(stage.diff(0, [(codes.SELL, round(PRICE * 1e4) + 2, 7)]))
        stage.wait(0.2)
    assert not stage.orders(0, began) and not stage.working(0), "there is no mid, no reference"
    stage.feed(stage.snapshot(0, PRICE))
    stage.wait(0.4)
    stage.quotes(5, [PRICE])
    assert stage.orders(0, began)
