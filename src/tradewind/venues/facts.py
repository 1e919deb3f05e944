"""Capability tables: what is known of each venue's limits and rules, by whom, as of when. `tradewind doctor` shows the guesses.

The names are the same for every venue, so that whoever keeps to a limit asks for it by name: `number(adapter.facts, "ws.life_s")`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tradewind.venues.adapter import GUESS, Fact

NAMES: dict[str, str] = {
    "ws.url": "address of the public socket",
    "ws.life_s": "a connection is cut after",
    "ws.ping_by": "who sends pings",
    "ws.ping_interval_s": "a ping comes every",
    "ws.pong_timeout_s": "cut when no pong came within",
    "ws.messages_per_s": "messages a client may send on a connection",
    "ws.streams_per_connection": "streams on a connection",
    "ws.connects_per_window": "new connections an address may open in a window",
    "ws.connect_window_s": "that window",
    "ws.silence_s": "nothing at all for so long is a broken connection",
    "ws.shutdown_notice": "what announces a cut",
    "rest.url": "address of the requests",
    "rest.weight_per_minute": "request weight an address may use in a minute",
    "rest.weight_header": "header with the weight used",
    "rest.wait_header": "header with the seconds to wait after a refusal",
    "rest.ban_status": "status of a ban",
    "rest.ban_s": "a ban lasts from, to",
    "book.depths": "depths a side that can be had",
    "book.join": "how changes join a snapshot",
    "book.proof": "what proves a book",
    "trade.ids": "rule of trade ids",
    "trade.side": "whose side a trade tells",
    "history.trades_page": "trades a page",
    "history.candles_page": "candles a page",
}


class Document:
    """A source, read on a date: makes the facts that stand in it."""

    def __init__(self, title: str, date: str) -> None:
        self.title, self.date = title, date

    def says(
        self, section: str, value: float | int | str | tuple[float | int | str, ...], unit: str = "", witness: str = GUESS
    ) -> Fact:
        """A fact of one section."""
        return Fact(
            value=value, unit=unit, source=f"{self.title}, {section}" if section else self.title, date=self.date, witness=witness
        )


def number(facts: Mapping[str, Fact], name: str, default: float = 0.0) -> float:
    """A fact's number; `default` where the venue has no such rule."""
    fact = facts.get(name)
    return default if fact is None or isinstance(fact.value, str | tuple) else float(fact.value)


def guesses(facts: Mapping[str, Fact]) -> Iterator[tuple[str, Fact]]:
    """Those nobody has been seen to confirm."""
    return ((name, fact) for name, fact in sorted(facts.items()) if fact.witness == GUESS)


def shown(fact: Fact) -> str:
    """A fact's value with its unit, for a table."""
    value = ", ".join(map(str, fact.value)) if isinstance(fact.value, tuple) else str(fact.value)
    return f"{value} {fact.unit}".strip()
