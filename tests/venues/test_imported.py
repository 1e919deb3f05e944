"""Streams are dense from 1; grids are the coarsest units that hold every number."""

from __future__ import annotations

import numpy as np

from tradewind.domain import codes
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows, rows
from tradewind.venues.imported import Grids, Streams

MADE = Instrument(venue="v", symbol="BTCUSD", base="BTC", quote="USD", price_exponent=8, quantity_exponent=8)


def levels(prices: list[int], quantities: list[int]) -> Rows:
    out = rows(len(prices))
    out["kind"], out["price"], out["quantity"] = codes.DEPTH, prices, quantities
    return out


def test_numbers_are_dense_per_source_over_calls() -> None:
    streams = Streams()
    index = streams.instrument("BTCUSD", lambda _: MADE)
    assert [streams.source(index, channel) for channel in ("depth", "quote", "depth")] == [0, 1, 0]
    seen: dict[int, list[int]] = {0: [], 1: []}
    for sources in ([0, 1, 0], [1, 1], [0]):
        chunk = rows(len(sources))
        chunk["source"] = sources
        streams.number(chunk)
        for source, number in zip(sources, chunk["stream_seq"].tolist(), strict=True):
            seen[source].append(number)
    assert seen == {0: [1, 2, 3], 1: [1, 2, 3]}


def test_grid_gives_coarsest_units() -> None:
    grids = Grids()
    prices = [6_183_750_000_000 + 50_000_000 * k for k in range(60)]
    grids.see(levels(prices, [10_000 * k for k in range(60)]))
    grids.see(levels(prices, [30_000] * 60))
    made, scales = grids.settle(0, MADE)
    assert (made.price_exponent, made.quantity_exponent) == (1, 4)
    assert scales == (10**7, 10**4)
    assert (made.tick, made.lot) == (5, 1)


def test_few_rows_infer_no_tick() -> None:
    grids = Grids()
    grids.see(levels([7_000 * 10**8], [5 * 10**8]))
    made, scales = grids.settle(0, MADE)
    assert (made.price_exponent, made.tick, made.lot) == (0, 1, 1)
    assert scales == (10**8, 10**8)


def test_empty_rows_are_no_evidence() -> None:
    grids = Grids()
    chunk = levels([1, 300], [1, 300])
    chunk["marks"][0] = codes.EMPTY
    grids.see(np.concatenate([chunk, chunk]))
    assert grids.settle(0, MADE)[1] == (100, 100)


def test_lot_is_what_nearly_all_trades_keep() -> None:
    grids = Grids()
    chunk = levels([100_000_000 * k for k in range(1, 3_001)], [1_000 * k for k in range(1, 3_001)])
    chunk["kind"] = codes.TRADE
    chunk["quantity"][0] = 100
    grids.see(chunk)
    made, scales = grids.settle(0, MADE)
    assert (made.quantity_exponent, scales[1], made.lot) == (6, 100, 10)
    chunk["quantity"][:10] = 100
    grids.see(chunk)
    assert grids.settle(0, MADE)[0].lot == 1
