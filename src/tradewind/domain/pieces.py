"""Rows that come in pieces, in larger pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from .rows import Rows


def gathered(parts: Iterable[Rows], enough: int) -> Iterator[Rows]:
    """The same rows in pieces of at least `enough`, but for the last; the arrays are the taker's."""
    pieces, count = list[Rows](), 0
    for part in parts:
        if len(part):
            pieces.append(part)
            count += len(part)
        if count >= enough:
            yield np.concatenate(pieces)
            pieces, count = [], 0
    if pieces:
        yield np.concatenate(pieces)
