"""Scripted misbehaviour of one venue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .venue import Frame, Reply, Session


Levels = tuple[list[tuple[int, int]], list[tuple[int, int]]]
"""(price, size) of bids and of asks."""


class Faults:
    """Where a venue asks whether to misbehave. This is the honest one."""

    def refuse_request(self, path: str) -> Any:
        """A reply instead of the venue's own; None is none."""
        return None

    def after(self, path: str, reply: Reply) -> Reply:
        """The reply as it goes out."""
        return reply

    def frames(self, session: Session, channel: str, symbol: str, text: str) -> list[Frame]:
        """What goes out instead of a frame."""
        return [text]

    def skew_ns(self, ts_ns: int) -> int:
        """How far the venue's clock is off."""
        return 0

    def levels(self, symbol: str, levels: Levels) -> Levels:
        """The levels of a depth message as they go out."""
        return levels

    def foreign_weight(self) -> int:
        """What others at the same address have used of its budget."""
        return 0

    def subscribed(self, channel: str, topic: str) -> str:
        """The topic a client really gets for the one it asked; "" is none."""
        return topic

    def acked_symbol(self, channel: str, symbol: str) -> str:
        """The symbol an acknowledgement names."""
        return symbol

    def connecting(self) -> str:
        """What happens to a client that connects: "" is welcome, else reset, hang or 503."""
        return ""
