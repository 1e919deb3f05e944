"""Kraken v2 frames: text of numbers is kept, what is no book is told apart, nothing but BadData comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.errors import BadData
from tradewind.venues.kraken import wire

UPDATE = (
    b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":78858.8,"qty":0.00000000},'
    b'{"price":78857.0,"qty":0.34775324}],"asks":[],"checksum":2416540570,"timestamp":"2026-08-24T22:21:58.343688Z"}]}'
)


def test_text_of_numbers_is_kept() -> None:
    frame = wire.decode(UPDATE)
    assert isinstance(frame, wire.Book)
    assert not frame.snapshot
    assert [level.texts for level in frame.data[0].bids] == [("78858.8", "0.00000000"), ("78857.0", "0.34775324")]
    assert frame.data[0].checksum == 2416540570


def test_other_frames() -> None:
    assert wire.decode(b'{"channel":"heartbeat"}') == wire.Ignored("heartbeat")
    reply = b'{"method":"subscribe","result":{"channel":"book","depth":25,"snapshot":true,"symbol":"BTC/USD"},"success":true}'
    assert wire.decode(reply) == wire.Subscribed("BTC/USD", 25)
    assert wire.decode(b'{"method":"pong"}') == wire.Ignored("reply")


def test_frames_of_a_recording() -> None:
    assert list(wire.frames(b'{"init": ' + UPDATE + b', "updates": [' + UPDATE + b", " + UPDATE + b"]}")) == [UPDATE] * 3
    assert list(wire.frames(UPDATE)) == [UPDATE]
    with pytest.raises(BadData):
        list(wire.frames(b'{"init": 1'))


HOSTILE = {
    "nan": UPDATE.replace(b"78858.8", b"NaN"),
    "infinity": UPDATE.replace(b"78858.8", b"Infinity"),
    "negative checksum": UPDATE.replace(b"2416540570", b"-1"),
    "large checksum": UPDATE.replace(b"2416540570", b"4294967296"),
    "duplicate key": UPDATE.replace(b'"asks":[]', b'"asks":[],"asks":[]'),
    "duplicate in a level": UPDATE.replace(b'"price":78857.0', b'"price":1,"price":78857.0'),
    "other type": UPDATE.replace(b'"update"', b'"delta"'),
    "no checksum": UPDATE.replace(b'"checksum":2416540570,', b""),
    "too many levels": UPDATE.replace(b'"asks":[]', b'"asks":[' + b",".join([b'{"price":1,"qty":1}'] * 3_000) + b"]"),
    "deep": UPDATE.replace(b"78858.8", b"[" * 200_000 + b"]" * 200_000),
    "binance": b'{"e":"trade"}',
    "array": b"[1]",
    "half": UPDATE[:-9],
    "bytes": bytes(range(128, 256)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_bad_data(text: bytes) -> None:
    with pytest.raises(BadData):
        wire.decode(text)


@given(st.data())
def test_no_change_of_bytes_escapes(data: st.DataObject) -> None:
    text = bytearray(UPDATE)
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        wire.decode(bytes(text))
    except BadData:
        return
