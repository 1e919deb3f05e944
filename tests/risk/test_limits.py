"""No reachable state breaks a limit: random orders and random fates, judged by a plain reckoning beside the machine."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tradewind.domain import codes, layout, orders
from tradewind.domain.codes import BUY, SELL
from tradewind.domain.instruments import MONEY
from tradewind.engine.prelude import Limits

from .rooms import Desk

LIMITS = Limits(
    max_notional=4.0, max_position=9.0, max_gross=20.0, max_net=12.0, max_open=9, orders_per_s=1_000_000, tracks_balance=True
)
MID = 100.05
STRATEGIES, INSTRUMENTS = 2, 2


class Out(msgspec.Struct):
    """One order as a child would note it."""

    k: int
    i: int
    side: int
    price: int
    left: int
    filled: int = 0
    cancelling: bool = False


class Reckoning:
    """Positions and live orders in plain integers; knows nothing of the machine's tables."""

    def __init__(self) -> None:
        self.position = {(k, i): 0 for k in range(STRATEGIES) for i in range(INSTRUMENTS)}
        self.live: dict[int, Out] = {}

    def reach(self, k: int, i: int) -> tuple[int, int]:
        """The lowest and the highest position that any fate of the live orders can lead to."""
        mine = [o for o in self.live.values() if (o.k, o.i) == (k, i)]
        held = self.position[k, i]
        return held - sum(o.left for o in mine if o.side == SELL), held + sum(o.left for o in mine if o.side == BUY)

    def breaches(self, limits: Limits, scope: int) -> list[str]:
        """Every limit of the book (scope -1) or of a strategy that some fate of the live orders breaks."""
        found = []
        who = range(STRATEGIES) if scope < 0 else (scope,)
        gross = high = low = 0.0
        for i in range(INSTRUMENTS):
            reaches = [self.reach(k, i) for k in who]
            least, most = sum(r[0] for r in reaches), sum(r[1] for r in reaches)
            worst = max(most, -least) * MID * 1e-4
            if worst > limits.max_position + 1e-9:
                found.append(f"position {worst}")
            gross += sum(max(abs(r[0]), abs(r[1])) for r in reaches) * MID * 1e-4
            high, low = high + most * MID * 1e-4, low + least * MID * 1e-4
        if gross > limits.max_gross + 1e-9:
            found.append(f"gross {gross}")
        if max(high, -low) > limits.max_net + 1e-9:
            found.append(f"net {high} {low}")
        if len(self.live) > limits.max_open:
            found.append(f"open {len(self.live)}")
        return found

    def crossings(self) -> list[str]:
        """Pairs of our own live orders that would trade with each other."""
        bids = [o for o in self.live.values() if o.side == BUY]
        asks = [o for o in self.live.values() if o.side == SELL]
        return [f"{b} {a}" for b in bids for a in asks if b.i == a.i and b.price >= a.price]


def propose(desk: Desk, plain: Reckoning, random: np.random.Generator) -> bool:
    """One random wish; True where the review let it pass. A pass that no caution stands behind is then live."""
    k, i, side = (int(x) for x in random.integers(0, 2, 3))
    price = int(random.integers(1985, 2017)) * 5
    quantity = int(random.integers(1, 45)) * 10
    rung = int(desk.s["fact"]["ladder"]["rung"])
    if desk.review(side, price, quantity, i, k) != 0:
        return False
    plain.live[desk.submit(side, price, quantity, i, k, layer=int(random.integers(0, 4)))] = Out(k, i, side, price, quantity)
    assert rung < codes.CANCEL_ONLY
    if rung == codes.REDUCE_ONLY:
        least, most = plain.reach(k, i)
        assert (most <= 0) if side == BUY else (least >= 0), "only what reduces may pass"
    return True


def befall(desk: Desk, plain: Reckoning, random: np.random.Generator) -> None:
    """One random piece of news about one live order: any that its state allows."""
    order_id = int(random.choice(list(plain.live)))
    o = plain.live[order_id]
    event = int(random.integers(0, 7))
    if event == 0:
        desk.report(order_id, codes.ACKED)
    elif event in (1, 2):
        quantity = o.left if random.random() < 0.5 else max(o.left // 20 * 10, 10)
        desk.fill(order_id, o.price, quantity, o.i)
        o.left -= quantity
        o.filled += quantity
        plain.position[o.k, o.i] += quantity if o.side == BUY else -quantity
        if o.left == 0:
            del plain.live[order_id]
    elif event == 3:
        desk.cancel(order_id)
        o.cancelling = True
    elif event == 4:
        desk.report(order_id, codes.OUTCOME_UNKNOWN)
    elif event == 5 and o.cancelling:
        desk.report(order_id, codes.CANCELED_BY_VENUE if random.random() < 0.5 else codes.CANCEL_REFUSED)
        if int(desk.s["fact"]["order"][order_id % desk.s["fact"]["order"].size]["status"]) >= orders.FIRST_FINAL:
            del plain.live[order_id]
    elif event == 6 and random.random() < 0.3:
        desk.report(order_id, codes.EXPIRED_BY_VENUE)
        del plain.live[order_id]


@pytest.mark.parametrize("seed", range(25))
def test_no_reachable_state_breaks_a_limit(seed: int) -> None:
    """Whatever is asked and whatever befalls, every fate of the live orders stays inside every limit."""
    random = np.random.default_rng(seed)
    desk = Desk(limits=LIMITS, balances={("a", "BTC"): 0.08, ("a", "USD"): 7.5, ("b", "BTC"): 0.02, ("b", "USD"): 40.0})
    plain = Reckoning()
    passed = 0
    for _ in range(220):
        if random.random() < 0.02:
            desk.rung(int(random.choice([0, 0, 0, 1, 2, 3])))
        if plain.live and random.random() < 0.55:
            befall(desk, plain, random)
        else:
            passed += propose(desk, plain, random)
        assert not [plain.breaches(LIMITS, scope) for scope in (-1, 0, 1) if plain.breaches(LIMITS, scope)]
        assert not plain.crossings()
        assert (desk.s["fact"]["ledger"][layout.CASH] >= 0).all(), "no account is overdrawn"
        for (k, i), held in plain.position.items():
            p = desk.s["fact"]["position"][k, i]
            assert (int(p["quantity"]) - int(p["open_sell"]), int(p["quantity"]) + int(p["open_buy"])) == plain.reach(k, i)
            assert int(p["quantity"]) == held
    assert passed >= 4, "the stream must reach the limits, not stand outside them"


def test_the_property_can_fail() -> None:
    """The reckoning sees a breach: a review that lets everything pass is caught."""
    plain = Reckoning()
    plain.live[1] = Out(0, 0, BUY, 10000, 2000)
    assert plain.breaches(LIMITS, -1) and plain.breaches(LIMITS, 0) and not plain.breaches(LIMITS, 1)
    plain.live[2] = Out(1, 0, SELL, 9995, 100)
    assert plain.crossings()


def test_gross_counts_the_worst_case() -> None:
    """What open orders could make of a position counts, the worse side of a pair of quotes once."""
    desk = Desk()
    desk.hold(300)
    desk.submit(BUY, 10000, 100)
    desk.submit(SELL, 10010, 500)
    desk.submit(SELL, 10010, 50, i=1)
    limits = __import__("sys").modules["tradewind_twin.risk.limits"]
    gross, high, low = limits.totals(desk.s, 0, 0, 0, 0, 0.0)
    assert gross == pytest.approx((400 + 50) * MID * 1e-4)
    assert (high, low) == (pytest.approx(400 * MID * 1e-4), pytest.approx((300 - 500 - 50) * MID * 1e-4))
    desk.submit(SELL, 10010, 700, i=1)
    assert limits.totals(desk.s, 0, 0, 0, 0, 0.0)[2] == pytest.approx((300 - 500 - 750) * MID * 1e-4)


def test_money_of_the_limits_is_in_reporting_units() -> None:
    desk = Desk(limits=LIMITS)
    assert int(desk.s["fact"]["limit"][0, layout.MAX_GROSS]) == round(LIMITS.max_gross * MONEY)
