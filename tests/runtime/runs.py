"""Runs that several test files look at; each is made once a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tradewind.runtime.backtest import Result, backtest
from tradewind.runtime.config import Loaded
from tradewind.runtime.demo import Demonstrated, run_demo
from tradewind.runtime.imports import import_files
from tradewind.runtime.options import BacktestOptions, Configured, DemoOptions, configured


@cache
def folder() -> Path:
    """A scratch folder of this process."""
    return Path(mkdtemp(prefix="tradewind-runs-"))


def loaded(options: Configured) -> Loaded:
    """The configuration of an empty environment."""
    return configured(options, {})


@cache
def demo(seconds: int = 10, seed: int = 1) -> Demonstrated:
    """A short demo."""
    options = DemoOptions(duration=f"{seconds}s", seed=seed, out=folder() / f"demo-{seconds}-{seed}")
    return run_demo(options, loaded(options), live=False)


@cache
def tape(shared: Path, form: str, *files: str) -> Path:
    """A recording as a tape."""
    out = folder() / f"tape-{form}-{len(files)}"
    import_files(form, [shared / file for file in files], out)
    return out


@cache
def over(path: Path, capital: str, *settings: str, strategies: tuple[str, ...] = ()) -> Result:
    """A backtest of a tape."""
    options = BacktestOptions(tape=path, capital=capital, strategy=list(strategies), set=list(settings), out=folder() / "out")
    return backtest(options, loaded(options))
