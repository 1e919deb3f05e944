"""Faults of books, quotes and trades.

A source that shows a false market is made one that sends whole books four times a second: of the true levels, changed. It
ends with a true book on which the ids continue, as a rim that joined again would bring. Kraken's checksums are made to fit
what is sent, so that it is the price that must be doubted; where levels are lost or replayed they do not fit any more.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes
from tradewind.domain.instruments import Stream
from tradewind.domain.rows import Rows, pack_range, rows

from .faultlabels import KINDS
from .planting_edit import HARD_NS, Edit, Place, Planted, Planter, other_symbol, scaled, size
from .planting_peers import HARD_SHARE

STEP_NS = codes.SECOND // 4
SHOWN = 10  # levels a side of a false book
WHOLE = 1000  # of a true one
CANDLE = codes.TIMEFRAME_NAMES.index("5s")
Levels = dict[int, int]
Change = Callable[[int, int], int]  # side, price -> price


class Books:
    """The true books of a tape, replayed from depth rows as they stood before anything was planted."""

    def __init__(self, edit: Edit, depths: dict[str, int]) -> None:
        self.edit, self.depths = edit, depths
        self.true = edit.rows.copy()
        self.sources = [self._sources(i) for i in range(len(edit.instruments))]
        self.at = [self.true["ts_local"][own] for own in edit.own]
        self._cache: dict[int, tuple[int, Levels, Levels]] = {}

    def _sources(self, i: int) -> dict[str, int]:
        return {x.channel: k for k, x in reversed(list(enumerate(self.edit.streams))) if x.instrument == i}

    def at_time(self, i: int, ts: int) -> tuple[Levels, Levels, np.void] | None:
        """(bids, asks, last row) of the last whole message before ts; asks for growing times are quick."""
        known = self._cache.get(i)
        stop = int(np.searchsorted(self.at[i], ts))
        if known is None or known[0] > stop:
            known = (0, {}, {})
        start, bids, asks = known
        whole = None
        mine = self.edit.own[i][start:stop]
        kept = self.depths.get(self.edit.instruments[i].base + "/" + self.edit.instruments[i].quote, 0)
        part = self.true[mine]
        depth = np.flatnonzero(part["kind"] == codes.DEPTH)
        columns = zip(*(part[name][depth].tolist() for name in ("side", "marks", "price", "quantity")), strict=True)
        for side, marks, price, quantity in columns:
            if marks & codes.SNAPSHOT and marks & codes.FIRST:
                bids.clear()
                asks.clear()
            if marks & codes.EMPTY == 0:
                levels = bids if side == codes.BUY else asks
                if quantity:
                    levels[price] = quantity
                else:
                    levels.pop(price, None)
            if kept and marks & codes.LAST:
                for levels, best in ((bids, True), (asks, False)):
                    for price in sorted(levels, reverse=best)[kept:]:
                        del levels[price]
        self._cache[i] = (stop, bids, asks)
        all_before = self.edit.own[i][:stop]
        back = all_before[self.true["kind"][all_before] == codes.DEPTH]
        if len(back) and bids and asks:
            whole = self.true[back[-1]]
        return (bids, asks, whole) if whole is not None else None


def checksum(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> int:
    """Kraken's CRC32 of the ten best levels a side."""
    told = [f"{price}{quantity}" for price, quantity in [*asks[:10], *bids[:10]]]
    return zlib.crc32("".join(told).encode())


def _outward(side: int, price: float) -> int:
    """Bids down, asks up, so that a spread of one tick does not close."""
    return math.floor(price) if side == codes.BUY else math.ceil(price)


class Ticks:
    """The planters, bound to one tape's books."""

    def __init__(self, edit: Edit, depths: dict[str, int]) -> None:
        self.edit, self.books = edit, Books(edit, depths)

    def snapshot(self, i: int, ts: int, change: Change | None, levels: int) -> Rows | None:
        """A whole book as one message at ts, in journal order behind what came before."""
        found = self.books.at_time(i, ts)
        if found is None:
            return None
        bids, asks, last = found
        moved = change or (lambda side, price: price)
        sides = []
        for side, known in ((codes.BUY, bids), (codes.SELL, asks)):
            best = sorted(known.items(), reverse=side == codes.BUY)[:levels]
            told = {max(moved(side, price), 1): quantity for price, quantity in best}
            sides.append(sorted(told.items(), reverse=side == codes.BUY))
        made = rows(len(sides[0]) + len(sides[1]))
        made[:] = last
        made["kind"], made["source"], made["instrument"] = codes.DEPTH, self.books.sources[i]["depth"], i
        made["side"][: len(sides[0])], made["side"][len(sides[0]) :] = codes.BUY, codes.SELL
        made["price"] = [price for side in sides for price, _ in side]
        made["quantity"] = [quantity for side in sides for _, quantity in side]
        made["marks"] = codes.SNAPSHOT | codes.RESYNC
        made["marks"][0] |= codes.FIRST
        made["marks"][-1] |= codes.LAST
        made["ts_local"] = ts
        made["ts_venue"] = ts - (int(last["ts_local"]) - int(last["ts_venue"])) if last["ts_venue"] > 0 else 0
        made["value"] = 0
        made["value"][-1] = checksum(*sides)
        return made

    def silence(self, i: int, start: int, end: int, kinds: tuple[int, ...]) -> None:
        for kind in kinds:
            self.edit.dropped[self.edit.of(i, kind, start, end)] = True

    def boundary(self, i: int, ts: int) -> int:
        """The first moment from ts on at which no depth message is under way: just before the next one's first row."""
        later = self.edit.of(i, codes.DEPTH, ts, ts + codes.MINUTE)
        later = later[(self.books.true["marks"][later] & codes.FIRST) != 0]
        return int(self.books.true["ts_local"][later[0]]) - 1 if len(later) else -1

    def heal(self, i: int, ts: int) -> bool:
        """A true book at ts, on which the next message's ids continue."""
        made = self.snapshot(i, ts + 1, None, WHOLE)
        if made is None:
            return False
        made["ts_local"] = ts
        self.edit.add(made)
        return True

    def pretend(self, place: Place, span_ns: int, change: Callable[[float], Change]) -> tuple[int, int] | None:
        """Shows false books over a span; change is asked with the share of the span that has passed."""
        i = place.instrument
        start, end = self.boundary(i, place.start_ns), self.boundary(i, place.start_ns + span_ns)
        if start < 0 or end <= start or "depth" not in self.books.sources[i]:
            return None
        made = []
        for ts in range(start + 1, end, min(STEP_NS, max((end - start) // 2, 1))):
            part = self.snapshot(i, ts, change((ts - start) / (end - start)), SHOWN)
            if part is None:
                return None
            made.append(part)
        if not made or not self.heal(i, end):
            return None
        self.silence(i, start, end, (codes.DEPTH, codes.QUOTE))
        for part in made:
            self.edit.add(part)
        return start, end

    def shifted(self, place: Place, span_ns: int, factor: Callable[[float], float]) -> tuple[int, int] | None:
        """Every price times a factor, the trades' too."""
        done = self.pretend(place, span_ns, lambda share: lambda side, price: _outward(side, price * factor(share)))
        if done is not None:
            traded = self.edit.of(place.instrument, codes.TRADE, *done)
            shares = (self.edit.rows["ts_local"][traded] - done[0]) / (done[1] - done[0])
            prices = self.edit.rows["price"][traded] * np.array([factor(float(x)) for x in shares])
            self.edit.rows["price"][traded] = np.maximum(np.rint(prices), 1).astype(np.int64)
        return done

    # Kinds -------------------------------------------------------------------------------------------------------------------

    def _frozen_feed(self, place: Place, rng: random.Random) -> Planted | None:
        """Nothing at all comes of the instrument."""
        return self._silent(place, rng, (codes.DEPTH, codes.QUOTE, codes.TRADE), "")

    def _stale_book(self, place: Place, rng: random.Random) -> Planted | None:
        """The book stands still while trades and quotes go on."""
        return self._silent(place, rng, (codes.DEPTH,), "depth")

    def _silent(self, place: Place, rng: random.Random, kinds: tuple[int, ...], channel: str) -> Planted | None:
        i = place.instrument
        hard = rng.random() < 0.75
        span = rng.uniform(1.05, 1.4) * HARD_NS if hard else rng.uniform(0.1, 0.95) * HARD_NS
        start, end = self.boundary(i, place.start_ns), self.boundary(i, place.start_ns + int(span))
        if start < 0 or end < 0 or not self.heal(i, end):
            return None
        self.silence(i, start, end, kinds)
        return Planted(start_ns=start, end_ns=end, channel=channel, magnitude=(end - start) / codes.SECOND, hard=hard)

    def _stuck_price(self, place: Place, rng: random.Random) -> Planted | None:
        """One same book with fresh stamps, for ten seconds while the market moves; by nature one stands while it moves little."""
        i = place.instrument
        before = self.books.at_time(i, place.start_ns)
        if before is None:
            return None
        bids, asks = dict(before[0]), dict(before[1])
        mid = (max(bids) + min(asks)) / 2
        start, end = self.boundary(i, place.start_ns), self.boundary(i, place.end_ns)
        if start < 0 or end <= start:
            return None
        made, moved = [], 0.0
        for ts in range(start + 1, end, STEP_NS):
            part = self.snapshot(i, ts, None, SHOWN)
            now = self.books.at_time(i, ts)
            if part is None or now is None:
                return None
            moved = max(moved, abs((max(now[0]) + min(now[1])) / 2 / mid - 1.0))
            made.append((ts, part))
        if moved < 0.001 or not self.heal(i, end):
            return None
        self.silence(i, start, end, (codes.DEPTH, codes.QUOTE))
        held = [sorted(bids.items(), reverse=True)[:SHOWN], sorted(asks.items())[:SHOWN]]
        for _, part in made:
            book = part[: len(held[0]) + len(held[1])].copy() if len(part) >= len(held[0]) + len(held[1]) else None
            if book is None:
                continue
            book["side"][: len(held[0])], book["side"][len(held[0]) :] = codes.BUY, codes.SELL
            book["price"] = [price for side in held for price, _ in side]
            book["quantity"] = [quantity for side in held for _, quantity in side]
            book["marks"] = codes.SNAPSHOT | codes.RESYNC
            book["marks"][0] |= codes.FIRST
            book["marks"][-1] |= codes.LAST
            book["value"] = 0
            book["value"][-1] = checksum(*held)
            self.edit.add(book)
        hard = end - start >= HARD_NS or moved >= HARD_SHARE
        return Planted(
            start_ns=start, end_ns=end, channel="depth", magnitude=moved, hard=hard, by_nature=hard and moved < HARD_SHARE
        )

    def _decimal_shift(self, place: Place, rng: random.Random) -> Planted | None:
        """The decimal point in another place."""
        return self._unit(place, rng, True)

    def _unit_change(self, place: Place, rng: random.Random) -> Planted | None:
        """Another unit: cents, thousands."""
        return self._unit(place, rng, False)

    def _unit(self, place: Place, rng: random.Random, decimal: bool) -> Planted | None:
        factor = scaled(rng, decimal)
        bids = self.books.at_time(place.instrument, place.start_ns)
        if bids is not None and factor < 1 and max(bids[0]) * factor < 5000:
            factor = 1 / factor
        done = self.shifted(place, rng.randint(300, 5000) * codes.MILLISECOND, lambda share: factor)
        return done and Planted(start_ns=done[0], end_ns=done[1], channel="depth", magnitude=factor)

    def _bad_tick(self, place: Place, rng: random.Random) -> Planted | None:
        """A touch off its market for a moment."""
        share, hard = size(rng)
        done = self.shifted(place, rng.randint(100, 900) * codes.MILLISECOND, lambda _: 1.0 + share)
        return done and Planted(start_ns=done[0], end_ns=done[1], channel="depth", magnitude=abs(share), hard=hard)

    def _drift(self, place: Place, rng: random.Random) -> Planted | None:
        """A lie that grows by 0.05 % a second or faster, and stands for eight seconds."""
        share, hard = size(rng)
        share = max(-0.02, min(share, 0.02))
        grow = min(abs(share) / 0.0005, 12.0) * rng.uniform(0.5, 1.0)
        span = int((grow + 8.0) * codes.SECOND)
        done = self.shifted(place, span, lambda x: 1.0 + share * min(1.0, x * (grow + 8.0) / max(grow, 0.1)))
        return done and Planted(start_ns=done[0], end_ns=done[1], channel="depth", magnitude=abs(share), hard=hard)

    def _wrong_symbol(self, place: Place, rng: random.Random) -> Planted | None:
        """The book of another instrument of the venue under this one's name."""
        i, j = place.instrument, other_symbol(self.edit, place.instrument)
        theirs, ours = self.books.at_time(j, place.start_ns), self.books.at_time(i, place.start_ns)
        if theirs is None or ours is None:
            return None
        power = 10.0 ** (self.edit.instruments[i].price_exponent - self.edit.instruments[j].price_exponent)
        factor = (max(theirs[0]) + min(theirs[1])) * power / (max(ours[0]) + min(ours[1]))
        done = self.shifted(place, rng.randint(500, 5000) * codes.MILLISECOND, lambda _: factor)
        return done and Planted(start_ns=done[0], end_ns=done[1], channel="depth", magnitude=factor)

    def _crossed_book(self, place: Place, rng: random.Random) -> Planted | None:
        """Bids over asks."""
        lift = 1.0 + rng.uniform(0.0005, 0.02)
        change: Change = lambda side, price: round(price * lift) if side == codes.BUY else price  # noqa: E731
        done = self.pretend(place, rng.randint(100, 3000) * codes.MILLISECOND, lambda share: change)
        return done and Planted(start_ns=done[0], end_ns=done[1], channel="depth", magnitude=lift - 1.0)

    def _clock_jump(self, place: Place, rng: random.Random) -> Planted | None:
        """The venue's stamps jump and come back."""
        jump = rng.choice((-1, 1)) * rng.uniform(1.0, 30.0)
        i, end = place.instrument, place.start_ns + rng.randint(2, 8) * codes.SECOND
        hit = self.edit.of(i, codes.DEPTH, place.start_ns, end)
        hit = hit[self.edit.rows["ts_venue"][hit] > 0]
        if len(hit) < 4:
            return None
        self.edit.rows["ts_venue"][hit] += int(jump * codes.SECOND)
        return Planted(start_ns=place.start_ns, end_ns=end, channel="depth", magnitude=abs(jump))

    def _wick(self, place: Place, rng: random.Random) -> Planted | None:
        """One trade nobody made."""
        found = self.edit.of(place.instrument, codes.TRADE, place.start_ns, place.end_ns)
        if not len(found):
            return None
        share, hard = size(rng)
        bad = self.edit.rows[found[:1]].copy()
        bad["ref"], bad["ts_local"] = 0, bad["ts_local"] + 1
        bad["price"] = np.rint(bad["price"] * (1.0 + share)).astype(np.int64)
        self.edit.add(bad)
        ts = int(bad["ts_local"][0])
        return Planted(start_ns=ts, end_ns=ts, channel="trade", magnitude=abs(share), hard=hard)

    def _duplicated(self, place: Place, rng: random.Random) -> Planted | None:
        """Trades told again a moment later."""
        found = self.edit.of(place.instrument, codes.TRADE, place.start_ns, place.end_ns)[: rng.randint(1, 5)]
        return self._again(found, rng.randint(1, 2000) * codes.MILLISECOND)

    def _replayed(self, place: Place, rng: random.Random) -> Planted | None:
        """A stretch of old trades sent again with its old ids and stamps."""
        found = self.edit.of(place.instrument, codes.TRADE, place.start_ns, place.end_ns)
        mine = self.edit.own[place.instrument]
        traded = mine[self.edit.rows["kind"][mine] == codes.TRADE]
        here = int(np.searchsorted(traded, found[0])) if len(found) else 0
        if here < 100:
            return None
        old = traded[here - 90 : here - 80]
        return self._again(old, int(self.edit.rows["ts_local"][found[0]] - self.edit.rows["ts_local"][old[0]]))

    def _again(self, found: NDArray[np.int64], later_ns: int) -> Planted | None:
        if not len(found) or self.edit.rows["ref"][found[0]] == 0:
            return None
        again = self.edit.rows[found].copy()
        again["ts_local"] += later_ns
        self.edit.add(again)
        return Planted(start_ns=int(again["ts_local"][0]), end_ns=int(again["ts_local"][-1]), channel="trade")

    def _out_of_order(self, place: Place, rng: random.Random) -> Planted | None:
        """Two trades, or two depth messages, in the wrong order."""
        i = place.instrument
        traded = self.edit.of(i, codes.TRADE, place.start_ns, place.end_ns)
        if len(traded) > 1 and rng.random() < 0.5:
            late = self.edit.rows[traded[:1]].copy()
            late["ts_local"] = self.edit.rows["ts_local"][traded[1]] + 1
            self.edit.dropped[traded[0]] = True
            self.edit.add(late)
            return Planted(start_ns=int(self.edit.rows["ts_local"][traded[1]]), end_ns=int(late["ts_local"][0]), channel="trade")
        return self._spoilt(place, rng, swap=True)

    def _partial_gap(self, place: Place, rng: random.Random) -> Planted | None:
        """Depth messages that never came; numbers close over them where the venue has a proof of its own."""
        return self._spoilt(place, rng, swap=False)

    def _spoilt(self, place: Place, rng: random.Random, swap: bool) -> Planted | None:
        """Depth messages lost or swapped; two seconds later the rim joins again."""
        i = place.instrument
        found = self.edit.of(i, codes.DEPTH, place.start_ns, place.end_ns)
        firsts = np.flatnonzero(self.edit.rows["marks"][found] & codes.FIRST)
        if len(firsts) < 8:
            return None
        n = 1 if swap else 4  # some change nothing that a checksum covers
        first, second = found[firsts[0] : firsts[n]], found[firsts[n] : firsts[n + 1]]
        start, end = int(self.edit.rows["ts_local"][first[0]]), self.boundary(i, place.start_ns + 2 * codes.SECOND)
        hard = swap or self._covered(i, start, int(self.edit.rows["ts_local"][second[0]]))
        if end < 0 or not self.heal(i, end):
            return None
        if swap:
            late = self.edit.rows[first].copy()
            late["ts_local"] = self.edit.rows["ts_local"][second[-1]]
            self.edit.dropped[first] = True
            self.edit.add(late)
        elif self.edit.instruments[i].proof == codes.PROOF_NONE:
            self.edit.lost[first] = True
        else:
            self.edit.dropped[first] = True
        return Planted(start_ns=start, end_ns=end, channel="depth", hard=hard)

    def _covered(self, i: int, start: int, end: int) -> bool:
        """Whether the venue's proof covers what changed in [start, end): ids cover all, a checksum the ten best levels a side."""
        if self.edit.instruments[i].proof != codes.PROOF_CRC32:
            return True
        best = []
        for ts in (start, end):
            found = self.books.at_time(i, ts)
            if found is None:
                return False
            best.append((sorted(found[0].items(), reverse=True)[:SHOWN], sorted(found[1].items())[:SHOWN]))
        return best[0] != best[1]

    # Candles -----------------------------------------------------------------------------------------------------------------

    def _wrong_candle(self, place: Place, rng: random.Random) -> Planted | None:
        """A candle that does not agree with its own trades."""
        i = place.instrument
        if i not in self.candles:
            return None
        mine = self.candles[i]
        at = int(np.searchsorted(mine["ts_local"], place.start_ns))
        if at >= len(mine):
            return None
        share, hard = size(rng)
        close = round(int(mine["price"][at]) * (1.0 + share))
        high = max(int(mine["price"][at]), int(mine["ref"][at])) + (int(mine["value"][at]) >> 32)
        mine["price"][at] = close
        mine["value"][at] = pack_range(max(high - max(close, int(mine["ref"][at])), 0), int(mine["value"][at]) & 0x7FFFFFFF)
        ts = int(mine["ts_local"][at])
        return Planted(start_ns=ts, end_ns=ts, channel="bar", magnitude=abs(share), hard=hard)

    def add_candles(self) -> None:
        """A stream of true candles beside every stream of trades: what a venue sends over REST."""
        self.candles: dict[int, Rows] = {}
        span = codes.TIMEFRAME_NS[CANDLE]
        for i, own in enumerate(self.edit.own):
            traded = self.edit.rows[own[self.edit.rows["kind"][own] == codes.TRADE]]
            if len(traded) < 2:
                continue
            ends = (traded["ts_local"] // span + 1) * span
            made = []
            for end in np.unique(ends)[1:-1].tolist():
                price = traded["price"][ends == end]
                bar = rows(1)
                bar["kind"], bar["marks"], bar["strategy"], bar["instrument"] = codes.BAR, codes.WHOLE, CANDLE, i
                bar["source"], bar["ts_venue"], bar["ts_local"] = len(self.edit.streams), end, end + 200 * codes.MILLISECOND
                bar["price"], bar["ref"], bar["quantity"] = price[-1], price[0], traded["quantity"][ends == end].sum()
                top, bottom = max(price[0], price[-1]), min(price[0], price[-1])
                bar["value"] = pack_range(int(price.max() - top), int(bottom - price.min()))
                made.append(bar)
            if made:
                self.candles[i] = np.concatenate(made)
                self.edit.streams.append(Stream(venue=self.edit.instruments[i].venue, channel="bar", instrument=i))
                self.edit.added.append(self.candles[i])


def planters(edit: Edit, depths: dict[str, int]) -> dict[str, Planter]:
    """Every kind the tape's rows allow."""
    ticks = Ticks(edit, depths)
    ticks.add_candles()

    def bound(kind: str) -> Planter:
        method = getattr(ticks, f"_{kind}")
        return lambda _, place, rng: method(place, rng)

    return {kind: bound(kind) for kind in KINDS}
