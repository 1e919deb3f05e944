"""The scanner says what the slow decoder says, or nothing: on recordings, on what the documents show, and on whatever damage."""

from __future__ import annotations

import gzip
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tradewind.domain.errors import BadData
from tradewind.venues.adapter import DEPTH, Topic
from tradewind.venues.base import Market
from tradewind.venues.numbers import one_unit, rfc3339_ns
from tradewind.venues.scanner import PRICE, Scanner, each, end, message_row, symbol, time
from tradewind.venues.walk import R_SINK

from . import venue as at

FRAMES: dict[str, tuple[Any, tuple[bytes, ...]]] = {
    "binance": (at.binance, (
        (b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1717000000000,"s":"BTCUSDT","U":1001,"u":1020,'
        b'"b":[["67000.50000000","0.10000000"],["66999.00","0.00000000"]],"a":[["67001.5","12"]]}}'),
        b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1717000000000123,"s":"BTCUSDT","U":1,"u":1,"b":[],"a":[]}}',
        b'{"stream":"btcusdt@bookTicker","data":{"u":47000000000,"s":"BTCUSDT","b":"67000.10","B":"0.31","a":"67000.11","A":"1.0"}}',
        (b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000",'
        b'"q":"0.02000000","T":1723161255342,"m":true,"M":true}}'),
    )),
    "usdm": (lambda: at.usdm(False), (
        (b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"BTCUSDT","U":12006,'
        b'"u":17557,"pu":11937,"b":[["58710.20","0.014"],["61496.50","0.000"]],"a":[["61653.3","0.07"]]}}'),
        (b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5123107839020,"s":"BTCUSDT","b":"61800.20","B":"2.507",'
        b'"a":"61800.30","A":"2.510","T":1723161256313,"E":1723161256313}}'),
        (b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT","t":5266583935,'
        b'"p":"61800.30","q":"0.006","X":"MARKET","m":false}}'),
    )),
    "aggregated": (at.usdm, (
        (b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1717000000001,"s":"BTCUSDT","a":3000000000,"p":"67000.12",'
        b'"q":"0.310","f":3600000000,"l":3600000001,"T":1717000000000,"m":false,"M":true}}'),
        (b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1717000000001,"a":3000000000,"s":"BTCUSDT","p":"67000.12",'
        b'"q":"0.310","f":3600000000,"l":3600000001,"T":1717000000000,"m":true,"st":1}}'),
        (b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1717000000001,"T":1717000000000,"s":"BTCUSDT",'
        b'"ps":"BTCUSDT","st":1,"U":157,"u":160,"pu":149,"b":[["0.0024","10"]],"a":[]}}'),
    )),
    "kraken": (at.kraken, (
        (b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":78858.8,"qty":0.00000000},'
        b'{"price":78857.0,"qty":0.34775324}],"asks":[],"checksum":2416540570,"timestamp":"2026-08-24T22:21:58.343688Z"}]}'),
        b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[],"asks":[{"price":1.0,"qty":2}],"checksum":7}]}',
        (b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":105944.2,"qty":0.00027625,'
        b'"ord_type":"limit","trade_id":10218208,"timestamp":"2023-10-06T17:35:55.440295Z"},{"symbol":"ETH/USD","side":"sell",'
        b'"price":105910.51,"qty":0.0001246,"ord_type":"market","trade_id":10218209,"timestamp":"2024-02-29T17:35:56Z"}]}'),
        (b'{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","bid":105944.2,"bid_qty":2.5,"ask":105944.3,'
        b'"ask_qty":3.2,"last":105899.4,"volume":163.28908096,"vwap":105904.39279,"low":104711.0,"high":106613.1,"change":-250.0,'
        b'"change_pct":0.24,"timestamp":"2022-12-25T09:30:59.123456Z"}]}'),
    )),
    "coinbase": (at.coinbase, (
        (b'{"channel":"l2_data","timestamp":"2026-08-24T22:34:13.813365299Z","sequence_num":2,"events":[{"type":"update",'
        b'"product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2026-08-24T22:34:13.592233Z","price_level":"78856.05",'
        b'"new_quantity":"0.04868907"},{"side":"offer","event_time":"2026-08-24T22:34:13.592233Z","price_level":"78856.06",'
        b'"new_quantity":"0"}]}]}'),
        (b'{"channel":"l2_data","client_id":"","timestamp":"2026-08-24T22:34:13.8Z","sequence_num":1,"events":[{"type":"update",'
        b'"product_id":"BTC-USD","updates":[]}]}'),
        (b'{"channel":"market_trades","client_id":"","timestamp":"2026-04-07T14:30:02.789012Z","sequence_num":5,"events":[{"type":'
        b'"update","trades":[{"trade_id":"995098700","product_id":"BTC-USD","price":"68900.50","size":"0.00150000","side":"BUY",'
        b'"time":"2026-04-07T14:30:02.789012Z"}]}]}'),
        (b'{"channel":"ticker","client_id":"","timestamp":"2026-04-07T14:30:03.000000Z","sequence_num":12,"events":[{"type":'
        b'"snapshot","tickers":[{"type":"ticker","product_id":"BTC-USD","price":"68900.50","volume_24_h":"15328.1","low_24_h":'
        b'"67500.00","high_24_h":"69200.00","low_52_w":"25000.00","high_52_w":"73800.00","price_percent_chg_24_h":"1.85",'
        b'"best_bid":"68900.00","best_bid_quantity":"1.50000000","best_ask":"68901.00","best_ask_quantity":"0.50000000"}]}]}'),
    )),
}  # fmt: skip
CASES = [(name, number) for name, (_, frames) in FRAMES.items() for number in range(len(frames))]
INTERESTING = [b'"', b",", b"[", b"]", b"}", b"0", b"9", b".", b"-", b"e", b"\\", b" ", b"\x00", b"\xff", b"00", b"", b"null"]


def agree(adapter: Market, frame: bytes) -> bool:
    """Whether the scanner took it; then the slow way must have said the very same."""
    assert adapter.scanner is not None
    rows = adapter.scanner.scan(frame, 77)
    if rows is None:
        return False
    slow = adapter.decoded(frame, 77)
    assert not slow.refused, (frame, slow.refused)
    assert rows.tobytes() == slow.rows.tobytes(), frame
    return True


@pytest.mark.parametrize(("name", "number"), CASES)
def test_every_common_frame_is_known(name: str, number: int) -> None:
    make, frames = FRAMES[name]
    assert agree(make(), frames[number])


@pytest.mark.parametrize(("name", "number"), CASES)
def test_cut_anywhere_it_is_refused(name: str, number: int) -> None:
    make, frames = FRAMES[name]
    adapter, frame = make(), frames[number]
    assert not any(agree(adapter, frame[:length]) for length in range(len(frame)))
    assert not agree(adapter, frame + b" ") and not agree(adapter, frame + frame)


@pytest.mark.parametrize(("name", "number"), CASES)
def test_damage_never_makes_it_say_something_else(name: str, number: int) -> None:
    make, frames = FRAMES[name]
    adapter, frame, draw, taken = make(), frames[number], random.Random(number), 0
    for _ in range(1_500):
        wrong = bytearray(frame)
        for _ in range(draw.choice((1, 1, 1, 2, 4))):
            start = draw.randrange(len(wrong))
            if draw.random() < 0.5:
                wrong[start : start + draw.randrange(3)] = draw.choice(INTERESTING)
            elif draw.random() < 0.5:
                wrong[start] = draw.randrange(256)
            else:
                other = draw.randrange(len(frame))
                wrong[start:start] = frame[other : other + draw.randrange(24)]
        taken += agree(adapter, bytes(wrong))
    assert 0 < taken < 1_500


@pytest.mark.parametrize("name", ["spot_btcusdt", "spot_ethusdt", "usdm_btcusdt"])
def test_recordings_go_the_fast_way(shared_data: Path, name: str) -> None:
    adapter, known, total = at.usdm(False) if name.startswith("usdm") else at.binance(), 0, 0
    topic = Topic(DEPTH, 0)
    with gzip.open(shared_data / "ws" / "binance_hftbacktest" / f"{name}_20240808.gz") as lines:
        for line in itertools.islice(lines, 5_000):
            frame = line.strip().partition(b" ")[2]
            if b"lastUpdateId" in frame:
                fast = adapter.read_snapshot(topic, at.answer(frame))
                slow = adapter.read_snapshot(topic, at.answer(frame.replace(b",", b", ")))
                assert len(fast) > 1_000 and fast.tobytes() == slow.tobytes()
                continue
            total += 1
            known += agree(adapter, frame)
    assert known == total


def test_recorded_books_go_the_fast_way(shared_data: Path) -> None:
    for adapter, name in ((at.kraken(), "kraken_book"), (at.coinbase(), "coinbase_l2")):
        lines = (shared_data / "ws" / "tickvault_2026-08-24" / f"{name}.jsonl").read_bytes().splitlines()
        books = [line for line in lines if b'"bids"' in line or b'"l2_data"' in line]
        assert all(agree(adapter, line) for line in books) and len(books) > 3


def numbers() -> Iterator[tuple[str, int]]:
    draw = random.Random(5)
    for _ in range(4_000):
        digits = "".join(draw.choice("0123456789") for _ in range(draw.choice((0, 1, 2, 5, 9, 12, 17, 19))))
        part = "".join(draw.choice("00123456789") for _ in range(draw.choice((0, 1, 2, 8, 12, 19))))
        yield digits + draw.choice((".", ".", "", "e", "-", "..", "x")) + part, draw.randrange(13)


def test_numbers_are_exactly_those_of_the_slow_way() -> None:
    taken = 0
    for text, exponent in numbers():
        layout = ['{"s":"', symbol(0), '","p":', each('"', PRICE, '"', message_row(2)), "}", end(2)]
        scanner = Scanner([layout], [("A", 0, exponent, 0)], 1)
        rows = scanner.scan(f'{{"s":"A","p":["{text}"]}}'.encode(), 1)
        if rows is None:
            continue
        taken += 1
        assert rows["price"].tolist() == [one_unit(text, exponent)]
    assert taken > 300


@pytest.mark.parametrize("seed", range(4))
def test_times_are_exactly_those_of_the_slow_way(seed: int) -> None:
    draw, taken = random.Random(seed), 0
    scanner = Scanner([['"', time(R_SINK), '"']], (), 1)
    for _ in range(500):
        year, month, day = draw.choice((1970, 2000, 2024, 2025, 2100)), draw.randrange(14), draw.randrange(33)
        clock = f"{draw.randrange(25):02}:{draw.randrange(61):02}:{draw.randrange(62):02}"
        fraction = draw.choice(("", ".", ".5", ".123456", ".123456789", ".1234567890"))
        text = f"{year}-{month:02}-{day:02}T{clock}{fraction}Z"
        if scanner.scan(f'"{text}"'.encode(), 1) is not None:
            taken += 1
            assert int(scanner.table[R_SINK]) == rfc3339_ns(text)
        elif ":60" not in text and fraction not in (".", ".1234567890"):
            with pytest.raises(BadData):
                rfc3339_ns(text)
    assert taken > 100


def test_rows_given_out_before_stay_as_they_were() -> None:
    adapter = at.binance()
    frame = FRAMES["binance"][1][0]
    first = adapter.read(frame, 1).rows
    kept = first.tobytes()
    for _ in range(20_000):
        adapter.read(frame, 2)
    assert first.tobytes() == kept


def test_a_whole_deep_book_fits() -> None:
    levels = [[f"{price}.50", "0.00000001"] for price in range(60_000, 65_000)]
    frame = json.dumps({"lastUpdateId": 9, "bids": levels, "asks": levels}, separators=(",", ":")).encode()
    assert len(at.binance().read_snapshot(Topic(DEPTH, 0), at.answer(frame))) == 10_000
