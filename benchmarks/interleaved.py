"""Ours and a peer in turn, so that both see the same machine: `python benchmarks/interleaved.py A|bars|B [--turns 5]`.

The peers' scripts and environments are named by BENCH_PEERS (the folder of A_bars.py and B_book.py) and BENCH_VENVS. Prints
every raw line, then one line a figure with its median. `bars` is A without its sweeps, half as long: a peer is ended when it
tells its memory, the last thing it does before them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BARS = (("vbt", "vectorbt"), ("bt", "backtesting"))
PEERS = {"A": BARS, "bars": BARS, "B": (("hft", "hftbacktest"),)}
SCRIPTS = {"A": "A_bars.py", "bars": "A_bars.py", "B": "B_book.py"}
OURS = {
    "A": "from tradewind.runtime import bench as b; r = list(b.bars(N, str))",
    "bars": "from tradewind.runtime import bench as b; from itertools import islice; r = list(islice(b.bars(N, str), 2))",
    "B": "from tradewind.runtime import bench as b; r = [next(b.book(N, str))]",
}
SHOW = "; import json; [print(json.dumps(x)) for x in r]"


def lines(command: list[str], last: str = "", **environment: str) -> Iterator[dict[str, Any]]:
    """The JSON lines a program prints; it is ended after the figure `last`."""
    with tempfile.TemporaryFile("w+") as errors:
        running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **environment}
        )  # fmt: skip
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("{"):
                found = json.loads(line)
                yield found
                if last and found.get("figure") == last:
                    running.kill()
                    running.wait()
                    return
        if running.wait():
            errors.seek(0)
            yield {"peer": command[-1], "error": errors.read().strip().splitlines()[-1:]}


def main() -> None:
    """Runs the turns and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("item", choices=sorted(PEERS))
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--n", type=int)
    parser.add_argument("--no-peers", action="store_true")
    asked = parser.parse_args()
    scripts, venvs = Path(os.environ["BENCH_PEERS"]), Path(os.environ["BENCH_VENVS"])
    found: list[dict[str, Any]] = []
    for turn in range(asked.turns):
        turns = [[sys.executable, "-c", OURS[asked.item].replace("N", str(asked.n)) + SHOW]]
        if not asked.no_peers:
            for venv, peer in PEERS[asked.item]:
                sized = ["--n", str(asked.n)] if asked.n else []
                turns.append([str(venvs / venv / "bin" / "python"), str(scripts / SCRIPTS[asked.item]), *sized, "--peer", peer])
        for command in turns:
            ours = command[0] == sys.executable
            last = "peak_mb" if asked.item == "bars" and not ours else ""
            for line in lines(command, last, PYTHONPATH=os.environ.get("PYTHONPATH", "") if ours else str(scripts)):
                line = {"turn": turn, **line}
                found.append(line)
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()
    summary(found)


def summary(found: list[dict[str, Any]]) -> None:
    """Medians over the turns, by figure and setting."""
    groups: dict[str, list[float]] = {}
    for line in found:
        if "value" in line and line["unit"].endswith("/s"):
            name = " ".join(str(line.get(key, "")) for key in ("item", "peer", "figure", "depth")).strip()
            groups.setdefault(name, []).append(line["value"])
    for name, values in groups.items():
        sys.stdout.write(json.dumps({"median": statistics.median(values), "of": values, "figure": name}) + "\n")


if __name__ == "__main__":
    main()
