"""`tradewind why` and `tradewind why-not`: the reasons behind an order, or behind none."""

from __future__ import annotations

import re
from datetime import datetime

from tradewind.domain.errors import BadUse
from tradewind.runtime.options import WhyNotOptions, WhyOptions
from tradewind.runtime.places import JOURNAL, readable_folder

from ..command import Answer, Command, Frame, call, summary

_FIND = "give the folder that a run printed as `journal`"


def why(options: WhyOptions, frame: Frame) -> Answer:
    """Runs `runtime.why.why`."""
    if not re.fullmatch(r"\d{1,19}", options.order, re.ASCII):
        expected = "a whole number as reports and journals print it"
        raise BadUse(
            f"{options.order!r} is no order id", where="tradewind why ORDER", expected=expected, todo="take one from the report"
        )
    readable_folder(options.journal, "a journal", JOURNAL, _FIND)
    return _told(call("why", "why", options, say=frame.emit.say))


def why_not(options: WhyNotOptions, frame: Frame) -> Answer:
    """Runs `runtime.why.why_not`."""
    if not re.fullmatch(r"[^:\s]+:[^/\s]+/[^\s]+", options.instrument):
        what, where = f"{options.instrument!r} is no instrument", "tradewind why-not INSTRUMENT"
        raise BadUse(
            what, where=where, expected="venue:BASE/QUOTE such as kraken:BTC/USD", todo="name one of the run's instruments"
        )
    if not options.time.isdecimal():
        try:
            datetime.fromisoformat(options.time)
        except ValueError:
            expected = "UTC such as 2024-08-05T06:30:00, or ns since 1970"
            raise BadUse(
                f"{options.time!r} is no time", where="tradewind why-not TIME", expected=expected, todo="correct it"
            ) from None
    readable_folder(options.journal, "a journal", JOURNAL, _FIND)
    return _told(call("why", "why_not", options, say=frame.emit.say))


def _told(result: object) -> Answer:
    """`text` is the explanation in words; people get it as it is."""
    data = summary(result)
    return Answer(data, blocks=str(data["text"]).splitlines() if data.get("text") else None)


WHY = Command("why", WhyOptions, ("order", "text", "evidence"), why)
WHY_NOT = Command("why-not", WhyNotOptions, ("instrument", "time", "text", "evidence"), why_not)
