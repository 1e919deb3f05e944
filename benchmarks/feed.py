"""Bytes to rows to book, a message: ours and three peers in turn, so that all see the same machine.

    BENCH_PEERS=<folder of C_feed.py> BENCH_VENVS=<its environments> python benchmarks/feed.py [--turns 5] [--no-peers]

The messages are those of C_feed.py, which BENCH_PEERS must hold for ours too; ours runs before and after every peer. Prints
every raw line, then one line a kind of message with our median and, for each peer, how many times longer it takes (the
median over turns of that turn's ratio).
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PEERS = (("live", "ccxt"), ("live", "cryptofeed"), ("nautilus", "nautilus"))
MESSAGES, RUNS = 20_000, 5
SAME = {  # a peer's name of a figure, where it differs from C_feed.py's name of the messages
    "kraken_trade (v1 form)": "kraken2_trade",
    "binance_depthUpdate20+apply": "binance_depthUpdate20",
}


def ours() -> None:
    """Our figures as JSON lines: microseconds a message, the median of five runs over all messages, after one to warm up."""
    sys.path.insert(0, os.environ["BENCH_PEERS"])
    messages = importlib.import_module("C_feed").messages(MESSAGES)
    for name, frames in messages.items():
        taken = []
        for _ in range(RUNS + 1):
            run = _route(name)
            start = time.perf_counter()
            for frame in frames:
                run(frame)
            taken.append((time.perf_counter() - start) / len(frames) * 1e6)
        line = {"item": "C", "peer": "tradewind", "figure": name, "value": statistics.median(taken[1:]), "unit": "us/msg"}
        sys.stdout.write(json.dumps(line) + "\n")


def _route(name: str) -> Callable[[bytes], Any]:
    """From the bytes of one kind of message to its judged rows, depth into a synced book of 200 levels a side."""
    from tradewind.domain import codes
    from tradewind.domain.instruments import Instrument
    from tradewind.domain.rows import rows
    from tradewind.venues.adapter import DEPTH, QUOTE, TRADE, Topic
    from tradewind.venues.binance.adapter import BinanceAdapter
    from tradewind.venues.coinbase.adapter import CoinbaseAdapter
    from tradewind.venues.keepers import keeper_of
    from tradewind.venues.kraken.adapter import KrakenAdapter

    venue, symbol = {"b": ("binance", "BTCUSDT"), "k": ("kraken", "BTC/USD"), "c": ("coinbase", "BTC-USD")}[name[0]]
    proof = codes.PROOF_CHAIN if venue == "binance" else codes.PROOF_NONE  # C_feed's Kraken checksums are made up
    made = Instrument(venue=venue, symbol=symbol, base="BTC", quote="USD", price_exponent=2, quantity_exponent=8, proof=proof)
    adapter = {"binance": lambda: BinanceAdapter(aggregated=True), "kraken": KrakenAdapter, "coinbase": CoinbaseAdapter}[venue]()
    adapter.adopt([made])
    channel = TRADE if "rade" in name else QUOTE if "Ticker" in name else DEPTH
    keeper = keeper_of(adapter, Topic(channel, 0))
    if channel == DEPTH:
        book = rows(400)
        book["kind"], book["marks"], book["ref"], book["quantity"] = codes.DEPTH, codes.SNAPSHOT, 1_000, 100_000_000
        book["side"][200:] = codes.SELL
        book["price"] = [*(6_600_000 - 50 * i for i in range(200)), *(6_800_000 + 50 * i for i in range(200))]
        book["marks"][0] |= codes.FIRST
        book["marks"][-1] |= codes.LAST
        keeper.snapshot(book)
    read, take = adapter.read, keeper.take

    def run(frame: bytes) -> None:
        take(read(frame, 7).rows)

    return run


def lines(command: list[str], path: str) -> list[dict[str, Any]]:
    """The JSON lines a program prints."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**environment, "PYTHONPATH": path})
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        found.append({"peer": command[-1], "error": done.stderr.strip().splitlines()[-1:]})
    return found


def main() -> None:
    """Runs the turns and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--ours", action="store_true", help="only our figures, in this process")
    asked = parser.parse_args()
    if asked.ours:
        ours()
        return
    scripts, venvs = Path(os.environ["BENCH_PEERS"]), Path(os.environ.get("BENCH_VENVS", ""))
    found: list[dict[str, Any]] = []
    for turn in range(asked.turns):
        told: list[dict[str, Any]] = []
        own = [sys.executable, __file__, "--ours"], os.environ.get("PYTHONPATH", "")
        told += lines(*own)
        for venv, peer in () if asked.no_peers else PEERS:
            told += lines([str(venvs / venv / "bin" / "python"), str(scripts / "C_feed.py"), "--peer", peer], str(scripts))
            told += lines(*own)
        for line in told:
            found.append({"turn": turn, **line})
            sys.stdout.write(json.dumps(found[-1]) + "\n")
            sys.stdout.flush()
    summary(found)


def summary(found: list[dict[str, Any]]) -> None:
    """One line a kind of message."""
    told: dict[tuple[str, str], dict[int, list[float]]] = {}
    for line in found:
        if "value" in line and line.get("unit") == "us/msg":
            figure = line["figure"]
            told.setdefault((line["peer"], SAME.get(figure, figure)), {}).setdefault(line["turn"], []).append(line["value"])
    values = {key: {turn: statistics.median(some) for turn, some in turns.items()} for key, turns in told.items()}
    for (peer, figure), own in sorted(values.items()):
        if peer != "tradewind":
            continue
        line = {"figure": figure, "us": round(statistics.median(own.values()), 2)}
        for (other, name), theirs in sorted(values.items()):
            both = [theirs[turn] / own[turn] for turn in own if turn in theirs]
            if name == figure and other != peer and both:
                line[other] = {"us": round(statistics.median(theirs.values()), 2), "times": round(statistics.median(both), 2)}
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
