"""Small tapes with known faults, and a store with an uncompiled judge: what the tests of the data fabric stand on."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import numpy as np

from tradewind.domain import codes
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import Rows, rows
from tradewind.fabric.sieve import Judge
from tradewind.fabric.store import Store
from tradewind.storage.tape import Tape, TapeWriter

BTC = Instrument(venue="binance", symbol="BTCUSDT", base="BTC", quote="USDT", price_exponent=1, quantity_exponent=3)
KRAKEN = Instrument(venue="kraken", symbol="XBT/USDT", base="BTC", quote="USDT", price_exponent=1, quantity_exponent=3)
INSTRUMENTS = [BTC, KRAKEN]
STREAMS = [
    Stream(venue=x.venue, channel=channel, instrument=i) for i, x in enumerate(INSTRUMENTS) for channel in ("quote", "trade")
]
START = 19_700 * codes.DAY + 8 * codes.HOUR


@cache
def judge() -> Judge:
    """The uncompiled judge of the two instruments."""
    return Judge(len(INSTRUMENTS), len(STREAMS), compiled=False)


def store(folder: Path, start: int = 1) -> Store:
    """A store whose clock counts."""
    clock = itertools.count(start)
    return Store(folder, clock=lambda: next(clock))


def market(minutes: int, seed: int = 1, *, per_minute: int = 6, wild: tuple[int, ...] = (), first: int = START) -> Rows:
    """Quotes and trades of both venues on one random walk; trades number `wild` (over all) stand 20 % off. Ids count trades."""
    random = np.random.default_rng(seed)
    made, steps = [], minutes * per_minute
    mids = 600_000 + np.cumsum(random.integers(-20, 21, steps)) * 5
    trade = 0
    for n in range(steps):
        now = first + n * (codes.MINUTE // per_minute)
        for venue in range(2):
            at = now + venue * 1000
            mid = int(mids[n]) + int(random.integers(-3, 4))
            made.append(_quote(venue, codes.BUY, mid - 2, at, n + 1))
            made.append(_quote(venue, codes.SELL, mid + 2, at, n + 1))
            price = mid * 6 // 5 if trade in wild else mid
            trade += 1
            made.append(_row(codes.TRADE, venue, 2 * venue + 1, codes.WHOLE, at + 10, (int(random.integers(0, 2)), price, trade)))
            made[-1]["quantity"] = random.integers(1, 5000)
    whole = np.concatenate(made)
    for source in range(4):
        mine = whole["source"] == source
        whole["stream_seq"][mine] = np.arange(1, mine.sum() + 1)
    return whole


def _quote(venue: int, side: int, price: int, at: int, number: int) -> Rows:
    made = _row(codes.QUOTE, venue, 2 * venue, codes.FIRST if side == codes.BUY else codes.LAST, at, (side, price, number))
    made["quantity"] = 1000
    return made


def _row(kind: int, instrument: int, source: int, marks: int, at: int, told: tuple[int, int, int]) -> Rows:
    made = rows(1)
    made["kind"], made["instrument"], made["source"], made["marks"], made["strategy"] = kind, instrument, source, marks, -1
    made["ts_local"], made["ts_venue"] = at, at - 500
    made["side"], made["price"], made["ref"] = told
    return made


def tape(folder: Path, made: Rows) -> Tape:
    """The rows as a tape."""
    with TapeWriter(folder, INSTRUMENTS, STREAMS, "a test") as writer:
        writer.append(made)
        writer.close()
    return Tape.open(folder)
