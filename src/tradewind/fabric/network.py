"""The transport over real sockets."""

from __future__ import annotations

from tradewind.venues.adapter import Answer, Ask

from . import websocket
from .http import Http
from .transport import Settings, Wire


class Network:
    """`transport.Transport` on the running loop's sockets."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._http = settings, Http(settings)

    async def connect(self, url: str) -> Wire:
        """An open WebSocket."""
        return await websocket.connect(url, self._settings)

    async def ask(self, base: str, ask: Ask) -> Answer:
        """One REST answer."""
        return await self._http.ask(base, ask)

    def close(self) -> None:
        """Lets idle connections go."""
        self._http.close()
