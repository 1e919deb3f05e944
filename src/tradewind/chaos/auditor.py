"""The independent auditor: what the journal says we own, recomputed in plain Python integers.

It reads rows and nothing else, shares no function with the rooms it judges, and derives where they keep running totals:
reserves, open quantities and counts come from the orders at the end, every ledger account from four sums of flows, a
position's quantity from both its fills and its orders. `compare` then holds the machine's tables against it.

Conventions, which the machine must share:
- Money is an integer in 10^-8 of its asset. Cost = price * quantity * COST_NUM / COST_DEN, rounded half to even. What the
  venue reported as cost moves cash; its difference from that product stands in ROUNDING (spot).
- A fill is booked once for its (instrument, trade id), whatever the order's state, with the fee in the asset the venue names;
  a fee in another asset than the quote never enters `charges`, and no fee enters basis or quantity.
- Average cost: a reducing fill takes the share closed / held of the basis, half to even, and all of it where all is closed.
  A fill through zero first closes at its cost's share closed / filled, half to even; the remainder opens. Therefore, exactly
  and always: realised - basis = - sum of signed costs.
- Spot exchanges base against quote; a linear contract moves only what it realised, in the quote asset.
- A live order reserves what is left of it: quote at its limit price rounded up, or base. Linear orders reserve nothing.
- News of an order nobody knows is counted in `strangers`. Unknown is what was never sent, and what was forgotten: the order
  table has `slots` places, a number's place is the number modulo that, and a new order takes it. Such a fill is booked against
  SUSPENSE instead of TRADING and makes a position that is nobody's; its fee and rounding are booked as any other's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np

from ..domain import codes, layout
from ..domain.orders import CANCELED, CANCELLING, EXPIRED, FILLED, NEVER_ACCEPTED, PARTIAL, PENDING, REJECTED, UNKNOWN, WORKING
from ..domain.rows import Rows

READ = (
    codes.RULE, codes.LIMIT, codes.BALANCE, codes.RIGHT, codes.SUBMIT, codes.CANCEL, codes.REPORT, codes.FILL, codes.CHARGE,
)  # fmt: skip
COLUMNS = ["kind", "side", "instrument", "account", "strategy", "price", "quantity", "ref", "value"]
ENDED = frozenset((FILLED, CANCELED, REJECTED, EXPIRED, NEVER_ACCEPTED))
CONTRADICTION = -1
NOBODY = -1  # whose position fills of unknown orders make

# What each report makes of a live order; a status that is not named stays as it is.
AFTER_REPORT: dict[int, dict[int, int]] = {
    codes.ACKED: {PENDING: WORKING, UNKNOWN: WORKING},
    codes.REJECTED_BY_VENUE: {
        PENDING: REJECTED,
        CANCELLING: REJECTED,
        UNKNOWN: REJECTED,
        WORKING: CONTRADICTION,
        PARTIAL: CONTRADICTION,
    },
    codes.CANCELED_BY_VENUE: dict.fromkeys((PENDING, WORKING, PARTIAL, CANCELLING, UNKNOWN), CANCELED),
    codes.EXPIRED_BY_VENUE: dict.fromkeys((PENDING, WORKING, PARTIAL, CANCELLING, UNKNOWN), EXPIRED),
    codes.CANCEL_REFUSED: {CANCELLING: UNKNOWN},
    codes.OUTCOME_UNKNOWN: dict.fromkeys((PENDING, WORKING, PARTIAL, CANCELLING), UNKNOWN),
    codes.NEVER_REACHED: {
        PENDING: NEVER_ACCEPTED,
        UNKNOWN: NEVER_ACCEPTED,
        WORKING: CONTRADICTION,
        PARTIAL: CONTRADICTION,
        CANCELLING: CONTRADICTION,
    },
}


class AuditedOrder(msgspec.Struct):
    """One order as the journal tells its life."""

    id: int
    instrument: int
    strategy: int
    side: int
    layer: int
    price: int
    quantity: int
    status: int = PENDING
    filled: int = 0
    cost: int = 0
    told: tuple[int, int, int] | None = None  # price, quantity and trade id of a fill whose charge has not come

    @property
    def live(self) -> bool:
        """Whether it may still trade."""
        return self.status not in ENDED

    @property
    def left(self) -> int:
        """What may still trade of it, in quantity units."""
        return max(self.quantity - self.filled, 0) if self.live else 0

    @property
    def sign(self) -> int:
        """1 for a buy, -1 for a sale."""
        return 1 if self.side == codes.BUY else -1


class Holding(msgspec.Struct):
    """One strategy's position in one instrument; money in units of the quote asset."""

    quantity: int = 0
    basis: int = 0
    realised: int = 0
    charges: int = 0
    traded: int = 0


class Audit:
    """What the journal says, row by row. Money and quantities are Python integers without bound."""

    def __init__(self, slots: int = 0) -> None:
        self.slots = slots  # 0: no order is ever forgotten
        self.rules: dict[int, dict[int, int]] = {}
        self.limits: dict[tuple[int, int], int] = {}
        self.rights: dict[tuple[int, int], int] = {}
        self.orders: dict[int, AuditedOrder] = {}
        self.working: dict[tuple[int, int, int, int], int] = {}
        self.holdings: dict[tuple[int, int], Holding] = {}
        self.deposited: Counter[tuple[int, int]] = Counter()  # the flows, by (venue, asset)
        self.exchanged: Counter[tuple[int, int]] = Counter()
        self.charged: Counter[tuple[int, int]] = Counter()
        self.rounded: Counter[tuple[int, int]] = Counter()
        self.suspended: Counter[tuple[int, int]] = Counter()
        self.trades: set[tuple[int, int]] = set()  # (instrument, trade id)
        self.owners: dict[int, int] = {}  # which order has the place of that number
        self.stray_told: dict[int, tuple[AuditedOrder, tuple[int, int, int]]] = {}  # by instrument: fills without their charge
        self.stray_costs: Counter[int] = Counter()  # by instrument, signed
        self.n_rows = self.n_fills = self.n_twice = self.n_late = self.n_stray = self.contradictions = self.strangers = 0

    # Reading --------------------------------------------------------------------------------------------------------------

    def read(self, rows: Rows) -> None:
        """Takes more rows of the journal, in its order."""
        self.n_rows += rows.size
        for row in rows[np.isin(rows["kind"], READ)][COLUMNS].tolist():
            self._read(*row)

    def _read(self, kind: int, side: int, instrument: int, account: int, strategy: int, *numbers: int) -> None:
        price, quantity, ref, value = numbers
        if kind == codes.FILL:
            self._told(ref, instrument, side, (price, quantity, value))
        elif kind == codes.CHARGE:
            self._charged(ref, instrument, value, (quantity, strategy))
        elif kind == codes.REPORT:
            self._reported(ref, value)
        elif kind == codes.SUBMIT:
            layer = value // 256 % 256
            self.orders[ref] = AuditedOrder(ref, instrument, strategy, side, layer, price, quantity)
            self.working[strategy, instrument, side, layer] = ref
            if self.slots:
                self.owners[ref % self.slots] = ref
        elif kind == codes.CANCEL:
            self._cancel_sent(ref)
        elif kind == codes.BALANCE:
            self.deposited[account, instrument] += quantity
        elif kind == codes.RULE:
            self.rules.setdefault(instrument, {})[ref] = value
        elif kind == codes.LIMIT:
            self.limits[strategy + 1, ref] = value
        else:
            self.rights[strategy, instrument] = value

    def rule(self, instrument: int, column: int) -> int:
        """The rule's value, 0 where no row set it."""
        return self.rules.get(instrument, {}).get(column, 0)

    # Orders ---------------------------------------------------------------------------------------------------------------

    def _known(self, ref: int) -> AuditedOrder | None:
        """The order of that number, unless it was never sent or its place has gone to another."""
        order = self.orders.get(ref)
        if order is None or (self.slots and self.owners[ref % self.slots] != ref):
            self.strangers += 1
            return None
        return order

    def _cancel_sent(self, ref: int) -> None:
        order = self._known(ref)
        if order is not None and order.live:
            if order.status != UNKNOWN:
                order.status = CANCELLING
            self._leave(order)

    def _reported(self, ref: int, code: int) -> None:
        order = self._known(ref)
        if order is not None and order.live:
            new = AFTER_REPORT.get(code, {}).get(order.status, order.status)
            if new == CONTRADICTION:
                self.contradictions += 1
            else:
                self._become(order, new)

    def _become(self, order: AuditedOrder, status: int) -> None:
        order.status = status
        if not order.live:
            self._leave(order)

    def _leave(self, order: AuditedOrder) -> None:
        """The strategy no longer counts on this order: its place is free for another."""
        place = (order.strategy, order.instrument, order.side, order.layer)
        if self.working.get(place) == order.id:
            del self.working[place]

    # Money ----------------------------------------------------------------------------------------------------------------

    def _told(self, ref: int, instrument: int, side: int, told: tuple[int, int, int]) -> None:
        order = self._known(ref)
        if order is None:
            self.stray_told[instrument] = AuditedOrder(ref, instrument, NOBODY, side, 0, 0, 0), told
        else:
            order.told = told

    def _charged(self, ref: int, instrument: int, cost: int, fee: tuple[int, int]) -> None:
        """A fill is whole; `fee` is its amount and asset."""
        order = self._known(ref)
        if order is None:
            waiting, told = self.stray_told.get(instrument, (None, None))
            if waiting is None or waiting.id != ref or told is None or self.rule(instrument, layout.COST_DEN) <= 0:
                return
            order, order.told = waiting, told
            del self.stray_told[instrument]
        if order.told is None or order.told[1] <= 0:
            self.strangers += 1
            return
        price, quantity, trade = order.told
        order.told = None
        if (order.instrument, trade) in self.trades:
            self.n_twice += 1
            return
        self.trades.add((order.instrument, trade))
        self.n_fills += 1
        self._book(order, price, quantity, cost)
        self._fee(order, *fee)
        self._advance(order, quantity, cost)

    def _fee(self, order: AuditedOrder, amount: int, asset: int) -> None:
        self.charged[self.rule(order.instrument, layout.VENUE), asset] += amount
        if asset == self.rule(order.instrument, layout.QUOTE_ASSET):
            self.holdings[order.strategy, order.instrument].charges += amount

    def _advance(self, order: AuditedOrder, quantity: int, cost: int) -> None:
        """What a booked fill makes of its order; nobody's has no life."""
        order.filled += quantity
        order.cost += cost
        if order.strategy == NOBODY:
            self.n_stray += 1
            self.stray_costs[order.instrument] += order.sign * cost
        elif not order.live:
            self.n_late += 1
        elif order.filled >= order.quantity:
            self._become(order, FILLED)
        elif order.status != CANCELLING:
            order.status = PARTIAL

    def _book(self, order: AuditedOrder, price: int, quantity: int, cost: int) -> None:
        i = order.instrument
        venue, quote = self.rule(i, layout.VENUE), self.rule(i, layout.QUOTE_ASSET)
        gained = _trade(self.holdings.setdefault((order.strategy, i), Holding()), order.sign, quantity, cost)
        flows = self.suspended if order.strategy == NOBODY else self.exchanged
        if self.rule(i, layout.PAYOFF) != codes.SPOT:
            flows[venue, quote] += gained
            return
        exact = half_even(price * quantity * self.rule(i, layout.COST_NUM), self.rule(i, layout.COST_DEN))
        flows[venue, self.rule(i, layout.BASE)] += order.sign * quantity * self.rule(i, layout.BASE_NUM)
        flows[venue, quote] -= order.sign * exact
        self.rounded[venue, quote] += order.sign * (cost - exact)

    # Results --------------------------------------------------------------------------------------------------------------

    def balance(self, venue: int, asset: int) -> int:
        """What the venue owes us, in money units of the asset."""
        at = (venue, asset)
        return self.deposited[at] + self.exchanged[at] + self.suspended[at] - self.rounded[at] - self.charged[at]

    def moved(self) -> set[tuple[int, int]]:
        """Every (venue, asset) that any flow named."""
        return {*self.deposited, *self.exchanged, *self.suspended, *self.charged, *self.rounded}

    def ledger(self) -> dict[tuple[int, int, int], int]:
        """Every account that moved, by (kind, venue, asset)."""
        accounts: dict[tuple[int, int, int], int] = {}
        for venue, asset in self.moved():
            at = (venue, asset)
            accounts[layout.CASH, venue, asset] = self.balance(venue, asset)
            accounts[layout.OPENING, venue, asset] = -self.deposited[at]
            accounts[layout.TRADING, venue, asset] = -self.exchanged[at]
            accounts[layout.SUSPENSE, venue, asset] = -self.suspended[at]
            accounts[layout.FEES, venue, asset] = self.charged[at]
            accounts[layout.ROUNDING, venue, asset] = self.rounded[at]
        return accounts

    def live_orders(self) -> Iterator[AuditedOrder]:
        """The orders that may still trade, UNKNOWN ones included."""
        return (order for order in self.orders.values() if order.live)

    def bound(self, order: AuditedOrder) -> int:
        """What the order reserves: money units of the quote asset of a buy, of the base asset of a sale."""
        i = order.instrument
        if self.rule(i, layout.PAYOFF) != codes.SPOT:
            return 0
        if order.side != codes.BUY:
            return order.left * self.rule(i, layout.BASE_NUM)
        return -(-order.price * order.left * self.rule(i, layout.COST_NUM) // self.rule(i, layout.COST_DEN)) if order.left else 0

    def reserved(self) -> Counter[tuple[int, int]]:
        """What open orders could take, by (venue, asset)."""
        total: Counter[tuple[int, int]] = Counter()
        for order in self.live_orders():
            asset = layout.QUOTE_ASSET if order.side == codes.BUY else layout.BASE
            total[self.rule(order.instrument, layout.VENUE), self.rule(order.instrument, asset)] += self.bound(order)
        return total


def half_even(n: int, d: int) -> int:
    """n / d for d > 0, rounded to the nearest integer, ties to the even one."""
    whole, rest = divmod(n, d)
    return whole + (2 * rest > d or (2 * rest == d and whole % 2 == 1))


def _trade(h: Holding, sign: int, quantity: int, cost: int) -> int:
    """The holding after a fill; returns what the fill realised."""
    before = h.quantity
    closed = min(quantity, max(-sign * before, 0))
    out_of_basis = half_even(h.basis * closed, abs(before)) if closed else 0
    for_closing = half_even(cost * closed, quantity)
    gained = -sign * for_closing - out_of_basis
    h.quantity += sign * quantity
    h.basis += sign * (cost - for_closing) - out_of_basis
    h.realised += gained
    h.traded += cost
    return gained


def audit(rows: Rows | Iterable[Rows], slots: int = 0) -> Audit:
    """The audit of a whole journal: one array of rows, or its batches in order. slots: the size of the order table."""
    found = Audit(slots)
    for batch in [rows] if isinstance(rows, np.ndarray) else rows:
        found.read(batch)
    return found


class Difference(msgspec.Struct, frozen=True):
    """One number on which auditor and machine disagree."""

    table: str
    place: str
    audited: Any
    machine: Any

    def __str__(self) -> str:
        return f"{self.table}[{self.place}]: the journal gives {self.audited}, the machine holds {self.machine}"


def compare(found: Audit, state: Any) -> list[Difference]:
    """Every number of the machine's facts that the audit contradicts; `state` is the machine's record array of one."""
    fact = state[0]["fact"]
    differences: list[Difference] = []
    for table, size, audited in (
        ("ledger", fact["ledger"], found.ledger()),
        ("reserved", fact["reserved"], found.reserved()),
        ("working", fact["working"], found.working),
        ("rule", fact["rule"], {(i, ref): value for i, columns in found.rules.items() for ref, value in columns.items()}),
        ("limit", fact["limit"], found.limits),
        ("right", fact["right"], found.rights),
    ):
        differences += _against(table, size, audited)
    differences += _positions(found, fact["position"]) + _orders(found, fact["order"])
    n_open = sum(1 for _ in found.live_orders())
    counts = {
        "n_open": n_open, "n_fills": found.n_fills, "n_twice": found.n_twice, "n_late": found.n_late, "n_stray": found.n_stray,
    }  # fmt: skip
    for name, number in counts.items():
        if number != fact["ids"][name]:
            differences.append(Difference("ids", name, number, int(fact["ids"][name])))
    return differences + _unbalanced(fact["ledger"])


def _against(table: str, array: Any, audited: Any) -> list[Difference]:
    """The cells of an integer table that are not what the audit says; a cell it does not name must be 0."""
    places = {*map(tuple, np.argwhere(array).tolist()), *audited}
    inside = {at for at in places if all(0 <= k < n for k, n in zip(at, array.shape, strict=True))}
    outside = [Difference(table, str(at), audited[at], "no such place") for at in sorted(places - inside)]
    pairs = ((at, audited.get(at, 0), int(array[at])) for at in sorted(inside))
    return outside + [Difference(table, str(at), a, b) for at, a, b in pairs if a != b]


def _positions(found: Audit, table: Any) -> list[Difference]:
    wanted: dict[str, dict[tuple[int, int], int]] = {name: {} for name in table.dtype.names}
    for (strategy, i), holding in found.holdings.items():
        at = (len(table) - 1 if strategy == NOBODY else strategy, i)
        for name in holding.__struct_fields__:
            wanted[name][at] = getattr(holding, name)
    for order in found.live_orders():
        at = (order.strategy, order.instrument)
        side = wanted["open_buy" if order.side == codes.BUY else "open_sell"]
        side[at] = side.get(at, 0) + order.left
        wanted["n_open"][at] = wanted["n_open"].get(at, 0) + 1
    return [d for name, cells in wanted.items() for d in _against(f"position.{name}", table[name], cells)]


ORDER_COLUMNS = ("status", "instrument", "strategy", "side", "layer", "price", "quantity", "filled", "cost")


def _orders(found: Audit, table: Any) -> list[Difference]:
    """Every order the machine remembers, and every live order it should remember."""
    differences = []
    kept = {int(o["id"]): o for o in table if o["id"] != 0}
    for ref in sorted({*kept, *(order.id for order in found.live_orders())}):
        order, own = found.orders.get(ref), kept.get(ref)
        if order is None or own is None:
            differences.append(Difference("order", str(ref), _presence(order), _presence(own)))
            continue
        numbers = {name: getattr(order, name) for name in ORDER_COLUMNS}
        numbers |= {"open_left": order.left, "bound": found.bound(order)}
        differences += [Difference(f"order.{k}", str(ref), v, int(own[k])) for k, v in numbers.items() if v != own[k]]
    return differences


def _presence(thing: object) -> str:
    return "nothing" if thing is None else "an order"


def _unbalanced(ledger: Any) -> list[Difference]:
    """Assets whose accounts do not sum to zero."""
    sums = ledger.sum(axis=(0, 1))
    return [Difference("sum of all accounts", f"asset {asset}", 0, int(sums[asset])) for asset in np.nonzero(sums)[0].tolist()]


# Identities ----------------------------------------------------------------------------------------------------------------


def broken_identities(found: Audit) -> list[Difference]:
    """Laws that hold of any honest journal: accounts sum to zero, positions are their fills, no order trades beyond its size."""
    sums: Counter[int] = Counter()
    for (_, _, asset), amount in found.ledger().items():
        sums[asset] += amount
    broken = [Difference("sum of all accounts", f"asset {asset}", 0, amount) for asset, amount in sums.items() if amount]
    quantities: Counter[tuple[int, int]] = Counter()
    costs: Counter[tuple[int, int]] = Counter()
    costs.update({(NOBODY, i): cost for i, cost in found.stray_costs.items()})
    quantities.update({at: h.quantity for at, h in found.holdings.items() if at[0] == NOBODY})
    for order in found.orders.values():
        quantities[order.strategy, order.instrument] += order.sign * order.filled
        costs[order.strategy, order.instrument] += order.sign * order.cost
        if order.filled > order.quantity:
            broken.append(Difference("overfilled", str(order.id), order.quantity, order.filled))
    for at, h in found.holdings.items():
        if h.quantity != quantities[at]:
            broken.append(Difference("position = sum of fills", str(at), quantities[at], h.quantity))
        if h.realised - h.basis != -costs[at]:
            broken.append(Difference("realised - basis = - costs", str(at), -costs[at], h.realised - h.basis))
    return broken


def unrealised(found: Audit, mids: Mapping[int, int | Fraction]) -> dict[tuple[int, int], Fraction]:
    """What each open position would gain at the given mids (in price units of its instrument), in money units of the quote."""
    gains = {}
    for (strategy, i), h in found.holdings.items():
        if h.quantity:
            worth = Fraction(h.quantity * found.rule(i, layout.COST_NUM), found.rule(i, layout.COST_DEN)) * mids[i]
            gains[strategy, i] = worth - h.basis
    return gains


def equity_change(found: Audit, rates: Mapping[int, Fraction], mids: Mapping[int, int | Fraction]) -> Fraction:
    """What the balances gained beyond deposits, plus the open gains of contracts, at `rates` of every asset."""
    held = ((found.balance(venue, asset) - found.deposited[venue, asset]) * rates[asset] for venue, asset in found.moved())
    open_gains = (
        gain * rates[found.rule(i, layout.QUOTE_ASSET)]
        for (_, i), gain in unrealised(found, mids).items()
        if found.rule(i, layout.PAYOFF) != codes.SPOT
    )
    return sum(held, Fraction(0)) + sum(open_gains, Fraction(0))


def profit(found: Audit, rates: Mapping[int, Fraction], mids: Mapping[int, int | Fraction]) -> Fraction:
    """Realised plus unrealised minus every fee, at `rates`.

    Equals `equity_change` without tolerance where each mid is the ratio of its assets' rates.
    """
    realised = (h.realised * rates[found.rule(i, layout.QUOTE_ASSET)] for (_, i), h in found.holdings.items())
    open_gains = (gain * rates[found.rule(i, layout.QUOTE_ASSET)] for (_, i), gain in unrealised(found, mids).items())
    fees = (fee * rates[asset] for (_, asset), fee in found.charged.items())
    return sum(realised, Fraction(0)) + sum(open_gains, Fraction(0)) - sum(fees, Fraction(0))
