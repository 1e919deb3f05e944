"""A naive exchange: dictionaries, lists and fractions, written from the rules in docs/simulation.md, slow and plain."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import msgspec

from tradewind.domain.codes import (
    ACKED,
    BUY,
    CANCEL_REFUSED,
    CANCELED_BY_VENUE,
    DEPTH,
    EXPIRED_BY_VENUE,
    FILL,
    LAST,
    LIMIT_IOC,
    LIMIT_POST_ONLY,
    REJECTED_BY_VENUE,
    REPORT,
    SELL,
    SUBMIT,
    TRADE,
)


class Told(msgspec.Struct, frozen=True):
    """One report as heard: when, of which order, what."""

    ts: int
    kind: int
    order: int
    code: int = 0
    price: int = 0
    quantity: int = 0
    cost: int = 0
    fee: int = 0
    maker: bool = False


class Resting(msgspec.Struct):
    """One own order at its venue."""

    order: int
    instrument: int
    side: int
    price: int
    left: int
    kind: int
    ahead: int = 0
    traded: int = 0


class Physics(msgspec.Struct, frozen=True, kw_only=True):
    """One venue: latencies in ns of the local frame, and how it matches."""

    to_venue: int
    from_venue: int
    jitter: int = 0
    probability: bool = False
    partial: bool = True
    seed: int = 1


class Exchange:
    """One venue with its instruments' books; `fees` maps an instrument to (maker, taker) in 1e-7 and its cost ratio."""

    def __init__(self, physics: Physics, fees: dict[int, tuple[int, int, int, int]]) -> None:
        self.physics, self.fees = physics, fees
        self.books: dict[int, tuple[dict[int, int], dict[int, int]]] = {i: ({}, {}) for i in fees}
        self.synced: set[int] = set()
        self.waiting: list[tuple[int, Any]] = []
        self.resting: list[Resting] = []
        self.told: list[Told] = []
        self.last_in = self.last_out = 0
        self.random = physics.seed
        self.touch: dict[int, tuple[int, int]] = {}

    def _jitter(self) -> int:
        if self.physics.jitter == 0:
            return 0
        self.random = (self.random * 1103515245 + 12345) % (1 << 31)
        return (self.random // 256) * self.physics.jitter // (1 << 23)

    # Orders come in ---------------------------------------------------------------------------------------------------

    def send(self, command: Any) -> None:
        """A command sets out; none overtakes another."""
        self.last_in = max(self.last_in, int(command["ts_local"]) + self.physics.to_venue + self._jitter())
        self.waiting.append((self.last_in, command))

    def arrive(self, now: int) -> None:
        """Commands that have arrived by `now` act."""
        while self.waiting and self.waiting[0][0] <= now:
            due, command = self.waiting.pop(0)
            if command["kind"] == SUBMIT:
                self._place(due, command)
            else:
                self._withdraw(due, int(command["ref"]))

    def _place(self, now: int, c: Any) -> None:
        o = Resting(int(c["ref"]), int(c["instrument"]), int(c["side"]), int(c["price"]), int(c["quantity"]), int(c["value"]) % 256)
        if o.instrument not in self.synced:
            return self._say(now, o, REJECTED_BY_VENUE)
        other = self.books[o.instrument][1 - o.side]
        reached = sorted((p for p in other if (p <= o.price if o.side == BUY else p >= o.price)), reverse=o.side == SELL)
        if reached and o.kind == LIMIT_POST_ONLY:
            return self._say(now, o, REJECTED_BY_VENUE)
        self._say(now, o, ACKED)
        for price in reached:
            if o.left > 0:
                self._trade(now, o, price, min(o.left, other[price]), maker=False)
        if o.left > 0 and o.kind == LIMIT_IOC:
            return self._say(now, o, EXPIRED_BY_VENUE)
        if o.left > 0:
            o.ahead = self.books[o.instrument][o.side].get(o.price, 0)
            self.resting.append(o)
        return None

    def _withdraw(self, now: int, order: int) -> None:
        for o in self.resting:
            if o.order == order:
                self.resting.remove(o)
                return self._say(now, o, CANCELED_BY_VENUE)
        self._hear(now, REPORT, order, code=CANCEL_REFUSED)
        return None

    # The market passes ------------------------------------------------------------------------------------------------

    def market(self, row: Any) -> None:
        """One recorded row."""
        if row["kind"] == TRADE:
            self._trade_passes(int(row["ts_local"]), row)
        elif row["kind"] == DEPTH:
            self._level(row)
            if row["marks"] & LAST:
                self._message_ends(int(row["ts_local"]), int(row["instrument"]))

    def _level(self, row: Any) -> None:
        i, side, price, new = (int(row[name]) for name in ("instrument", "side", "price", "quantity"))
        book = self.books[i][side]
        for o in self.resting:
            if (o.instrument, o.side, o.price) == (i, side, price):
                self._requeue(o, book.get(price, 0), new)
        if new:
            book[price] = new
        else:
            book.pop(price, None)

    def _requeue(self, o: Resting, old: int, new: int) -> None:
        gone, o.traded = old - new - o.traded, 0
        if self.physics.probability and gone > 0:
            front, back = float(o.ahead), float(max(old - o.ahead, 0))
            if front or back:
                o.ahead -= int(gone * (front * front / (front * front + back * back)))
        o.ahead = min(max(o.ahead, 0), new) if new < o.ahead or o.ahead < 0 else o.ahead

    def _trade_passes(self, now: int, row: Any) -> None:
        own = SELL if row["side"] == BUY else BUY
        price, left = int(row["price"]), int(row["quantity"])
        for o in self._own(int(row["instrument"]), own):
            if (o.price > price) if own == BUY else (o.price < price):
                self._trade(now, o, o.price, o.left, maker=True)
            elif o.price == price:
                o.traded += int(row["quantity"])
                reach = left - o.ahead
                o.ahead = max(o.ahead - left, 0)
                if reach > 0:
                    got = min(o.left, reach) if self.physics.partial else o.left
                    self._trade(now, o, o.price, got, maker=True)
                    left = max(left - got, 0)
        self._tidy()

    def _message_ends(self, now: int, i: int) -> None:
        bids, asks = self.books[i]
        touch = (max(bids), min(asks))
        moved, self.touch[i] = i not in self.synced or touch != self.touch[i], touch
        self.synced.add(i)
        if moved:
            for o in self._own(i, BUY) + self._own(i, SELL):
                if (o.price >= touch[1]) if o.side == BUY else (o.price <= touch[0]):
                    self._trade(now, o, o.price, o.left, maker=True)
            self._tidy()

    def _own(self, i: int, side: int) -> list[Resting]:
        return [o for o in self.resting if (o.instrument, o.side) == (i, side)]

    def _tidy(self) -> None:
        self.resting = [o for o in self.resting if o.left > 0]

    # Word goes out ----------------------------------------------------------------------------------------------------

    def _trade(self, now: int, o: Resting, price: int, quantity: int, *, maker: bool) -> None:
        maker_fee, taker_fee, num, den = self.fees[o.instrument]
        cost = round(Fraction(price * quantity * num, den))  # Python rounds half to even
        fee = ceil(Fraction(cost * (maker_fee if maker else taker_fee), 10**7))
        o.left -= quantity
        self._hear(now, FILL, o.order, price=price, quantity=quantity, cost=cost, fee=fee, maker=maker)

    def _say(self, now: int, o: Resting, code: int) -> None:
        self._hear(now, REPORT, o.order, code=code, quantity=o.left)

    def _hear(self, now: int, kind: int, order: int, **what: Any) -> None:
        self.last_out = max(self.last_out, now + self.physics.from_venue + self._jitter())
        self.told.append(Told(self.last_out, kind, order, **what))
