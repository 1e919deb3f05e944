"""Binance recordings: refusals by reason and place, joining, clamping, several files."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.rows import Rows
from tradewind.venues.binance.importer import BinanceImporter
from tradewind.venues.imported import Imported
from tradewind.venues.lines import Refusals

from .test_wire import TICKER, TRADE, USDM, wrap

NS = 1_723_161_254_000_000_000


def diff(first: int, last: int, bid: str = "100.00", symbol: str = "BTCUSDT") -> bytes:
    levels = f'"b":[["{bid}","1.00"]],"a":[]'
    text = f'{{"e":"depthUpdate","E":1723161255208,"s":"{symbol}","U":{first},"u":{last},{levels}}}'
    return wrap(b"depth@100ms", text.encode())


def snapshot(last: int) -> bytes:
    return f'{{"lastUpdateId":{last},"bids":[["99.00","2.00"]],"asks":[["101.00","3.00"]]}}'.encode()


def record(path: Path, messages: Sequence[bytes], step: int = 1_000_000, start: int = NS) -> Path:
    path.write_bytes(b"".join(b"%d %s\n" % (start + i * step, text) for i, text in enumerate(messages)))
    return path


def run(*files: Path, dialect: str = "binance") -> tuple[Rows, Imported, Refusals]:
    refusals, pieces = Refusals(), list[Rows]()
    imported = BinanceImporter(dialect, files, refusals).run(pieces.append)
    return np.concatenate(pieces), imported, refusals


def test_snapshot_takes_over_and_held_diffs_follow(tmp_path: Path) -> None:
    messages = [diff(1, 5), diff(6, 9), TICKER, diff(10, 14), snapshot(11), diff(15, 20)]
    rows, imported, refusals = run(record(tmp_path / "a", messages))
    depth = rows[rows["kind"] == codes.DEPTH]
    assert depth["ref"].tolist() == [11, 11, 14, 20]
    assert depth["ts_local"].tolist() == [NS + 4_000_000] * 3 + [NS + 5_000_000]
    assert depth["stream_seq"].tolist() == [1, 2, 3, 4]
    assert rows["kind"].tolist() == [codes.QUOTE] * 2 + [codes.DEPTH] * 4
    assert imported.notes["contained_in_snapshot"] == 2
    assert refusals.total == 0


def test_gap_is_passed_on_and_the_next_snapshot_is_a_resync(tmp_path: Path) -> None:
    messages = [diff(1, 5), snapshot(5), diff(6, 9), diff(11, 12), diff(13, 14), snapshot(13), diff(15, 16)]
    rows, imported, _ = run(record(tmp_path / "a", messages))
    firsts = rows[(rows["marks"] & codes.FIRST) != 0]
    assert firsts["ref"].tolist() == [5, 9, 12, 13, 14, 16]
    assert [bool(marks & codes.RESYNC) for marks in firsts["marks"].tolist()] == [False, False, False, True, False, False]
    assert imported.notes["chain_breaks"] == 1


def test_diffs_without_snapshot_are_counted(tmp_path: Path) -> None:
    rows, imported, _ = run(record(tmp_path / "a", [diff(1, 5), TICKER, diff(6, 9)]))
    assert set(rows["kind"].tolist()) == {codes.QUOTE}
    assert imported.notes["diffs_without_snapshot"] == 2


def test_local_time_never_falls(tmp_path: Path) -> None:
    path = record(tmp_path / "a", [TICKER, TICKER.replace(b":9,", b":10,"), TICKER.replace(b":9,", b":11,")], step=-1_000)
    rows, imported, _ = run(path)
    assert set(rows["ts_local"].tolist()) == {NS}
    assert imported.notes["clamped_ts_local"] == 2


def test_a_time_far_off_does_not_drag_the_rest(tmp_path: Path) -> None:
    lines = [
        b"%d %s" % (NS, diff(1, 5)),
        b"%d %s" % (NS + 100 * codes.DAY, diff(6, 7)),
        b"%d %s" % (NS + 100 * codes.DAY, TICKER),
        b"%d %s" % (NS + 1, TICKER),
    ]
    (tmp_path / "a").write_bytes(b"\n".join(lines))
    rows, imported, refusals = run(tmp_path / "a")
    assert rows["ts_local"].tolist() == [NS + 1, NS + 1]
    assert (refusals.total, imported.notes["clamped_ts_local"]) == (2, 0)


def test_every_bad_line_is_counted_with_its_place(tmp_path: Path) -> None:
    bad = {
        2: b"%d {" % NS,
        3: b"1723161254 " + TICKER,
        4: b"%d " % NS + TRADE.replace(b'"0.02"', b'"-1.0"'),
        5: b"%d " % NS + wrap(b"depth@0ms", USDM),
        6: b"\xff\xfe",
        7: b"%d " % NS + TICKER.replace(b'"u":9', b'"u":9,"u":9'),
        8: b"%d " % NS + TICKER.replace(b"BTCUSDT", b"BTCXYZ"),
        9: b"%d " % NS + TICKER.replace(b'"3.7"', b'"NaN"'),
    }
    good = b"%d %s" % (NS, TICKER)
    (tmp_path / "a").write_bytes(b"\n".join([good, *bad.values(), b"", b""]))
    rows, _, refusals = run(tmp_path / "a")
    assert len(rows) == 2
    assert refusals.total == len(bad)
    places = {int(refusal.where.rpartition(" ")[2]) for refusal in refusals.by_reason.values()}
    assert places == {2, 3, 4, 5, 7, 8, 9}  # line 6 has the reason of line 3
    assert any("binance-usdm" in reason for reason in refusals.by_reason)


def test_file_of_the_other_dialect_is_named(tmp_path: Path) -> None:
    path = record(tmp_path / "usdm.txt", [wrap(b"depth@0ms", USDM)] * 3)
    with pytest.raises(BadData, match=r"usdm\.txt.*a message of binance-usdm, not of binance.*line 1"):
        run(path)
    assert len(run(record(tmp_path / "b", [wrap(b"depth", USDM), snapshot(7)]), dialect="binance-usdm")[0]) == 2


@pytest.mark.parametrize(
    "content", [b"", b"PAR1" + bytes(5_000), b"a,b,c\n" * 5_000, gzip.compress(TICKER * 90)[:40]],
    ids=["empty", "parquet", "csv", "cut"],  # gzip writes the second: two workers would name the test differently
)  # fmt: skip
def test_foreign_file_is_bad_data(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "foreign").write_bytes(content)
    with pytest.raises(BadData, match=r"foreign.*expected a binance recording.*check the format"):
        run(tmp_path / "foreign")


def test_snapshot_of_an_unknown_symbol_is_refused(tmp_path: Path) -> None:
    messages = [diff(1, 5), diff(1, 5, symbol="ETHUSDT"), snapshot(3), TICKER]
    _, _, refusals = run(record(tmp_path / "a", messages))
    assert list(refusals.counts()) == ["a snapshot in a file of several symbols: whose is it?"]


def test_snapshot_before_its_symbol_waits_for_it(tmp_path: Path) -> None:
    rows, _, _ = run(record(tmp_path / "a", [snapshot(5), diff(6, 9)]))
    assert rows["ref"].tolist() == [5, 5, 9]


def test_one_stream_in_two_overlapping_files_comes_once(tmp_path: Path) -> None:
    tickers = [TICKER.replace(b":9,", b":%d," % (9 + k)) for k in range(20)]
    trades = [TRADE.replace(b'"t":3', b'"t":%d' % (3 + k)) for k in range(20)]
    diffs = [diff(6 + k, 6 + k) for k in range(20)]
    messages = [diff(1, 5), snapshot(5), *[text for three in zip(tickers, trades, diffs, strict=True) for text in three]]
    whole, _, _ = run(record(tmp_path / "whole", messages))
    record(tmp_path / "one", messages[:40])
    record(tmp_path / "two", messages[30:], start=NS + 30 * 1_000_000)
    joined, imported, refusals = run(tmp_path / "two", tmp_path / "one")
    assert np.array_equal(joined, whole)
    assert imported.notes["chain_breaks"] == 0
    assert imported.notes["repeated_quotes"] > 0
    assert imported.notes["missing_trade_ids"] == 0
    assert refusals.total == 0


def test_missing_trades_are_counted(tmp_path: Path) -> None:
    trades = [TRADE.replace(b'"t":3', b'"t":%d' % k) for k in (3, 4, 8, 9)]
    assert run(record(tmp_path / "a", trades))[1].notes["missing_trade_ids"] == 3


def test_two_symbols_are_merged_by_local_time(tmp_path: Path) -> None:
    other = [TICKER.replace(b"BTCUSDT", b"ETHUSDT").replace(b":9,", b":%d," % k) for k in range(1, 6)]
    mine = [TICKER.replace(b":9,", b":%d," % k) for k in range(1, 6)]
    rows, imported, _ = run(record(tmp_path / "a", mine), record(tmp_path / "b", other, start=NS + 500_000))
    assert rows["instrument"].tolist() == [0, 0, 1, 1] * 5
    assert (np.diff(rows["ts_local"]) >= 0).all()
    assert [made.name for made in imported.instruments] == ["binance:BTC/USDT", "binance:ETH/USDT"]
