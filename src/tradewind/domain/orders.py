"""The life of an order: states, events, and the only transitions that exist.

    PENDING ──ack──▶ WORKING ──fill──▶ PARTIAL ──rest──▶ FILLED
       │ reject          │ cancel sent      │ cancel sent
       ▼                 ▼                  ▼
    REJECTED         CANCELLING ─────────────────────▶ CANCELED / EXPIRED
       any live state ──no answer──▶ UNKNOWN: counts in full until evidence ends it

Facts win: a fill is applied in every state, also after the end (it moves money, not the status). A number is never reused.
"""

from __future__ import annotations

import numpy as np

FREE, PENDING, WORKING, PARTIAL, CANCELLING, UNKNOWN, FILLED, CANCELED, REJECTED, EXPIRED, NEVER_ACCEPTED = range(11)
STATUS_NAMES = (
    "FREE", "PENDING", "WORKING", "PARTIAL", "CANCELLING", "UNKNOWN", "FILLED", "CANCELED", "REJECTED", "EXPIRED", "NEVER_ACCEPTED",
)  # fmt: skip
FIRST_FINAL = FILLED  # every status from here on is an end

(
    ON_ACK, ON_PART, ON_WHOLE, ON_CANCEL_SENT, ON_CANCELED, ON_REJECT, ON_EXPIRE, ON_CANCEL_REFUSED, ON_NO_ANSWER, ON_NEVER_REACHED,
) = range(10)  # fmt: skip
N_EVENTS = 10

ILLEGAL = -1


def _table() -> np.ndarray:
    t = np.full((len(STATUS_NAMES), N_EVENTS), ILLEGAL, np.int64)
    live = (PENDING, WORKING, PARTIAL, CANCELLING, UNKNOWN)
    for status in live:
        t[status, ON_WHOLE] = FILLED
        t[status, ON_NO_ANSWER] = UNKNOWN
        t[status, ON_CANCELED] = CANCELED
        t[status, ON_EXPIRE] = EXPIRED
        t[status, ON_REJECT] = REJECTED
        t[status, ON_CANCEL_SENT] = CANCELLING
        t[status, ON_PART] = PARTIAL
        t[status, ON_ACK] = WORKING
        t[status, ON_CANCEL_REFUSED] = status
    t[PARTIAL, ON_ACK] = PARTIAL
    t[PARTIAL, ON_REJECT] = ILLEGAL  # what has traded was accepted
    t[WORKING, ON_REJECT] = ILLEGAL
    t[CANCELLING, ON_ACK] = CANCELLING
    t[CANCELLING, ON_PART] = CANCELLING
    t[CANCELLING, ON_CANCEL_REFUSED] = UNKNOWN  # the venue does not know it: filled, ended or lost, so ask
    t[UNKNOWN, ON_CANCEL_SENT] = UNKNOWN
    t[UNKNOWN, ON_NEVER_REACHED] = NEVER_ACCEPTED
    t[PENDING, ON_NEVER_REACHED] = NEVER_ACCEPTED
    for status in range(FIRST_FINAL, len(STATUS_NAMES)):
        t[status, :] = status  # late news of an ended order changes nothing but the ledger
    return t


TRANSITION = _table()
