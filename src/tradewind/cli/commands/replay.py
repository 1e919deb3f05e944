"""`tradewind replay`: the machine again over a journal."""

from __future__ import annotations

from tradewind.runtime.options import ReplayOptions
from tradewind.runtime.places import JOURNAL, readable_folder

from ..command import Answer, Command, Frame, call, summary

UNEQUAL = 3  # a journal that its own machine does not reproduce cannot be believed


def run(options: ReplayOptions, frame: Frame) -> Answer:
    """Runs `runtime.replay.replay`; exit 3 where a command or the digest differs."""
    readable_folder(options.journal, "a journal", JOURNAL, "give the folder that a run printed as `journal`")
    data = summary(call("replay", "replay", options, say=frame.emit.say))
    return Answer(data, exit_code=0 if data.get("equal") else UNEQUAL)


KEYS = ("equal", "first_difference", "rows", "commands", "digest")
REPLAY = Command("replay", ReplayOptions, KEYS, run, resume="run it again: replay only reads")
