"""Binance messages: what is read, what is passed over, and that nothing but BadData ever comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.errors import BadData
from tradewind.venues.binance import wire

DEPTH = b'{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":5,"u":7,"b":[["61737.63","0.5"]],"a":[]}'
USDM = b'{"e":"depthUpdate","E":1723161255208,"T":1723161255207,"s":"BTCUSDT","U":5,"u":7,"pu":3,"b":[],"a":[["1.0","2.0"]]}'
TICKER = b'{"u":9,"s":"BTCUSDT","b":"61837.63","B":"3.7","a":"61837.64","A":"1.5"}'
TRADE = b'{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3,"p":"61837.63","q":"0.02","T":1723161255342,"m":true,"M":true}'
SNAPSHOT = b'{"lastUpdateId":50,"bids":[["1.0","2.0"]],"asks":[["1.5","2.0"]]}'


def wrap(stream: bytes, data: bytes) -> bytes:
    return b'{"stream":"btcusdt@' + stream + b'","data":' + data + b"}"


@pytest.mark.parametrize("combined", [False, True])
def test_plain_and_combined_say_the_same(combined: bool) -> None:
    cases = ((b"depth@100ms", DEPTH), (b"bookTicker", TICKER), (b"trade", TRADE))
    depth, ticker, trade = (wire.decode(wrap(stream, text) if combined else text) for stream, text in cases)
    assert isinstance(depth, wire.DepthUpdate)
    assert (depth.first_id, depth.last_id, depth.bids, depth.dialect) == (5, 7, [("61737.63", "0.5")], wire.SPOT)
    assert isinstance(ticker, wire.BookTicker)
    assert (ticker.bid, ticker.ask_quantity) == ("61837.63", "1.5")
    assert isinstance(trade, wire.Trade)
    assert trade.buyer_is_maker


def test_dialects_are_told_apart() -> None:
    message = wire.decode(wrap(b"depth@0ms", USDM))
    assert isinstance(message, wire.DepthUpdate)
    assert (message.dialect, message.previous_id) == (wire.USDM, 3)
    futures = TRADE.replace(b'"M":true', b'"X":"MARKET"')
    assert getattr(wire.decode(futures), "dialect", "") == wire.USDM


def test_snapshot_and_what_carries_no_row() -> None:
    snapshot = wire.decode(SNAPSHOT)
    assert isinstance(snapshot, wire.DepthSnapshot)
    assert snapshot.last_id == 50
    assert wire.decode(b'{"result":null,"id":1}') == wire.Ignored("reply")
    assert wire.decode(wrap(b"kline_1m", b'{"e":"kline"}')) == wire.Ignored("kline_1m")


def test_unknown_field_is_no_fault() -> None:
    assert isinstance(wire.decode(DEPTH[:-1] + b',"new":{"x":[1]}}'), wire.DepthUpdate)


HOSTILE = {
    "no json": b"hello",
    "half": DEPTH[:-5],
    "nan": TRADE.replace(b'"61837.63"', b"NaN"),
    "number for text": TRADE.replace(b'"61837.63"', b"61837.63"),
    "duplicate key": DEPTH[:-1] + b',"u":8}',
    "duplicate key, another left out": TRADE.replace(b'"M":true', b'"p":"1.0"'),
    "duplicate in a stream": wrap(b"depth", DEPTH[:-1] + b',"E":8}'),
    "negative id": DEPTH.replace(b'"u":7', b'"u":-7'),
    "huge id": DEPTH.replace(b'"u":7', b'"u":99999999999999999999'),
    "float id": DEPTH.replace(b'"u":7', b'"u":7.5'),
    "1e400": DEPTH.replace(b'"u":7', b'"u":1e400'),
    "missing field": b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":5,"b":[],"a":[]}',
    "trade in a depth stream": wrap(b"depth", TRADE),
    "depth in a trade stream": wrap(b"trade", DEPTH),
    "deep": b'{"stream":"btcusdt@depth","data":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep unknown field": DEPTH[:-1] + b',"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "no data": b'{"stream":"btcusdt@depth"}',
    "empty object": b"{}",
    "array": b"[]",
    "bytes": bytes(range(256)),
    "empty": b"",
    "lone surrogate": TICKER.replace(b"BTCUSDT", b"\\ud800"),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_bad_data(text: bytes) -> None:
    with pytest.raises(BadData):
        wire.decode(text)


@given(st.data())
def test_no_change_of_bytes_escapes(data: st.DataObject) -> None:
    text = bytearray(wrap(b"depth@100ms", data.draw(st.sampled_from([DEPTH, USDM]))))
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = wire.decode(bytes(text))
    except BadData:
        return
    assert isinstance(message, wire.DepthUpdate | wire.Ignored | wire.DepthSnapshot | wire.BookTicker | wire.Trade)
