"""`tradewind verify`: the proofs of a tape or journal, recomputed."""

from __future__ import annotations

from tradewind.domain.errors import BadUse
from tradewind.runtime.options import VerifyOptions
from tradewind.runtime.places import JOURNAL, TAPE, readable_folder

from ..command import Answer, Command, Frame, call, summary


def run(options: VerifyOptions, frame: Frame) -> Answer:
    """Runs `runtime.verify.verify`; damage is exit 3 and names the file and place."""
    marker = TAPE if (options.folder / TAPE).exists() else JOURNAL
    readable_folder(options.folder, "a tape or journal", marker, "give a folder that `import` or a run made")
    if (options.folder / TAPE).exists() and (options.folder / JOURNAL).exists():
        raise BadUse("the folder is both tape and journal", where=str(options.folder), expected="one of them", todo="separate them")
    return Answer(summary(call("verify", "verify", options, say=frame.emit.say)))


VERIFY = Command("verify", VerifyOptions, ("ok", "what", "rows", "segments", "digest"), run)
