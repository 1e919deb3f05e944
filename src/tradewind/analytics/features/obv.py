"""On-balance volume: volume of rising bars minus volume of falling bars, since the first bar.

Joseph Granville, Granville's New Key to Stock Market Profits (1963). Trigger: bar. An integer sum; as in TA-Lib it begins
with the first bar's volume.
"""

from typing import Any

from ...kernel.jit import compiled

NAME = "obv"
MEMORY = [("balance_sum", "i8"), ("obv", "f8")]
PER_FRAME = True
GIVES = {"obv": ("quantity", 1)}


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    b = s.bar[i, f]
    m = s.obv[i, f]
    n = b.closed
    ring = s.past[i, f]
    former = ring[(n - 2) & (ring.size - 1)]
    if n == 1 or b.c_close > former:
        m.balance_sum += b.c_volume
    elif b.c_close < former:
        m.balance_sum -= b.c_volume
    m.obv = float(m.balance_sum)
