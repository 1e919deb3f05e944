"""A frame of a book that cannot be read takes the book at once: what it changed is nowhere, and not every proof would show it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from tradewind.domain import codes, reasons
from tradewind.domain.instruments import Instrument
from tradewind.venues.adapter import DEPTH, TRADE, Topic
from tradewind.venues.bridge.adapter import BridgeAdapter

from .inproc import ADAPTERS, Play
from .scenes import DEPTH_FRAME, TRADE_FRAME, VENUES, scenario
from .truth import all_is_well, causes

NAMED = {"binance": b"btcusdt@", "kraken": b'"BTC/USD"', "coinbase": b'"BTC-USD"'}
SYMBOL = {
    "binance": lambda frame: frame.update(stream="@depth"),
    "kraken": lambda frame: frame["data"][0].update(symbol=7),
    "coinbase": lambda frame: frame["events"][0].update(product_id=7),
}


def untyped(name: str, frame: Any) -> None:
    """Levels, or a trade's price, become what no venue sends."""
    if name == "binance":
        frame["data"].update(a=None, p=None)
    else:
        data = frame["data"][0] if name == "kraken" else frame["events"][0]
        data.update({key: False for key in ("bids", "updates", "trades", "price") if key in data})


class Bender:
    """A hook that bends the next frame of a kind once it is armed."""

    def __init__(self, play: Play, name: str) -> None:
        self.play, self.name = play, name
        self.bend: Callable[[Any], bytes | None] | None = None
        self.of: tuple[bytes, ...] = ()

    def arm(self, bend: Callable[[Any], bytes | None], *of: bytes) -> None:
        self.bend, self.of = bend, of

    def __call__(self, data: bytes) -> Sequence[bytes]:
        if self.bend is None or not all(part in data for part in self.of) or b"snapshot" in data:
            return (data,)
        frame, bend = json.loads(data), self.bend
        self.bend = None
        return (bend(frame) or msgspec.json.encode(frame),)


def books(play: Play) -> list[int]:
    return [lane.state.condition for feed in play.fabric.feeds for lane in feed.lanes if lane.topic.channel == DEPTH]


async def bent(play: Play, name: str, bend: Callable[[Any], bytes | None], *of: bytes) -> list[int]:
    """Conditions of the books as soon as a bent frame has been heard, before any other is."""
    hook, refused = Bender(play, name), sum(play.feed(name).refusals.values())
    play.theatre.hook = hook
    hook.arm(bend, *of)
    seen: list[list[int]] = []
    link = play.feed(name).links[0]
    refuse = link._refuse

    def watched(what: Any) -> None:
        refuse(what)
        seen.append(books(play))

    link._refuse = watched  # type: ignore[method-assign]
    await play.run(2)
    assert sum(play.feed(name).refusals.values()) == refused + 1
    return seen[0]


@pytest.mark.parametrize("name", VENUES)
def test_a_refused_book_frame_takes_its_book_at_once_and_no_other(name: str) -> None:
    async def script(play: Play) -> None:
        await play.run(5)
        conditions = await bent(play, name, lambda frame: untyped(name, frame), DEPTH_FRAME[name], NAMED[name])
        assert conditions == [codes.GAP, codes.SYNCED]
        assert reasons.FRAME_REFUSED in causes(play, name)
        await play.run(20)
        all_is_well(play)

    scenario(script, name)


@pytest.mark.parametrize("name", VENUES)
def test_a_frame_that_hides_its_symbol_puts_every_book_of_its_channel_in_doubt(name: str) -> None:
    async def script(play: Play) -> None:
        await play.run(5)

        def bend(frame: Any) -> None:
            untyped(name, frame)
            SYMBOL[name](frame)

        assert await bent(play, name, bend, DEPTH_FRAME[name]) == [codes.GAP, codes.GAP]
        await play.run(20)
        all_is_well(play)

    scenario(script, name)


@pytest.mark.parametrize("name", VENUES)
def test_noise_takes_only_the_books_whose_proof_might_not_show_a_loss(name: str) -> None:
    async def script(play: Play) -> None:
        await play.run(5)
        left = codes.GAP if name == "kraken" else codes.SYNCED  # ids and counts show with the next frame whatever is missing
        assert await bent(play, name, lambda frame: b"{", DEPTH_FRAME[name]) == [left, left]
        await play.run(20)
        all_is_well(play)

    scenario(script, name)


@pytest.mark.parametrize("name", VENUES)
def test_a_refused_trade_takes_no_book(name: str) -> None:
    async def script(play: Play) -> None:
        await play.run(5)
        assert await bent(play, name, lambda frame: untyped(name, frame), TRADE_FRAME[name]) == [codes.SYNCED, codes.SYNCED]
        assert reasons.FRAME_REFUSED not in causes(play, name)

    scenario(script, name)


FRAMES: dict[str, dict[bytes, Any]] = {
    "binance": {
        b'{"stream":"btcusdt@depth@100ms","data":{}}': [Topic(DEPTH, 0)],
        b'{"e":"depthUpdate","s":"BTCUSDT"}': [Topic(DEPTH, 0)],
        b'{"stream":"btcusdt@trade","data":{}}': [Topic(TRADE, 0)],
        b'{"stream":"ethusdt@depth"}': [Topic(DEPTH, 0)],
        b'{"e":"later","s":"BTCUSDT"}': [],
        b'{"stream":"btcusdt@depth","stream":"btcusdt@trade"}': None,
        b"{": None,
    },
    "kraken": {
        b'{"channel":"book","data":[{"symbol":"BTC/USD","bids":1}]}': [Topic(DEPTH, 0)],
        b'{"channel":"book","data":[]}': [Topic(DEPTH, 0)],
        b'{"channel":"book","data":[{"symbol":"BTC/USD"},{"symbol":"?"}]}': [Topic(DEPTH, 0)],
        b'{"channel":"trade","data":[{"symbol":"BTC/USD","qty":1}]}': [Topic(TRADE, 0)],
        b'{"method":"subscribe","success":"yes"}': [],
        b'{"type":"update"}': None,
        b"[]": None,
    },
    "coinbase": {
        b'{"channel":"l2_data","events":[{"product_id":"BTC-USD","updates":1}]}': [Topic(DEPTH, 0)],
        b'{"channel":"l2_data","events":[{}]}': [Topic(DEPTH, 0)],
        b'{"channel":"market_trades","events":[{"trades":[{"product_id":"BTC-USD"}]}]}': [Topic(TRADE, 0)],
        b'{"channel":"heartbeats","events":[{"heartbeat_counter":[]}]}': [],
        b'{"events":[]}': None,
    },
    "bridge": {
        b'{"c":"book","symbol":"BTC/USD","whole":1}': [Topic(DEPTH, 0)],
        b'{"c":"book"}': [Topic(DEPTH, 0)],
        b'{"c":"trades","symbol":"BTC/USD"}': [Topic(TRADE, 0)],
        b'{"c":"word"}': [],
        b'{"symbol":"BTC/USD"}': None,
    },
}


@pytest.mark.parametrize("name", FRAMES)
def test_an_adapter_says_whose_data_went_with_a_frame(name: str) -> None:
    made: Any = BridgeAdapter("okx") if name == "bridge" else ADAPTERS[name]()
    symbol = {"binance": "BTCUSDT", "coinbase": "BTC-USD"}.get(name, "BTC/USD")
    parts = ("BTC", "USDT" if symbol == "BTCUSDT" else "USD")
    made.adopt([Instrument(venue=made.venue, symbol=symbol, base=parts[0], quote=parts[1], price_exponent=1, quantity_exponent=3)])
    for frame, topics in FRAMES[name].items():
        assert made.concerned(frame) == topics or (topics == [] and made.concerned(frame) == ()), frame
