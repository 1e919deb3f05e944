"""A short slice of the simulator for every change: seeded faulty worlds through the whole machine, each under its auditor.

The long runs are campaigns (`campaign_audit.py`); what fails here fails within a minute, with its seed.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest

from chaos import campaign_audit
from chaos.campaign_audit import run
from machines import default_machine
from tradewind.domain import codes, reasons
from tradewind.engine.prelude import Setup
from tradewind.simulation.world import World
from tradewind.storage.journal import JournalReader

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


def test_fills_of_nobody_step_the_ladder_down_under_any_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = campaign_audit.drawn_setup

    def wary(random: Random, world: World) -> Setup:
        setup = drawn(random, world)
        return msgspec.structs.replace(setup, limits=msgspec.structs.replace(setup.limits, max_suspense=0.01))

    monkeypatch.setattr(campaign_audit, "drawn_setup", wary)
    found = run(56, 3_000, default_machine(), tmp_path / "compiled")
    assert run(56, 3_000, default_machine(compiled=False), tmp_path / "uncompiled") == found
    assert found["verdict"] == "equal" and found["stray"] > 0
    journal = JournalReader(tmp_path / "compiled" / "journal-56")
    rows = [row for part in journal.rows() for row in part if row["kind"] in (codes.ALERT, codes.HALT)]
    assert [(int(x["kind"]), int(x["value"])) for x in rows] == [
        (codes.ALERT, reasons.SUSPENSE_TOO_LARGE),
        (codes.HALT, codes.REDUCE_ONLY),
    ]
