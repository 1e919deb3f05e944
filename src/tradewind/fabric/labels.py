"""Labels: what a row is to foretell, and how far ahead that looks.

A labeller is a function (frame of bars, horizon in bars) -> column named `label`, null where the horizon leaves the data. Others
plug in through the entry-point group `tradewind.labels`. Only + − × ÷ of float64 may be used: a dataset's id is made of bits.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from tradewind.domain.errors import BadUse

if TYPE_CHECKING:
    import polars as pl

Labeller = Callable[["pl.DataFrame", int], "pl.Series"]


def forward_return(bars: pl.DataFrame, horizon: int) -> pl.Series:
    """close[t + horizon] / close[t] − 1."""
    close = bars["close"]
    return (close.shift(-horizon) / close - 1.0).alias("label")


def labeller(name: str) -> Labeller:
    """The labeller of that name. Raises BadUse."""
    if name == "forward_return":
        return forward_return
    offered = {point.name: point for point in entry_points(group="tradewind.labels")}
    if name not in offered:
        known = ", ".join(["forward_return", *sorted(offered)])
        raise BadUse(f"no labeller {name!r}", where="label.kind", expected=f"one of {known}")
    found: Labeller = offered[name].load()
    return found
