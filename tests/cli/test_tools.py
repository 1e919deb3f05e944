"""The commands that are whole already: config show, doctor, new strategy, verify, import."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradewind.cli.commands import imports
from tradewind.domain import codes
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import rows
from tradewind.runtime import doctor
from tradewind.storage.tape import TapeWriter


def test_show_says_where_values_come_from(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tradewind.toml").write_text("[run]\nseed = 2\n")
    monkeypatch.setenv("TRADEWIND_SELECTOR__PERIOD_NS", "2h")
    data = run("config", "show", "--origin", "--capital", "7 EUR", "--set", "risk.max_open_orders=5", "--json").data
    origins = {
        key: data["origins"][key] for key in ("run.seed", "run.capital", "selector.period_ns", "risk.max_open_orders", "run.out")
    }
    assert origins == {
        "run.seed": "tradewind.toml, line 2", "run.capital": "--capital", "run.out": "default",
        "selector.period_ns": "environment variable TRADEWIND_SELECTOR__PERIOD_NS",
        "risk.max_open_orders": "--set risk.max_open_orders",
    }  # fmt: skip
    assert (data["file"], data["config"]["selector.period_ns"]) == ("tradewind.toml", "2h")
    assert "origin" in run("config", "show", "--origin").err


# Doctor --------------------------------------------------------------------------------------------------------------------
def test_doctor_finds_this_machine_well(run: Callable[..., Any]) -> None:
    told = run("doctor", "--json")
    assert told.code == 0
    names = {check["name"]: check for check in told.data["checks"]}
    assert {"Python", "packages", "libraries", "CPU features", "clock", "compile cache", "disk here", "configuration"} <= set(names)
    assert {"capital", "fees of any venue", "order latency of any venue"} <= {guess["name"] for guess in told.data["guesses"]}


def test_doctor_tells_what_is_guessed_no_more_once_said(run: Callable[..., Any]) -> None:
    Path("tradewind.toml").write_text(
        "[run]\ncapital = '5 USD'\n[venues.kraken]\nmaker_bps = 16\ntaker_bps = 26\norder_ns = '9ms'\n"
    )
    assert {guess["name"] for guess in run("doctor", "--json").data["guesses"]} == {
        "feed latency of kraken",
        "report latency of kraken",
    }


def test_doctor_names_a_bad_configuration(run: Callable[..., Any]) -> None:
    Path("tradewind.toml").write_text("[run]\nsed = 2\n")
    told = run("doctor", "--json")
    assert (told.code, told.data["ok"]) == (2, False)
    bad = [check for check in told.data["checks"] if check["state"] == "bad"]
    assert [check["name"] for check in bad] == ["configuration"]
    assert "tradewind.toml, line 2, key run.sed" in bad[0]["found"]


def test_doctor_finds_what_cannot_be_written_and_what_is_missing(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("x")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "file/cache")
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package-of-ours"))
    told = run("doctor", "--json")
    assert told.code == 1
    assert {check["name"] for check in told.data["checks"] if check["state"] == "bad"} == {"compile cache", "packages"}


def test_doctor_lists_every_folder(run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TRADEWIND_DATA", str(tmp_path / "data"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_bytes(b"12345")
    places = {item["name"].split(" ")[0]: item for item in run("doctor", "--paths", "--json").data["paths"]}
    assert {"configuration", "runs", "data", "cache"} <= set(places)
    runs = places["runs"]
    assert (runs["path"], runs["exists"], runs["writable"], runs["size_bytes"]) == (str(tmp_path / "out"), True, True, 5)
    assert (places["cache"]["exists"], places["cache"]["writable"]) == (False, True)
    assert "not yet there" in run("doctor", "--paths").err
    assert not (tmp_path / "cache").exists()


def test_clock_step_is_the_smallest_seen() -> None:
    ticks = iter(range(0, 10_000_000, 100))
    assert doctor.clock_step_ns(lambda: next(ticks) // 500 * 500) == 500
    assert doctor.clock_step_ns(lambda: 7) == 1 << 62


# New strategy ------------------------------------------------------------------------------------------------------------------
def test_new_strategy_is_python_and_its_configuration_loads(run: Callable[..., Any]) -> None:
    told = run("new", "strategy", "my_idea", "--json")
    assert told.code == 0
    code, snippet = told.data["files"]
    tree = ast.parse(Path(code).read_text())
    made = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    assert made.name == "MyIdea"
    assert {node.name for node in made.body if isinstance(node, ast.FunctionDef)} >= {"on_bar"}
    shown = run("config", "show", "--config", snippet, "--json").data["config"]
    assert shown["strategies.my_idea.kind"] == "python:my_idea.py"
    assert "wrote" in run("new", "strategy", "other").err


# Verify and import ---------------------------------------------------------------------------------------------------------
def tape(folder: Path) -> None:
    one = Instrument(venue="kraken", symbol="XBT/USD", base="BTC", quote="USD", price_exponent=1, quantity_exponent=8)
    with TapeWriter(folder, [one], [Stream(venue="kraken", channel="depth", instrument=0)], "test") as writer:
        written = rows(3)
        written["kind"], written["ts_local"] = codes.CLOCK, 1
        writer.append(written)
        writer.close({})


def test_verify_proves_a_tape_and_finds_a_changed_byte(run: Callable[..., Any], tmp_path: Path) -> None:
    tape(tmp_path / "tape")
    data = run("verify", "tape", "--json").data
    assert (data["ok"], data["what"], data["rows"], data["segments"]) == (True, "tape", 3, 1)
    segment = next((tmp_path / "tape").glob("*.rows"))
    changed = bytearray(segment.read_bytes())
    changed[70] ^= 1
    segment.write_bytes(changed)
    told = run("verify", "tape", "--json")
    assert told.code == 3
    assert segment.name in told.data["error"]["where"]


def test_import_of_what_is_no_recording_is_bad_data(run: Callable[..., Any]) -> None:
    Path("file").write_text("hello\n")
    told = run("import", "kraken", "file", "--out", "tape", "--json")
    assert told.code == 3
    assert told.data["rows"] is None
    assert not Path("tape").exists()


def test_import_tells_each_file_once() -> None:
    said: list[str] = []
    progress = imports._progress(said.append)
    for file in ("a", "a", "b", "a"):
        progress(file, 1, 2_000_000)
    assert said == ["reading a (2.0 MB)", "reading b (2.0 MB)"]
