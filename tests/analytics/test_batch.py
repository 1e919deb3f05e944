"""Batch is the machine's own steps, bit for bit, and nothing in it looks ahead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tradewind.domain.codes import HOUR, MINUTE, TIMEFRAME_NAMES
from tradewind.domain.errors import BadData, BadUse
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.engine.batch import CHUNK, Loop, features
from tradewind.storage.tape import Tape

from . import bars

ONE_MINUTE, FIVE_MINUTES = TIMEFRAME_NAMES.index("1m"), TIMEFRAME_NAMES.index("5m")


@pytest.fixture(scope="module")
def tape(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Tape:
    return bars.import_tape(shared_data, tmp_path_factory.mktemp("bars") / "tape")


@pytest.fixture(scope="module")
def recorded(tape: Tape) -> Rows:
    return tape.read(0, sum(segment.rows for segment in tape.manifest.segments)).copy()


def columns(loop: Loop, tape_rows: Rows, timeframe: int = ONE_MINUTE) -> NDArray[np.float64]:
    """Shape (fields, bars), straight from the loop."""
    mine = tape_rows.copy()
    mine["instrument"] = 0
    made = np.empty((len(loop.outputs), len(mine)))
    assert loop.play(loop.state(timeframe), mine, 0, len(mine), made, 0) == len(mine)
    return made


def all_rows(loop: Loop, frame: pl.DataFrame, instrument: Instrument, timeframe: int = ONE_MINUTE) -> Rows:
    return np.concatenate([chunk.copy() for chunk in loop.rows_of(frame, timeframe, instrument)])


def bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.ascontiguousarray(values).view(np.int64)


@pytest.mark.real
def test_batch_equals_the_machine_on_the_real_tape(loop: Loop, tape: Tape, recorded: Rows) -> None:
    """The weekend USDC lost its peg, three venues merged, stepped row by row; the five-minute bars are the machine's own."""
    start = int(np.searchsorted(recorded["ts_local"], recorded["ts_local"][-1] - 46 * HOUR)) // 3 * 3
    stretch = recorded[start : start + 2_400].copy()
    outputs = [tuple(name.split(".")) for name, _, _ in loop.outputs]
    steps = bars.stepped(stretch, tape.manifest.instruments, outputs, ("1m", "5m"))
    assert len(steps) == 6
    for i, instrument in enumerate(tape.manifest.instruments):
        mine = stretch[stretch["instrument"] == i]
        np.testing.assert_array_equal(bits(columns(loop, mine).T), bits(steps[i, 0]))
        longer = all_rows(loop, five_minutes(mine, instrument), instrument, FIVE_MINUTES)
        assert len(longer) > 130
        np.testing.assert_array_equal(bits(columns(loop, longer, FIVE_MINUTES).T), bits(steps[i, 1]))


def five_minutes(mine: Rows, instrument: Instrument) -> pl.DataFrame:
    """Five-minute bars made by Polars, which knows nothing of the machine; those the stretch saw whole."""
    part = (mine["ts_local"] - 1) // (5 * MINUTE)
    closed = set(part[mine["ts_local"] % (5 * MINUTE) == 0].tolist())
    frame = bars.frame_of(mine, instrument).with_columns(part=pl.Series(part))
    first, last, low, high = (getattr(pl.col(name), how)() for name, how in
                              (("open", "first"), ("close", "last"), ("low", "min"), ("high", "max")))  # fmt: skip
    whole = frame.group_by("part", maintain_order=True).agg(first, high, low, last, pl.col("volume").sum())
    return whole.filter(pl.col("part").is_in(list(closed))).drop("part")


@pytest.mark.real
def test_one_call_equals_a_call_a_bar_on_the_whole_tape(loop: Loop, recorded: Rows) -> None:
    for i in range(len(bars.RECORDED)):
        mine = recorded[recorded["instrument"] == i].copy()
        whole = columns(loop, mine)
        mine["instrument"] = 0
        state, single = loop.state(ONE_MINUTE), np.empty_like(whole)
        for n in range(len(mine)):
            loop.play(state, mine, n, n + 1, single, n)
        np.testing.assert_array_equal(bits(single), bits(whole))


@pytest.mark.real
def test_uncompiled_gives_the_same_bits(loop: Loop, slow_loop: Loop, recorded: Rows) -> None:
    for i in range(len(bars.RECORDED)):
        mine = recorded[recorded["instrument"] == i][-1_500:]
        np.testing.assert_array_equal(bits(columns(slow_loop, mine)), bits(columns(loop, mine)))


@pytest.mark.parametrize(("price_exponent", "factor"), [(2, 1.0), (6, 1.0), (2, 0.001)])
def test_uncompiled_gives_the_same_bits_on_wild_bars(loop: Loop, slow_loop: Loop, price_exponent: int, factor: float) -> None:
    """Fine units take the wide branch of the bands; coarse ones make most bars flat."""
    frame = bars.random_bars(700, 3, calm=0.3)
    frame = frame.with_columns((pl.col(name) * factor).round(2).clip(0.01) for name in ("open", "high", "low", "close"))
    coin = Instrument(venue="t", symbol="t", base="C", quote="USD", price_exponent=price_exponent, quantity_exponent=5)
    tape_rows = all_rows(loop, frame, coin)
    np.testing.assert_array_equal(bits(columns(slow_loop, tape_rows)), bits(columns(loop, tape_rows)))


@given(t=st.integers(0, 1_200), seed=st.integers(0, 3))
def test_what_comes_after_t_changes_nothing_before(loop: Loop, t: int, seed: int) -> None:
    tape_rows = all_rows(loop, bars.random_bars(1_200, seed), bars.COIN)
    other = np.concatenate([tape_rows[:t], all_rows(loop, bars.random_bars(300, seed + 9), bars.COIN)])
    whole = bits(columns(loop, tape_rows))
    np.testing.assert_array_equal(bits(columns(loop, tape_rows[:t])), whole[:, :t])
    np.testing.assert_array_equal(bits(columns(loop, other))[:, :t], whole[:, :t])


@pytest.mark.real
@given(t=st.integers(1, 17_280))
def test_truncating_the_real_tape_changes_nothing_before(loop: Loop, recorded: Rows, t: int) -> None:
    mine = recorded[recorded["instrument"] == 2]
    np.testing.assert_array_equal(bits(columns(loop, mine[:t])), bits(columns(loop, mine))[:, :t])


# The frame -------------------------------------------------------------------------------------------------------------


def test_columns_are_scaled_and_null_until_warm(loop: Loop) -> None:
    frame = bars.random_bars(CHUNK + 50, 1)
    made = features(frame, bars.OF_BARS, "1m", bars.COIN, loop)
    assert made.height == frame.height
    assert made.columns == [name for name, _, _ in loop.outputs]
    for name, _, warm in loop.outputs:
        assert made[name].null_count() == warm - 1
        assert made[name][warm - 1] is not None
    expected = frame["close"].rolling_mean(20)
    assert (made["sma.sma20"] - expected).abs().max() < 1e-8
    raw = columns(loop, all_rows(loop, frame, bars.COIN))
    at = made.columns.index("rsi.rsi")
    np.testing.assert_array_equal(bits(made["rsi.rsi"].to_numpy()[14:]), bits(raw[at, 14:]))


def test_rows_hold_the_frame(loop: Loop) -> None:
    frame = bars.random_bars(CHUNK + 50, 6)
    made = all_rows(loop, frame, bars.COIN)
    assert bars.frame_of(made, bars.COIN).equals(frame)
    assert (np.diff(made["ts_local"]) == MINUTE).all()


def test_short_frames_are_all_null(loop: Loop) -> None:
    made = features(bars.random_bars(3, 1), bars.OF_BARS, "1m", bars.COIN, loop)
    assert made["rsi.rsi"].null_count() == 3
    assert made["returns.simple1"].null_count() == 1
    assert features(bars.random_bars(3, 1).clear(), bars.OF_BARS, "1m", bars.COIN, loop).height == 0


def test_times_are_kept(loop: Loop) -> None:
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 1, 0, 39), "1m", eager=True, time_zone="UTC")
    frame = bars.random_bars(40, 1).with_columns(timestamp=times)
    assert features(frame, bars.OF_BARS, "1m", bars.COIN, loop)["timestamp"].equals(times)
    with pytest.raises(BadData, match="row 1"):
        features(frame.reverse(), bars.OF_BARS, "1m", bars.COIN, loop)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("high", 0.5, "row 7: a bar whose prices"),
        ("low", 99_999.0, "row 7: a bar whose prices"),
        ("volume", -1.0, "row 7: a bar whose prices"),
        ("close", 30_000.001, "row 7: close 30000.001 is no whole number"),
        ("open", float("nan"), "row 7: open nan"),
        ("volume", None, "row 7: volume"),
        ("high", 1e300, "row 7: high"),
    ],
)
def test_a_bar_that_is_none_is_named(loop: Loop, column: str, value: float | None, says: str) -> None:
    frame = bars.random_bars(20, 1)
    frame = frame.with_columns(pl.when(pl.int_range(20) == 7).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))
    with pytest.raises(BadData, match=says):
        features(frame, bars.OF_BARS, "1m", bars.COIN, loop)


def test_units_too_fine_for_a_bar_are_named(loop: Loop) -> None:
    fine = Instrument(venue="t", symbol="t", base="C", quote="USD", price_exponent=8, quantity_exponent=5)
    with pytest.raises(BadData, match="smaller price_exponent"):
        next(loop.rows_of(bars.random_bars(300, 1), ONE_MINUTE, fine))


def test_bad_names_are_refused(loop: Loop) -> None:
    with pytest.raises(BadUse, match="rsi"):
        Loop(("rsy",))
    with pytest.raises(BadUse, match="flow listens to books"):
        Loop(("rsi", "flow"))
    with pytest.raises(BadUse, match="no feature"):
        Loop(())
    with pytest.raises(BadUse, match="1m"):
        features(bars.random_bars(3, 1), ("rsi",), "2m", bars.COIN)
    with pytest.raises(BadData, match="volume"):
        next(loop.rows_of(bars.random_bars(3, 1).drop("volume"), ONE_MINUTE, bars.COIN))


def test_columns_of_text_are_refused(loop: Loop) -> None:
    with pytest.raises(BadData, match="column close is String"):
        features(bars.random_bars(3, 1).with_columns(pl.col("close").cast(pl.String)), bars.OF_BARS, "1m", bars.COIN, loop)


def test_a_row_of_another_instrument_stops_the_loop(loop: Loop) -> None:
    tape_rows = all_rows(loop, bars.random_bars(10, 1), bars.COIN)
    tape_rows["instrument"][6] = 1
    made = np.empty((len(loop.outputs), 10))
    assert loop.play(loop.state(ONE_MINUTE), tape_rows, 0, 10, made, 0) == 6
