"""A WebSocket client on asyncio (RFC 6455): many messages a read, every limit before the first byte is decoded.

Not aiohttp's: its masks and keys come from a source nobody can inject, a message costs it a task switch each, it sees a
slow-dripping frame only when it is whole, and it would bring nine distributions into the engine's process.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from tradewind.domain.errors import OutcomeUnknown, Unreachable
from tradewind.kernel.jit import direct, entry
from tradewind.venues.adapter import Answer

from .http import read_head
from .transport import USER_AGENT, Address, Arrival, Denied, Settings, address

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
WHOLE = (0x81, 0x82)  # a whole message: text, binary
CONTROL_BYTES = 125
WORTH_BYTES = 512  # left in a piece: fewer are sooner cut frame by frame than handed to compiled code
MOST_CUT = 512  # frames in one go
NORMAL, PROTOCOL_ERROR, TOO_BIG = 1000, 1002, 1009
_SHORT, _LONG = struct.Struct(">H"), struct.Struct(">Q")


class Violation(Exception):
    """The other side broke the protocol or a limit; `code` is what the closing frame says."""

    def __init__(self, code: int, what: str) -> None:
        super().__init__(what)
        self.code = code


@entry
def cut(data: Any, at: int, limit: int, bounds: Any) -> int:
    """How many whole messages of one frame each begin at byte `at`, none over `limit`; `bounds`: where each begins and ends.

    Stops at whatever else comes (a control frame, a fragment, a frame of 64 KiB, half a frame): that is read with care.
    """
    end = len(data)
    n = 0
    while end - at >= 2 and 2 * n < bounds.size:
        first, length, body = data[at], int(data[at + 1]), at + 2
        if first != WHOLE[0] and first != WHOLE[1]:
            break
        if length == 126 and end - at >= 4:
            length, body = (int(data[at + 2]) << 8) | int(data[at + 3]), at + 4
        elif length > CONTROL_BYTES:
            break
        if length > limit or end - body < length:
            break
        at = body + length
        bounds[2 * n], bounds[2 * n + 1] = body, at
        n += 1
    return n


class FrameParser:
    """Bytes of a stream to whole messages. Holds at most one unfinished message."""

    def __init__(self, max_message: int) -> None:
        self.max_message = max_message
        self.controls: list[tuple[int, bytes]] = []
        self._rest = b""
        self._parts: list[bytes] = []
        self._size = 0  # of _parts
        self._open = False  # a fragmented message has begun
        self._bounds = np.zeros(2 * MOST_CUT, np.int64)
        self._cut = direct(cut, b"", 0, 0, self._bounds)

    @property
    def unfinished(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._open or bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that ended in `data`; pings, pongs and closes go to `controls`. Raises Violation."""
        data = self._rest + data if self._rest else data
        found: list[bytes] = []
        at, end = 0, len(data)
        while end - at >= 2:
            first, length, body = data[at], data[at + 1], at + 2
            if length > CONTROL_BYTES:
                if length > 127:
                    raise Violation(PROTOCOL_ERROR, "a masked frame from a server")
                if end - at < (4 if length == 126 else 10):
                    break
                if length == 126:
                    length, body = _SHORT.unpack_from(data, body)[0], at + 4
                else:
                    length, body = _LONG.unpack_from(data, body)[0], at + 10
            if length > self.max_message or self._size + length > self.max_message:
                raise Violation(TOO_BIG, f"a message of more than {self.max_message} bytes")
            if end - body < length:
                break
            at = body + length
            if first in WHOLE:  # nearly all of them
                if self._open:
                    raise Violation(PROTOCOL_ERROR, "a new message inside a fragmented one")
                found.append(data[body:at])
                if end - at > WORTH_BYTES:
                    at = self._many(data, at, found)
            else:
                self._rare(first, data[body:at], found)
        self._rest = data[at:] if at < end else b""
        return found

    def _many(self, data: bytes, at: int, found: list[bytes]) -> int:
        """Adds the whole messages that stand from byte `at` on one behind the other: where something else begins."""
        n = MOST_CUT
        while n == MOST_CUT:
            n = self._cut(data, at, self.max_message, self._bounds)
            bounds = self._bounds[: 2 * n].tolist()
            found += [data[start:stop] for start, stop in zip(bounds[::2], bounds[1::2], strict=True)]
            at = bounds[-1] if n else at
        return at

    def _rare(self, first: int, body: bytes, found: list[bytes]) -> None:
        """Fragments and control frames."""
        opcode, final = first & 0x0F, first & 0x80
        if first & 0x70:
            raise Violation(PROTOCOL_ERROR, "reserved bits are set")
        if opcode >= CLOSE:
            if not final or len(body) > CONTROL_BYTES or opcode > PONG:
                raise Violation(PROTOCOL_ERROR, "a broken control frame")
            self.controls.append((opcode, body))
            return
        if (opcode == CONTINUATION) != self._open or opcode > BINARY:
            raise Violation(PROTOCOL_ERROR, "a fragment out of place")
        self._parts.append(body)
        self._size += len(body)
        self._open = not final
        if final:
            found.append(b"".join(self._parts))
            self._parts, self._size = [], 0


def frame(opcode: int, body: bytes, mask: bytes) -> bytes:
    """One whole masked frame."""
    n = len(body)
    if n <= CONTROL_BYTES:
        head = bytes((0x80 | opcode, 0x80 | n))
    elif n < 1 << 16:
        head = bytes((0x80 | opcode, 0x80 | 126)) + _SHORT.pack(n)
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + _LONG.pack(n)
    key = int.from_bytes((mask * (n // 4 + 1))[:n], "big")
    return head + mask + (int.from_bytes(body, "big") ^ key).to_bytes(n, "big")


class WebSocket(asyncio.Protocol):
    """One connection, a `transport.Wire`. Made by `connect`."""

    def __init__(self, settings: Settings, where: str) -> None:
        self._settings, self._where = settings, where
        self._loop = asyncio.get_running_loop()
        self._parser = FrameParser(settings.max_message)
        self._transport: asyncio.Transport | None = None
        self._head: bytearray | None = bytearray()
        self._answered: asyncio.Future[bytes] = self._loop.create_future()
        self._arrivals: list[Arrival] = []
        self._queued = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._over = ""
        self._messages = 0
        self._slow: asyncio.TimerHandle | None = None
        self._heard = settings.time.now()

    # What the feed calls -------------------------------------------------------------------------------------------------

    async def arrivals(self) -> list[Arrival]:
        """Everything that came since the last call. Raises Unreachable where the connection is over and all was read."""
        while not self._arrivals:
            if self._over:
                raise Unreachable(self._over, where=self._where)
            self._waiter = self._loop.create_future()
            await self._waiter
        came, self._arrivals, self._queued = self._arrivals, [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return came

    def send(self, message: bytes) -> None:
        """Queues one text message; on a connection that is over nothing happens, `arrivals` will tell."""
        self._write(TEXT, message)

    def ping(self) -> None:
        """Sends a ping."""
        self._write(PING, b"")

    def heard_ns(self) -> int:
        """Journal time of the last byte."""
        return self._heard

    def abort(self) -> None:
        """Lets the connection go."""
        self._end("closed by us")
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP and TLS stand."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._heard = self._settings.time.now()
        if self._head is not None:
            self._take_head(data)
            return
        try:
            found = self._parser.feed(data)
        except Violation as violation:
            self._break_off(violation.code, str(violation))
            return
        if found:
            self._keep(Arrival(self._heard, found), len(data))
        if self._parser.controls:
            self._control()
        if self._slow is None and self._parser.unfinished:
            self._slow = self._loop.call_later(self._settings.frame_s, self._too_slow, self._messages)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is over."""
        self._end(f"the connection was lost: {error}" if error else "the venue closed the connection")
        if self._slow is not None:
            self._slow.cancel()

    # Inside ----------------------------------------------------------------------------------------------------------------

    def _keep(self, arrival: Arrival, size: int) -> None:
        self._messages += len(arrival.messages)
        self._arrivals.append(arrival)
        self._queued += size
        if self._queued > self._settings.max_queued and not self._paused and self._transport is not None:
            self._paused = True  # TCP makes the venue wait: memory stays bounded, nothing is lost
            self._transport.pause_reading()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _control(self) -> None:
        for opcode, body in self._parser.controls:
            if opcode == PING:
                self._write(PONG, body)
            elif opcode == CLOSE:
                code = _SHORT.unpack_from(body)[0] if len(body) >= 2 else 0
                self._break_off(NORMAL, f"the venue closed with code {code} {body[2:60].decode('utf-8', 'replace')!r}")
        self._parser.controls.clear()

    def _too_slow(self, messages: int) -> None:
        """The frame-time cap: the message that was unfinished when the timer was set still is."""
        self._slow = None
        if not self._parser.unfinished or self._over:
            return
        if self._messages == messages and not self._paused:
            self._break_off(PROTOCOL_ERROR, f"a message took longer than {self._settings.frame_s:g} s")
        else:
            self._slow = self._loop.call_later(self._settings.frame_s, self._too_slow, self._messages)

    def _break_off(self, code: int, why: str) -> None:
        self._write(CLOSE, _SHORT.pack(code))
        self._end(why)
        if self._transport is not None:
            self._transport.close()
            self._loop.call_later(1.0, self._transport.abort)  # a peer that reads nothing would keep it for ever

    def _end(self, why: str) -> None:
        self._over = self._over or why
        self._wake()
        if not self._answered.done():
            self._answered.set_exception(Unreachable(self._over, where=self._where))

    def _write(self, opcode: int, body: bytes) -> None:
        if self._transport is not None and not self._over and not self._transport.is_closing():
            self._transport.write(frame(opcode, body, self._settings.rng.randbytes(4)))

    def _take_head(self, data: bytes) -> None:
        """Bytes of the handshake's answer; what follows it is the first frame."""
        head = self._head
        if head is None:
            return
        head += data
        end = head.find(b"\r\n\r\n")
        if end < 0:
            if len(head) > 1 << 14:
                self._break_off(PROTOCOL_ERROR, "an endless handshake")
            return
        self._head = None
        if not self._answered.done():
            self._answered.set_result(bytes(head[: end + 4]))
        if len(head) > end + 4:
            self.data_received(bytes(head[end + 4 :]))

    async def handshake(self, to: Address) -> None:
        """Asks for the upgrade. Raises Denied, Unreachable."""
        key = base64.b64encode(self._settings.rng.randbytes(16))
        lines = [
            f"GET {to.path} HTTP/1.1", f"Host: {to.authority}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key.decode()}", "Sec-WebSocket-Version: 13", f"User-Agent: {USER_AGENT}", "", "",
        ]  # fmt: skip
        sent = self._settings.time.now()
        if self._transport is not None:
            self._transport.write("\r\n".join(lines).encode())
        status, headers = read_head(await self._answered, self._where)
        if status != 101:
            raise Denied(Answer(status=status, headers=headers, body=b"", sent_ns=sent, received_ns=sent), self._where)
        self._prove(headers, key)

    def _prove(self, headers: Mapping[str, str], key: bytes) -> None:
        expected = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest()).decode()
        if headers.get("upgrade", "").lower() != "websocket" or headers.get("sec-websocket-accept") != expected:
            raise Unreachable("whoever answered speaks no WebSocket", where=self._where)
        if "sec-websocket-extensions" in headers:
            raise Unreachable("the answer turns on an extension nobody asked for", where=self._where)


async def connect(url: str, settings: Settings) -> WebSocket:
    """An open WebSocket within the time for it. Raises BadUse, Denied, Unreachable."""
    to = address(url)
    loop = asyncio.get_running_loop()
    tls = settings.context() if to.tls else None
    made: WebSocket | None = None
    try:
        async with asyncio.timeout(settings.connect_s):
            _, made = await loop.create_connection(lambda: WebSocket(settings, url), to.host, to.port, ssl=tls)
            await made.handshake(to)
            return made
    except BaseException as error:  # also when cancelled: the socket must not stay
        if made is not None:
            made.abort()
        if isinstance(error, TimeoutError):
            raise Unreachable(f"no connection within {settings.connect_s:g} s", where=url) from error
        if isinstance(error, OSError):
            raise Unreachable(f"cannot connect: {error}", where=url) from error
        if isinstance(error, OutcomeUnknown):
            raise Unreachable(error.what, where=url) from error
        raise
