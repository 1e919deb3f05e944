"""`tradewind venue`: what is known of a venue, and what is only taken for granted."""

from __future__ import annotations

from tradewind.runtime.options import VenueOptions

from ..command import Answer, Command, Frame, call, summary
from ..emit import Block, Table


def run(options: VenueOptions, frame: Frame) -> Answer:
    """Runs `runtime.venue.venue`."""
    found = summary(call("venue", "venue", options))
    rules = [(x.name, x.value, x.witness or "GUESS", f"{x.source} ({x.date})") for x in found["rules"]]
    blocks: list[Block] = [
        Table("sent", ("channel", "frame"), list(found["subscriptions"])),
        Table("asked", ("for", "request", "weight"), [(x, y, str(z)) for x, y, z in found["requests"]]),
        Table("rules", ("rule", "value", "witness", "document"), rules),
        f"the sandbox {'emulates' if found['emulated'] else 'does not emulate'} {found['venue']}",
    ]
    return Answer(found, blocks=blocks)


VENUE = Command(
    "venue", VenueOptions, ("venue", "subscriptions", "requests", "rules", "guesses", "emulated", "page"), run
)  # fmt: skip
