"""Every planted bug is found, the honest rooms are not accused, and a bug whose text is gone is an error."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tradewind.chaos import planted
from tradewind.domain.errors import BadData

from . import nasty

ROWS = nasty.Nasty(7).rows(6_000)


def hunted(bug: planted.Planted | None, folder: Path) -> list[str]:
    facts = planted.load(planted.plant(bug, folder), nasty.FIELDS)
    return [*map(str, planted.hunt(facts, ROWS, nasty.fresh()))]


def test_the_honest_rooms_are_not_accused(tmp_path: Path) -> None:
    assert hunted(None, tmp_path / "honest") == []


@pytest.mark.parametrize("bug", planted.BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: planted.Planted, tmp_path: Path) -> None:
    assert hunted(bug, tmp_path / bug.name)


def test_the_bank_is_large_and_has_no_twins() -> None:
    assert len(planted.BUGS) >= 30
    assert len({bug.name for bug in planted.BUGS}) == len({(bug.file, bug.before, bug.after) for bug in planted.BUGS})
    assert len({bug.name for bug in planted.BUGS}) == len(planted.BUGS)


@pytest.mark.parametrize("before", ["this text stands nowhere", "s.fact"])
def test_a_bug_that_no_longer_applies_is_an_error(before: str, tmp_path: Path) -> None:
    gone = msgspec.structs.replace(planted.BUGS[0], before=before)
    with pytest.raises(BadData, match="finds its text"):
        planted.plant(gone, tmp_path / "gone")
