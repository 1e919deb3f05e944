"""Bytes of a socket to rows in the sink by the size of a piece: processor ns a message, the least of many short turns.

    BENCH_PEERS=<folder of C_feed.py> python benchmarks/pieces.py [--turns 40]

The messages are those of sockets.py, framed, given to the client in pieces of 1, 7, 40 and 200 whole messages without a socket
between: no system call, no other process. So two commits can be told apart while the machine does other work: run both in turn.
Prints a JSON line a size with the mean of the seven kinds and each. It takes half a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import sys
import time
from typing import Any, cast

import sockets_receiver as fabric
from feed import NAMES, Mute
from sockets_sender import reels

from tradewind.fabric.clock import JournalTime, SystemClock
from tradewind.fabric.transport import Settings
from tradewind.fabric.warmth import make_ready, settle
from tradewind.fabric.websocket import WebSocket

SIZES, MESSAGES = (1, 7, 40, 200), 1200


def link_of(kind: int) -> fabric.Link:
    """A link of one kind whose client has shaken hands with nobody."""
    clock = JournalTime(SystemClock())
    outside = fabric.Outside(cast(Any, None), clock, random.Random(1))
    feed = fabric.feed_of(kind, outside, fabric.Counted())
    client = WebSocket(Settings(clock, random.Random(1)), "nowhere")
    client._head = None
    link = fabric.Link(feed, cast(Any, Mute()), [lane.topic for lane in feed.lanes], False)
    link.wire = client
    return link


async def turn(link: fabric.Link, pieces: list[bytes]) -> int:
    """Processor ns of all pieces."""
    fabric.begin(link)
    client, began = cast(WebSocket, link.wire), time.process_time_ns()
    for piece in pieces:
        client.data_received(piece)
        link.hear(await client.arrivals())
    return time.process_time_ns() - began


async def measure(turns: int) -> None:
    """Prints a line a size."""
    make_ready()
    kinds, links = reels(), [link_of(kind) for kind in range(len(NAMES))]
    given = {}
    for size in SIZES:
        for kind, reel in enumerate(kinds):
            starts = reel.starts[: MESSAGES // size * size + 1 : size]
            given[size, kind] = [bytes(reel.bytes_[a:b]) for a, b in itertools.pairwise(starts)]
    settle()
    least = dict.fromkeys(given, float("inf"))
    for _ in range(turns + 1):
        for (size, kind), pieces in given.items():
            least[size, kind] = min(least[size, kind], await turn(links[kind], pieces) / len(pieces) / size)
    for size in SIZES:
        each = {name: round(least[size, kind]) for kind, name in enumerate(NAMES)}
        line = {"messages a piece": size, "ns": round(sum(each.values()) / len(each)), **each}
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--turns", type=int, default=40)
    asyncio.run(measure(parser.parse_args().turns))
