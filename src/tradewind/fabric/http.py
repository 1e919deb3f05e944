"""REST on asyncio (HTTP/1.1, RFC 9112): one request at a time on a kept connection, every size and time bounded.

No redirect is followed, no cookie kept, no proxy asked: a venue's answer is at the address that was asked, or there is none.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from tradewind.domain.errors import BadData, OutcomeUnknown, Unreachable
from tradewind.venues.adapter import Answer, Ask

from .transport import USER_AGENT, Address, Settings, address

MAX_HEAD = 1 << 16
IDLE_CONNECTIONS = 4  # kept open for each host


def read_head(head: bytes, where: str) -> tuple[int, dict[str, str]]:
    """(status, headers by their names in lower case). Raises OutcomeUnknown where it is no HTTP answer."""
    try:
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, *_ = first.split(" ", 2)
        if not version.startswith("HTTP/1.") or len(status) != 3:
            raise ValueError(first)
        found: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                found[name.strip().lower()] = value.strip()
        return int(status), found
    except ValueError as error:
        raise OutcomeUnknown("the answer is no HTTP", where=where) from error


class Connection:
    """One kept connection to a host."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.used = False

    async def ask(self, request: bytes, settings: Settings, where: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and whole body. Raises OutcomeUnknown where the answer breaks off."""
        try:
            self._writer.write(request)
            await self._writer.drain()
            head = await self._reader.readuntil(b"\r\n\r\n")
            status, headers = read_head(head, where)
            body = await self._body(headers, settings.max_body, where)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as error:
            raise OutcomeUnknown(f"the answer broke off: {error}", where=where) from error
        self.used = True
        return status, headers, inflate(body, headers.get("content-encoding", ""), settings.max_body, where)

    async def _body(self, headers: Mapping[str, str], most: int, where: str) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return await self._chunks(most, where)
        told = headers.get("content-length")
        if told is None or not told.isdigit():
            self.close()
            raise OutcomeUnknown("the answer does not say how long it is", where=where)
        if int(told) > most:
            self.close()
            raise OutcomeUnknown(f"a body of {told} bytes", where=where, expected=f"at most {most}")
        return await self._reader.readexactly(int(told))

    async def _chunks(self, most: int, where: str) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            line = await self._reader.readuntil(b"\r\n")
            try:
                length = int(line.split(b";")[0], 16)
            except ValueError as error:
                raise OutcomeUnknown("a chunk without a length", where=where) from error
            size += length
            if length < 0 or size > most:
                raise OutcomeUnknown("a body without end", where=where, expected=f"at most {most} bytes")
            part = await self._reader.readexactly(length + 2)
            if length == 0:
                return b"".join(parts)
            parts.append(part[:-2])

    @property
    def open(self) -> bool:
        """Whether another request may be sent on it."""
        return not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        """Lets it go."""
        self._writer.close()


def inflate(body: bytes, encoding: str, most: int, where: str) -> bytes:
    """A body without its compression, never more than `most` bytes. Raises BadData for a bomb or an unknown encoding."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise BadData(f"an answer encoded as {encoding[:20]!r}", where=where, expected="gzip or plain")
    unpack = zlib.decompressobj(47)  # zlib or gzip by its header
    try:
        plain = unpack.decompress(body, most)
    except zlib.error as error:
        raise BadData(f"a body that cannot be unpacked: {error}", where=where) from error
    if unpack.unconsumed_tail:
        raise BadData("a body that unpacks without end", where=where, expected=f"at most {most} bytes")
    return plain


class Http:
    """REST to any number of hosts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._idle: dict[Address, list[Connection]] = {}

    async def ask(self, base: str, ask: Ask) -> Answer:
        """The answer, whatever its status. Raises Unreachable where nothing was sent, OutcomeUnknown where it was."""
        url = base.rstrip("/") + ask.path
        to = address(url)
        request = self._request(to, ask)
        home = to._replace(path="")
        sent = self.settings.time.now()
        try:
            async with asyncio.timeout(self.settings.answer_s):
                status, headers, body = await self._exchange(home, request, url)
        except TimeoutError as error:
            raise OutcomeUnknown(f"no whole answer within {self.settings.answer_s:g} s", where=url) from error
        return Answer(status=status, headers=headers, body=body, sent_ns=sent, received_ns=self.settings.time.now())

    async def _exchange(self, home: Address, request: bytes, url: str) -> tuple[int, dict[str, str], bytes]:
        connection = await self._connection(home, url)
        try:
            answer = await connection.ask(request, self.settings, url)
        except BaseException as error:  # also when cancelled: half an answer may lie in it
            connection.close()
            if not (isinstance(error, OutcomeUnknown) and connection.used):
                raise
            connection = await self._fresh(home, url)  # a kept connection may have been closed meanwhile: once more
            try:
                answer = await connection.ask(request, self.settings, url)
            except BaseException:  # as above
                connection.close()
                raise
        idle = self._idle.setdefault(home, [])
        if answer[1].get("connection", "").lower() == "close" or len(idle) >= IDLE_CONNECTIONS:
            connection.close()
        else:
            idle.append(connection)
        return answer

    async def _connection(self, home: Address, url: str) -> Connection:
        idle = self._idle.get(home, [])
        while idle:
            connection = idle.pop()
            if connection.open:
                return connection
            connection.close()
        return await self._fresh(home, url)

    async def _fresh(self, home: Address, url: str) -> Connection:
        tls = self.settings.context() if home.tls else None
        try:
            return Connection(*await asyncio.open_connection(home.host, home.port, ssl=tls, limit=MAX_HEAD))
        except OSError as error:
            raise Unreachable(f"cannot connect: {error}", where=url) from error

    @staticmethod
    def _request(to: Address, ask: Ask) -> bytes:
        query = urlencode(ask.query, quote_via=quote)
        path = to.path + (("&" if "?" in to.path else "?") + query if query else "")
        lines = [
            f"{ask.method} {path} HTTP/1.1", f"Host: {to.authority}", f"User-Agent: {USER_AGENT}", "Accept: application/json",
            "Accept-Encoding: gzip", *(("Content-Length: 0",) if ask.method != "GET" else ()), "", "",
        ]  # fmt: skip
        return "\r\n".join(lines).encode()

    def close(self) -> None:
        """Lets every connection go."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
