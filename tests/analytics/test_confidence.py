"""Signals carry what they claim, and confidence is learnt from the past alone."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

from scripted import MS, START, Stage, instrument, row
from tradewind.analytics import confidence, signals
from tradewind.domain import codes
from tradewind.domain.codes import BUY, SECOND, SELL

TUNING = {"horizon_s": 10.0}


def stage() -> Stage:
    return Stage(
        [instrument("a")], ("market_maker",), ({"quantity": 10.0, "every_ms": 500.0},), timeframes=("1s", "5s", "1m"), tuning=TUNING
    )


def tape(seed: int, n: int = 400, persistence: float = 0.0) -> list[list[Any]]:
    """Books and trades, a message each 250 ms; `persistence` makes imbalance tell the next moves."""
    random = np.random.default_rng(seed)
    mid, lean = 10_000, 0.0
    messages = []
    for step in range(n):
        lean = 0.98 * lean + random.normal(0, 0.2)
        mid += round(random.normal(0, 2) + persistence * lean)
        bid, ask = round(40 * math.exp(lean)) + 1, round(40 * math.exp(-lean)) + 1
        ts = START + (step + 1) * 250 * MS
        kinds = [row(codes.DEPTH, ts, side=BUY, price=mid - 5, quantity=bid, ref=ts, marks=codes.SNAPSHOT | codes.FIRST)]
        kinds.append(row(codes.DEPTH, ts, side=SELL, price=mid + 5, quantity=ask, ref=ts, marks=codes.SNAPSHOT | codes.LAST))
        messages.append(kinds)
        messages.append([row(codes.TRADE, ts, side=int(random.integers(0, 2)), price=mid, quantity=3, ref=step)])
    return messages


def watched(messages: list[list[Any]]) -> tuple[Stage, list[tuple[Any, ...]]]:
    """What the signal said after each message."""
    s = stage()
    said = []
    for message in messages:
        s.market(0, [r.copy() for r in message])
        g = s.s["signal"][0]
        said.append((s.now, *(g[name].item() for name in g.dtype.names), s.s["calibration"].tobytes()))
    return s, said


def test_truncating_the_future_changes_nothing_before_it() -> None:
    """The signal, its confidence and the table at any moment are the same on a tape that ends there, or goes elsewhere."""
    messages = tape(1, 200)
    _, whole = watched(messages)
    for cut in (40, 201, 333):
        _, part = watched(messages[:cut])
        assert part == whole[:cut]
    other = [[r.copy() for r in m] for m in messages]
    for message in other[300:]:
        for r in message:
            r["price"] += 37
    _, elsewhere = watched(other)
    assert elsewhere[:300] == whole[:300]
    assert elsewhere[300:] != whole[300:]


def test_a_forecast_is_judged_only_after_its_horizon() -> None:
    """The table learns nothing before the first forecast's horizon is over."""
    s = stage()
    learnt = []
    for message in tape(2, 120, persistence=2.0):
        s.market(0, [r.copy() for r in message])
        if s.s["calibration"]["n_seen"].sum() and not learnt:
            learnt.append(s.now)
    first = int(s.s["forecast"][0]["due"].min())
    assert learnt
    assert learnt[0] >= START + 10 * SECOND
    assert first > START


def test_reliability_table_is_sane() -> None:
    """Hits never exceed cases, a bin holds scores of its own size, and confidence is the shrunk hit rate."""
    s, said = watched(tape(3, 1200, persistence=3.0))
    table = s.s["calibration"]
    assert table["n_seen"].sum() > 100
    assert (table["hits"] <= table["n_seen"]).all() and (table["hits"] >= 0).all()
    for b, line in enumerate(table):
        if line["n_seen"]:
            mean = line["sum_score"] / line["n_seen"]
            assert b / confidence.BINS - 1e-9 <= mean <= (b + 1) / confidence.BINS + 1e-9
    strong, weak = table[10:], table[:10]
    assert strong["hits"].sum() / strong["n_seen"].sum() > 0.55, "a signal that tells something is confident"
    assert weak["n_seen"].sum() > 0
    for *_, raw in said[-5:]:
        assert raw
    g = s.s["signal"][0]
    module = sys.modules["tradewind_twin.analytics.confidence"]
    module.assess(s.s, 0)
    line = table[min(int(abs(g["score"]) * confidence.BINS), confidence.BINS - 1)]
    assert g["confidence"] == (line["hits"] + confidence.PRIOR / 2) / (line["n_seen"] + confidence.PRIOR)


def test_noise_earns_no_confidence() -> None:
    """Where the signal tells nothing, hit rates stay near one half and confidence with them."""
    rates, seen = 0, 0
    for seed in range(4):
        s, _ = watched(tape(10 + seed, 600))
        rates += int(s.s["calibration"]["hits"].sum())
        seen += int(s.s["calibration"]["n_seen"].sum())
    assert abs(rates / seen - 0.5) < 5 * 0.5 / math.sqrt(seen / 10), "ten overlapping forecasts are about one independent one"


def test_a_signal_carries_direction_horizon_score_confidence_and_evidence() -> None:
    _, said = watched(tape(4, 200, persistence=2.0))
    names = stage().s["signal"].dtype.names
    seen = set()
    for _, *values, _ in said[150:]:
        g = dict(zip(names, values, strict=True))
        assert -1.0 <= g["score"] <= 1.0
        assert g["direction"] == (g["score"] > 0) - (g["score"] < 0)
        assert g["horizon_ns"] == 10 * SECOND
        assert 0.0 < g["confidence"] < 1.0
        assert g["volatility"] >= 0.0
        assert signals.strongest(g) != "nothing"
        seen.add(signals.strongest(g))
    assert len(seen) >= 2, "not always the same input"


@pytest.mark.parametrize(
    ("book", "tape_", "micro", "trend", "name"),
    [
        (0, 0, 0, 0, "nothing"),
        (-3, 1, 1, 2, "book imbalance"),
        (1, 2, 0, 0, "trade flow"),
        (0, 0, -1, 0.5, "microprice"),
        (0, 0, 0, -1e-9, "trend"),
    ],
)
def test_evidence_names_the_strongest_input(book: float, tape_: float, micro: float, trend: float, name: str) -> None:
    assert signals.strongest({"book": book, "tape": tape_, "micro": micro, "trend": trend}) == name


def test_what_the_book_says_is_what_the_score_says() -> None:
    """All else equal a heavy bid side gives a positive score, a heavy ask side its mirror image."""
    scores = []
    for bid, ask in ((400, 100), (100, 400)):
        s = stage()
        s.book(0, [(10000, bid)], [(10010, ask)])
        s.wait(SECOND)
        scores.append(float(s.s["signal"][0]["score"]))
    assert scores[0] > 0.3
    assert scores[1] == pytest.approx(-scores[0], abs=1e-2)
