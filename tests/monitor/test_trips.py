"""Closed trades: first in, first out, against a reference that holds every unit by itself."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.monitor.trips import trips

from . import naive

FILL = st.tuples(st.integers(0, 1), st.integers(1, 6), st.integers(90, 110), st.integers(-3, 9))


def frame(fills: list[tuple[int, int, int, int]], strategy: str = "swing") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ts_ns": [10 * i for i in range(len(fills))],
            "strategy": [strategy] * len(fills),
            "instrument": ["a:B/C"] * len(fills),
            "side": [fill[0] for fill in fills],
            "quantity": [float(fill[1]) for fill in fills],
            "cost": [float(fill[1] * fill[2]) for fill in fills],
            "fee": [fill[3] / 10 for fill in fills],
        }
    )


@given(st.lists(FILL, min_size=1, max_size=25))
def test_trades_equal_the_unit_by_unit_reference(fills: list[tuple[int, int, int, int]]) -> None:
    data = frame(fills)
    closed, expected = trips(data), naive.trips(data.to_dicts())
    assert closed.profit.tolist() == pytest.approx([profit for profit, _ in expected], abs=1e-9)
    assert closed.holding_ns.tolist() == pytest.approx([holding for _, holding in expected], abs=1e-6)


def test_books_of_two_strategies_do_not_close_each_other() -> None:
    both = pl.concat([frame([(0, 1, 100, 0)], "one"), frame([(1, 1, 101, 0)], "two")])
    assert trips(both).count == 0


def test_a_fill_through_zero_closes_then_opens() -> None:
    closed = trips(frame([(0, 2, 100, 10), (1, 5, 103, 5), (0, 3, 101, 0)]))
    assert closed.profit.tolist() == pytest.approx([2 * 3 - 1.0 - 0.2, 3 * 2 - 0.3])
    assert closed.holding_ns.tolist() == [10.0, 10.0]


def test_float_dust_opens_no_position() -> None:
    data = frame([(0, 1, 100, 0), (1, 1, 100, 0)]).with_columns(quantity=pl.Series([0.1 + 0.2, 0.3]))
    assert trips(pl.concat([data, data])).count == 2
