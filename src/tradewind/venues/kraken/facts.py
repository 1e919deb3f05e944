"""What Kraken's limits and rules are, and how far each is known."""

from __future__ import annotations

from tradewind.venues.adapter import Fact
from tradewind.venues.facts import Document

_WS = Document("docs.kraken.com, Spot WebSocket v2", "2026-11-22")
_REST = Document("docs.kraken.com, Spot REST", "2026-11-22")
_SUPPORT = Document("support.kraken.com, What are the API rate limits?", "2026-11-22")
_OURS = Document("our own choice", "2026-11-22")
_CCXT, _RECORDED = "ccxt 4.5.90", "recordings of 2023-07-30 and 2026-08-24"

FACTS: dict[str, Fact] = {
    "ws.url": _WS.says("Endpoints", "wss://ws.kraken.com", "/v2", _CCXT),
    "ws.ping_by": _WS.says("Ping", "client, where it wants to", "", _CCXT),
    "ws.ping_interval_s": _OURS.says("below the documented minute of inactivity", 30, "s"),
    "ws.messages_per_s": _OURS.says("the limit is not published", 5, "requests", "nautilus_trader calls it dynamic"),
    "ws.streams_per_connection": _OURS.says("not documented", 1_000),
    "ws.connects_per_window": _OURS.says("Cloudflare's about 150, told in the guides", 150, "per address"),
    "ws.connect_window_s": _OURS.says("Cloudflare's rolling ten minutes, told in the guides", 600, "s"),
    "ws.silence_s": _WS.says("Heartbeat: about once a second while something is subscribed", 5, "s", _RECORDED),
    "ws.shutdown_notice": _WS.says("Status: system is maintenance", "maintenance"),
    "rest.url": _REST.says("", "https://api.kraken.com", "", _CCXT),
    "rest.weight_per_minute": _SUPPORT.says(
        "Public (REST Market Data): one a second", 60, "requests", f"{_CCXT}, rateLimit 1,000 ms"
    ),
    "rest.ban_status": _OURS.says("limits are told as EGeneral:Too many requests with status 200, or 429", 429),
    "book.depths": _WS.says("Book: depth", (10, 25, 100, 500, 1_000), "levels", "recording of 2026-08-24 (10)"),
    "book.join": _WS.says("Book", "the subscription's snapshot, then its updates, cut to the depth", "", _RECORDED),
    "book.proof": _WS.says("Book checksum v2", "CRC32 of the best ten levels a side", "", _RECORDED),
    "trade.ids": _WS.says("Trade: trade_id", "count up by one", "per pair", "http_trades sample of 2025-11-10"),
    "trade.side": _WS.says("Trade: side", "the taker's", "", _CCXT),
    "history.trades_page": _REST.says("Get Recent Trades: count", 1_000, "by time"),
    "history.candles_page": _REST.says("Get OHLC Data", 720, "the newest only", _CCXT),
}
