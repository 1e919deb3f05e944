"""The compiled fold of rows into facts: what recovery does with a whole journal."""

from typing import Any

from tradewind.kernel.jit import entry
from tradewind.portfolio import facts


@entry
def fold(state: Any, rows: Any) -> int:
    """Applies every row; returns the fault, 0 for none."""
    s = state[0]
    for n in range(rows.size):
        facts.apply(s, rows[n])
    return s.clock.fault
