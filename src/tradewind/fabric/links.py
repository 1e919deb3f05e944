"""A link: one WebSocket of a venue and the topics on it. It reads frames, counts them, and hands rows to lanes.

A link that takes over from another one *rehearses* first: books are built beside the ones in use and trades are kept, until
the lanes can go on from it without having lost anything (`ready`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain import reasons as why
from tradewind.domain.rows import Rows
from tradewind.venues.adapter import DEPTH, TRADE, Notice, Reading, Refused, Topic
from tradewind.venues.keepers import BookKeeper, FrameKeeper, Verdict, keeper_of
from tradewind.venues.scanner import Stretch

from .lanes import RESUBSCRIBE, SNAPSHOT, Lane, conflated
from .transport import Arrival, Wire

if TYPE_CHECKING:
    from .feeds import Feed

MAX_REFUSED = 50  # in REFUSED_NS: a connection that sends so much nonsense is let go
REFUSED_NS = 10 * codes.SECOND
LATE_NS = 500 * codes.MILLISECOND  # messages that waited longer are a burst: books are conflated
MAX_REHEARSED = 100_000
MAX_REASONS = 500  # told apart; a venue, or whoever stands between, may invent as many as it likes
MAX_STRETCH = 1 << 19  # bytes read in one go: twice what a socket gives at once, and a message can be left from before
REPEATED = 10_000  # a number so little behind the last one is a frame told twice, not a count begun anew


class FrameCounts(msgspec.Struct):
    """Frames by what they held: rows, only words, nothing that could be read."""

    frames: int = 0
    with_rows: int = 0
    words: int = 0
    refused: int = 0
    repeated: int = 0  # told before, by their number
    rehearsed: int = 0  # of those with rows: on a second connection


class Link:
    """One connection. `lanes` by the adapter's number of their stream."""

    def __init__(self, feed: Feed, wire: Wire, topics: Sequence[Topic], rehearsing: bool) -> None:
        self.feed, self.wire, self.topics, self.rehearsing = feed, wire, list(topics), rehearsing
        self.opened = feed.desk.time.now()
        self.lanes = {feed.lane_of[topic].source: feed.lane_of[topic] for topic in topics}
        self.counts = feed.frame_counts
        self.retire = asyncio.Event()  # the venue said that it will cut, or the link has lived long enough
        self.useful = False  # rows came
        self.retired = False  # another link took over: what still comes here was heard there
        self.last_requests: deque[int] = deque(maxlen=8)
        self._frames = FrameKeeper()
        self._refusals: deque[int] = deque()
        self._requests: dict[int, list[Topic]] = {}
        self._books: dict[int, BookKeeper] = {}
        self._kept: dict[int, list[Rows]] = {}
        self._late: dict[int, list[Rows]] = {}
        self._stretch = getattr(feed.adapter, "stretch", None)  # only adapters with layouts have it
        self.subscribe(self.topics)

    # Requests ---------------------------------------------------------------------------------------------------------------

    def subscribe(self, topics: Sequence[Topic], again: bool = False) -> None:
        """Sends the requests for topics; `again` takes them back first."""
        adapter = self.feed.adapter
        frames = adapter.unsubscribe(topics, self.feed.number(16)) if again else []
        number = self.feed.number(16)
        frames += adapter.subscribe(topics, number)
        for place in range(16):
            self._requests[number + place] = list(topics)
        for frame in frames:
            self.wire.send(frame)
        for topic in topics:
            if not self.rehearsing:
                self.feed.lane_of[topic].subscribed()
        while len(self._requests) > 1024:
            self._requests.pop(next(iter(self._requests)))

    def tick(self) -> None:
        """Subscribes again what its lanes wish so: all of them in one request, twice a second at most."""
        if self.rehearsing:
            return
        wished = [lane.topic for lane in self.lanes.values() if lane.wish == RESUBSCRIBE and not self.feed.rests(lane)]
        for topic in wished:
            self.feed.lane_of[topic].wish = 0
        if wished:
            self.subscribe(wished, again=True)

    # Frames -----------------------------------------------------------------------------------------------------------------

    def hear(self, arrivals: Sequence[Arrival]) -> None:
        """Reads everything that came."""
        if self.retired:
            return
        time, read = self.feed.desk.time, self.feed.adapter.read
        late = time.now() - arrivals[0].at > LATE_NS
        for arrival in arrivals:
            if not late and not self.rehearsing and self._in_stretches(arrival):
                continue
            for message in arrival.messages:
                self._one(read(message, time.stamp(arrival.at)), late)
        if self._late:
            self._conflate()
        self.feed.desk.flush()

    def _in_stretches(self, arrival: Arrival) -> bool:
        """Reads usual frames many at a time; False where that is of no use."""
        (at, messages), read = arrival, self._stretch
        text = b"\n".join(messages)
        if read is None or len(messages) < 2 or len(text) > MAX_STRETCH:
            return False
        time, feed, counts, frames, place, k = self.feed.desk.time, self.feed, self.counts, self._frames, 0, 0
        while k < len(messages):
            first = time.next(at)
            came: Stretch | None = read(text, place, first, frames.sequence)
            if came is not None and len(came.ends):
                taken = len(came.ends)
                if came.next - place != sum(map(len, messages[k : k + taken])) + taken:  # one message is two lines
                    break
                counts.frames += taken
                counts.with_rows += taken - came.empty
                counts.words += came.empty
                frames.sequence += taken if frames.sequence >= 0 else 0
                time.last = first + taken - 1
                if len(came.rows):
                    self._go_on(came)
                k, place = k + taken, came.next
            if k < len(messages):
                self._one(feed.adapter.read(messages[k], time.stamp(at)), False)
                place += len(messages[k]) + 1
                k += 1
        for message in messages[k:]:
            self._one(feed.adapter.read(message, time.stamp(at)), False)
        return True

    def _go_on(self, came: Stretch) -> None:
        """The rows of usual frames: what plainly goes on in one piece, the rest the long way, each in its turn."""
        rows, desk = came.rows, self.feed.desk
        sources = rows["source"]
        plain = at = 0  # in line are the rows before `plain`, judged those before `at`
        for start, stop in [(0, len(rows))] if came.alike else runs(sources):
            lane = self.lanes.get(sources.item(start))
            at = start
            while at < stop:
                at += lane.follow(rows[at:stop]) if lane is not None else 0
                if at == stop:
                    break
                if plain < at:
                    desk.emit(rows[plain:at])
                plain = min(stop, came.ends.item(came.ends.searchsorted(at, "right")))
                times = rows["ts_local"]
                now, last = times.item(at), desk.time.last
                desk.time.last = now
                self._give(sources.item(at), rows[at:plain], False)
                if desk.time.last > now:  # something was told meanwhile: what follows is later
                    later = times[plain:]
                    later[later > now] += desk.time.last - now
                    last += desk.time.last - now
                desk.time.last = last
                at = plain
        self.useful = True
        if plain < len(rows):
            desk.emit(rows[plain:])

    def _one(self, reading: Reading, late: bool) -> None:
        counts = self.counts
        counts.frames += 1
        if reading.sequence >= 0:
            if 0 <= self._frames.sequence - reading.sequence < REPEATED:
                counts.repeated += 1
                return
            if not self._frames.frame(reading.sequence):
                self._hole()
        rows = reading.rows
        if len(rows):
            counts.with_rows += 1
            sources = rows["source"]
            first = sources.item(0)
            if len(rows) == 1 or (sources.item(-1) == first and (sources == first).all()):
                self._give(first, rows, late)
            else:
                for start, stop in runs(sources):
                    self._give(sources.item(start), rows[start:stop], late)
        elif reading.refused:
            counts.refused += 1
        else:
            counts.words += 1
        for notice in reading.notices:
            self._notice(notice)
        for refused in reading.refused:
            self._refuse(refused)

    def _give(self, source: int, rows: Rows, late: bool) -> None:
        lane = self.lanes.get(source)
        if lane is None:
            self.feed.strangers += 1
            return
        if self.rehearsing:
            self.counts.rehearsed += 1
            self._rehearse(lane, rows)
            return
        self.useful = True
        if (
            late
            and lane.topic.channel == DEPTH
            and not rows["marks"].item(0) & codes.SNAPSHOT
            and lane.state.condition == codes.SYNCED
        ):
            self._late.setdefault(source, []).append(rows)
        else:
            if self._late and source in self._late:
                self._conflate()
            lane.take(rows)

    def _conflate(self) -> None:
        """Books of a burst: each stream's changes as one message, its last word for every level."""
        late, self._late = self._late, {}
        for source, parts in late.items():
            lane = self.lanes[source]
            for run in chained(parts):
                if len(run) > 1:
                    lane.counts.received += len(run) - 1
                    lane.counts.conflated += len(run) - 1
                lane.take(conflated(run) if len(run) > 1 else run[0])

    def _hole(self) -> None:
        """Frames of this connection are missing: whose, nobody can say, so no book of it stands."""
        for source, lane in self.lanes.items():
            if lane.topic.channel != DEPTH:
                continue
            if self.rehearsing:
                self._books.pop(source, None)
            elif lane.state.condition == codes.SYNCED:
                lane.lost(why.IDS_SKIPPED)

    def _notice(self, notice: Notice) -> None:
        self.feed.notices[notice.code] = self.feed.notices.get(notice.code, 0) + 1
        if notice.code == "shutdown":
            self.retire.set()
        elif notice.code == "refused":
            topics = [notice.topic] if notice.topic is not None else self._requests.get(notice.number, [])
            self.feed.note_text(f"the venue refused a request: {notice.text}")
            for topic in topics:
                if not self.rehearsing:
                    self.feed.lane_of[topic].tell(why.VENUE_REFUSED)

    def _doubt(self, refused: Refused) -> None:
        """Books that went with a refused frame. Where it does not say whose it was: all whose proof need not show the loss."""
        if self._late:
            self._conflate()
        counted = getattr(self.feed.adapter, "counted", False)  # then any next frame shows it, and `_hole` acts
        for source, lane in self.lanes.items():
            if not isinstance(lane.keeper, BookKeeper):
                continue
            if lane.topic not in refused.topics if refused.topics is not None else counted or lane.keeper.chained:
                continue
            if self.rehearsing:
                self._books.pop(source, None)
            else:
                lane.unheard()

    def _refuse(self, refused: Refused) -> None:
        self._doubt(refused)
        refusals = self.feed.refusals
        reason = refused.reason if refused.reason in refusals or len(refusals) < MAX_REASONS else "others"
        refusals[reason] = refusals.get(reason, 0) + 1
        if reason not in self.feed.first_refusals:
            self.feed.first_refusals[reason] = refused.text.decode("utf-8", "backslashreplace")
        now = self.feed.desk.time.now()
        self._refusals.append(now)
        while self._refusals[0] < now - REFUSED_NS:
            self._refusals.popleft()
        if len(self._refusals) > MAX_REFUSED:
            self.feed.note_text("the connection sent too much that cannot be read")
            self.wire.abort()

    # Taking over --------------------------------------------------------------------------------------------------------------

    def _rehearse(self, lane: Lane, rows: Rows) -> None:
        kept = self._kept.setdefault(lane.source, [])
        if lane.topic.channel == DEPTH and isinstance(lane.keeper, BookKeeper):
            if lane.keeper.by_request:
                kept.append(rows)
                return
            book = self._books.get(lane.source)
            if book is None:
                made = keeper_of(self.feed.adapter, lane.topic)
                if not isinstance(made, BookKeeper):
                    return
                book = self._books[lane.source] = made
            if book.take(rows)[0] == Verdict.GAP:
                self.feed.note_text("a book broke while it was rehearsed")
        elif lane.topic.channel == TRADE and len(kept) < MAX_REHEARSED:
            kept.append(rows)

    @property
    def ready(self) -> bool:
        """Whether every lane can go on from this link without losing a message."""
        return all(self._continues(source, lane) for source, lane in self.lanes.items() if lane.topic.channel == DEPTH)

    def _continues(self, source: int, lane: Lane) -> bool:
        if not isinstance(lane.keeper, BookKeeper) or lane.state.condition != codes.SYNCED:
            return True
        if lane.keeper.by_request:
            kept = self._kept.get(source)
            return kept is not None and len(kept) > 0 and int(kept[0]["value"][0]) <= lane.keeper.book.last_id
        book = self._books.get(source)
        return book is not None and book.synced

    def take_over(self, former: Link) -> None:
        """The lanes go on from this link, now."""
        self.rehearsing, former.retired = False, True
        for source, lane in self.lanes.items():
            book = self._books.get(source)
            if book is not None and book.synced:
                lane.replaced(book)
            for rows in self._kept.get(source, ()):
                rows["ts_local"] = self.feed.desk.stamp()
                lane.take(rows)
            if lane.state.condition != codes.SYNCED and isinstance(lane.keeper, BookKeeper):
                lane.wish = SNAPSHOT if lane.keeper.by_request else RESUBSCRIBE
        self._kept.clear()
        self._books.clear()
        self.feed.desk.flush()


def _is_change(rows: Rows) -> bool:
    return not rows["marks"].item(0) & codes.SNAPSHOT


def runs(sources: Rows) -> list[tuple[int, int]]:
    """(start, stop) of stretches of one stream."""
    cuts = (np.flatnonzero(np.diff(sources)) + 1).tolist()
    return list(zip([0, *cuts], [*cuts, len(sources)], strict=True))


def chained(parts: list[Rows]) -> list[list[Rows]]:
    """Stretches of depth messages of which each continues the one before, where they carry the former id at all."""
    found: list[list[Rows]] = []
    for rows in parts:
        before = found[-1][-1] if found else None
        follows = before is not None and (rows["value"].item(0) == before["ref"].item(-1) or not rows["value"].item(0))
        if follows or (before is not None and len(rows) == 1):
            found[-1].append(rows)
        else:
            found.append([rows])
    return found
