"""The uncompiled rooms of `portfolio` over an empty book of the markets of `chaos.nasty`."""

from __future__ import annotations

from typing import Any

from chaos import nasty
from chaos.nasty import MARKETS, Row, as_rows, fill, report, row, submit
from tradewind.chaos.auditor import audit, compare
from tradewind.domain import codes, layout
from tradewind.kernel import twin

SPOT_BTC, SPOT_DOGE, LINEAR_BTC = 0, 3, 4
UNIT = 10**8
USDT_RESERVE = 100_000  # money units that one quantity unit of SPOT_BTC takes at 100.00

__all__ = [
    "LINEAR_BTC", "MARKETS", "SPOT_BTC", "SPOT_DOGE", "UNIT", "USDT_RESERVE", "Books", "Row", "fill", "filled", "order_of",
    "report", "row", "submit",
]  # fmt: skip


def filled(order_id: int, trade: int, price: int, quantity: int, **fields: int) -> list[Row]:
    """A fill at its exact cost. fields: i (SPOT_BTC), fee (0), asset (USDT)."""
    i = fields.get("i", SPOT_BTC)
    cost = MARKETS[i].cost(price, quantity)
    return fill(order_id, i, price, quantity, trade, (cost, fields.get("fee", 0), fields.get("asset", nasty.USDT)))


class Books:
    """Facts, told row by row."""

    def __init__(self) -> None:
        self.facts = twin.load("portfolio.facts", nasty.FIELDS)
        self.state = nasty.fresh()
        self.told: list[Row] = []
        self.tell(nasty.settings())

    def tell(self, *messages: list[Row]) -> Books:
        for message in messages:
            for one in as_rows(message):
                self.facts.apply(self.state[0], one)
            self.told += message
        return self

    def copy(self) -> Books:
        """The same books, to be told something else."""
        other = Books.__new__(Books)
        other.facts, other.state, other.told = self.facts, self.state.copy(), list(self.told)
        return other

    @property
    def fact(self) -> Any:
        return self.state[0]["fact"]

    @property
    def fault(self) -> int:
        return int(self.state[0]["clock"]["fault"])

    def ids(self, name: str) -> int:
        return int(self.fact["ids"][name])

    def order(self, order_id: int) -> Any:
        return self.fact["order"][order_id % nasty.CAPACITY.orders]

    def position(self, i: int, strategy: int = 0) -> Any:
        return self.fact["position"][strategy, i]

    def account(self, kind: int, asset: int, venue: int = 0) -> int:
        return int(self.fact["ledger"][kind, venue, asset])

    def cash(self, asset: int) -> int:
        """The balance at the first venue."""
        return self.account(layout.CASH, asset)

    def reserved(self, asset: int) -> int:
        return int(self.fact["reserved"][0, asset])

    def objections(self) -> list[str]:
        """What the auditor says of these books."""
        return [*map(str, compare(audit(as_rows(self.told), nasty.CAPACITY.orders), self.state))]


def order_of(quantity: int = 100_000, price: int = 100_00, **fields: int) -> list[Row]:
    """Order 1, a purchase of SPOT_BTC for 100 USDT unless told otherwise."""
    return [submit(fields.pop("ref", 1), fields.pop("i", SPOT_BTC), fields.pop("side", codes.BUY), price, quantity, **fields)]
