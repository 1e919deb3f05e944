"""What Binance's limits and rules are, and how far each is known."""

from __future__ import annotations

from tradewind.venues.adapter import Fact

_STREAMS, _REST = "binance-spot-api-docs web-socket-streams.md", "binance-spot-api-docs rest-api.md"
_SPOT_DATE, _USDM_DATE = "2026-07-21", "2026-11-22"
_USDM = "developers.binance.com USD-M futures"

SPOT_FACTS: dict[str, Fact] = {
    "ws.base": Fact(
        value="wss://stream.binance.com:9443", source=f"{_STREAMS}, General WSS information", date=_SPOT_DATE, witness="ccxt"
    ),
}
USDM_FACTS: dict[str, Fact] = {
    "ws.base": Fact(
        value="wss://fstream.binance.com", source=f"{_USDM}, Websocket Market Streams", date=_USDM_DATE, witness="ccxt"
    ),
}
