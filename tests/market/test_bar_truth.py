"""Bars beside bars: wicks on both sides, a currency known by one source and its pairs, two sources and their habit."""

from __future__ import annotations

import numpy as np

from tradewind.domain import codes
from tradewind.domain.reasons import DISTRUSTED, FROZEN_FEED, LONG_WICK, OFF_CONSENSUS, WRONG_SCALE
from tradewind.domain.rows import Rows, pack_range, rows

from .stage import T0, Stage, instruments, verdicts

MINUTE_BARS = codes.TIMEFRAME_NAMES.index("1m")
Bar = tuple[float, float, float]
"""high, low, close; it opens at its close."""


def stage_of_bars(*pairs: str) -> Stage:
    return Stage(instruments(*pairs), every_ms=0.0, bars_only=True, stale_ns=5 * codes.MINUTE, timeframes=("1m", "5m", "15m"))


def minute(stage: Stage, n: int, bars: dict[int, Bar | float]) -> list[tuple[int, int]]:
    """Feeds the n-th minute's bars by instrument, lets all sources have their say; the verdicts."""
    parts: list[Rows] = []
    for i, told in bars.items():
        high, low, close = (round(x * 1e4) for x in (told if isinstance(told, tuple) else (told, told, told)))
        row = rows(1)
        row["kind"], row["marks"], row["strategy"], row["instrument"], row["source"] = codes.BAR, codes.WHOLE, MINUTE_BARS, i, 3 * i
        row["ts_local"] = row["ts_venue"] = T0 + (n + 1) * codes.MINUTE
        row["price"] = row["ref"] = close
        row["quantity"], row["value"] = 1000, pack_range(high - close, close - low)
        parts.append(stage.number(row))
    stage.now = T0 + (n + 1) * codes.MINUTE
    said = verdicts(stage.feed(np.concatenate(parts)))
    return said + verdicts(stage.wait(2))


def test_a_high_that_all_saw_excuses_no_low() -> None:
    stage = stage_of_bars("a:BTC/USD", "b:BTC/USD", "c:BTC/USD")
    for n in range(5):
        assert minute(stage, n, dict.fromkeys(range(3), 1000.0)) == []
    wide: Bar = (1010.0, 999.0, 1000.0)
    assert minute(stage, 5, dict.fromkeys(range(3), wide)) == []
    assert minute(stage, 6, {0: wide, 1: wide, 2: (1010.0, 980.0, 1000.0)}) == [(2, LONG_WICK)]


def test_a_lone_source_of_a_currency_is_not_believed_against_its_pairs() -> None:
    """Its other source is silent: what stands for minutes is another unit all the same, and no peg is broken by it."""
    stage = stage_of_bars("a:BTC/USD", "b:BTC/USD", "b:BTC/USDT", "c:BTC/USDT", "c:USDT/USD")
    honest: dict[int, Bar | float] = {0: 1000.0, 1: 1000.0, 2: 1000.0, 3: 1000.0}
    for n in range(8):
        assert minute(stage, n, honest | {4: 1.0}) == []
    told = [minute(stage, n, honest | {4: 100.0}) for n in range(8, 13)]
    assert told[0] == [(4, WRONG_SCALE)] and {told_of for part in told[1:] for told_of in part} <= {(4, DISTRUSTED)}
    group = stage.s["group"][2]
    assert abs(float(group["reference"]) - 1.0) < 0.01 and float(stage.s["group"]["strain"].max()) < 0.005
    assert [minute(stage, n, honest | {4: 1.0}) for n in range(13, 18)] == [[]] * 5
    assert bool(stage.s["top"]["good"][4]), "trust comes back"
    broken = honest | {2: 900.0, 3: 900.0, 4: 1.11}
    for n in (18, 19):
        minute(stage, n, broken)
    assert bool(stage.s["top"]["good"][4]), "a break its pairs see too is believed"


def test_two_sources_and_a_habit_do_not_scatter() -> None:
    """A liar and an honest source that is a little off: the liar's own distance widens nobody's limit."""
    stage = stage_of_bars("a:USDC/USD", "b:USDC/USD", "a:BTC/USDC")
    for n in range(70):
        assert minute(stage, n, {0: 1.0, 1: 1.0, 2: 1000.0}) == []
    assert minute(stage, 70, {0: 0.9985, 1: 1.0, 2: 1000.0}) == []
    assert minute(stage, 71, {0: 0.9985, 1: 1.0046, 2: 1000.0}) == [(1, OFF_CONSENSUS)]


def test_a_close_told_again_and_again_is_named_once_and_by_habit() -> None:
    """Longer than is usual there, while the others moved a little: told, not refused. Who often stands may stand for longer."""
    stage = stage_of_bars("a:BTC/USD", "b:BTC/USD", "c:BTC/USD")
    for n in range(60):  # c changes its close every fourth minute, a and b every minute
        moving = 1000.0 + 0.01 * (n % 7)
        assert minute(stage, n, {0: moving, 1: moving, 2: 1000.0 + 0.01 * (n // 4 % 5)}) == []
    stood = [minute(stage, n, dict.fromkeys((0, 1), 1000.0 + 0.2 * (n - 59)) | {2: 1000.0}) for n in range(60, 70)]
    assert [said for part in stood for said in part] == [(2, FROZEN_FEED)]
    first = [(2, FROZEN_FEED) in part for part in stood].index(True)
    assert 3 <= first <= 8, "longer than the four minutes it always stands"
    assert bool(stage.s["top"]["good"][2]), "twenty basis points off: it may be right"
