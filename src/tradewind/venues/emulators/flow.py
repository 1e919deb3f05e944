"""A seeded flow of orders: assets whose worth wanders, and on every venue a crowd that quotes and trades around it.

The venues see the same assets, so their prices go together; each has its own crowd, so they never agree to the tick. What
happens depends on the seed and on nothing else: not on the machine's clock, not on who listens.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from .book import ASK, BID, Change, Market, Trade
from .clock import SECOND_NS
from .listings import WORTH, Listing

MICROSECOND_NS = 1_000
FAR = 0.02  # of the price: nobody leaves an order further away
GRID_NS = SECOND_NS // 10  # the worth of an asset moves this often
NEVER_NS = 1 << 62
YEAR_S = 365 * 86_400
VOLATILITY = {"BTC": 0.55, "ETH": 0.7, "SOL": 0.9, "EUR": 0.07, "USDT": 0.01, "USDC": 0.01, "USD": 0.0}  # a year
BASIS = 0.000_08  # how far a venue's own crowd stands off, one standard deviation
BASIS_KEEPS = 0.98  # of it, from one grid step to the next


class Happening(msgspec.Struct, frozen=True):
    """What one order did: changes of levels in order, and trades. All carry the same time."""

    market: Market
    ts_ns: int
    changes: list[Change]
    trades: list[Trade]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How busy and how deep the venues are."""

    orders_per_s: float = 12.0  # of one pair
    trade_share: float = 0.12
    cancel_share: float = 0.4
    levels: int = 60  # a side


class Bend(msgspec.Struct):
    """How a venue's prices are made to leave the truth; a fault sets it."""

    since_ns: int = 0
    per_second: float = 0.0
    frozen: bool = False
    frozen_at: float = 0.0


class Assets:
    """The worth of every asset in USD, moving on a grid of time."""

    def __init__(self, seed: int, start_ns: int) -> None:
        self._at_ns = start_ns
        self.worth = dict(WORTH)
        self._chance = {asset: random.Random(f"{seed}/worth/{asset}") for asset in WORTH}
        self._drift: dict[str, tuple[float, int]] = {}  # log per grid step, until

    def shock(self, asset: str, share: float, over_ns: int) -> None:
        """Moves an asset everywhere by `share` of its worth, evenly over a time."""
        steps = max(1, over_ns // GRID_NS)
        self._drift[asset] = (math.log1p(share) / steps, self._at_ns + steps * GRID_NS)

    def move_to(self, ts_ns: int) -> int:
        """Brings every asset to a time; gives how many steps that took."""
        steps = 0
        while self._at_ns + GRID_NS <= ts_ns:
            self._at_ns += GRID_NS
            steps += 1
            for asset, chance in self._chance.items():
                sigma = VOLATILITY[asset] * math.sqrt(GRID_NS / SECOND_NS / YEAR_S)
                drift, until_ns = self._drift.get(asset, (0.0, 0))
                step = chance.gauss(0.0, sigma) + (drift if self._at_ns <= until_ns else 0.0)
                self.worth[asset] *= math.exp(step)
        return steps


class Crowd:
    """Those who quote and trade one pair on one venue."""

    def __init__(self, market: Market, seed: int, pace: Pace) -> None:
        self.market, self.pace = market, pace
        listing = market.listing
        self._chance = random.Random(f"{seed}/{market.venue}/{listing.symbol}")
        self._basis_chance = random.Random(f"{seed}/basis/{market.venue}/{listing.symbol}")
        self._basis = 0.0
        self.bend = Bend()
        self.haste = 1.0  # times the pace

    def wait_ns(self) -> int:
        """Until the next order: whole microseconds, at least one."""
        return max(1, round(self._chance.expovariate(self.pace.orders_per_s * self.haste) * 1e6)) * MICROSECOND_NS

    def lean(self, steps: int) -> None:
        """Lets the venue's own distance from the truth wander."""
        for _ in range(steps):
            self._basis = self._basis * BASIS_KEEPS + self._basis_chance.gauss(0.0, BASIS * math.sqrt(1 - BASIS_KEEPS**2))

    def fair(self, assets: Assets, ts_ns: int) -> float:
        """What the crowd believes the price to be, in units of the price."""
        listing = self.market.listing
        price = assets.worth[listing.base] / assets.worth[listing.quote] * (1 + self._basis)
        bend = self.bend
        if bend.frozen:
            price = bend.frozen_at = bend.frozen_at or price
        if bend.per_second:
            price *= math.exp(bend.per_second * (ts_ns - bend.since_ns) / SECOND_NS)
        return price * float(10**listing.price_decimals)

    def open(self, assets: Assets, ts_ns: int) -> None:
        """Fills the book before anybody looks."""
        fair = self.fair(assets, ts_ns)
        for side in (BID, ASK):
            while self.market.book.depth(side) < self.pace.levels:
                self._place(ts_ns, side, fair)
        self.market.changes.clear()

    def act(self, assets: Assets, ts_ns: int) -> Happening:
        """One order and what it did."""
        fair = self.fair(assets, ts_ns)
        if self.bend.frozen:
            return self._repeat(ts_ns)
        changes: list[Change] = []
        trades: list[Trade] = []
        side = self._crossed(fair)
        if side is not None:
            self._take(ts_ns, side, fair, changes, trades)
        elif self._chance.random() < self.pace.trade_share:
            self._take(ts_ns, self._chance.choice((BID, ASK)), 0.0, changes, trades)
        else:
            changes += self._quote(ts_ns, fair)
        changes += self._upkeep(ts_ns, fair)
        return Happening(self.market, ts_ns, changes, trades)

    def _repeat(self, ts_ns: int) -> Happening:
        """The same price again, with fresh times: sizes at the touch change, a trade repeats the last price."""
        market, changes, trades = self.market, [], []
        for side in (BID, ASK):
            best = market.book.best(side)
            change = market.set(ts_ns, side, best, self._size(best)) if best else None
            changes += [change] if change else []
        if market.trades and self._chance.random() < self.pace.trade_share:
            last = market.trades[-1]
            trades.append(market.trade(ts_ns, last.price, self._size(last.price), taker_buys=last.taker_buys))
        return Happening(market, ts_ns, changes, trades)

    def _crossed(self, fair: float) -> int | None:
        """The side whose quotes have become a gift."""
        ask, bid = self.market.book.best(ASK), self.market.book.best(BID)
        if ask is not None and fair > ask + 1:
            return ASK
        return BID if bid is not None and fair < bid - 1 else None

    def _size(self, price: int) -> int:
        listing = self.market.listing
        notional = self._chance.lognormvariate(7.0, 1.3) * 10 ** (listing.price_decimals + listing.size_decimals)
        worth = WORTH[listing.quote]
        return max(listing.min_size, int(notional / worth / max(price, 1)))

    def _take(self, ts_ns: int, side: int, until: float, changes: list[Change], trades: list[Trade]) -> None:
        """Takes from a side: all up to a price, or a size of its own where `until` is 0."""
        book, market = self.market.book, self.market
        best = book.best(side)
        wanted = self._size(best) if best and not until else 0
        while (best := book.best(side)) is not None and book.depth(side) > 1:
            there = book.sizes[side][best]
            if until and (best >= until if side == ASK else best <= until):
                return
            size = there if until else min(there, wanted)
            trades.append(market.trade(ts_ns, best, size, taker_buys=side == ASK))
            change = market.set(ts_ns, side, best, there - size)
            changes += [change] if change else []
            wanted -= size
            if not until and wanted <= 0:
                return

    def _quote(self, ts_ns: int, fair: float) -> list[Change]:
        side = self._chance.choice((BID, ASK))
        book = self.market.book
        if self._chance.random() < self.pace.cancel_share and book.depth(side) > self.pace.levels // 2:
            place = self._chance.randrange(book.depth(side))
            change = self.market.set(ts_ns, side, book.price(side, place), 0)
            return [change] if change else []
        return self._place(ts_ns, side, fair)

    def _place(self, ts_ns: int, side: int, fair: float) -> list[Change]:
        near = max(1.5, fair * 0.000_05)
        reach = near if self._chance.random() < 0.5 else near * 40
        off = 0.5 + self._chance.expovariate(1 / reach)
        tick = self.market.listing.tick
        price = math.ceil((fair + off) / tick) * tick if side == ASK else math.floor((fair - off) / tick) * tick
        other = self.market.book.best(1 - side)
        if other is not None:
            price = max(price, _up(other, tick)) if side == ASK else min(price, _down(other, tick))
        change = self.market.set(ts_ns, side, price, self._size(price)) if price > 0 else None
        return [change] if change else []

    def _upkeep(self, ts_ns: int, fair: float) -> list[Change]:
        """Too few levels get one more; too many, or one left far behind by the price, lose the deepest."""
        changes = []
        for side in (BID, ASK):
            depth = self.market.book.depth(side)
            if depth < self.pace.levels * 0.8:
                changes += self._place(ts_ns, side, fair)
            elif depth > self.pace.levels * 1.2 or abs(self.market.book.price(side, -1) - fair) > fair * FAR:
                change = self.market.set(ts_ns, side, self.market.book.price(side, -1), 0)
                changes += [change] if change else []
        return changes


def _up(price: int, tick: int) -> int:
    """The next multiple of a tick above a price."""
    return (price // tick + 1) * tick


def _down(price: int, tick: int) -> int:
    """The next multiple of a tick below a price."""
    return (price - 1) // tick * tick


class Flow:
    """All crowds of all venues on one line of time."""

    def __init__(self, listings: Mapping[str, Sequence[Listing]], seed: int, start_ns: int, pace: Pace) -> None:
        self.assets = Assets(seed, start_ns)
        self.markets: dict[str, dict[str, Market]] = {}
        self.crowds: dict[tuple[str, str], Crowd] = {}
        self._queue: list[tuple[int, int, Crowd]] = []
        self.quiet = False  # nobody orders anything
        for venue, listed in listings.items():
            self.markets[venue] = {}
            for listing in listed:
                self._add(venue, listing, seed, start_ns, pace)

    def _add(self, venue: str, listing: Listing, seed: int, start_ns: int, pace: Pace) -> None:
        first = random.Random(f"{seed}/number/{venue}/{listing.symbol}").randrange(10**9, 9 * 10**9)
        market = Market(venue, listing, first)
        crowd = Crowd(market, seed, pace)
        self.markets[venue][listing.symbol] = market
        self.crowds[venue, listing.symbol] = crowd
        crowd.open(self.assets, start_ns)
        heapq.heappush(self._queue, (start_ns + crowd.wait_ns(), len(self.crowds), crowd))

    @property
    def next_ns(self) -> int:
        """When the next order comes."""
        return NEVER_NS if self.quiet else self._queue[0][0]

    def step(self) -> Happening | None:
        """The next order; None where its pair is closed."""
        ts_ns, place, crowd = heapq.heappop(self._queue)
        steps = self.assets.move_to(ts_ns)
        if steps:
            for other in self.crowds.values():
                other.lean(steps)
        heapq.heappush(self._queue, (ts_ns + crowd.wait_ns(), place, crowd))
        open_now = crowd.market.listing.status == "online"
        return crowd.act(self.assets, ts_ns) if open_now else None

    def run_until(self, ts_ns: int) -> Iterator[Happening]:
        """Every order up to a time."""
        while self.next_ns <= ts_ns:
            happening = self.step()
            if happening is not None:
                yield happening
