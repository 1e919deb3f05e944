"""Bad input, one case a line: each error names file, key or line, what was expected and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SHOW = ("config", "show")


class Case(NamedTuple):
    """A configuration text and words that fail. `where` is what the error's place must contain."""

    name: str
    toml: str
    where: str
    words: tuple[str, ...] = SHOW
    environment: tuple[tuple[str, str], ...] = ()
    code: int = 2


def line(n: int, key: str) -> str:
    return f"tradewind.toml, line {n}, key {key}"


FILE = [
    Case("typo in a key", "[run]\ncapital = '5 USD'\nsed = 3", line(3, "run.sed")),
    Case("unknown section", "[rsk]\nmax_open_orders = 3", line(1, "rsk")),
    Case("key of another section", "[run]\nmax_open_orders = 3", line(2, "run.max_open_orders")),
    Case("key far from any other", "[run]\nzzzzzz = 3", line(2, "run.zzzzzz")),
    Case("key of a venue", "[venues.kraken]\nqueues = 'risk_averse'", line(2, "venues.kraken.queues")),
    Case("grade that is none", "[risk.collar_bps]\nD = 5", line(2, "risk.collar_bps.D")),
    Case("text for a number", "[run]\nseed = 'abc'", line(2, "run.seed")),
    Case("fraction for a whole number", "[run]\nseed = 1.5", line(2, "run.seed")),
    Case("negative seed", "[run]\nseed = -1", line(2, "run.seed")),
    Case("truth value for a number", "[risk]\nmax_open_orders = true", line(2, "risk.max_open_orders")),
    Case("number out of range", "[risk]\n\norders_per_second = 20000", line(3, "risk.orders_per_second")),
    Case("infinity", "[truth]\njump_bps = inf", line(2, "truth.jump_bps")),
    Case("not a number", "[truth]\njump_bps = nan", line(2, "truth.jump_bps")),
    Case("exponent that is absurd", "[truth]\njump_bps = 1e400", line(2, "truth.jump_bps")),
    Case("word for a truth value", "[venues.kraken]\npartial_fills = 'yes'", line(2, "venues.kraken.partial_fills")),
    Case("capital in words", "[run]\ncapital = 'much money indeed'", line(2, "run.capital")),
    Case("capital below zero", "[run]\ncapital = '-5 USD'", line(2, "run.capital")),
    Case("capital of zero", "[run]\ncapital = '0 USD'", line(2, "run.capital")),
    Case("capital beyond all money", "[run]\ncapital = '1e25 USD'", line(2, "run.capital")),
    Case("currency in small letters", "[run]\ncapital = '5 usd'", line(2, "run.capital")),
    Case("number text with two points", "[run]\ncapital = '1.000.000 USD'", line(2, "run.capital")),
    Case("unit that is none", "[venues.kraken]\norder_ns = '2 parsecs'", line(2, "venues.kraken.order_ns")),
    Case("duration without a unit", "[truth]\nstale_ns = '2.5'", line(2, "truth.stale_ns")),
    Case("duration as a float", "[truth]\nstale_ns = 2.5", line(2, "truth.stale_ns")),
    Case("duration out of range", "[venues.kraken]\norder_ns = '1h'", line(2, "venues.kraken.order_ns")),
    Case("duration below zero", "[venues.kraken]\norder_ns = -1", line(2, "venues.kraken.order_ns")),
    Case("part of a nanosecond", "[venues.kraken]\norder_ns = '0.5ns'", line(2, "venues.kraken.order_ns")),
    Case("snapshots too often", "[journal]\nsnapshot_every_ns = '1s'", line(2, "journal.snapshot_every_ns")),
    Case("percentage above 100", "[selector]\nshrinkage = '250%'", line(2, "selector.shrinkage")),
    Case("key twice", "[run]\nseed = 1\nseed = 2", "tradewind.toml, line 3"),
    Case("table twice", "[run]\nseed = 1\n[run]\nout = 'x'", "tradewind.toml, line 3"),
    Case("no TOML", "[run]\nseed = = 1", "tradewind.toml, line 2"),
    Case("text without end", "[run]\nout = 'x", "tradewind.toml, line 2"),
    Case("bare word", "[run]\nout = here", "tradewind.toml, line 2"),
    Case("value where a table belongs", "run = 3", line(1, "run")),
    Case("unknown queue model", "[venues.kraken]\nqueue = 'fifo'", line(2, "venues.kraken.queue")),
    Case("unknown durability", "[journal]\ndurability = 'disk'", line(2, "journal.durability")),
    Case("unknown timeframe", "[timeframes]\nnames = ['1m', '7m', '1h']", line(2, "timeframes.names")),
    Case("two timeframes", "[timeframes]\nnames = ['1m', '1h']", line(2, "timeframes.names")),
    Case("timeframes out of order", "[timeframes]\nnames = [\n '1h',\n '1m', '5m']", line(2, "timeframes.names")),
    Case("timeframe twice", "[timeframes]\nnames = ['1m', '1m', '5m']", line(2, "timeframes.names")),
    Case("one text for a list", "[timeframes]\nnames = '1m'", line(2, "timeframes.names")),
    Case("malformed instrument", "[strategies.swing]\ninstruments = ['BTCUSDT']", line(2, "strategies.swing.instruments")),
    Case("unknown kind of strategy", "[strategies.mine]\nkind = 'magic'", line(2, "strategies.mine.kind")),
    Case("strategy without a kind", "[strategies.mine]\nenabled = true", line(1, "strategies.mine.kind")),
    Case("Python file that is not there", "[strategies.mine]\nkind = 'python:gone.py'", line(2, "strategies.mine.kind")),
    Case(
        "shares above the whole",
        "[strategies.swing]\ncapital_share = 0.7\n[strategies.arbitrage]\ncapital_share = 0.5",
        line(4, "strategies.arbitrage.capital_share"),
    ),
    Case("parameter in words", "[strategies.swing]\nparameters = { fast = 'x' }", line(2, "strategies.swing.parameters.fast")),
    Case("unknown venue", "[venues.krakn]\norder_ns = '2ms'", line(1, "venues.krakn")),
    Case("unknown venue without keys", "[venues.zzzzzz]", line(1, "venues.zzzzzz")),
    Case("limit in another currency", "[risk]\nmax_order_notional = '5 EUR'", line(2, "risk.max_order_notional")),
    Case("limit below zero", "[risk]\nmax_order_notional = -5", line(2, "risk.max_order_notional")),
    Case("collar wider for the surer", "[risk.collar_bps]\nA = 300", line(2, "risk.collar_bps.A")),
    Case("trust the wrong way round", "[truth]\ntrust_leave = 0.9", line(2, "truth.trust_leave")),
    Case("escapes in a key", '[run]\n"se\\u001b[31med\\n\\u202e" = 1', "tradewind.toml, line 2"),
    Case("escapes in a value", '[run]\nout = "x\\u001b[31m\\u0007"', line(2, "run.out")),
]
ENVIRONMENT = [
    Case("typo in a variable", "", "variable TRADEWIND_RUN__SED", environment=(("TRADEWIND_RUN__SED", "3"),)),
    Case("one underscore in a variable", "", "variable TRADEWIND_RUN_SEED", environment=(("TRADEWIND_RUN_SEED", "3"),)),
    Case("bad value in a variable", "", "variable TRADEWIND_RUN__SEED", environment=(("TRADEWIND_RUN__SEED", "x"),)),
    Case(
        "variable of no strategy", "", "variable TRADEWIND_STRATEGIES__SWIMG__ENABLED",
        environment=(("TRADEWIND_STRATEGIES__SWIMG__ENABLED", "false"),),
    ),
    Case("variable that is a table", "", "variable TRADEWIND_RISK__COLLAR_BPS", environment=(("TRADEWIND_RISK__COLLAR_BPS", "3"),)),
]  # fmt: skip
OPTIONS = [
    Case("--set without a value", "", "--set", (*SHOW, "--set", "run.seed")),
    Case("--set of no key", "", "--set run.sed", (*SHOW, "--set", "run.sed=3")),
    Case("--set of what is no path", "", "--set", (*SHOW, "--set", "run..=3")),
    Case("--set of a table", "", "--set risk", (*SHOW, "--set", "risk=3")),
    Case("--capital below zero", "", "--capital", (*SHOW, "--capital", "-5")),
    Case("--currency that is none", "", "--currency", (*SHOW, "--currency", "dollars")),
    Case("--strategy unknown", "", "--strategy", (*SHOW, "--strategy", "swimg")),
    Case("--seed in words", "", "tradewind config show", (*SHOW, "--seed", "x")),
    Case("--config missing", "", "gone.toml", (*SHOW, "--config", "gone.toml")),
    Case("--config is a folder", "", "folder", (*SHOW, "--config", "folder")),
    Case("no command of ours", "", "tradewind", ("backtset",)),
    Case("no option of ours", "", "tradewind backtest", ("backtest", "--tap", "x")),
    Case("option that is missing", "", "tradewind backtest", ("backtest",)),
    Case("argument that is missing", "", "tradewind replay", ("replay",)),
    Case("option of another type", "", "tradewind bench", ("bench", "A", "--n", "many")),
    Case("escapes in an argument", "", "tradewind bench", ("bench", "A\x1b[31m\n\u202e")),
]
COMMANDS = [
    Case("demo for parsecs", "", "--duration", ("demo", "--duration", "10parsecs")),
    Case("demo for no time", "", "--duration", ("demo", "--duration", "0s")),
    Case("import of an unknown format", "", "FORMAT", ("import", "binanse", "file", "--out", "tape")),
    Case("import of a missing file", "", "gone.gz", ("import", "kraken", "gone.gz", "--out", "tape")),
    Case("import into a file", "", "file", ("import", "kraken", "file", "--out", "file")),
    Case("import into another's folder", "", "foreign", ("import", "kraken", "file", "--out", "foreign")),
    Case("import below a file", "", "file/tape", ("import", "kraken", "file", "--out", "file/tape")),
    Case("tape that is missing", "", "gone", ("backtest", "--tape", "gone")),
    Case("tape that is a file", "", "file", ("backtest", "--tape", "file")),
    Case("tape that is another folder", "", "foreign", ("backtest", "--tape", "foreign")),
    Case("tape that may not be read", "", "closed", ("backtest", "--tape", "closed")),
    Case("runs into a file", "", "file", ("backtest", "--tape", "tape", "--out", "file")),
    Case("think time without a unit", "", "--think-ns", ("backtest", "--tape", "tape", "--think-ns", "5 x")),
    Case("paper backwards", "", "--speed", ("paper", "--tape", "tape", "--speed", "-1")),
    Case("sweep over nothing", "", "--grid", ("sweep", "--tape", "tape", "--grid", "fast=3")),
    Case("sweep with no hands", "", "--workers", ("sweep", "--tape", "tape", "--grid", "s.f=3", "--workers", "-1")),
    Case("journal that is missing", "", "gone", ("replay", "gone")),
    Case("journal that is a tape", "", "tape", ("replay", "tape")),
    Case("order that is no number", "", "ORDER", ("why", "first", "--journal", "journal")),
    Case("time that is none", "", "TIME", ("why-not", "kraken:BTC/USD", "noon", "--journal", "journal")),
    Case("instrument that is none", "", "INSTRUMENT", ("why-not", "BTCUSD", "0", "--journal", "journal")),
    Case("bench of nothing", "", "ITEM", ("bench", "Z")),
    Case("bench of no rows", "", "--n", ("bench", "A", "--n", "0")),
    Case("strategy with a bad name", "", "NAME", ("new", "strategy", "My Idea")),
    Case("strategy with a word of Python", "", "NAME", ("new", "strategy", "class")),
    Case("strategy that ships", "", "NAME", ("new", "strategy", "swing")),
    Case("strategy that is there", "", "foreign/idea.py", ("new", "strategy", "idea", "--out", "foreign")),
    Case("strategy into a file", "", "file", ("new", "strategy", "idea", "--out", "file")),
    Case("proof of another folder", "", "foreign", ("verify", "foreign")),
    Case("tape with a broken manifest", "", "tape/tape.json", ("verify", "tape"), code=3),
]
CASES = FILE + ENVIRONMENT + OPTIONS + COMMANDS


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one of everything that can be in the way."""
    for name in ("folder", "foreign", "closed", "tape", "journal"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "foreign" / "idea.py").write_text("x")
    (tmp_path / "tape" / "tape.json").write_text("{")
    (tmp_path / "journal" / "journal.json").write_text("{")
    kept = Path.iterdir

    def iterdir(self: Path) -> Any:  # permissions do not stop the superuser, so the refusal is played
        if self.name == "closed":
            raise PermissionError(13, "Permission denied", str(self))
        return kept(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    return tmp_path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_error(case: Case, place: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, snapshots: Any) -> None:
    if case.toml:
        (place / "tradewind.toml").write_text(case.toml)
    for name, value in case.environment:
        monkeypatch.setenv(name, value)
    told = run(*case.words)
    assert told.code == case.code
    assert told.out == ""
    assert "\x1b" not in told.err
    assert "\u202e" not in told.err
    error = run(*case.words, "--json").data["error"]
    assert error["code"] == case.code
    assert case.where in error["where"]
    assert all(error[part] for part in ("what", "todo")), error
    assert error["expected"] or case.code == 3, error  # of damage there is no other expectation than none
    shown = " ".join(("tradewind", *(ascii(word)[1:-1] for word in case.words)))
    snapshots.check(case.name, f"$ {shown}\n{told.err.replace(str(place), '<here>')}exit {told.code}")


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)


def test_file_that_is_no_text(place: Path, run: Callable[..., Any]) -> None:
    (place / "tradewind.toml").write_bytes(b"[run]\nout = '\xff'\n")
    error = run(*SHOW, "--json").data["error"]
    assert error["where"] == "tradewind.toml, line 2"
    assert "UTF-8" in error["what"]


def test_file_that_is_too_large(place: Path, run: Callable[..., Any]) -> None:
    (place / "tradewind.toml").write_bytes(b"#" * ((1 << 20) + 1))
    assert run(*SHOW, "--json").data["error"]["what"] == "the file has 1048577 bytes"


def test_file_that_may_not_be_read(place: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    (place / "tradewind.toml").write_text("")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    error = run(*SHOW, "--json").data["error"]
    assert "Permission denied" in error["what"]
    assert error["where"] == "tradewind.toml"


def test_nothing_was_written_by_any_failure(place: Path, run: Callable[..., Any]) -> None:
    before = sorted(place.rglob("*"))
    for case in OPTIONS + COMMANDS:
        run(*case.words)
    assert sorted(place.rglob("*")) == before


def test_answer_is_one_json_line_also_on_failure(place: Path, run: Callable[..., Any]) -> None:
    told = run("backtest", "--tape", "gone", "--json")
    assert told.out.count("\n") == 1
    assert json.loads(told.out)["machine_hash"] is None
