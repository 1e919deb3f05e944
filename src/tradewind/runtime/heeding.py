"""What the machine believes, on its way back to live feeds: read from its state between two pieces of rows."""

from __future__ import annotations

from typing import Any

from tradewind.domain import codes, reasons
from tradewind.fabric.standing import Standing

LOST = (reasons.CROSSED_BOOK, reasons.BOOK_LOST_SIDE, reasons.FROZEN_FEED, reasons.DISTRUSTED)
"""What a touch is suspected of that may be our copy's fault: a new book shows it."""
DIFFERS = 1 << (reasons.QUOTE_DIFFERS - reasons.HOLE_IN_STREAM)


def standings(state: Any, n_instruments: int) -> list[Standing]:
    """The standing of every instrument by a machine's state."""
    tops, trusts = state[0]["top"], state[0]["trust"]
    return [_standing(tops[i], trusts[i]) for i in range(n_instruments)]


def _standing(top: Any, trust: Any) -> Standing:
    told, suspect, condition = int(trust["told"]), int(top["suspect"]), int(top["condition"])
    blame = int(trust["blame"]) if told or suspect else 0
    broken = 0
    if condition == codes.INVALID:  # nothing but a snapshot heals it, and its feed may think that all is well
        broken = blame or reasons.BOOK_NOT_SYNCED
    elif condition == codes.SYNCED:
        broken = suspect if suspect in LOST else reasons.QUOTE_DIFFERS if told & DIFFERS else 0
    believed = condition == codes.SYNCED and bool(top["good"])
    return Standing(float(trust["score"]), float(trust["quality"]), believed, blame or suspect, broken)
