"""The row: 64 bytes, the only thing that enters or leaves the machine.

Two words of small signed fields, then six int64, no padding. Every kind of row (`codes`) gives the fields its own
meaning. No field may carry a name that NumPy's record scalar already uses (`tests` hold this), or the uncompiled
twin would read a method.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import codes

ROW = np.dtype(
    [
        ("kind", "i1"),
        ("side", "i1"),
        ("marks", "i2"),
        ("source", "i2"),  # stream: one venue connection's channel for one instrument
        ("instrument", "i2"),  # BALANCE: the asset
        ("account", "i2"),
        ("strategy", "i2"),  # BAR: timeframe code; CHARGE: fee asset
        ("stream_seq", "i4"),  # dense per source, wraps to 0 after 2^31 - 1
        ("ts_venue", "i8"),  # ns UTC by the venue's clock; 0 where the venue gave none
        ("ts_local", "i8"),  # ns UTC, journal time: never decreases along a tape
        ("price", "i8"),  # in the instrument's price unit
        ("quantity", "i8"),  # in the instrument's quantity unit
        ("ref", "i8"),
        ("value", "i8"),
    ]
)
ROW_BYTES = 64
assert ROW.itemsize == ROW_BYTES

Rows = NDArray[np.void]
"""A one-dimensional array of `ROW`."""

SEQ_MASK = (1 << 31) - 1


def rows(n: int) -> Rows:
    """`n` zeroed rows."""
    return np.zeros(n, ROW)


def words(array: Rows) -> NDArray[np.int64]:
    """The same bytes as int64 of shape (n, 8): columns 2.. are ts_venue, ts_local, price, quantity, ref, value."""
    return array.view(np.int64).reshape(-1, 8)


W_TS_VENUE, W_TS_LOCAL, W_PRICE, W_QUANTITY, W_REF, W_VALUE = range(2, 8)


def pack_range(high_above: int, low_below: int) -> int:
    """A bar's `value`: high minus the larger, and the smaller minus low, of open and close, each as signed 32 bits.

    Negative halves are legal on a tape: they are what a broken bar looks like, and truth refuses it by name.

    Raises OverflowError where a half does not fit: such a bar has no place on a tape and its importer refuses it.
    """
    for half in (high_above, low_below):
        if not -(1 << 31) <= half < (1 << 31):
            raise OverflowError(f"bar range {half} does not fit 32 bits")
    return (high_above << 32) | (low_below & 0xFFFFFFFF)


KIND_NAMES = {
    value: name
    for name, value in vars(codes).items()
    if name in {
        "DEPTH", "QUOTE", "TRADE", "BAR", "OBSERVATION", "FUNDING", "MARKPRICE", "STREAM", "CLOCK", "RULE", "LIMIT",
        "PARAMETER",
        "BALANCE", "OPERATOR", "TARGET", "MEMORY", "PREDICTION", "RIGHT", "REPORT", "FILL", "CHARGE", "EVIDENCE", "SUBMIT",
        "CANCEL",
        "AMEND", "WAKE", "ALERT", "VERDICT", "HALT", "TAPE", "COMMIT", "UPGRADE",
    }
}  # fmt: skip
