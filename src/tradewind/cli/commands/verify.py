"""`tradewind verify`: the proofs of a tape or journal, recomputed, and a journal's money audited."""

from __future__ import annotations

from tradewind.domain.errors import BadUse
from tradewind.runtime.options import VerifyOptions
from tradewind.runtime.places import JOURNAL, MARKET, TAPE, readable_folder

from ..command import Answer, Command, Frame, call, summary

DISAGREES = 3


def run(options: VerifyOptions, frame: Frame) -> Answer:
    """Runs `runtime.verify.verify`; damage, or an audit that disagrees, is exit 3."""
    marker = next((name for name in (TAPE, MARKET) if (options.folder / name).exists()), JOURNAL)
    readable_folder(options.folder, "a tape, recording or journal", marker, "give a folder that `import` or a run made")
    if (options.folder / TAPE).exists() and (options.folder / JOURNAL).exists():
        raise BadUse("the folder is both tape and journal", where=str(options.folder), expected="one of them", todo="separate them")
    data = summary(call("verify", "verify", options, say=frame.emit.say))
    return Answer(data, exit_code=0 if data["ok"] else DISAGREES)


VERIFY = Command("verify", VerifyOptions, ("ok", "what", "rows", "segments", "digest"), run)
