"""Binance messages to rows: marks, ids, sides, units; a refused message takes only itself."""

from __future__ import annotations

import numpy as np

from tradewind.domain import codes
from tradewind.venues.binance import wire
from tradewind.venues.binance.market import Batch, Built

from .test_wire import DEPTH, SNAPSHOT, TICKER, TRADE, USDM


def build(*texts: bytes) -> tuple[Built, list[tuple[int, str]]]:
    batch, refused = Batch(), list[tuple[int, str]]()
    for text in texts:
        message = wire.decode(text)
        if isinstance(message, wire.DepthUpdate):
            batch.depth(message, 1_000, 0, 4)
        elif isinstance(message, wire.DepthSnapshot):
            batch.snapshot(message, 1_000, 0, 4)
        elif isinstance(message, wire.BookTicker):
            batch.ticker(message, 1_000, 1, 4)
        elif isinstance(message, wire.Trade):
            batch.trade(message, 1_000, 2, 4)
    built = batch.rows(lambda index, reason, _: refused.append((index, reason)))
    return built, refused


def test_diff() -> None:
    text = DEPTH.replace(b'"a":[]', b'"a":[["61800.00","0.00000000"],["61801.5","1.25"]]')
    rows = build(text)[0].rows
    assert rows["marks"].tolist() == [codes.FIRST, 0, codes.LAST]
    assert rows["side"].tolist() == [codes.BUY, codes.SELL, codes.SELL]
    assert rows["price"].tolist() == [6_173_763_000_000, 6_180_000_000_000, 6_180_150_000_000]
    assert rows["quantity"].tolist() == [50_000_000, 0, 125_000_000]
    assert rows["ref"].tolist() == [7, 7, 7]
    assert rows["value"].tolist() == [4, 0, 0]
    assert set(rows["ts_venue"].tolist()) == {1_723_161_255_208_000_000}
    assert set(rows["ts_local"].tolist()) == {1_000}
    assert set(rows["instrument"].tolist()) == {4}


def test_usdm_diff_names_its_predecessor() -> None:
    assert build(USDM)[0].rows["value"].tolist() == [3]


def test_empty_diff_is_one_row() -> None:
    rows = build(DEPTH.replace(b'[["61737.63","0.5"]]', b"[]"))[0].rows
    assert rows["marks"].tolist() == [codes.WHOLE | codes.EMPTY]
    assert (rows["ref"][0], rows["value"][0]) == (7, 4)


def test_snapshot_marks_every_row() -> None:
    rows = build(SNAPSHOT)[0].rows
    assert rows["marks"].tolist() == [codes.SNAPSHOT | codes.FIRST, codes.SNAPSHOT | codes.LAST]
    assert rows["ref"].tolist() == [50, 50]
    assert rows["value"].tolist() == [0, 0]


def test_ticker_is_bid_then_ask() -> None:
    rows = build(TICKER)[0].rows
    assert rows["kind"].tolist() == [codes.QUOTE] * 2
    assert rows["side"].tolist() == [codes.BUY, codes.SELL]
    assert rows["marks"].tolist() == [codes.FIRST, codes.LAST]
    assert rows["price"].tolist() == [6_183_763_000_000, 6_183_764_000_000]
    assert rows["ref"].tolist() == [9, 9]


def test_aggressor_is_the_side_that_was_not_the_maker() -> None:
    rows = build(TRADE, TRADE.replace(b'"m":true', b'"m":false'))[0].rows
    assert rows["side"].tolist() == [codes.SELL, codes.BUY]
    assert rows["marks"].tolist() == [codes.WHOLE] * 2
    assert rows["ref"].tolist() == [3, 3]


def test_microsecond_stamps() -> None:
    rows = build(TRADE.replace(b"1723161255342", b"1723161255342123"))[0].rows
    assert rows["ts_venue"].tolist() == [1_723_161_255_342_123_000]


def test_bad_numbers_take_only_their_message() -> None:
    whole = build(DEPTH, TICKER, TRADE)[0].rows
    for bad in (b'"NaN"', b'"-1.0"', b'"1e400"', b'"0.0"', b'"1.123456789"', b'""', b'"' + b"9" * 5_000 + b'"', b'"99999999999.0"'):
        built, refused = build(DEPTH, TRADE.replace(b'"61837.63"', bad), TICKER, DEPTH.replace(b'"61737.63"', bad), TRADE)
        assert [index for index, _ in refused] == [1, 3], bad
        assert np.array_equal(built.rows, whole), bad
        assert built.starts.tolist() == [0, 1, 3, 4]


def test_other_forms_of_numbers_are_read() -> None:
    rows = build(TRADE.replace(b'"61837.63"', b'"61838"'), TRADE.replace(b'"0.02"', b'"2e-2"'))[0].rows
    assert rows["price"].tolist() == [6_183_800_000_000, 6_183_763_000_000]
    assert rows["quantity"].tolist() == [2_000_000, 2_000_000]
