"""Journals of venues that keep no promise: what the ledger must survive, as rows, from a seed.

Reports come late, twice, in any order, before the order was acknowledged and after it ended; fees in three kinds of asset, rebates,
costs a venue rounded in its own way; positions that pass through zero; orders whose outcome nobody knows; news and fills of
strangers and of orders long forgotten; fills told again days later.
Every fill stays within its order, and every message comes within `PATIENCE` steps, so that the machine's bounded tables suffice.
"""

from __future__ import annotations

import heapq
from random import Random
from typing import Any, NamedTuple

import numpy as np

from tradewind.domain import codes, layout
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import ROW, Rows

CAPACITY = Capacity(instruments=8, venues=3, assets=8, strategies=4, orders=256, layers=4)
DTYPE = np.dtype([("clock", layout.CLOCK), ("fact", layout.fact_dtype(CAPACITY))])
# All of them, not those of DTYPE alone: a twin module is loaded once a process, and other tests give it a whole state.
FIELDS = layout.field_names(layout.state_dtype(CAPACITY), layout.venue_dtype(CAPACITY), ROW)
PATIENCE = 80

USDT, USD, BTC, ETH, DOGE, BNB, USDC = range(7)
Row = tuple[int, ...]


class Market(NamedTuple):
    """An instrument, its first price and its largest quantity, both in its own units."""

    venue: int
    base: int
    quote: int
    payoff: int
    price_exponent: int
    quantity_exponent: int
    price: int
    most: int

    @property
    def rules(self) -> dict[int, int]:
        spare = 8 - self.price_exponent - self.quantity_exponent
        return {
            layout.VENUE: self.venue,
            layout.BASE: self.base,
            layout.QUOTE_ASSET: self.quote,
            layout.PAYOFF: self.payoff,
            layout.COST_NUM: 10 ** max(spare, 0),
            layout.COST_DEN: 10 ** max(-spare, 0),
            layout.BASE_NUM: 10 ** (8 - self.quantity_exponent),
        }

    def cost(self, price: int, quantity: int) -> int:
        rules = self.rules
        return round(price * quantity * rules[layout.COST_NUM] / rules[layout.COST_DEN])


MARKETS = (
    Market(0, BTC, USDT, codes.SPOT, 2, 5, 61_234_56, 20_000),
    Market(1, BTC, USD, codes.SPOT, 1, 8, 61_240_1, 20_000_000),
    Market(0, ETH, USDT, codes.SPOT, 2, 4, 2_600_12, 30_000),
    Market(2, DOGE, USDT, codes.SPOT, 5, 0, 10_123, 90_000),
    Market(0, BTC, USDT, codes.LINEAR, 2, 3, 61_250_77, 150),
    Market(2, ETH, BTC, codes.SPOT, 5, 8, 4_251, 300_000_001),
    Market(1, ETH, USD, codes.LINEAR, 3, 7, 2_601_013, 30_000_000),
    Market(2, USDC, USDT, codes.SPOT, 8, 6, 99_987_654, 9_000_000_000),
)


def row(kind: int, **fields: int) -> Row:
    """One row as a tuple in the order of ROW."""
    made = {"marks": codes.WHOLE, "strategy": -1} | fields
    return (kind, *(made.get(name, 0) for name in ROW.names[1:]))


def as_rows(made: list[Row]) -> Rows:
    return np.array(made, ROW)


def fill(order_id: int, i: int, price: int, quantity: int, trade: int, charge: tuple[int, int, int]) -> list[Row]:
    """FILL and CHARGE; `charge` is (cost, fee, fee asset)."""
    cost, fee, asset = charge
    return [
        row(codes.FILL, instrument=i, ref=order_id, price=price, quantity=quantity, value=trade, marks=codes.FIRST),
        row(codes.CHARGE, instrument=i, ref=order_id, quantity=fee, strategy=asset, value=cost, marks=codes.LAST),
    ]


def sided(message: list[Row], side: int) -> list[Row]:
    """A fill that says which side it is of: nobody remembers the order."""
    return [(one[0], side, *one[2:]) for one in message]


def report(order_id: int, code: int) -> Row:
    return row(codes.REPORT, ref=order_id, value=code)


def submit(order_id: int, i: int, side: int, price: int, quantity: int, **fields: int) -> Row:
    """fields: strategy (0), layer (0)."""
    value = codes.LIMIT_GTC | fields.get("layer", 0) << 8
    strategy = fields.get("strategy", 0)
    return row(codes.SUBMIT, instrument=i, strategy=strategy, side=side, price=price, quantity=quantity, ref=order_id, value=value)


def settings() -> list[Row]:
    """The rules of all markets."""
    return [row(codes.RULE, instrument=i, ref=ref, value=value) for i, m in enumerate(MARKETS) for ref, value in m.rules.items()]


class Nasty:
    """A stream of such rows."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.step = self.last_id = self.n_queued = 0
        self.prices = [m.price for m in MARKETS]
        self.trades = [-1] * len(MARKETS)  # numbered from 0 for each instrument
        self.queue: list[tuple[int, int, list[Row]]] = []
        self.past: list[tuple[int, list[Row]]] = []  # fills with the step they were made in
        self.made: list[Row] = settings()
        for venue in range(CAPACITY.venues):
            self.made += [row(codes.BALANCE, instrument=asset, account=venue, quantity=10**14) for asset in range(7)]
        self.made += self._stray(0)  # while the place of that number is still empty

    def rows(self, n: int) -> Rows:
        """The next n rows, as they came."""
        while len(self.made) < n:
            self._step()
        now, self.made = self.made[:n], self.made[n:]
        return as_rows(now)

    def _step(self) -> None:
        self.step += 1
        while self.queue and self.queue[0][0] <= self.step:
            self.made += heapq.heappop(self.queue)[2]
        draw = self.random.random()
        if draw < 0.9:
            self._order()
        elif draw < 0.92:
            self.made.append(self._setting())
        elif draw < 0.95:
            self.made += self._stranger()
        elif draw < 0.96:
            self.made += self._again()
        else:
            self.made.append(row(codes.TRADE, instrument=1, price=5, quantity=7, ref=self.last_id))

    def _later(self, message: list[Row], delay: int) -> None:
        self.n_queued += 1
        heapq.heappush(self.queue, (self.step + delay, self.n_queued, message))

    def _setting(self) -> Row:
        random = self.random
        kind = random.choice((codes.BALANCE, codes.RULE, codes.LIMIT, codes.RIGHT))
        i = random.randrange(len(MARKETS))
        if kind == codes.BALANCE:
            return row(
                kind, instrument=random.randrange(7), account=random.randrange(3), quantity=random.randint(-(10**12), 10**12)
            )
        if kind == codes.RULE:
            return row(kind, instrument=i, ref=random.choice((layout.TICK, layout.TAKER_FEE_E7)), value=random.randrange(1, 99))
        if kind == codes.LIMIT:
            return row(
                kind, strategy=random.randrange(-1, 4), ref=random.randrange(layout.N_LIMITS), value=random.randrange(10**12)
            )
        return row(kind, strategy=random.randrange(4), instrument=i, value=random.randrange(2))

    def _stranger(self) -> list[Row]:
        """News of an order nobody sent, of the number 0, and a charge without its fill."""
        random = self.random
        who = random.choice((0, 0, self.last_id + 50, -3))
        draw = random.random()
        if draw < 0.3:
            return [report(who, codes.ACKED)]
        if draw < 0.7:
            return self._stray(who if draw < 0.5 else max(self.last_id - CAPACITY.orders - random.randrange(9), -3))
        return [row(codes.CHARGE, ref=max(self.last_id - random.randrange(70), 0), quantity=5, strategy=USDT, value=17)]

    def _stray(self, who: int) -> list[Row]:
        i = self.random.randrange(len(MARKETS))
        return sided(self._fill(who, i, self.random.randint(1, MARKETS[i].most)), self.random.randrange(2))

    def _again(self) -> list[Row]:
        """A fill that was told before everything that may still be on its way was made."""
        made, message = self.past[int(len(self.past) * self.random.random() ** 3)]  # more often an old one
        return message if made < self.step - PATIENCE else []

    # Orders ---------------------------------------------------------------------------------------------------------------

    def _order(self) -> None:
        random = self.random
        self.last_id += 1
        ref, i = self.last_id, random.choice((0, 0, 0, 0, *range(len(MARKETS))))
        self.prices[i] = max(self.prices[i] * random.randint(99_900, 100_101) // 100_000, 5)
        quantity = max(3, int(MARKETS[i].most * random.random() ** 3))
        late = random.random() < 0.03
        strategy = random.randrange(4)
        layer = random.randrange(4)
        self.made.append(submit(ref, i, random.randrange(2), self.prices[i], quantity, strategy=strategy, layer=layer))
        script = self._script(ref, i, quantity - late)
        span = PATIENCE if random.random() < 0.9 else PATIENCE // 8
        delays = [random.randint(0, span - 2) for _ in script]
        if random.random() < 0.6:
            delays.sort()
        for message, delay in zip(script, delays, strict=True):
            self._later(message, delay)
            if random.random() < 0.1:
                self._later(message, random.randint(delay, span - 2))
        self._later([report(ref, random.choice((codes.CANCELED_BY_VENUE, codes.EXPIRED_BY_VENUE)))], span - 1)
        if late:  # what nobody waits for any more
            self._later(self._fill(ref, i, 1), PATIENCE)

    def _script(self, ref: int, i: int, quantity: int) -> list[list[Row]]:
        """The messages of one order, in the order a good venue would send them, but for our own cancel."""
        random = self.random
        fate = random.random()
        if fate < 0.06:
            told = [[report(ref, codes.REJECTED_BY_VENUE)]]
            return told + ([self._fill(ref, i, quantity)] if random.random() < 0.1 else [])
        if fate < 0.1:
            return [[report(ref, codes.OUTCOME_UNKNOWN)], [report(ref, codes.NEVER_REACHED)]]
        script = [[report(ref, codes.ACKED)]]
        half = random.random() < 0.02
        left = quantity - half
        for _ in range(random.choice((0, 1, 1, 2, 4))):
            part = random.randint(1, left) if left > 1 else 0
            if part:
                script.append(self._fill(ref, i, part))
                left -= part
        if left and random.random() < 0.5:
            script.append(self._fill(ref, i, left))
        if random.random() < 0.15:
            script.append([row(codes.CANCEL, instrument=i, ref=ref)])
            script.append([report(ref, random.choice((codes.CANCELED_BY_VENUE, codes.CANCEL_REFUSED)))])
        if random.random() < 0.1:
            script.append([report(ref, codes.OUTCOME_UNKNOWN)])
        if random.random() < 0.05:
            script.append([report(ref, random.randint(codes.ACKED, codes.NEVER_REACHED))])
        if half:  # the first row of a fill is told twice
            script.append([*self._fill(ref, i, 1)[:1], *self._fill(ref, i, 1)])
            del self.past[-2]  # its charge is never told
        return script

    def _fill(self, ref: int, i: int, quantity: int) -> list[Row]:
        random = self.random
        market = MARKETS[i]
        self.trades[i] += 1
        price = max(self.prices[i] + random.randint(-3, 3), 1)
        cost = market.cost(price, quantity) + random.choice((0, 0, 0, 0, 0, 1, -1, 3))
        asset = random.choice((market.quote, market.quote, market.base, BNB))
        rate = random.choice((-3, 0, 10, 100))
        message = fill(ref, i, price, quantity, self.trades[i], (cost, -(-abs(cost) * rate // 100_000), asset))
        self.past.append((self.step, message))
        return message


def fresh() -> Any:
    """An empty state with facts and clock alone."""
    return np.zeros(1, DTYPE)
