"""The request budget: no window is ever overspent, a ban is silence, cancels have a part of their own."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.fabric.budget import Backoff, Budget, Window
from tradewind.fabric.clock import JournalTime
from tradewind.venues.adapter import Quota

from .virtual import run

MINUTE = Window("1m", 100, codes.MINUTE)


def spent(log: list[tuple[int, int]], window: Window) -> int:
    """The most that was spent in any stretch of the window's length."""
    return max((sum(weight for at, weight in log if start <= at < start + window.length_ns) for start, _ in log), default=0)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30)), max_size=60))
def test_no_stretch_of_a_window_is_overspent(wishes: list[tuple[int, int]]) -> None:
    windows = [MINUTE, Window("10s", 30, 10 * codes.SECOND)]

    async def play(clock: Any) -> list[tuple[int, int]]:
        time, log = JournalTime(clock), []
        budget = Budget(time, windows)

        async def one(after: int, weight: int) -> None:
            await asyncio.sleep(after)
            await budget.acquire(weight, "cancel")
            log.append((time.now(), weight))

        await asyncio.gather(*(one(*wish) for wish in wishes))
        return log

    log = run(play)
    assert len(log) == len(wishes)
    assert all(spent(log, window) <= window.limit for window in windows)


def test_a_part_is_left_for_cancels() -> None:
    async def play(clock: Any) -> tuple[int, int]:
        budget = Budget(JournalTime(clock), [MINUTE])
        for _ in range(8):
            await budget.acquire(10)
        return budget.delay_ns(10, "market"), budget.delay_ns(10, "cancel")

    market, cancel = run(play)
    assert market > 0
    assert cancel == 0


def test_a_wish_beyond_every_window_is_refused_at_once() -> None:
    async def play(clock: Any) -> None:
        with pytest.raises(BadUse):
            await Budget(JournalTime(clock), [MINUTE]).acquire(101, "cancel")

    run(play)


def test_the_venues_own_count_is_believed_where_it_is_higher() -> None:
    async def play(clock: Any) -> tuple[int, int]:
        budget = Budget(JournalTime(clock), [MINUTE])
        await budget.acquire(10)
        budget.heard(200, Quota(used={"1m": 5}))
        free = budget.delay_ns(60)
        budget.heard(200, Quota(used={"1m": 75}))
        return free, budget.delay_ns(60)

    free, shared = run(play)
    assert free == 0
    assert shared == codes.MINUTE


@pytest.mark.parametrize(
    ("status", "told", "least"),
    [(418, 180, 180), (418, 0, 120), (429, 30, 30), (429, 0, 10)],
)
def test_nothing_is_asked_during_a_ban(status: int, told: int, least: int) -> None:
    async def play(clock: Any) -> tuple[int, bool]:
        time = JournalTime(clock)
        budget = Budget(time, [MINUTE], [Window("connects", 5, codes.MINUTE)])
        began = time.now()
        budget.heard(status, Quota(retry_after_ns=told * codes.SECOND, banned=status == 418))
        assert not budget.open
        await asyncio.gather(*(budget.acquire(1, purpose) for purpose in ("market", "cancel", "history")))
        return time.now() - began, budget.banned

    waited, banned = run(play)
    assert waited >= least * codes.SECOND
    assert banned == (status == 418)


def test_connections_keep_their_quota() -> None:
    async def play(clock: Any) -> list[int]:
        time = JournalTime(clock)
        budget = Budget(time, [], [Window("connects", 300, 5 * codes.MINUTE)])
        log = []
        for _ in range(1000):
            await budget.connect()
            log.append(time.now())
        return log

    log = run(play)
    assert all(log[i + 300] - log[i] >= 5 * codes.MINUTE for i in range(len(log) - 300))


def test_backoff_grows_jitters_and_is_capped() -> None:
    backoff = Backoff(random.Random(1), 0.5, 60.0)
    waits = [backoff.wait_s() for _ in range(200)]
    assert all(wait <= min(60.0, 0.5 * 2**n) for n, wait in enumerate(waits[:20]))
    assert max(waits) <= 60.0
    assert min(waits[20:]) < 10.0 < 50.0 < max(waits[20:])
    backoff.succeeded()
    assert backoff.wait_s() <= 0.5
