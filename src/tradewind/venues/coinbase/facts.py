"""What Coinbase's limits and rules are, and how far each is known."""

from __future__ import annotations

from tradewind.venues.adapter import Fact

_DOCS = "docs.cdp.coinbase.com Advanced Trade"
FACTS: dict[str, Fact] = {
    "ws.base": Fact(
        value="wss://advanced-trade-ws.coinbase.com", source=f"{_DOCS} WebSocket overview", date="2026-11-22", witness="ccxt"
    ),
}
