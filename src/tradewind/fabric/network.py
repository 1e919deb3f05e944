"""The transport over real sockets; addresses of the bridge go to ccxt."""

from __future__ import annotations

from tradewind.venues.adapter import Answer, Ask

from . import websocket
from .bridge import Bridge
from .ccxtmade import is_bridged
from .http import Http
from .transport import Settings, Wire


class Network:
    """`transport.Transport` on the running loop's sockets."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._http, self._bridge = settings, Http(settings), Bridge(settings)

    async def connect(self, url: str) -> Wire:
        """An open WebSocket."""
        return await (self._bridge.connect(url) if is_bridged(url) else websocket.connect(url, self._settings))

    async def ask(self, base: str, ask: Ask) -> Answer:
        """One REST answer."""
        return await (self._bridge.ask(base, ask) if is_bridged(base) else self._http.ask(base, ask))

    def close(self) -> None:
        """Lets idle connections go."""
        self._http.close()

    async def aclose(self) -> None:
        """The same, and waits for the bridge, whose sessions take a moment to end."""
        self.close()
        await self._bridge.aclose()
