"""A swing strategy: long while the trend and the signal agree, flat otherwise.

Trend is the distance of the fast from the slow average in units of the bars' own deviation. It enters when that distance
exceeds `enter`, leaves when it falls below `leave`, and takes a share of its size equal to twice the confidence over one
half: a signal that was never better than a coin takes nothing once it is calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .base import Bar, Market, Target


class Swing:
    """Trend with hysteresis on closed bars."""

    wakes = ("bar", "first")  # the shortest of the configured timeframes
    memory_fields = (("long", "i8"),)

    def __init__(self, **parameters: float) -> None:
        self.parameters: Mapping[str, float] = {"fast": 10.0, "slow": 30.0, "enter": 1.0, "leave": 0.0, "trust": 0.0} | parameters
        self.memory = np.zeros(1, list(self.memory_fields))[0]

    def on_bar(self, bar: Bar, market: Market) -> Target | None:
        """The wished position, or None while the averages warm up or nothing changes."""
        slow = int(self.parameters["slow"])
        closes = market.closes(slow)
        if len(closes) < slow:
            return None
        deviation = float(np.abs(np.diff(closes)).mean()) * slow**0.5
        if deviation <= 0.0:
            return None
        trend = float(closes[-int(self.parameters["fast"]) :].mean() - closes.mean()) / deviation * 4.0
        long = bool(self.memory["long"])
        if not long and trend > self.parameters["enter"]:
            share = self._share(market)
            if share <= 0.0:
                return None
            self.memory["long"] = 1
            return market.target(share)
        if long and trend < self.parameters["leave"]:
            self.memory["long"] = 0
            return market.target(0.0)
        return None

    def _share(self, market: Market) -> float:
        confidence = market.signal()[1]
        return 1.0 if self.parameters["trust"] == 0.0 else max(0.0, min(1.0, 2.0 * (confidence - 0.5) / 0.1))
