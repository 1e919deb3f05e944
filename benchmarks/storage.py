"""The store's figures beside those of other stores, in one run: `python benchmarks/storage.py [--n 50000000] [--peers a,b]`.

Ours: rows of a tape into the lake, a scan, and one hour out of all trades, from the tape and from the lake. The peers' script and
environments are named by BENCH_PEERS (the folder of F_storage.py) and BENCH_VENVS; each runs in turn after ours. Prints JSON
lines in the peers' form, then the ratios.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradewind.domain import codes
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import Rows, rows
from tradewind.storage.lake import Lake
from tradewind.storage.projection import Source, pieces
from tradewind.storage.tape import SEGMENT_ROWS, Tape, TapeWriter

BTC = Instrument(venue="binance", symbol="BTCUSDT", base="BTC", quote="USDT", price_exponent=1, quantity_exponent=5)
BATCH = 5 * SEGMENT_ROWS
START = 1_700_000_000 * codes.SECOND
MEAN_NS = 100 * codes.MILLISECOND  # ten trades a second, as the peers' data
NOTE = "from tape rows, 11 columns, lz4, a commit every 5 million"
PEERS = {"deltalake": "store", "duckdb": "store", "polars": "store", "arcticdb": "store", "raw": "core"}


def trades(n: int) -> Iterator[Rows]:
    """Seeded trades in batches; the same array each time."""
    made = rows(min(BATCH, n))
    made["kind"], made["marks"], made["strategy"] = codes.TRADE, codes.WHOLE, -1
    at, price = START, 600_000
    for first in range(0, n, BATCH):
        part = made[: min(BATCH, n - first)]
        random = np.random.default_rng(first)
        part["ts_venue"] = at + np.cumsum(random.integers(0, 2 * MEAN_NS, len(part)))
        part["ts_local"] = part["ts_venue"]
        part["price"] = price + np.cumsum(random.integers(-1, 2, len(part)))
        part["quantity"] = random.exponential(5000, len(part)).astype(np.int64) + 1
        part["side"] = random.integers(0, 2, len(part))
        part["ref"] = np.arange(first + 1, first + len(part) + 1)
        part["stream_seq"] = part["ref"] & 0x7FFFFFFF
        at, price = int(part["ts_venue"][-1]), int(part["price"][-1])
        yield part


def seconds(act: Callable[[], Any], runs: int = 9) -> float:
    """The median of some calls, after one to warm up."""
    act()
    times = []
    for _ in range(runs):
        gc.collect()
        begun = time.perf_counter()
        act()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def ours(n: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Our lines."""

    def line(peer: str, figure: str, value: float, unit: str, **more: Any) -> dict[str, Any]:
        return {"item": "F", "peer": peer, "figure": figure, "value": float(f"{value:.5g}"), "unit": unit, **more}

    lake, spent, taped, worked = Lake(folder / "lake"), 0.0, 0.0, 0.0
    for part in trades(n):
        begun, busy = time.perf_counter(), time.process_time()
        lake.append(pieces(part, np.arange(len(part)), Source(1, [BTC])))
        spent += time.perf_counter() - begun
        worked += time.process_time() - busy
    # Not in one loop: a tape's fsync would make the lake's writes wait for the disk.
    writer = TapeWriter(folder / "tape", [BTC], [Stream(venue="binance", channel="trade", instrument=0)], "benchmark")
    for part in trades(n):
        begun = time.perf_counter()
        writer.append(part)
        taped += time.perf_counter() - begun
    writer.close()
    tape = Tape.open(folder / "tape")
    size = sum(kept.bytes for kept in lake.tables())
    hour = START + n // 2 * MEAN_NS, START + n // 2 * MEAN_NS + codes.HOUR
    yield line(
        "tradewind lake",
        "write",
        n / spent / 1e6,
        "Mrow/s",
        rows=n,
        note=NOTE,
    )
    yield line("tradewind lake", "write, a second of one core", n / worked / 1e6, "Mrow/s")
    yield line("tradewind lake", "bytes_per_row", size / n, "B/row")

    def scan() -> float:
        total = lake.scan("trades").select((pl.col("price_units") * pl.col("quantity_units")).sum())
        return float(total.collect().item())

    yield line("tradewind lake", "scan_sum(price*size)", n / seconds(scan, 3) / 1e6, "Mrow/s")

    def ask(found: Lake) -> pl.DataFrame:
        return found.scan("trades", ("binance", "BTC/USDT"), *hour).collect()

    answer = ask(lake)
    yield line("tradewind lake", "range_1h", seconds(lambda: ask(lake)) * 1e3, "ms", rows_returned=answer.height)
    yield line("tradewind lake", "range_1h, opened anew", seconds(lambda: ask(Lake(folder / "lake"))) * 1e3, "ms")
    yield line("tradewind tape", "write", n / taped / 1e6, "Mrow/s", note="64 bytes a row, sha256 and fsync included")
    found = sum(map(len, tape.between(*hour)))
    yield line(
        "tradewind tape", "range_1h", seconds(lambda: tape.between(*hour), 99) * 1e3, "ms", rows_returned=found, note="views"
    )

    def copied() -> Rows:
        return np.concatenate(tape.between(*hour))

    yield line("tradewind tape", "range_1h, copied", seconds(copied, 99) * 1e3, "ms", rows_returned=found)
    if found != answer.height:
        raise SystemExit(f"the tape gives {found} rows, the lake {answer.height}")


def peer(name: str, n: int) -> Iterator[dict[str, Any]]:
    """The lines of one peer, by its own script."""
    script = Path(os.environ["BENCH_PEERS"]) / "F_storage.py"
    python = Path(os.environ["BENCH_VENVS"]) / PEERS[name] / "bin" / "python"
    call = [str(python), str(script), "--peer", name, "--n", str(n)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=environment)
    yield from (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    if done.returncode:
        yield {"item": "F", "peer": name, "figure": "error", "value": done.stderr.strip().splitlines()[-1:], "unit": ""}


def ratios(found: list[dict[str, Any]]) -> Iterator[str]:
    """Ours by each peer's best, where both have the figure; for times the peer's by ours: above 1 is better."""
    values = {(line["peer"], line["figure"]): line["value"] for line in found if isinstance(line["value"], float | int)}
    for figure, who in (("write", "tradewind lake"), ("range_1h", "tradewind lake"), ("range_1h", "tradewind tape")):
        for name in sorted({peer for peer, told in values if told == figure and not peer.startswith("tradewind")}):
            mine, theirs = values[who, figure], values[name, figure]
            yield f"{figure}: {who} against {name}: {theirs / mine if figure.startswith('range') else mine / theirs:.2f}"


def main() -> None:
    """Runs ours, then the peers, and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=50_000_000)
    parser.add_argument("--peers", default="")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="storage-", dir=asked.folder))
    found: list[dict[str, Any]] = []
    try:
        for line in ours(asked.n, folder):
            found.append(line)
            sys.stdout.write(json.dumps(line) + "\n")
    finally:
        shutil.rmtree(folder)
    for name in filter(None, asked.peers.split(",")):
        for line in peer(name, asked.n):
            found.append(line)
            sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.write("\n".join(ratios(found)) + "\n")


if __name__ == "__main__":
    main()
