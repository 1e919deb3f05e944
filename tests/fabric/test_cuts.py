"""A slice of the campaign of cuts, and its ledger."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tradewind.domain.rows import ROW

from .campaign_cuts import canonical, line


def test_killed_sockets_leave_no_trace_in_trades_and_candles() -> None:
    made = line(seed=77, seconds=80.0, kills=10)
    assert made["killed"] == 10
    assert made["verdict"] == "equal", made


def test_the_canonical_digest_sees_one_changed_bit_and_no_order() -> None:
    rows = np.zeros(40, ROW)
    rows["kind"], rows["ref"], rows["price"] = 3, np.arange(40), 100
    shuffled = rows[::-1].copy()
    shuffled["ts_local"], shuffled["stream_seq"], shuffled["marks"] = 5, 9, 32
    assert canonical(shuffled) == canonical(rows)
    shuffled["price"][7] ^= 1
    assert canonical(shuffled) != canonical(rows)
    assert canonical(rows[:-1]) != canonical(rows)


def test_the_ledger_says_what_it_must(repo: Path) -> None:
    lines = [json.loads(text) for text in (repo / "docs/campaigns/cuts.jsonl").read_text().splitlines()]
    assert sum(one["killed"] for one in lines) >= 1000
    assert {one["verdict"] for one in lines} == {"equal"}
