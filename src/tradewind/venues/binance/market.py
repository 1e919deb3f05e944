"""Binance messages to rows: text to integer units, many messages at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from tradewind.domain import codes
from tradewind.domain import rows as row
from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.binance.wire import BookTicker, DepthSnapshot, DepthUpdate, Trade
from tradewind.venues.numbers import bulk_units, one_unit

EXPONENT = 8  # Binance writes at most eight decimals, for prices and for quantities
LATEST_MS = 10_000_000_000_000  # a stamp from here on is in µs

# Columns of a message's head; N_BUY + N_SELL rows follow it, the buy side first.
KIND, MARKS, N_BUY, N_SELL, REF, VALUE, TS_VENUE, TS_LOCAL, SOURCE, INSTRUMENT = range(10)
Head = tuple[int, int, int, int, int, int, int, int, int, int]
Refuse = Callable[[int, str, str], None]
"""Told (index of the message in its batch, why, what was read)."""


class Built(NamedTuple):
    """Rows of a batch in its order; message i is rows[starts[i]:starts[i + 1]]; heads is (messages, 10)."""

    rows: Rows
    starts: NDArray[np.int64]
    heads: NDArray[np.int64]


class Batch:
    """Messages waiting to become rows together: a head each, and their numbers as text, price and quantity in turn."""

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.texts: list[str] = []

    def depth(self, message: DepthUpdate, ts_local: int, source: int, instrument: int) -> None:
        """A diff: its `previous` is pu, or U - 1 on spot."""
        previous = message.first_id - 1 if message.previous_id is UNSET else message.previous_id
        self._levels(message, 0, previous, to_ns(message.event_time), (ts_local, source, instrument))

    def snapshot(self, message: DepthSnapshot, ts_local: int, source: int, instrument: int) -> None:
        """The whole book."""
        self._levels(message, codes.SNAPSHOT, 0, to_ns(message.event_time), (ts_local, source, instrument))

    def _levels(
        self, message: DepthUpdate | DepthSnapshot, marks: int, previous: int, ts_venue: int, where: tuple[int, int, int]
    ) -> None:
        bids, asks = message.bids, message.asks
        n_buy, n_sell = len(bids), len(asks)
        if n_buy + n_sell == 0:
            marks, n_buy = marks | codes.EMPTY, 1
            self.texts += ("0.0", "0.0")
        self.texts.extend(chain.from_iterable(bids))
        self.texts.extend(chain.from_iterable(asks))
        self.heads.append((codes.DEPTH, marks, n_buy, n_sell, message.last_id, previous, ts_venue, *where))

    def ticker(self, message: BookTicker, ts_local: int, source: int, instrument: int) -> None:
        """The best bid, then the best ask."""
        self.texts += (message.bid, message.bid_quantity, message.ask, message.ask_quantity)
        self.heads.append((codes.QUOTE, 0, 1, 1, message.last_id, 0, to_ns(message.event_time), ts_local, source, instrument))

    def trade(self, message: Trade, ts_local: int, source: int, instrument: int) -> None:
        """A market trade: where the buyer was the maker, the seller was the aggressor."""
        self.texts += (message.price, message.quantity)
        sold = message.buyer_is_maker
        ts_venue = to_ns(message.trade_time)
        self.heads.append((codes.TRADE, 0, not sold, sold, message.trade_id, 0, ts_venue, ts_local, source, instrument))

    def rows(self, refuse: Refuse) -> Built:
        """Rows of all messages but those refused. `stream_seq` is left 0: it is numbered on the way to the tape."""
        heads = np.array(self.heads, np.int64).reshape(-1, 10)
        counts = heads[:, N_BUY] + heads[:, N_SELL]
        values = bulk_units(self.texts, EXPONENT) if self.texts else np.zeros(0, np.int64)
        bad = np.zeros(len(heads), np.bool_)
        if values is None:
            values, bad = self._one_by_one(counts, refuse)
        built = _assemble(heads, counts, values)
        for index in _implausible(built):
            if not bad[index]:
                refuse(index, "a price or quantity below or at zero", "")
                bad[index] = True
        if bad.any():
            good = ~bad
            built = _assemble(heads[good], counts[good], values[np.repeat(good, 2 * counts)])
        return built

    def _one_by_one(self, counts: NDArray[np.int64], refuse: Refuse) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        values, bad = np.zeros(len(self.texts), np.int64), np.zeros(len(counts), np.bool_)
        ends = (2 * np.cumsum(counts)).tolist()
        for index, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            texts = self.texts[start:end]
            units = bulk_units(texts, EXPONENT)
            try:
                values[start:end] = [one_unit(text, EXPONENT) for text in texts] if units is None else units
            except BadData as error:
                bad[index] = True
                refuse(index, "a number that cannot be read", error.what)
        return values, bad


def to_ns(stamp: int | UnsetType) -> int:
    """Nanoseconds of a stamp in ms or µs; 0 where there is none."""
    if stamp is UNSET:
        return 0
    return stamp * (codes.MILLISECOND if stamp < LATEST_MS else codes.MICROSECOND)


def _assemble(heads: NDArray[np.int64], counts: NDArray[np.int64], values: NDArray[np.int64]) -> Built:
    starts = np.zeros(len(heads) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    out = row.rows(int(starts[-1]))
    first, last = starts[:-1], starts[1:] - 1
    of = np.repeat(np.arange(len(heads)), counts)
    spread = heads[of]
    for name, column in (("kind", KIND), ("marks", MARKS), ("source", SOURCE), ("instrument", INSTRUMENT)):
        out[name] = spread[:, column]
    for name, column in (("ts_venue", TS_VENUE), ("ts_local", TS_LOCAL), ("ref", REF)):
        out[name] = spread[:, column]
    out["side"] = np.arange(len(out)) - first[of] >= spread[:, N_BUY]  # SELL is 1
    out["marks"][first] |= codes.FIRST
    out["marks"][last] |= codes.LAST
    out["value"][first] = heads[:, VALUE]
    out["price"], out["quantity"] = values[0::2], values[1::2]
    return Built(out, starts, heads)


def _implausible(built: Built) -> list[int]:
    """Indices of messages with a negative number, a level without a price, or a trade of nothing."""
    rows, kind = built.rows, built.rows["kind"]
    level = (kind == codes.DEPTH) & ((rows["marks"] & codes.EMPTY) == 0)
    wrong = (rows["price"] < 0) | (rows["quantity"] < 0)
    wrong |= ((rows["price"] == 0) & (level | (kind == codes.TRADE))) | ((rows["quantity"] == 0) & (kind == codes.TRADE))
    found: list[int] = np.unique(np.searchsorted(built.starts, np.flatnonzero(wrong), "right") - 1).tolist()
    return found
