"""Bars by time against naive resampling, and longer bars by merging, gaps included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from machines import bars_machine
from tradewind.domain import codes
from tradewind.domain.rows import Rows, pack_range, rows
from tradewind.engine.prelude import StrategySetup

from .stage import T0, TRADES_OF, Stage, instruments, verdicts

MINUTE_S = 60
START = T0
FIELDS = ("c_open", "c_high", "c_low", "c_close", "c_volume")
ONE = instruments("a:BTC/USD")
Closed = tuple[int, int, int, int, int, int]
"""(end, open, high, low, close, volume)"""

trades = st.lists(st.tuples(st.integers(0, 899), st.integers(1, 10_000), st.integers(1, 50)), min_size=1, max_size=30)


def naive(of: list[tuple[int, int, int]], length_s: int) -> list[Closed]:
    """(second, price, quantity) resampled to bars of `length_s`, buckets without a trade left out."""
    buckets: dict[int, list[tuple[int, int]]] = {}
    for second, price, quantity in of:
        buckets.setdefault(second // length_s, []).append((price, quantity))
    return [
        ((k + 1) * length_s, b[0][0], max(p for p, _ in b), min(p for p, _ in b), b[-1][0], sum(q for _, q in b))
        for k, b in sorted(buckets.items())
    ]


def closed(stage: Stage, f: int) -> Closed:
    bar = stage.s["bar"][0, f]
    return ((int(bar["last_end"]) - START) // codes.SECOND, *(int(bar[name]) for name in FIELDS))  # type: ignore[return-value]


@settings(max_examples=40)
@given(of=trades)
@example(of=[(59, 7, 1), (60, 9, 1), (899, 3, 2)])
def test_time_closed_bars_are_the_naive_ones(of: list[tuple[int, int, int]]) -> None:
    """Every timeframe closes at its boundary with exactly the trades before it."""
    of = sorted(of, key=lambda trade: trade[0])
    stage = Stage(ONE, every_ms=0.0, timeframes=("1m", "5m", "15m"))
    seen: list[list[Closed]] = [[], [], []]

    def look() -> None:
        for f in range(3):
            if int(stage.s["bar"][0, f]["closed"]) > len(seen[f]):
                seen[f].append(closed(stage, f))

    for second, price, quantity in of:
        for boundary in range((stage.now - START) // (MINUTE_S * codes.SECOND) + 1, second // MINUTE_S + 1):
            stage.now = START + boundary * codes.MINUTE
            stage.wait(0)
            look()
        stage.now = START + second * codes.SECOND
        stage.feed(stage.rows(codes.TRADE, 0, TRADES_OF, [(codes.BUY, price, quantity)]))
    for boundary in range((stage.now - START) // codes.MINUTE + 1, 16):
        stage.now = START + boundary * codes.MINUTE
        stage.wait(0)
        look()
    for f, length_s in enumerate((60, 300, 900)):
        assert seen[f] == naive(of, length_s)


def bar_rows(stage: Stage, minutes: list[int]) -> Rows:
    """One-minute bars that end `minutes` after the start, prices told by the minute."""
    tape = rows(len(minutes))
    tape["kind"], tape["marks"], tape["strategy"] = codes.BAR, codes.WHOLE, codes.TIMEFRAME_NAMES.index("1m")
    for row, minute in zip(tape, minutes, strict=True):
        row["ts_local"] = row["ts_venue"] = START + minute * codes.MINUTE
        row["price"], row["ref"], row["quantity"], row["value"] = 10_000 + minute, 10_000 + minute - 1, minute, pack_range(3, 2)
    return stage.number(tape)


@settings(max_examples=40)
@given(present=st.lists(st.booleans(), min_size=20, max_size=200))
@example(present=[True] * 59 + [False] + [True] * 61)  # the minute at the boundary is missing
@example(present=[True] * 58 + [False] * 63 + [True])  # a whole bucket is missing
def test_merged_bars_never_span_two_buckets(present: list[bool]) -> None:
    minutes = [k + 1 for k, there in enumerate(present) if there]
    if not minutes:
        return
    stage = Stage(ONE, every_ms=0.0, timeframes=("1m", "5m", "1h"), bars_only=True, jump_bp=5_000)
    seen: list[Closed] = []
    for row in np.split(bar_rows(stage, minutes), len(minutes)):
        stage.feed(row)
        if int(stage.s["bar"][0, 2]["closed"]) > len(seen):
            seen.append(closed(stage, 2))
    buckets: dict[int, list[int]] = {}
    for minute in minutes:
        buckets.setdefault((minute - 1) // 60, []).append(minute)
    wanted = [_merged(k, parts) for k, parts in sorted(buckets.items())]
    open_still = minutes[-1] % 60 != 0
    assert seen == (wanted[:-1] if open_still else wanted)


def _merged(bucket: int, parts: list[int]) -> Any:
    high = max(max(10_000 + m, 10_000 + m - 1) + 3 for m in parts)
    low = min(min(10_000 + m, 10_000 + m - 1) - 2 for m in parts)
    return ((bucket + 1) * 3600, 10_000 + parts[0] - 1, high, low, 10_000 + parts[-1], sum(parts))


@pytest.mark.parametrize("compiled", [False, True])
def test_first_instruments_bars_are_as_any_others(compiled: bool) -> None:
    """Two markets of the same bars, of which the first has a path of its own through the machine."""
    two = instruments("a:BTC/USD", "a:ETH/USD")
    crossing = StrategySetup(parameters={"quantity": 10.0}, instruments=(0, 1))
    made = {"strategies": [crossing, StrategySetup()], "timeframes": ("1m", "5m"), "bars_only": True}
    stage = Stage(two, bars_machine(compiled), **made)
    chance = np.random.default_rng(5)
    both = np.repeat(bar_rows(stage, [k for k in range(1, 400) if k % 37]), 2)
    close = np.cumsum(chance.integers(-40, 41, len(both) // 2)) + 10_000
    both["price"], both["ref"] = np.repeat(close, 2), np.repeat(close - chance.integers(-9, 10, len(close)), 2)
    both["quantity"][2 * 50 : 2 * 50 + 2], both["value"][2 * 90 : 2 * 90 + 2] = -1, pack_range(-3, 2)
    both["instrument"], both["source"] = np.arange(len(both)) % 2, 3 * (np.arange(len(both)) % 2)
    said = stage.feed(stage.number(both))
    assert len(said) and sorted(verdicts(said)) == sorted((1 - i, code) for i, code in verdicts(said))
    assert int(stage.s["bar"][0, 1]["closed"]) > 60
    for table in ("top", "bar", "past", "flow", "ema", "signal", "forecast", "forecast_at", "sma_cross", "noted"):
        kept = stage.s[table]
        here, there = (kept[:, 0], kept[:, 1]) if table in ("sma_cross", "noted") else (kept[0], kept[1])
        same = [
            name for name in kept.dtype.names or () if name not in ("heard_from", "confidence")
        ]  # the second profits from what the first taught
        assert all(np.array_equal(here[name], there[name]) for name in same) if same else np.array_equal(here, there), table
