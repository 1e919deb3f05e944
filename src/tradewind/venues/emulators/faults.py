"""Scripted misbehaviour of one venue: what is on at a moment, and what it does to frames, requests and connections.

A venue asks here wherever it could misbehave; with nothing on, every answer is the honest one. Kinds that act at a moment (`hole`,
`cut`, `rules`, prices, ...) are in `acts`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from . import mangle
from .book import ASK, BID, Book, Market
from .clock import SECOND_NS
from .script import DATA, Fault
from .stage import Stage


class Bodied(Protocol):
    """What of a reply a fault can spoil."""

    body: str


R = TypeVar("R", bound=Bodied)
Levels = tuple[list[tuple[int, int]], list[tuple[int, int]]]
"""(price, size) of bids and of asks."""


class Raw:
    """A frame that is no honest text: bytes as a text or a binary frame, perhaps byte by byte."""

    def __init__(self, payload: bytes, *, text: bool = True, bytes_per_s: float = 0.0) -> None:
        self.payload, self.text, self.bytes_per_s = payload, text, bytes_per_s


Frame = str | bytes | Raw


class Running:
    """A fault that is on."""

    def __init__(self, number: int, fault: Fault, since_ns: int) -> None:
        self.number, self.fault, self.since_ns = number, fault, since_ns
        self.left = fault.count
        self.fired = 0
        self.phantoms: set[tuple[str, str, int, int]] = set()  # pair, stream, side, price told that are not in the book
        self.hidden: set[tuple[str, str]] = set()  # pairs and streams with a side told empty


class Faults:
    """All faults of one venue."""

    def __init__(self, seed: int = 0) -> None:
        self.running: dict[int, Running] = {}
        self.fired: dict[str, int] = {}  # how often each kind did something
        self._ended: list[Running] = []  # still to be made good in the books
        # By session and channel: how many go before, and what is kept back.
        self._held: dict[tuple[int, str], tuple[int, Frame]] = {}
        self.chance = random.Random(f"{seed}/faults")
        self.stage: Stage | None = None
        self.markets: Mapping[str, Market] = {}

    def begin(self, number: int, fault: Fault, now_ns: int) -> Running:
        """Turns a fault on."""
        self.running[number] = made = Running(number, fault, now_ns)
        return made

    def finish(self, number: int) -> Running | None:
        """Turns a fault off."""
        ended = self.running.pop(number, None)
        if ended is not None and (ended.phantoms or ended.hidden):
            self._ended.append(ended)
        return ended

    def find(self, kind: str, channel: str = "", symbol: str = "") -> Running | None:
        """The fault of a kind that is on for a channel and a pair."""
        for running in self.running.values():
            fault = running.fault
            if fault.kind != kind or (fault.symbol and symbol and fault.symbol != symbol):
                continue
            if not channel or channel == fault.channel or (not fault.channel and channel in DATA):
                return running
        return None

    def use(self, running: Running) -> Running:
        """Counts one firing; the fault ends with its last."""
        running.fired += 1
        kind = running.fault.kind
        self.fired[kind] = self.fired.get(kind, 0) + 1
        if running.left is not None:
            running.left -= 1
            if running.left <= 0:
                self.finish(running.number)
        return running

    def _fires(self, kind: str, channel: str = "", symbol: str = "") -> Fault | None:
        found = self.find(kind, channel, symbol)
        return self.use(found).fault if found is not None else None

    # Frames -----------------------------------------------------------------------------------------------------------

    def frames(self, session: int, channel: str, symbol: str, text: str) -> Sequence[Frame]:
        """What goes out instead of a frame of a session, which is known by its number."""
        if not self.running and not self._held:
            return (text,)
        if self._fires("maintenance", channel) or self._fires("silent", channel, symbol) or self._fires("drop", channel, symbol):
            return ()
        frame = self._spoilt(channel, symbol, text)
        again = self._fires("duplicate", channel, symbol)
        out = [frame] * (1 + int(again.param("times"))) if again else [frame]
        return self._reordered(session, channel, symbol, out)

    def _spoilt(self, channel: str, symbol: str, text: str) -> Frame:
        for kind, change in _CHANGES.items():
            fault = self._fires(kind, channel, symbol)
            if fault is not None:
                text = change(text, fault)
        fault = self._fires("garbage", channel, symbol)
        if fault is not None:
            what = str(fault.param("what"))
            return Raw(mangle.garbage(text, what), text=what != "binary")
        fault = self._fires("drip", channel, symbol)
        return Raw(text.encode(), bytes_per_s=float(fault.param("bytes_per_s"))) if fault is not None else text

    def _reordered(self, session: int, channel: str, symbol: str, out: list[Frame]) -> list[Frame]:
        """Keeps one frame of a channel back at a time, until enough others of it have gone before."""
        key = (session, channel)
        if key in self._held:
            left, frame = self._held.pop(key)
            if left <= 1:
                return [*out, frame]
            self._held[key] = (left - 1, frame)
            return out
        fault = self._fires("reorder", channel, symbol)
        if fault is not None:
            self._held[key] = (int(fault.param("by")), out.pop(0))
        return out

    # Books ------------------------------------------------------------------------------------------------------------

    def levels(self, market: Market, levels: Levels, stream: str = "") -> Levels:
        """The levels of a depth message as they go out; `stream` tells apart the streams of one book."""
        if not self.running and not self._ended:
            return levels
        symbol = market.listing.symbol
        levels = self._healed(market, levels, stream)
        running = self.find("empty_side", "depth", symbol)
        if running is not None:
            levels = self._emptied(running, market, levels, stream)
        running = self.find("crossed", "depth", symbol)
        if running is not None:
            levels = self._crossed(running, market, levels, stream)
        if any(levels) and self._fires("corrupt", "depth", symbol):
            side = BID if levels[BID] else ASK
            price, size = levels[side][0]
            levels[side][0] = (price, size + 1 + size // 7)
        return levels

    def _healed(self, market: Market, levels: Levels, stream: str) -> Levels:
        """Tells the truth about what ended faults have told of this pair."""
        seen = (market.listing.symbol, stream)
        for ended in self._ended:
            for phantom in [item for item in ended.phantoms if item[:2] == seen]:
                ended.phantoms.discard(phantom)
                _, _, side, price = phantom
                levels = _with(levels, side, {price: market.book.sizes[side].get(price, 0)})
            if seen in ended.hidden:
                ended.hidden.discard(seen)
                side = ASK if ended.fault.param("side") == "ask" else BID
                levels = _with(levels, side, dict(market.book.top(side)))
        self._ended = [ended for ended in self._ended if ended.phantoms or ended.hidden]
        return levels

    def _emptied(self, running: Running, market: Market, levels: Levels, stream: str) -> Levels:
        side = ASK if running.fault.param("side") == "ask" else BID
        seen = (market.listing.symbol, stream)
        gone = [] if seen in running.hidden else [(price, 0) for price, _ in market.book.top(side)]
        gone += [(price, 0) for price, _ in levels[side] if (price, 0) not in gone]
        running.hidden.add(seen)
        self.use(running)
        return (levels[BID], gone) if side == ASK else (gone, levels[ASK])

    def _crossed(self, running: Running, market: Market, levels: Levels, stream: str) -> Levels:
        ask = market.book.best(ASK)
        if ask is None:
            return levels
        self.use(running)
        price = ask + max(2, ask // 20_000)
        running.phantoms.add((market.listing.symbol, stream, BID, price))
        return _with(levels, BID, {price: market.book.sizes[ASK][ask]})

    def book(self, market: Market) -> tuple[Book, int]:
        """The book a request gets, and the number of its last change."""
        fault = self._fires("stale_snapshot", "depth", market.listing.symbol)
        if fault is None:
            return market.book, market.number
        until_ns = (self.stage.now_ns if self.stage else 0) - round(float(fault.param("age_s")) * SECOND_NS)
        later = sum(1 for change in market.changes if change.ts_ns > until_ns)
        return market.book_at_time(until_ns), market.number - later

    # Requests and connections ----------------------------------------------------------------------------------------

    def refuse_request(self, path: str) -> tuple[str, Fault] | None:
        """The kind of refusal a request gets, if any."""
        for kind in ("maintenance", "rest_fail", "rate_limit", "ban"):
            running = self.find(kind)
            if running is not None:
                return kind, self.use(running).fault
        return None

    def after(self, path: str, reply: R) -> R:
        """The reply as it goes out."""
        if self.running:
            spoilt = self._spoilt("rest", "", reply.body)
            reply.body = spoilt if isinstance(spoilt, str) else spoilt.payload.decode("latin-1") if isinstance(spoilt, Raw) else ""
        return reply

    def connecting(self) -> str:
        """What happens to a client that connects: "" is welcome, else reset, hang or 503."""
        hole = self.find("hole")
        if hole is not None and hole.fault.param("new"):
            return "hang"
        fault = self._fires("refuse")
        if fault is not None:
            return str(fault.param("how"))
        return "503" if self.find("maintenance") else ""

    def foreign_weight(self) -> int:
        """What others at the same address have used of its budget."""
        fault = self._fires("weight")
        return int(fault.param("add")) if fault is not None else 0

    def given(self, channel: str, symbol: str) -> str:
        """The pair a client really gets for the one it asked; "" is none."""
        if self._fires("ack_silent", channel, symbol):
            return ""
        fault = self._fires("ack_wrong", channel, symbol)
        if fault is None or self.stage is None:
            return symbol
        others = [name for name in self.markets if name != symbol]
        return str(fault.param("gives")) or (others[0] if others else symbol)

    def skew_ns(self, ts_ns: int) -> int:
        """How far the venue's clock is off."""
        running = self.find("clock")
        return round(float(running.fault.param("offset_s")) * SECOND_NS) if running is not None else 0


def _with(levels: Levels, side: int, told: dict[int, int]) -> Levels:
    """The levels with some of a side told otherwise."""
    found = {**dict(levels[side]), **told}
    rows = list(found.items())
    return (rows, levels[ASK]) if side == BID else (levels[BID], rows)


_CHANGES: dict[str, Callable[[str, Fault], str]] = {
    "field_new": lambda text, fault: mangle.field_new(text, str(fault.param("name"))),
    "field_missing": lambda text, fault: mangle.field_missing(text, str(fault.param("name"))),
    "enum_new": lambda text, fault: mangle.enum_new(text, str(fault.param("value"))),
    "number_text": lambda text, _: mangle.number_text(text),
    "microseconds": lambda text, _: mangle.microseconds(text),
    "huge": lambda text, fault: mangle.huge(text, int(fault.param("bytes"))),
}
