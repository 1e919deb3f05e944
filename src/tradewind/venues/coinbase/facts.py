"""What Coinbase's limits and rules are, and how far each is known."""

from __future__ import annotations

from tradewind.venues.adapter import Fact
from tradewind.venues.facts import Document

_WS = Document("docs.cdp.coinbase.com, Advanced Trade WebSocket", "2026-11-22")
_REST = Document("docs.cdp.coinbase.com, Advanced Trade public endpoints", "2026-11-22")
_OURS = Document("our own choice", "2026-11-22")
_CCXT, _RECORDED = "ccxt 4.5.90", "recording of 2026-08-24"

FACTS: dict[str, Fact] = {
    "ws.url": _WS.says("Overview", "wss://advanced-trade-ws.coinbase.com", "", _CCXT),
    "ws.ping_by": _WS.says("Heartbeats: a channel, once a second", "server"),
    "ws.messages_per_s": _WS.says("Rate Limits: unauthenticated, per address", 8, "requests"),
    "ws.streams_per_connection": _OURS.says("not documented", 1_000),
    "ws.connects_per_window": _WS.says(
        "Rate Limits (another page of theirs says 750)", 8, "per address", "nautilus_trader, connection quota"
    ),
    "ws.connect_window_s": _WS.says("Rate Limits", 1, "s", "nautilus_trader, connection quota"),
    "ws.silence_s": _WS.says("Heartbeats: once a second; quiet channels are closed within 60 to 90 s", 5, "s"),
    "rest.url": _REST.says("", "https://api.coinbase.com", "", _CCXT),
    "rest.weight_per_minute": _REST.says("Rate Limits: ten a second, per address", 600, "requests"),
    "rest.ban_status": _OURS.says("there are refusals, no bans", 429),
    "book.depths": _WS.says("Level2", (0,), "all levels", "recording of 2026-08-24, cut to 15"),
    "book.join": _WS.says("Level2", "the subscription's snapshot, then its updates", "", _RECORDED),
    "book.proof": _WS.says("Sequence numbers: count every frame of a connection", "sequence_num", "", _RECORDED),
    "trade.ids": _OURS.says(
        "not documented: they count up by one", "count up by one", "per product", "http_ticker sample of 2026-04-07"
    ),
    "trade.side": _WS.says("Market Trades: side", "the maker's", "", "http_ticker sample of 2026-04-07: SELL at the best ask"),
    "history.trades_page": _REST.says("Get Public Market Trades", 1_000, "the newest only"),
    "history.candles_page": _REST.says("Get Public Product Candles", 350),
}
