"""Trades in the sense of a statistics table: what was opened and later closed, first in, first out.

Each fill that reduces a position is one trade, made of the oldest open quantities it closes, per strategy and
instrument. Its profit is in the reporting currency (spot and linear payoffs), net of its own fee and of the opening
fees in proportion. A fill through zero closes, then opens.
"""

from __future__ import annotations

from collections import deque

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..domain.codes import BUY
from .parts import Table, parts

DUST = 1e-9  # share of a fill below which a float remainder counts as nothing


class _Lot:
    __slots__ = ("fee", "left", "ts_ns", "unit_cost")

    def __init__(self, ts_ns: int, left: float, unit_cost: float, fee: float) -> None:
        self.ts_ns, self.left, self.unit_cost, self.fee = ts_ns, left, unit_cost, fee  # fee: of what is left


class Trips(msgspec.Struct, frozen=True):
    """Closed trades in closing order; arrays of one length."""

    profit: NDArray[np.float64]  # net of fees
    holding_ns: NDArray[np.float64]  # age of the closed quantity, weighted by quantity
    strategies: list[str]

    @property
    def count(self) -> int:
        return len(self.profit)


class Books:
    """What is open, by strategy and instrument, while fills come part by part in time order."""

    def __init__(self) -> None:
        self._books: dict[tuple[str, str], tuple[deque[_Lot], list[bool]]] = {}

    def take(self, fills: pl.DataFrame) -> Trips:
        """The trades that these fills close, each book for itself."""
        closed: list[tuple[float, float]] = []
        owners: list[str] = []
        columns = ("ts_ns", "strategy", "instrument", "side", "quantity", "cost", "fee")
        for ts_ns, strategy, instrument, side, quantity, cost, fee in zip(*(fills[c].to_list() for c in columns), strict=True):
            lots, long = self._books.setdefault((strategy, instrument), (deque(), [True]))
            buys = side == BUY
            if not lots:
                long[0] = buys
            if buys != long[0]:
                done, result = _close(lots, (ts_ns, quantity, cost / quantity, fee / quantity), 1.0 if long[0] else -1.0)
                closed.append(result)
                owners.append(strategy)
                left = quantity - done
                long[0] = buys if not lots else long[0]
            else:
                left = quantity
            if left > DUST * quantity:
                lots.append(_Lot(ts_ns, left, cost / quantity, fee * left / quantity))
        profit, holding = zip(*closed, strict=True) if closed else ((), ())
        return Trips(np.array(profit, np.float64), np.array(holding, np.float64), owners)


def trips(fills: pl.DataFrame) -> Trips:
    """The closed trades of fills in time order, each book (strategy and instrument) for itself."""
    return Books().take(fills)


def _close(lots: deque[_Lot], fill: tuple[int, float, float, float], sign: float) -> tuple[float, tuple[float, float]]:
    """Takes the fill's quantity from the oldest lots: what was closed, and (profit, holding_ns) of it."""
    ts_ns, quantity, unit_cost, unit_fee = fill
    left, profit, aged = quantity, 0.0, 0.0
    while lots and left > DUST * quantity:
        lot = lots[0]
        taken = min(left, lot.left)
        fee = lot.fee * taken / lot.left
        profit += sign * taken * (unit_cost - lot.unit_cost) - fee
        aged += taken * (ts_ns - lot.ts_ns)
        lot.fee -= fee
        lot.left -= taken
        left -= taken
        if lot.left <= DUST * taken:
            lots.popleft()
    done = quantity - left
    return done, (profit - unit_fee * done, aged / done)


class Holding(msgspec.Struct):
    """One instrument over a grid of moments: what was held, and the last price paid (the first where none was yet)."""

    quantity: NDArray[np.float64]
    price: NDArray[np.float64]
    fills: int = 0
    held: float = 0.0  # after the last fill


def holdings(fills: Table, grid: NDArray[np.int64]) -> dict[str, Holding]:
    """By instrument, its holding over the grid; most filled first. Prices are in the reporting currency."""
    found: dict[str, Holding] = {}
    for frame in parts(fills, "ts_ns", "instrument", "side", "quantity", "cost"):
        for (instrument,), part in frame.group_by(["instrument"], maintain_order=True):
            quantity = part["quantity"].to_numpy()
            price = part["cost"].to_numpy() / quantity
            known = found.setdefault(str(instrument), Holding(np.zeros(len(grid)), np.full(len(grid), price[0])))
            signed = np.where(part["side"].to_numpy() == BUY, 1.0, -1.0) * quantity
            held = np.cumsum(np.append(known.held, signed))[1:]
            at = np.searchsorted(part["ts_ns"].to_numpy(), grid, side="right") - 1
            known.quantity[at >= 0], known.price[at >= 0] = held[at[at >= 0]], price[at[at >= 0]]
            known.fills, known.held = known.fills + part.height, float(held[-1])
    return dict(sorted(found.items(), key=lambda item: -item[1].fills))
