"""Keepers let through exactly what follows: recorded books stay equal to plain ones, and no loss goes by unseen."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.rows import Rows, rows
from tradewind.venues import rimbook
from tradewind.venues.adapter import DEPTH, QUOTE, TRADE, Topic
from tradewind.venues.binance.adapter import BinanceAdapter
from tradewind.venues.keepers import BookKeeper, FrameKeeper, OrderedKeeper, TradeKeeper, Verdict, keeper_of
from tradewind.venues.witness import PlainBook

from . import venue as at

BUY, SELL = codes.BUY, codes.SELL


def frames(shared_data: Path, name: str, count: int) -> Iterator[tuple[int, bytes]]:
    with gzip.open(shared_data / "ws" / "binance_hftbacktest" / f"{name}_20240808.gz") as lines:
        for _, line in zip(range(count), lines, strict=False):
            ts_local, _, frame = line.strip().partition(b" ")
            yield int(ts_local), frame


def message(last: int, previous: int = 0, levels: tuple[tuple[int, int, int], ...] = ((BUY, 100, 5),), marks: int = 0) -> Rows:
    made = rows(max(1, len(levels)))
    made["kind"], made["marks"], made["ref"] = codes.DEPTH, marks | (0 if levels else codes.EMPTY), last
    made["side"], made["price"], made["quantity"] = zip(*levels, strict=True) if levels else (0, 0, 0)
    made["marks"][0] |= codes.FIRST
    made["marks"][-1] |= codes.LAST
    made["value"][0] = previous
    return made


def shot(last: int, levels: tuple[tuple[int, int, int], ...] = ((BUY, 99, 1), (SELL, 101, 1))) -> Rows:
    return message(last, 0, levels, codes.SNAPSHOT)


def keeper() -> BookKeeper:
    return BookKeeper(codes.PROOF_CHAIN, by_request=True)


def plain(of: Rows, book: PlainBook) -> None:
    if of["marks"][0] & codes.SNAPSHOT:
        book.clear()
    if not of["marks"][0] & codes.EMPTY:
        for side, price, quantity in zip(of["side"].tolist(), of["price"].tolist(), of["quantity"].tolist(), strict=True):
            book.set(side, price, quantity)


def split(of: Rows) -> list[Rows]:
    ends = np.flatnonzero(of["marks"] & codes.LAST) + 1
    return [of[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def same(book: rimbook.RimBook, witness: PlainBook) -> None:
    assert book.side(BUY) == sorted(witness.sides[BUY].items(), reverse=True)
    assert book.side(SELL) == sorted(witness.sides[SELL].items())


@pytest.mark.parametrize("name", ["spot_btcusdt", "usdm_btcusdt"])
def test_a_recorded_book_equals_the_plain_one_and_the_best_quotes(shared_data: Path, name: str) -> None:
    adapter: BinanceAdapter = at.usdm(False) if name.startswith("usdm") else at.binance()
    kept, witness, quotes, compared = keeper(), PlainBook(0), dict[int, Rows](), 0
    topic = Topic(DEPTH, 0)
    for ts_local, frame in frames(shared_data, name, 12_000):
        if b"lastUpdateId" in frame:
            verdict, passed = kept.snapshot(adapter.read_snapshot(topic, at.answer(frame)))
            assert verdict == Verdict.PASS
        else:
            read = adapter.read(frame, ts_local).rows
            if read["kind"][0] == codes.QUOTE:
                quotes[int(read["ref"][0])] = read
                continue
            if read["kind"][0] != codes.DEPTH:
                continue
            verdict, passed = kept.take(read)
            assert verdict in (Verdict.PASS, Verdict.HOLD, Verdict.DROP)
        for part in split(passed) if len(passed) else []:
            plain(part, witness)
        quote = quotes.get(kept.book.last_id) if kept.synced else None
        if quote is not None:
            compared += 1
            assert kept.book.side(BUY, 1) == [(quote["price"][0], quote["quantity"][0])]
            assert kept.book.side(SELL, 1) == [(quote["price"][1], quote["quantity"][1])]
    assert kept.synced and kept.gaps == 0 and compared > 3
    same(kept.book, witness)


def test_every_recorded_kraken_checksum_holds_and_a_changed_level_does_not(shared_data: Path) -> None:
    adapter = at.kraken()
    topic = Topic(DEPTH, 0)
    lines = (shared_data / "ws" / "tickvault_2026-08-24" / "kraken_book.jsonl").read_bytes().splitlines()
    messages = [read for line in lines if len(read := adapter.read(line, 9).rows)]
    kept = keeper_of(adapter, topic)
    assert isinstance(kept, BookKeeper) and not kept.by_request
    assert [kept.take(one)[0] for one in messages] == [Verdict.PASS] * len(messages)
    assert kept.book.state[rimbook.S_CHECKED] == len(messages)
    for one in messages[1:]:
        for field in ("price", "quantity"):
            wrong, other = one.copy(), keeper_of(adapter, topic)
            wrong[field][0] += 1
            for before in messages:
                if before is one:
                    assert other.take(wrong)[0] == Verdict.GAP
                    assert not other.synced and other.take(messages[-1])[0] == Verdict.DROP
                    break
                other.take(before)


def test_three_hundred_updates_keep_ten_levels(shared_data: Path) -> None:
    recording = json.loads(gzip.decompress((shared_data / "ws" / "kraken_v2" / "orderbook-v2_first300.json.gz").read_bytes()))
    adapter = at.kraken()
    for depth, verdict in ((10, Verdict.PASS), (11, Verdict.GAP)):  # the classic fault: the eleventh level is kept
        kept = BookKeeper(codes.PROOF_CRC32, depth)
        told = {kept.take(adapter.read(json.dumps(one).encode(), 9).rows)[0] for one in [recording["init"], *recording["updates"]]}
        assert told == {Verdict.PASS} if verdict == Verdict.PASS else Verdict.GAP in told


def test_a_lost_diff_is_a_gap_at_once_and_a_snapshot_heals() -> None:
    kept = keeper()
    assert kept.take(message(5, 0))[0] == Verdict.HOLD
    assert kept.take(message(9, 5))[0] == Verdict.HOLD
    verdict, passed = kept.snapshot(shot(7))
    assert verdict == Verdict.PASS and passed["ref"].tolist() == [7, 7, 9] and kept.synced
    assert kept.take(message(9, 5))[0] == Verdict.DROP
    assert kept.take(message(14, 10))[0] == Verdict.GAP and not kept.synced
    assert kept.take(message(20, 14))[0] == Verdict.HOLD and kept.held == 2
    verdict, passed = kept.snapshot(shot(15))
    assert verdict == Verdict.PASS and passed["ref"].tolist() == [15, 15, 20]
    assert passed["marks"][0] & codes.RESYNC


def test_a_snapshot_older_than_all_that_is_held_is_asked_for_again() -> None:
    kept = keeper()
    kept.take(message(20, 15))
    assert kept.snapshot(shot(10))[0] == Verdict.GAP and not kept.synced and kept.held == 1
    assert kept.snapshot(shot(16))[0] == Verdict.PASS and kept.book.last_id == 20


def test_an_old_snapshot_does_not_turn_a_synced_book_back() -> None:
    kept = keeper()
    kept.snapshot(shot(10))
    kept.take(message(12, 10, ((BUY, 100, 7),)))
    assert kept.snapshot(shot(11))[0] == Verdict.DROP and kept.book.side(BUY, 1) == [(100, 7)]


def test_disorder_is_a_gap_and_never_applied_backwards() -> None:
    kept = keeper()
    kept.snapshot(shot(10))
    kept.take(message(12, 10, ((BUY, 100, 7),)))
    assert kept.take(message(16, 14))[0] == Verdict.GAP
    assert kept.take(message(14, 12, ((BUY, 100, 9),)))[0] == Verdict.HOLD
    assert kept.book.side(BUY, 1) == [(100, 7)]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_lost_repeated_or_swapped_a_synced_book_is_the_venues(seed: int) -> None:
    draw = random.Random(seed)
    truth, kept, last = PlainBook(0), keeper(), 100
    states: dict[int, tuple[list[tuple[int, int]], list[tuple[int, int]]]] = {}
    stream = []
    for _ in range(400):
        levels = tuple((draw.randrange(2), draw.randrange(1, 60), draw.choice((0, 1, 2, 3))) for _ in range(draw.randrange(4)))
        levels = tuple((side, 100 - price if side == BUY else 100 + price, quantity) for side, price, quantity in levels)
        previous, last = last, last + draw.randrange(1, 4)
        stream.append(message(last, previous, levels))
        plain(stream[-1], truth)
        states[last] = (sorted(truth.sides[BUY].items(), reverse=True), sorted(truth.sides[SELL].items()))
    ids = sorted(states)
    damaged = [one for one in stream for _ in range(draw.choices((0, 1, 2), (2, 95, 3))[0])]
    for k in draw.sample(range(len(damaged) - 1), 5):
        damaged[k], damaged[k + 1] = damaged[k + 1], damaged[k]
    synced = 0
    for one in damaged:
        kept.take(one)
        if not kept.synced and draw.random() < 0.3:
            at_id = max(ids[0], int(one["ref"][0]) - draw.randrange(6))
            at_id = max(known for known in ids if known <= at_id)
            bids, asks = states[at_id]
            kept.snapshot(shot(at_id, tuple((BUY, *one) for one in bids) + tuple((SELL, *one) for one in asks)))
        if kept.synced:
            synced += 1
            assert (kept.book.side(BUY), kept.book.side(SELL)) == states[kept.book.last_id]
    assert synced > 100 and kept.gaps > 0


def test_a_full_side_forgets_its_deepest_level_and_says_so() -> None:
    book = rimbook.RimBook(codes.PROOF_NONE, capacity=32)
    book.take(shot(1, tuple((BUY, price, 1) for price in range(1, 41))))
    assert [price for price, _ in book.side(BUY)] == list(range(40, 8, -1))
    assert not book.complete(BUY) and book.complete(SELL)


@pytest.mark.parametrize("spoil", ["kind", "side", "price", "torn", "none"])
def test_what_is_no_message_never_enters_a_book(spoil: str) -> None:
    kept = keeper()
    kept.snapshot(shot(10))
    wrong = message(12, 10, ((BUY, 100, 7), (SELL, 101, 2)))
    if spoil == "torn":
        wrong = wrong[:1]
    elif spoil == "none":
        wrong = wrong[:0]
    else:
        wrong[spoil][1] = {"kind": codes.TRADE, "side": 7, "price": -1}[spoil]
    assert kept.take(wrong)[0] == Verdict.GAP and not kept.synced


def trades(*ids: int) -> Rows:
    made = rows(len(ids))
    made["kind"], made["marks"], made["ref"] = codes.TRADE, codes.WHOLE, ids
    return made


def test_trades_are_counted_by_their_ids() -> None:
    kept = TradeKeeper()
    assert kept.take(trades(7))[0] == Verdict.PASS
    assert kept.take(trades(8, 9, 9))[1]["ref"].tolist() == [8, 9]
    assert kept.take(trades(9))[0] == Verdict.DROP and kept.take(trades(8, 9))[0] == Verdict.DROP
    verdict, passed = kept.take(trades(13))
    assert (verdict, kept.missing, passed["ref"].tolist()) == (Verdict.GAP, (10, 12), [13])
    assert kept.snapshot(trades(9, 10, 11))[1]["ref"].tolist() == [10, 11] and kept.missing == (10, 12)
    assert kept.snapshot(trades(10, 11, 12, 13))[1]["ref"].tolist() == [10, 11, 12] and kept.missing is None
    assert kept.take(trades(14, 17))[0] == Verdict.GAP and kept.missing == (15, 16)


def test_best_quotes_never_go_back_where_they_are_numbered() -> None:
    ordered, free = OrderedKeeper(True), OrderedKeeper(False)
    for kept, second in ((ordered, Verdict.DROP), (free, Verdict.PASS)):
        assert [kept.take(trades(ref))[0] for ref in (5, 4, 5)] == [Verdict.PASS, second, Verdict.PASS]


def test_frames_and_heartbeats_are_counted() -> None:
    kept = FrameKeeper()
    assert [kept.frame(number) for number in (3, 4, 6, 7, 7)] == [True, True, False, True, False]
    assert [kept.beat(number) for number in (90, 91, 93)] == [True, True, False] and kept.missed == 3


def test_every_topic_has_its_keeper() -> None:
    assert isinstance(keeper_of(at.binance(), Topic(QUOTE, 0)), OrderedKeeper)
    assert isinstance(keeper_of(at.coinbase(), Topic(TRADE, 0)), TradeKeeper)
    book = keeper_of(at.coinbase(), Topic(DEPTH, 0))
    assert isinstance(book, BookKeeper) and not book.by_request and book.take(message(4))[0] == Verdict.DROP
