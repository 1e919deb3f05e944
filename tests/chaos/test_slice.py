"""A short slice of the simulator for every change: seeded faulty worlds through the whole machine, each under its auditor.

The long runs are campaigns (`campaign_audit.py`); what fails here fails within a minute, with its seed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.campaign_audit import run
from machines import default_machine

pytestmark = [pytest.mark.simulator, pytest.mark.timeout(600)]
SEEDS = range(41, 81)
ROWS = 6_000


@pytest.mark.parametrize("seed", SEEDS)
def test_a_faulty_world_leaves_money_and_machine_whole(seed: int, tmp_path: Path) -> None:
    found = run(seed, ROWS, default_machine(), tmp_path)
    assert found["verdict"] == "equal", found
    assert found["orders"] > 20, found


def test_a_seed_is_one_run_under_any_build(tmp_path: Path) -> None:
    """The same seed again, and by the machine nobody compiled: one line, to the last bit of the state."""
    compiled = run(SEEDS[0], 1_500, default_machine(), tmp_path / "compiled")
    assert run(SEEDS[0], 1_500, default_machine(), tmp_path / "again") == compiled
    assert run(SEEDS[0], 1_500, default_machine(compiled=False), tmp_path / "uncompiled") == compiled
    assert run(SEEDS[1], 1_500, default_machine(), tmp_path / "other")["digest"] != compiled["digest"]
