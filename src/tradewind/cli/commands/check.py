"""`tradewind check`: whether a plug-in holds what every plug-in must."""

from __future__ import annotations

from tradewind.runtime.options import CheckOptions

from ..command import Answer, Command, Frame, call, summary
from ..emit import Block, Table


def run(options: CheckOptions, frame: Frame) -> Answer:
    """Runs `runtime.check.check`; exit 1 where a check is not held."""
    found = summary(call("check", "check", options, say=frame.emit.say))
    rows = [("pass" if one["ok"] else "FAIL", one["name"], "; ".join(one["faults"]) or one["about"]) for one in found["checks"]]
    blocks: list[Block] = [Table(str(found["what"]), ("", "check", ""), rows)]
    if found["guesses"]:
        blocks.append(f"facts without a witness: {', '.join(found['guesses'])}")
    return Answer(found, blocks=blocks, exit_code=0 if found["ok"] else 1)


CHECK = Command("check", CheckOptions, ("ok", "what", "checks", "guesses"), run)
