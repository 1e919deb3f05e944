"""Kill -9 with real processes: a handful here, the campaign beside this file does as many as it is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from replay.campaign_kills import Kills

LEDGER = Path(__file__).resolve().parent.parent.parent / "docs" / "campaigns" / "kills.jsonl"


@pytest.mark.scenario
@pytest.mark.timeout(600)
def test_killed_runs_end_as_the_unkilled_one(tmp_path: Path) -> None:
    """New seeds, and two of the ledger once more: the verdict under any machine, the digest under the one that wrote the line."""
    kills = Kills(tmp_path)
    known = [json.loads(text) for text in LEDGER.read_text().splitlines()]
    assert [line["verdict"] for line in known] == ["equal"] * len(known)
    torn = [line for line in known if line.get("killed_in_write")] or known
    lines = [kills.kill(seed) for seed in (3, 4, 100, torn[-1]["seed"], known[-1]["seed"])]
    assert [line["verdict"] for line in lines] == ["equal"] * len(lines), lines
    assert any(0 < line["recorded"] < len(kills.expected) // 64 for line in lines), "no kill came in the middle of a run"
    assert any(line["torn_bytes"] > 0 for line in lines), "no kill tore a batch"
    for old, new in zip((torn[-1], known[-1]), lines[-2:], strict=True):
        assert new["machine_hash"] != old["machine_hash"] or new["digest"] == old["digest"], (old, new)
