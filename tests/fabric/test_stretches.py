"""Frames read many at a time give what they give one by one: rows to the byte, counters, conditions, wishes."""

from __future__ import annotations

import random
import re
from functools import cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.rows import Rows, rows
from tradewind.fabric.assembly import budget_of
from tradewind.fabric.clock import JournalTime
from tradewind.fabric.desk import Desk
from tradewind.fabric.feeds import Feed, Outside, Place, Wanted
from tradewind.fabric.lanes import HISTORY, NOTHING, SNAPSHOT
from tradewind.fabric.links import Link
from tradewind.fabric.transport import Arrival
from tradewind.venues.adapter import DEPTH, Answer, Topic
from tradewind.venues.emulators.flow import Pace
from tradewind.venues.scanner import Scanner

from .inproc import ADAPTERS, Heard, Play
from .scenes import VENUES
from .virtual import run

CHANNELS = ("depth", "quote", "trade")
SLICE_S, SLICES = 0.25, 48


class Slice(NamedTuple):
    """What came in one moment, and what the venue would answer then."""

    at: int
    frames: list[bytes]
    books: dict[Topic, Answer]


class StandingClock:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        self.at = 1

    def wall_ns(self) -> int:
        return self.at

    def mono_ns(self) -> int:
        return self.at


class Mute:
    """A wire nobody listens to."""

    def send(self, message: bytes) -> None:
        """Nothing."""

    def abort(self) -> None:
        """Nothing."""


@cache
def captured(name: str) -> tuple[list[Slice], Any]:
    """A few seconds of a venue, and its instruments."""

    async def go(clock: Any) -> tuple[list[Slice], Any]:
        async with Play(clock, (name,), pace=Pace(orders_per_s=40.0, levels=30)) as play:
            frames: list[bytes] = []

            def keep(data: bytes) -> list[bytes]:
                frames.append(data)
                return [data]

            play.theatre.hook = keep
            adapter, found = play.feed(name).adapter, []
            books: dict[Topic, Answer] = {}
            for number in range(SLICES):
                await play.run(SLICE_S)
                for at in range(0 if number % 12 else len(adapter.instruments)):  # the venue bans who asks more often
                    ask = adapter.ask_snapshot(Topic(DEPTH, at))
                    if ask is not None:
                        body = play.theatre.venues[name].answer(ask.path, dict(ask.query)).body.encode()
                        books[Topic(DEPTH, at)] = Answer(status=200, headers={}, body=body, sent_ns=0, received_ns=0)
                found.append(Slice(play.theatre.time.now(), frames.copy(), dict(books)))
                frames.clear()
            return found, adapter.instruments

    made: tuple[list[Slice], Any] = run(go)
    return made


def spoilt(slices: list[Slice], seed: int) -> list[list[bytes]]:
    """The frames with what goes wrong on a wire; the worst, a lost frame, is rare and never first."""
    chance, found = random.Random(seed), []
    for number, one in enumerate(slices):
        frames: list[bytes] = []
        for frame in one.frames:
            dice = chance.random() if seed and number > 2 else 1.0
            if dice < 0.002 * seed:
                continue
            frames.append(frame)
            if dice < 0.02:
                frames.append(frame)
            elif dice < 0.03:
                frames.append(
                    chance.choice([b"", b"{}", b"nonsense", frame + b"\n" + frame, frame[:-1], frame.replace(b":", b": ")])
                )
            elif dice < 0.04 and len(frames) > 1:
                frames[-2:] = reversed(frames[-2:])
        found.append(frames)
    return found


def played(name: str, seed: int, most: int) -> tuple[Rows, Any]:
    """All rows, and how the feed stands at the end, where at most so many frames come in one piece."""
    return fed(name, spoilt(captured(name)[0], seed), most)


def fed(name: str, parts: list[list[bytes]], most: int) -> tuple[Rows, Any]:
    """The same of any frames, a slice a part."""
    slices, instruments = captured(name)
    clock, heard = StandingClock(), Heard()
    time = JournalTime(clock)
    adapter = ADAPTERS[name]()
    adapter.adopt(instruments)
    desk = Desk(time, heard, len(adapter.streams), (3, 2))
    outside: Any = Outside(Mute(), time, random.Random(1))  # type: ignore[arg-type]
    feed = Feed(Wanted(adapter, Place("", ""), [], CHANNELS), outside, budget_of(adapter, time), desk)
    link = Link(feed, Mute(), [lane.topic for lane in feed.lanes], False)  # type: ignore[arg-type]
    for one, frames in zip(slices, parts, strict=False):
        at, clock.at = one.at, one.at + 1_000_000
        link.hear([Arrival(at, frames[start : start + most]) for start in range(0, len(frames), most)] or [Arrival(at, [])])
        for lane in feed.lanes:
            wish, lane.wish = lane.wish, NOTHING
            if wish == SNAPSHOT and not lane.joined(adapter.read_snapshot(lane.topic, one.books[lane.topic])):
                lane.wish = SNAPSHOT
            elif wish == HISTORY:
                lane.filled(rows(0), complete=False)
        desk.flush()
    lanes = [(msgspec.to_builtins(lane.tally()), lane.state.condition, lane.held, lane.last_ts, lane.heard) for lane in feed.lanes]
    return heard.rows, (lanes, msgspec.to_builtins(feed.frame_counts), feed.refusals, time.last)


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_many_at_a_time_is_one_by_one(name: str, seed: int) -> None:
    """Also where frames are missing, told twice, in another order, or are no frames at all."""
    rows_of_one, end_of_one = played(name, seed, 1)
    for most in (3, 1000):
        rows_of_many, end_of_many = played(name, seed, most)
        assert end_of_many == end_of_one
        assert rows_of_many.tobytes() == rows_of_one.tobytes()
    assert len(rows_of_one) > 1000
    assert (end_of_one[1]["refused"] > 0) == (seed > 0)


def test_most_frames_are_read_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above proves nothing."""
    taken, stretch = [0], Scanner.stretch

    def counted(*asked: Any) -> Any:
        came = stretch(*asked)
        taken[0] += len(came.ends)
        return came

    monkeypatch.setattr(Scanner, "stretch", counted)
    for name in VENUES:
        taken[0] = 0
        _, (_, frames, _, _) = played(name, 0, 1000)
        assert taken[0] > 0.8 * frames["with_rows"], name


def test_a_checksum_that_fails_within_a_stretch_ends_the_book_there() -> None:
    """What came before it is told, it is not, and the condition says why."""
    slices, _ = captured("kraken")
    book = [frame for one in slices for frame in one.frames if b'"channel":"book"' in frame and b'"symbol":"BTC/USD"' in frame]
    snapshot = next(frame for frame in book if b'"type":"snapshot"' in frame)
    changes = [frame for frame in book if b'"type":"update"' in frame][:9]
    changes[4] = re.sub(rb'"checksum":[0-9]+', b'"checksum":7', changes[4])
    told, (lanes, *_) = fed("kraken", [[snapshot], changes], 1000)
    assert np.count_nonzero((told["kind"] == codes.DEPTH) & (told["marks"] & codes.LAST > 0)) == 1 + 4
    assert lanes[0][1] == codes.INVALID
    assert told["kind"][-1] == codes.STREAM
    assert lanes[0][0]["rejected"] == 5
