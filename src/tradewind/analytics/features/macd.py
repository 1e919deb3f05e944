"""Moving average convergence and divergence, 12 / 26 / 9.

Gerald Appel, The Moving Average Convergence Divergence Trading Method (1979). Trigger: bar. As in TA-Lib both averages
begin on bar 26, the fast one as the mean of bars 15 to 26, and the signal line begins as the mean of the first 9 values.
"""

from typing import Any

from ...kernel.jit import compiled

NAME = "macd"
MEMORY = [
    ("sum_fast", "i8"), ("sum_slow", "i8"), ("sum_macd", "f8"), ("fast", "f8"), ("slow", "f8"),
    ("macd", "f8"), ("macd_line", "f8"), ("macd_bars", "f8"),
]  # fmt: skip
PER_FRAME = True
GIVES = {"macd": ("price", 34), "macd_line": ("price", 34), "macd_bars": ("price", 34)}
FAST, SLOW, SMOOTH = 12, 26, 9
FAST_RATE, SLOW_RATE, SMOOTH_RATE = 2.0 / (FAST + 1), 2.0 / (SLOW + 1), 2.0 / (SMOOTH + 1)


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    m = s.macd[i, f]
    n = s.bar[i, f].closed
    if n <= SLOW:
        begin(m, n, s.bar[i, f].c_close)
    else:
        close = float(s.bar[i, f].c_close)
        m.fast += FAST_RATE * (close - m.fast)
        m.slow += SLOW_RATE * (close - m.slow)
    if n < SLOW:
        return
    m.macd = m.fast - m.slow
    if n < SLOW + SMOOTH:
        m.sum_macd += m.macd
        m.macd_line = m.sum_macd / float(n - SLOW + 1)
    else:
        m.macd_line += SMOOTH_RATE * (m.macd - m.macd_line)
    m.macd_bars = m.macd - m.macd_line


@compiled
def begin(m: Any, n: int, close: int) -> None:
    """The first 26 bars: exact sums, and their means once both are whole."""
    m.sum_slow += close
    if n > SLOW - FAST:
        m.sum_fast += close
    if n == SLOW:
        m.slow = float(m.sum_slow) / float(SLOW)
        m.fast = float(m.sum_fast) / float(FAST)
