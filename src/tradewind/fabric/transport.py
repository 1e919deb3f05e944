"""The transport: the one door to the network. A WebSocket gives whole messages with the time they arrived, REST an Answer.

Two members, so that an emulator, a virtual network or another library fits behind it. Nothing speaks plain text to a host
that is not this computer, whatever an address says.
"""

from __future__ import annotations

import ipaddress
import random
import ssl
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from tradewind.domain.errors import BadUse, Refused, Unreachable
from tradewind.venues.adapter import Answer, Ask

from .clock import JournalTime

MAX_MESSAGE = 4 << 20  # bytes of one WebSocket message, before anybody decodes it
MAX_BODY = 64 << 20  # bytes of one REST body after decompression: a venue's full list of instruments has about 20 MB
MAX_QUEUED = 16 << 20  # bytes of messages nobody has read yet: beyond, the socket is not read until they are
CONNECT_S = 10.0  # name, TCP, TLS and handshake together
ANSWER_S = 10.0  # from a request's first byte to its answer's last
FRAME_S = 5.0  # from a message's first byte to its last
USER_AGENT = "tradewind"


class Arrival(NamedTuple):
    """Messages that came in one piece of the stream, and when, in journal time."""

    at: int
    messages: list[bytes]


class Wire(Protocol):
    """One open WebSocket."""

    async def arrivals(self) -> list[Arrival]:
        """Everything that came since the last call, at least one message. Raises Unreachable where it is over."""

    def send(self, message: bytes) -> None:
        """Queues one text message."""

    def ping(self) -> None:
        """Asks the other side to show that it lives."""

    def heard_ns(self) -> int:
        """Journal time of the last byte of any sort."""

    def abort(self) -> None:
        """Lets the connection go at once."""


class Transport(Protocol):
    """The network as the fabric sees it."""

    async def connect(self, url: str) -> Wire:
        """An open WebSocket. Raises Unreachable, Refused or Denied."""

    async def ask(self, base: str, ask: Ask) -> Answer:
        """The answer to one request, whatever its status. Raises Unreachable, OutcomeUnknown where none came whole."""


class Denied(Refused):
    """A venue answered a handshake with a status of its own: 429, 418, 403, 5xx. `answer` holds it."""

    def __init__(self, answer: Answer, where: str) -> None:
        super().__init__(f"the handshake was answered with status {answer.status}", where=where)
        self.answer = answer


class Absent(Unreachable):
    """A venue without sockets: none will ever be had, what can be polled is polled from the start."""


class Address(NamedTuple):
    """Where to connect."""

    host: str
    port: int
    tls: bool
    path: str  # with its query

    @property
    def authority(self) -> str:
        """Host and port as a Host header carries them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def address(url: str) -> Address:
    """The parts of a ws, wss, http or https address. Raises BadUse for plain text to anybody but this computer."""
    parts = urlsplit(url)
    tls = parts.scheme in ("wss", "https")
    if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname or parts.username is not None:
        raise BadUse("is no address of a venue", where=url, expected="wss://host/path or https://host")
    if not tls and not is_loopback(parts.hostname):
        raise BadUse("would leave this computer in plain text", where=url, expected="wss or https", todo="correct the address")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(ord(c) < 33 or ord(c) > 126 for c in path):
        raise BadUse("holds a blank or a character that must be escaped", where=url, expected="a URL")
    return Address(parts.hostname, parts.port or (443 if tls else 80), tls, path)


def is_loopback(host: str) -> bool:
    """Whether `host` is this computer."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Settings(NamedTuple):
    """What a transport is made of: everything that is not the network itself."""

    time: JournalTime
    rng: random.Random  # keys of handshakes and masks of frames; they hide nothing, they only keep caches apart
    tls: ssl.SSLContext | None = None
    max_message: int = MAX_MESSAGE
    max_body: int = MAX_BODY
    max_queued: int = MAX_QUEUED
    connect_s: float = CONNECT_S
    answer_s: float = ANSWER_S
    frame_s: float = FRAME_S

    def context(self) -> ssl.SSLContext:
        """The TLS settings: the given ones, else the system's, which prove names and certificates."""
        return self.tls or ssl.create_default_context()
