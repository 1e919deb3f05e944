"""A venue's clock by its quickest answers (X7): jitter, outliers, drift, a clock that is set; and our own being set."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tradewind.domain import codes
from tradewind.fabric.clock import JournalTime
from tradewind.fabric.clockskew import ClockSkew, clock_row

from .virtual import VirtualClock, run

MS, S = codes.MILLISECOND, codes.SECOND


def measure(skew: ClockSkew, rng: random.Random, now: int, offset: int, floor: int = 20 * MS) -> bool:
    """One question: both ways take a floor and a tail of their own; the venue tells whole ms."""
    there, back = (floor // 2 + int(rng.expovariate(1 / (10 * MS))) for _ in range(2))
    venue = (now + there + offset) // MS * MS
    return skew.sample(now, now + there + back, venue)


@pytest.mark.parametrize("offset", [0, -S, S, -3600 * S, 3600 * S])
def test_offset_is_found_within_its_own_error(offset: int) -> None:
    skew, rng = ClockSkew(), random.Random(5)
    for k in range(40):
        now = k * 10 * S + 1
        measure(skew, rng, 10**18 + now, offset)
        assert abs(skew.offset_ns - offset) <= skew.error_ns(10**18 + now)
    assert abs(skew.offset_ns - offset) < 15 * MS


def test_one_wild_answer_changes_nothing_and_a_set_clock_is_believed_the_second_time() -> None:
    skew, rng = ClockSkew(), random.Random(6)
    for k in range(10):
        measure(skew, rng, 10**18 + k * S, 0)
    before = skew.offset_ns
    measure(skew, rng, 10**18 + 11 * S, 7 * S)
    assert skew.offset_ns == before
    measure(skew, rng, 10**18 + 12 * S, 0)
    assert skew.jumps == 0
    for k in range(13, 16):
        measure(skew, rng, 10**18 + k * S, -3600 * S)
    assert skew.jumps == 1
    assert abs(skew.offset_ns + 3600 * S) < 50 * MS


def test_drift_is_followed() -> None:
    skew, rng = ClockSkew(), random.Random(7)
    for k in range(200):
        offset = int(k * 10 * S * 200e-6)
        measure(skew, rng, 10**18 + k * 10 * S, offset)
    assert abs(skew.offset_ns - int(199 * 10 * S * 200e-6)) <= skew.error_ns(10**18 + 199 * 10 * S)


def test_impossible_answers_are_refused() -> None:
    skew = ClockSkew()
    assert not skew.sample(10, 5, 7)
    assert not skew.sample(5, 10, 0)
    assert skew.refused == 2
    assert skew.error_ns(0) == codes.NEVER


def test_stamps_of_the_future_are_told_from_a_clock_that_is_ahead() -> None:
    skew, rng = ClockSkew(), random.Random(8)
    assert not skew.is_future(10**19, 10**18)  # nothing is known yet
    measure(skew, rng, 10**18, 3600 * S)
    assert not skew.is_future(10**18 + 3600 * S, 10**18)
    assert skew.is_future(10**18 + 3603 * S, 10**18)


def test_the_row_says_ours_minus_theirs() -> None:
    row = clock_row(4, 99, 250)[0]
    assert (int(row["kind"]), int(row["source"]), int(row["ts_local"]), int(row["value"])) == (codes.CLOCK, 4, 99, -250)


@pytest.mark.parametrize("step", [-3600 * S, -S, S, 3600 * S])
def test_setting_our_wall_clock_moves_no_journal_time(step: int) -> None:
    async def play(clock: VirtualClock) -> None:
        time = JournalTime(clock)
        first = time.stamp(time.now())
        clock.wall_offset += step
        assert time.now() - first < S
        assert time.stamp(time.now()) > first
        assert time.stepped() == step
        assert time.stepped() is None

    run(play)


def test_stamps_never_repeat_and_never_fall() -> None:
    async def play(clock: Any) -> None:
        time = JournalTime(clock, not_before=5)
        stamps = [time.stamp(at) for at in (100, 100, 90, 100, 200)]
        assert stamps == sorted(set(stamps))
        assert stamps[-1] == 200

    run(play)
