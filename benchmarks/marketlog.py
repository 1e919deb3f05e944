"""What a market row costs in the log, in ns of processor time: `python benchmarks/marketlog.py [--rounds 30] [--feed 2048]`.

One block of a seeded world of three venues and thirty instruments, again and again: coded and read back alone; a segment of it
appended and flushed as a live run does, a feed at a time, with a worker. The fastest round of each, in turn. Nothing else runs in
between, so caches are warm: within a run (`tests/replay/campaign_day.py`) a row costs about one and a half times as much.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tradewind.domain import codes
from tradewind.domain.rows import Rows
from tradewind.simulation.world import World
from tradewind.simulation.world.spec import wide_spec
from tradewind.storage.background import Background
from tradewind.storage.marketlog import BLOCK_ROWS, SEGMENT_ROWS, MarketLog
from tradewind.storage.rowcode import Coder, Decoder, words_of


def block() -> Rows:
    """A block's rows from the middle of a minute."""
    made = np.concatenate(list(World(wide_spec(codes.MINUTE), 5).chunks(1 << 16)))
    start = (len(made) - BLOCK_ROWS) // 2
    return made[start : start + BLOCK_ROWS].copy()


def fastest(rounds: int, *acts: Callable[[], int]) -> list[int]:
    """The least of what each act says it took, the acts in turn."""
    found = [[act() for act in acts] for _ in range(rounds)]
    return [min(column) for column in zip(*found, strict=True)]


class Bench:
    """The acts; each returns ns of processor time, of the whole process but where it says otherwise."""

    def __init__(self, rows: Rows, feed: int, folder: Path) -> None:
        self.rows, self.feed = rows, feed
        self.coder, self.decoder = Coder(len(rows)), Decoder()
        self.log = MarketLog(folder / "market", [], [], "a bench", worker=Background("market log", time.thread_time_ns))
        self.own: list[int] = []  # of the thread that appends

    def code(self) -> int:
        """Codes the block."""
        began = time.process_time_ns()
        self.coder.begin()
        self.coder.add(words_of(self.rows))
        return time.process_time_ns() - began

    def read(self) -> int:
        """Reads it back."""
        began = time.process_time_ns()
        self.decoder.begin()
        self.decoder.take(self.coder.view[: self.coder.size], len(self.rows))
        return time.process_time_ns() - began

    def append(self) -> int:
        """Appends a segment's worth, a flush a feed, until all is written, hashed, sealed and synced; ns a block."""
        began, own, blocks = time.process_time_ns(), time.thread_time_ns(), SEGMENT_ROWS // BLOCK_ROWS
        for at in [*range(0, len(self.rows), self.feed)] * blocks:
            self.log.append(self.rows[at : at + self.feed])
            self.log.flush()
        self.own.append((time.thread_time_ns() - own) // blocks)
        self.log.sync()
        self.log.prune(self.log.rows)
        return (time.process_time_ns() - began) // blocks


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--feed", type=int, default=2048)
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    rows = block()
    bench = Bench(rows, wanted.feed, folder)
    coded, read, appended = fastest(wanted.rounds, bench.code, bench.read, bench.append)
    bench.log.close()
    shutil.rmtree(folder)
    figures = {"code": coded, "read back": read, "append, all threads": appended, "append, own thread": min(bench.own)}
    lines = [line(name, round(ns / len(rows), 1), "ns/row") for name, ns in figures.items()]
    lines.append(line("at rest", round(bench.coder.size / len(rows), 2), "bytes/row"))
    sys.stdout.write("".join(lines))


def line(figure: str, value: float, unit: str) -> str:
    """One line of JSON."""
    return json.dumps({"item": "market log", "figure": figure, "value": value, "unit": unit}) + "\n"


if __name__ == "__main__":
    main()
