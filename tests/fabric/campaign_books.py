"""Depth updates by the million, with faults, in the three venues' wire bytes: does a book that says SYNCED ever lie?

`python tests/fabric/campaign_books.py 10000000 docs/campaigns/books.jsonl` appends a line a session. No sockets and no emulator:
a book of our own changes, its changes become frames of the venue's format, a script drops, repeats, swaps, corrupts and cuts
them, and lanes read what is left. Compared is as deep as the venue's proof reaches, at messages drawn by chance: Binance at the
update id the lane has reached, Coinbase at the frame it has heard, Kraken the ten levels its checksum covers.
"""

from __future__ import annotations

import json
import random
import sys
import zlib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from tradewind.domain import codes  # noqa: E402
from tradewind.domain.instruments import Instrument  # noqa: E402
from tradewind.domain.rows import Rows  # noqa: E402
from tradewind.fabric.clock import JournalTime  # noqa: E402
from tradewind.fabric.desk import Desk  # noqa: E402
from tradewind.fabric.lanes import HISTORY, NOTHING, Lane  # noqa: E402
from tradewind.venues.adapter import Answer, Topic  # noqa: E402
from tradewind.venues.binance.adapter import BinanceAdapter  # noqa: E402
from tradewind.venues.coinbase.adapter import CoinbaseAdapter  # noqa: E402
from tradewind.venues.keepers import BookKeeper, FrameKeeper, keeper_of  # noqa: E402
from tradewind.venues.kraken.adapter import KrakenAdapter  # noqa: E402

VENUES = ("binance", "kraken", "coinbase")
LEVELS_A_SIDE, CHANGES, KRAKEN_DEPTH, PROVEN = 60, 12, 25, 10
FAULT_SHARE = 0.002  # of messages: each kind of fault
COMPARED_SHARE = 0.05
BID, ASK = 0, 1


class Counter:
    """A clock that counts: a microsecond a look."""

    def __init__(self) -> None:
        self.ns = 1_732_300_000 * codes.SECOND

    def wall_ns(self) -> int:
        self.ns += 1000
        return self.ns

    mono_ns = wall_ns


class Nowhere:
    """A sink that only counts."""

    def __init__(self) -> None:
        self.rows = 0

    def append(self, rows: Rows) -> None:
        self.rows += len(rows)


class TrueBook:
    """A book that changes by chance. Prices in cents, sizes in 1e-5."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.number, self.middle = rng, 1_000, 6_000_000
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for side in (BID, ASK):
            while len(self.sides[side]) < LEVELS_A_SIDE:
                self.sides[side][self._price(side)] = rng.randrange(1, 10**7)

    def _price(self, side: int) -> int:
        away = 1 + int(self.rng.expovariate(1 / 40))
        return self.middle - away if side == BID else self.middle + away

    def change(self) -> list[tuple[int, int, int]]:
        """A few levels set anew; none ever crosses: (side, price, size)."""
        rng, told = self.rng, dict[tuple[int, int], int]()
        if rng.random() < 0.1:
            self.middle += rng.choice((-1, 1))
            for side, out in ((BID, lambda p: p >= self.middle), (ASK, lambda p: p <= self.middle)):
                for price in [p for p in self.sides[side] if out(p)]:
                    told[side, price] = 0
                    del self.sides[side][price]
        for _ in range(rng.randrange(1, CHANGES)):
            side = rng.randrange(2)
            book = self.sides[side]
            remove = len(book) > LEVELS_A_SIDE and rng.random() < 0.6
            price = rng.choice(list(book)) if remove else self._price(side)
            size = 0 if remove else rng.randrange(1, 10**7)
            told[side, price] = size
            if size:
                book[price] = size
            else:
                del book[price]
        self.number += len(told)
        return [(side, price, size) for (side, price), size in told.items()]

    def best(self, side: int, n: int) -> list[tuple[int, int]]:
        """(price, size), best first."""
        return sorted(self.sides[side].items(), reverse=side == BID)[:n]

    def copy(self) -> tuple[dict[int, int], dict[int, int]]:
        return dict(self.sides[BID]), dict(self.sides[ASK])


def cents(price: int) -> str:
    return f"{price // 100}.{price % 100:02d}"


def sized(size: int) -> str:
    return f"{size // 100_000}.{size % 100_000:05d}"


class Wire:
    """One venue's words for a book and its changes."""

    def __init__(self, venue: str, book: TrueBook) -> None:
        self.venue, self.book = venue, book
        self.sequence = -1
        self.seen: list[dict[int, int]] = [{}, {}]  # Kraken: the levels inside its depth, as the client was told

    def update(self, changes: list[tuple[int, int, int]], before: int) -> bytes:
        """The frame for changes since update `before`."""
        return getattr(self, "_" + self.venue)(changes, before)  # type: ignore[no-any-return]

    def _binance(self, changes: list[tuple[int, int, int]], before: int) -> bytes:
        sides = ["[" + ",".join(f'["{cents(p)}","{sized(q)}"]' for s, p, q in changes if s == side) + "]" for side in (BID, ASK)]
        return (
            f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1732300000000,"s":"BTCUSDT","U":{before + 1},'
            f'"u":{self.book.number},"b":{sides[0]},"a":{sides[1]}}}}}'
        ).encode()

    def _coinbase(self, changes: list[tuple[int, int, int]], before: int, kind: str = "update") -> bytes:
        self.sequence += 1
        told = ",".join(
            f'{{"side":"{("bid", "offer")[s]}","event_time":"1970-01-01T00:00:00Z",'
            f'"price_level":"{cents(p)}","new_quantity":"{sized(q)}"}}'
            for s, p, q in changes
        )
        return (
            f'{{"channel":"l2_data","client_id":"","timestamp":"2024-11-22T00:00:00.000000Z","sequence_num":{self.sequence},'
            f'"events":[{{"type":"{kind}","product_id":"BTC-USD","updates":[{told}]}}]}}'
        ).encode()

    def _kraken(self, changes: list[tuple[int, int, int]], before: int, kind: str = "update") -> bytes:
        """Only what lies inside the depth is told; levels that come into sight are told, those that leave it are not."""
        told: list[list[tuple[int, int]]] = [[], []]
        for side in (BID, ASK):
            inside = dict(self.book.best(side, KRAKEN_DEPTH))
            known = self.seen[side] if kind == "update" else {}
            told[side] = [(p, q) for p, q in inside.items() if known.get(p) != q]
            gone = [p for p in known if p not in self.book.sides[side]]
            told[side] += [(p, 0) for p in gone]
            self.seen[side] = inside
        crc = zlib.crc32("".join(f"{p}{q}" for side in (ASK, BID) for p, q in self.book.best(side, PROVEN)).encode())
        parts = ["[" + ",".join(f'{{"price":{cents(p)},"qty":{sized(q)}}}' for p, q in side) + "]" for side in told]
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD","bids":{parts[0]},"asks":{parts[1]},"checksum":{crc},'
            f'"timestamp":"2024-11-22T00:00:00.000000Z"}}]}}'
        ).encode()

    def whole(self) -> bytes:
        """The book as the stream's own snapshot, or as REST's answer (Binance)."""
        if self.venue == "binance":
            sides = ["[" + ",".join(f'["{cents(p)}","{sized(q)}"]' for p, q in self.book.best(s, 10**6)) + "]" for s in (BID, ASK)]
            return f'{{"lastUpdateId":{self.book.number},"bids":{sides[0]},"asks":{sides[1]}}}'.encode()
        every = [(side, p, q) for side in (BID, ASK) for p, q in self.book.best(side, 10**6)]
        return self._coinbase(every, 0, "snapshot") if self.venue == "coinbase" else self._kraken(every, 0, "snapshot")


def adapter_of(venue: str) -> Any:
    made: Any = {"binance": BinanceAdapter, "kraken": lambda: KrakenAdapter(KRAKEN_DEPTH), "coinbase": CoinbaseAdapter}[venue]()
    symbol, proof = {
        "binance": ("BTCUSDT", codes.PROOF_CHAIN), "kraken": ("BTC/USD", codes.PROOF_CRC32),
        "coinbase": ("BTC-USD", codes.PROOF_NONE),
    }[venue]  # fmt: skip
    quote = "USDT" if venue == "binance" else "USD"
    made.adopt([
        Instrument(venue=venue, symbol=symbol, base="BTC", quote=quote, price_exponent=2, quantity_exponent=5, proof=proof)
    ])  # fmt: skip
    return made


class Session:
    """One venue's stream through a lane, with faults on the way."""

    def __init__(self, venue: str, seed: int) -> None:
        self.venue, self.rng = venue, random.Random(f"{seed}/{venue}")
        self.book = TrueBook(self.rng)
        self.wire, self.adapter = Wire(venue, self.book), adapter_of(venue)
        self.sink, clock = Nowhere(), Counter()
        self.desk = Desk(JournalTime(clock), self.sink, len(self.adapter.streams), (0, 0))
        topic = Topic("depth", 0)
        self.lane = Lane(topic, self.adapter.source(0, "depth"), keeper_of(self.adapter, topic), self.desk)
        self.frames = FrameKeeper()
        self.past: dict[int, Any] = {}  # Binance: true books by update id, as far back as a lane can lag
        self.held: bytes | None = None
        self.faults: dict[str, int] = {}
        self.updates = self.compared = self.wrong = self.lost = self.since_loss = 0
        self.lane.subscribed()
        if venue != "binance":
            self.read(self.wire.whole())

    def read(self, frame: bytes) -> None:
        """What a link does with a frame."""
        reading = self.adapter.read(frame, self.desk.stamp())
        if reading.sequence >= 0:
            if 0 <= self.frames.sequence - reading.sequence < 10_000:
                return
            if not self.frames.frame(reading.sequence) and self.lane.state.condition == codes.SYNCED:
                from tradewind.domain import reasons

                self.lane.lost(reasons.IDS_SKIPPED)
        if len(reading.rows):
            self.lane.take(reading.rows)
        self.desk.flush()

    def step(self) -> None:
        """One message from the venue, and what the network makes of it."""
        before = self.book.number
        changes = self.book.change()
        self.updates += len(changes)
        frame = self.wire.update(changes, before)
        if self.venue == "binance":
            self.past[self.book.number] = self.book.copy()
            self.past.pop(next(iter(self.past)), None) if len(self.past) > 64 else None
        for made in self.disturbed(frame):
            self.read(made)
        self.serve()
        if self.rng.random() < COMPARED_SHARE:
            self.compare()

    def disturbed(self, frame: bytes) -> list[bytes]:
        """The frame as it arrives: dropped, told twice, swapped with the next, one digit changed, cut off."""
        held, self.held = self.held, None
        after = [held] if held is not None else []
        chance = self.rng.random() / FAULT_SHARE
        if chance >= 5:
            return [frame, *after]
        kind = ("dropped", "repeated", "swapped", "corrupted", "cut")[int(chance)]
        self.faults[kind] = self.faults.get(kind, 0) + 1
        if kind == "swapped":
            self.held = frame
            return after
        if kind == "cut":
            self.lane.disconnected()
            self.frames = FrameKeeper()
            self.wire.sequence = -1
            self.lane.subscribed()
            return [] if self.venue == "binance" else [self.wire.whole()]
        return {"dropped": after, "repeated": [frame, frame, *after], "corrupted": [self.bent(frame), *after]}[kind]

    def bent(self, frame: bytes) -> bytes:
        """A frame broken so that it is no JSON any more: TLS lets no flipped digit through, a broken frame happens."""
        return frame[: self.rng.randrange(1, len(frame))]

    def serve(self) -> None:
        """What the network does for a lane's wish: REST now or a little later, sometimes with an old book."""
        if self.lane.wish in (NOTHING, HISTORY):
            return
        self.lost += 1
        self.since_loss += 1
        if self.since_loss < self.rng.randrange(1, 6):
            return
        self.lane.wish, self.since_loss = NOTHING, 0
        if self.venue != "binance":
            self.lane.subscribed()
            self.read(self.wire.whole())
            return
        body = self.wire.whole()
        answer = Answer(status=200, headers={}, body=body, sent_ns=0, received_ns=self.desk.stamp())
        from tradewind.domain import reasons

        self.lane.tell(reasons.SNAPSHOT_ASKED)
        if not self.lane.joined(self.adapter.read_snapshot(self.lane.topic, answer)):
            self.lane.wish = 1
        self.desk.flush()

    def compare(self) -> None:
        """The lane's book against the truth, if it says SYNCED."""
        keeper = self.lane.keeper
        if self.lane.state.condition != codes.SYNCED or self.held is not None or not isinstance(keeper, BookKeeper):
            return
        if self.venue == "binance":
            truth = self.past.get(keeper.book.last_id)
            if truth is None:
                return
        elif self.heard_all:
            truth = self.book.copy()
        else:
            return
        deep = PROVEN if self.venue == "kraken" else 10**6
        ours = [sorted(keeper.book.side(side), reverse=side == BID)[:deep] for side in (BID, ASK)]
        theirs = [sorted(truth[side].items(), reverse=side == BID)[:deep] for side in (BID, ASK)]
        self.compared += 1
        self.wrong += ours != theirs

    @property
    def heard_all(self) -> bool:
        """Whether the last frame of the venue was the last one heard: else what is missing shows with the next."""
        if self.venue == "coinbase":
            return self.frames.sequence == self.wire.sequence
        crc = zlib.crc32("".join(f"{p}{q}" for side in (ASK, BID) for p, q in self.book.best(side, PROVEN)).encode())
        return self.last_crc == crc

    last_crc = -1


def line(venue: str, seed: int, updates: int) -> dict[str, Any]:
    """One session of at least `updates` level changes."""
    session = Session(venue, seed)
    if venue == "kraken":
        _remember_checksums(session)
    while session.updates < updates:
        session.step()
    tally = session.lane.tally()
    adds_up = tally.received == tally.processed + tally.conflated + tally.rejected + tally.duplicates + session.lane.held
    good = session.wrong == 0 and session.compared > 0 and adds_up
    return {
        "venue": venue, "seed": seed, "updates": session.updates, "rows": session.sink.rows, "faults": session.faults,
        "compared": session.compared, "wrong": session.wrong, "counters": adds_up, "verdict": "true" if good else "FALSE",
    }  # fmt: skip


def _remember_checksums(session: Session) -> None:
    """Kraken counts nothing: a message that was lost shows with the next. So the last checksum heard says how far we are."""
    take = session.lane.take

    def remembering(rows: Rows) -> None:
        session.last_crc = int(rows["value"][-1])
        take(rows)

    session.lane.take = remembering  # type: ignore[method-assign]


def main(wanted: int, ledger: Path, each: int = 500_000) -> int:
    """Goes on where the ledger ends, until `wanted` updates were read. Returns the number of false lines."""
    done = [json.loads(text) for text in ledger.read_text().splitlines()] if ledger.exists() else []
    total, seed = sum(one["updates"] for one in done), 1 + max((one["seed"] for one in done), default=0)
    bad = sum(one["verdict"] != "true" for one in done)
    while total < wanted:
        made = line(VENUES[seed % 3], seed, each)
        with ledger.open("a") as file:
            file.write(json.dumps(made) + "\n")
        total, seed, bad = total + made["updates"], seed + 1, bad + (made["verdict"] != "true")
        print(f"{total} updates, {bad} false", flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2])))
