"""The quality page says which day is the worst only where one is worse than whole, and draws each day in its place."""

from __future__ import annotations

from typing import Any

import pytest

from tradewind.fabric.catalogue import Covered
from tradewind.monitor import quality

COUNTS = {"rows": 10, "quarantined": 0, "duplicates": 0, "first_ts": 0, "last_ts": 1, "gaps": 0, "gap_ns": 0}


def covered(day: str, share: float, instrument: str = "BTC/USD") -> Covered:
    return Covered(venue="kraken", instrument=instrument, channel="trade", day=day, quality=share, **COUNTS)


@pytest.mark.parametrize(
    ("least", "said"),
    [(1.0, "Every day is whole."), (0.99996, "The worst day is 2026-01-02 of kraken:BTC/USD:trade: 0.9999.")],
)
def test_the_head_names_a_worst_day_only_where_there_is_one(least: float, said: str) -> None:
    days = [covered("2026-01-01", 1.0), covered("2026-01-02", least)]
    assert said in quality.render(quality.Known(days, (), ()))
    assert ("worst" in quality.render(quality.Known(days, (), ()))) == (least < 1)


def test_each_day_stands_in_its_place_and_what_is_not_known_is_empty() -> None:
    drawings: dict[str, Any] = {}
    known = [covered("2026-01-02", 0.5), covered("2026-01-01", 0.25, "ETH/USD"), covered("2026-01-02", 0.75, "ETH/USD")]
    quality._quality(known, drawings)
    (drawn,) = drawings["quality"]["data"]
    assert (drawn["x"], drawn["y"]) == (["2026-01-01", "2026-01-02"], ["kraken:BTC/USD:trade", "kraken:ETH/USD:trade"])
    assert drawn["z"] == [[None, 0.5], [0.25, 0.75]]
    assert drawn["customdata"] == [[None, [10, 0, 0]], [[10, 0, 0]] * 2]
