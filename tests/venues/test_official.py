"""Everything the venues print in their documents is read, or refused with a reason; nothing raises anything else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.venues.adapter import BAR, DEPTH, TRADE, Answer, Topic
from tradewind.venues.base import Market
from tradewind.venues.keepers import BookKeeper, Verdict

from . import venue as at

ADAPTERS: dict[str, Callable[[], Any]] = {"binance": at.binance, "usdm": at.usdm, "kraken": at.kraken, "coinbase": at.coinbase}


def examples(shared_data: Path) -> list[dict[str, Any]]:
    lines = gzip.decompress((shared_data / "official" / "binance_doc_examples.jsonl.gz").read_bytes()).splitlines()
    return [json.loads(line) for line in lines]


def payloads(shared_data: Path) -> list[bytes]:
    """Every example of every venue's documents and samples, as bytes; those that are no JSON as they were printed."""
    found = [json.dumps(one["json"]).encode() if one["raw"] is None else str(one["raw"]).encode() for one in examples(shared_data)]
    for name in ("binance", "kraken", "coinbase", "bybit"):
        found += [json.dumps(one).encode() for one in at.samples(shared_data, name).values()]
    filters = (shared_data / "official" / "binance_filter_examples.jsonl").read_bytes().splitlines()
    return [*found, *filters, (shared_data / "official" / "binance_error_codes.json").read_bytes()]


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_example_is_read_or_refused(shared_data: Path, name: str) -> None:
    adapter: Market = ADAPTERS[name]()
    told = {"rows": 0, "notices": 0, "refused": 0, "nothing": 0}
    for text in payloads(shared_data):
        reading = adapter.read(text, 7)
        kind = "refused" if reading.refused else "rows" if len(reading.rows) else "notices" if reading.notices else "nothing"
        told[kind] += 1
        assert all(one.reason for one in reading.refused)
    assert told["refused"] > 300 and told["rows"] > 3  # the others' messages, and requests, and what needs a key


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_answer_is_read_or_refused_with_a_typed_error(shared_data: Path, name: str) -> None:
    adapter: Any = ADAPTERS[name]()
    last = len(adapter.instruments) - 1  # the one with the most decimals
    depth, trade, bar = Topic(DEPTH, last), Topic(TRADE, last), Topic(BAR, last)
    readers: dict[str, Callable[[Answer], Any]] = {
        "instruments": lambda answer: adapter.read_instruments(answer, []),
        "snapshot": lambda answer: adapter.read_snapshot(depth, answer),
        "trades": lambda answer: adapter.read_trades(trade, answer),
        "candles": lambda answer: adapter.read_candles(bar, "1m", answer),
        "time": adapter.read_time,
    }
    read, reasons = dict.fromkeys(readers, 0), set[str]()
    for text in payloads(shared_data):
        for what, reader in readers.items():
            try:
                reader(at.answer(text))
                read[what] += 1
            except BadData as error:
                reasons.add(error.what)
    assert sum(count > 0 for count in read.values()) >= 3 and len(reasons) > 3 and all(reasons)


def test_documented_streams_of_binance_become_rows(shared_data: Path) -> None:
    streams = [one for one in examples(shared_data) if one["doc"] == "web-socket-streams.md"]
    wanted = {"Trade Streams": codes.TRADE, "Individual Symbol Book Ticker Streams": codes.QUOTE, "Diff. Depth Stream": codes.DEPTH}
    for heading, kind in wanted.items():
        (example,) = [one["json"] for one in streams if one["heading"] == heading]
        rows = at.binance().read(json.dumps(example).encode(), 7).rows
        assert set(rows["kind"].tolist()) == {kind}
    notices = [notice.code for one in streams for notice in at.binance().read(json.dumps(one["json"]).encode(), 7).notices]
    assert notices.count("shutdown") == 2 and notices.count("subscribed") >= 3


def test_the_worked_checksum_of_kraken_is_ours(shared_data: Path) -> None:
    example = json.loads((shared_data / "official" / "kraken_book_checksum_v2_example.json").read_text())
    checksum = next(value for value in example.values() if isinstance(value, int) and value > 1 << 24)
    sides = {
        side: ",".join(f'{{"price":{price},"qty":{quantity}}}' for price, quantity in example[side]) for side in ("bids", "asks")
    }
    frame = (
        f'{{"channel":"book","type":"snapshot","data":[{{"symbol":"BTC/USD","bids":[{sides["bids"]}],'
        f'"asks":[{sides["asks"]}],"checksum":{checksum}}}]}}'
    )
    for text in (frame, frame.replace(":[", ": [")):  # the fast way and the slow one
        kept = BookKeeper(codes.PROOF_CRC32, 10)
        assert kept.take(at.kraken().read(text.encode(), 7).rows)[0] == Verdict.PASS
