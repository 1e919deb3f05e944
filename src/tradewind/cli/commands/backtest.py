"""`tradewind backtest`: the configured strategies over a tape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tradewind.runtime.config import Loaded
from tradewind.runtime.options import BacktestOptions, PaperOptions, configured
from tradewind.runtime.places import readable_tape, writable_folder

from ..command import Answer, Command, Frame, call, summary
from ..emit import Table


def judged(options: BacktestOptions | PaperOptions, frame: Frame) -> Loaded:
    """The configuration, once the tape and the output folder are known to be usable."""
    loaded = configured(options, frame.environment)
    if options.tape is not None:
        readable_tape(options.tape)
    writable_folder(Path(loaded.config.run.out))
    _ = options.think  # a bad duration is told before anything is compiled
    return loaded


def run(options: BacktestOptions, frame: Frame) -> Answer:
    """Runs `runtime.backtest.backtest`."""
    loaded = judged(options, frame)
    return told(call("backtest", "backtest", options, loaded, say=frame.emit.say))


def told(result: Any) -> Answer:
    """A finished run for both readers: all of it as JSON; for a person the statistics, what happened, and where to look next."""
    data = summary(result)
    if getattr(result, "table", None) is None:
        return Answer(data)
    happened = [
        ("rows", f"{result.rows:,}" + (f" at {result.rows_per_s:,.0f} a second" if result.rows_per_s else "")),
        ("orders, fills", f"{result.orders:,}, {result.fills:,}"),
        ("quarantined", f"{result.quarantined:,}"),
        ("machine", result.machine_hash),
        ("digest", result.digest),
        ("report", result.report),
        ("prove it", f"tradewind replay {result.journal}"),
    ]
    if result.last_order is not None:
        happened.append(("ask it", f"tradewind why {result.last_order} --journal {result.journal}"))
    elif result.last_price is not None:
        happened.append(("ask it", f"tradewind why-not {' '.join(result.last_price)} --journal {result.journal}"))
    return Answer(data, ["", result.table, "", Table("", ("", ""), happened)])


KEYS = ("rows", "rows_per_s", "orders", "fills", "pnl", "statistics", "warnings", "digest", "machine_hash", "journal", "report")
BACKTEST = Command("backtest", BacktestOptions, KEYS, run, resume="run it again: an unfinished run changes nothing")
