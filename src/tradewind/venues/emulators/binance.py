"""Binance Spot over WebSocket: raw and combined streams, live subscribing, chained depth diffs.

Source: binance-spot-api-docs, web-socket-streams.md, 2026-07-21; order of keys and digits as in recordings of 2024-08-08. Guesses:
how long an address may ignore a 429 before it is banned; that an unknown stream in an address or a request is accepted silently;
that streams over a connection's limit are refused, in a request by an error and in an address by the end of the connection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .binance_rest import INTERVALS, LIMIT, MS, Binance, aggregate_info, aggregated, compact, kline, price, size, touch, weight_of
from .book import ASK, BID, Market, Trade
from .clock import SECOND_NS
from .faults import Faults, Levels
from .flow import Happening
from .limits import Rolling, Weights
from .listings import Listing
from .stage import Stage
from .venue import POLICY, Reply, Session, Venue, parsed

PING_EVERY_NS, PONG_WITHIN_NS = 20 * SECOND_NS, 60 * SECOND_NS
MESSAGES_PER_S, MOST_STREAMS = 5, 1_024
STREAM = re.compile(r"^(?:!?[^@\s/]+)@[\w@+:]+$")
PARTIAL = re.compile(r"^depth(5|10|20)(@100ms)?$")
METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
TENTH_NS = SECOND_NS // 10


class BinanceVenue(Venue):
    """The spot venue. A session's topics are names of streams; `combined` among its facts wraps what it gets."""

    name = "binance"
    followed = ("BTCUSDT",)
    bans = True
    limit = LIMIT  # of weight a minute
    messages_per_s = MESSAGES_PER_S
    most_streams = MOST_STREAMS  # of a connection, however they were asked
    ping_every_ns, pong_within_ns = PING_EVERY_NS, PONG_WITHIN_NS

    def __init__(self, stage: Stage, faults: Faults, seed: int) -> None:
        super().__init__(stage, faults, seed)
        self.connects = Rolling(300, 300)
        self.weights = Weights(self.limit)
        self._named = {market.listing.base + market.listing.quote: market for market in self.markets.values()}
        self._rest = self._answers()
        self._streams: dict[str, dict[Session, None]] = {}
        self._touches: dict[str, tuple[Any, Any]] = {}
        self._pending: dict[tuple[str, int], dict[tuple[int, int], int]] = {}
        self._told = {(symbol, speed): market.number for symbol, market in self._named.items() for speed in (1, 10)}
        self._tenths = 0
        stage.every(TENTH_NS, self._tenth)

    def _answers(self) -> Binance:
        return Binance(self._named, self.histories, lambda: self.stamp(self.stage.now_ns), self.faults.book)

    def weight(self, path: str, query: Mapping[str, str]) -> int:
        """What a request costs."""
        return weight_of(path, query)

    # REST -------------------------------------------------------------------------------------------------------------

    def rest(self, path: str, query: Mapping[str, str]) -> Reply:
        """The answer, or the refusal of a client that asked too much."""
        now_ns = self.stage.now_ns
        status = self.weights.charge(self.weight(path, query), now_ns)
        used = str(self.weights.used + self.faults.foreign_weight())
        headers = {"x-mbx-used-weight": used, "x-mbx-used-weight-1m": used, "x-mbx-uuid": f"{now_ns:032x}"}
        if status == 200:
            reply = self._rest.answer(path, query)
        else:
            reply = self._excess(status)
            headers["Retry-After"] = str(self.weights.retry_after_s(now_ns))
        reply.headers = {**headers, **reply.headers}
        return reply

    def _excess(self, status: int) -> Reply:
        if status == 418:
            text = f"Way too much request weight used; IP banned until {self.weights.banned_until_ns // MS}."
            return Reply(
                compact({"code": -1003, "msg": text + " Please use WebSocket Streams for live updates to avoid bans."}), 418
            )
        text = f"Too much request weight used; current limit is {self.limit} request weight per 1 MINUTE."
        text += " Please use WebSocket Streams for live updates to avoid polling the API."
        return Reply(compact({"code": -1003, "msg": text}), 429)

    # Sessions -----------------------------------------------------------------------------------------------------------

    def serves(self, path: str) -> bool:
        """/ws, /ws/NAME and /stream."""
        return path.strip("/").partition("/")[0] in ("ws", "stream")

    def welcome(self, session: Session) -> None:
        """Subscribes what the address names."""
        session.rate = Rolling(self.messages_per_s, 1.0)
        path = session.path.strip("/").split("/")
        session.facts["combined"] = path[0] == "stream"
        session.facts["unit"] = 1_000 if session.query.get("timeUnit", "").lower() == "microsecond" else MS
        names = session.query.get("streams", "").split("/") if path[0] == "stream" else path[1:]
        wanted = list(filter(None, names))
        if len(set(wanted)) > self.most_streams:
            return session.end(POLICY, "Too many streams")
        for name in wanted:
            self._join(session, name)
        return None

    def obey(self, session: Session, text: str) -> None:
        """Does what a request asks and confirms it."""
        request = parsed(text)
        if request is None:
            return self._error(session, 3, "Invalid JSON: expected value at line 1 column 1", None)
        name = request.get("id")
        if "method" not in request:
            return self._error(session, 2, "Invalid request: missing field `method` at line 1 column " + str(len(text)), name)
        if request["method"] not in METHODS:
            expected = ", ".join(f"`{method}`" for method in METHODS)
            told = f"Invalid request: unknown variant `{request['method']}`, expected one of {expected} at line 1 column 28"
            return self._error(session, 2, told, name)
        if (name is not None and not isinstance(name, int | str)) or isinstance(name, bool):
            return self._error(session, 2, "Invalid request: request ID must be an unsigned integer", None)
        return self._do(session, request["method"], request.get("params", []), name)

    def forget(self, session: Session) -> None:
        """Takes a session out of its streams."""
        for name in list(session.topics):
            self._leave(session, name)

    def _do(self, session: Session, method: str, params: Any, name: Any) -> None:
        if method == "LIST_SUBSCRIPTIONS":
            return self._confirm(session, name, list(session.topics))
        if not isinstance(params, list):
            return self._error(session, 2, "Invalid request: invalid type, expected a sequence", name)
        if method.endswith("PROPERTY"):
            return self._property(session, method, params, name)
        if not all(isinstance(item, str) and STREAM.match(item) for item in params):
            return self._error(session, 2, "Invalid request: invalid stream", name)
        if method == "SUBSCRIBE" and len(session.topics.keys() | set(params)) > self.most_streams:
            return self._error(session, 2, f"Invalid request: more than {self.most_streams} streams on one connection", name)
        for stream in params:
            (self._leave if method == "UNSUBSCRIBE" else self._join)(session, stream)
        return self._confirm(session, name, None)

    def _property(self, session: Session, method: str, params: list[Any], name: Any) -> None:
        if not params or not isinstance(params[0], str):
            return self._error(session, 2, "Invalid request: property name must be a string", name)
        if params[0] != "combined":
            return self._error(session, 0, "Unknown property", name)
        if method == "GET_PROPERTY":
            return self._confirm(session, name, session.facts["combined"])
        if len(params) < 2 or not isinstance(params[1], bool):
            return self._error(session, 1, "Invalid value type: expected Boolean", name)
        session.facts["combined"] = params[1]
        return self._confirm(session, name, None)

    def _confirm(self, session: Session, name: Any, result: Any) -> None:
        self.emit(session, "ack", "", compact({"result": result, "id": name}))

    def _error(self, session: Session, code: int, text: str, name: Any) -> None:
        self.emit(session, "error", "", compact({"code": code, "msg": text, "id": name}))

    def _join(self, session: Session, stream: str) -> None:
        session.topics[stream] = True
        heard = self._given(stream, session)
        if heard:
            self._streams.setdefault(heard, {})[session] = None
        session.facts.setdefault("given", {})[stream] = heard

    def _leave(self, session: Session, stream: str) -> None:
        session.topics.pop(stream, None)
        self._streams.get(session.facts["given"].pop(stream, ""), {}).pop(session, None)

    def _given(self, stream: str, session: Session) -> str:
        """The stream a client gets for the one it asks."""
        name, _, what = stream.partition("@")
        market = self._named.get(name.upper())
        if market is None:
            return stream
        symbol = self.faults.given(self.channel_of(stream), market.listing.symbol)
        return symbol.replace("/", "").lower() + "@" + what if symbol else ""

    # Streams ----------------------------------------------------------------------------------------------------------

    def channel_of(self, stream: str) -> str:
        """The channel's name in the words faults use."""
        what = stream.partition("@")[2]
        for start, channel in (
            ("depth", "depth"),
            ("bookTicker", "quote"),
            ("trade", "trade"),
            ("aggTrade", "trade"),
            ("kline", "bar"),
        ):
            if what.startswith(start):
                return channel
        return what

    def say(self, stream: str, symbol: str, event: dict[str, Any]) -> None:
        """Sends an event to all who listen to a stream. Times in it are ns; each session gets its own unit."""
        texts: dict[int, str] = {}
        for session in list(self._streams.get(stream, ())):
            unit = session.facts["unit"]
            if unit not in texts:
                texts[unit] = compact(timed(event, unit))
            text = f'{{"stream":"{stream}","data":{texts[unit]}}}' if session.facts["combined"] else texts[unit]
            self.emit(session, self.channel_of(stream), self._named[symbol].listing.symbol, text)

    def happened(self, happening: Happening) -> None:
        """Trades and the touch at once; changes wait for the next tenth of a second."""
        market, ts_ns = happening.market, self.stamp(happening.ts_ns)
        symbol = market.listing.base + market.listing.quote
        for change in happening.changes:
            for speed in (1, 10):
                self._pending.setdefault((symbol, speed), {})[change.side, change.price] = change.size
        if happening.trades:
            self._tell_trades(symbol, market.listing, happening.trades, ts_ns)
        self._tell_touch(symbol, market)

    def _tell_trades(self, symbol: str, listing: Listing, trades: list[Trade], ts_ns: int) -> None:
        stream = symbol.lower() + "@trade"
        for trade in trades if stream in self._streams else ():
            self.say(stream, symbol, self.trade_told(symbol, listing, trade, ts_ns))
        stream = symbol.lower() + "@aggTrade"
        for group in aggregated(trades) if stream in self._streams else ():
            self.say(stream, symbol, self.aggregate_told(symbol, listing, group, ts_ns))

    def _tell_touch(self, symbol: str, market: Market) -> None:
        best = (market.book.top(BID, 1), market.book.top(ASK, 1))
        if best == self._touches.get(symbol) or not all(best):
            return
        self._touches[symbol] = best
        stream = symbol.lower() + "@bookTicker"
        if stream in self._streams:
            self.say(stream, symbol, self.touch_told(symbol, market))

    def _tenth(self, ts_ns: int) -> None:
        self._tenths += 1
        for symbol, market in self._named.items():
            self._tell_depth(symbol, market, 1, ts_ns)
            self._tell_partial(symbol, market, 1)
            if ts_ns % SECOND_NS == 0:
                self._tell_depth(symbol, market, 10, ts_ns)
                self._tell_partial(symbol, market, 10)

    def _tell_depth(self, symbol: str, market: Market, speed: int, ts_ns: int) -> None:
        changed = self._pending.pop((symbol, speed), None)
        if not changed:
            return
        first, self._told[symbol, speed] = self._told[symbol, speed] + 1, market.number
        stream = symbol.lower() + ("@depth@100ms" if speed == 1 else "@depth")
        if stream in self._streams:
            levels = self.faults.levels(market, sorted_levels(changed), stream)
            self.say(stream, symbol, self.depth_told(symbol, market, (first, market.number), levels, self.stamp(ts_ns)))

    def _tell_partial(self, symbol: str, market: Market, speed: int) -> None:
        for count in (5, 10, 20):
            stream = f"{symbol.lower()}@depth{count}" + ("@100ms" if speed == 1 else "")
            if stream in self._streams:
                self.say(stream, symbol, self._rest.depth(market, {"limit": str(count)}))

    def second(self, ts_ns: int) -> None:
        """Pings, bars and statistics."""
        for session in list(self.sessions.values()):
            self._keep_alive(session, ts_ns)
        for stream in [name for name in self._streams if "@kline_" in name]:
            symbol, interval = stream.partition("@kline_")[::2]
            if symbol.upper() in self._named and interval in INTERVALS:
                self._tell_bar(stream, symbol.upper(), interval, ts_ns)

    # What events look like --------------------------------------------------------------------------------------------

    def depth_told(self, symbol: str, market: Market, ids: tuple[int, int], levels: Levels, ts_ns: int) -> dict[str, Any]:
        """A diff; `ids` are the numbers of its first and its last change."""
        return depth_event(symbol, market.listing, ids, levels, ts_ns)

    def trade_told(self, symbol: str, listing: Listing, trade: Trade, ts_ns: int) -> dict[str, Any]:
        """A trade."""
        return trade_event(symbol, listing, trade, ts_ns)

    def aggregate_told(self, symbol: str, listing: Listing, group: list[Trade], ts_ns: int) -> dict[str, Any]:
        """Trades of one taker at one price."""
        return {"e": "aggTrade", "E": Ns(ts_ns), "s": symbol, **aggregate_info(listing, group, "T"), "T": Ns(ts_ns)}

    def touch_told(self, symbol: str, market: Market) -> dict[str, Any]:
        """The best bid and ask."""
        return {"u": market.number, "s": symbol, **touch(market, "b", "B", "a", "A")}

    def _keep_alive(self, session: Session, ts_ns: int) -> None:
        every_ns = self.ping_every_ns
        if ts_ns - session.pong_ns > every_ns + self.pong_within_ns:
            session.end(POLICY, "Pong timeout")
        elif (ts_ns - session.opened_ns) % every_ns < SECOND_NS and ts_ns - session.opened_ns >= every_ns:
            session.ping(str(ts_ns // MS).encode())

    def _tell_bar(self, stream: str, symbol: str, interval: str, ts_ns: int) -> None:
        market, interval_s = self._named[symbol], INTERVALS[interval]
        start_s = ts_ns // SECOND_NS // interval_s * interval_s
        bars = self.histories[market.listing.symbol].series(interval_s, start_s - interval_s, start_s, flat=True)
        for bar in bars:
            closed = bar.start_s < start_s
            if not closed or ts_ns // SECOND_NS == start_s:
                row = kline(market.listing, bar, interval_s)
                names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
                told = dict(zip(names, row, strict=True))
                told |= {"s": symbol, "i": interval, "f": bar.first_id, "L": bar.last_id, "x": closed}
                ordered = {
                    name: told[name]
                    for name in ("t", "T", "s", "i", "f", "L", "o", "c", "h", "l", "v", "n", "x", "q", "V", "Q", "B")
                }
                self.say(stream, symbol, {"e": "kline", "E": Ns(self.stamp(ts_ns)), "s": symbol, "k": ordered})

    def unwilling(self, kind: str, retry_after_s: int) -> Reply:
        """429 with the seconds to wait, or 503."""
        reply = Reply("", 503) if kind == "maintenance" else self._excess(429)
        reply.headers = {"Retry-After": str(retry_after_s)}
        return reply

    def ban(self, seconds: float) -> None:
        """418 until the end of it."""
        self.weights.ban(seconds, self.stage.now_ns)

    def announce(self, what: str) -> None:
        """Sends serverShutdown to every session before the end; the rest is told by REST alone."""
        if what != "end":
            return
        event = {"e": "serverShutdown", "E": self.stamp(self.stage.now_ns) // MS}
        for session in list(self.sessions.values()):
            wrapped = {"stream": "!serverShutdown", "data": event} if session.facts["combined"] else event
            self.emit(session, "status", "", compact(wrapped))


class Ns(int):
    """A time in ns that becomes ms or us on its way out."""


def timed(event: dict[str, Any], unit: int) -> dict[str, Any]:
    """The event with its times in a unit."""
    return {name: int(item) // unit if isinstance(item, Ns) else item for name, item in event.items()}


def sorted_levels(changed: dict[tuple[int, int], int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Changed levels as (price, size), bids from the top down, asks upwards."""
    bids = sorted(((level, there) for (side, level), there in changed.items() if side == BID), reverse=True)
    return bids, sorted((level, there) for (side, level), there in changed.items() if side == ASK)


def depth_event(symbol: str, listing: Listing, ids: tuple[int, int], levels: Levels, ts_ns: int) -> dict[str, Any]:
    """A diff of the book; `ids` are its first and its last change."""
    told = [[[price(listing, level), size(listing, there)] for level, there in side] for side in levels]
    return {"e": "depthUpdate", "E": Ns(ts_ns), "s": symbol, "U": ids[0], "u": ids[1], "b": told[0], "a": told[1]}


def trade_event(symbol: str, listing: Listing, trade: Trade, ts_ns: int) -> dict[str, Any]:
    """One trade."""
    return {
        "e": "trade", "E": Ns(ts_ns), "s": symbol, "t": trade.number, "p": price(listing, trade.price),
        "q": size(listing, trade.size), "T": Ns(ts_ns), "m": not trade.taker_buys, "M": True,
    }  # fmt: skip
