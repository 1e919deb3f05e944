"""Faults that do something when they begin or end, and the director who turns all faults on and off in venue time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from tradewind.domain.errors import BadUse

from .clock import SECOND_NS
from .faults import Running
from .flow import Bend, Crowd, Flow, Happening
from .replay import Source
from .script import Fault
from .stage import Stage
from .venue import GOING_AWAY, Session, Venue

NEEDS_FLOW = ("burst", "drift", "stuck", "shock")
ONCE = ("drop", "corrupt", "huge", "drip", "reorder", "bad_tick")  # a count of 1 where none is given


class Director:
    """Plays a script of faults."""

    def __init__(self, stage: Stage, venues: Mapping[str, Venue]) -> None:
        self.stage, self.venues = stage, venues
        self._made = 0

    def add(self, faults: Sequence[Fault]) -> list[int]:
        """Puts faults on the line of time, from now on; gives their numbers."""
        numbers = []
        for fault in faults:
            if fault.kind in NEEDS_FLOW and not isinstance(self.stage.flow, Flow):
                raise BadUse(
                    f"{fault.kind} bends a flow, and this is a recording", where="faults", expected="a kind that needs no flow",
                    todo="leave it out, or leave the recording out",
                )  # fmt: skip
            self._made += 1
            number = self._made
            numbers.append(number)
            if fault.count is None and fault.kind in ONCE:
                fault = msgspec.structs.replace(fault, count=1)
            begin_ns = self.stage.now_ns + round(fault.at_s * SECOND_NS)
            if fault.at_s > 0:
                self.stage.at(begin_ns, partial(self._begin, number, fault))
            else:
                self._begin(number, fault, self.stage.now_ns)
        return numbers

    def clear(self, number: int) -> None:
        """Ends a fault before its time."""
        for venue in self.venues.values():
            running = venue.faults.finish(number)
            if running is not None:
                _end(venue, self.stage.flow, running)

    def active(self) -> list[dict[str, Any]]:
        """What is on: number, fault, how often it fired."""
        return [
            {"number": number, "fired": running.fired, **msgspec.to_builtins(running.fault)}
            for venue in self.venues.values()
            for number, running in venue.faults.running.items()
        ]

    def _begin(self, number: int, fault: Fault, ts_ns: int) -> None:
        venues = [self.venues[fault.venue]] if fault.venue in self.venues else list(self.venues.values())
        if fault.kind == "shock":
            over_ns = round(float(fault.param("over_s")) * SECOND_NS)
            if not isinstance(self.stage.flow, Flow):
                return
            self.stage.flow.assets.shock(str(fault.param("asset")), float(fault.param("share")), over_ns)
            return
        for venue in venues:
            running = venue.faults.begin(number, fault, ts_ns)
            _start(venue, self.stage, running)
        if fault.for_s is not None:
            self.stage.at(ts_ns + round(fault.for_s * SECOND_NS), lambda _: self.clear(number))


def _crowds(venue: Venue, flow: Source, fault: Fault) -> list[Crowd]:
    return [flow.crowds[venue.name, symbol] for symbol in venue.markets if fault.symbol in ("", symbol)]


def _start(venue: Venue, stage: Stage, running: Running) -> None:
    fault = running.fault
    match fault.kind:
        case "hole":
            for session in venue.sessions.values():
                session.holed = True
                venue.faults.use(running)
        case "disconnect":
            _next_disconnect(venue, stage, running)
        case "cut":
            venue.announce("end")
            due_ns = stage.now_ns + round(float(fault.param("grace_s")) * SECOND_NS)
            doomed = list(venue.sessions.values())
            venue.faults.use(running)
            stage.at(due_ns, lambda _: _end_all(doomed))
        case "ban":
            venue.ban(fault.for_s or 120.0)
        case "maintenance":
            venue.announce("maintenance")
            _each_status(venue, "halted")
        case "rules":
            _change_rules(venue, running)
        case "burst" | "drift" | "stuck":
            for crowd in _crowds(venue, stage.flow, fault):
                _bend(crowd, fault, stage.now_ns)
            venue.faults.use(running)
        case "bad_tick":
            _print_bad(venue, stage, running)
        case _:
            return


def _end(venue: Venue, flow: Source, running: Running) -> None:
    """Makes good what ends with a fault. Rules stay changed; a holed connection stays dead."""
    match running.fault.kind:
        case "burst" | "drift" | "stuck":
            for crowd in _crowds(venue, flow, running.fault):
                crowd.haste, crowd.bend = 1.0, Bend()
        case "maintenance":
            _each_status(venue, "online")
            venue.announce("online")
        case _:
            return


def _end_all(sessions: list[Session]) -> None:
    for session in sessions:
        session.end(GOING_AWAY, "")


def _bend(crowd: Crowd, fault: Fault, now_ns: int) -> None:
    if fault.kind == "burst":
        crowd.haste = float(fault.param("factor"))
    elif fault.kind == "drift":
        crowd.bend = Bend(now_ns, float(fault.param("per_second")))
    else:
        crowd.bend = Bend(now_ns, 0.0, frozen=True)


def _each_status(venue: Venue, status: str) -> None:
    for market in venue.markets.values():
        market.listing = msgspec.structs.replace(market.listing, status=status)


def _change_rules(venue: Venue, running: Running) -> None:
    fault = running.fault
    told = {name: fault.param(name) for name in ("status", "tick", "min_size") if fault.param(name)}
    for symbol, market in venue.markets.items():
        if fault.symbol in ("", symbol):
            market.listing = msgspec.structs.replace(market.listing, **told)
    venue.faults.use(running)
    venue.announce("rules")


def _next_disconnect(venue: Venue, stage: Stage, running: Running) -> None:
    """Cuts a session drawn by lot, then waits for the next moment."""
    chance = venue.faults.chance
    wait_ns = round(chance.expovariate(float(running.fault.param("per_minute")) / 60) * SECOND_NS)

    def cut(_: int) -> None:
        if running.number not in venue.faults.running:
            return
        if venue.sessions:
            chosen = chance.choice(list(venue.sessions.values()))
            venue.faults.use(running)
            chosen.drop()
        _next_disconnect(venue, stage, running)

    stage.at(stage.now_ns + wait_ns, cut)


def _print_bad(venue: Venue, stage: Stage, running: Running) -> None:
    for symbol, market in venue.markets.items():
        if running.fault.symbol in ("", symbol) and market.trades:
            last = market.trades[-1]
            price = max(1, round(last.price * float(running.fault.param("times"))))
            trade = market.trade(stage.now_ns // 1_000 * 1_000, price, last.size, taker_buys=last.taker_buys, bad=True)
            venue.hear_of(Happening(market, trade.ts_ns, [], [trade]))
    venue.faults.use(running)
