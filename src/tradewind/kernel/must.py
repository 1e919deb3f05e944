"""Checks that stay on."""

from typing import Any

from .jit import compiled


@compiled
def must(s: Any, condition: bool, code: int) -> bool:
    """Whether `condition` holds; where it does not, the machine's fault is set and the row must have no further effect."""
    if not condition and s.clock.fault == 0:
        s.clock.fault = code
        s.clock.fault_at = s.clock.n_rows
    return condition
