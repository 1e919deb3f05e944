"""Kill -9 with real processes: a handful here, the campaign beside this file does as many as it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.campaign_kills import Kills


@pytest.mark.scenario
@pytest.mark.timeout(600)
def test_killed_runs_end_as_the_unkilled_one(tmp_path: Path) -> None:
    kills = Kills(tmp_path)
    lines = [kills.kill(seed) for seed in range(6)]
    assert [line["verdict"] for line in lines] == ["equal"] * len(lines), lines
    assert any(0 < line["recorded"] < len(kills.expected) // 64 for line in lines), "no kill came in the middle of a run"
