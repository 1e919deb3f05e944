"""A two-venue stage with the review at hand: rooms of the uncompiled machine, called directly."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

from scripted import MS, Stage, instrument, row
from tradewind.domain import codes, layout
from tradewind.domain.codes import BUY, CANCEL, CHARGE, FILL, REPORT, SELL, SUBMIT
from tradewind.engine.prelude import Limits

TWIN = "tradewind_twin."
LOOSE = Limits(max_notional=1e9, max_position=1e9, max_gross=1e9, max_net=1e9, max_open=10_000, orders_per_s=1000)


def room(name: str) -> ModuleType:
    """A module of the uncompiled machine, such as "risk.review"."""
    return sys.modules[TWIN + name]


class Desk(Stage):
    """Two instruments of one asset on two venues at 100.00 by 100.10, two strategies, and orders told by hand."""

    def __init__(self, **settings: Any) -> None:
        rules = {"tick": 5, "lot": 10, "min_quantity": 20, "min_notional": 1_00000000, "taker_fee_e7": 10_000}
        settings = {"limits": LOOSE, "strategies": ("python", "sma_cross"), "parameters": ({}, {}), **settings}
        super().__init__([instrument("a", **rules), instrument("b", **rules)], **settings)
        self.order_id, self.otype = 0, codes.LIMIT_GTC
        self.shown()

    def shown(self, bid: int = 10000, ask: int = 10010) -> None:
        """Both books, and the clock well past the last order."""
        for i in range(len(self.setup.instruments)):
            self.book(i, [(bid, 500)], [(ask, 500)])
        self.s["budget"]["tokens_e9"] = 1 << 50

    def review(self, side: int = BUY, price: int = 10010, quantity: int = 100, i: int = 0, k: int = 0) -> int:
        """What the review says of an order as `otype` says."""
        wanted = np.zeros(1, layout.TARGETED)[0]
        wanted["price"], wanted["otype"] = price, self.otype
        return int(room("risk.review").review(self.s, k, i, side, wanted, quantity))

    def fact(self, kind: int, **fields: int) -> None:
        """One row becomes true."""
        room("portfolio.facts").apply(self.s, row(kind, self.now, **fields))

    def submit(self, side: int, price: int, quantity: int, i: int = 0, k: int = 0, layer: int = 0) -> int:
        """An order is out, reviewed or not; its id."""
        self.order_id += 1
        self.fact(
            SUBMIT, ref=self.order_id, side=side, price=price, quantity=quantity, instrument=i, strategy=k, value=1 | layer << 8
        )
        return self.order_id

    def fill(self, order_id: int, price: int, quantity: int, i: int = 0) -> None:
        """Part of an order trades, without a fee."""
        self.now += 1
        cost = price * quantity * 100
        self.fact(FILL, ref=order_id, price=price, quantity=quantity, value=self.now, instrument=i)
        self.fact(CHARGE, ref=order_id, strategy=self.names.asset("USD"), value=cost, instrument=i)

    def report(self, order_id: int, code: int) -> None:
        """The venue says something of an order."""
        self.fact(REPORT, ref=order_id, value=code)

    def cancel(self, order_id: int) -> None:
        """We ask for it back."""
        self.fact(CANCEL, ref=order_id)

    def hold(self, quantity: int, i: int = 0, k: int = 0) -> None:
        """Brings a position about by a filled order."""
        order_id = self.submit(BUY if quantity > 0 else SELL, 10000, abs(quantity), i, k)
        self.fill(order_id, 10000, abs(quantity), i)

    def limit(self, column: int, value: int, scope: int = 0) -> None:
        """Sets one limit."""
        self.s["fact"]["limit"][scope, column] = value

    def rung(self, rung: int) -> None:
        """Puts the ladder on a rung."""
        self.fact(codes.OPERATOR, value=rung)


__all__ = ["LOOSE", "MS", "Desk", "room"]
