"""The plain book and the compiled one find what is planted: a break, a wrong quote, a wrong quantity, a crossed book."""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain import codes
from tradewind.domain.instruments import units
from tradewind.domain.rows import Rows, rows
from tradewind.venues.binance.importer import BinanceImporter
from tradewind.venues.lines import Refusals
from tradewind.venues.weighing import Weighing
from tradewind.venues.witness import Findings, PlainBook, Witness

Level = tuple[int, int, int]  # side, price, quantity
START: list[Level] = [(codes.BUY, 100, 5), (codes.BUY, 99, 6), (codes.SELL, 101, 7), (codes.SELL, 103, 8)]


def depth(levels: list[Level], ref: int, value: int, marks: int = 0, crc: bool = False) -> Rows:
    out = rows(max(1, len(levels)))
    out["kind"], out["ref"] = codes.DEPTH, ref
    out["marks"] = marks if levels else marks | codes.EMPTY
    for index, (side, price, quantity) in enumerate(levels):
        out[index]["side"], out[index]["price"], out[index]["quantity"] = side, price, quantity
    out["marks"][0] |= codes.FIRST
    out["marks"][-1] |= codes.LAST
    out["value"][-1 if crc else 0] = value
    return out


def quote(bid: tuple[int, int], ask: tuple[int, int], ref: int) -> Rows:
    out = depth([(codes.BUY, *bid), (codes.SELL, *ask)], ref, 0)
    out["kind"] = codes.QUOTE
    return out


def findings(messages: list[Rows], proof: int = codes.PROOF_CHAIN, kept: int = 0) -> Findings:
    witness, weighing = Witness(), Weighing()
    for one in (witness, weighing):
        one.read(np.concatenate(messages), {0: proof}, {0: kept})
    assert weighing.findings == witness.findings
    return witness.findings


def snapshot(ref: int = 10) -> Rows:
    return depth(START, ref, 0, codes.SNAPSHOT)


def test_whole_chain_has_no_gap() -> None:
    found = findings([snapshot(), depth([(codes.BUY, 100, 0)], 12, 9), depth([], 15, 12), depth([(codes.SELL, 101, 1)], 16, 15)])
    assert found.gaps == 0


def test_break_is_counted_once_until_a_snapshot() -> None:
    broken = [
        snapshot(),
        depth([], 12, 10),
        depth([], 15, 13),
        depth([], 20, 18),
        snapshot(30),
        depth([], 31, 30),
        depth([], 35, 33),
    ]
    assert findings(broken).gaps == 2


def test_first_diff_must_reach_the_snapshot() -> None:
    assert findings([snapshot(10), depth([], 14, 11)]).gaps == 1
    assert findings([snapshot(10), depth([], 14, 10)]).gaps == 0
    assert findings([snapshot(10), depth([], 14, 3)]).gaps == 0


def test_quote_is_compared_at_the_same_id_only_before_or_after() -> None:
    diff = depth([(codes.BUY, 100, 9)], 12, 10)
    right, wrong = ((100, 9), (101, 7)), ((100, 8), (101, 7))
    assert findings([snapshot(), diff, quote(*right, 12)]).book_comparisons == 1
    assert findings([snapshot(), quote(*wrong, 12), diff]).book_mismatches == 1
    assert findings([snapshot(), diff, quote(*wrong, 12)]).book_mismatches == 1
    assert findings([snapshot(), quote(*wrong, 11), diff, quote(*wrong, 13)]).book_comparisons == 0


def test_removed_best_is_looked_for_again() -> None:
    diff = depth([(codes.BUY, 100, 0), (codes.SELL, 101, 0)], 12, 10)
    found = findings([snapshot(), diff, quote((99, 6), (103, 8), 12)])
    assert (found.book_comparisons, found.book_mismatches) == (1, 0)


def test_crossed_is_judged_at_message_end() -> None:
    passing = depth([(codes.BUY, 102, 1), (codes.SELL, 101, 0)], 12, 10)
    assert findings([snapshot(), passing]).crossed_at_message_end == 0
    assert findings([snapshot(), depth([(codes.BUY, 102, 1)], 12, 10)]).crossed_at_message_end == 1


def crc(text: str) -> int:
    return zlib.crc32(text.encode())


def test_checksum_over_kept_levels() -> None:
    good = [
        depth(START, 1, crc("1017" + "1038" + "1005" + "996"), codes.SNAPSHOT, crc=True),
        depth([(codes.BUY, 98, 1), (codes.SELL, 102, 2)], 2, crc("1017" + "1022" + "1005" + "996"), crc=True),
        depth([(codes.SELL, 101, 0)], 3, crc("1022" + "1005" + "996"), crc=True),
    ]
    found = findings(good, codes.PROOF_CRC32, kept=2)
    assert (found.checksum_checks, found.checksum_failures) == (3, 0)
    good[1]["quantity"][1] = 3
    found = findings(good, codes.PROOF_CRC32, kept=2)
    assert (found.checksum_failures, found.first_checksum_failure_ref, found.unverified_after_failure) == (1, 2, 1)


def test_kraken_worked_example(shared_data: Path) -> None:
    example = msgspec.json.decode((shared_data / "official/kraken_book_checksum_v2_example.json").read_bytes())
    book = PlainBook(10)
    for side, name in ((codes.BUY, "bids"), (codes.SELL, "asks")):
        for price, quantity in example[name]:
            book.set(side, units(price, 1), units(quantity, 8))
    assert book.crc32() == example["checksum"] == 3310070434


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 12), st.integers(0, 3)), max_size=200))
def test_remembered_best_equals_searched_best(levels: list[Level]) -> None:
    book = PlainBook(0)
    for side, price, quantity in levels:
        book.set(side, price, quantity)
        for which, pick in ((codes.BUY, max), (codes.SELL, min)):
            expected = pick(book.sides[which], default=0)
            assert book.best(which) == (expected, book.sides[which].get(expected, 0))


@pytest.mark.parametrize("name", ["spot_btcusdt", "usdm_btcusdt"])
def test_both_find_the_same_in_a_damaged_recording(shared_data: Path, name: str) -> None:
    path = shared_data / "ws" / "binance_hftbacktest" / f"{name}_20240808.gz"
    pieces, witness, weighing = list[Rows](), Witness(), Weighing()
    importer = BinanceImporter("binance-usdm" if name.startswith("usdm") else "binance", [path], Refusals())
    importer.run(pieces.append)
    draw = np.random.default_rng(3)
    for piece in pieces:
        whole = piece[:60_000]
        whole = whole[: np.flatnonzero(whole["marks"] & codes.LAST)[-1] + 1]
        changed = draw.integers(0, len(whole), 40)
        whole["quantity"][changed] += 1
        whole["value"][draw.integers(0, len(whole), 20)] += 1
        for one in (witness, weighing):
            one.read(whole, *importer.proofs())
    assert weighing.findings == witness.findings
    assert witness.findings.book_comparisons > 20 and witness.findings.book_mismatches > 0
