"""`tradewind venue`: what is known of one venue of this installation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tradewind.checks.venue import adopted, unconfirmed
from tradewind.domain.errors import BadUse, NoRoom
from tradewind.venues import page, plugins
from tradewind.venues.emulators import kinds
from tradewind.venues.facts import NAMES, shown

from .options import VenueOptions


class Rule(msgspec.Struct, frozen=True):
    """One fact of a venue's capability table. witness: "" where nobody confirmed it."""

    name: str
    about: str
    value: str
    source: str
    date: str
    witness: str


class Known(msgspec.Struct, frozen=True):
    """What is known. subscriptions: (channel, frame); requests: (what for, request, weight)."""

    venue: str
    subscriptions: Sequence[tuple[str, str]]
    requests: Sequence[tuple[str, str, int]]
    rules: Sequence[Rule]
    guesses: Sequence[str]
    emulated: bool
    page: str  # where it was written to; "" where it was not


def venue(options: VenueOptions) -> Known:
    """Of the adapter itself. Raises BadUse where there is no such venue, or where it gives no examples to speak by."""
    name = plugins.canonical(options.name)
    adapter: Any = page.ours(name)
    if adapter is None:
        adapter = adopted(name, plugins.adapter_of(name)).adapter
    if options.page is not None:
        if options.page.is_dir():
            raise BadUse("a folder lies there", where=str(options.page), expected="a file's name")
        try:
            options.page.write_text(page.page_of(adapter), encoding="utf-8")
        except OSError as error:
            raise NoRoom(f"cannot be written: {error.strerror}", where=str(options.page)) from error
    rules = [
        Rule(key, NAMES.get(key, key), shown(fact), fact.source, fact.date, fact.witness) for key, fact in adapter.facts.items()
    ]
    return Known(
        name, page.sent(adapter), page.asked(adapter), rules, unconfirmed(adapter),
        (plugins.bridged(name) or name) in kinds.names(), str(options.page or ""),
    )  # fmt: skip
