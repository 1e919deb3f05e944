"""The data of the benchmarks: the peers' generators (same seeds, same draws), as tape rows.

Bars are a geometric walk of one-minute closes with two decimals. The book is twenty levels a side around a touch that
moves one tick in a hundred events; 15 % of the events are trades. Nothing is read from or written to disk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.domain.codes import BAR, DEPTH, FIRST, LAST, MILLISECOND, MINUTE, SNAPSHOT, TIMEFRAME_NAMES, TRADE, WHOLE
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows, rows

BARS_FROM = 1_577_836_800_000_000_000
BOOK_FROM = 1_700_000_000_000_000_000
FEED_NS = 2 * MILLISECOND
LEVELS = 20
SEQ_MASK = (1 << 31) - 1

BAR_COIN = Instrument(
    venue="bench", symbol="BTCUSDT", base="BTC", quote="USDT", price_exponent=2, quantity_exponent=5,
    maker_fee_e7=10_000, taker_fee_e7=10_000,
)  # fmt: skip
"""What the bars are of: 0.1 % fee either way."""
BOOK_COIN = Instrument(
    venue="bench", symbol="BTCUSDT", base="BTC", quote="USDT", price_exponent=1, quantity_exponent=3,
    maker_fee_e7=-500, taker_fee_e7=7_000,
)  # fmt: skip
"""What the book is of: −0.5 bp maker, 7 bp taker."""


def bars_tape(n: int, seed: int = 7) -> Rows:
    """n finished one-minute bars of BAR_COIN."""
    r = np.random.default_rng(seed)
    close = 30_000 * np.exp(np.cumsum(r.normal(0, 4e-4, n)))
    opened = np.concatenate([[30_000.0], close[:-1]])
    high = np.maximum(opened, close) * (1 + np.abs(r.normal(0, 1e-4, n)))
    low = np.minimum(opened, close) * (1 - np.abs(r.normal(0, 1e-4, n)))
    volume = r.exponential(5.0, n) + 0.01
    o, h, c, low_units = (_units(np.round(x, 2), 100) for x in (opened, high, close, low))
    tape = rows(n)
    tape["kind"], tape["marks"], tape["strategy"] = BAR, WHOLE, TIMEFRAME_NAMES.index("1m")
    tape["stream_seq"] = np.arange(1, n + 1) & SEQ_MASK
    tape["ts_venue"] = tape["ts_local"] = BARS_FROM + np.arange(1, n + 1, dtype=np.int64) * MINUTE
    top, bottom = np.maximum(o, c), np.minimum(o, c)
    tape["price"], tape["ref"], tape["quantity"] = c, o, _units(np.round(volume, 5), 100_000)
    tape["value"] = (np.maximum(h - top, 0) << 32) | np.maximum(bottom - low_units, 0)
    return tape


def book_tape(n: int, seed: int = 11) -> Rows:
    """n rows of depth and trades of BOOK_COIN; the first 40 are its book, sent as a snapshot."""
    ts, kind, side, price, quantity = events(n, seed)
    tape = rows(n)
    tape["kind"], tape["side"], tape["marks"] = np.where(kind == 0, DEPTH, TRADE), np.where(side == 1, 0, 1), WHOLE
    tape["stream_seq"], tape["ref"] = np.arange(1, n + 1) & SEQ_MASK, np.arange(1, n + 1)
    tape["ts_venue"], tape["ts_local"], tape["price"] = ts, ts + FEED_NS, price
    tape["quantity"] = _units(quantity, 1000)
    first = min(2 * LEVELS, n)
    tape["marks"][:first] = SNAPSHOT
    tape["marks"][0] |= FIRST
    tape["marks"][first - 1] |= LAST
    return tape


def begins(tape: Rows) -> int:
    """When a run's clock starts, and with it its timers: when the first row happened, as the peers count, not when it was heard."""
    return min(int(tape[0]["ts_venue"]), int(tape[0]["ts_local"]) - 1)


def events(n: int, seed: int) -> tuple[NDArray[Any], ...]:
    """Columns ts, kind (0 depth, 1 trade), side (1 bid or buy, −1), price in ticks, quantity; as the peers' loop makes them."""
    r = np.random.default_rng(seed)
    u = r.random(n)
    level = np.minimum(r.geometric(0.25, n) - 1, LEVELS - 1)
    quantity = np.round(r.exponential(3.0, n) + 0.001, 3)
    up = r.random(n) < 0.5
    gap = r.exponential(MILLISECOND, n).astype(np.int64)
    used = slice(2 * LEVELS, n)
    u, level, quantity, up, gap = u[used], level[used], quantity[used], up[used], gap[used]
    trade, move = u < 0.15, (u >= 0.15) & (u < 0.16)
    step = np.where(move, np.where(up, 1, -1), 0)
    bid = 300_000 + np.cumsum(step) - step
    side = np.where(up, 1, -1)
    near = np.where(trade, np.where(up, bid + 1, bid), np.where(up, bid - level, bid + 1 + level))
    # The touch moves by three rows: the level that goes, the one that comes in its place, the new deepest one.
    count = np.where(move, 3, 1)
    event = np.repeat(np.arange(len(u)), count)
    part = np.arange(len(event)) - np.repeat(np.cumsum(count) - count, count)
    moved, rises = move[event], up[event]
    columns = [
        BOOK_FROM + np.cumsum(gap + 1)[event],
        trade[event].astype(np.int64),
        np.where(moved, np.where((part == 1) == rises, 1, -1), side[event]),
        np.where(
            moved,
            bid[event] + np.where(part < 2, np.where(rises, 1, 0), np.where(rises, 1 + LEVELS, -LEVELS)),
            near[event],
        ),
        np.where(moved, np.select([part == 0, part == 1], [0.0, quantity[event]], 5.0), quantity[event]),
    ]
    depth = np.arange(LEVELS)
    start = [
        np.full(2 * LEVELS, BOOK_FROM),
        np.zeros(2 * LEVELS, np.int64),
        np.repeat([1, -1], LEVELS),
        np.concatenate([300_000 - depth, 300_001 + depth]),
        np.full(2 * LEVELS, 5.0),
    ]
    return tuple(np.concatenate([a, b])[:n] for a, b in zip(start, columns, strict=True))


def _units(values: NDArray[np.float64], scale: int) -> NDArray[np.int64]:
    return np.rint(values * scale).astype(np.int64)
