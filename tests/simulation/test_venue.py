"""The simulated venue beside a naive exchange over random tapes and random orders: the same reports at the same times."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from scripted import MS, SMALL, START, Stage, instrument, row
from tradewind.domain import codes
from tradewind.domain.codes import BUY, CANCEL, CHARGE, DEPTH, FILL, FIRST, LAST, MAKER_FILL, SELL, SNAPSHOT, SUBMIT, TRADE
from tradewind.domain.instruments import Instrument
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import ROW
from tradewind.engine.prelude import Latency
from tradewind.kernel.certificate import cost_ratio

from .exchange import Exchange, Physics, Told

INSTRUMENTS = [
    instrument("a", maker_fee_e7=-2_500, taker_fee_e7=7_777, price_exponent=4, quantity_exponent=5),
    instrument("b", maker_fee_e7=1_000, taker_fee_e7=10_000),
]


def market(random: np.random.Generator, n: int) -> list[Any]:
    """A random walk of two books, six levels a side, with trades around the touch; several rows may share a moment."""
    rows: list[Any] = []
    shown: list[dict[tuple[int, int], int]] = [{}, {}]
    mid = [10_000, 10_000]
    ts, seq = START + MS, [0, 0]
    while len(rows) < n:
        ts += int(random.choice([0, 0, 100_000, MS, 4 * MS]))
        i = int(random.integers(0, 2))
        if shown[i] and random.random() < 0.4:
            price = mid[i] + int(random.integers(-3, 4))
            batch = [row(TRADE, ts, side=int(random.integers(0, 2)), price=price, quantity=int(random.integers(1, 60)), ref=1)]
        else:
            batch = message(random, ts, shown[i], mid, i)
        for r in batch:
            seq[i] += 1
            r["source"], r["instrument"], r["stream_seq"] = i + 1, i, seq[i]
        rows += batch
    return rows


def message(random: np.random.Generator, ts: int, shown: dict[tuple[int, int], int], mid: list[int], i: int) -> list[Any]:
    """The rows that turn the shown book into a new one around a moved middle; the first is a snapshot."""
    mid[i] += int(random.choice([-2, -1, 0, 0, 0, 1, 2]))
    gap = int(random.integers(1, 3))
    wanted: dict[tuple[int, int], int] = {}
    for side, sign in ((BUY, -1), (SELL, 1)):
        for step in range(6):
            key = (side, mid[i] + sign * (gap + step))
            keep = key in shown and random.random() < 0.6
            wanted[key] = shown[key] if keep else int(random.integers(1, 50))
    changes = {k: 0 for k in shown if k not in wanted} | {k: q for k, q in wanted.items() if shown.get(k) != q}
    changes = changes or dict([next(iter(wanted.items()))])
    snapshot = 0 if shown else SNAPSHOT
    shown.clear()
    shown.update(wanted)
    batch = [row(DEPTH, ts, side=s, price=p, quantity=q, ref=ts, marks=snapshot) for (s, p), q in changes.items()]
    batch[0]["marks"] |= FIRST
    batch[-1]["marks"] |= LAST
    return batch


def commands(random: np.random.Generator, rows: list[Any]) -> list[Any]:
    """Random orders of all types around the middle, and cancels of any of them, dead or alive."""
    found: list[Any] = []
    times = sorted(int(rows[int(j)]["ts_local"]) for j in random.integers(0, len(rows), 120))
    sent: dict[int, tuple[int, int]] = {}
    last = {0: 10_000, 1: 10_000}
    at = 0
    for ts in times:
        while at < len(rows) and rows[at]["ts_local"] <= ts:
            if rows[at]["kind"] == TRADE:
                last[int(rows[at]["instrument"])] = int(rows[at]["price"])
            at += 1
        if sent and random.random() < 0.35:
            order = int(random.choice(list(sent)))
            found.append(row(CANCEL, ts, ref=order, instrument=sent[order][0], side=sent[order][1]))
            continue
        i, side = int(random.integers(0, 2)), int(random.integers(0, 2))
        order = len(sent) + 1
        sent[order] = (i, side)
        price = last[i] + int(random.integers(-6, 7))
        kind = int(random.choice([codes.LIMIT_GTC, codes.LIMIT_POST_ONLY, codes.LIMIT_IOC]))
        found.append(
            row(SUBMIT, ts, ref=order, instrument=i, side=side, price=price, quantity=int(random.integers(1, 80)), value=kind)
        )
    return found


def real(stage: Stage, rows: list[Any], orders: list[Any]) -> list[list[Told]]:
    """What the simulated venue says, desk by desk; the loop is that of engine.drive with the commands given."""
    venue, machine = sys.modules["tradewind_twin.simulation.venue"], stage.machine._load("machine")
    s, v = stage.s, stage.v
    told: list[list[Told]] = [[], []]
    out, one = np.zeros(4096, ROW), np.zeros(4, ROW)

    def deliver(until: int) -> None:
        while v["clock"]["next_due"] <= until:
            due = int(v["clock"]["next_due"])
            venue.act(v, s, due)
            desk = int(venue.next_desk(v, due))
            if desk >= 0:
                n = int(venue.write(v, desk, one, 0, due))
                told[desk].append(heard(one[:n]))
            venue.schedule_next(v)

    events = sorted(
        [(int(r["ts_local"]), 1, n, r) for n, r in enumerate(rows)] + [(int(c["ts_local"]), 0, n, c) for n, c in enumerate(orders)]
    )
    for ts, is_row, _, r in events:
        deliver(ts)
        if is_row:
            s["clock"]["n_out"] = 0
            venue.before(v, s, r)
            machine.on_row(s, r, out)
            if r["kind"] <= codes.QUOTE and r["marks"] & LAST and s["top"][int(r["instrument"])]["moved"]:
                venue.after(v, s, r)
        else:
            one[0] = r
            venue.accept(v, one, 0, 1)
    deliver(codes.NEVER - 1)
    assert v["clock"]["fault"] == 0 and s["clock"]["fault"] == 0
    return told


def heard(rows: Any) -> Told:
    """A report's rows as the naive exchange would tell it."""
    r = rows[0]
    if r["kind"] == FILL:
        c = rows[1]
        assert c["kind"] == CHARGE and c["ref"] == r["ref"] and c["marks"] == LAST and c["ts_local"] == r["ts_local"]
        maker = bool(r["marks"] & MAKER_FILL)
        price, quantity, cost, fee = int(r["price"]), int(r["quantity"]), int(c["value"]), int(c["quantity"])
        return Told(int(r["ts_local"]), FILL, int(r["ref"]), 0, price, quantity, cost, fee, maker)
    return Told(int(r["ts_local"]), int(r["kind"]), int(r["ref"]), int(r["value"]), 0, int(r["quantity"]))


def naive(latency: Latency, rows: list[Any], orders: list[Any]) -> list[list[Told]]:
    """What the naive exchange says of the same."""
    venues = [
        Exchange(
            Physics(
                to_venue=latency.order_ns + latency.feed_ns, from_venue=latency.report_ns - latency.feed_ns,
                jitter=latency.jitter_ns, probability=latency.probability_queue, partial=latency.partial_fills, seed=i + 1,
            ),
            {i: (x.maker_fee_e7, x.taker_fee_e7, *cost_ratio(x))},
        )
        for i, x in enumerate(INSTRUMENTS)
    ]  # fmt: skip
    events = sorted(
        [(int(r["ts_local"]), 1, n, r) for n, r in enumerate(rows)] + [(int(c["ts_local"]), 0, n, c) for n, c in enumerate(orders)]
    )
    for ts, is_row, _, r in events:
        for venue in venues:
            venue.arrive(ts)
        if is_row:
            venues[int(r["instrument"])].market(r)
        else:
            venues[int(r["instrument"])].send(r)
    for venue in venues:
        venue.arrive(codes.NEVER)
    return [venue.told for venue in venues]


PHYSICS = [
    Latency(),
    Latency(probability_queue=True),
    Latency(partial_fills=False),
    Latency(feed_ns=0, order_ns=0, report_ns=0),
    Latency(jitter_ns=7 * MS, probability_queue=True),
    Latency(feed_ns=MS, order_ns=40 * MS, report_ns=30 * MS, jitter_ns=20 * MS),
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("latency", PHYSICS, ids=range(len(PHYSICS)))
def test_venue_equals_naive_exchange(latency: Latency, seed: int) -> None:
    """Every report: its order, kind, price, quantity, cost, fee, side of the trade, and when it is heard."""
    random = np.random.default_rng([seed, 7])
    rows = market(random, 700)
    orders = commands(random, rows)
    got = real(Stage(INSTRUMENTS, latency=latency), rows, orders)
    expected = naive(latency, rows, orders)
    for desk in range(2):
        for a, b in zip(got[desk], expected[desk], strict=False):
            assert a == b
        assert len(got[desk]) == len(expected[desk])
    kinds = [(t.kind, t.code, t.maker) for desk in expected for t in desk]
    assert {k for k, _, _ in kinds} == {codes.REPORT, FILL}
    assert {c for k, c, _ in kinds if k == codes.REPORT} >= {codes.ACKED, codes.CANCELED_BY_VENUE, codes.CANCEL_REFUSED}
    assert {m for k, _, m in kinds if k == FILL} == {True, False}


# One rule at a time ------------------------------------------------------------------------------------------------------


class Counter(Stage):
    """One book at 100.00 by 100.10, 50 a side, and orders sent straight to the venue."""

    def __init__(self, x: Instrument | None = None, capacity: Capacity = SMALL, **latency: Any) -> None:
        super().__init__([x or instrument("a")], latency=Latency(**latency), capacity=capacity)
        self.book(0, [(10000, 50)], [(10010, 50)])
        self.sent = 0

    def order(self, side: int, price: int, quantity: int, kind: int = codes.LIMIT_GTC) -> int:
        """Sends an order, known to the machine as one of its own; its id."""
        self.sent += 1
        c = row(SUBMIT, self.now, ref=self.sent, side=side, price=price, quantity=quantity, value=kind, strategy=0)
        sys.modules["tradewind_twin.portfolio.facts"].apply(self.s, c)
        self._accept(c)
        return self.sent

    def cancel(self, order: int) -> None:
        """Asks for it back."""
        c = row(CANCEL, self.now, ref=order)
        sys.modules["tradewind_twin.portfolio.facts"].apply(self.s, c)
        self._accept(c)

    def _accept(self, c: Any) -> None:
        one = np.zeros(1, ROW)
        one[0] = c
        sys.modules["tradewind_twin.simulation.venue"].accept(self.v, one, 0, 1)

    def fills(self, order: int) -> list[tuple[int, int]]:
        """Prices and quantities."""
        return [(int(f["price"]), int(f["quantity"])) for f in self.said(FILL, ref=order)]

    def reports(self, order: int) -> list[int]:
        """Report codes in the order heard."""
        return [int(r["value"]) for r in self.said(codes.REPORT, ref=order)]


def test_risk_averse_queue_waits_for_trades() -> None:
    """What stood there first trades first; cancels ahead count only where the level shrinks below what we counted."""
    c = Counter()
    order = c.order(BUY, 10000, 10)
    c.wait(20 * MS)
    c.trade(0, SELL, 10000, 30)
    c.wait(20 * MS)
    assert c.fills(order) == []
    c.trade(0, SELL, 10000, 24)
    c.wait(20 * MS)
    assert c.fills(order) == [(10000, 4)]
    c.trade(0, SELL, 9995, 1)
    c.wait(20 * MS)
    assert c.fills(order) == [(10000, 4), (10000, 6)], "a trade through the price fills the rest"


def test_whole_fills_only() -> None:
    c = Counter(partial_fills=False)
    order = c.order(BUY, 10000, 10)
    c.wait(20 * MS)
    c.trade(0, SELL, 10000, 51)
    c.wait(20 * MS)
    assert c.fills(order) == [(10000, 10)]


def test_trade_and_level_do_not_count_twice() -> None:
    """The level that shrank by a trade already counted moves no queue; a further cancel does, in the probability model."""
    c = Counter(probability_queue=True)
    order = c.order(BUY, 10000, 10)
    c.wait(20 * MS)
    c.trade(0, SELL, 10000, 20)
    c.book(0, [(10000, 30)], [], snapshot=False)
    assert c.v["resting"][order]["ahead"] == 30
    c.book(0, [(10000, 90)], [], snapshot=False)
    c.book(0, [(10000, 40)], [], snapshot=False)
    front, back = 30.0**2, 60.0**2
    assert c.v["resting"][order]["ahead"] == 30 - int(50 * front / (front + back))


def test_one_trade_is_not_given_to_two_own_orders() -> None:
    c = Counter()
    first, second = c.order(BUY, 10005, 10), c.order(BUY, 10005, 10)
    c.wait(20 * MS)
    c.trade(0, SELL, 10005, 14)
    c.wait(20 * MS)
    assert c.fills(first) == [(10005, 10)]
    assert c.fills(second) == [(10005, 4)]


def test_post_only_is_refused_and_immediate_expires() -> None:
    c = Counter()
    assert_codes = {
        c.order(BUY, 10010, 10, codes.LIMIT_POST_ONLY): [codes.REJECTED_BY_VENUE],
        c.order(BUY, 10005, 10, codes.LIMIT_IOC): [codes.ACKED, codes.EXPIRED_BY_VENUE],
        c.order(BUY, 10015, 70, codes.LIMIT_IOC): [codes.ACKED, codes.EXPIRED_BY_VENUE],
    }
    c.wait(50 * MS)
    for order, expected in assert_codes.items():
        assert c.reports(order) == expected
    assert c.fills(3) == [(10010, 50)]


def test_cancel_races_a_fill() -> None:
    """The fill made before the cancel arrives is heard first; the cancel is refused and the machine ends up filled."""
    c = Counter()
    order = c.order(BUY, 10005, 10)
    c.wait(20 * MS)
    c.cancel(order)
    c.trade(0, SELL, 10000, 5, after=2 * MS)
    c.wait(50 * MS)
    assert c.fills(order) == [(10005, 10)]
    assert c.reports(order) == [codes.ACKED, codes.CANCEL_REFUSED]
    o = c.s["fact"]["order"][order]
    assert (int(o["status"]), int(o["filled"])) == (6, 10)


def test_silence_of_the_market_does_not_hold_a_request() -> None:
    """An order for a market that says nothing is answered all the same, whatever row moves the clock."""
    c = Counter()
    order = c.order(BUY, 10010, 10, codes.LIMIT_IOC)
    c.wait(10 * MS)
    assert c.reports(order) == [codes.ACKED]
    assert c.fills(order) == [(10010, 10)]


@pytest.mark.parametrize(("maker", "taker"), [(-3, 7), (0, 0), (25_000, 10_000)])
def test_fees_round_toward_the_venue(maker: int, taker: int) -> None:
    """A fee is rounded up to the next money unit, a rebate down; cost is price times quantity, half to even."""
    c = Counter(instrument("a", maker_fee_e7=maker, taker_fee_e7=taker, price_exponent=5, quantity_exponent=5))
    taken, made = c.order(BUY, 10010, 3, codes.LIMIT_IOC), c.order(SELL, 10020, 3)
    c.wait(20 * MS)
    c.trade(0, BUY, 10030, 1)
    c.wait(20 * MS)
    for order, price, fee_e7 in ((taken, 10010, taker), (made, 10020, maker)):
        charge = c.said(CHARGE, ref=order)[0]
        cost = round(price * 3 / 100)
        assert int(charge["value"]) == cost
        assert int(charge["quantity"]) == -(-cost * fee_e7 // 10_000_000)


def test_a_full_ring_is_a_fault_and_not_a_lost_order() -> None:
    """The run stops with FAULT as soon as a bounded ring would overflow."""
    from tradewind.domain.reasons import FAULT_QUEUE_FULL

    c = Counter(capacity=Capacity(instruments=16, levels=64, orders=256, history=64, flight=8), order_ns=5 * codes.SECOND)
    for _ in range(8):
        c.order(BUY, 9990, 1)
    c.wait(MS)
    assert c.reason == codes.END
    c.order(BUY, 9990, 1)
    c.wait(MS)
    assert c.reason == codes.FAULT
    assert c.v["clock"]["fault"] == FAULT_QUEUE_FULL


def test_a_full_lane_refuses_with_its_reason() -> None:
    """More resting orders than the venue keeps: the newest expires, named TABLE_FULL."""
    from tradewind.domain.reasons import TABLE_FULL

    c = Counter(capacity=Capacity(instruments=16, levels=64, orders=256, history=64, resting=4))
    orders = [c.order(BUY, 9990 - n, 1) for n in range(5)]
    c.wait(50 * MS)
    assert c.reports(orders[3]) == [codes.ACKED]
    assert c.reports(orders[4]) == [codes.ACKED, codes.EXPIRED_BY_VENUE]
    assert int(c.said(codes.REPORT, ref=orders[4])[-1]["price"]) == TABLE_FULL


def test_a_report_may_not_come_from_the_future() -> None:
    from tradewind.domain.errors import BadUse

    with pytest.raises(BadUse, match="faster than the feed"):
        Latency(feed_ns=5, report_ns=4)


# Markets known by bars alone -----------------------------------------------------------------------------------------------


def bar(c: Stage, minute: int, prices: tuple[int, int, int, int]) -> None:
    """One-minute bar number `minute` (open, high, low, close), told at its end."""
    first, high, low, last = prices
    end = START // codes.MINUTE * codes.MINUTE + (minute + 1) * codes.MINUTE
    value = ((high - max(first, last)) << 32) | (min(first, last) - low)
    frame = codes.TIMEFRAME_NAMES.index("1m")
    c.market(0, [row(codes.BAR, end, price=last, ref=first, quantity=100, value=value, strategy=frame)])


def test_bars_physics() -> None:
    """Immediate: the next open plus half the spread, as a taker. Resting: its own price once the range passed it, as a maker."""
    c = Counter.__new__(Counter)
    Stage.__init__(c, [instrument("a", maker_fee_e7=1_000, taker_fee_e7=9_000)], bars_only=True, half_spread_bp=2.0)
    c.sent = 0
    bar(c, 1, (10000, 10100, 9900, 10000))
    market_buy = c.order(BUY, 20000, 10, codes.LIMIT_IOC)
    too_low = c.order(BUY, 9000, 10, codes.LIMIT_IOC)
    low, lowest = c.order(BUY, 9951, 10), c.order(BUY, 9950, 10)
    high = c.order(SELL, 10049, 10)
    gapped, shy = c.order(SELL, 9000, 10), c.order(SELL, 9000, 10, codes.LIMIT_POST_ONLY)
    bar(c, 2, (10000, 10050, 9950, 10010))
    c.wait(20 * MS)
    assert c.fills(market_buy) == [(10002, 10)]
    assert c.reports(too_low) == [codes.ACKED, codes.EXPIRED_BY_VENUE]
    assert c.fills(low) == [(9951, 10)]
    assert c.fills(lowest) == [], "the range only touched it"
    assert c.fills(high) == [(10049, 10)]
    assert c.fills(gapped) == [(9998, 10)], "a limit the open passed trades at the open"
    assert c.fills(shy) == [(9000, 10)], "post-only never takes: its own price"
    makers = {int(f["ref"]) for f in c.said(FILL) if f["marks"] & MAKER_FILL}
    assert makers == {low, high, shy}
    opened = START // codes.MINUTE * codes.MINUTE + 2 * codes.MINUTE
    for order, late in ((market_buy, False), (low, True)):
        told = int(c.said(FILL, ref=order)[0]["ts_local"])
        assert told == opened + (codes.MINUTE + 3 * MS if late else 10 * MS), "at the open it is heard while the bar lasts"
    taker_fee = int(c.said(CHARGE, ref=market_buy)[0]["quantity"])
    assert taker_fee == 10002 * 10 * 100 * 9_000 // 10**7 + 1
