"""Ours and a peer in turn, so that both see the same machine: `python benchmarks/interleaved.py A|B [--turns 5]`.

The peers' scripts and environments are named by BENCH_PEERS (the folder of A_bars.py and B_book.py) and BENCH_VENVS. Prints
every raw line, then one line a peer with the medians and the ratio of ours to the peer's fastest setting.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

PEERS = {"A": (("vbt", "vectorbt"), ("bt", "backtesting")), "B": (("hft", "hftbacktest"),)}
SCRIPTS = {"A": "A_bars.py", "B": "B_book.py"}
OURS = {
    "A": "from tradewind.runtime import bench as b; r = list(b.bars(N, str))",
    "B": "from tradewind.runtime import bench as b; r = [next(b.book(N, str))]",
}
SHOW = "; import json; [print(json.dumps(x)) for x in r]"


def lines(command: list[str], **environment: str) -> list[dict[str, Any]]:
    """The JSON lines a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        found.append({"peer": command[-1], "error": done.stderr.strip().splitlines()[-1:]})
    return found


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
            for line in lines(command, PYTHONPATH=os.environ.get("PYTHONPATH", "") if ours else str(scripts)):
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
