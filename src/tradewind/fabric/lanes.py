"""A lane: one stream of one venue, from what an adapter read to what goes on the tape.

Its keeper judges continuity, its state says what readers may believe, its counters add up: received = processed + conflated +
rejected + duplicates + held, at any moment. A lane awaits nothing; what it needs from the network it notes as a wish.
"""

from __future__ import annotations

import zlib

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain import reasons as why
from tradewind.domain.rows import Rows, rows
from tradewind.venues.adapter import BAR, DEPTH, TRADE, Topic
from tradewind.venues.keepers import BookKeeper, OrderedKeeper, SeenKeeper, TradeKeeper, Verdict
from tradewind.venues.rimbook import RimBook

from .desk import Desk, Row, one
from .streams import StreamState, Transition

NOTHING, SNAPSHOT, RESUBSCRIBE, HISTORY = range(4)  # wishes, the later the more urgent
CROSSED_NS = codes.SECOND  # venues show crossed books for moments
MAX_WAITING = 100_000  # messages held for a history; beyond, the gap is accepted


class Counts(msgspec.Struct):
    """Messages by what became of them."""

    received: int = 0
    processed: int = 0
    conflated: int = 0
    rejected: int = 0
    duplicates: int = 0


class Lane:
    """One stream. `source` and `instrument` are the adapter's numbers."""

    def __init__(
        self, topic: Topic, source: int, keeper: BookKeeper | TradeKeeper | SeenKeeper | OrderedKeeper, desk: Desk
    ) -> None:
        self.topic, self.source, self.keeper, self.desk = topic, source, keeper, desk
        now = desk.time.now()
        self.state = StreamState(source, now)
        self.counts = Counts()
        self.wish = NOTHING
        self.heard = self.asked = now  # journal times of the last data and of the last subscription
        self.proven = False  # data came since it was subscribed
        self.failures: list[int] = []  # times of broken proofs and vain subscriptions
        self.polled = self.filling = False
        self.anew = False  # trades are counted anew: what is told next begins the new count
        self.first_anew = 0  # the id that showed it
        self.halted = False  # the venue no longer lists the symbol: what still comes is not the market
        self.last_ts = 0  # venue time of the last trade or bar
        self.overheard: list[Rows] | None = None  # changes told while the book is compared; None again where it began anew
        self._judged: Rows | None = None  # behind a gap: already judged, not told
        self._waiting: list[Rows] = []
        self._crossed = self._forgotten = 0

    # What comes over the socket -------------------------------------------------------------------------------------------

    def take(self, came: Rows) -> None:
        """Judges the rows one frame brought of this stream."""
        n = 1 if len(came) == 1 else int(np.count_nonzero(came["marks"] & codes.LAST))
        self.counts.received += n
        heard, self.heard, self.proven = self.heard, came["ts_local"].item(-1), True
        if self.halted:
            self.counts.rejected += n
        elif self.filling:
            self._wait(came)
        elif self._judge(came, n) == Verdict.DROP and self.topic.channel == TRADE:
            self.heard = heard  # who only repeats himself is silent

    def follow(self, came: Rows) -> int:
        """Takes what plainly goes on of messages of several frames: how many rows. Who gave them puts those in line."""
        if self.state.condition != codes.SYNCED or self.filling or self.halted:
            return 0
        n, messages = self.keeper.follow(came)
        if n:
            self.counts.received += messages
            self.counts.processed += messages
            self.heard, self.proven, self.last_ts = came["ts_local"].item(n - 1), True, came["ts_venue"].item(n - 1)
            if self.overheard is not None:
                self.overheard.append(came[:n])
        return n

    def _judge(self, came: Rows, n: int) -> Verdict:
        verdict, passed = self.keeper.take(came)
        if verdict == Verdict.DROP and self.renumbered(came):
            self._wait(came)
            self.first_anew, self.wish, self.filling = int(came["ref"].max()), HISTORY, True
            return Verdict.GAP
        if verdict == Verdict.PASS:
            if self.state.condition != codes.SYNCED:
                self._arrived(passed)
            self._pass(passed, n, all_of=passed is came)
        elif verdict == Verdict.DROP:
            useless = self.topic.channel == DEPTH and self.state.condition != codes.SYNCED
            self.counts.rejected += n if useless else 0
            self.counts.duplicates += 0 if useless else n
        elif verdict == Verdict.GAP:
            self._gap(passed, n)
        else:
            self.wish = max(self.wish, SNAPSHOT)
        return verdict

    def renumbered(self, came: Rows) -> bool:
        """Whether the venue's trades are counted anew: a gap of unknown length. The history is asked for what lies in it."""
        if not isinstance(self.keeper, TradeKeeper) or not self.last_ts or not self.keeper.begins_anew(came, self.last_ts):
            return False
        self.tell(why.IDS_SKIPPED)
        self.anew = True
        return True

    def _pass(self, passed: Rows, n: int, *, all_of: bool = False) -> None:
        """Puts in line what passed of n messages; `all_of`: they all did, as they came."""
        told = n if all_of else int(np.count_nonzero(passed["marks"] & codes.LAST))
        self.counts.processed += told
        self.counts.duplicates += n - told
        self.last_ts = passed["ts_venue"].item(-1)
        if self.overheard is not None:
            self.overheard.append(passed)
        self.desk.emit(passed)

    def _arrived(self, passed: Rows) -> None:
        """Data came although the condition is not SYNCED."""
        self.polled = False
        snapshot = passed["marks"].item(0) & codes.SNAPSHOT
        self.tell(why.SNAPSHOT_JOINED if snapshot else why.DATA_ARRIVED)

    def _gap(self, passed: Rows, n: int) -> None:
        """Something is missing."""
        if isinstance(self.keeper, BookKeeper):
            checksum = self.keeper.checksum_failures and self.keeper.book.state[0] == codes.PROOF_CRC32
            held = self.keeper.held if self.keeper.by_request else 0
            self.counts.rejected += 0 if held else n
            self.lost(why.PROOF_FAILED if checksum else why.IDS_SKIPPED)
            return
        self.counts.duplicates += n - len(passed)
        missing = self.missing()
        early = passed["ref"] < (missing[0] if missing else 0)
        if early.any():
            self._pass(passed[early], int(np.count_nonzero(early)))
        self._judged = passed[~early]
        self.tell(why.IDS_SKIPPED)
        self.wish, self.filling = HISTORY, True

    def lost(self, cause: int) -> None:
        """The book, as far as it is told, is not the venue's: nobody reads it until a snapshot."""
        self.tell(cause)
        self.failures.append(self.desk.time.now())
        if isinstance(self.keeper, BookKeeper):
            if not self.keeper.by_request:
                self.keeper.lose()
            self.wish = max(self.wish, SNAPSHOT if self.keeper.by_request else RESUBSCRIBE)

    def tell(self, cause: int) -> None:
        """Tells the state a cause; a change goes on the tape."""
        made = self.state.tell(cause, self.desk.stamp())
        if made is not None:
            self.overheard = None
            self.desk.tell(made, self.topic.instrument)

    # Connections -----------------------------------------------------------------------------------------------------------

    def disconnected(self, cause: int = why.DISCONNECTED) -> None:
        """Its connection is gone, or its subscription."""
        self.keeper.lose()
        self.proven = False
        self.tell(cause)

    def halt(self, halted: bool) -> None:
        """The symbol is halted, gone or counts in other units; or it is back."""
        if halted and not self.halted:
            self.keeper.lose()
            self.tell(why.SYMBOL_HALTED)
        elif self.halted and not halted:
            self.wish = RESUBSCRIBE
        self.halted = halted

    def resume(self, last: Row, ended: int = 0) -> None:
        """Goes on behind the last row an earlier life told: what came meanwhile is history. ended: when that life did, 0: now."""
        self.desk.number_from(self.source, int(last["stream_seq"]))
        if isinstance(self.keeper, TradeKeeper) and last["kind"] == codes.TRADE:
            self.keeper.last_id = int(last["ref"])
        if last["kind"] in (codes.TRADE, codes.BAR):
            self.last_ts = int(last["ts_venue"])
        at = self.desk.time.stamp(ended) if ended else self.desk.stamp()
        made = Transition(self.source, at, codes.SYNCED, codes.UNAVAILABLE, why.DISCONNECTED)
        self.desk.tell(made, self.topic.instrument)

    def subscribed(self) -> None:
        """It was asked for just now; only data proves it."""
        self.proven, self.asked = False, self.desk.time.now()
        if isinstance(self.keeper, BookKeeper):
            if not self.keeper.by_request:
                self.tell(why.SNAPSHOT_ASKED)  # else it is asked for when changes come: they prove the subscription
        elif self.topic.channel in (TRADE, BAR) and self.last_ts:
            self.wish, self.filling = HISTORY, True

    def tally(self) -> Counts:
        """The counters as they stand, with what a keeper had no room to keep or held in vain among the rejected."""
        forgotten = self._forgotten + (self.keeper.forgotten if isinstance(self.keeper, BookKeeper) else 0)
        return msgspec.structs.replace(self.counts, rejected=self.counts.rejected + forgotten)

    @property
    def held_by_keeper(self) -> int:
        """Messages that wait for a snapshot."""
        return self.keeper.held if isinstance(self.keeper, BookKeeper) else 0

    @property
    def held(self) -> int:
        """Messages received whose fate is open."""
        waiting = sum(int(np.count_nonzero(part["marks"] & codes.LAST)) for part in self._waiting)
        return self.held_by_keeper + waiting + (0 if self._judged is None else len(self._judged))

    # Snapshots -------------------------------------------------------------------------------------------------------------

    def joined(self, snapshot: Rows) -> bool:
        """Joins a snapshot that was asked for; False where it is too old and another must be asked."""
        keeper = self.keeper
        if not isinstance(keeper, BookKeeper):
            return True
        before = keeper.held
        snapshot["ts_local"] = self.desk.stamp()
        verdict, passed = keeper.snapshot(snapshot)
        gone = before - keeper.held
        if verdict == Verdict.PASS:
            told = int(np.count_nonzero(passed["marks"] & codes.LAST)) - 1
            self.counts.received += 1
            self.counts.processed += told + 1
            self.counts.duplicates += gone - told
            self.tell(why.SNAPSHOT_JOINED)
            self.desk.emit(passed)
            return True
        self.counts.duplicates += gone
        return verdict == Verdict.DROP

    def replaced(self, book: BookKeeper) -> None:
        """Goes on with a book that another connection built beside this one: it is told whole, and never was lost."""
        told = whole(book.book, self.source, self.topic.instrument)
        self.overheard = None
        self._forgotten += self.keeper.forgotten if isinstance(self.keeper, BookKeeper) else 0
        self.keeper = book
        if not len(told):
            return
        told["ts_local"] = self.desk.stamp()
        self.counts.received += 1
        self.counts.processed += 1
        self.tell(why.SNAPSHOT_JOINED)
        self.desk.emit(told)

    # History ---------------------------------------------------------------------------------------------------------------

    def _wait(self, came: Rows) -> None:
        self._waiting.append(came)
        if len(self._waiting) > MAX_WAITING:
            self.filled(rows(0), complete=False)

    def missing(self) -> tuple[int, int] | None:
        """The first and the last id that never came; None where only the end of the history is asked for."""
        return self.keeper.missing if isinstance(self.keeper, TradeKeeper) else None

    def filled(self, history: Rows, *, complete: bool) -> None:
        """What the history brought, oldest first; then everything that waited for it."""
        self.filling = False
        self._restore(history)
        if complete:
            self.tell(why.HISTORY_JOINED)
        else:
            self.tell(why.HISTORY_MISSING)
            self.tell(why.POLLED if self.polled else why.GAP_ACCEPTED)
            if isinstance(self.keeper, TradeKeeper):
                self.keeper.missing = None
        if self.anew and self._waiting:
            self._begins_with(self._waiting[0])
        judged, self._judged = self._judged, None
        if judged is not None and len(judged):
            self.counts.processed += len(judged)
            self.last_ts = judged["ts_venue"].item(-1)
            self.desk.again(judged)
        waiting, self._waiting = self._waiting, []
        for place, came in enumerate(waiting):
            came["ts_local"] = self.desk.stamp()
            if self.filling:  # another gap, behind the first
                self._waiting += waiting[place:]
                break
            self._judge(came, int(np.count_nonzero(came["marks"] & codes.LAST)))

    def _begins_with(self, first: Rows) -> None:
        """Marks where a new count begins: what follows is chained to it."""
        self.anew = False
        first["marks"][np.argmin(first["ref"])] |= codes.RESYNC

    def _restore(self, history: Rows) -> None:
        if not len(history):
            return
        _, passed = self.keeper.snapshot(history)
        if len(passed):
            if self.anew:
                self._begins_with(passed)
            self.counts.received += len(passed)
            self.counts.processed += len(passed)
            self.last_ts = passed["ts_venue"].item(-1)
            self.desk.again(passed)
            if self._judged is not None:
                told = np.isin(self._judged["ref"], passed["ref"])
                self.counts.duplicates += int(np.count_nonzero(told))
                self._judged = self._judged[~told]

    # What only time tells ---------------------------------------------------------------------------------------------------

    def watch(self, now: int) -> None:
        """Looks whether the book stands crossed for too long."""
        if self.state.condition != codes.SYNCED or not isinstance(self.keeper, BookKeeper):
            self._crossed = 0
            return
        if not crossed(self.keeper.book):
            self._crossed = 0
        elif self._crossed == 0:
            self._crossed = now
        elif now - self._crossed > CROSSED_NS:
            self._crossed = 0
            self.keeper.lose()
            self.lost(why.BOOK_CROSSED)

    def distrust(self, cause: int) -> None:
        """A witness says that the book is another: the venue's own snapshot, or the machine."""
        if self.state.condition == codes.SYNCED:
            self.keeper.lose()
            self.lost(cause)

    def unheard(self) -> None:
        """A message of it came and could not be read: what it changed is nowhere. A snapshot is asked for once one can be read."""
        if isinstance(self.keeper, BookKeeper) and self.keeper.synced:
            wish = self.wish if self.keeper.by_request else RESUBSCRIBE
            self.keeper.lose()
            self.lost(why.FRAME_REFUSED)
            self.wish = wish


class BarLane(Lane):
    """Finished bars: their id is their end, their gap a bar's length. The first one expected ends after the first subscription."""

    timeframe = -1

    def subscribed(self) -> None:
        """The first time says from when on bars are wanted; later ones ask for what was missed."""
        if self.last_ts:
            super().subscribed()
            return
        step = codes.TIMEFRAME_NS[self.timeframe]
        self.proven, self.asked = False, self.desk.time.now()
        self.last_ts = (self.asked + self.desk.skew.offset_ns) // step * step

    def follow(self, came: Rows) -> int:
        """Bars are few: none is taken this way."""
        return 0

    def _judge(self, came: Rows, n: int) -> Verdict:
        ends = came["ts_venue"]
        fresh = came[ends > self.last_ts]
        self.counts.duplicates += n - len(fresh)
        if not len(fresh):
            return Verdict.DROP
        step = codes.TIMEFRAME_NS[fresh["strategy"].item(0)]
        if self.last_ts and fresh["ts_venue"].item(0) - self.last_ts > step:
            self._judged = fresh
            self.tell(why.IDS_SKIPPED)
            self.wish, self.filling = HISTORY, True
            return Verdict.GAP
        if self.state.condition != codes.SYNCED:
            self._arrived(fresh)
        self._pass(fresh, len(fresh))
        return Verdict.PASS

    def resume(self, last: Row, ended: int = 0) -> None:
        """Goes on behind the last bar."""
        super().resume(last, ended)
        if last["kind"] != codes.BAR:
            self.last_ts = 0

    def _restore(self, history: Rows) -> None:
        until = codes.NEVER if self._judged is None else self._judged["ts_venue"].item(0)
        passed = history[(history["ts_venue"] > self.last_ts) & (history["ts_venue"] < until)]
        if len(passed):
            self.counts.received += len(passed)
            self.counts.processed += len(passed)
            self.last_ts = passed["ts_venue"].item(-1)
            self.desk.again(passed)


def crossed(book: RimBook) -> bool:
    """Whether the best bid reaches the best ask."""
    bids, asks = book.side(codes.BUY, 1), book.side(codes.SELL, 1)
    return bool(bids and asks and bids[0][0] >= asks[0][0])


def whole(book: RimBook, source: int, instrument: int) -> Rows:
    """A book as one SNAPSHOT message of our own making, with the checksum where the venue's proof is one."""
    sides = book.side(codes.BUY), book.side(codes.SELL)
    told = rows(len(sides[0]) + len(sides[1]))
    if not len(told):
        return told
    told["kind"], told["source"], told["instrument"], told["ref"] = codes.DEPTH, source, instrument, book.last_id
    told["marks"] = codes.SNAPSHOT | codes.RESYNC | codes.SYNTHETIC
    told["side"][len(sides[0]) :] = codes.SELL
    told["price"], told["quantity"] = np.array(sides[0] + sides[1]).T
    told["marks"][0] |= codes.FIRST
    told["marks"][-1] |= codes.LAST
    if book.state[0] == codes.PROOF_CRC32:
        digits = "".join(f"{price}{quantity}" for side in (sides[1], sides[0]) for price, quantity in side[:10])
        told["value"][-1] = zlib.crc32(digits.encode())
    return told


def conflated(parts: list[Rows]) -> Rows:
    """Several depth messages of one stream as one: every level's last word, from the first one's id to the last one's."""
    every = one(parts)
    keys = every["price"] * 2 + every["side"]
    _, last = np.unique(keys[::-1], return_index=True)
    keep = np.sort(len(every) - 1 - last)
    made = every[keep]
    real = made[(made["marks"] & codes.EMPTY) == 0]
    made = real if len(real) else made[-1:]
    made["marks"] &= ~(codes.FIRST | codes.LAST)
    made["marks"][0] |= codes.FIRST
    made["marks"][-1] |= codes.LAST
    end = every[-1]
    made["ref"], made["ts_venue"], made["ts_local"] = end["ref"], end["ts_venue"], end["ts_local"]
    made["value"] = 0
    made["value"][-1] = end["value"] if len(parts[-1]) > 1 else 0
    made["value"][0] = every["value"][0]
    return made
