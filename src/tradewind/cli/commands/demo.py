"""`tradewind demo`: the whole system on a seeded world."""

from __future__ import annotations

from pathlib import Path

from tradewind.runtime.options import DemoOptions, configured
from tradewind.runtime.places import writable_folder

from ..command import Answer, Command, Frame, call
from .backtest import told


def run(options: DemoOptions, frame: Frame) -> Answer:
    """Judges the options, then runs `runtime.demo.run_demo` under a live view."""
    loaded = configured(options, frame.environment)
    writable_folder(Path(loaded.config.run.out))
    _ = options.duration_ns  # a bad duration is told before anything is compiled
    with frame.emit.live() as watch:
        if options.source == "world":
            result = call("demo", "run_demo", options, loaded, say=frame.emit.say, watch=watch)
        else:
            result = call("demo", "run_live_demo", options, loaded, say=frame.emit.say, watch=watch)
    return told(result)


KEYS = (
    "venues", "strategies", "rows", "orders", "fills", "quarantined", "equity", "digest", "machine_hash", "journal", "report",
)  # fmt: skip
DEMO = Command("demo", DemoOptions, KEYS, run, resume="run it again: the same seed gives the same demo")
