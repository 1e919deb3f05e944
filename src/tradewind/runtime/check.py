"""`tradewind check`: the public conformance suite over a plug-in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from tradewind.checks import data, sandbox, venue
from tradewind.checks.venue import Check, Subject
from tradewind.domain.errors import BadUse
from tradewind.fabric import series
from tradewind.venues import plugins
from tradewind.venues.facts import guesses

from .options import CheckOptions


def check(options: CheckOptions, *, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """{ok, what, checks, guesses}. Raises BadUse where there is no such plug-in, or nothing to check it by."""
    kind, colon, name = options.what.partition(":")
    if kind == "data" and name:
        return _data(options.what, name)
    if kind != "venue" or not colon or not name:
        raise BadUse(
            f"{options.what!r} names no plug-in", where="tradewind check", expected="venue:NAME or data:NAME",
            todo="such as venue:kraken",
        )  # fmt: skip
    name = plugins.canonical(name)
    adapter = plugins.adapter_of(name)
    checks = list[Check]()
    if sandbox.has_emulator(name):
        say("following the emulated venue")
        followed = asyncio.run(sandbox.follow(name, adapter))
        checks.append(
            venue.held(
                "sandbox", "Over sockets its books are SYNCED and equal the emulated venue's.", lambda: iter(followed.faults)
            )
        )
        subject = Subject(name, adapter, followed.frames)
    else:
        subject = venue.adopted(name, adapter)
    checks = [*venue.run(subject), *checks]
    return _told(options.what, checks, venue.unconfirmed(adapter))


def _data(what: str, name: str) -> dict[str, Any]:
    made = series.series_of(name)
    return _told(what, data.run(data.Subject(name, made)), [fact for fact, _ in guesses(made.facts)])


def _told(what: str, checks: list[Check], unconfirmed: Any) -> dict[str, Any]:
    told = [msgspec.to_builtins(one) for one in checks]
    return {"ok": all(one.ok for one in checks), "what": what, "checks": told, "guesses": unconfirmed}
