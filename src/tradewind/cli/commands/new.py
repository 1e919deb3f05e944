"""`tradewind new strategy`: a small working strategy to change."""

from __future__ import annotations

from tradewind.runtime.options import ScaffoldOptions

from ..command import Answer, Command, Frame, call, summary


def run(options: ScaffoldOptions, frame: Frame) -> Answer:
    """Runs `runtime.scaffold.new_strategy`."""
    data = summary(call("scaffold", "new_strategy", options))
    lines = [*(f"wrote {file}" for file in data["files"]), f"next: {data['next']}"]
    return Answer(data, blocks=lines)


STRATEGY = Command("new strategy", ScaffoldOptions, ("name", "files", "next"), run)
