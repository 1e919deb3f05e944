"""Folding facts: the journal's own rows through `facts.apply`, decisions and opinions left out.

This is what recovery stands on when the machine has changed: it needs no market row and no feature.
"""

from typing import Any

from tradewind.domain.codes import AMEND, MARKPRICE, SUBMIT, TAPE
from tradewind.kernel.jit import entry
from tradewind.portfolio import facts


@entry
def run(state: Any, rows: Any) -> int:
    """Applies every journaled row that is a fact; returns how many rows were read."""
    s = state[0]
    for i in range(rows.size):
        row = rows[i]
        if MARKPRICE < row.kind < TAPE and row.kind != AMEND and (row.kind < 31 or row.kind >= SUBMIT):
            s.clock.now = max(s.clock.now, row.ts_local)
            facts.apply(s, row)
    return int(rows.size)
