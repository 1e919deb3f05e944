"""Books against a dictionary: any levels in any order, full tables, depth cuts, snapshots joined to diffs by update ids."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from machines import default_machine, small_machine
from tradewind.domain import codes
from tradewind.domain.reasons import CHAIN_BROKEN, OLD_MESSAGE, OUT_OF_ORDER, TOLD_TWICE
from tradewind.engine.snapshot import restore

from .stage import Stage, instruments, verdicts

CAPACITY = small_machine().composition.capacity.levels
MID = 10_000
PAIR = instruments("a:BTC/USD")
CHAIN = instruments("a:BTC/USD", proof=codes.PROOF_CHAIN)

prices = st.integers(1, 30)
level = st.tuples(st.sampled_from((codes.BUY, codes.SELL)), prices, st.integers(0, 3))
messages = st.lists(st.lists(level, min_size=1, max_size=6), max_size=25)


class Naive:
    """What the levels are by definition: two dictionaries. With a `room`, the deepest level too many goes at once."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.room = room
        self.horizon = [-codes.NEVER, -codes.NEVER]  # the best key forgotten: price of a bid, minus price of an ask

    def put(self, side: int, price: int, quantity: int) -> None:
        if quantity:
            self.sides[side][price] = quantity
        else:
            self.sides[side].pop(price, None)
        if len(self.sides[side]) > self.room:
            deepest = self.best_first(side)[-1][0]
            del self.sides[side][deepest]
            self.horizon[side] = max(self.horizon[side], deepest if side == codes.BUY else -deepest)

    def best_first(self, side: int) -> list[tuple[int, int]]:
        return sorted(self.sides[side].items(), reverse=side == codes.BUY)


def levels_of(stage: Stage, side: int) -> list[tuple[int, int]]:
    """(price, quantity), best first, as the machine has them."""
    n = int(stage.s["book"]["depth"][0, side])
    keys, quantities = stage.s["level_key"][0, side, :n], stage.s["level_quantity"][0, side, :n]
    return [(abs(int(k)), int(q)) for k, q in zip(keys[::-1], quantities[::-1], strict=True)]


def placed(side: int, distance: int, quantity: int) -> tuple[int, int, int]:
    """A level `distance` units away from the middle, so that sides never cross."""
    return side, MID - distance if side == codes.BUY else MID + distance, quantity


_PREPARED: dict[str, Any] = {}


def stage_of(name: str, listed: Any, **changes: Any) -> Stage:
    """A fresh stage, copied from one that was set up once."""
    if name not in _PREPARED:
        stage = Stage(listed, every_ms=0.0, **changes)
        _PREPARED[name] = (stage, stage.state.copy())
    stage, state = _PREPARED[name]
    restore(stage.state, state)
    stage.seq.clear()
    stage.now = int(stage.prelude.ts) + 1
    return stage


@settings(max_examples=150)
@given(first=st.lists(level, max_size=20), rest=messages)
@example(first=[(codes.BUY, k, 1) for k in range(1, 30)], rest=[[(codes.BUY, k, 0) for k in range(1, 17)], [(codes.BUY, 29, 2)]])
@example(first=[(codes.BUY, k, 1) for k in range(29, 0, -1)], rest=[[(codes.BUY, 1, 0)], [(codes.BUY, 3, 2)]])
def test_a_book_is_the_naive_one_down_to_its_horizon(
    first: list[tuple[int, int, int]], rest: list[list[tuple[int, int, int]]]
) -> None:
    """Above what a full side had to forget, every level is there with its quantity, and nothing else is.

    The touch is the naive best, or the book says that it lost its side; it never shows another price.
    """
    stage, naive, limited = stage_of("plain", PAIR), Naive(), Naive(CAPACITY)
    marks = codes.SNAPSHOT
    for message in [[x for x in first if x[2]], *rest]:
        rows = [placed(*x) for x in message]
        stage.feed(stage.rows(codes.DEPTH, 0, 0, rows, marks=marks))
        marks = 0
        for row in rows:
            naive.put(*row)
            limited.put(*row)
        for side in (codes.BUY, codes.SELL):
            got, want = levels_of(stage, side), naive.best_first(side)
            sign = 1 if side == codes.BUY else -1
            horizon = int(stage.s["book"]["horizon"][0, side])
            assert got == limited.best_first(side) and horizon == limited.horizon[side]
            assert [x for x in got if sign * x[0] > horizon] == [x for x in want if sign * x[0] > horizon]
            assert len(got) <= CAPACITY and [x[0] * sign for x in got] == sorted({x[0] * sign for x in got}, reverse=True)
            if len(want) <= CAPACITY and horizon == -codes.NEVER:
                assert got == want
        top = stage.s["top"][0]
        bids, asks = naive.best_first(codes.BUY), naive.best_first(codes.SELL)
        shown = (int(top["bid"]), int(top["ask"]))
        if shown == (0, 0):
            known = [
                bool(q) and (sign * q[0][0] > int(stage.s["book"]["horizon"][0, side]))
                for side, sign, q in ((0, 1, bids), (1, -1, asks))
            ]
            assert not all(known) and top["good"] == 0
        else:
            assert shown == (bids[0][0], asks[0][0])
            assert (int(top["bid_quantity"]), int(top["ask_quantity"])) == (bids[0][1], asks[0][1])


deep_level = st.tuples(st.sampled_from((codes.BUY, codes.SELL)), st.integers(1, 400), st.sampled_from((0, 0, 1, 2, 3)))


@settings(max_examples=15)
@given(first=st.integers(150, 300), message=st.lists(deep_level, min_size=20, max_size=60))
def test_deep_levels_move_as_the_near_ones_do(first: int, message: list[tuple[int, int, int]]) -> None:
    """Where many levels move at once, they all arrive: books of hundreds of levels, inserts and removals anywhere."""
    stage, naive = stage_of("deep", PAIR, machine=default_machine(compiled=False)), Naive()
    opening = [placed(side, 1 + (k * 7) % 397, 5) for side in (codes.BUY, codes.SELL) for k in range(first)]
    for marks, rows in ((codes.SNAPSHOT, opening), (0, [placed(*x) for x in message])):
        stage.feed(stage.rows(codes.DEPTH, 0, 0, rows, marks=marks))
        for row in rows:
            naive.put(*row)
        for side in (codes.BUY, codes.SELL):
            assert levels_of(stage, side) == naive.best_first(side)


@settings(max_examples=60)
@given(first=st.lists(level, max_size=20), rest=messages)
def test_a_cut_book_keeps_the_best_of_every_message(
    first: list[tuple[int, int, int]], rest: list[list[tuple[int, int, int]]]
) -> None:
    """With a depth of five, what falls out of the best five after a message is gone for good (Kraken's rule)."""
    stage, naive = stage_of("cut", PAIR, book_depths={"BTCUSD": 5}), Naive()
    marks = codes.SNAPSHOT
    for message in [[x for x in first if x[2]], *rest]:
        rows = [placed(*x) for x in message]
        stage.feed(stage.rows(codes.DEPTH, 0, 0, rows, marks=marks))
        marks = 0
        for row in rows:
            naive.put(*row)
        for side in (codes.BUY, codes.SELL):
            for price, _ in naive.best_first(side)[5:]:
                naive.put(side, price, 0)
            assert levels_of(stage, side) == naive.best_first(side)


BOTH = [placed(codes.BUY, 1, 1), placed(codes.SELL, 1, 1)]


@settings(max_examples=200)
@given(
    snapshot=st.integers(10, 30),
    diffs=st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 5)), min_size=1, max_size=12),
)
@example(snapshot=20, diffs=[(-3, 5), (0, 3)])
@example(snapshot=20, diffs=[(1, 5)])
def test_a_chain_joins_by_the_rules_of_update_ids(snapshot: int, diffs: list[tuple[int, int]]) -> None:
    """Old diffs are passed over, the first new one must lead over the snapshot's id, each later one exactly from the last.

    A diff leads from its former id to its last one; offsets are counted from where an unbroken chain would continue.
    """
    stage = stage_of("chain", CHAIN)
    stage.feed(stage.rows(codes.DEPTH, 0, 0, BOTH, marks=codes.SNAPSHOT, ref=snapshot))
    last, fresh, whole, quantity = snapshot, True, True, 1
    for number, (offset, length) in enumerate(diffs, 2):
        former = last + offset
        to = former + length
        said = stage.feed(stage.diff(0, [placed(codes.BUY, 1, number)], ref=to, value=former))
        if whole and to > last:
            if former == last or (fresh and former <= last):
                last, fresh, quantity = to, False, number
            else:
                whole = False
                assert verdicts(said) == [(0, CHAIN_BROKEN)]
        elif whole and fresh:
            assert not verdicts(said), "a venue's buffer may overlap its snapshot"
        else:
            assert {code for _, code in verdicts(said)} <= {TOLD_TWICE, OLD_MESSAGE, OUT_OF_ORDER}
        top = stage.s["top"][0]
        assert int(top["condition"]) == (codes.SYNCED if whole else codes.INVALID)
        if whole:
            assert int(top["bid_quantity"]) == quantity and int(stage.s["book"]["last_id"][0]) == last
        else:
            assert top["good"] == 0


def test_a_snapshot_older_than_the_book_changes_nothing() -> None:
    """Replayed old data is told and left out; with RESYNC the ids begin anew."""
    stage = stage_of("chain", CHAIN)
    stage.feed(stage.rows(codes.DEPTH, 0, 0, BOTH, marks=codes.SNAPSHOT, ref=50))
    old = [placed(codes.BUY, 9, 1), placed(codes.SELL, 9, 1)]
    said = stage.feed(stage.rows(codes.DEPTH, 0, 0, old, marks=codes.SNAPSHOT, ref=40))
    assert verdicts(said) == [(0, OLD_MESSAGE)]
    assert levels_of(stage, codes.BUY) == [(MID - 1, 1)] and stage.s["top"]["condition"][0] == codes.SYNCED
    stage.feed(stage.rows(codes.DEPTH, 0, 0, old, marks=codes.SNAPSHOT | codes.RESYNC, ref=40))
    assert levels_of(stage, codes.BUY) == [(MID - 9, 1)]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_torn_best_quote_is_never_a_touch(lost: int) -> None:
    """Either row of a best quote missing: the touch is not made of two different messages."""
    stage = stage_of("plain", PAIR)
    stage.feed(stage.touch(0, 1.0))
    assert stage.s["top"]["good"][0] == 1
    torn = stage.touch(0, 1.01)
    kept = torn[1 - lost : 2 - lost].copy()
    stage.feed(kept)
    after = stage.touch(0, 1.02)
    stage.feed(after[:1])
    top = stage.s["top"][0]
    assert not top["good"] or (top["bid"], top["ask"]) == (MID - 1, MID + 1)
    stage.feed(after[1:])
    assert (int(top["bid"]), int(top["ask"])) == (10_199, 10_201) and top["good"] == 1 and top["condition"] == codes.SYNCED


def test_best_quotes_before_the_first_snapshot_admit_no_diff() -> None:
    """A touch known from best quotes is no book: a diff finds nothing it could belong to."""
    stage = stage_of("plain", PAIR)
    stage.feed(stage.touch(0, 1.0))
    stage.feed(stage.diff(0, [placed(codes.BUY, 5, 1)]))
    assert levels_of(stage, codes.BUY) == [] and int(stage.s["top"]["bid"][0]) == MID - 1
    stage.feed(stage.snapshot(0, 1.0, levels=2))
    assert len(levels_of(stage, codes.BUY)) == 2
