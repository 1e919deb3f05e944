"""The ladder: what each rung forbids and takes back, the drawdown latch, and the table of grades in the pages."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tradewind.domain import codes, layout, reasons
from tradewind.domain.codes import BUY, CANCEL, HALT, MINUTE, OPERATOR, SECOND, SELL, SUBMIT
from tradewind.engine.prelude import Setup

from .rooms import LOOSE, MS, Desk, room


def quoting(**settings: object) -> Desk:
    """A market maker that quotes both sides of both books."""
    return Desk(
        strategies=("market_maker",), parameters=({"quantity": 200.0, "every_ms": 100.0, "layers": 2.0},), **settings
    )  # fmt: skip


def live(desk: Desk) -> set[int]:
    """Sides of the orders that stand in our tables."""
    found = desk.s["fact"]["order"]
    return {int(o["side"]) for o in found if 0 < o["status"] < 6}


def later(desk: Desk, ns: int = SECOND) -> None:
    """Fresh books after a while."""
    desk.now += ns
    desk.shown()


def operator(desk: Desk, rung: int) -> None:
    """The operator speaks through the front door."""
    desk.feed(_row(OPERATOR, desk.now + MS, rung))


def _row(kind: int, ts: int, value: int, **fields: int) -> object:
    from scripted import row

    return row(kind, ts, value=value, **fields)


@pytest.mark.parametrize("rung", [codes.CANCEL_ONLY, codes.HALTED])
def test_cancel_only_takes_every_order_back(rung: int) -> None:
    desk = quoting()
    later(desk)
    assert live(desk) == {BUY, SELL}
    submits = len(desk.said(SUBMIT))
    operator(desk, rung)
    later(desk)
    later(desk)
    assert not live(desk)
    assert {int(c["value"]) for c in desk.said(CANCEL)} >= {reasons.LADDER_CANCEL}
    assert len(desk.said(SUBMIT)) == submits, "nothing may be sent any more"
    operator(desk, codes.ACTIVE)
    later(desk)
    assert live(desk) == {BUY, SELL}


def test_reduce_only_keeps_what_reduces() -> None:
    """A holder's asks may stay, its bids go."""
    desk = quoting()
    desk.hold(1000)
    later(desk)
    assert live(desk) == {BUY, SELL}
    operator(desk, codes.REDUCE_ONLY)
    later(desk)
    later(desk)
    assert live(desk) == {SELL}


def test_drawdown_latches_and_an_operator_forgives() -> None:
    """The fall past the limit steps down once; recovery does not climb back; a resume starts a new peak."""
    desk = Desk(
        limits=msgspec.structs.replace(LOOSE, drawdown=0.10), balances={("a", "BTC"): 100.0, ("a", "USD"): 0.0},
        jump_bp=9000,
    )  # fmt: skip
    later(desk)
    for bid, expected in ((9500, codes.ACTIVE), (9100, codes.ACTIVE), (8900, codes.REDUCE_ONLY), (10000, codes.REDUCE_ONLY)):
        desk.now += SECOND
        desk.shown(bid, bid + 10)
        later_same(desk, bid)
        assert desk.s["fact"]["ladder"]["rung"] == expected, bid
    halts = desk.said(HALT)
    assert [(int(h["value"]), int(h["ref"])) for h in halts] == [(codes.REDUCE_ONLY, reasons.DRAWDOWN)]
    desk.now += SECOND
    desk.shown(8900, 8910)
    later_same(desk, 8900)
    operator(desk, codes.ACTIVE)
    for _ in range(3):
        later_same(desk, 8900)
    assert desk.s["fact"]["ladder"]["rung"] == codes.ACTIVE, "the operator's resume forgives the fall so far"
    desk.now += SECOND
    desk.shown(7900, 7910)
    later_same(desk, 7900)
    assert desk.s["fact"]["ladder"]["rung"] == codes.REDUCE_ONLY


def later_same(desk: Desk, bid: int) -> None:
    """A second passes, the books stand."""
    desk.now += SECOND
    desk.shown(bid, bid + 10)


def stray(desk: Desk, quantity: int, side: int = BUY, i: int = 0) -> None:
    """The venue tells of a fill at 100.00 of an order nobody sent; 100 units are worth 1 USD."""
    desk.now += MS
    told = {"ref": 1 << 40, "side": side, "instrument": i}
    desk.feed(
        _row(codes.FILL, desk.now, price=10000, quantity=quantity, **told, value=desk.now),
        _row(codes.CHARGE, desk.now, strategy=desk.names.asset("USD"), **told, value=quantity * 1_000_000),
    )


def alarms(desk: Desk) -> list[tuple[int, float]]:
    """Every alert: its reason and the worth it tells."""
    return [(int(x["value"]), int(x["ref"]) / 1e8) for x in desk.said(codes.ALERT)]


def test_money_nobody_explains_steps_down_until_an_operator_accepts_it() -> None:
    """What came in and what went out count apart, over all venues; what a resume accepted is asked about at the next stray fill."""
    desk = quoting(limits=msgspec.structs.replace(LOOSE, max_suspense=5.005))
    later(desk)
    for i, quantity in ((0, 200), (1, 300)):
        stray(desk, quantity, i=i)
        later(desk)
        assert desk.s["fact"]["ladder"]["rung"] == codes.ACTIVE and live(desk) == {BUY, SELL}
    stray(desk, 1)
    halts = desk.said(HALT)
    assert [(int(h["value"]), int(h["ref"])) for h in halts] == [(codes.REDUCE_ONLY, reasons.SUSPENSE_TOO_LARGE)]
    [(code, worth)] = alarms(desk)
    assert code == reasons.SUSPENSE_TOO_LARGE and worth == pytest.approx(5.01, rel=1e-3)
    later(desk)
    later(desk)
    assert not live(desk), "the position is nobody's: no strategy may sell it"
    stray(desk, 1)
    assert len(alarms(desk)) == 1, "it stands where it stands"
    operator(desk, codes.ACTIVE)
    for _ in range(3):
        later(desk)
    assert desk.s["fact"]["ladder"]["rung"] == codes.ACTIVE and live(desk) == {BUY, SELL}
    stray(desk, 1)
    assert desk.s["fact"]["ladder"]["rung"] == codes.REDUCE_ONLY and len(alarms(desk)) == 2


def test_what_is_explained_again_no_longer_counts() -> None:
    """A stray fill the other way takes out of suspense what the first left there."""
    desk = quoting(limits=msgspec.structs.replace(LOOSE, max_suspense=5.005))
    later(desk)
    for side in (BUY, SELL, BUY, SELL, BUY):
        stray(desk, 400, side)
    assert desk.s["fact"]["ladder"]["rung"] == codes.ACTIVE and not alarms(desk)


def test_suspense_without_a_rate_is_too_much() -> None:
    desk = Desk(limits=msgspec.structs.replace(LOOSE, max_suspense=1e6))
    desk.s["group"]["reference"][desk.names.asset("BTC")] = 0.0
    stray(desk, 1)
    assert desk.s["fact"]["ladder"]["rung"] == codes.REDUCE_ONLY
    assert alarms(desk) == [(reasons.SUSPENSE_TOO_LARGE, 9e10)]


@pytest.mark.parametrize(("grade", "collar"), [(codes.GRADE_A, 50), (codes.GRADE_B, 100), (codes.GRADE_C, 150)])
def test_collar_by_grade(grade: int, collar: int) -> None:
    """A buy may stand `collar` basis points over the reference and no more, a sale as much under it; better is free."""
    desk = Desk(collars_bp=(50, 100, 150))
    g = desk.s["group"][desk.names.asset("BTC")]
    g["grade"], g["reference"] = grade, 100.0
    inside, outside = 10000 + collar, 10000 + collar + 5
    assert desk.review(BUY, inside, 200) == 0
    assert desk.review(BUY, outside, 200) == reasons.PRICE_OUTSIDE_COLLAR
    assert desk.review(BUY, 5000, 300) == 0
    assert desk.review(SELL, 20000 - inside, 200) == 0
    assert desk.review(SELL, 20000 - outside, 200) == reasons.PRICE_OUTSIDE_COLLAR
    assert desk.review(SELL, 20000, 100) == 0


def test_the_page_says_what_the_code_does(repo: Path) -> None:
    """docs/risk.md: the tables of grades and rungs, line by line."""
    page = (repo / "docs/risk.md").read_text()
    sizes = room_sizes()
    collars = Setup.__struct_defaults__
    default = next(x for x in collars if isinstance(x, tuple) and len(x) == 3 and all(isinstance(n, int) for n in x))
    config = {"A": "50", "B": "100", "C": "150"}
    names = {codes.GRADE_A: "A", codes.GRADE_B: "B", codes.GRADE_C: "C", codes.GRADE_NONE: "none"}
    for grade, name in names.items():
        line = next(row for row in page.splitlines() if row.startswith(f"| {name} |"))
        cells = [c.strip() for c in line.strip("|").split("|")]
        assert cells[2] == (f"`risk.collar_bps.{name}` ({config[name]} bps)" if name in config else "as C, exits only"), line
        assert cells[3] == f"{sizes[grade]:g}", line
        assert cells[4] == ("yes" if grade >= codes.GRADE_B else "no"), line
        assert cells[5] == ("no" if grade == codes.GRADE_NONE else "yes"), line
    assert len(default) == 3
    for rung, name in enumerate(("ACTIVE", "CAUTIOUS", "REDUCE_ONLY", "CANCEL_ONLY", "HALTED")):
        line = next(row for row in page.splitlines() if row.startswith(f"| {rung} |"))
        assert f"`{name}`" in line
    for code in sorted({c for c in vars(reasons).values() if isinstance(c, int) and 80 <= c < 120}):
        assert f"`{reasons.name(code)}`" in page, f"{reasons.name(code)} is not explained"


def room_sizes() -> tuple[float, ...]:
    """Size by grade, as the room has it."""
    Desk()
    return tuple(room("risk.limits").SIZE_BY_GRADE)


def test_table_of_limits_is_in_the_page(repo: Path) -> None:
    page = (repo / "docs/risk.md").read_text()
    for name in layout.LIMITS:
        assert f"`{name}`" in page
    assert MINUTE > SECOND
