"""Exit codes, the JSON contract, escapes, and what happens when something breaks."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tradewind.cli import reference
from tradewind.cli.command import summary
from tradewind.cli.commands import COMMANDS
from tradewind.cli.emit import Emit, Table, blocks_of, escaped, plain
from tradewind.domain.errors import BadData, NoRoom

CONTRACT = {
    "demo": "venues strategies rows orders fills quarantined equity digest machine_hash journal report",
    "import": "rows instruments gaps checksum_failures book_mismatches refused first_ts last_ts",
    "backtest": "rows rows_per_s orders fills pnl statistics warnings digest machine_hash journal report",
    "replay": "equal first_difference rows commands digest",
    "bench": "item peer figure value unit",
}
WORDS = {
    "demo": ("demo",),
    "backtest": ("backtest", "--tape", "tape"),
    "paper": ("paper", "--tape", "tape"),
    "sweep": ("sweep", "--tape", "tape", "--grid", "sma_cross.fast=5,10"),
    "replay": ("replay", "journal"),
    "why": ("why", "7", "--journal", "journal"),
    "why-not": ("why-not", "kraken:BTC/USD", "2024-08-05T06:30:00", "--journal", "journal"),
    "bench": ("bench", "A"),
}
FUNCTIONS = {
    "demo": ("demo", "run_demo"), "why": ("why", "why"), "why-not": ("why", "why_not"),
    **{name: (name, name) for name in ("backtest", "paper", "sweep", "replay", "bench")},
}  # fmt: skip


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[..., Any]], None]:
    """Puts a function in the place of the one a command calls."""
    for name in ("tape", "journal"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.json").write_text("{}")

    def put(command: str, function: Callable[..., Any]) -> None:
        module, name = FUNCTIONS[command]
        made = types.ModuleType(f"tradewind.runtime.{module}")
        setattr(made, name, function)
        monkeypatch.setitem(sys.modules, made.__name__, made)

    return put


def whole(command: str) -> dict[str, Any]:
    keys = next(item.keys for item in COMMANDS if item.name == command)
    return {key: f"<{key}>" for key in keys} | ({"equal": True} if command == "replay" else {})


def test_contract_keys_are_promised() -> None:
    promised = {item.name: item.keys for item in COMMANDS}
    for name, keys in CONTRACT.items():
        assert set(keys.split()) <= set(promised[name])


@pytest.mark.parametrize("command", WORDS)
def test_answer_reaches_both_readers(command: str, run: Callable[..., Any], fake: Callable[..., None]) -> None:
    answer: Any = [whole(command)] if command == "bench" else whole(command)
    fake(command, lambda *_, **__: answer)
    told = run(*WORDS[command], "--json")
    assert told.code == 0
    assert told.data == whole(command)
    told = run(*WORDS[command])
    assert (told.code, told.out) == (0, "")
    assert "<" in told.err


@pytest.mark.parametrize("command", WORDS)
def test_failure_has_all_keys_and_its_code(command: str, run: Callable[..., Any], fake: Callable[..., None]) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise BadData("broken", where="row 7", expected="a whole row", todo="import again")

    fake(command, fail)
    told = run(*WORDS[command], "--json")
    assert told.code == 3
    wanted = {"what": "broken", "where": "row 7", "expected": "a whole row", "todo": "import again", "code": 3, "kind": "BadData"}
    assert told.data == {**dict.fromkeys(whole(command)), "error": wanted}


def test_options_reach_the_function(run: Callable[..., Any], fake: Callable[..., None]) -> None:
    seen: list[Any] = []

    def note(options: Any, loaded: Any, *, say: Callable[[str], None]) -> dict[str, Any]:
        seen.extend([options, loaded])
        say("working")
        return whole("backtest")

    fake("backtest", note)
    words = [
        "--capital",
        "500 EUR",
        "--strategy",
        "swing",
        "--strategy",
        "sma_cross",
        "--think-ns",
        "2ms",
        "--seed",
        "9",
        "--out",
        "o",
    ]
    told = run("backtest", "--tape", "tape", *words, "--json")
    assert told.code == 0
    assert told.err == "working\n"
    options, loaded = seen
    assert (options.tape, options.think) == (Path("tape"), 2_000_000)
    assert str(loaded.config.run.capital) == "500 EUR"
    assert (loaded.config.run.seed, loaded.config.run.out) == (9, "o")
    assert [name for name, item in loaded.config.strategies.items() if item.enabled] == ["swing", "sma_cross"]


def test_unequal_replay_is_bad_data(run: Callable[..., Any], fake: Callable[..., None]) -> None:
    fake("replay", lambda *_, **__: {**whole("replay"), "equal": False})
    assert run("replay", "journal", "--json").code == 3


def test_missing_key_is_null_and_said(run: Callable[..., Any], fake: Callable[..., None]) -> None:
    fake("demo", lambda *_, **__: {"rows": 1})
    told = run("demo", "--json")
    assert told.data == {**dict.fromkeys(whole("demo")), "rows": 1}
    assert "note: this answer has no venues" in told.err


@pytest.mark.parametrize(
    ("raised", "code", "what"),
    [
        (ZeroDivisionError("odd"), 1, "ZeroDivisionError: odd"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device", "x"), 1, "the disk is full"),
        (PermissionError(13, "Permission denied", "x"), 2, "permission denied"),
        (OSError(5, "Input/output error", "x"), 1, "the system refused: input/output error"),
        (NoRoom("full"), 1, "full"),
    ],
)
def test_whatever_breaks_is_told(
    raised: BaseException, code: int, what: str, run: Callable[..., Any], fake: Callable[..., None]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise raised

    fake("demo", fail)
    told = run("demo", "--json")
    assert told.code == code
    assert told.data["error"]["what"] == what
    assert told.data["error"]["code"] == code
    assert "Traceback" not in told.err


def test_interrupt_says_how_to_resume(run: Callable[..., Any], fake: Callable[..., None]) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    fake("paper", stop)
    assert "recovers from the journal" in run(*WORDS["paper"]).err


def test_traceback_only_on_request(run: Callable[..., Any], fake: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    fake("demo", lambda *_, **__: 1 / 0)
    assert "Traceback" not in run("demo").err
    monkeypatch.setenv("TRADEWIND_DEBUG", "1")
    assert "Traceback" in run("demo").err


def test_module_that_lacks_its_own_import_is_no_missing_command(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tradewind.storage", None)
    told = run("verify", "gone", "--json")
    assert told.code == 2
    monkeypatch.setitem(sys.modules, "tradewind.runtime.demo", None)
    assert "not built yet" in run("demo", "--json").data["error"]["what"]


# Output ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("bad", ["\x1b[31m", "\n", "\r", "\u202e", "\u2066", "\x07", "\x9b", "\u200b", "\u2028", "\ud800"])
def test_nothing_steers_the_terminal(bad: str) -> None:
    assert escaped(f"a{bad}b").isprintable()
    err = io.StringIO()
    emit = Emit(io.StringIO(), err, as_json=False)
    emit.say(f"x{bad}y [red]z[/red]")
    emit.show([Table(f"t{bad}", (f"c{bad}",), [(f"v{bad}",)]), f"w{bad}"])
    assert bad == "\n" or bad not in err.getvalue()
    assert "[red]z[/red]" in err.getvalue()
    assert "x\\n" in err.getvalue() or bad != "\n"


def test_json_has_only_what_json_knows() -> None:
    assert plain({"a": float("nan"), "b": np.int64(3), "c": Path("x"), "d": [np.float64("inf")], 5: None}) == {
        "a": None, "b": 3, "c": "x", "d": [None], "5": None,
    }  # fmt: skip
    out = io.StringIO()
    Emit(out, io.StringIO(), as_json=True).data({"x": "\x1b\u202e\n"})
    assert out.getvalue().isascii()
    assert json.loads(out.getvalue()) == {"x": "\x1b\u202e\n"}


def test_any_answer_can_be_viewed() -> None:
    blocks = blocks_of({"n": 3, "names": ["a", "b"], "pnl": {"swing": {"net": 1.5}}, "rows": [{"a": 1}, {"b": 2}], "few": {"x": 1}})
    tables = {block.title: block for block in blocks if isinstance(block, Table)}
    assert list(tables[""].rows) == [("n", 3), ("names", "a, b")]
    assert tables["pnl"].rows == [["swing", 1.5]]
    assert tables["rows"].rows == [[1, None], [None, 2]]
    assert tables["few"].rows == [("x", 1)]


def test_results_of_three_forms() -> None:
    class Result:
        def summary(self) -> dict[str, int]:
            return {"rows": 1}

    class Record(msgspec.Struct):
        rows: int

    assert summary(Result()) == summary(Record(1)) == summary({"rows": 1}) == {"rows": 1}
    with pytest.raises(TypeError):
        summary(3)


def test_live_view_is_silent_without_a_terminal() -> None:
    err = io.StringIO()
    with Emit(io.StringIO(), err, as_json=True).live() as watch:
        watch({"rows": 1})
    assert err.getvalue() == ""


# The process ---------------------------------------------------------------------------------------------------------------
def process(*words: str, **named: Any) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TRADEWIND_", "PYTHONDONTWRITE"))}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run([sys.executable, *words], env=environment, text=True, capture_output=True, timeout=60, **named)


def test_help_starts_fast_and_light(tmp_path: Path) -> None:
    heavy = "print('HEAVY', *({'numba', 'polars', 'numpy', 'plotly'} & set(sys.modules)))"
    code = f"import sys\nfrom tradewind.cli import main\nmain(['--help'])\n{heavy}"
    told = process("-c", code, cwd=tmp_path)
    assert told.stdout.rstrip().endswith("HEAVY")
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        assert process("-m", "tradewind.cli", "--help", cwd=tmp_path).returncode == 0
        times.append(time.perf_counter() - begin)
    assert min(times) < 1.0  # 0.1 s on an idle machine; the margin is for a busy one


def test_broken_pipe_is_quiet(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    words = [sys.executable, "-m", "tradewind.cli", "config", "show", "--json"]
    told = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, env=environment, cwd=tmp_path, timeout=60)
    os.close(writer)
    assert told.returncode == 141
    assert b"Traceback" not in told.stderr
    assert b"Exception ignored" not in told.stderr


def test_a_reader_of_words_that_went_away_is_quiet_too(tmp_path: Path) -> None:
    """`tradewind doctor 2>&1 | head`: what people read goes to stderr."""
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    words = [sys.executable, "-m", "tradewind.cli", "doctor"]
    told = subprocess.run(words, stdout=subprocess.PIPE, stderr=writer, env=environment, cwd=tmp_path, timeout=60)
    os.close(writer)
    assert (told.returncode, told.stdout) == (141, b"")


def test_every_command_has_help(run: Callable[..., Any]) -> None:
    for command in COMMANDS:
        told = run(*command.name.split(" "), "--help")
        assert told.code == 0
        assert "--json" in told.out


def test_page_is_made_from_the_commands(repo: Path) -> None:
    assert (repo / "docs" / "cli.md").read_text(encoding="utf-8") == reference.page(), "make it again: reference.page()"


@pytest.mark.parametrize(
    ("words", "code", "text"), [((), 0, "backtest"), (("new",), 2, ""), (("config", "show", "--help"), 0, "--origin")]
)
def test_no_command_gives_help(words: tuple[str, ...], code: int, text: str, run: Callable[..., Any]) -> None:
    told = run(*words)
    assert told.code == code
    assert text in told.out
    assert ("missing command" in told.err) == (code == 2)
