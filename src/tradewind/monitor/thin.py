"""Fewer points, same look: what a screen cannot show is left out of a plot, what it can is kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def extremes(values: Floats, buckets: int) -> Ints:
    """Indices, increasing, of the first, least, greatest and last value of each of `buckets` equal runs of rows.

    Every peak and trough of a line survives, whatever its width; at most 4 × buckets indices are given.
    """
    n = len(values)
    if n <= 4 * buckets:
        return np.arange(n)
    edges = np.linspace(0, n, buckets + 1).astype(np.int64)
    kept = [edges[:-1], edges[1:] - 1]
    width = int(np.diff(edges).max())
    # Runs differ in length by one row at most: a table of rows by run, whose last column repeats where a run is shorter.
    places = np.minimum(edges[:-1, None] + np.arange(width), edges[1:, None] - 1)
    table = values[places]
    for column in (table.argmin(axis=1), table.argmax(axis=1)):
        kept += [np.take_along_axis(places, column[:, None], axis=1)[:, 0]]
    picked: Ints = np.unique(np.concatenate(kept))
    return picked


def evenly(n: int, most: int) -> Ints:
    """At most `most` indices of n, spread evenly, the first and the last among them."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).round().astype(np.int64)
