"""What is told while something is compiled, and that nothing is told of what comes from the cache."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from tradewind.kernel import stages

PAGE = """
from tradewind.kernel.jit import compiled, entry
from tradewind.kernel.fixed import scale_e9

@compiled
def twice(x: int) -> int:
    return x + x

@compiled
def nobody(x: int) -> int:
    return x

@entry
def run(x: int) -> int:
    return twice(x) + scale_e9(x, 5)
"""


def test_an_entry_is_followed_from_its_rooms_to_its_code(
    tmp_path: Path, numba_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "page.py").write_text(PAGE)
    monkeypatch.syspath_prepend(tmp_path)
    told: list[stages.Stage] = []
    with stages.listening(told.append):
        run = importlib.import_module("some_package.page").run
        assert run(21) == 42
        assert run(1) == 2
    assert {stage.entry for stage in told} == {"page.run"}
    names = [stage.name for stage in told]
    assert names[0] == stages.ROOMS and list(dict.fromkeys(names)) == list(stages.SHARE)
    assert names.count(stages.DONE) == 1, "the second call came from memory"
    of = {stage.functions for stage in told}
    assert of == {len(stages.reached(run.py_func))} and max(of) >= 5
    assert told[0].lowered < max(of) == told[-1].lowered, "rooms that another test compiled count as lowered from the start"
    parts = [stage.part for stage in told]
    assert parts == sorted(parts) and parts[-1] == 1.0
    with stages.listening(told.append):
        run(2)
    assert len(told) == len(names)
    del sys.modules["some_package.page"]
