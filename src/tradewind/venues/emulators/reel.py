"""Messages made before they are sent, so that one process can send more than another can read.

A reel is a closed loop of honest frames of one session: at its end the book is what it was at its beginning, so it can be played
for hours. Only numbers move from round to round: ids go on counting, times are those of the moment of sending. The kinds and their
shares are those of the project's feed benchmark: quote, trade, depth of 20 levels at Binance; trade, book of 6 at Kraken; trade,
level2 of 10 at Coinbase.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .binance import Ns, depth_event, sorted_levels, timed, trade_event
from .binance_rest import MS, aggregate_info, compact, touch
from .book import ASK, BID, Market, Trade
from .coinbase import level_events, trade_events
from .kraken import book_frame, trade_frame

if TYPE_CHECKING:
    from .sandbox import Sandbox
    from .venue import Session

SHARES = {"binance": 3, "kraken": 2, "coinbase": 2}  # of each seven messages
ROUNDS = 4_000  # of each kind in a reel
LEVELS = {"binance": 10, "kraken": 3, "coinbase": 5}  # a side, of a depth message
STAMP_NS = 1_795_374_120_123_457_000  # any time whose text is as long as all others
IDS = {
    "book": re.compile(rb'"[Uu]":(\d+)'),
    "trade": re.compile(rb'"(?:[tafl]|trade_id)":(?:(?<=trade_id":)"?)?(\d+)\b(?!\.)'),
    "frame": re.compile(rb'"sequence_num":(\d+)'),
    "beat": re.compile(rb'"heartbeat_counter":(\d+)'),
}
TIME = re.compile(rb'"(?:E|T)":(\d{13}|\d{16})\b')
TEXT = re.compile(rb'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)"')
FIRST_ID = 1_000_000_000  # ids keep their width for nine thousand million messages
MOST_UNSENT = 4 << 20
BATCH_S = 0.001


class Batch:
    """Some frames in one buffer, with the places of what changes from round to round."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        heads = [_head(len(frame)) for frame in frames]
        whole = b"".join(part for pair in zip(heads, frames, strict=True) for part in pair)
        self.count = len(frames)
        self._buffer = np.frombuffer(bytearray(whole), np.uint8)
        self._ids = [(kind, group) for kind, pattern in IDS.items() for group in _groups(pattern, whole, keep=True)]
        self._times = _groups(TIME, whole, keep=False)
        self._texts = np.array([found.start(1) for found in TEXT.finditer(whole)], np.int64)

    def made(self, steps: Mapping[str, int], rounds: int, now_ns: int) -> bytes:
        """The bytes with every id `rounds` times its step later and every time now."""
        for kind, (places, values, width) in self._ids:
            self._put(places, values + steps[kind] * rounds, width)
        for places, values, width in self._times:
            self._put(places, values + (now_ns // MS if width == 13 else now_ns // 1_000), width)
        if len(self._texts):
            text = np.frombuffer(_when(now_ns), np.uint8)
            self._buffer[self._texts[:, None] + np.arange(len(text))] = text
        return self._buffer.tobytes()

    def _put(self, places: NDArray[np.int64], values: NDArray[np.int64], width: int) -> None:
        powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
        self._buffer[places[:, None] + np.arange(width)] = values[:, None] // powers % 10 + 48


Group = tuple[NDArray[np.int64], NDArray[np.int64], int]
"""Places of numbers of one width, their values (0 where only the place matters), and the width."""


def _groups(pattern: re.Pattern[bytes], whole: bytes, *, keep: bool) -> list[Group]:
    found = [(item.start(1), len(item[1]), int(item[1]) if keep else 0) for item in pattern.finditer(whole)]
    groups = []
    for width in sorted({size for _, size, _ in found}):
        chosen = [(place, value) for place, size, value in found if size == width]
        places, values = np.array(chosen, np.int64).T
        groups.append((places.copy(), values.copy(), width))
    return groups


def _head(size: int) -> bytes:
    """The head of one unmasked text frame (RFC 6455, 5.2)."""
    if size < 126:
        return bytes((0x81, size))
    return b"\x81\x7e" + size.to_bytes(2, "big") if size < 1 << 16 else b"\x81\x7f" + size.to_bytes(8, "big")


def _when(ns: int) -> bytes:
    seconds, rest = divmod(ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b".%06dZ" % (rest // 1_000)


Changed = dict[tuple[int, int], int]
"""(side, price) to size."""


class Loop:
    """A private copy of a market whose book goes round: sizes change, levels go and come, at the end all is as at first."""

    def __init__(self, market: Market, seed: int, levels: int) -> None:
        self.market = Market(market.venue, market.listing, market.number)
        self.market.book = market.book.copy()
        self.market.trade_number = FIRST_ID
        self._first = market.book.copy()
        self._chance = random.Random(f"{seed}/reel/{market.venue}")
        self._prices = [[price for price, _ in market.book.top(side, 40)] for side in (BID, ASK)]
        self._levels = levels

    def change(self) -> Changed:
        """Changes some levels of both sides; the two best never go."""
        told = {}
        for side in (BID, ASK):
            for place in self._chance.sample(range(len(self._prices[side])), self._levels):
                price = self._prices[side][place]
                now, first = self.market.book.sizes[side].get(price, 0), self._first.sizes[side][price]
                gone = place > 1 and now and self._chance.random() < 1 / 3
                told[side, price] = 0 if gone else first if now != first else first + self._chance.randrange(1, first + 2)
        return self._apply(told)

    def wrong(self) -> Changed:
        """What stands otherwise than at first."""
        told = {}
        for side in (BID, ASK):
            now, first = self.market.book.sizes[side], self._first.sizes[side]
            wrong = [price for price in self._prices[side] if now.get(price, 0) != first[price]]
            told.update({(side, price): first[price] for price in wrong[: self._levels]})
        return told

    def back(self) -> Changed:
        """Makes some of it as it was at first."""
        return self._apply(self.wrong())

    def trade(self) -> Trade:
        """A trade at the touch."""
        side = self._chance.choice((BID, ASK))
        price, size = self.market.book.top(side, 1)[0]
        return self.market.trade(STAMP_NS, price, max(1, size // 3), taker_buys=side == ASK)

    def _apply(self, told: Changed) -> Changed:
        for (side, price), size in told.items():
            self.market.set(STAMP_NS, side, price, size)
        return told


class Script(NamedTuple):
    """One round of frames, and how far each sort of id moves in it."""

    frames: list[bytes]
    steps: dict[str, int]


def script_of(session: Session, market: Market, seed: int, rounds: int = ROUNDS) -> Script:
    """A round of what a session has subscribed of a market."""
    loop = Loop(market, seed, LEVELS[market.venue])
    first, first_trade = loop.market.number, loop.market.trade_number
    texts = {"binance": _binance, "kraken": _kraken, "coinbase": _coinbase}[market.venue](loop, session, rounds)
    steps = {"book": loop.market.number - first, "trade": loop.market.trade_number - first_trade, "frame": len(texts), "beat": 1}
    return Script([text.encode() for text in texts], steps)


def _binance(loop: Loop, session: Session, rounds: int) -> list[str]:
    market, symbol = loop.market, loop.market.listing.base + loop.market.listing.quote
    unit, stream = session.facts["unit"], symbol.lower()
    out: list[str] = []

    def say(name: str, event: dict[str, object]) -> None:
        if f"{stream}@{name}" in session.topics:
            text = compact(timed(event, unit))
            out.append(f'{{"stream":"{stream}@{name}","data":{text}}}' if session.facts["combined"] else text)

    def depth(change: Callable[[], Changed]) -> None:
        first = market.number + 1
        levels = sorted_levels(change())
        say("depth@100ms", depth_event(symbol, market.listing, (first, market.number), levels, STAMP_NS))

    for _ in range(rounds):
        depth(loop.change)
        say("bookTicker", {"u": market.number, "s": symbol, **touch(market, "b", "B", "a", "A")})
        trade = loop.trade()
        say("trade", trade_event(symbol, market.listing, trade, STAMP_NS))
        told = aggregate_info(market.listing, [trade], "T")
        say("aggTrade", {"e": "aggTrade", "E": Ns(STAMP_NS), "s": symbol, **told, "T": Ns(STAMP_NS)})
    while loop.wrong():
        depth(loop.back)
    return out


def _kraken(loop: Loop, session: Session, rounds: int) -> list[str]:
    market, out = loop.market, []
    channels = {channel for channel, symbol, _ in session.topics if symbol == market.listing.symbol}

    def book(change: Callable[[], Changed]) -> None:
        levels = sorted_levels(change())
        if "book" in channels:
            out.append(book_frame("update", market, levels, STAMP_NS))

    for _ in range(rounds):
        book(loop.change)
        trade = loop.trade()
        if "trade" in channels:
            out.append(trade_frame("update", market.listing, [trade]))
    while loop.wrong():
        book(loop.back)
    return out


def _coinbase(loop: Loop, session: Session, rounds: int) -> list[str]:
    market = loop.market
    product = f"{market.listing.base}-{market.listing.quote}"
    when = _when(STAMP_NS).decode()
    first = session.sequence = max(session.sequence, FIRST_ID)
    out: list[str] = []

    def say(channel: str, events: str, topic: tuple[str, str]) -> None:
        if topic in session.topics:
            out.append(f'{{"channel":"{channel}","timestamp":"{when}","sequence_num":{first + len(out)},"events":{events}}}')

    def book(change: Callable[[], Changed]) -> None:
        levels = sorted_levels(change())
        say("l2_data", level_events("update", product, market, levels, STAMP_NS), ("level2", product))

    beat = f'[{{"current_time":"{when[:10]} {when[11:26]}000 +0000 UTC m=+1.000000000","heartbeat_counter":{FIRST_ID}}}]'
    say("heartbeats", beat, ("heartbeats", ""))
    for _ in range(rounds):
        book(loop.change)
        say("market_trades", trade_events("update", product, market, [loop.trade()]), ("market_trades", product))
    while loop.wrong():
        book(loop.back)
    return out


class Reel:
    """Plays to the first session of each venue, all together at `rate` frames a second, until it is cancelled."""

    def __init__(self, sandbox: Sandbox, rate: float, seed: int, *, rounds: int = ROUNDS) -> None:
        self._sandbox, self._rate, self._seed, self._rounds = sandbox, rate, seed, rounds
        self.sent: dict[str, int] = {}
        self.late_s = 0.0  # the longest a batch was behind its time
        sandbox.flow.quiet = True
        for venue in sandbox.venues.values():
            venue.first_sequence = FIRST_ID  # what a connection hears before the reel is numbered as the reel goes on

    async def run(self) -> None:
        """Waits until every venue has a session and none has subscribed for a second, then plays."""
        venues = self._sandbox.venues
        before: dict[str, int] = {}
        while True:
            now = {name: sum(len(item.topics) for item in venue.sessions.values()) for name, venue in venues.items()}
            if all(now.values()) and now == before:
                break
            before = now
            await asyncio.sleep(1.0)
        whole = sum(SHARES[name] for name in venues)
        scripts = {name: self._script(name) for name in venues}
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for name, script in scripts.items():
                session = next(iter(venues[name].sessions.values()))
                group.create_task(self._play(name, session, script, self._rate * SHARES[name] / whole, began))

    def _script(self, name: str) -> Script:
        venue = self._sandbox.venues[name]
        session, market = next(iter(venue.sessions.values())), next(iter(venue.markets.values()))
        if name == "coinbase":
            session.send = _nowhere  # its frames are numbered: nobody else may speak on this connection
        return script_of(session, market, self._seed, self._rounds)

    async def _play(self, name: str, session: Session, script: Script, rate: float, began: float) -> None:
        size = max(1, round(rate * BATCH_S))
        batches = [Batch(script.frames[start : start + size]) for start in range(0, len(script.frames), size)]
        count = 0
        while session.number in self._sandbox.venues[name].sessions:
            batch = batches[count % len(batches)]
            due = began + self.sent.get(name, 0) / rate
            wait = due - time.monotonic()
            self.late_s = max(self.late_s, -wait)
            await asyncio.sleep(max(0.0, wait))
            unsent = session.write(batch.made(script.steps, count // len(batches), time.time_ns()))
            self.sent[name] = self.sent.get(name, 0) + batch.count
            count += 1
            while unsent > MOST_UNSENT:
                await asyncio.sleep(BATCH_S)
                unsent = session.write(b"")


def _nowhere(_: object) -> None:
    """Where the venue's own frames go while a reel plays."""
