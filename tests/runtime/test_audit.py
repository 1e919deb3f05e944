"""`tradewind verify` audits a journal's money, and says where the auditor disagrees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tradewind.chaos import auditor
from tradewind.cli import main
from tradewind.domain.rows import rows
from tradewind.runtime.audit import decimal
from tradewind.storage import journal

from .runs import demo


@pytest.mark.scenario
def test_verify_audits_a_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    result = demo()
    assert main(["verify", result.journal, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["audit"]["agrees"], told["audit"]["differences"]) == (True, True, [])
    assert (told["audit"]["orders"], told["audit"]["fills"]) == (result.orders, result.fills)
    assert {place["strategy"] for place in told["positions"]} <= set(result.strategies)
    assert all(place["suspense"] == "0" for place in told["accounts"])
    assert main(["verify", result.journal]) == 0
    assert "agrees" in capsys.readouterr().err
    assert main(["verify", result.journal, "--json", "--bytes-only"]) == 0
    assert "audit" not in json.loads(capsys.readouterr().out)
    honest = auditor.Audit._fee
    monkeypatch.setattr(auditor.Audit, "_fee", lambda self, order, amount, asset: honest(self, order, amount + 1, asset))
    assert main(["verify", result.journal, "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["audit"]["agrees"]) == (False, False)
    assert told["audit"]["n_differences"] >= len(told["audit"]["differences"]) > 0


def test_a_journal_of_another_maker_is_only_proved(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    header = journal.JournalHeader(
        run="r", machine_hash="0", build="0", configuration="", instruments=[], made_by="a test", created_ts=0
    )
    with journal.JournalWriter(tmp_path / "j", header) as writer:
        writer.append(rows(3))
    assert main(["verify", str(tmp_path / "j"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["rows"], "audit" in json.loads(out), "not audited" in err) == (3, False, True)


@pytest.mark.parametrize(
    ("units", "exponent", "wanted"), [(0, 8, "0"), (-5, 2, "-0.05"), (1200, 2, "12"), (1, 0, "1"), (123, 1, "12.3")]
)
def test_decimals_are_exact(units: int, exponent: int, wanted: str) -> None:
    assert decimal(units, exponent) == wanted
