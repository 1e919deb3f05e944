"""What fills and orders add up to, for the whole run and for each strategy, in one pass over the parts of both."""

from __future__ import annotations

import msgspec
import polars as pl

from .parts import parts
from .record import RunRecord
from .trips import Books, Trips


class Tally(msgspec.Struct):
    """Sums over one strategy's fills and orders, or over all; money in the record's currency."""

    fills: int = 0
    traded: float = 0.0
    fees: float = 0.0
    rebates: bool = False  # whether any fee was below zero
    slipped: float = 0.0
    made: float = 0.0  # traded as maker
    orders: int = 0
    trades: int = 0
    winners: int = 0
    won: float = 0.0
    lost: float = 0.0  # as a positive amount
    profit: float = 0.0
    aged_ns: float = 0.0  # sum over trades

    def take_fills(self, fills: pl.DataFrame) -> None:
        """Adds fills."""
        cost = fills["cost"].to_numpy()
        self.fills += fills.height
        self.traded += float(cost.sum())
        self.fees += float(fills["fee"].sum())
        self.rebates |= bool((fills["fee"].to_numpy() < 0).any())
        self.slipped += float((fills["slippage_bps"].to_numpy() * cost).sum()) / 1e4
        self.made += float(fills.filter(pl.col("maker"))["cost"].sum())

    def take_trades(self, closed: Trips, of: str | None) -> None:
        """Adds closed trades, those of one strategy or all."""
        mine = slice(None) if of is None else [strategy == of for strategy in closed.strategies]
        profit, aged = closed.profit[mine], closed.holding_ns[mine]
        self.trades += len(profit)
        self.winners += int((profit > 0.0).sum())
        self.won += float(profit[profit > 0.0].sum())
        self.lost -= float(profit[profit < 0.0].sum())
        self.profit += float(profit.sum())
        self.aged_ns += float(aged.sum())


def tallies(record: RunRecord) -> dict[str | None, Tally]:
    """By strategy its sums, under None those of the whole run."""
    found: dict[str | None, Tally] = {name: Tally() for name in (None, *record.strategies)}
    books = Books()
    for part in parts(record.fills):
        closed = books.take(part)
        for name, tally in found.items():
            tally.take_fills(part if name is None else part.filter(pl.col("strategy") == name))
            tally.take_trades(closed, name)
    for part in parts(record.orders, "order_id", "strategy"):
        for name, tally in found.items():
            tally.orders += (part if name is None else part.filter(pl.col("strategy") == name))["order_id"].n_unique()
    return found
