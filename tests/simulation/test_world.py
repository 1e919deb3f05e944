"""The world's rows: order, proofs, books, prints, and the same bytes every time."""

from __future__ import annotations

import zlib
from collections import defaultdict

import msgspec
import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.codes import BUY, DEPTH, FIRST, LAST, QUOTE, SECOND, SELL, SNAPSHOT, TRADE
from tradewind.domain.errors import BadUse, NoRoom
from tradewind.domain.rows import ROW, Rows
from tradewind.kernel import twin
from tradewind.simulation.world import FaultSpec, World, default_spec, every_fault, layout, wide_spec

SPEC = default_spec(30 * SECOND)


def rows_of(world: World, rows_per_chunk: int = 1 << 16) -> Rows:
    return np.concatenate(list(world.chunks(rows_per_chunk)))


@pytest.fixture(scope="module")
def world() -> World:
    return World(SPEC, 1)


@pytest.fixture(scope="module")
def rows(world: World) -> Rows:
    return rows_of(world)


class Book:
    """A plain book of dicts, to judge the generator by."""

    def __init__(self) -> None:
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def apply(self, row: np.void) -> None:
        if row["marks"] & SNAPSHOT and row["marks"] & FIRST:
            self.sides = ({}, {})
        side = self.sides[row["side"]]
        if row["quantity"]:
            side[int(row["price"])] = int(row["quantity"])
        else:
            side.pop(int(row["price"]), None)  # a batch may remove what came and went within it

    @property
    def bid(self) -> int:
        return max(self.sides[BUY])

    @property
    def ask(self) -> int:
        return min(self.sides[SELL])

    def crc(self) -> int:
        text = ""
        for side, reverse in ((SELL, False), (BUY, True)):
            for price in sorted(self.sides[side], reverse=reverse)[:10]:
                text += f"{price}{self.sides[side][price]}"
        return zlib.crc32(text.encode())


def test_same_seed_same_bytes_however_cut(rows: Rows) -> None:
    again = rows_of(World(SPEC, 1), 900)
    assert again.tobytes() == rows.tobytes()
    assert rows_of(World(SPEC, 2), 1 << 16).tobytes() != rows.tobytes()


def test_rows_are_a_tape(world: World, rows: Rows) -> None:
    assert np.all(np.diff(rows["ts_local"]) >= 0)
    assert rows["ts_local"][0] >= SPEC.start_ns and rows["ts_local"][-1] <= SPEC.start_ns + SPEC.duration_ns
    same = np.diff(rows["ts_local"]) == 0
    assert np.all(np.diff(rows["source"].astype(int))[same] >= 0)
    open_source = -1
    for source, marks in zip(rows["source"].tolist(), rows["marks"].tolist(), strict=True):
        assert (marks & FIRST != 0) == (open_source == -1)  # nothing comes between the rows of a message
        assert open_source in (-1, source)
        open_source = -1 if marks & LAST else source
    for source, stream in enumerate(world.streams):
        mine = rows[rows["source"] == source]
        assert mine.size > 0
        assert np.array_equal(mine["stream_seq"], np.arange(mine.size))
        assert np.all(mine["instrument"] == stream.instrument)
        assert np.all(np.isin(mine["kind"], {"depth": [DEPTH], "trade": [TRADE], "quote": [QUOTE]}[stream.channel]))
    assert np.all(rows["ts_local"] > rows["ts_venue"])
    assert np.all(rows["marks"] & codes.SYNTHETIC)


def test_books_hold_their_proofs_and_quotes_agree(world: World, rows: Rows) -> None:
    books: dict[int, Book] = defaultdict(Book)
    last: dict[int, int] = {}
    touch: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    quotes: list[tuple[int, int, int, int, int, int]] = []
    checked = 0
    for row in rows:
        k = int(row["instrument"])
        if row["kind"] == QUOTE and row["side"] == BUY:
            bid = row
        elif row["kind"] == QUOTE:
            quotes.append((k, int(row["ref"]), int(bid["price"]), int(bid["quantity"]), int(row["price"]), int(row["quantity"])))
        if row["kind"] != DEPTH:
            continue
        instrument, book = world.instruments[k], books[k]
        assert row["price"] % instrument.tick == 0 and row["quantity"] % instrument.lot == 0
        book.apply(row)
        snapshot, ref = bool(row["marks"] & SNAPSHOT), int(row["ref"])
        if row["marks"] & FIRST:
            assert snapshot or instrument.proof != codes.PROOF_CHAIN or row["value"] == last[k]
            assert snapshot or ref > last[k]
        if row["marks"] & LAST:
            assert book.bid < book.ask
            assert min(len(book.sides[0]), len(book.sides[1])) >= 10
            if instrument.proof == codes.PROOF_CRC32:
                assert row["value"] == book.crc()
                checked += 1
            touch[k, ref] = (book.bid, book.sides[BUY][book.bid], book.ask, book.sides[SELL][book.ask])
            last[k] = ref
    agreeing = [q for q in quotes if (q[0], q[1]) in touch]
    assert len(agreeing) > 200 and checked > 200
    assert all(touch[q[0], q[1]] == q[2:] for q in agreeing)


def test_prints_take_what_lies_there(world: World, rows: Rows) -> None:
    """In venue time, at a venue that sends each change at once, every print takes from the level it names."""
    books: dict[int, Book] = defaultdict(Book)
    taken = 0
    order = np.argsort(rows["ts_venue"] * 2 + (rows["kind"] == DEPTH), kind="stable")
    for row in rows[order]:
        k = int(row["instrument"])
        if world.instruments[k].venue != "coinbase":
            continue
        if row["kind"] == DEPTH:
            books[k].apply(row)
        elif row["kind"] == TRADE:
            assert books[k].sides[1 - row["side"]][int(row["price"])] >= row["quantity"] > 0
            taken += 1
    assert taken > 50


def test_the_uncompiled_twin_makes_the_same_bytes() -> None:
    pair = ("binance:BTC/USDT", "kraken:BTC/USD", "kraken:USDC/USD")
    few = tuple(i for i in SPEC.instruments if i.name in pair)
    plan = (
        FaultSpec(kind="swapped", place=pair[1], at_ns=SECOND),
        FaultSpec(kind="depeg", place="USDC", at_ns=SECOND, duration_ns=SECOND),
    )
    spec = msgspec.structs.replace(
        SPEC, instruments=few, duration_ns=3 * SECOND, faults=plan, faults_per_hour=every_fault(3600.0), tempo=50.0
    )
    compiled = World(spec, 3)
    rows = rows_of(compiled)
    slow = World(spec, 3)
    loop = twin.load("simulation.world.loop", layout.field_names())
    out = np.zeros(rows.size + 2 * layout.MESSAGE_ROOM, ROW)
    n, reason = loop.advance(slow.state, slow.queue, out)
    assert (n, reason) == (rows.size, codes.END)
    assert out[:n].tobytes() == rows.tobytes()
    assert {t.kind for t in compiled.truths} >= {"depeg", "swapped"}


def test_thirty_instruments_at_three_venues() -> None:
    world = World(wide_spec(2 * SECOND), 5)
    rows = rows_of(world, 4096)
    assert len(world.instruments) == 30
    assert set(np.unique(rows["instrument"])) == set(range(30))


def test_livelier_than_the_queues_is_said() -> None:
    spec = msgspec.structs.replace(SPEC, activity=1000.0)
    with pytest.raises(NoRoom, match="lower activity"):
        rows_of(World(spec, 1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tempo": 0.0}, "tempo"),
        ({"levels": 5}, "levels"),
        ({"instruments": SPEC.instruments * 2}, "listed twice"),
        ({"venues": SPEC.venues[:2]}, "unknown venue"),
        ({"assets": SPEC.assets[:2]}, "unknown asset"),
        ({"faults_per_hour": {"gremlin": 1.0}}, "unknown fault 'gremlin'"),
        ({"faults": (FaultSpec(kind="lying", place="kraken:BTC/USD", at_ns=0),)}, "cannot befall"),
        ({"faults": (FaultSpec(kind="wick", place="kraken:BTC/USD", at_ns=0),) * 2}, "overlaps"),
        ({"duration_ns": 0}, "without time"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadUse, match=said):
        World(msgspec.structs.replace(SPEC, **change), 1)
    with pytest.raises(BadUse, match="rows_per_chunk"):
        next(World(SPEC, 1).chunks(10))
