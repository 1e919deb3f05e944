"""What a person is told of a finished run, and what to ask next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from tradewind.cli.commands.backtest import told
from tradewind.domain import codes
from tradewind.runtime.backtest import Result

PRICED = pl.DataFrame(
    {"ts_ns": [60 * codes.SECOND, 90 * codes.SECOND + 5], "instrument": ["kraken:BTC/USD"] * 2, "mid": [1.0, 2.0]}
)


def happened(prices: pl.DataFrame, **more: Any) -> dict[str, str]:
    run = SimpleNamespace(
        rows=7_000, rows_per_s=2_000.4, orders=0, fills=0, quarantined=0, machine_hash="m", digest="d", report="r", journal="j",
        table="t", record=SimpleNamespace(prices=prices), last_order=None, summary=dict,
    )  # fmt: skip
    run.__dict__.update(last_price=Result.last_price.fget(run), **more)  # type: ignore[attr-defined]
    return {str(name): str(value) for name, value in told(run).blocks[-1].rows}


@pytest.mark.parametrize(("rate", "words"), [(2_000.4, "7,000 at 2,000 a second"), (0.0, "7,000")])
def test_a_run_at_the_pace_of_time_names_no_rate(rate: float, words: str) -> None:
    assert happened(PRICED, rows_per_s=rate)["rows"] == words


def test_a_run_can_be_asked_why_or_why_not() -> None:
    assert happened(PRICED, last_order=17)["ask it"] == "tradewind why 17 --journal j"
    assert happened(PRICED)["ask it"] == "tradewind why-not kraken:BTC/USD 1970-01-01T00:01:30 --journal j"
    assert "ask it" not in happened(PRICED.clear())
