"""`tradewind paper`: the same run at the pace of time."""

from __future__ import annotations

from tradewind.domain.errors import BadUse
from tradewind.runtime.options import PaperOptions

from ..command import Answer, Command, Frame, call
from .backtest import KEYS, judged, told


def run(options: PaperOptions, frame: Frame) -> Answer:
    """Runs `runtime.paper.paper`, or `runtime.live_paper.live_paper` where no tape is named, under a live view."""
    loaded = judged(options, frame)
    if not 0 <= options.speed <= 1e6:  # NaN fails too
        raise BadUse(f"{options.speed} is out of range", where="--speed", expected="a number from 0 to 1000000", todo="correct it")
    _ = options.duration_ns  # a bad duration is told before anything is compiled
    with frame.emit.live() as watch:
        if options.tape is not None:
            result = call("paper", "paper", options, loaded, say=frame.emit.say, watch=watch)
        else:
            choice = call("live_source", "chosen", options)
            result = call("live_paper", "live_paper", options, loaded, choice, say=frame.emit.say, watch=watch)
    return told(result)


PAPER = Command(
    "paper", PaperOptions, KEYS, run, resume="run it again with the same --out: it recovers from the journal and goes on"
)
