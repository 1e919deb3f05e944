"""Bars of a minute from the trades that were taken: derived, so made again wherever a trade comes or goes.

A bar holds the trades whose event time lies in [end - 1 min, end), in the order in which they were heard. A minute without a
trade has no bar, as in the machine.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tradewind.domain import codes
from tradewind.storage.lake import Lake, Part
from tradewind.storage.projection import MINUTES, schema

if TYPE_CHECKING:
    import polars as pl


def bars_of(trades: pl.DataFrame, length_ns: int = codes.MINUTE) -> pl.DataFrame:
    """The bars of a frame of lake trades of one instrument, as columns of the table `minutes`."""
    import polars as pl

    event = pl.when(pl.col("ts_venue") > 0).then(pl.col("ts_venue")).otherwise(pl.col("ts_local"))
    end = (event // length_ns + 1) * length_ns
    made = (
        trades.sort("ts_local", "origin", "at")
        .group_by(end.alias("ts_venue"), maintain_order=True)
        .agg(
            pl.col("ts_local").max(),
            pl.col("price_units").first().alias("open_units"),
            pl.col("price_units").max().alias("high_units"),
            pl.col("price_units").min().alias("low_units"),
            pl.col("price_units").last().alias("close_units"),
            pl.col("quantity_units").sum().alias("volume_units"),
            pl.len().alias("trades"),
            pl.col("price_exponent").first(),
            pl.col("quantity_exponent").first(),
        )
        .with_columns(origin=pl.lit(0), at=(pl.col("ts_venue") % codes.DAY) // length_ns)
        .sort("ts_venue")
    )
    return made.select(*(pl.col(name).cast(kind) for name, kind in schema(MINUTES).items()))


def derive(lake: Lake, part: Part, ends: Collection[int] | None = None) -> list[int]:
    """Makes the bars of a day again, or only those ending at `ends`; returns the ends of the bars that changed."""
    import polars as pl

    before = lake.part("minutes", part)
    trades = lake.part("trades", part)
    if ends is None:
        after = bars_of(trades)
    else:
        wanted = list(ends)
        event = pl.when(pl.col("ts_venue") > 0).then(pl.col("ts_venue")).otherwise(pl.col("ts_local"))
        inside = trades.filter(((event // codes.MINUTE + 1) * codes.MINUTE).is_in(wanted))
        after = pl.concat([before.filter(~pl.col("ts_venue").is_in(wanted)), bars_of(inside)]).sort("ts_venue")
    names = before.columns
    new = after.join(before, on=names, how="anti")["ts_venue"]
    gone = before.join(after, on="ts_venue", how="anti")["ts_venue"]
    changed = sorted({*new.to_list(), *gone.to_list()})
    if changed:
        lake.replace("minutes", part, after)
    return changed
