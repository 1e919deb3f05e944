"""The statistics of whole runs: sums agree, nothing is NaN, and every missing value says why."""

from __future__ import annotations

import itertools
import json
import math

import msgspec
import numpy as np
import polars as pl
import pytest

from tradewind.domain import codes
from tradewind.domain.codes import DAY, HOUR, MINUTE
from tradewind.domain.errors import BadData
from tradewind.monitor import words
from tradewind.monitor.cautions import stale_share
from tradewind.monitor.figures import Figure, Performance
from tradewind.monitor.record import Quality, RunRecord
from tradewind.monitor.statistics import buy_and_hold, statistics, to_builtins

from . import naive, sample


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return sample.run(hours=8, fills=600)


def curve(values: list[float] | np.ndarray, step: int = MINUTE, **more: object) -> RunRecord:
    frame = pl.DataFrame({"ts_ns": np.arange(len(values), dtype=np.int64) * step, "equity": np.array(values, np.float64)})
    return RunRecord(title="curve", equity=frame, capital=100.0, currency="USDT", **more)


def noisy(n: int, step: int, drift: float = 0.0) -> RunRecord:
    returns = np.random.default_rng(11).normal(drift, 0.01, n)
    return curve(100.0 * np.append(1.0, np.cumprod(1.0 + returns)), step)


def test_money_adds_up(record: RunRecord) -> None:
    measured = statistics(record)
    whole, parts = measured.whole, list(measured.strategies.values())
    for field in ("pnl", "gross_edge", "fees", "slippage", "traded", "fills", "orders", "trades"):
        assert getattr(whole, field).value == pytest.approx(sum(getattr(part, field).value for part in parts), abs=1e-6)
    assert whole.gross_edge.value - whole.fees.value - whole.slippage.value == pytest.approx(whole.pnl.value, abs=1e-9)
    assert whole.total_return.value == pytest.approx(record.equity["equity"][-1] / record.capital - 1)
    assert whole.turnover.value == pytest.approx(record.fills["cost"].sum() / record.capital)


def test_ratios_are_those_of_the_plain_references(record: RunRecord) -> None:
    measured = statistics(record)
    assert measured.interval_ns == MINUTE
    ts, equity = record.equity["ts_ns"].to_list(), record.equity["equity"].to_list()
    grid = equity[:: MINUTE // sample.STEP]
    returns = [after / before - 1 for before, after in itertools.pairwise(grid)]
    assert measured.samples == len(returns)
    assert measured.whole.sharpe.value == pytest.approx(naive.sharpe(returns, 365 * 24 * 60), rel=1e-9)
    assert measured.whole.sharpe.error == pytest.approx(naive.lo_error(returns, 365 * 24 * 60), rel=1e-9)
    assert measured.whole.sortino.value == pytest.approx(naive.sortino(returns, 365 * 24 * 60), rel=1e-9)
    depth = naive.drawdown([record.capital, *equity])
    assert measured.whole.max_drawdown.value == pytest.approx(depth, rel=1e-9)
    held = [x / y for x, y in zip(record.equity["exposure"].to_list(), equity, strict=True)]
    assert measured.whole.exposure_mean.value == pytest.approx(sum(held[:-1]) / (len(ts) - 1), rel=1e-9)


def test_the_same_record_gives_the_same_figures(record: RunRecord) -> None:
    assert to_builtins(statistics(record)) == to_builtins(statistics(record))


def test_a_value_lies_in_its_interval(record: RunRecord) -> None:
    for _, figure in words.rows(statistics(record).whole):
        if figure.low is not None:
            assert figure.low < figure.value < figure.high


FLAT = [100.0] * 200
RUNS = {
    "nothing": curve([]),
    "one row": curve([100.0]),
    "two rows": curve([100.0, 101.0]),
    "flat": curve(FLAT),
    "constant growth": curve(100.0 * 1.001 ** np.arange(200)),
    "ruin": curve([100.0, 50.0, 0.0, -20.0] + [-20.0] * 100),
    "a year, rising": noisy(365, DAY, 0.002),
    "tiny": noisy(10, MINUTE),
    "irregular": RunRecord(
        title="gaps",
        equity=pl.DataFrame({"ts_ns": [0, 5, 7, 9 * DAY], "equity": [100.0, 99.0, 98.0, 103.0]}),
        capital=100.0,
        currency="USD",
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_missing_value_has_a_reason_and_nothing_is_nan(name: str) -> None:
    measured = statistics(RUNS[name])
    json.dumps(to_builtins(measured), allow_nan=False)
    for row, figure in words.rows(measured.whole):
        assert figure.value is None or math.isfinite(figure.value), row.field
        assert figure.value is not None or figure.note, row.field
        assert words.shown(figure, "USDT")


def test_the_table_shows_every_figure() -> None:
    assert [row.field for row in words.ROWS] == list(Performance.__struct_fields__)


def test_a_year_is_annualised_and_a_day_is_not() -> None:
    year, day = statistics(noisy(365, DAY, 0.002)).whole, statistics(noisy(100, 15 * MINUTE)).whole
    assert year.cagr.value == pytest.approx(year.total_return.value, rel=1e-9)
    assert year.calmar.value == pytest.approx(-year.cagr.value / year.max_drawdown.value, rel=1e-9)
    assert day.cagr.value is None
    assert "30 days" in day.cagr.note
    assert day.calmar.value is None


def test_the_capital_is_the_first_peak() -> None:
    whole = statistics(curve([90.0, 95.0, 99.0], HOUR)).whole
    assert whole.max_drawdown.value == pytest.approx(-0.1)
    assert whole.under_water.value == 2 * HOUR
    assert "not recovered" in whole.under_water.note


def test_buy_and_hold_splits_the_capital_over_what_was_traded() -> None:
    prices = pl.DataFrame(
        {"ts_ns": [0, 0, 0, MINUTE, MINUTE, MINUTE], "instrument": ["a", "b", "c"] * 2, "mid": [10.0, 5.0, 1.0, 12.0, 5.5, 9.0]}
    )
    fills = sample.run(hours=1, fills=20).fills.head(2).with_columns(instrument=pl.Series(["a", "b"]))
    traded = curve([100.0, 100.0], prices=prices, fills=fills)
    assert buy_and_hold(traded).tolist() == pytest.approx([100.0, 115.0])
    rated = msgspec.structs.replace(traded, prices=prices.with_columns(rate=pl.Series([1.0, 1.0, 1.0, 0.5, 1.0, 1.0])))
    assert buy_and_hold(rated).tolist() == pytest.approx([100.0, 85.0])
    untraded = curve([100.0, 100.0], prices=prices)
    assert buy_and_hold(untraded)[-1] == pytest.approx(100.0 * (1.2 + 1.1 + 9.0) / 3)
    assert buy_and_hold(curve([100.0])) is None


def texts(record: RunRecord, level: str | None = None) -> str:
    return "\n".join(caution.text for caution in statistics(record).cautions if level in (None, caution.level))


def test_warnings_name_what_is_doubtful(record: RunRecord) -> None:
    serious = texts(record, "serious")
    assert "think_ns = 0 for swing" in serious
    assert "too short" in serious
    assert "UNKNOWN" in serious
    notes = texts(record, "note")
    for part in ("24 trials", "not SYNCED", "announced by the venue"):
        assert part in texts(record)
        assert part in notes or part == "not SYNCED"


def test_warnings_stay_silent_where_there_is_no_doubt() -> None:
    good = sample.run(hours=8, fills=600)
    calm = msgspec.structs.replace(
        good, think_ns={"swing": 5}, trials=1, warnings=(), quality=Quality(),
        orders=good.orders.filter(pl.col("status") != "UNKNOWN"), equity=noisy(400, DAY, 0.005).equity,
    )  # fmt: skip
    assert texts(calm) == ""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"venues": ("kraken",)}, "One venue only (kraken)"),
        ({"fills": "no fee"}, "No fee was paid"),
        ({"fills": "few"}, "trades were closed"),
    ],
)
def test_one_doubt_each(record: RunRecord, change: dict[str, object], expected: str) -> None:
    frames = {"no fee": record.fills.with_columns(fee=pl.lit(0.0)), "few": record.fills.head(30)}
    assert expected not in texts(record)
    changed = {key: frames.get(value, value) if isinstance(value, str) else value for key, value in change.items()}
    assert expected in texts(msgspec.structs.replace(record, **changed))


def test_stale_share_counts_time_not_rows() -> None:
    streams = pl.DataFrame(
        {"ts_ns": [0, 10, 30, 0], "stream": ["x", "x", "x", "y"], "state": [codes.SYNCED, codes.GAP, codes.SYNCED, codes.SYNCED]}
    )
    run = curve([100.0, 100.0], 100, quality=Quality(streams=streams))
    assert stale_share(run) == pytest.approx(20 / 200)


BROKEN = [
    ({"capital": 0.0}, "capital is 0.0"),
    ({"equity": pl.DataFrame({"ts_ns": [1]})}, "column equity is missing"),
    ({"equity": pl.DataFrame({"ts_ns": [1, 1], "equity": [1.0, 1.0]})}, "does not increase at row 1"),
    ({"equity": pl.DataFrame({"ts_ns": [1, 2], "equity": [1.0, math.nan]})}, "equity is nan in row 1"),
    ({"equity": pl.DataFrame({"ts_ns": [1, 2], "equity": [1.0, None]})}, "has holes"),
    ({"equity": pl.DataFrame({"ts_ns": [1.0], "equity": [1.0]})}, "ts_ns is Float64"),
    ({"fills": "reversed"}, "not in time order"),
    ({"fills": "nothing"}, "a fill of nothing"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_a_record_that_no_run_can_leave_is_refused(record: RunRecord, change: dict[str, object], message: str) -> None:
    frames = {"reversed": record.fills.reverse(), "nothing": record.fills.with_columns(quantity=pl.lit(0.0))}
    whole = {field: getattr(record, field) for field in record.__struct_fields__}
    whole |= {key: frames.get(value, value) if isinstance(value, str) else value for key, value in change.items()}
    with pytest.raises(BadData, match=message):
        RunRecord(**whole)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (-0.0, "money", "0.00 USDT"),
        (-23.624, "money", "−23.62 USDT"),
        (0.0069, "money", "0.0069 USDT"),
        (3830519.9, "money", "3,830,520 USDT"),
        (-48_300_000.0, "money", "−48.3 M USDT"),
        (-0.00024, "ratio", "−0.024 %"),
        (12.5, "ratio", "1,250 %"),
        (1.19, "bps", "1.19 bps"),
        (38.31, "times", "38.31 ×"),
        (12000.0, "count", "12,000"),
        (1.5e6, "ns", "1.5 ms"),
        (42.0 * codes.SECOND, "ns", "42.0 s"),
        (36 * HOUR - 5 * codes.SECOND, "ns", "1 d 12 h"),
        (727 * codes.SECOND, "ns", "12 min 7 s"),
        (59.9 * codes.SECOND, "ns", "59.9 s"),
    ],
)
def test_numbers_are_written_for_people(value: float, unit: str, text: str) -> None:
    assert words.shown(Figure(value, unit), "USDT") == text
