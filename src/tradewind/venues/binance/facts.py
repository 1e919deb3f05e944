"""What Binance's limits and rules are, and how far each is known."""

from __future__ import annotations

from tradewind.venues.adapter import Fact
from tradewind.venues.facts import Document

_STREAMS = Document("binance-spot-api-docs, web-socket-streams.md", "2026-07-21")
_REST = Document("binance-spot-api-docs, rest-api.md", "2026-07-21")
_ENUMS = Document("binance-spot-api-docs, enums.md", "2026-07-21")
_USDM = Document("developers.binance.com, USD-M Futures, Websocket Market Streams", "2026-11-22")
_USDM_REST = Document("developers.binance.com, USD-M Futures, General Info", "2026-11-22")
_OURS = Document("our own choice", "2026-11-22")
_RECORDED = "recording of 2024-08-08 (hftbacktest)"
_CCXT = "ccxt 4.5.90"

SPOT_FACTS: dict[str, Fact] = {
    "ws.url": _STREAMS.says("General WSS information", "wss://stream.binance.com:9443", witness=_CCXT),
    "ws.life_s": _STREAMS.says("General WSS information", 86_400, "s"),
    "ws.ping_by": _STREAMS.says("General WSS information", "server"),
    "ws.ping_interval_s": _STREAMS.says("General WSS information", 20, "s"),
    "ws.pong_timeout_s": _STREAMS.says("General WSS information", 60, "s"),
    "ws.messages_per_s": _STREAMS.says("WebSocket Limits", 5, "pings, pongs and requests", "nautilus_trader, subscription quota"),
    "ws.streams_per_connection": _STREAMS.says("WebSocket Limits", 1_024, witness=f"{_CCXT}, streamLimits"),
    "ws.connects_per_window": _STREAMS.says("WebSocket Limits", 300, "per address", "nautilus_trader, connection quota"),
    "ws.connect_window_s": _STREAMS.says("WebSocket Limits", 300, "s", "nautilus_trader, connection quota"),
    "ws.silence_s": _OURS.says("three pings missed", 60, "s"),
    "ws.shutdown_notice": _STREAMS.says("Server Shutdown", "serverShutdown"),
    "rest.url": _REST.says("General API Information", "https://api.binance.com", witness=_CCXT),
    "rest.weight_per_minute": _ENUMS.says("Rate limiters", 6_000, "weight", f"{_CCXT}: cost 0.2 a weight, 50 ms a cost"),
    "rest.weight_header": _REST.says("IP Limits", "x-mbx-used-weight-1m"),
    "rest.wait_header": _REST.says("IP Limits", "retry-after"),
    "rest.ban_status": _REST.says("HTTP Return Codes", 418, witness=_CCXT),
    "rest.ban_s": _REST.says("IP Limits", (120, 259_200), "s"),
    "book.depths": _REST.says("Order book", (5_000,), "levels by request", _CCXT),
    "book.join": _STREAMS.says(
        "How to manage a local order book correctly", "U - 1 <= lastUpdateId < u, then U = last u + 1", "", _RECORDED
    ),
    "book.proof": _STREAMS.says("How to manage a local order book correctly", "chained update ids", "", _RECORDED),
    "trade.ids": _STREAMS.says("Trade Streams", "count up by one", "per symbol", _RECORDED),
    "trade.side": _STREAMS.says("Trade Streams", "m: the buyer was the maker", "", _CCXT),
    "history.trades_page": _REST.says("Old trade lookup", 1_000, "weight 25", _CCXT),
    "history.candles_page": _REST.says("Kline/Candlestick data", 1_000, "weight 2", _CCXT),
}

USDM_FACTS: dict[str, Fact] = {
    "ws.url": _USDM.says(
        "/public: depth and best quote, /market: all others", "wss://fstream.binance.com", "", "go-binance pull request 809"
    ),
    "ws.life_s": _USDM.says("", 86_400, "s"),
    "ws.ping_by": _USDM.says("", "server"),
    "ws.ping_interval_s": _USDM.says("", 180, "s"),
    "ws.pong_timeout_s": _USDM.says("", 600, "s"),
    "ws.messages_per_s": _USDM.says("", 10, "pings, pongs and requests"),
    "ws.streams_per_connection": _USDM.says("", 200, "", f"{_CCXT}, streamLimits; nautilus_trader"),
    "ws.connects_per_window": _OURS.says("not documented: spot's", 300, "per address"),
    "ws.connect_window_s": _OURS.says("not documented: spot's", 300, "s"),
    "ws.silence_s": _OURS.says("mark prices come every second", 60, "s"),
    "ws.shutdown_notice": _OURS.says("not documented: spot's", "serverShutdown"),
    "rest.url": _USDM_REST.says("", "https://fapi.binance.com", "", _CCXT),
    "rest.weight_per_minute": _USDM_REST.says("LIMITS", 2_400, "weight"),
    "rest.weight_header": _USDM_REST.says("LIMITS", "x-mbx-used-weight-1m"),
    "rest.wait_header": _OURS.says("not documented: spot's", "retry-after"),
    "rest.ban_status": _USDM_REST.says("LIMITS", 418, "", _CCXT),
    "rest.ban_s": _USDM_REST.says("LIMITS", (120, 259_200), "s"),
    "book.depths": _USDM.says("Order Book", (1_000,), "levels by request", f"{_CCXT}: weight 20"),
    "book.join": _USDM.says(
        "How to manage a local order book correctly", "pu <= lastUpdateId < u, then pu = last u", "", _RECORDED
    ),
    "book.proof": _USDM.says("How to manage a local order book correctly", "chained update ids (pu)", "", _RECORDED),
    "trade.ids": _USDM.says("Aggregate Trade Streams", "a counts up by one", "per symbol"),
    "trade.side": _USDM.says("Aggregate Trade Streams", "m: the buyer was the maker", "", _CCXT),
    "history.trades_page": _USDM_REST.says("Compressed/Aggregate Trades List", 1_000, "weight 20", _CCXT),
    "history.candles_page": _USDM_REST.says("Kline/Candlestick Data", 1_000, "weight 5", f"{_CCXT}: 5 up to 1,000"),
}
