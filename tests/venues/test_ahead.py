"""Work in a second thread keeps its order, hands its errors on, and ends when nobody listens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tradewind.venues.ahead import Aside, ahead


def counted(most: int, fail_at: int = -1) -> Iterator[int]:
    for k in range(most):
        if k == fail_at:
            raise OSError("torn")
        yield k


def alive() -> int:
    return sum(thread.name in ("ahead", "aside") for thread in threading.enumerate())


def test_items_come_in_their_order() -> None:
    assert list(ahead(counted(100))) == list(range(100))
    assert alive() == 0


def test_an_error_is_raised_in_its_place() -> None:
    seen = []
    with pytest.raises(OSError, match="torn"):
        for item in ahead(counted(10, fail_at=7)):
            seen.append(item)  # noqa: PERF402 — what came before the error counts
    assert seen == list(range(7)) and alive() == 0


def test_whoever_leaves_early_leaves_no_thread() -> None:
    items = ahead(counted(1_000_000))
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    time.sleep(0.05)
    assert alive() == 0


def test_work_aside_is_done_in_order_and_waited_for() -> None:
    done = list[int]()
    with Aside(done.append) as aside:
        for k in range(50):
            aside(k)
    assert done == list(range(50)) and alive() == 0


def test_an_error_aside_reaches_the_one_who_waits() -> None:
    with pytest.raises(ZeroDivisionError), Aside(lambda k: 1 // k) as aside:
        for k in (1, 0, 2):
            aside(k)
    assert alive() == 0
