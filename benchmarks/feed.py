"""Bytes to rows to book, a message: ours and three peers in turn, so that all see the same machine.

    BENCH_PEERS=<folder of C_feed.py> BENCH_VENVS=<its environments> python benchmarks/feed.py [--turns 5] [--no-peers] [--wall]

The messages are those of C_feed.py, which BENCH_PEERS must hold for ours too; ours runs before and after every peer. Each is
timed by the processor time of its process, so that other work on the machine counts for nobody; --wall takes the wall clock.
Prints every raw line, then one line a kind of message with our median, one by one and `together` (seven frames in one piece,
what a wake-up brings at 50,000 a second), and for each peer how many times longer it takes than ours one by one (the median
over turns of that turn's ratio), and as a table on stderr. Exit code 1 where a ratio is below what is promised. A turn takes
about two minutes.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

PEERS = (("live", "ccxt"), ("live", "cryptofeed"), ("nautilus", "nautilus"))
NAMES = (
    "binance_bookTicker", "binance_aggTrade", "binance_depthUpdate20", "kraken2_trade", "kraken2_book6",
    "coinbase_market_trades", "coinbase_level2_10",
)  # fmt: skip
OURS = "tradewind"
MESSAGES, RUNS, TOGETHER = 20_000, 5, 7
PATIENCE_S = 600.0  # for one program
LEAST = {"ccxt.pro": (10.0, 10.0), "cryptofeed": (5.0, 2.0), "nautilus_trader": (5.0, 0.0)}
"""How many times ours a peer must take: (depth, quotes and trades)."""
SAME = {  # a peer's name of a figure, where it differs from C_feed.py's name of the messages
    "kraken_trade (v1 form)": "kraken2_trade",
    "binance_depthUpdate20+apply": "binance_depthUpdate20",
}


def ours() -> None:
    """Our figures as JSON lines: microseconds a message, the median of five runs over all messages, after one to warm up."""
    sys.path.insert(0, os.environ["BENCH_PEERS"])
    messages = importlib.import_module("C_feed").messages(MESSAGES)
    for name, frames in messages.items():
        pieces = [frames[at : at + TOGETHER] for at in range(0, len(frames), TOGETHER)]
        for figure, way, given in ((name, _route, frames), (f"{name} together", _together, pieces)):
            taken = []
            for _ in range(RUNS + 1):
                run = way(name)
                start = time.perf_counter()
                for one in given:
                    run(one)
                taken.append((time.perf_counter() - start) / len(frames) * 1e6)
            value = round(statistics.median(taken[1:]), 4)
            line = {"item": "C", "peer": OURS, "figure": figure, "value": value, "unit": "us/msg"}
            sys.stdout.write(json.dumps(line) + "\n")


def _together(name: str) -> Callable[[list[bytes]], Any]:
    """The fabric's own way for frames that came in one piece, to a sink: adapter, lane, keeper, desk."""
    import sockets_receiver as fabric

    from tradewind.fabric.transport import Arrival

    clock = fabric.JournalTime(fabric.SystemClock())
    outside = fabric.Outside(cast(Any, None), clock, random.Random(1))
    feed = fabric.feed_of(NAMES.index(name), outside, fabric.Counted())
    link = fabric.Link(feed, cast(Any, Mute()), [lane.topic for lane in feed.lanes], False)
    fabric.begin(link)
    hear, now = link.hear, clock.now
    return lambda frames: hear([Arrival(now(), frames)])


class Mute:
    """A wire nobody listens to."""

    def send(self, message: bytes) -> None:
        """Nothing."""


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


CPU = (
    "import runpy,sys,time;time.perf_counter=time.process_time;"
    "sys.argv=sys.argv[1:];runpy.run_path(sys.argv[0],run_name='__main__')"
)
"""Runs a script with processor time in place of the wall clock."""


def lines(python: str, script: Path, arguments: list[str], path: str, wall: bool) -> list[dict[str, Any]]:
    """The JSON lines a script prints."""
    command = [python, *(() if wall else ("-c", CPU)), str(script), *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPATH": path}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=PATIENCE_S)
    except (subprocess.TimeoutExpired, OSError) as error:
        return [{"peer": arguments[-1], "error": str(error)[:200]}]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        found.append({"peer": arguments[-1], "error": done.stderr.strip().splitlines()[-1:]})
    return found


def main() -> None:
    """Runs the turns and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--wall", action="store_true", help="the wall clock in place of processor time")
    parser.add_argument("--ours", action="store_true", help="only our figures, in this process")
    asked = parser.parse_args()
    if asked.ours:
        ours()
        return
    scripts, venvs = Path(os.environ["BENCH_PEERS"]), Path(os.environ.get("BENCH_VENVS", ""))
    path, here = os.environ.get("PYTHONPATH", ""), Path(__file__).resolve()
    own = (sys.executable, here, ["--ours"], os.pathsep.join([path, str(here.parent)] if path else [str(here.parent)]))
    work: list[tuple[str, Path, list[str], str]] = [own]
    for venv, peer in () if asked.no_peers else PEERS:
        work += [(str(venvs / venv / "bin" / "python"), scripts / "C_feed.py", ["--peer", peer], str(scripts)), own]
    found: list[dict[str, Any]] = []
    for turn, (at, one) in itertools.product(range(asked.turns), enumerate(work)):
        sys.stderr.write(f"turn {turn + 1} of {asked.turns}, program {at + 1} of {len(work)}: {one[2][-1]}\n")
        for line in lines(*one, asked.wall):
            found.append({"turn": turn, **line})
            sys.stdout.write(json.dumps(found[-1]) + "\n")
            sys.stdout.flush()
    short = summary(found)
    for told in short:
        sys.stdout.write(json.dumps(told) + "\n")
    table(short)
    raise SystemExit(0 if all(peer["holds"] for told in short for peer in told["peers"].values()) else 1)


def summary(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line a kind of message."""
    told: dict[tuple[str, str], dict[int, list[float]]] = {}
    for line in found:
        if "value" in line and line.get("unit") == "us/msg":
            figure = line["figure"]
            told.setdefault((line["peer"], SAME.get(figure, figure)), {}).setdefault(line["turn"], []).append(line["value"])
    values = {key: {turn: statistics.median(some) for turn, some in turns.items()} for key, turns in told.items()}
    short = []
    for figure in NAMES:
        own = values[OURS, figure]
        together = values[OURS, f"{figure} together"]
        line = {"figure": figure, "us": median(own), "together_us": median(together), "peers": {}}
        for peer, least in LEAST.items():
            theirs = values.get((peer, figure), {})
            times = [theirs[turn] / own[turn] for turn in own if turn in theirs]
            if times:
                wanted = least["depth" not in figure and "book6" not in figure and "level2" not in figure]
                ratio = round(statistics.median(times), 2)
                line["peers"][peer] = {"us": median(theirs), "times": ratio, "least": wanted, "holds": ratio >= wanted}
        short.append(line)
    return short


def median(turns: dict[int, float]) -> float:
    """Of a figure's turns."""
    return round(statistics.median(turns.values()), 2)


def table(short: list[dict[str, Any]]) -> None:
    """The same for people."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("µs a message", "ours", "together", *LEAST)
    for line in short:
        peers = [line["peers"].get(peer) for peer in LEAST]
        cells = [f"{x['us']} ({x['times']} ×{'' if x['holds'] else ', too few'})" if x else "" for x in peers]
        shown.add_row(line["figure"], f"{line['us']:.2f}", f"{line['together_us']:.2f}", *cells)
    Console(stderr=True).print(shown)


if __name__ == "__main__":
    main()
