"""Kill -9 of a live run with real processes: one life killed by the clock, one inside a write; the campaign does many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runtime.campaign_live_kills import COUNTED, LiveKills, of_market
from tradewind.domain import codes
from tradewind.domain.instruments import Stream
from tradewind.domain.rows import rows as blank_rows

LEDGER = Path(__file__).resolve().parent.parent.parent / "docs" / "campaigns" / "live_kills.jsonl"
SEED = 74  # its kills: the clock, then inside a write


@pytest.fixture
def kills(tmp_path: Path) -> Iterator[LiveKills]:
    made = LiveKills(tmp_path)
    yield made
    made.close()


@pytest.mark.scenario
@pytest.mark.timeout(300)
def test_a_live_run_killed_twice_is_whole(kills: LiveKills) -> None:
    line = kills.kill(SEED, "outside", 2)
    assert line["verdict"] == "whole", line
    assert line["killed_after_s"] and line["killed_in_write"]
    assert line["sealed"] > 0


def test_the_ledger_holds_only_whole_runs() -> None:
    lines = [json.loads(text) for text in LEDGER.read_text().splitlines()]
    assert {line["way"] for line in lines} == {"cli", "outside"}
    assert [line["verdict"] for line in lines] == ["whole"] * len(lines)


def test_what_is_missing_or_told_twice_is_seen() -> None:
    told = blank_rows(6)
    told["kind"], told["stream_seq"], told["ref"] = codes.TRADE, np.arange(6), np.arange(100, 106)
    stream = Stream(venue="kraken", channel="trade", instrument=0)
    clean = {"holes": 0, "trades_twice": 0, "trades_missing": 0, "trade_gaps": 0, "time_back": 0}
    assert of_market(told, [stream], COUNTED) == clean
    assert of_market(told[[0, 1, 3, 4]], [stream], COUNTED) == clean | {"holes": 1, "trades_missing": 1}
    told["ref"][3] = 102
    told["ts_local"][2] = 7
    assert of_market(told, [stream], COUNTED) == clean | {"trades_twice": 1, "trades_missing": 1, "time_back": 1}
