"""`tradewind backtest`: the configured strategies over a tape."""

from __future__ import annotations

from pathlib import Path

from tradewind.runtime.config import Loaded
from tradewind.runtime.options import BacktestOptions, configured
from tradewind.runtime.places import TAPE, readable_folder, writable_folder

from ..command import Answer, Command, Frame, call, summary


def judged(options: BacktestOptions, frame: Frame) -> Loaded:
    """The configuration, once the tape and the output folder are known to be usable."""
    loaded = configured(options, frame.environment)
    readable_folder(options.tape, "a tape", TAPE, "make one with `tradewind import FORMAT FILE... --out FOLDER`")
    writable_folder(Path(loaded.config.run.out))
    _ = options.think  # a bad duration is told before anything is compiled
    return loaded


def run(options: BacktestOptions, frame: Frame) -> Answer:
    """Runs `runtime.backtest.backtest`."""
    loaded = judged(options, frame)
    return Answer(summary(call("backtest", "backtest", options, loaded, say=frame.emit.say)))


KEYS = ("rows", "rows_per_s", "orders", "fills", "pnl", "statistics", "warnings", "digest", "machine_hash", "journal", "report")
BACKTEST = Command("backtest", BacktestOptions, KEYS, run, resume="run it again: an unfinished run changes nothing")
