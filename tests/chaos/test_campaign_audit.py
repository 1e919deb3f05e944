"""The auditor over the whole machine: a slice of the campaign, and one line of its ledger once more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chaos.campaign_audit import run
from machines import default_machine
from tradewind.chaos import auditor

LEDGER = Path(__file__).resolve().parent.parent.parent / "docs" / "campaigns" / "audit.jsonl"


@pytest.mark.scenario
@pytest.mark.timeout(600)
def test_a_randomised_run_of_everything_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(2026, 60_000, default_machine(), tmp_path)
    assert found["differences"] == []
    assert found["verdict"] == "equal"
    assert min(found["fills"], found["twice"], found["stray"], found["realising"]) > 10, found
    honest = auditor.Audit._fee
    monkeypatch.setattr(auditor.Audit, "_fee", lambda self, order, amount, asset: honest(self, order, amount + 1, asset))
    assert run(2027, 4_000, default_machine(), tmp_path)["verdict"] == "DIFFERENT"


@pytest.mark.scenario
@pytest.mark.timeout(600)
def test_a_line_of_the_ledger_holds(tmp_path: Path) -> None:
    """The verdict under any machine, every figure under the one that wrote the line."""
    lines = [json.loads(text) for text in LEDGER.read_text().splitlines()]
    assert all(known["verdict"] == "equal" for known in lines)
    assert sum(known["journal_rows"] for known in lines) >= 1_000_000
    known = lines[-1]
    found = run(known["seed"], known["least"], default_machine(), tmp_path)
    assert found["verdict"] == "equal"
    if found["machine_hash"] == known["machine_hash"]:
        assert found == known
