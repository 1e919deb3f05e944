"""`tradewind data record`: live feeds onto disk."""

from __future__ import annotations

from tradewind.runtime.options import RecordOptions
from tradewind.runtime.places import writable_folder

from ..command import Answer, Command, Frame, call, summary


def run(options: RecordOptions, frame: Frame) -> Answer:
    """Runs `runtime.record.record` under a live view."""
    writable_folder(options.out.parent)
    choice, duration = call("live_source", "chosen", options), options.duration_ns
    with frame.emit.live() as watch:
        found = summary(call("record", "record", choice, options.out, duration, say=frame.emit.say, watch=watch))
    told = {name: found[name] for name in ("rows", "source", "seconds", "folder")}
    return Answer(found, [f"{told['rows']:,} rows in {told['seconds']:.1f} s from {told['source']}: {told['folder']}"])


RECORD = Command(
    "data record", RecordOptions, ("rows", "source", "seconds", "folder", "venues"), run,
    resume="run it again with the same --out: it goes on, what was missed is asked of the venues' histories",
)  # fmt: skip
