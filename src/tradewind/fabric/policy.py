"""What is done when a capability is lost: one table, condition × capability → action. docs/policy.md is made from it.

A row says how far trading steps down, over what, and what the fabric does meanwhile. `access` acts on it: down at once, and back
one rung at a time when the capability stands again. Rows for the order path come with the live gateways.
"""

from __future__ import annotations

from typing import NamedTuple

from tradewind.domain import codes
from tradewind.domain.codes import ACTIVE, BACKFILLING, CANCEL_ONLY, CAUTIOUS, GAP, INVALID, REDUCE_ONLY, STALE, SYNCED, UNAVAILABLE

# Capabilities ------------------------------------------------------------------------------------------------------------
BOOK, QUOTES, TRADES, CANDLES, DERIVATIVES, HISTORY, CLOCK, REQUESTS, SOCKET, PROOF, TRUST = (
    "book", "quotes", "trades", "candles", "derivatives", "history", "clock", "requests", "socket", "proof", "trust",
)  # fmt: skip
CAPABILITIES = (BOOK, QUOTES, TRADES, CANDLES, DERIVATIVES, HISTORY, CLOCK, REQUESTS, SOCKET, PROOF, TRUST)
CAPABILITY_OF = {
    "depth": BOOK, "quote": QUOTES, "trade": TRADES, "bar": CANDLES, "funding": DERIVATIVES, "mark": DERIVATIVES,
    "open_interest": DERIVATIVES, "liquidation": DERIVATIVES,
}  # fmt: skip

# Scopes ------------------------------------------------------------------------------------------------------------------
INSTRUMENT, VENUE = "instrument", "venue"


class Action(NamedTuple):
    """What a loss means."""

    rung: int  # of the ladder: how much trading is left
    scope: str  # INSTRUMENT or VENUE
    fabric: str  # what the fabric does to get it back
    reads: str  # what readers may still use


_NOTHING = Action(ACTIVE, INSTRUMENT, "nothing", "everything")
POLICY: dict[tuple[int, str], Action] = {
    (UNAVAILABLE, BOOK): Action(REDUCE_ONLY, INSTRUMENT, "connect and subscribe, at a growing distance", "no book, no touch"),
    (GAP, BOOK): Action(REDUCE_ONLY, INSTRUMENT, "ask a new snapshot and join it", "no book, no touch"),
    (BACKFILLING, BOOK): Action(REDUCE_ONLY, INSTRUMENT, "hold changes until the snapshot is here", "no book, no touch"),
    (STALE, BOOK): Action(REDUCE_ONLY, INSTRUMENT, "subscribe again; REST polling where that does not help", "no book, no touch"),
    (INVALID, BOOK): Action(REDUCE_ONLY, INSTRUMENT, "subscribe again; three times in ten minutes degrade it", "no book, no touch"),
    (UNAVAILABLE, QUOTES): Action(CAUTIOUS, INSTRUMENT, "connect and subscribe", "the book's touch, unchecked"),
    (GAP, QUOTES): Action(CAUTIOUS, INSTRUMENT, "nothing: the next quote is whole", "the book's touch"),
    (BACKFILLING, QUOTES): Action(CAUTIOUS, INSTRUMENT, "poll by REST", "the book's touch"),
    (STALE, QUOTES): Action(CAUTIOUS, INSTRUMENT, "subscribe again", "the book's touch"),
    (INVALID, QUOTES): Action(CAUTIOUS, INSTRUMENT, "subscribe again", "the book's touch"),
    (UNAVAILABLE, TRADES): Action(CAUTIOUS, INSTRUMENT, "connect; ask history from the last id", "bars from quotes"),
    (GAP, TRADES): Action(CAUTIOUS, INSTRUMENT, "ask history; else mark the gap", "bars, tainted until the longest window passed"),
    (BACKFILLING, TRADES): Action(CAUTIOUS, INSTRUMENT, "hold live trades until history joins", "nothing newer than the gap"),
    (STALE, TRADES): Action(CAUTIOUS, INSTRUMENT, "ask history: is there really nothing?", "what was heard"),
    (INVALID, TRADES): Action(CAUTIOUS, INSTRUMENT, "subscribe again", "nothing"),
    (UNAVAILABLE, CANDLES): Action(ACTIVE, INSTRUMENT, "connect; ask history from the last bar", "own bars of trades"),
    (GAP, CANDLES): Action(CAUTIOUS, INSTRUMENT, "ask history; else mark the gap", "features warm up again"),
    (BACKFILLING, CANDLES): Action(ACTIVE, INSTRUMENT, "wait for history", "bars before the gap"),
    (STALE, CANDLES): Action(CAUTIOUS, INSTRUMENT, "subscribe again", "own bars of trades"),
    (INVALID, CANDLES): Action(CAUTIOUS, INSTRUMENT, "subscribe again", "own bars of trades"),
    (UNAVAILABLE, DERIVATIVES): Action(CAUTIOUS, INSTRUMENT, "connect; poll by REST", "the last value, with its age"),
    (STALE, DERIVATIVES): Action(CAUTIOUS, INSTRUMENT, "subscribe again", "the last value, with its age"),
    (UNAVAILABLE, HISTORY): Action(ACTIVE, VENUE, "gaps stay typed gaps", "everything heard live"),
    (UNAVAILABLE, CLOCK): Action(CAUTIOUS, VENUE, "measure again; local time counts", "venue times are not compared"),
    (STALE, CLOCK): Action(CAUTIOUS, VENUE, "measure again", "the last offset"),
    (UNAVAILABLE, REQUESTS): Action(CANCEL_ONLY, VENUE, "send nothing until the ban is over", "what sockets bring"),
    (STALE, REQUESTS): Action(CAUTIOUS, VENUE, "the budget is used up: wait; cancels have their own part", "everything"),
    (UNAVAILABLE, SOCKET): Action(CAUTIOUS, VENUE, "poll by REST, at a lower grade", "books and trades with the poll's age"),
    (INVALID, PROOF): Action(CAUTIOUS, VENUE, "let a broken book rest before it is subscribed again", "what proves itself"),
    (STALE, TRUST): Action(CAUTIOUS, INSTRUMENT, "nothing: its weight falls with its age", "the touch, with a smaller vote"),
    (INVALID, TRUST): Action(REDUCE_ONLY, INSTRUMENT, "join anew, ever more seldom", "no touch; it has no vote"),
}  # fmt: skip
"""Where a pair is missing the loss has no consequence of its own; SYNCED loses nothing."""


def action(condition: int, capability: str) -> Action:
    """What follows from `capability` standing in `condition`."""
    return POLICY.get((condition, capability), _NOTHING)


def page() -> str:
    """docs/policy.md."""
    from .streams import CONDITION_NAMES

    lines = [
        "# When something is lost", "",
        "<!-- Made by tools/pages.py from src/tradewind/fabric/policy.py. Do not edit. -->", "",
        "A stream is in one condition at a time; only `SYNCED` is read by default. The table says what a condition of a capability",
        "means: the rung trading steps down to, over what, what the fabric does to get it back, and what may still be read. A pair",
        "that is not in the table has no consequence of its own. A venue of the [bridge](bridge.md) has the same conditions and",
        "consequences; beside them, in every condition, its sizes are those of grade C.", "",
        "An instrument stands on the worst rung of what is lost of it and of its venue. A `RULE` row (`ACCESS`) tells the",
        "machine each change: down at once, back one rung at a time with 3 s of calm before each. In the first half minute of a",
        "feed, until it has once stood on `ACTIVE`, it goes up as fast as its streams come. Only streams the run follows count,",
        "and those that are silent by nature (liquidations) do not. What the rungs allow is told in [risk](risk.md).", "",
        "`requests` are `UNAVAILABLE` while the venue has told us to ask nothing (429 or 418), `STALE` while a minute's budget",
        "is spent; `clock` is `STALE` after five questions without an answer; `socket` is `UNAVAILABLE` after 30 s without any",
        "connection; `proof` is `INVALID` where three books of the venue failed their checksums in ten minutes; `trust` is",
        "`INVALID` when the machine has not believed the touch for 3 s, `STALE` below 0.6. `history` costs no rung and is not",
        "watched.", "",
        "| capability | condition | ladder | over | the fabric | readers may use |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for capability in CAPABILITIES:
        for condition in range(len(CONDITION_NAMES)):
            found = POLICY.get((condition, capability))
            if found is not None and condition != SYNCED:
                lines.append(
                    f"| {capability} | `{CONDITION_NAMES[condition]}` | `{codes.RUNG_NAMES[found.rung]}` | {found.scope} "
                    f"| {found.fabric} | {found.reads} |"
                )
    return "\n".join([*lines, "", *_transitions()]) + "\n"


def _transitions() -> list[str]:
    """The table of transitions as lines of a page."""
    from tradewind.domain import reasons

    from .streams import CONDITION_NAMES, TRANSITIONS

    lines = ["## What moves a stream", "", "| from | cause | to |", "|---|---|---|"]
    causes = sorted({(cause, after) for (_, cause), after in TRANSITIONS.items()})
    for cause, after in causes:
        starts = ", ".join(f"`{CONDITION_NAMES[x]}`" for x in range(len(CONDITION_NAMES)) if TRANSITIONS.get((x, cause)) == after)
        lines.append(f"| {starts} | `{reasons.name(cause)}`: {reasons.sentence(cause)} | `{CONDITION_NAMES[after]}` |")
    return [
        *lines,
        "",
        f"A `STREAM` row (kind {codes.STREAM}) carries each change on the tape: `value` is the condition, `ref` the cause.",
    ]
