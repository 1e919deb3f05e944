"""A slice of the campaign of a day: ten minutes of thirty instruments, two kills, retention of two minutes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from replay.campaign_day import MOST_BYTES_A_ROW, Campaign, Day

LEDGER = Path(__file__).resolve().parent.parent.parent / "docs" / "campaigns" / "day.jsonl"


@pytest.mark.scenario
@pytest.mark.timeout(600)
def test_a_pruned_and_killed_run_ends_as_the_whole_one(tmp_path: Path) -> None:
    found = Campaign(Day(hours=1 / 6, retention_s=120.0, segment_rows=1 << 17, kills=2), tmp_path / "day").line()
    assert found["verdict"] == "equal", found
    assert found["rows_equal"]
    assert 0.0 < found["bytes_a_row"] <= MOST_BYTES_A_ROW
    assert len(found["killed_at_rows"]) == 2
    assert 0 < min(found["killed_at_rows"]) < found["rows"], "no kill came in the middle of the run"
    assert found["pruned_segments"] >= 3
    assert found["most_disk_pruned"] < 0.7 * found["most_disk_whole"], "retention left the disk as full as without it"
    assert found["snapshot_share_in_real_time"] < 0.01
    assert min(found["orders"], found["fills"]) > 500


def test_the_ledger_has_a_whole_day() -> None:
    lines = [json.loads(text) for text in LEDGER.read_text().splitlines()]
    day = [line for line in lines if line["hours"] >= 24]
    assert day
    assert all(line["verdict"] == "equal" and line["bytes_a_row"] <= MOST_BYTES_A_ROW for line in lines)
    assert all(line["most_disk_pruned"] < 0.2 * line["most_disk_whole"] for line in day)
