"""Keepers stand between an adapter and everything behind it: each judges the messages of one stream by its venue's own proof.

    keeper = keeper_of(adapter, topic)
    verdict, rows = keeper.take(reading.rows)       # what came over the socket
    verdict, rows = keeper.snapshot(rows)           # what a snapshot request brought

PASS: `rows` go on. HOLD: kept until a snapshot comes. DROP: known already. GAP: something is missing; where a book is
concerned it is lost until the next snapshot and `rows` is empty, a trade stream's rows go on and `missing` names the ids.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import Protocol

import numpy as np

from tradewind.domain import codes
from tradewind.domain.rows import Rows
from tradewind.venues import rimbook
from tradewind.venues.adapter import DEPTH, QUOTE, TRADE, MarketAdapter, Topic
from tradewind.venues.base import NO_ROWS
from tradewind.venues.rimbook import RimBook

NEVER_OLD = rimbook.NOWHERE  # below every id: nobody looks at their order
TRADE_KEY = ("ref", "ts_venue", "price", "quantity", "side")
MAX_SEEN = 50_000  # trades known again by a SeenKeeper
RENUMBERED_NS = 100 * codes.MILLISECOND  # a lower id this much after the last trade: told again, it keeps its time
MAX_HELD = 4_096  # messages kept for a snapshot: over six minutes at 100 ms


class Verdict(IntEnum):
    """What becomes of a message."""

    PASS = rimbook.PASS
    HOLD = rimbook.HOLD
    DROP = rimbook.DROP
    GAP = rimbook.GAP


PASS, PASSED = Verdict.PASS, rimbook.PASS


class Keeper(Protocol):
    """One stream's judge."""

    synced: bool

    def take(self, rows: Rows) -> tuple[Verdict, Rows]:
        """Judge what one frame brought of this stream: whole messages."""

    def follow(self, rows: Rows) -> tuple[int, int]:
        """Judge messages of several frames up to the first that does not plainly go on: (rows, messages) that do."""

    def snapshot(self, rows: Rows) -> tuple[Verdict, Rows]:
        """Judge a snapshot; PASS gives it with all that was held and follows it. GAP: it is too old, ask for another."""

    def lose(self) -> None:
        """The connection went, or frames of it were missed: nothing is known until it is joined anew."""


class BookKeeper:
    """A depth stream by the proof of its instrument: chained ids, a checksum, or the count of its connection's frames.

    `by_request` says that snapshots are asked for (Binance); else they come with the stream, and what comes before is of no use.
    """

    def __init__(self, proof: int, kept: int = 0, by_request: bool = False) -> None:
        self.book = RimBook(proof, kept)
        self.by_request = by_request
        self.gaps = self.dropped = self.snapshots = self.checksum_failures = self.forgotten = 0
        self._held: deque[Rows] = deque()
        self._deepest = [rimbook.NOWHERE, rimbook.NOWHERE]  # keys of the last snapshot
        self._take, self._state = rimbook.judge, self.book.state
        self._levels = self.book.levels

    @property
    def synced(self) -> bool:
        """Whether the book equals the venue's, as far as its proof can tell."""
        return self.book.synced

    @property
    def held(self) -> int:
        """Messages that wait for a snapshot."""
        return len(self._held)

    @property
    def chained(self) -> bool:
        """Whether its next message shows that one was left out, whatever level that changed. A checksum covers the best ten."""
        return int(self._state[rimbook.S_PROOF]) == codes.PROOF_CHAIN

    def take(self, rows: Rows) -> tuple[Verdict, Rows]:
        """PASS for what follows. A frame with several messages is judged as one: the first that fails decides."""
        code = self._take(rows, self._state, self._levels)
        if code == PASSED:
            return PASS, rows
        return self._unusual(code, rows)

    def follow(self, rows: Rows) -> tuple[int, int]:
        """(rows, messages) that plainly follow, put into the book."""
        found: tuple[int, int] = rimbook.follow(rows, self._state, self._levels)
        return found

    def _unusual(self, code: int, rows: Rows) -> tuple[Verdict, Rows]:
        if code == rimbook.ANEW:
            return PASS, self._rejoined(rows)
        if code == rimbook.UNWHOLE:
            return self._several(rows)
        if code == rimbook.GAP:
            self.gaps += 1
            self.checksum_failures += int(self._state[rimbook.S_PROOF] == codes.PROOF_CRC32)
        if code == rimbook.DROP or (code == rimbook.HOLD and not self.by_request):
            self.dropped += 1
            return Verdict.DROP, NO_ROWS
        if self.by_request:
            self._hold(rows)
        return Verdict(code), NO_ROWS

    def _several(self, rows: Rows) -> tuple[Verdict, Rows]:
        """Message by message; rows that are no whole messages are a gap."""
        ends = np.flatnonzero(rows["marks"] & codes.LAST) + 1
        if len(ends) < 2 or ends[-1] != len(rows):
            self.gaps += 1
            self.lose()
            return Verdict.GAP, NO_ROWS
        passed, worst = list[Rows](), Verdict.DROP
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            verdict, part = self.take(rows[start:end])
            passed += [part] if len(part) else []
            if verdict == Verdict.GAP:
                return verdict, NO_ROWS
            worst = Verdict.PASS if Verdict.PASS in (verdict, worst) else verdict
        return worst, np.concatenate(passed) if passed else NO_ROWS

    def _rejoined(self, rows: Rows) -> Rows:
        self.snapshots += 1
        if self.snapshots > 1:
            rows["marks"][0] |= codes.RESYNC
        for side, sign in ((codes.BUY, 1), (codes.SELL, -1)):
            keys = rows["price"][rows["side"] == side] * sign
            self._deepest[side] = int(keys.min()) if len(keys) else rimbook.NOWHERE
        return rows

    def reach(self, side: int) -> int:
        """The key from which on the book is complete: below it a snapshot said nothing, or a level was forgotten."""
        kept = int(self._state[rimbook.S_KEPT])
        return max(self.book.horizon(side), rimbook.NOWHERE if kept else self._deepest[side])

    def _hold(self, rows: Rows) -> None:
        if len(self._held) == MAX_HELD:
            self._held.popleft()
            self.forgotten += 1
        self._held.append(rows.copy())

    def snapshot(self, rows: Rows) -> tuple[Verdict, Rows]:
        """The book from here on; held messages it contains are dropped, those that follow pass at its time."""
        if not len(rows):
            return Verdict.GAP, NO_ROWS
        last, chained = int(rows["ref"][0]), self._state[rimbook.S_PROOF] == codes.PROOF_CHAIN
        if chained and self.synced and last < self.book.last_id:
            self.dropped += 1
            return Verdict.DROP, NO_ROWS
        while self._held and chained and int(self._held[0]["ref"][0]) <= last:
            self._held.popleft()
            self.dropped += 1
        if chained and self._held and int(self._held[0]["value"][0]) > last:
            return Verdict.GAP, NO_ROWS  # older than all that is held: what lies between is nowhere
        if self.book.take(rows) != rimbook.ANEW:
            return Verdict.GAP, NO_ROWS
        pieces, ts_local = [self._rejoined(rows)], int(rows["ts_local"][-1])
        held, self._held = self._held, deque()
        for message in held:
            message["ts_local"] = np.maximum(message["ts_local"], ts_local)
            verdict, part = self.take(message)
            pieces += [part] if verdict == Verdict.PASS else []
        return (Verdict.PASS if self.synced else Verdict.GAP), np.concatenate(pieces) if self.synced else NO_ROWS

    def lose(self) -> None:
        """Until the next snapshot; what is held for it is of the old connection and goes."""
        self.book.lose()
        self.forgotten += len(self._held)
        self._held.clear()


class TradeKeeper:
    """Trades by their ids, which every one of the three venues counts without holes per instrument."""

    def __init__(self) -> None:
        self.last_id = -1
        self.anew_ts = -1  # up to when the count before this one went: its trades may still be told again, under higher ids
        self.missing: tuple[int, int] | None = None  # first and last id that never came, of the latest GAP
        self.gaps = self.dropped = 0
        self.synced = True

    def take(self, rows: Rows) -> tuple[Verdict, Rows]:
        """Ids told before are dropped; where some were left out, GAP with the rows and `missing` set."""
        ids = rows["ref"]
        if len(ids) == 1:
            trade_id = ids.item()
            if trade_id != self.last_id + 1:
                return self._one(trade_id, rows)
            self.last_id = trade_id
            return PASS, rows
        n = len(rows)
        if self.anew_ts >= 0:
            rows = rows[rows["ts_venue"] > self.anew_ts]
            ids = rows["ref"]
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        fresh = (ids > self.last_id) & np.append(True, ids[1:] != ids[:-1])
        if not fresh.any():
            self.dropped += n
            return Verdict.DROP, NO_ROWS
        passed, ids = rows[order[fresh]], ids[fresh]
        self.dropped += n - len(passed)
        before = np.append(self.last_id, ids[:-1]) if self.last_id >= 0 else np.append(ids[0] - 1, ids[:-1])
        holes = np.flatnonzero(ids != before + 1)
        self.last_id = int(ids[-1])
        if not len(holes):
            return Verdict.PASS, passed
        return self._gap(int(before[holes[0]]) + 1, int(ids[holes[-1]]) - 1, passed)

    def follow(self, rows: Rows) -> tuple[int, int]:
        """(rows, messages) with the ids that are next."""
        n: int = rimbook.consecutive(rows, self.last_id) if self.last_id >= 0 else 0
        self.last_id += n
        return n, n

    def _one(self, trade_id: int, rows: Rows) -> tuple[Verdict, Rows]:
        if trade_id <= self.last_id or rows["ts_venue"].item() <= self.anew_ts:
            self.dropped += 1
            return Verdict.DROP, NO_ROWS
        last, self.last_id = self.last_id, trade_id
        if last < 0:
            return Verdict.PASS, rows
        return self._gap(last + 1, trade_id - 1, rows)

    def begins_anew(self, rows: Rows, last_ts: int) -> bool:
        """Whether the venue counts from the beginning again: ids told before, by trades after `last_ts`. Then it forgets its count.

        What is told twice, late or by a history carries its own old time; how many trades lie before the new count nobody knows.
        """
        lower = rows["ref"] <= self.last_id
        if not lower.any() or int(rows["ts_venue"][lower].max()) <= last_ts + RENUMBERED_NS:
            return False
        self.last_id, self.missing, self.anew_ts = -1, None, last_ts
        self.gaps += 1
        return True

    def _gap(self, first: int, last: int, rows: Rows) -> tuple[Verdict, Rows]:
        self.gaps += 1
        self.missing = (first, last)
        return Verdict.GAP, rows

    def snapshot(self, rows: Rows) -> tuple[Verdict, Rows]:
        """Trades that were asked for: those not told yet, of the missing ones too. They say nothing of what follows."""
        first = self.missing[0] if self.missing else self.last_id + 1
        wanted = (rows["ref"] >= first) & ((rows["ref"] <= self.missing[1]) if self.missing else (rows["ref"] > self.last_id))
        passed = rows[wanted & (rows["ts_venue"] > self.anew_ts)] if self.anew_ts >= 0 else rows[wanted]
        if self.missing and len(passed) == self.missing[1] - self.missing[0] + 1:
            self.missing = None
        elif not self.missing and len(passed):
            self.last_id = int(passed["ref"].max())
        return (Verdict.PASS if len(passed) else Verdict.DROP), passed

    def lose(self) -> None:
        """The last id stays: the next one shows how much was missed."""


class SeenKeeper:
    """Trades of a venue whose ids do not count: what was told before is dropped; what is missing nobody can say.

    A trade without a number (ref 0) is known again only by all that it says, and only where a history repeats it.
    """

    def __init__(self) -> None:
        self.synced, self.dropped = True, 0
        self._seen: dict[tuple[int, ...], None] = {}

    def take(self, rows: Rows) -> tuple[Verdict, Rows]:
        """PASS with what is new, DROP where nothing is."""
        return self._fresh(rows, unnumbered=True)

    def follow(self, rows: Rows) -> tuple[int, int]:
        """None: each is looked at."""
        return 0, 0

    def snapshot(self, rows: Rows) -> tuple[Verdict, Rows]:
        """The same for what was asked for."""
        return self._fresh(rows, unnumbered=False)

    def _fresh(self, rows: Rows, *, unnumbered: bool) -> tuple[Verdict, Rows]:
        kept = []
        for at, key in enumerate(zip(*(rows[name].tolist() for name in TRADE_KEY), strict=True)):
            known = key[:1] if key[0] else key
            if known not in self._seen or (unnumbered and not key[0]):
                kept.append(at)
                self._seen[known] = None
        while len(self._seen) > MAX_SEEN:
            self._seen.pop(next(iter(self._seen)))
        self.dropped += len(rows) - len(kept)
        return (Verdict.PASS, rows[kept]) if kept else (Verdict.DROP, NO_ROWS)

    def lose(self) -> None:
        """What was told stays told."""


class OrderedKeeper:
    """Best quotes and whatever else only may not go backwards: what carries an older id than the last is dropped."""

    def __init__(self, ordered: bool) -> None:
        self.ordered, self.synced = ordered, True
        self.last_id, self.dropped = -1, 0

    def take(self, rows: Rows) -> tuple[Verdict, Rows]:
        """PASS, or DROP for what is old."""
        if self.ordered:
            ref = rows["ref"].item(-1)
            if ref < self.last_id:
                self.dropped += 1
                return Verdict.DROP, NO_ROWS
            self.last_id = ref
        return PASS, rows

    def follow(self, rows: Rows) -> tuple[int, int]:
        """(rows, messages) none of which is old."""
        n, messages = rimbook.ordered(rows, self.last_id if self.ordered else NEVER_OLD)
        if n and self.ordered:
            self.last_id = rows["ref"].item(n - 1)
        return n, messages

    def snapshot(self, rows: Rows) -> tuple[Verdict, Rows]:
        """The same."""
        return self.take(rows)

    def lose(self) -> None:
        """Ids may begin anew."""
        self.last_id = -1


class FrameKeeper:
    """One connection's count of frames (Coinbase: `sequence_num`) and of heartbeats. A hole concerns all its streams."""

    def __init__(self) -> None:
        self.sequence = self.heartbeat = -1
        self.missed = 0

    def frame(self, sequence: int) -> bool:
        """Whether no frame is missing before this one; a number told before counts as missing too."""
        whole = self.sequence < 0 or sequence == self.sequence + 1
        self.missed += not whole
        self.sequence = sequence
        return whole

    def beat(self, counter: int) -> bool:
        """Whether no heartbeat is missing before this one."""
        whole = self.heartbeat < 0 or counter == self.heartbeat + 1
        self.missed += not whole
        self.heartbeat = counter
        return whole


def keeper_of(adapter: MarketAdapter, topic: Topic) -> BookKeeper | TradeKeeper | SeenKeeper | OrderedKeeper:
    """The keeper a topic's stream needs."""
    made = adapter.instruments[topic.instrument]
    if topic.channel == DEPTH:
        kept = int(getattr(adapter, "depth", 0)) if made.proof == codes.PROOF_CRC32 else 0
        return BookKeeper(made.proof, kept, by_request=adapter.ask_snapshot(topic) is not None)
    if topic.channel == TRADE:
        return TradeKeeper() if getattr(adapter, "counts_trades", True) else SeenKeeper()
    return OrderedKeeper(ordered=topic.channel == QUOTE and made.proof == codes.PROOF_CHAIN)
