"""`tradewind truth score` and `tradewind truth plant`: how well false data is told from true."""

from __future__ import annotations

from tradewind.runtime.options import TruthPlantOptions, TruthScoreOptions
from tradewind.runtime.places import TAPE, readable_file, readable_tape, writable_folder

from ..command import Answer, Command, Frame, call, summary


def score(options: TruthScoreOptions, frame: Frame) -> Answer:
    """Runs `runtime.truthscore.score`."""
    readable_tape(options.tape)
    if options.faults is not None:
        readable_file(options.faults, "labels as JSON lines")
    return Answer(summary(call("truthscore", "score", options, say=frame.emit.say)))


def plant(options: TruthPlantOptions, frame: Frame) -> Answer:
    """Runs `runtime.truthscore.plant`."""
    readable_tape(options.tape)
    writable_folder(options.out, TAPE)
    return Answer(summary(call("truthscore", "plant", options, say=frame.emit.say)))


SCORE = Command("truth score", TruthScoreOptions, ("recall", "false_alarms_per_instrument_day", "delay"), score)
PLANT = Command("truth plant", TruthPlantOptions, ("tape", "faults", "labels"), plant)
