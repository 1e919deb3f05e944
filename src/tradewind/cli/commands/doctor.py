"""`tradewind doctor`: whether this machine and configuration can run Tradewind."""

from __future__ import annotations

from tradewind.runtime.options import DoctorOptions

from ..command import Answer, Command, Frame, call, summary
from ..emit import Block, Table


def run(options: DoctorOptions, frame: Frame) -> Answer:
    """Runs `runtime.doctor.doctor`; exit 1 where something is broken, 2 where the configuration is."""
    report = summary(call("doctor", "doctor", options, frame.environment))
    blocks: list[Block] = []
    if not options.paths:
        rows = [(item.state, item.name, item.found, item.todo) for item in report["checks"]]
        blocks.append(Table("checks", ("", "what", "found", "to do"), rows))
        blocks.append(
            Table(
                "taken for granted until told",
                ("what", "value", "where to say it"),
                [(g.name, g.value, g.key) for g in report["guesses"]],
            )
        )
        told = [(g.name, g.value, g.key) for g in report["unconfirmed"]]
        blocks.append(Table("rules of venues nobody confirmed", ("what", "value", "document"), told))
    folders = [(item.name, item.path, _state(item.exists, item.writable), item.size_bytes) for item in report["paths"]]
    blocks.append(Table("folders", ("what", "path", "state", "bytes"), folders))
    return Answer(report, blocks=blocks, exit_code=report["exit_code"])


def _state(exists: bool, writable: bool) -> str:
    return ("there" if exists else "not yet there") + (", writable" if writable else ", not writable")


DOCTOR = Command("doctor", DoctorOptions, ("ok", "checks", "guesses", "unconfirmed", "paths"), run)
