"""The statistics again, as slowly and plainly as they can be written; shares no code with `tradewind.monitor`."""

from __future__ import annotations

import math


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def deviation(values: list[float]) -> float:
    centre = mean(values)
    return math.sqrt(math.fsum((x - centre) ** 2 for x in values) / (len(values) - 1))


def sharpe(returns: list[float], per_year: float) -> float:
    return mean(returns) / deviation(returns) * math.sqrt(per_year)


def sortino(returns: list[float], per_year: float) -> float:
    return mean(returns) / math.sqrt(math.fsum(x * x for x in returns if x < 0) / len(returns)) * math.sqrt(per_year)


def sampled(ts: list[int], values: list[float], interval: int) -> list[float]:
    out, at = [], ts[0]
    while at <= ts[-1]:
        out.append([value for moment, value in zip(ts, values, strict=True) if moment <= at][-1])
        at += interval
    return out


def drawdown(curve: list[float]) -> float:
    worst, peak = 0.0, curve[0]
    for value in curve:
        peak = max(peak, value)
        worst = min(worst, value / peak - 1)
    return worst


def under_water(ts: list[int], curve: list[float]) -> tuple[int, bool]:
    """For each moment below the peak: from the last moment at the peak to the next one at or above it, or the end."""
    longest, recovered = 0, True
    for i in range(len(curve)):
        if curve[i] < max(curve[: i + 1]):
            peak = max(curve[:i])
            since = max(j for j in range(i) if curve[j] == peak)
            later = [j for j in range(i, len(curve)) if curve[j] >= peak]
            length = ts[later[0] if later else -1] - ts[since]
            if length > longest:
                longest, recovered = length, bool(later)
    return longest, recovered


def lo_error(returns: list[float], per_year: float) -> float:
    n, mu = len(returns), mean(returns)
    sigma = math.sqrt(mean([(x - mu) ** 2 for x in returns]))
    psi = [(x - mu) / sigma - mu / (2 * sigma**3) * ((x - mu) ** 2 - sigma**2) for x in returns]
    lags = int(4 * (n / 100) ** (2 / 9))
    total = math.fsum(p * p for p in psi) / n
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * math.fsum(psi[t] * psi[t - lag] for t in range(lag, n)) / n
    return math.sqrt(total / n * per_year)


def trips(fills: list[dict[str, float]]) -> list[tuple[float, float]]:
    """FIFO by single units: each fill's quantity is a whole number and every unit is its own lot."""
    units: list[tuple[int, float, float, float]] = []
    closed = []
    for fill in fills:
        sign = 1.0 if fill["side"] == 0 else -1.0
        one = (fill["cost"] / fill["quantity"], fill["fee"] / fill["quantity"])
        profit, aged, count = 0.0, 0.0, 0
        for _ in range(int(fill["quantity"])):
            if units and units[0][1] != sign:
                ts, held, cost, fee = units.pop(0)
                profit += held * (one[0] - cost) - fee - one[1]
                aged += fill["ts_ns"] - ts
                count += 1
            else:
                units.append((int(fill["ts_ns"]), sign, one[0], one[1]))
        if count:
            closed.append((profit, aged / count))
    return closed
