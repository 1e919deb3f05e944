"""What Kraken's limits and rules are, and how far each is known."""

from __future__ import annotations

from tradewind.venues.adapter import Fact

FACTS: dict[str, Fact] = {
    "ws.base": Fact(value="wss://ws.kraken.com", source="docs.kraken.com Spot WebSocket v2", date="2026-11-22", witness="ccxt"),
}
