"""The receiver of `sockets.py`: the fabric's own way from a socket to the book, and a reader that only counts bytes."""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sockets_sender import CYCLE, KINDS

from tradewind.domain import codes
from tradewind.domain.errors import Unreachable
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import rows
from tradewind.fabric.assembly import budget_of
from tradewind.fabric.clock import JournalTime, SystemClock
from tradewind.fabric.desk import Desk
from tradewind.fabric.feeds import Feed, Outside, Place, Wanted
from tradewind.fabric.links import Link
from tradewind.fabric.network import Network
from tradewind.fabric.transport import Settings
from tradewind.fabric.warmth import make_ready, settle
from tradewind.venues.binance.adapter import BinanceAdapter
from tradewind.venues.coinbase.adapter import CoinbaseAdapter
from tradewind.venues.keepers import BookKeeper, FrameKeeper, OrderedKeeper, TradeKeeper
from tradewind.venues.kraken.adapter import KrakenAdapter

LIMIT_MS, LIMIT_MB = 2.0, 8.0
LEAST_SHARE = 0.999  # of the rate: the last tick is cut off
READS_A_SECOND = 3_000  # of one connection at most: room for the log
MAKES: tuple[tuple[Any, str, str], ...] = (
    (lambda: BinanceAdapter(aggregated=True), "BTCUSDT", "quote"),
    (lambda: BinanceAdapter(aggregated=True), "BTCUSDT", "trade"),
    (lambda: BinanceAdapter(aggregated=True), "BTCUSDT", "depth"),
    (KrakenAdapter, "BTC/USD", "trade"), (KrakenAdapter, "BTC/USD", "depth"),
    (CoinbaseAdapter, "BTC-USD", "trade"), (CoinbaseAdapter, "BTC-USD", "depth"),
)  # fmt: skip
"""The kinds in C_feed.py's order."""


class Counted:
    """A sink that counts rows."""

    def __init__(self) -> None:
        self.rows = 0

    def append(self, rows: Any) -> None:
        self.rows += len(rows)


class Log:
    """(how much has come, when): room for all is taken before the clock starts, so that memory shows only what the feed takes."""

    def __init__(self, room: int) -> None:
        self.many, self.when, self.n = array("q", bytes(8 * room)), array("q", bytes(8 * room)), 0

    def add(self, many: int) -> None:
        """Now there are so many."""
        if self.n < len(self.many):
            self.many[self.n], self.when[self.n] = many, time.monotonic_ns()
            self.n += 1

    def latencies(self, sent: Any, column: int) -> tuple[Any, Any]:
        """(ns, messages) of each of a kind's writes: from before it to the moment at which all of it had come."""
        many, when = np.array(self.many[: self.n]), np.array(self.when[: self.n])
        at = np.searchsorted(many, sent[:, column])
        inside = at < len(many)
        return when[at[inside]] - sent[inside, 3], np.diff(sent[:, 1], prepend=0)[inside]


class Run(NamedTuple):
    """What a run is asked of the sender."""

    port: int
    rate: int
    seconds: float
    file: Path

    @property
    def path(self) -> str:
        """As the sender wants it."""
        return f"/{self.rate}/{self.seconds}{self.file}" if self.rate else f"/0/{self.seconds}/"

    def log(self) -> Log:
        """Room for one connection."""
        return Log(int(self.seconds * READS_A_SECOND) + 1000 if self.rate else 0)

    def sent(self) -> Any:
        """What the sender wrote, once it has said so."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.file.exists():
                time.sleep(0.5)
                return np.load(self.file)
            time.sleep(0.1)
        raise SystemExit("the sender left no log")


# The fabric ---------------------------------------------------------------------------------------------------------------------


def feed_of(kind: int, outside: Outside, sink: Any) -> Feed:
    """A feed of one lane for one kind of message."""
    make, symbol, channel = MAKES[kind]
    adapter: Any = make()
    proof = codes.PROOF_CHAIN if adapter.venue == "binance" else codes.PROOF_NONE  # C_feed's Kraken checksums are made up
    adapter.adopt([
        Instrument(venue=adapter.venue, symbol=symbol, base="BTC", quote="USD", price_exponent=2, quantity_exponent=8, proof=proof)
    ])  # fmt: skip
    desk = Desk(outside.time, sink, len(adapter.streams), (0, 0))
    return Feed(Wanted(adapter, Place("", ""), [symbol], [channel]), outside, budget_of(adapter, outside.time), desk)


def begin(link: Link) -> None:
    """A cycle begins: ids and counts start again; a book stands on a snapshot of 200 levels a side."""
    (lane,) = link.lanes.values()
    link._frames = FrameKeeper()
    if isinstance(lane.keeper, TradeKeeper | OrderedKeeper):
        lane.keeper.last_id = -1
    if not isinstance(lane.keeper, BookKeeper):
        return
    lane.keeper.lose()
    book = rows(400)
    book["kind"], book["marks"], book["ref"], book["quantity"] = codes.DEPTH, codes.SNAPSHOT, 1_000, 100_000_000
    book["source"] = lane.source
    book["side"][200:] = codes.SELL
    book["price"] = [*(6_600_000 - 50 * i for i in range(200)), *(6_800_000 + 50 * i for i in range(200))]
    book["marks"][0] |= codes.FIRST
    book["marks"][-1] |= codes.LAST
    lane.joined(book)


async def hear(link: Link, log: Log) -> int:
    """One connection to its end: how many messages came."""
    heard = 0
    begin(link)
    try:
        while True:
            for arrival in await link.wire.arrivals():
                left = CYCLE - heard % CYCLE
                if len(arrival.messages) >= left:
                    link.hear([arrival._replace(messages=arrival.messages[:left])])
                    begin(link)
                    arrival = arrival._replace(messages=arrival.messages[left:])
                    heard += left
                if arrival.messages:
                    link.hear([arrival])
                    heard += len(arrival.messages)
            log.add(heard)
    except Unreachable:
        return heard


async def measure(run: Run) -> dict[str, Any]:
    """One run through the fabric."""
    clock = JournalTime(SystemClock())
    outside = Outside(Network(Settings(clock, random.Random(1))), clock, random.Random(1))
    sink, links = Counted(), list[Link]()
    for kind in range(KINDS):
        feed = feed_of(kind, outside, sink)
        wire = await outside.transport.connect(f"ws://127.0.0.1:{run.port}{run.path}")
        links.append(Link(feed, wire, [lane.topic for lane in feed.lanes], False))
    logs = [run.log() for _ in links]
    settle()
    watched = asyncio.ensure_future(_watch_memory(run.seconds))
    cpu, began = time.process_time(), time.perf_counter()
    heard = await asyncio.gather(*(hear(link, log) for link, log in zip(links, logs, strict=True)))
    took, used = time.perf_counter() - began, time.process_time() - cpu
    lanes = [lane for link in links for lane in link.lanes.values()]
    counts = [lane.tally() for lane in lanes]
    found = {
        "figure": "at a rate" if run.rate else "as fast as it goes", "seconds": round(took, 2), "messages": sum(heard),
        "messages_per_s": round(sum(heard) / took), "messages_per_cpu_s": round(sum(heard) / used), "cpu_s": round(used, 2),
        "rows": sink.rows, "memory_mb": await watched, "load": round(os.getloadavg()[0], 1),
        "in_book": sum(one.processed for one in counts) - sum((n + CYCLE) // CYCLE for n in (heard[2], heard[4], heard[6])),
        "conflated": sum(one.conflated for one in counts), "rejected": sum(one.rejected + one.duplicates for one in counts),
        "synced": all(lane.state.condition == codes.SYNCED for lane in lanes),
    }  # fmt: skip
    return found | (_against(run, logs, 1) if run.rate else {})


async def _watch_memory(seconds: float) -> list[float]:
    """Megabytes after a tenth of the time (buffers have their size by then), in the middle, near the end."""
    found = []
    for share in (0.1, 0.4, 0.4):
        await asyncio.sleep(seconds * share)
        found.append(round(memory(), 1))
    return found


def _against(run: Run, logs: list[Log], column: int) -> dict[str, Any]:
    """What the sender's log says beside ours."""
    sent = run.sent()
    parts = [log.latencies(sent[sent[:, 0] == kind], column) for kind, log in enumerate(logs)]
    taken, messages = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    last = sent[sent[:, 0] == 0][:, (1, 3)]
    behind = (last[:, 1] - last[0, 1]) / 1e9 - (last[:, 0] - last[0, 0]) * KINDS / run.rate
    offered = sum(int(sent[sent[:, 0] == kind][-1, 1]) for kind in range(KINDS))
    return {"offered": offered, "latency_ms": quantiles(taken, messages), "sender_behind_ms": round(1e3 * float(behind.max()), 1)}


# The floor ----------------------------------------------------------------------------------------------------------------------


def plain(run: Run) -> dict[str, Any]:
    """The same sender, messages and rate into a reader that only counts bytes."""
    chosen, logs, bytes_ = selectors.DefaultSelector(), [run.log() for _ in range(KINDS)], [0] * KINDS
    for kind in range(KINDS):
        connection = socket.create_connection(("127.0.0.1", run.port))
        connection.sendall(b"GET %b HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n" % run.path.encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        chosen.register(connection, selectors.EVENT_READ, kind)
    while chosen.get_map():
        for key, _ in chosen.select():
            came = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
            bytes_[key.data] += len(came)
            logs[key.data].add(bytes_[key.data])
            if not came:
                chosen.unregister(key.fileobj)
    return {"figure": "loopback, a reader that counts bytes", **_against(run, logs, 2)}


def round_trip(n: int = 20_000) -> dict[str, Any]:
    """The loopback's own round trip: 129 bytes to a blocking echo in another process and back."""
    code = (
        "import socket;s=socket.create_server(('127.0.0.1',0));print(s.getsockname()[1],flush=True);c,_=s.accept();"
        "c.setsockopt(6,1,1)\nwhile (x:=c.recv(4096)): c.sendall(x)"
    )
    echo = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    if echo.stdout is None:
        raise SystemExit("the echo has no output")
    others = set(range(os.cpu_count() or 1)) - os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
    if others:
        os.sched_setaffinity(echo.pid, others)
    client = socket.create_connection(("127.0.0.1", int(echo.stdout.readline())))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    taken = []
    for _ in range(n):
        start = time.perf_counter_ns()
        client.sendall(b"x" * 129)
        client.recv(4096)
        taken.append(time.perf_counter_ns() - start)
    client.close()
    echo.wait()
    return {"figure": "loopback round trip", "latency_ms": quantiles(np.array(taken), np.ones(n, np.int64))}


# All of it ----------------------------------------------------------------------------------------------------------------------


async def receive(port: int, rate: int, seconds: tuple[float, float, float]) -> None:
    """The stages one after the other, a line each: (floor, as fast as it goes, at the rate) seconds."""
    floor_s, fast_s, rate_s = seconds
    make_ready()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.npy" for name in ("warm", "floor", "rate")]
        tell({"stage": "warming up", "seconds": 2.0})
        await measure(Run(port, 0, 2.0, files[0]))
        tell({"stage": "the loopback alone", "seconds": floor_s})
        lowest = plain(Run(port, rate, floor_s, files[1]))
        tell(lowest)
        trip = round_trip()
        tell(trip)
        tell({"stage": "as fast as it goes", "seconds": fast_s})
        tell(await measure(Run(port, 0, fast_s, files[0])))
        tell({"stage": f"{rate:,} messages a second", "seconds": rate_s})
        found = await measure(Run(port, rate, rate_s, files[2]))
        tell(found)
    limit = LIMIT_MS + min(lowest["latency_ms"]["p99"], trip["latency_ms"]["p99"])
    tell({
        "figure": "holds", "limit_ms": round(limit, 3),
        "holds": {
            "rate": found["messages_per_s"] >= rate * LEAST_SHARE, "p99": found["latency_ms"]["p99"] <= limit,
            "nothing lost": found["offered"] == found["messages"] == found["in_book"] and found["synced"],
            "flat memory": found["memory_mb"][2] - found["memory_mb"][0] <= LIMIT_MB,
        },
    })  # fmt: skip


def tell(found: dict[str, Any]) -> None:
    """One line for `sockets.py`."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def memory() -> float:
    """Megabytes of this process now; its peak where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def quantiles(taken: Any, messages: Any) -> dict[str, float]:
    """ms of the messages, from ns of their writes."""
    order = np.argsort(taken)
    reached = np.cumsum(messages[order])
    told = {
        f"p{q}": taken[order[min(np.searchsorted(reached, reached[-1] * q / 100), len(order) - 1)]] / 1e6 for q in (50, 99, 99.9)
    }
    return {name: round(float(value), 3) for name, value in (told | {"max": taken.max() / 1e6}).items()}
