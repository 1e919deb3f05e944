"""Money flow index over 14 bars: the share of turnover on bars whose typical price rose.

Gene Quong and Avrum Soudack, Volume-Weighted RSI: Money Flow (Technical Analysis of Stocks & Commodities, 1989). Trigger:
bar. Without any flow it stands at the neutral 50.
"""

from typing import Any

from ...kernel.jit import compiled
from ..windows import slid, window

NAME = "mfi"
MEMORY = [("typical", "i8"), ("mfi", "f8"), ("inflow", window(14)), ("outflow", window(14))]
PER_FRAME = True
GIVES = {"mfi": ("percent", 15)}


@compiled
def on_bar(s: Any, i: int, f: int) -> None:
    b = s.bar[i, f]
    m = s.mfi[i, f]
    typical = b.c_high + b.c_low + b.c_close
    former = m.typical
    m.typical = typical
    if b.closed < 2:
        return
    flow = float(typical) * float(b.c_volume)
    inflow = slid(m.inflow, flow if typical > former else 0.0)
    outflow = slid(m.outflow, flow if typical < former else 0.0)
    both = inflow + outflow
    m.mfi = 100.0 * inflow / both if both > 0.0 else 50.0
