"""A slice of the campaign of a day: ten minutes of thirty instruments, two kills, retention of two minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.campaign_day import MOST_BYTES_A_ROW, Campaign, Day


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
