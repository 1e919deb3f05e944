"""What every importer hands back, and the small state all of them keep: streams, dense numbers, grids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import Rows
from tradewind.venues import account

Sink = Callable[[Rows], None]
"""Takes rows in tape order; the array is the taker's from then on."""

MAX_STREAMS = (1 << 15) - 1  # a row's `source` is 16 bits
ENOUGH_TO_INFER = 100  # rows below which a common divisor says nothing about a venue's tick
MOST_TRADES = 0.999  # old orders keep the finer lot of their day: a lot is what nearly all trades are multiples of
_TENS = 10 ** np.arange(1, 9, dtype=np.int64)


class Imported(msgspec.Struct, kw_only=True):
    """The lists a tape needs beside its rows, and what the importer has to say of them."""

    instruments: list[Instrument]
    streams: list[Stream]
    scales: list[tuple[int, int]]  # per instrument: what row prices and quantities must be divided by
    notes: dict[str, Any]


class Streams:
    """Instruments and streams in order of first sight, and the dense number of each stream's next row."""

    def __init__(self) -> None:
        self.instruments: list[Instrument] = []
        self.streams: list[Stream] = []
        self._following = np.ones(16, np.int64)  # each stream's next number
        self._instrument_of: dict[str, int] = {}
        self._source_of: dict[tuple[int, str], int] = {}

    def instrument(self, symbol: str, make: Callable[[str], Instrument]) -> int:
        """The index of `symbol`, made by `make` at first sight."""
        index = self._instrument_of.get(symbol)
        if index is None:
            self.instruments.append(make(symbol))
            index = self._instrument_of[symbol] = len(self.instruments) - 1
        return index

    def source(self, instrument: int, channel: str) -> int:
        """The index of an instrument's stream."""
        key = (instrument, channel)
        if key not in self._source_of:
            if len(self.streams) >= MAX_STREAMS:
                raise BadData(f"more than {MAX_STREAMS} streams in one import", todo="import fewer symbols at a time")
            self._source_of[key] = len(self.streams)
            self.streams.append(Stream(venue=self.instruments[instrument].venue, channel=channel, instrument=instrument))
            if len(self.streams) > len(self._following):
                self._following = np.append(self._following, np.ones(len(self._following), np.int64))
        return self._source_of[key]

    def number(self, rows: Rows) -> None:
        """Fill `stream_seq`: dense per source, from 1, in the order of `rows`."""
        account.number(rows, self._following)


class Grids:
    """The greatest common divisor of each instrument's prices and quantities: its tick and lot, as far as data shows."""

    def __init__(self) -> None:
        self._grids = np.zeros((4, account.G_TENS + account.TENS), np.int64)

    def see(self, rows: Rows) -> None:
        """Take in the prices and quantities of market rows."""
        most = int(rows["instrument"].max()) if len(rows) else 0
        if most >= len(self._grids):
            added = np.zeros((most + 1, self._grids.shape[1]), np.int64)
            self._grids = np.concatenate([self._grids, added])
        account.measure(rows, self._grids)

    def _of(self, instrument: int) -> NDArray[np.int64]:
        """The instrument's line: nothing where no row was seen."""
        return self._grids[instrument] if instrument < len(self._grids) else np.zeros(self._grids.shape[1], np.int64)

    def settle(self, instrument: int, made: Instrument) -> tuple[Instrument, tuple[int, int]]:
        """`made` with the coarsest exponents that hold every number seen, its tick and lot; and the two divisors."""
        price, quantity, count = (int(value) for value in self._of(instrument)[: account.G_TRADES])
        if not count:
            price = quantity = 1
        price_scale, price_exponent = _coarsest(price, made.price_exponent)
        quantity_scale, quantity_exponent = _coarsest(quantity, made.quantity_exponent)
        enough = count >= ENOUGH_TO_INFER
        settled = msgspec.structs.replace(
            made,
            price_exponent=price_exponent,
            quantity_exponent=quantity_exponent,
            tick=max(1, price // price_scale) if enough else 1,
            lot=max(1, quantity // quantity_scale, self._traded_lot(instrument) // quantity_scale) if enough else 1,
        )
        return settled, (price_scale, quantity_scale)

    def _traded_lot(self, instrument: int) -> int:
        """The largest power of ten that nearly all traded quantities are multiples of; 0 where too few were seen."""
        seen, multiples = int(self._of(instrument)[account.G_TRADES]), self._of(instrument)[account.G_TENS :]
        fitting = _TENS[multiples >= MOST_TRADES * seen]
        return int(fitting.max()) if seen >= ENOUGH_TO_INFER and len(fitting) else 0


def merged(readers: Sequence[Iterator[Rows]]) -> Iterator[Rows]:
    """The rows of several files, each in its own order of time, in one; of equal times the first file's come first."""
    if len(readers) == 1:
        yield from readers[0]
        return
    waiting = {index: part for index, reader in enumerate(readers) if (part := _some(reader)) is not None}
    while waiting:
        until, first = min((int(part["ts_local"][-1]), index) for index, part in waiting.items())
        pieces = []
        for index, part in list(waiting.items()):
            cut = int(np.searchsorted(part["ts_local"], until, "right" if index <= first else "left"))
            pieces.append(part[:cut])
            rest = part[cut:] if cut < len(part) else _some(readers[index])
            if rest is None:
                del waiting[index]
            else:
                waiting[index] = rest
        together = np.concatenate(pieces)
        yield together[np.argsort(together["ts_local"], kind="stable")]


def _some(reader: Iterator[Rows]) -> Rows | None:
    return next((part for part in reader if len(part)), None)


def _coarsest(divisor: int, exponent: int) -> tuple[int, int]:
    scale = 1
    while exponent > 0 and divisor and divisor % (scale * 10) == 0:
        scale, exponent = scale * 10, exponent - 1
    return scale, exponent
