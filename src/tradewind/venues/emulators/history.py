"""Candles of a venue's own trades, and of a day before the first of them."""

from __future__ import annotations

import math
import random

import msgspec

from .book import Market, Trade

MINUTE_S = 60
DAY_MINUTES = 1_440
MINUTE_SIGMA = 0.000_75


class Candle(msgspec.Struct):
    """One bar. Prices and sizes are the pair's integers, values their products."""

    start_s: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    value: int = 0
    taker_volume: int = 0
    taker_value: int = 0
    count: int = 0
    first_id: int = -1
    last_id: int = -1

    def take(self, other: Candle) -> None:
        """Adds a later bar to this one."""
        if other.count and not self.count:
            self.first_id = other.first_id
        self.last_id = other.last_id if other.count else self.last_id
        self.high, self.low, self.close = max(self.high, other.high), min(self.low, other.low), other.close
        self.volume += other.volume
        self.value += other.value
        self.taker_volume += other.taker_volume
        self.taker_value += other.taker_value
        self.count += other.count

    def copy(self) -> Candle:
        """Another with the same numbers."""
        return msgspec.structs.replace(self)


def of_trade(trade: Trade) -> Candle:
    """The bar of one trade; `start_s` is its minute."""
    value = trade.price * trade.size
    return Candle(
        trade.ts_ns // 1_000_000_000 // MINUTE_S * MINUTE_S, trade.price, trade.price, trade.price, trade.price, trade.size, value,
        trade.size if trade.taker_buys else 0, value if trade.taker_buys else 0, 1, trade.number, trade.number,
    )  # fmt: skip


class History:
    """Minute bars of one pair, from a day before the flow began."""

    def __init__(self, market: Market, seed: int, start_ns: int) -> None:
        self._market = market
        self._chance = random.Random(f"{seed}/history/{market.listing.base}")  # one past for all venues
        self._first_s = start_ns // 1_000_000_000 // MINUTE_S * MINUTE_S
        self._minutes: dict[int, Candle] = {}
        self._past: dict[int, Candle] | None = None
        self._day: Candle | None = None  # all but the running minute
        self._day_s = -1

    def add(self, trade: Trade) -> None:
        """Takes a trade in."""
        made = of_trade(trade)
        there = self._minutes.get(made.start_s)
        if there is None:
            self._minutes[made.start_s] = made
        else:
            there.take(made)

    def series(self, interval_s: int, since_s: int, until_s: int, *, flat: bool) -> list[Candle]:
        """Bars that start in [since, until], oldest first; `flat` repeats the last close in minutes without a trade."""
        merged: dict[int, Candle] = {}
        for minute in self._walk(since_s, until_s + interval_s - 1, flat=flat):
            start_s = minute.start_s // interval_s * interval_s
            if not since_s <= start_s <= until_s:
                continue
            there = merged.get(start_s)
            if there is None:
                merged[start_s] = bar = minute.copy()
                bar.start_s = start_s
            else:
                there.take(minute)
        return list(merged.values())

    def day(self, now_s: int) -> Candle | None:
        """The last 24 hours as one bar."""
        this_s = now_s // MINUTE_S * MINUTE_S
        if self._day_s != this_s:
            self._day_s, self._day = this_s, None
            for minute in self.series(MINUTE_S, this_s - DAY_MINUTES * MINUTE_S, this_s - 1, flat=False):
                if self._day is None:
                    self._day = minute
                else:
                    self._day.take(minute)
        now = self._minutes.get(this_s)
        whole = (self._day or now or Candle(0, 0, 0, 0, 0)).copy()
        if now is not None and self._day is not None:
            whole.take(now)
        return whole if whole.open else None

    def _walk(self, since_s: int, until_s: int, *, flat: bool) -> list[Candle]:
        past = self._before()
        since_s = max(since_s // MINUTE_S * MINUTE_S, min(past))
        bars: list[Candle] = []
        last = self._at(since_s - MINUTE_S)
        for start_s in range(since_s, until_s + 1, MINUTE_S):
            bar = self._at(start_s)
            if bar is None and flat and last is not None:
                bar = Candle(start_s, last.close, last.close, last.close, last.close)
            if bar is not None:
                bars.append(bar)
                last = bar
        return bars

    def _at(self, start_s: int) -> Candle | None:
        return self._minutes.get(start_s) or self._before().get(start_s)

    def _before(self) -> dict[int, Candle]:
        """The day before the first trade: a walk backwards from its price, without trade ids."""
        if self._past is None:
            trades, book = self._market.trades, self._market.book
            price = trades[0].price if trades else book.best(0) or 1
            first_s = trades[0].ts_ns // 1_000_000_000 // MINUTE_S * MINUTE_S if trades else self._first_s
            self._past = {}
            for back in range(1, DAY_MINUTES + 1):
                bar = self._one(first_s - back * MINUTE_S, price)
                self._past[bar.start_s] = bar
                price = bar.open
        return self._past

    def _on_tick(self, price: float) -> int:
        tick = self._market.listing.tick
        return max(1, round(price / tick)) * tick

    def _one(self, start_s: int, close: int) -> Candle:
        chance = self._chance
        calm = self._market.listing.base in ("USDT", "USDC")
        sigma = MINUTE_SIGMA * (0.02 if calm else 1.0)
        open_ = self._on_tick(close * math.exp(chance.gauss(0.0, sigma)))
        wick = abs(chance.gauss(0.0, sigma)) / 2
        high, low = (self._on_tick(price) for price in (max(open_, close) * (1 + wick), min(open_, close) * (1 - wick)))
        digits = self._market.listing.size_decimals + self._market.listing.price_decimals
        volume = max(1, round(chance.lognormvariate(10.0, 0.8) * 10**digits / close))
        middle = (high + low) // 2
        return Candle(start_s, open_, high, low, close, volume, volume * middle, volume // 2, volume // 2 * middle, 40)
