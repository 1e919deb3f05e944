"""D. Indicators: the step functions of the features over a long series, beside TA-Lib in the same run.

`python benchmarks/indicators.py [--rows 2000000] [--runs 5] [--peer tradewind|both]` prints JSON lines. Figures of tradewind:

- `SMA20` ...: Mrow/s of the compiled loop that takes a 64-byte bar row and runs the feature's step (price columns out); a
  feature computes everything it declares: `sma` three averages, `ema` two, `bollinger` three bands, `macd` three lines
- `... from a frame`: Mrow/s of `features(...)` from a Polars frame of floats to one, checks and conversion included
- `... incremental`: ns/update of one call from Python a bar; `... in the machine`: ns a bar inside compiled code
- `all six fused`: the six in one pass
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from tradewind.domain.codes import TIMEFRAME_NAMES
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.engine.batch import Loop, features

FIGURES = {"SMA20": "sma", "EMA20": "ema", "RSI14": "rsi", "ATR14": "atr", "BBANDS20": "bollinger", "MACD12_26_9": "macd"}
CODE = TIMEFRAME_NAMES.index("1m")
COIN = Instrument(venue="bench", symbol="COIN", base="COIN", quote="USD", price_exponent=2, quantity_exponent=5)
CALLS = 200_000


def series(n: int) -> pl.DataFrame:
    """The walk of the peers' benchmark, in cents."""
    r = np.random.default_rng(5)
    close = np.rint(30_000 * np.exp(np.cumsum(r.normal(0, 1e-4, n))) * 100)
    reach = np.rint(np.abs(r.normal(0, 3, n)) * 100)
    numbers = {"open": close, "high": close + reach, "low": close - reach, "close": close}
    return pl.DataFrame({**{name: values / 100 for name, values in numbers.items()}, "volume": np.ones(n)})


def emit(peer: str, figure: str, value: float, unit: str, **more: Any) -> None:
    """One line in the form of the shared benchmarks."""
    line = {"item": "D", "peer": peer, "figure": figure, "value": float(f"{value:.5g}"), "unit": unit, **more}
    line.update({name: float(f"{number:.5g}") for name, number in more.items() if isinstance(number, float)})
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def seconds(calls: list[Callable[[], Any]], runs: int) -> list[tuple[float, float]]:
    """(median, best) of `runs` runs of each call, in turns, after a warm one: a busy minute falls on all of them."""
    taken = np.empty((runs + 1, len(calls)))
    for run in range(runs + 1):
        for n, call in enumerate(calls):
            start = time.perf_counter()
            call()
            taken[run, n] = time.perf_counter() - start
    return [(float(np.median(column)), float(column.min())) for column in taken[1:].T]


def talib(frame: pl.DataFrame) -> dict[str, Callable[[], Any]]:
    """TA-Lib's functions on the same numbers."""
    import talib as ta

    high, low, close = (frame[name].to_numpy() for name in ("high", "low", "close"))
    calls: dict[str, Callable[[], Any]] = {
        "SMA20": lambda: ta.SMA(close, 20),
        "EMA20": lambda: ta.EMA(close, 20),
        "RSI14": lambda: ta.RSI(close, 14),
        "ATR14": lambda: ta.ATR(high, low, close, 14),
        "BBANDS20": lambda: ta.BBANDS(close, 20),
        "MACD12_26_9": lambda: ta.MACD(close),
    }
    return {**calls, "all six fused": lambda: [call() for call in calls.values()]}


def measure(
    figure: str, names: tuple[str, ...], bars: tuple[pl.DataFrame, Rows], runs: int, peer: Callable[[], Any] | None
) -> None:
    """One figure's lines, tradewind's and the peer's in turns."""
    frame, tape = bars
    n, loop = frame.height, Loop(names)
    columns, state, play = np.empty((len(loop.outputs), frame.height)), loop.state(CODE), loop.play

    def single() -> None:
        for k in range(CALLS):
            play(state, tape, k, k + 1, columns, k)

    calls = [lambda: play(state, tape, 0, n, columns, 0), lambda: features(frame, names, "1m", COIN, loop)]
    batch, whole, *theirs = seconds([*calls, *([peer] if peer else [])], runs)
    rate(figure, batch, n, columns=len(loop.outputs))
    rate(f"{figure} from a frame", whole, n)
    emit("tradewind", f"{figure} in the machine", batch[0] / n * 1e9, "ns/update", best=batch[1] / n * 1e9, note="compiled caller")
    median, best = (taken / CALLS * 1e9 for taken in seconds([single], 3)[0])
    emit("tradewind", f"{figure} incremental", median, "ns/update", best=best, note="a Python call a bar")
    for taken in theirs:
        rate(figure, taken, n, "TA-Lib")


def rate(figure: str, taken: tuple[float, float], n: int, peer: str = "tradewind", **more: Any) -> None:
    """One line of Mrow/s."""
    emit(peer, figure, n / taken[0] / 1e6, "Mrow/s", best=n / taken[1] / 1e6, rows=n, **more)


def main() -> None:
    """Runs the figures asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer", choices=("tradewind", "both"), default="tradewind")
    asked = parser.parse_args()
    frame = series(max(asked.rows, CALLS))
    tape = np.concatenate([chunk.copy() for chunk in Loop(("ema",)).rows_of(frame, CODE, COIN)])
    peers = talib(frame) if asked.peer == "both" else {}
    for figure, names in {
        **{figure: (name,) for figure, name in FIGURES.items()},
        "all six fused": tuple(FIGURES.values()),
    }.items():
        measure(figure, names, (frame, tape), asked.runs, peers.get(figure))


if __name__ == "__main__":
    main()
