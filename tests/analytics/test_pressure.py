"""Features of book and trades, through the uncompiled machine fed with quotes and trades."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tradewind.domain.codes import BUY, FIRST, LAST, QUOTE, SECOND, SELL, TRADE, WHOLE
from tradewind.domain.rows import Rows, rows
from tradewind.engine.compose import Composition, Machine
from tradewind.engine.prelude import Prelude, Setup
from tradewind.engine.snapshot import fresh_state
from tradewind.kernel import twin

from . import bars

START = 1_700_000_000 * SECOND


class Market:
    """One instrument at an uncompiled machine; times in seconds after the start."""

    def __init__(self) -> None:
        composition = Composition(strategies=(), features=("flow", "ema", "pressure"), capacity=bars.SMALL)
        self.machine = Machine(composition, compiled=False, cache=bars.cache())
        self.state, self._out, self._seq = fresh_state(self.machine), rows(1024), 0
        setup = Setup(instruments=[bars.COIN], reporting="USD", strategies=(), timeframes=("1m", "5m", "1h"))
        self._run(Prelude(self.machine, setup, START).rows())

    def _run(self, tape: Rows) -> None:
        assert self.machine.run(self.state, tape, 0, len(tape), self._out)[0] == len(tape)

    def _rows(self, n: int, kind: int, at: float) -> Rows:
        made = rows(n)
        made["kind"], made["ts_local"], made["marks"], made["strategy"] = kind, START + round(at * SECOND), WHOLE, -1
        made["stream_seq"] = range(self._seq + 1, self._seq + n + 1)
        self._seq += n
        return made

    def quote(self, at: float, bid: tuple[int, int], ask: tuple[int, int]) -> None:
        made = self._rows(2, QUOTE, at)
        made["marks"], made["side"] = (FIRST, LAST), (BUY, SELL)
        made["price"], made["quantity"] = (bid[0], ask[0]), (bid[1], ask[1])
        self._run(made)

    def trade(self, at: float, side: int, quantity: int) -> None:
        made = self._rows(1, TRADE, at)
        made["side"], made["price"], made["quantity"] = side, 10_000, quantity
        self._run(made)

    def decide(self) -> None:
        """What a timer does before it asks a strategy."""
        for name in ("flow", "pressure"):
            twin.load(f"analytics.features.{name}", frozenset()).on_decision(self.state[0], 0)

    def __getitem__(self, name: str) -> Any:
        return self.state[0][name][0]


def test_a_touch_counts_for_as_long_as_it_stood() -> None:
    market = Market()
    market.quote(0, (10_000, 30), (10_010, 10))  # imbalance one half, for 3 s
    market.quote(3, (10_000, 10), (10_020, 30))  # minus one half, for 2 s
    market.quote(5, (10_000, 20), (10_010, 20))
    for scale, tau in (("quick", 5.0), ("steady", 120.0)):
        first = 0.5 * 3 / (3 + tau)
        expected = first + (-0.5 - first) * 2 / (2 + tau)
        assert market["pressure"][scale]["tilt"] == pytest.approx(expected, rel=1e-12)
        narrow, wide = 10 / 10_005 * 1e4, 20 / 10_010 * 1e4
        width = narrow * 3 / (3 + tau)
        assert market["pressure"][scale]["width_bp"] == pytest.approx(width + (wide - width) * 2 / (2 + tau), rel=1e-12)
    assert market["pressure"]["tilt"] == 0.0


def test_the_edge_is_the_microprice_over_the_mid() -> None:
    market = Market()
    market.quote(0, (10_000, 30), (10_010, 10))
    market.decide()
    mid = market["top"]["mid"]
    assert market["flow"]["microprice"] == pytest.approx((10_000 * 10 + 10_010 * 30) / 40, rel=1e-15)
    assert market["pressure"]["edge_bp"] == pytest.approx((market["flow"]["microprice"] - mid) / mid * 1e4, rel=1e-12)
    assert market["flow"]["spread_bp"] == pytest.approx(10 / 10_005 * 1e4, rel=1e-15)
    assert market["flow"]["imbalance"] == 0.5


def test_trades_fade_by_time_on_two_scales() -> None:
    market = Market()
    market.quote(0, (10_000, 10), (10_010, 10))
    market.trade(1, BUY, 600)
    market.trade(11, SELL, 200)
    market.decide()
    for scale, tau in (("quick", 5.0), ("steady", 120.0)):
        signed = (600 / tau * tau - 200) / (10 + tau)
        total = (600 / tau * tau + 200) / (10 + tau)
        assert market["pressure"][scale]["signed"] == pytest.approx(signed, rel=1e-12)
        assert market["pressure"][scale]["total"] == pytest.approx(total, rel=1e-12)
        assert market["pressure"][scale]["one_sided"] == pytest.approx(signed / total, rel=1e-12)


def test_a_steady_flow_reads_as_its_rate() -> None:
    market = Market()
    market.quote(0, (10_000, 10), (10_010, 10))
    for n in range(2_000):
        market.trade(1 + n, BUY, 50)
    assert market["pressure"]["quick"]["total"] == pytest.approx(50.0, rel=1e-6)
    assert market["pressure"]["steady"]["total"] == pytest.approx(50.0, rel=1e-3)


def test_the_variance_of_a_steady_walk_is_its_variance_a_second() -> None:
    market = Market()
    for n in range(3_000):
        market.quote(2.0 * n, (10_000 + 4 * (n % 2), 10), (10_010 + 4 * (n % 2), 10))
    assert market["flow"]["variance_ticks"] == pytest.approx(16 / 2.0, rel=1e-6)
    assert math.sqrt(market["flow"]["variance_ratio"]) == pytest.approx(4 / 10_007 / math.sqrt(2.0), rel=1e-3)


def test_a_touch_nobody_believed_gives_no_flow() -> None:
    market = Market()
    market.quote(0, (10_010, 10), (10_000, 10))  # crossed
    with np.errstate(all="raise"):
        market.decide()
    assert market["top"]["mid"] == 0.0
    assert market["flow"]["spread_bp"] == 0.0
    market.quote(1, (10_000, 10), (10_010, 10))
    market.decide()
    assert market["flow"]["spread_bp"] > 0.0
