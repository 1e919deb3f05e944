"""The template of `new strategy`: it is checked and backtested as it comes, and a misspelt parameter is found at its line."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tradewind.domain import codes
from tradewind.domain.instruments import Stream
from tradewind.engine.compose import Composition, Machine
from tradewind.runtime.bench_tapes import BAR_COIN, bars_tape
from tradewind.runtime.planning import Plan
from tradewind.runtime.strategyfile import load_strategy
from tradewind.storage.journal import JournalReader
from tradewind.storage.tape import TapeWriter


@pytest.fixture
def nobody_else_uses_alarms() -> Iterator[None]:
    """The test runner's own alarm stands aside for the length of a test."""
    handler, timer = signal.getsignal(signal.SIGALRM), signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, *timer)


@pytest.fixture
def bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tape of 300 one-minute bars, and machines that need no compiler."""

    def machine(self: Plan, **_: object) -> Machine:
        assert isinstance(self.composition, Composition)
        return Machine(self.composition, compiled=False)

    monkeypatch.setattr(Plan, "machine", machine)
    coin = msgspec.structs.replace(BAR_COIN, venue="binance")
    writer = TapeWriter(tmp_path / "bars", [coin], [Stream(venue="binance", channel="bar", instrument=0)], "test")
    writer.append(bars_tape(300))
    writer.close()
    return tmp_path / "bars"


def test_the_template_trades_at_once(run: Callable[..., Any], bars: Path) -> None:
    made = run("new", "strategy", "my_idea", "--json").data
    code, configuration = made["files"]
    strategy = load_strategy(Path(code), {"length": 20.0})
    assert strategy.parameters == {"length": 20.0, "size": 1.0}
    assert "--config strategies/my_idea.toml" in made["next"]
    told = run("backtest", "--config", configuration, "--tape", str(bars), "--capital", "100000 USDT", "--json")
    assert told.code == 0, told.err
    assert told.data["fills"] > 5
    pnl = told.data["pnl"]
    assert set(pnl) == {"my_idea", "(holdings)", "all"}
    assert pnl["my_idea"] + pnl["(holdings)"] == pytest.approx(pnl["all"])
    assert pnl["all"] == told.data["statistics"]["whole"]["pnl"]["value"], "one profit, wherever it is told"
    rows = list(JournalReader(Path(told.data["journal"])).rows())
    assert sum(int((part["kind"] == codes.WAKE).sum()) for part in rows) == 300


@pytest.mark.parametrize(
    ("kind", "near"), [("python:my_idea.py", "length"), ("swing", "slow"), ("sma_cross", "slow"), ("market_maker", "layers")]
)
def test_a_parameter_nobody_declared_is_named_with_its_line(run: Callable[..., Any], bars: Path, kind: str, near: str) -> None:
    run("new", "strategy", "my_idea", "--out", ".")
    Path("some.toml").write_text(f'[strategies.mine]\nkind = "{kind}"\n\n[strategies.mine.parameters]\n{near}x = 5\n')
    told = run("backtest", "--config", "some.toml", "--tape", str(bars), "--json")
    assert told.code == 2
    error = told.data["error"]
    assert f"{near}x" in error["what"]
    assert error["where"] == f"some.toml, line 5, key strategies.mine.parameters.{near}x"
    assert near in error["expected"]


BROKEN = """
class Mine:
    wakes = ("bar", "1m")
    parameters = {{}}

    def on_bar(self, bar, market):
        print("hello")
        {body}
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('boom')", "Mine failed: ValueError: boom"),
        ("raise SystemExit(7)", "Mine failed: SystemExit: 7"),
        ("return market.target(float('nan'))", "Mine failed: ValueError: cannot convert float NaN"),
        ("return market.nosuch", "Mine failed: AttributeError"),
        ("return 'buy'", "Mine answered 'buy'"),
        ("return market.target(1.0, price=1e30)", "Mine answered Target("),
        ("return market.feature('nosuch', 'x')", "the machine has no feature 'nosuch'"),
    ],
)
def test_a_strategy_that_fails_is_told_as_its_own_error(run: Callable[..., Any], bars: Path, body: str, said: str) -> None:
    Path("mine.py").write_text(BROKEN.format(body=body))
    Path("mine.toml").write_text('[strategies.mine]\nkind = "python:mine.py"\n')
    told = run("backtest", "--config", "mine.toml", "--tape", str(bars), "--json")
    error = told.data["error"]
    assert error["what"].startswith(said)
    assert "the 1m bar of binance:" in error["where"], "which bar it was asked about"
    assert error["code"] == told.code != 0 and told.data["rows"] is None
    assert "defect" not in error["todo"]
    if said.startswith("Mine failed"):
        assert f"{Path('mine.py').resolve()}, line 8" in error["where"]
    assert "hello" in told.err, "what a strategy prints goes to people, stdout has one line of JSON"


LOOPS = {
    "plain": "while True: pass",
    "swallowing": """while True:
            try: sum(range(1000))
            except Exception: pass""",
    "asleep": "__import__('time').sleep(60)",
}


@pytest.mark.parametrize("body", LOOPS.values(), ids=list(LOOPS))
def test_a_strategy_that_never_answers_is_told_and_ended(
    run: Callable[..., Any], bars: Path, body: str, nobody_else_uses_alarms: None
) -> None:
    """With the bar and the line it is at, first as a word, then as its own error; the process lives on without a timer."""
    Path("mine.py").write_text(BROKEN.format(body=body))
    Path("mine.toml").write_text('[strategies.mine]\nkind = "python:mine.py"\n')
    told = run("backtest", "--config", "mine.toml", "--tape", str(bars), "--json", "--set", "run.answer_limit_ns=400ms")
    error = told.data["error"]
    assert told.code == error["code"] != 0
    assert error["what"] == "Mine failed: Overdue: no answer within 0.4 s (run.answer_limit_ns)"
    place = f"{Path('mine.py').resolve()}, line "
    assert place in error["where"] and "the 1m bar of binance:" in error["where"]
    assert "Mine has been thinking for 0.1 s about the 1m bar of binance:" in told.err and place in told.err
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


SOME_LOOP = """
class Mine:
    wakes = ("bar", "1m")
    parameters = {"size": 1.0}

    def on_bar(self, bar, market):
        while self.parameters["size"] == 3.0:
            pass
        return market.target(1.0)
"""


def test_a_combination_of_a_sweep_that_never_answers_is_named(
    run: Callable[..., Any], bars: Path, nobody_else_uses_alarms: None
) -> None:
    Path("mine.py").write_text(SOME_LOOP)
    Path("mine.toml").write_text('[strategies.mine]\nkind = "python:mine.py"\n')
    told = run(
        "sweep", "--config", "mine.toml", "--tape", str(bars), "--grid", "mine.size=1,3,5", "--json",
        "--set", "run.answer_limit_ns=400ms",
    )  # fmt: skip
    error = told.data["error"]
    assert told.code == error["code"] == 1
    assert error["what"] == "Mine failed: Overdue: no answer within 0.4 s (run.answer_limit_ns)"
    assert error["where"].startswith("combination mine.size=3, ") and "the 1m bar of binance:" in error["where"]
    assert "mine.size=3" in error["todo"]
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_strategy_that_answers_in_time_is_left_alone(run: Callable[..., Any], bars: Path, nobody_else_uses_alarms: None) -> None:
    """Many quick answers are no long one, and slow ones change no digest."""
    Path("mine.toml").write_text('[strategies.mine]\nkind = "python:mine.py"\n')
    digests = set()
    for body in ("return market.target(1.0)", "__import__('time').sleep(0.002); return market.target(1.0)"):
        Path("mine.py").write_text(BROKEN.format(body=body))
        told = run("backtest", "--config", "mine.toml", "--tape", str(bars), "--json", "--set", "run.answer_limit_ns=100ms")
        assert told.code == 0 and "thinking" not in told.err
        digests.add(told.data["digest"])
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nosuch_module\n", "ModuleNotFoundError"),
        ("raise SystemExit(7)\n", "SystemExit: 7"),
        ("def f(:\n", "SyntaxError"),
        ("x = 1\n", "0 classes with on_bar"),
        ("class S:\n    wakes = ('bar', '1m')\n    def on_bar(self, bar, market): ...\n", "S.parameters is None"),
        ("class S:\n    parameters = {}\n    wakes = '1m'\n    def on_bar(self, bar, market): ...\n", "S.wakes is '1m'"),
        ("class S:\n    def __init__(self): 1 / 0\n    def on_bar(self, bar, market): ...\n", "ZeroDivisionError"),
    ],
)
def test_a_file_that_is_no_strategy_is_bad_use(run: Callable[..., Any], bars: Path, text: str, said: str) -> None:
    Path("mine.py").write_text(text)
    Path("mine.toml").write_text('[strategies.mine]\nkind = "python:mine.py"\n')
    told = run("backtest", "--config", "mine.toml", "--tape", str(bars), "--json")
    error = told.data["error"]
    assert (told.code, error["kind"]) == (2, "BadUse") and error["what"].startswith(said)
    assert "mine.py" in error["where"] and error["expected"] and error["todo"]
    assert not Path("out").exists(), "nothing was begun"
