"""The selector beside a plain twin, on losers, on noise, and the row that tells of every move."""

from __future__ import annotations

import itertools
import math
import sys

import numpy as np
import pytest

from scripted import Stage, instrument
from tradewind.domain import codes, reasons
from tradewind.domain.codes import BUY, EVIDENCE, SELL
from tradewind.domain.rows import ROW
from tradewind.runtime.config.schema import Selector
from tradewind.strategy import selector

FULL = 1024


class Naive:
    """The formula of docs/strategies.md in a few lines of plain Python; one strategy."""

    def __init__(self, tuning: dict[str, float]) -> None:
        self.t = {**selector.TUNING, **tuning}
        self.weight, self.mean, self.variance, self.n = FULL, 0.0, 0.0, 0

    def period(self, gain: float) -> int:
        """One period's gain, a ratio of equity; the weight after it."""
        t = self.t
        self.n += 1
        self.variance = (1 - t["memory"]) * self.variance + t["memory"] * (gain - self.mean) ** 2
        self.mean = (1 - t["memory"]) * self.mean + t["memory"] * gain
        score = self.mean / math.sqrt(self.variance) * self.n / (self.n + t["shrink"]) if self.variance else 0.0
        wish = min(1.0, 2.0 / (1.0 + math.exp(-8.0 * score)))
        goal = FULL * max(t["shrinkage"] + (1.0 - t["shrinkage"]) * wish, min(t["floor"] / FULL, 1.0))
        move = goal - self.weight
        if goal >= FULL or abs(move) > t["hysteresis"] * FULL:
            self.weight += int(math.copysign(min(abs(move), t["step"]), move))
        return self.weight


def stage(**tuning: float) -> Stage:
    return Stage([instrument("a")], ("python",), ({},), tuning=tuning)


def play(s: Stage, gains: np.ndarray) -> list[int]:
    """Feeds gains straight into the strategy's realised profit, a period each; the weight after each."""
    module = sys.modules["tradewind_twin.strategy.selector"]
    out = np.zeros(64, ROW)
    s.s["budget"]["equity"] = 1e6
    s.s["group"][s.names.asset("USD")]["reference"] = 1.0
    p = s.s["fact"]["position"][0, 0]
    p["traded"] = 1
    weights = []
    for gain in gains:
        p["realised"] += round(gain * 1e6 * 1e8)
        s.s["clock"]["n_out"] = 0
        module.select(s.s, out)
        weights.append(int(s.s["share"][0]["weight"]))
        told = out[: s.s["clock"]["n_out"]]
        moved = (len(weights) > 1 and weights[-1] != weights[-2]) or (len(weights) == 1 and weights[0] != FULL)
        assert len(told) == int(moved), "each move, and nothing else, leaves its reason"
        for r in told:
            assert (int(r["kind"]), int(r["value"]), int(r["ref"]), int(r["strategy"])) == (EVIDENCE, reasons.WEIGHT_MOVED, 0, 0)
            assert int(r["quantity"]) == int(weights[-1] / FULL * 1e9)
            assert int(r["price"]) == int(float(s.s["share"][0]["drive"]) * 1e9)
    return weights


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "tuning", [{}, {"shrinkage": 0.0}, {"hysteresis": 0.3, "shrinkage": 0.0}, {"floor": 700.0}, {"shrink": 5.0, "step": 20.0}]
)
def test_equals_the_plain_twin(seed: int, tuning: dict[str, float]) -> None:
    random = np.random.default_rng(seed)
    drift = [-3e-5, 0.0, 3e-5][seed % 3]
    gains = np.round(random.normal(drift, 1e-4, 400), 10)
    naive = Naive(tuning)
    expected = [naive.period(float(g)) for g in gains]
    got = play(stage(**tuning), gains)
    assert max(abs(a - b) for a, b in zip(got, expected, strict=True)) <= 1, "a unit of 1/1024 where a goal lies on the border"


def test_a_strategy_starts_full_and_a_loser_ends_on_the_floor() -> None:
    random = np.random.default_rng(1)
    weights = play(stage(shrinkage=0.0), random.normal(-5e-5, 5e-5, 600))
    assert weights[0] == FULL
    assert weights[-1] <= 128 + 0.05 * FULL
    assert all(b >= 128 for b in weights)


def test_a_winner_keeps_everything() -> None:
    random = np.random.default_rng(2)
    assert min(play(stage(shrinkage=0.0), random.normal(5e-5, 5e-5, 600))) > 0.9 * FULL


def test_costs_count() -> None:
    """The same trades with fees: gains before fees are zero, after them a steady loss."""
    s = stage(shrinkage=0.0)
    play(s, np.zeros(1))
    module = sys.modules["tradewind_twin.strategy.selector"]
    out = np.zeros(64, ROW)
    random = np.random.default_rng(3)
    for _ in range(500):
        p = s.s["fact"]["position"][0, 0]
        p["realised"] += round(random.normal(0, 50.0) * 1e8)
        p["charges"] += 50 * 10**8
        s.s["clock"]["n_out"] = 0
        module.select(s.s, out)
    assert s.s["share"][0]["weight"] < FULL // 2


def test_not_worse_on_noise() -> None:
    """Gains that mean nothing leave, with the shipped settings, nearly all of every strategy's weight, and few moves."""
    kept, moves = [], 0
    for seed in range(12):
        weights = play(stage(), np.random.default_rng(100 + seed).normal(0, 1e-4, 300))
        kept.append(np.mean(weights) / FULL)
        moves += sum(a != b for a, b in itertools.pairwise(weights))
    assert np.mean(kept) > 0.88
    assert moves / (12 * 300) < 0.35


def test_shrinkage_of_one_ignores_results_and_disabled_moves_nothing() -> None:
    gains = np.random.default_rng(1).normal(-5e-5, 5e-5, 200)
    assert set(play(stage(shrinkage=1.0), gains)) == {FULL}
    assert set(play(stage(enabled=0.0), gains)) == {FULL}


def test_hysteresis_keeps_small_moves_back() -> None:
    """With a wide band fewer moves; each begins beyond it."""
    gains = np.random.default_rng(4).normal(-1e-5, 1e-4, 400)
    counts = []
    for band in (0.0, 0.05, 0.2):
        weights = play(stage(shrinkage=0.0, hysteresis=band, step=1024.0), gains)
        steps = [b - a for a, b in itertools.pairwise(weights) if a != b]
        counts.append(len(steps))
        assert all(abs(d) > band * FULL - 1 or b == FULL for d, b in zip(steps, weights, strict=False) if d < 0)
    assert counts[0] > counts[1] > counts[2]


def test_exits_and_hedges_are_not_scaled() -> None:
    """A light weight limits what is opened, never what is closed; paired legs are the strategy's own business."""
    s = stage()
    module = sys.modules["tradewind_twin.strategy.selector"]
    s.s["share"][0]["weight"] = 256
    s.s["fact"]["position"][0, 0]["quantity"] = 1000
    t = s.s["target"][0, 0, SELL, 0]
    t["quantity"] = 3000
    assert module.scaled(s.s, 0, 0, SELL, t) == 1000 + 2000 // 4
    assert module.scaled(s.s, 0, 0, BUY, t) == 750
    t["cause"] = reasons.LEG_HEDGED
    assert module.scaled(s.s, 0, 0, BUY, t) == 3000
    for quantity in (1, 1023, 1024, 12_345_678_901, 4 * 10**18):
        assert module.part(256, quantity) == quantity * 256 // 1024


def test_configuration_can_say_it_all() -> None:
    """Every key of the [selector] table has a number here, with the same default."""
    assert set(Selector.__struct_fields__) == {"period_ns", "hysteresis", "shrinkage"}
    assert selector.TUNING["hysteresis"] == float(Selector().hysteresis)
    assert selector.TUNING["shrinkage"] == float(Selector().shrinkage)
    assert "period_s" in selector.TUNING
    assert Selector().period_ns == codes.HOUR
