"""Journal rows on their way from the driver to the journal, in one compiled pass; imported where a run begins."""

from typing import Any

from tradewind.domain.codes import TAPE
from tradewind.domain.rows import W_QUANTITY, W_REF, W_VALUE
from tradewind.kernel.jit import entry


@entry
def name_rows(came: Any, shift: int, kept: Any, n: int) -> tuple[int, int]:
    """Adds rows behind the n that wait in `kept`; returns how many there are then, and how many stand before a last TAPE row.

    came, kept: int64 of shape (…, 8), `kept` with room; what waits is one TAPE row or nothing. shift: what is added to the
    indices a TAPE row has. One that begins where the row that waits ends becomes one with it.
    """
    start = n
    for k in range(came.shape[0]):
        for word in range(8):
            kept[n, word] = came[k, word]
        if came[k, 0] & 0xFF == TAPE:
            kept[n, W_REF] += shift
            kept[n, W_VALUE] += shift
            if k == 0 and start == 1 and kept[1, W_QUANTITY] == kept[0, W_QUANTITY] and kept[1, W_REF] == kept[0, W_VALUE]:
                kept[0, W_VALUE] = kept[1, W_VALUE]
                n = 0
        n += 1
    waits = n > 0 and kept[n - 1, 0] & 0xFF == TAPE
    return n, n - (1 if waits else 0)
