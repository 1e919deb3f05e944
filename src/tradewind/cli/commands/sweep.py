"""`tradewind sweep`: one backtest per combination of parameters."""

from __future__ import annotations

import re

from tradewind.domain.errors import BadUse
from tradewind.runtime.options import SweepOptions

from ..command import Answer, Command, Frame, call, summary
from .backtest import judged

_AXIS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_]+=[-+0-9.eE]+(,[-+0-9.eE]+)*")


def run(options: SweepOptions, frame: Frame) -> Answer:
    """Runs `runtime.sweep.sweep`."""
    loaded = judged(options, frame)
    for axis in options.grid:
        if not _AXIS.fullmatch(axis):
            expected = "STRATEGY.PARAMETER=A,B,C such as sma_cross.fast=5,10,20"
            raise BadUse(f"{axis!r} is no axis", where="--grid", expected=expected, todo="name one parameter and its numbers")
    if options.workers < 0:
        raise BadUse(
            f"{options.workers} is negative", where="--workers", expected="a whole number from 0", todo="0 is one per core"
        )
    return Answer(summary(call("sweep", "sweep", options, loaded, say=frame.emit.say)))


KEYS = ("points", "best", "rows_per_s", "trials", "machine_hash")
SWEEP = Command("sweep", SweepOptions, KEYS, run, resume="run it again: points are shown and counted as trials when all are done")
