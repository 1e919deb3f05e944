"""The sender of `sockets.py`: messages encoded and framed once, written by the clock; and what it wrote when."""

from __future__ import annotations

import base64
import hashlib
import importlib
import itertools
import os
import socket
import struct
import sys
import time
from typing import NamedTuple

import numpy as np

KINDS = 7
CYCLE = 20_000  # messages of each kind; then books begin anew
TICK_S = 0.001
BURST = 500  # messages of a kind in one write at most
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def framed(message: bytes) -> bytes:
    """A whole unmasked text frame."""
    n = len(message)
    return (b"\x81" + bytes([n]) if n <= 125 else b"\x81\x7e" + struct.pack(">H", n)) + message


class Reel(NamedTuple):
    """One kind's frames in one piece, and where each begins; one more for the end."""

    bytes_: memoryview
    starts: list[int]


def reels() -> list[Reel]:
    """The kinds, in C_feed.py's order."""
    sys.path.insert(0, os.environ["BENCH_PEERS"])
    made = []
    for messages in importlib.import_module("C_feed").messages(CYCLE).values():
        frames = [framed(message) for message in messages]
        made.append(Reel(memoryview(b"".join(frames)), [0, *itertools.accumulate(map(len, frames))]))
    return made


def send() -> None:
    """Serves run after run on one port, which is its first line; a run is seven connections.

    The first one's path says how: /RATE/SECONDS/FILE. Rate 0 is as fast as the sockets take it. Then FILE gets the log.
    """
    kinds = reels()
    server = socket.create_server(("127.0.0.1", 0), backlog=KINDS)
    sys.stdout.write(f"{server.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        opened = [_accepted(server) for _ in kinds]
        _, rate, seconds, file = opened[0][1].split("/", 3)
        log = play([connection for connection, _ in opened], kinds, int(rate), float(seconds))
        if file:
            np.save("/" + file, log)
        for connection, _ in opened:
            connection.close()


def play(connections: list[socket.socket], kinds: list[Reel], rate: int, seconds: float) -> np.ndarray:
    """Writes for so long; the log has a line a write: (kind, messages so far, bytes so far, clock before the write in ns)."""
    most = int(seconds * 1.5 / TICK_S) * KINDS if rate else 0
    log, line = np.zeros((most + KINDS, 4), np.int64), 0
    total, written = 0, [0] * KINDS
    began = time.monotonic()
    while (gone := time.monotonic() - began) < seconds:
        due = min(int(gone * rate / KINDS) - total, BURST) if rate else BURST
        place = total % CYCLE
        due = min(due, CYCLE - place)
        if due > 0:
            total += due
            for kind, (bytes_, starts) in enumerate(kinds):
                start, stop = starts[place], starts[place + due]
                written[kind] += stop - start
                if line < len(log) and rate:
                    log[line] = kind, total, written[kind], time.monotonic_ns()
                    line += 1
                connections[kind].sendall(bytes_[start:stop])
        if rate and total < int((time.monotonic() - began) * rate / KINDS) + BURST:
            time.sleep(TICK_S)
    return log[:line] if rate else np.array([[0, total, 0, 0]], np.int64)


def _accepted(server: socket.socket) -> tuple[socket.socket, str]:
    """A connection after its handshake, and its path."""
    connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = b""
    while b"\r\n\r\n" not in head:
        came = connection.recv(4096)
        if not came:
            raise SystemExit("the receiver went away")
        head += came
    lines = head.split(b"\r\n")
    key = next(line.split(b": ")[1] for line in lines if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )
    return connection, lines[0].split(b" ")[1].decode()
