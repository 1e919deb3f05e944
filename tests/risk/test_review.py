"""Every reason of the review: a state that makes it speak, and the nearest one that keeps it silent."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from tradewind.domain import codes, layout, reasons
from tradewind.domain.codes import BUY, SECOND, SELL
from tradewind.domain.instruments import MONEY

from .rooms import Desk

Change = Callable[[Desk], None]
Order = dict[str, int]


def nothing(_: Desk) -> None:
    return


def money(column: int, amount: float, scope: int = 0) -> Change:
    return lambda d: d.limit(column, round(amount * MONEY), scope)


def plain(column: int, value: int) -> Change:
    return lambda d: d.limit(column, value)


def rung(value: int) -> Change:
    return lambda d: d.rung(value)


def rule(column: int, value: int) -> Change:
    """A RULE row of the first instrument, as the feed tells it."""
    return lambda d: d.fact(codes.RULE, ref=column, value=value)


def touch(field: str, value: int) -> Change:
    def change(d: Desk) -> None:
        d.s["top"][0][field] = value

    return change


def grade(value: int, reference: float = 100.05) -> Change:
    def change(d: Desk) -> None:
        g = d.s["group"][d.names.asset("BTC")]
        g["grade"], g["reference"] = value, reference

    return change


def right(value: int) -> Change:
    def change(d: Desk) -> None:
        d.s["fact"]["right"][0, 0] = value

    return change


def old(ns: int) -> Change:
    def change(d: Desk) -> None:
        d.s["clock"]["now"] = d.s["top"][0]["ts"] + ns

    return change


def tokens(value_e9: int) -> Change:
    def change(d: Desk) -> None:
        d.limit(layout.ORDERS_PER_S, 5)
        d.s["budget"]["tokens_e9"], d.s["budget"]["ts"] = value_e9, d.s["clock"]["now"]

    return change


def off_par(role: str, is_off: int) -> Change:
    """The instrument's base or quote asset lost its peg, or has it again."""

    def change(d: Desk) -> None:
        asset = int(d.s["fact"]["rule"][0, getattr(layout, role)])
        d.s["group"]["off_par"][asset] = d.s["pegs"]["n_off_par"] = is_off
        d.s["group"]["strain"][asset] = 0.03 * is_off

    return change


def usd_rate(value: float) -> Change:
    def change(d: Desk) -> None:
        d.s["group"][d.names.asset("USD")]["reference"] = value

    return change


def cash(amount: float) -> Change:
    def change(d: Desk) -> None:
        d.s["fact"]["ledger"][layout.CASH, 0, d.names.asset("USD")] = round(amount * MONEY)

    return change


def resting(price: int, then: str = "") -> Change:
    """The other strategy's sell order of 100 at a price, possibly no longer on its layer."""

    def change(d: Desk) -> None:
        order = d.submit(SELL, price, 100, k=1)
        if then == "cancelling":
            d.cancel(order)
        if then == "unknown":
            d.report(order, codes.OUTCOME_UNKNOWN)
            d.submit(SELL, 90_000, 100, k=1)  # takes the layer

    return change


ORDER: Order = {"side": BUY, "price": 10010, "quantity": 100}  # 0.01 BTC for 1.001 USD
COST = 1.001  # at the order's price, above the mid
CASES: list[tuple[int, Change, Order, Change, Order]] = [
    (reasons.NO_RIGHT, right(0), {}, right(1), {}),
    (reasons.NOT_TRADING, rule(layout.TRADING_STATUS, codes.STATUS_HALT), {}, rule(layout.TRADING_STATUS, codes.TRADING), {}),
    (reasons.HALTED_BY_LADDER, rung(codes.CANCEL_ONLY), {}, rung(codes.ACTIVE), {}),
    (reasons.HALTED_BY_LADDER, rung(codes.HALTED), {}, rung(codes.CAUTIOUS), {}),
    (reasons.HALTED_BY_LADDER, rung(codes.REDUCE_ONLY), {}, rung(codes.CAUTIOUS), {}),
    (reasons.NOT_TRADING, rule(layout.TRADING_STATUS, 5), {}, rule(layout.TRADING_STATUS, codes.STATUS_LIMIT_ONLY), {}),
    (reasons.ACCESS_LOST, rule(layout.ACCESS, codes.CANCEL_ONLY), {}, rule(layout.ACCESS, codes.ACTIVE), {}),
    (reasons.ACCESS_LOST, rule(layout.ACCESS, codes.REDUCE_ONLY), {}, rule(layout.ACCESS, codes.CAUTIOUS), {}),
    (reasons.BOOK_UNTRUSTED, touch("condition", codes.STALE), {}, touch("condition", codes.SYNCED), {}),
    (reasons.BOOK_UNTRUSTED, touch("good", 0), {}, touch("good", 1), {}),
    (reasons.DATA_TOO_OLD, old(2 * SECOND + 1), {}, old(2 * SECOND), {}),
    (reasons.TOO_MANY_OPEN, plain(layout.MAX_OPEN, 0), {}, plain(layout.MAX_OPEN, 1), {}),
    (reasons.PRICE_OFF_TICK, nothing, {"price": 10011}, nothing, {"price": 10005}),
    (reasons.PRICE_OFF_TICK, nothing, {"price": 0}, nothing, {"price": 10005}),
    (reasons.QUANTITY_TOO_SMALL, nothing, {"quantity": 0}, nothing, {"quantity": 100}),
    (reasons.QUANTITY_TOO_SMALL, nothing, {"quantity": 10}, nothing, {"quantity": 100}),
    (reasons.QUANTITY_OFF_LOT, nothing, {"quantity": 105}, nothing, {"quantity": 110}),
    (reasons.RANGE_EXCEEDED, nothing, {"quantity": 10**18}, nothing, {"quantity": 1000}),
    (reasons.NOTIONAL_TOO_SMALL, nothing, {"quantity": 90}, nothing, {"quantity": 100}),
    (reasons.NO_RATE, usd_rate(0.0), {}, usd_rate(1.0), {}),
    (reasons.OFF_PEG, off_par("BASE", 1), {}, off_par("BASE", 0), {}),
    (reasons.OFF_PEG, off_par("QUOTE_ASSET", 1), {}, off_par("QUOTE_ASSET", 0), {}),
    (reasons.NO_GRADE, grade(codes.GRADE_NONE), {}, grade(codes.GRADE_C), {}),
    (reasons.NO_GRADE, grade(codes.GRADE_A, 0.0), {}, grade(codes.GRADE_A), {}),
    (reasons.PRICE_OUTSIDE_COLLAR, grade(codes.GRADE_A, 66.0), {}, grade(codes.GRADE_A, 67.0), {}),
    (reasons.PRICE_OUTSIDE_COLLAR, grade(codes.GRADE_A, 201.0), {"side": SELL}, grade(codes.GRADE_A, 200.0), {"side": SELL}),
    (reasons.BALANCE_TOO_SMALL, cash(COST), {}, cash(COST * 1.001), {}),
    (reasons.NOTIONAL_TOO_LARGE, money(layout.MAX_NOTIONAL, COST - 1e-6), {}, money(layout.MAX_NOTIONAL, COST + 1e-6), {}),
    (reasons.NOTIONAL_TOO_LARGE, money(layout.MAX_NOTIONAL, COST - 1e-6, 1), {}, money(layout.MAX_NOTIONAL, 0.5, 2), {}),
    (reasons.POSITION_LIMIT, money(layout.MAX_POSITION, COST - 1e-6), {}, money(layout.MAX_POSITION, COST + 1e-6), {}),
    (reasons.POSITION_LIMIT, money(layout.MAX_POSITION, COST - 1e-6, 1), {}, money(layout.MAX_POSITION, 0.5, 2), {}),
    (reasons.GROSS_LIMIT, money(layout.MAX_GROSS, COST - 1e-6), {}, money(layout.MAX_GROSS, COST + 1e-6), {}),
    (reasons.NET_LIMIT, money(layout.MAX_NET, COST - 1e-6), {}, money(layout.MAX_NET, COST + 1e-6), {}),
    (reasons.NET_LIMIT, money(layout.MAX_NET, COST - 1e-6), {"side": SELL}, money(layout.MAX_NET, COST + 1e-6), {"side": SELL}),
    (reasons.SELF_CROSS, resting(10010), {}, resting(10015), {}),
    (reasons.SELF_CROSS, resting(10010, "cancelling"), {}, resting(10015, "cancelling"), {}),
    (reasons.SELF_CROSS, resting(10010, "unknown"), {}, resting(10015, "unknown"), {}),
    (reasons.RATE_LIMIT, tokens(SECOND - 1), {}, tokens(SECOND), {}),
]


@pytest.mark.parametrize(("code", "loud", "bad", "quiet", "good"), CASES)
def test_each_reason_speaks_and_is_silent(code: int, loud: Change, bad: Order, quiet: Change, good: Order) -> None:
    """The code where it must fire, with its numbers noted; nothing at all one step away."""
    desk = Desk()
    loud(desk)
    assert reasons.name(desk.review(**{**ORDER, **bad})) == reasons.name(code)
    assert desk.s["noted"][0, 0]["code"] == code
    desk = Desk()
    quiet(desk)
    assert reasons.name(desk.review(**{**ORDER, **good})) == "CODE_0"


def test_every_code_the_review_can_return_has_a_case(repo: Path) -> None:
    """A new reason without a case fails here."""
    returned: set[str] = set()
    for page in ("review.py", "limits.py"):
        for node in ast.walk(ast.parse((repo / "src/tradewind/risk" / page).read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("note"):
                returned |= {a.id for a in node.args if isinstance(a, ast.Name) and a.id.isupper()}
    assert returned == {reasons.name(case[0]) for case in CASES}


def test_reducing_passes_exposure_but_no_hygiene() -> None:
    desk = Desk()
    desk.hold(300)
    for column in (layout.MAX_NOTIONAL, layout.MAX_POSITION, layout.MAX_GROSS, layout.MAX_NET):
        desk.limit(column, 0)
        desk.limit(column, 0, 1)
    desk.rung(codes.REDUCE_ONLY)
    assert desk.review(SELL, 10000, 300) == 0
    assert desk.review(BUY, 10010, 100) == reasons.HALTED_BY_LADDER
    assert desk.review(SELL, 10000, 310) == reasons.HALTED_BY_LADDER, "an order that turns the position does not reduce it"
    assert desk.review(SELL, 10001, 300) == reasons.PRICE_OFF_TICK
    assert desk.review(SELL, 5010, 300) == 0
    assert desk.review(SELL, 4000, 300) == reasons.PRICE_OUTSIDE_COLLAR
    grade(codes.GRADE_NONE)(desk)
    assert desk.review(SELL, 10000, 300) == 0, "an exit needs no agreement of sources, only a last reference"
    desk.submit(SELL, 10005, 100)
    assert desk.review(SELL, 10000, 300) == reasons.NO_GRADE, "what is already on its way out cannot be sold twice"
    assert desk.review(SELL, 10000, 200) == 0


def test_reducing_means_the_book_and_the_strategy() -> None:
    """Selling what another strategy holds opens a position of one's own."""
    desk = Desk()
    desk.hold(300, k=0)
    desk.rung(codes.REDUCE_ONLY)
    assert desk.review(SELL, 10000, 100, k=1) == reasons.HALTED_BY_LADDER
    assert desk.review(SELL, 10000, 100, k=0) == 0


def test_a_cheap_bid_does_not_hide_what_it_would_hold() -> None:
    """A position counts at the mid even where the order's price is far below."""
    desk = Desk()
    desk.hold(1000)
    money(layout.MAX_POSITION, 12.0)(desk)
    assert desk.review(BUY, 5010, 300) == reasons.POSITION_LIMIT


def test_limits_hold_between_two_marks() -> None:
    """Gross and net are measured for every order, not once a second."""
    desk = Desk()
    money(layout.MAX_GROSS, 2.5)(desk)
    assert desk.review() == 0
    desk.submit(BUY, 10010, 100)
    assert desk.review() == 0
    desk.submit(BUY, 10010, 100)
    assert desk.review() == reasons.GROSS_LIMIT
    assert desk.review(i=1) == reasons.GROSS_LIMIT


def test_cautious_halves_the_exposure_limits() -> None:
    desk = Desk()
    for column, code in (
        (layout.MAX_NOTIONAL, reasons.NOTIONAL_TOO_LARGE),
        (layout.MAX_POSITION, reasons.POSITION_LIMIT),
        (layout.MAX_GROSS, reasons.GROSS_LIMIT),
        (layout.MAX_NET, reasons.NET_LIMIT),
    ):
        money(column, 1.5 * COST)(desk)
        assert desk.review() == 0
        desk.rung(codes.CAUTIOUS)
        assert desk.review() == code
        desk.rung(codes.ACTIVE)
        money(column, 1e9)(desk)


@pytest.mark.parametrize(("demotion", "part"), [(0, 1.0), (1, 1.0), (2, 0.5), (3, 0.0), (99, 0.0)])
def test_a_source_of_less_trust_has_smaller_limits(demotion: int, part: float) -> None:
    """Order and position, whoever chose the quantity; beside it the other venue's instrument keeps its limits."""
    for column, code in ((layout.MAX_NOTIONAL, reasons.NOTIONAL_TOO_LARGE), (layout.MAX_POSITION, reasons.POSITION_LIMIT)):
        desk = Desk()
        grade(codes.GRADE_A)(desk)
        money(column, 1.5 * COST)(desk)
        rule(layout.DEMOTION, demotion)(desk)
        refused = reasons.NO_GRADE if part == 0.0 else code if part < 1.0 else 0
        assert reasons.name(desk.review()) == reasons.name(refused)
        assert desk.review(i=1) == 0


def test_fees_of_open_orders_are_set_aside() -> None:
    """Two orders that fill whole, fees included, must not overdraw the account."""
    desk = Desk()
    cash(2.0 * COST * 1.001)(desk)
    desk.submit(BUY, 10010, 100)
    assert desk.review() == 0
    cash(2.0 * COST * 1.001 - 0.0005)(desk)
    assert desk.review() == reasons.BALANCE_TOO_SMALL


def test_rate_budget_bounds_any_second() -> None:
    """n at once, n a second, never 2n within one; a refused order costs nothing; a clock going back gives nothing."""
    desk = Desk()
    tokens(5 * SECOND)(desk)
    start = int(desk.s["clock"]["now"])
    passed: list[int] = []
    for step in range(400):
        desk.s["clock"]["now"] = start + step * 10_000_000
        desk.s["top"][0]["ts"] = start + step * 10_000_000
        assert desk.review(price=10011) == reasons.PRICE_OFF_TICK
        if desk.review() == 0:
            passed.append(step * 10)
    for ms in range(0, 4000, 10):
        assert sum(ms <= at < ms + 1000 for at in passed) < 10
    assert len(passed) == 5 + 5 * 4 - 1
    desk.s["clock"]["now"] = start
    desk.s["top"][0]["ts"] = start
    tokens_left = int(desk.s["budget"]["tokens_e9"])
    desk.review()
    assert int(desk.s["budget"]["tokens_e9"]) <= tokens_left


def test_orders_leave_in_one_place_after_review(repo: Path) -> None:
    """SUBMIT rows are emitted by orders.submit alone, and that is called once, behind the review, in machine.enter."""
    emits: list[str] = []
    calls: list[tuple[str, str]] = []
    for path in sorted((repo / "src/tradewind").rglob("*.py")):
        tree = ast.parse(path.read_text())
        where = str(path.relative_to(repo / "src/tradewind"))
        if where.split("/")[0] not in ("engine", "strategy", "risk", "execution", "portfolio", "market", "analytics", "kernel"):
            continue
        for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
            for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
                name = ast.unparse(call.func)
                if name == "emit" and "SUBMIT" in map(ast.unparse, call.args):
                    emits.append(f"{where}:{function.name}")
                if name.endswith("orders.submit"):
                    calls.append((where, function.name))
            writes = [ast.unparse(t) for n in ast.walk(function) if isinstance(n, ast.Assign) for t in n.targets]
            assert not any(w.endswith(".kind") for w in writes) or (where, function.name) in (
                ("kernel/emit.py", "emit"), ("engine/drive.py", "open_stretch"),
            ), f"{where}:{function.name} writes rows by hand"  # fmt: skip
    assert emits == ["execution/orders.py:submit"]
    assert calls == [("engine/account.py", "enter")]
    tree = ast.parse((repo / "src/tradewind/engine/account.py").read_text())
    enter = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "enter")
    branch = next(n for n in enter.body if isinstance(n, ast.If))
    assert "refused != 0" in ast.unparse(branch.test)
    assert "orders.submit" not in "".join(map(ast.unparse, branch.body))
    assert "orders.submit" in "".join(map(ast.unparse, branch.orelse))
