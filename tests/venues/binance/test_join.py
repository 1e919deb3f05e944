"""Joining diffs to a snapshot: any cut of a true history gives the same book, and every hole is seen."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.rows import Rows, rows
from tradewind.venues.binance.join import MAX_HELD, Join, Verdict


def tagged(tag: int) -> Rows:
    out = rows(1)
    out["ref"] = tag
    return out


def history(lengths: list[int]) -> list[tuple[int, int]]:
    """(previous, last) of diffs that cover ids from 100 on without a hole."""
    ends = [100]
    for length in lengths:
        ends.append(ends[-1] + length)
    return list(pairwise(ends))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.data())
def test_snapshot_anywhere_passes_exactly_what_follows_it(lengths: list[int], data: st.DataObject) -> None:
    diffs = history(lengths)
    arrives = data.draw(st.integers(0, len(diffs)))
    latest = diffs[arrives - 1][1] if arrives else 100
    at = data.draw(st.integers(100, max(latest, 100)))
    join, passed = Join(), list[int]()
    for previous, last in diffs[:arrives]:
        assert join.diff(previous, last, tagged(last)) is Verdict.HOLD
    taken, released = join.snapshot(at)
    assert taken
    passed += [int(held["ref"][0]) for held in released]
    passed += [last for previous, last in diffs[arrives:] if join.diff(previous, last, tagged(last)) is Verdict.EMIT]
    assert passed == [last for _, last in diffs if last > at]
    assert join.gaps == 0


@given(st.lists(st.integers(1, 9), min_size=3, max_size=40), st.data())
def test_a_missing_diff_is_one_gap(lengths: list[int], data: st.DataObject) -> None:
    diffs = history(lengths)
    lost = data.draw(st.integers(1, len(diffs) - 2))
    join = Join()
    join.snapshot(100)
    verdicts = [join.diff(*diff, tagged(0)) for index, diff in enumerate(diffs) if index != lost]
    assert verdicts[lost] is Verdict.BREAK
    assert set(verdicts[lost + 1 :]) <= {Verdict.HOLD}
    assert join.gaps == 1
    taken, released = join.snapshot(diffs[lost][1])
    assert taken
    assert len(released) == len(diffs) - 1 - lost
    assert join.joined


def test_repeated_and_old_are_dropped() -> None:
    join = Join()
    join.snapshot(100)
    assert join.diff(100, 105, tagged(0)) is Verdict.EMIT
    assert join.diff(100, 105, tagged(0)) is Verdict.DROP
    assert join.snapshot(103) == (False, [])
    assert join.contained == 2


def test_held_are_bounded_and_counted() -> None:
    join = Join()
    for previous, last in history([1] * (MAX_HELD + 50)):
        join.diff(previous, last, tagged(0))
    join.end()
    assert join.unjoined == MAX_HELD + 50


def test_a_gap_among_the_held_is_seen_when_they_are_released() -> None:
    join = Join()
    for previous, last in ((100, 105), (105, 110), (112, 115)):
        join.diff(previous, last, tagged(last))
    _, released = join.snapshot(102)
    assert [int(held["ref"][0]) for held in released] == [105, 110, 115]
    assert (join.gaps, join.joined) == (1, False)
