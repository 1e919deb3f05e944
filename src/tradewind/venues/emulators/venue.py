"""What all emulated venues share: sessions, a way out for their frames, replies to requests. No sockets here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from .book import Market
from .clock import SECOND_NS
from .faults import Faults, Frame
from .flow import Happening
from .history import History
from .limits import Rolling
from .listings import Listing
from .script import Fault
from .stage import Stage

NO_ROOM, POLICY, GOING_AWAY = 1009, 1008, 1001  # RFC 6455, 7.4.1


class Reply(msgspec.Struct):
    """An answer to a request."""

    body: str
    status: int = 200
    headers: dict[str, str] = {}
    delay_s: float = 0.0


class Session:
    """One connection of a client. `send` hands a frame to the transport, `end` closes it with a code and a reason."""

    def __init__(self, number: int, path: str, query: Mapping[str, str], opened_ns: int) -> None:
        self.number, self.path, self.query, self.opened_ns = number, path, query, opened_ns
        self.topics: dict[Any, Any] = {}  # what it listens to, in the venue's own words
        self.facts: dict[str, Any] = {}  # what else the venue knows of it
        self.heard_ns = self.pong_ns = self.sent_ns = opened_ns
        self.sequence = 0
        self.holed = False  # a black hole: nothing goes out, nothing is read
        self.rate: Rolling | None = None
        self.send: Callable[[Frame], None] = _nowhere
        self.ping: Callable[[bytes], None] = _nowhere
        self.end: Callable[[int, str], None] = _nowhere
        self.drop: Callable[[], None] = _nowhere
        self.write: Callable[[bytes], int] = lambda _: 0  # raw bytes past all queues; gives how many wait to be sent


def _nowhere(*_: object) -> None:
    """Where frames go before a transport is there."""


class Venue:
    """One venue's protocol over its markets. Subclasses know the words."""

    name = ""
    listings: Sequence[Listing] = ()  # of a package's venue; ours stand in `listings`
    followed: Sequence[str] = ()  # what `tradewind check` follows of them, in the venue's own spelling
    ws_path = "/"  # where clients connect
    connects = Rolling(300, 300)
    first_sequence = 0  # of a connection's frames, where the venue numbers them
    life_ns = 24 * 3600 * SECOND_NS
    bans = False  # whether the venue bans addresses by itself

    def __init__(self, stage: Stage, faults: Faults, seed: int) -> None:
        self.stage, self.faults = stage, faults
        self.markets: dict[str, Market] = stage.flow.markets[self.name]
        self.histories = {symbol: History(market, seed, stage.now_ns) for symbol, market in self.markets.items()}
        self.sessions: dict[int, Session] = {}
        faults.stage, faults.markets = stage, self.markets
        self.frames_out = 0
        self.requests: list[tuple[int, str]] = []  # (time, path) of everything asked by REST
        self.connections: list[int] = []  # times of all attempts to connect
        stage.listeners[self.name] = self.hear_of
        stage.every(SECOND_NS, self._second)

    # What a transport asks ----------------------------------------------------------------------------------------

    def answer(self, path: str, query: Mapping[str, str]) -> Reply:
        """A reply to a GET request."""
        self.requests.append((self.stage.now_ns, path))
        forced = self.faults.refuse_request(path)
        if forced is not None:
            refusal = self._refusal(*forced)
            if refusal is not None:
                return refusal
        return self.faults.after(path, self.rest(path, query))

    def serves(self, path: str) -> bool:
        """Whether a WebSocket may be opened there."""
        return path == self.ws_path

    def _refusal(self, kind: str, fault: Fault) -> Reply | None:
        """A fault's refusal; None leaves it to the venue's own ban."""
        if kind == "rest_fail":
            return Reply("", int(fault.param("status")), delay_s=float(fault.param("delay_s")))
        if kind == "ban":
            return None if self.bans else self.unwilling("rate_limit", 60)
        return self.unwilling(kind, int(fault.param("retry_after_s")) if kind == "rate_limit" else 60)

    def may_connect(self) -> bool:
        """Counts an attempt to connect; False where it is one too many."""
        self.connections.append(self.stage.now_ns)
        return self.connects.take(self.stage.now_ns)

    def opened(self, session: Session) -> None:
        """A client is connected."""
        self.sessions[session.number] = session
        self.welcome(session)

    def heard(self, session: Session, text: str) -> None:
        """A frame of a client."""
        session.heard_ns = self.stage.now_ns
        if self.within_rate(session):
            self.obey(session, text)

    def within_rate(self, session: Session) -> bool:
        """Counts a frame of a client, pings and pongs too; ends the session where it is one too many."""
        if session.rate is not None and not session.rate.take(self.stage.now_ns):
            session.end(POLICY, "Too many requests")
            return False
        return True

    def closed(self, session: Session) -> None:
        """A client is gone."""
        self.sessions.pop(session.number, None)
        self.forget(session)

    # What a subclass tells ------------------------------------------------------------------------------------------

    def rest(self, path: str, query: Mapping[str, str]) -> Reply:
        """The venue's own answer."""
        raise NotImplementedError

    def welcome(self, session: Session) -> None:
        """What the venue says first."""

    def obey(self, session: Session, text: str) -> None:
        """Does what a client's frame asks."""
        raise NotImplementedError

    def unwilling(self, kind: str, retry_after_s: int) -> Reply:
        """A refusal in the venue's form: `rate_limit` or `maintenance`."""
        raise NotImplementedError

    def ban(self, seconds: float) -> None:
        """Shuts the address out."""

    def announce(self, what: str) -> None:
        """Tells everybody, where the venue does that: `end` of the connections, new `rules`, `maintenance`, `online` again."""

    def forget(self, session: Session) -> None:
        """Takes a session out of everything."""

    def happened(self, happening: Happening) -> None:
        """Tells the listeners of an order."""
        raise NotImplementedError

    def second(self, ts_ns: int) -> None:
        """What the venue does each second."""

    # The way out ----------------------------------------------------------------------------------------------------

    def emit(self, session: Session, channel: str, symbol: str, text: str) -> None:
        """Sends a frame, through the faults."""
        for frame in self.faults.frames(session.number, channel, symbol, text):
            self.frames_out += 1
            session.sent_ns = self.stage.now_ns
            session.send(frame)

    def stamp(self, ts_ns: int) -> int:
        """What the venue believes a time to be."""
        return ts_ns + self.faults.skew_ns(ts_ns)

    def hear_of(self, happening: Happening) -> None:
        """Takes in what an order did."""
        for trade in happening.trades:
            if not trade.bad:
                self.histories[happening.market.listing.symbol].add(trade)
        self.happened(happening)

    def _second(self, ts_ns: int) -> None:
        for session in [item for item in self.sessions.values() if ts_ns - item.opened_ns > self.life_ns]:
            session.end(GOING_AWAY, "")
        self.second(ts_ns)


def parsed(text: str) -> dict[str, Any] | None:
    """A client's frame as an object; None where it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def number(query: Mapping[str, str], name: str, default: int) -> int:
    """A whole number of a query; the default where it is missing or no number."""
    try:
        return int(query.get(name, default))
    except ValueError:
        return default
