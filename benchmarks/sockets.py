"""Sockets to book: messages of a separate sender over loopback WebSockets into judged rows and books, on one core.

    BENCH_PEERS=<folder of C_feed.py> python benchmarks/sockets.py [--seconds 20] [--rate 50000]

The messages are C_feed.py's seven kinds in equal parts, encoded before the clock starts, one connection a kind. First as fast as
they go (the socket makes the sender wait), then at a rate: there a message's latency runs from the sender's write to its rows in
the sink. Prints a JSON line each, with the memory at the beginning and at the end, beside the loopback's own round trip.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import hashlib
import importlib
import json
import os
import random
import resource
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

KINDS = 7
CYCLE = 20_000  # messages of each kind; then books begin anew
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


# The sender ---------------------------------------------------------------------------------------------------------------------


def framed(message: bytes) -> bytes:
    """A whole unmasked text frame."""
    n = len(message)
    return (b"\x81" + bytes([n]) if n <= 125 else b"\x81\x7e" + struct.pack(">H", n)) + message


def send(rate: int, seconds: float) -> None:
    """Serves the kinds, one a connection; rate 0: as fast as the sockets take it. Prints its port, then its log as JSON."""
    sys.path.insert(0, os.environ["BENCH_PEERS"])
    kinds = [[framed(message) for message in some] for some in importlib.import_module("C_feed").messages(CYCLE).values()]
    server = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{server.getsockname()[1]}\n")
    sys.stdout.flush()
    connections = [_accepted(server) for _ in kinds]
    log: list[tuple[int, int]] = []
    chunk = 100 if rate == 0 else max(1, rate // KINDS // 1000)
    began, at, sent = time.monotonic(), 0, 0
    while time.monotonic() - began < seconds:
        for connection, frames in zip(connections, kinds, strict=True):
            place = at % CYCLE
            connection.sendall(b"".join(frames[place : place + chunk]))
        moved = min(chunk, CYCLE - at % CYCLE)
        at, sent = at + moved, sent + moved * KINDS
        if rate:
            log.append((at, time.monotonic_ns()))
            ahead = sent / rate - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
    for connection in connections:
        connection.close()
    sys.stdout.write(json.dumps(log) + "\n")


def _accepted(server: socket.socket) -> socket.socket:
    connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )
    return connection


# The feed -----------------------------------------------------------------------------------------------------------------------


class Counted:
    """A sink that counts rows."""

    def __init__(self) -> None:
        self.rows = 0

    def append(self, rows: Any) -> None:
        self.rows += len(rows)


def feed_of(kind: int, outside: Any, sink: Counted) -> Any:
    """A feed of one lane for one kind of message."""
    from tradewind.domain import codes
    from tradewind.domain.instruments import Instrument
    from tradewind.fabric.assembly import budget_of
    from tradewind.fabric.desk import Desk
    from tradewind.fabric.feeds import Feed, Place, Wanted
    from tradewind.venues.binance.adapter import BinanceAdapter
    from tradewind.venues.coinbase.adapter import CoinbaseAdapter
    from tradewind.venues.kraken.adapter import KrakenAdapter

    venue, channel = (
        ("binance", "quote"), ("binance", "trade"), ("binance", "depth"), ("kraken", "trade"), ("kraken", "depth"),
        ("coinbase", "trade"), ("coinbase", "depth"),
    )[kind]  # fmt: skip
    adapter: Any = {"binance": lambda: BinanceAdapter(aggregated=True), "kraken": KrakenAdapter, "coinbase": CoinbaseAdapter}[
        venue
    ]()
    symbol = {"binance": "BTCUSDT", "kraken": "BTC/USD", "coinbase": "BTC-USD"}[venue]
    proof = codes.PROOF_CHAIN if venue == "binance" else codes.PROOF_NONE  # C_feed's Kraken checksums are made up
    adapter.adopt([
        Instrument(venue=venue, symbol=symbol, base="BTC", quote="USD", price_exponent=2, quantity_exponent=8, proof=proof)
    ])  # fmt: skip
    desk = Desk(outside.time, sink, len(adapter.streams), (0, 0))
    return Feed(Wanted(adapter, Place("", ""), [symbol], [channel]), outside, budget_of(adapter, outside.time), desk)


def begin(lane: Any) -> None:
    """A cycle begins: ids start again; a book stands on a snapshot of 200 levels a side."""
    from tradewind.domain import codes
    from tradewind.domain.rows import rows
    from tradewind.venues.keepers import BookKeeper

    keeper = lane.keeper
    if not isinstance(keeper, BookKeeper):
        keeper.last_id = -1
        return
    keeper.lose()
    book = rows(400)
    book["kind"], book["marks"], book["ref"], book["quantity"] = codes.DEPTH, codes.SNAPSHOT, 1_000, 100_000_000
    book["source"] = lane.source
    book["side"][200:] = codes.SELL
    book["price"] = [*(6_600_000 - 50 * i for i in range(200)), *(6_800_000 + 50 * i for i in range(200))]
    book["marks"][0] |= codes.FIRST
    book["marks"][-1] |= codes.LAST
    lane.joined(book)


async def hear(kind: int, port: int, outside: Any, sink: Counted, log: list[tuple[int, int]]) -> Any:
    """One connection to its end; the log gets (messages so far, when they were in the sink)."""
    from tradewind.domain.errors import Unreachable
    from tradewind.fabric.links import Link

    feed = feed_of(kind, outside, sink)
    wire = await outside.transport.connect(f"ws://127.0.0.1:{port}/")
    link = Link(feed, wire, [lane.topic for lane in feed.lanes], False)
    lane, heard = feed.lanes[0], 0
    begin(lane)
    try:
        while True:
            arrivals = await wire.arrivals()
            for arrival in arrivals:
                left = CYCLE - heard % CYCLE
                if len(arrival.messages) >= left:
                    link.hear([arrival._replace(messages=arrival.messages[:left])])
                    begin(lane)
                    arrival = arrival._replace(messages=arrival.messages[left:])
                    heard += left
                if arrival.messages:
                    link.hear([arrival])
                    heard += len(arrival.messages)
            log.append((heard, time.monotonic_ns()))
    except Unreachable:
        return heard, lane


def sender_of(rate: int, seconds: float) -> tuple[Any, int]:
    """A sender in a process of its own, and its port."""
    command = [sys.executable, str(Path(__file__).resolve()), "--send", "--rate", str(rate), "--seconds", str(seconds)]
    sender = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if sender.stdout is None:
        raise SystemExit("the sender has no output")
    return sender, int(sender.stdout.readline())


async def measure(rate: int, sender: Any, port: int) -> dict[str, Any]:
    """One run against a sender."""
    from tradewind.fabric.clock import JournalTime, SystemClock
    from tradewind.fabric.feeds import Outside
    from tradewind.fabric.network import Network
    from tradewind.fabric.transport import Settings

    clock = JournalTime(SystemClock())
    outside = Outside(Network(Settings(clock, random.Random(1))), clock, random.Random(1))
    sink, logs = Counted(), [list[tuple[int, int]]() for _ in range(KINDS)]
    gc.freeze()
    before, cpu, began = memory(), time.process_time(), time.perf_counter()
    ended = await asyncio.gather(*(hear(kind, port, outside, sink, logs[kind]) for kind in range(KINDS)))
    took, used = time.perf_counter() - began, time.process_time() - cpu
    messages = sum(heard for heard, _ in ended)
    found = {
        "figure": "at a rate" if rate else "as fast as it goes", "messages": messages, "seconds": round(took, 2),
        "messages_per_s": round(messages / took), "messages_per_cpu_s": round(messages / used), "rows": sink.rows,
        "memory_mb": [round(before, 1), round(memory(), 1)],
        "conflated": sum(lane.tally().conflated for _, lane in ended), "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip
    if rate:
        sent = np.array(json.loads(sender.stdout.readline()))
        taken = np.concatenate([latencies(sent, np.array(log)) for log in logs])
        found["latency_ms"] = quantiles(taken)
    sender.wait()
    return found


def latencies(sent: Any, heard: Any) -> Any:
    """ns from each write to the moment at which the sink had all its messages."""
    at = np.searchsorted(heard[:, 0], sent[:, 0])
    inside = at < len(heard)
    return heard[at[inside], 1] - sent[inside, 1]


def memory() -> float:
    """Megabytes of this process now; its peak where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def floor(n: int = 20_000) -> dict[str, Any]:
    """The loopback's own round trip: 129 bytes to a blocking echo in another process and back."""
    code = (
        "import socket;s=socket.create_server(('127.0.0.1',0));print(s.getsockname()[1],flush=True);c,_=s.accept();"
        "c.setsockopt(6,1,1)\nwhile (x:=c.recv(4096)): c.sendall(x)"
    )
    echo = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    if echo.stdout is None:
        raise SystemExit("the echo has no output")
    client = socket.create_connection(("127.0.0.1", int(echo.stdout.readline())))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    taken = []
    for _ in range(n):
        start = time.perf_counter()
        client.sendall(b"x" * 129)
        client.recv(4096)
        taken.append(time.perf_counter() - start)
    client.close()
    echo.wait()
    return {"figure": "loopback round trip", "latency_ms": quantiles(np.array(taken) * 1e9)}


def quantiles(taken: Any) -> dict[str, float]:
    """ms, from ns."""
    return {f"p{q}": round(float(np.percentile(taken, q)) / 1e6, 3) for q in (50, 99, 99.9)}


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=int, default=50_000)
    parser.add_argument("--send", action="store_true", help="only the sender, in this process")
    asked = parser.parse_args()
    if asked.send:
        send(asked.rate, asked.seconds)
        return
    run(0, 1.0)  # compiles what is compiled
    for found in (floor(), run(0, asked.seconds), run(asked.rate, asked.seconds), floor()):
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def run(rate: int, seconds: float) -> dict[str, Any]:
    """One measurement."""
    return asyncio.run(measure(rate, *sender_of(rate, seconds)))


if __name__ == "__main__":
    main()
