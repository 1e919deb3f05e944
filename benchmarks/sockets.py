"""Sockets to book: messages of a separate sender over loopback WebSockets into judged rows and books, on one core.

    BENCH_PEERS=<folder of C_feed.py> python benchmarks/sockets.py [--seconds 300] [--rate 50000]

The messages are C_feed.py's seven kinds in equal parts, encoded and framed before any clock starts, one connection a kind. Four
lines, each printed as soon as it is known: the loopback's own way (the same sender, the same messages, the same rate, into a
reader that only counts bytes; 20 s), its round trip, everything as fast as it goes (20 s), and the rate for the whole time. Then
what holds of the promise; exit code 1 where something does not. With `--seconds 300` it takes about six and a half minutes.

A message's latency runs from the sender's clock before the write that carries it to the moment at which its rows are in the sink
and in the book. Both processes read the system's one monotonic clock. They are kept on a core each where the system lets them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sockets_receiver import receive
from sockets_sender import send

FLOOR_S = FAST_S = 20.0
PATIENCE_S = 120.0  # beyond a stage's own time: a cold compile on a busy machine


class Child:
    """A process of this file, kept on one core, whose lines can be waited for."""

    def __init__(self, arguments: list[str], core: int) -> None:
        self.name = {"--send": "sender", "--receive": "receiver"}[arguments[0]]
        command = [sys.executable, str(Path(__file__).resolve()), *arguments, "--core", str(core)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line)
        self._lines.put("")

    def line(self, within_s: float) -> str:
        """Its next line; ends the program with a reason where none comes."""
        try:
            line = self._lines.get(timeout=within_s)
        except queue.Empty:
            raise SystemExit(f"the {self.name} said nothing for {within_s:.0f} s") from None
        if not line:
            raise SystemExit(f"the {self.name} ended with code {self.process.wait()}; its words are above")
        return line


def cores() -> tuple[int, int]:
    """(the receiver's, the sender's); -1 where they cannot have one each."""
    if not hasattr(os, "sched_getaffinity"):
        return -1, -1
    free = sorted(os.sched_getaffinity(0))
    return (free[0], free[-1]) if len(free) > 1 else (-1, -1)


def stay_on(core: int) -> None:
    """Keeps this process on a core."""
    if core >= 0:
        os.sched_setaffinity(0, {core})


def direct(seconds: float, rate: int) -> bool:
    """Starts both sides, prints what the receiver finds; whether the promise holds."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    mine, theirs = cores()
    stay_on(theirs)
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=2) as progress:
        bar = progress.add_task("encoding messages, compiling what reads them", total=None)
        sender = Child(["--send"], theirs)
        port = int(sender.line(PATIENCE_S))
        receiver = Child(["--receive", "--port", str(port), "--seconds", str(seconds), "--rate", str(rate)], mine)
        left, began = 0.0, time.monotonic()
        try:
            while True:
                told = json.loads(receiver.line(left + PATIENCE_S))
                if "stage" in told:
                    left, began = told["seconds"], time.monotonic()
                    progress.update(bar, description=told["stage"], total=left or None, completed=0)
                    threading.Thread(target=_advance, args=(progress, bar, began, left), daemon=True).start()
                    continue
                sys.stdout.write(json.dumps(told) + "\n")
                sys.stdout.flush()
                if told["figure"] == "holds":
                    return all(told["holds"].values())
        finally:
            for child in (receiver, sender):
                child.process.kill()
                child.process.wait()


def _advance(progress: Any, bar: Any, began: float, seconds: float) -> None:
    """Moves the bar with the clock: the measured processes say nothing while they are measured."""
    while (gone := time.monotonic() - began) < seconds:
        progress.update(bar, completed=gone)
        time.sleep(0.5)


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=20.0, help="at the rate")
    parser.add_argument("--rate", type=int, default=50_000, help="messages a second")
    for hidden in ("--send", "--receive"):
        parser.add_argument(hidden, action="store_true", help=argparse.SUPPRESS)
    for hidden in ("--port", "--core"):
        parser.add_argument(hidden, type=int, default=-1, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if "BENCH_PEERS" not in os.environ:
        raise SystemExit("BENCH_PEERS must name the folder that holds C_feed.py")
    stay_on(asked.core)
    if asked.send:
        send()
    elif asked.receive:
        stages = (FLOOR_S, FAST_S, asked.seconds)
        asyncio.run(receive(asked.port, asked.rate, (min(FLOOR_S, asked.seconds), min(FAST_S, asked.seconds), stages[2])))
    else:
        raise SystemExit(0 if direct(asked.seconds, asked.rate) else 1)


if __name__ == "__main__":
    main()
