"""A venue on a socket: aiohttp in front of a `Venue`, one port for REST and WebSocket.

aiohttp is imported when a server starts: the engine process, which shares this package, never loads it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from .faults import Frame, Raw
from .venue import GOING_AWAY, NO_ROOM, Session, Venue

if TYPE_CHECKING:
    from aiohttp import web

MOST_WAITING = 100_000  # frames a client may leave unread before it is put out
LARGEST_REQUEST = 1 << 16
CLOSE_WITHIN_S = 1.0
DRIPS_PER_S = 20


class Line:
    """The way to one client: frames wait here until the socket takes them."""

    def __init__(self, session: Session, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self.session, self._socket, self._transport = session, socket, transport
        self._waiting: deque[Frame | _Ping | _End] = deque()
        self._wake = asyncio.Event()
        session.send, session.ping, session.end = self.send, self._ping, self._end
        session.drop, session.write = self._drop, self._write_raw

    def send(self, frame: Frame) -> None:
        """Puts a frame in line."""
        if len(self._waiting) > MOST_WAITING:
            self._waiting.clear()
            self._end(NO_ROOM, "slow consumer")
        elif not self.session.holed:
            self._waiting.append(frame)
            self._wake.set()

    def _ping(self, payload: bytes) -> None:
        self._waiting.append(_Ping(payload))
        self._wake.set()

    def _end(self, code: int, reason: str) -> None:
        self._waiting.append(_End(code, reason))
        self._wake.set()

    def _drop(self) -> None:
        """Cuts the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _write_raw(self, data: bytes) -> int:
        if self._transport is None or self._transport.is_closing():
            return 0
        if data:
            self._transport.write(data)
        return self._transport.get_write_buffer_size()

    async def write(self) -> None:
        """Writes until the session ends."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                item = self._waiting.popleft()
                if self.session.holed:
                    continue
                if isinstance(item, _End):
                    await asyncio.wait_for(self._socket.close(code=item.code, message=item.reason.encode()), CLOSE_WITHIN_S)
                    return
                await self._put(item)

    async def _put(self, item: Frame | _Ping) -> None:
        if isinstance(item, _Ping):
            await self._socket.ping(item.payload)
        elif isinstance(item, str):
            await self._socket.send_str(item)
        elif isinstance(item, Raw):
            await self._put_raw(item)
        else:
            await self._socket.send_bytes(item)

    async def _put_raw(self, item: Raw) -> None:
        from aiohttp import WSMsgType

        if not item.bytes_per_s or self._transport is None:
            await self._socket.send_frame(item.payload, WSMsgType.TEXT if item.text else WSMsgType.BINARY)
            return
        whole = _header(len(item.payload)) + item.payload
        step = max(1, int(item.bytes_per_s / DRIPS_PER_S))
        for start in range(0, len(whole), step):
            self._transport.write(whole[start : start + step])
            await asyncio.sleep(1 / DRIPS_PER_S)


def _header(size: int) -> bytes:
    """The head of one unmasked text frame (RFC 6455, 5.2)."""
    if size < 126:
        return bytes((0x81, size))
    return b"\x81\x7e" + size.to_bytes(2, "big") if size < 1 << 16 else b"\x81\x7f" + size.to_bytes(8, "big")


class _Ping:
    def __init__(self, payload: bytes) -> None:
        self.payload = payload


class _End:
    def __init__(self, code: int, reason: str) -> None:
        self.code, self.reason = code, reason


class Server:
    """Serves one venue on loopback."""

    def __init__(self, venue: Venue, host: str = "127.0.0.1") -> None:
        self.venue, self.host = venue, host
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._sockets: set[web.WebSocketResponse] = set()
        self._made = 0

    @property
    def rest(self) -> str:
        """The address of the REST side."""
        return f"http://{self.host}:{self.port}"

    @property
    def ws(self) -> str:
        """The address of the WebSocket side."""
        return f"ws://{self.host}:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Begins to listen; port 0 takes a free one. Raises OSError where the port is taken."""
        from aiohttp import web

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_WITHIN_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Ends every session and stops listening."""
        for socket in list(self._sockets):
            await asyncio.wait({asyncio.ensure_future(socket.close(code=GOING_AWAY))}, timeout=CLOSE_WITHIN_S)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._session(request)
        if request.method != "GET":
            return web.Response(status=405)
        reply = self.venue.answer(request.path, dict(request.query))
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        return web.Response(text=reply.body, status=reply.status, headers=reply.headers, content_type="application/json")

    async def _session(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        if not self.venue.serves(request.path):
            return web.Response(status=404)
        if not self.venue.may_connect():
            return web.Response(status=429, text="Too many connections")
        how = self.venue.faults.connecting()
        if how == "reset" and request.transport is not None:
            request.transport.abort()
        if how == "hang":
            await asyncio.Event().wait()
        if how:
            return web.Response(status=503, text="Service Unavailable")
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=LARGEST_REQUEST, timeout=CLOSE_WITHIN_S)
        await socket.prepare(request)
        self._made += 1
        session = Session(self._made, request.path, dict(request.query), self.venue.stage.now_ns)
        session.sequence = self.venue.first_sequence
        self._sockets.add(socket)
        try:
            await self._serve(socket, Line(session, socket, request.transport), session)
        finally:
            self._sockets.discard(socket)
            self.venue.closed(session)
        return socket

    async def _serve(self, socket: web.WebSocketResponse, line: Line, session: Session) -> None:
        writer = asyncio.ensure_future(line.write())
        reader = asyncio.ensure_future(self._read(socket, session))
        self.venue.opened(session)
        try:
            await asyncio.wait({writer, reader}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writer, reader):
                task.cancel()
            # Whatever ended one of them ended the connection; there is nobody left to tell.
            await asyncio.gather(writer, reader, return_exceptions=True)

    async def _read(self, socket: web.WebSocketResponse, session: Session) -> None:
        from aiohttp import WSMsgType

        async for message in socket:
            if session.holed:
                await asyncio.Event().wait()
            if message.type is WSMsgType.TEXT:
                self.venue.heard(session, message.data)
            elif message.type is WSMsgType.PING and self.venue.within_rate(session):
                await socket.pong(message.data)
            elif message.type is WSMsgType.PONG and self.venue.within_rate(session):
                session.pong_ns = self.venue.stage.now_ns
