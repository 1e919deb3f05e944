"""Import speed, a line for each format: rows, processor and wall seconds, rows a second. Recordings are read from `--data`.

    python benchmarks/imports.py --data FOLDER [--runs 7] [--only NAME]

Short recordings are told many times over into a scratch file first, each time with later local times, so that what is measured is
reading and not starting. The first run of each (compiling, warm caches) does not count. Rows a second go by the fastest run; the
median stands beside it. The processor's time counts both threads.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import zstandard

from tradewind.runtime.imports import import_files

ENOUGH_BYTES = 24 << 20
SHIFT_S = 40  # longer than any capture
Job = tuple[str, str, list[Path]]


def capture(source: Path, folder: Path) -> Path:
    """A capture told again and again, one connection to the reader."""
    text = zstandard.ZstdDecompressor().decompress(source.read_bytes(), 1 << 28)
    lines = text.splitlines()
    heard = [re.match(rb"(\d{10})(\.\d+: .*)", line, re.DOTALL) for line in lines]
    told = [(int(found[1]), found[2]) for found in heard if found]
    head = [line for line, found in zip(lines, heard, strict=True) if not found and b" <-> " in line]
    path = folder / source.name.replace(".zst", "")
    with path.open("wb") as out:
        out.write(b"\n".join(head) + b"\n")
        for turn in range(max(1, min(1_000, ENOUGH_BYTES // len(text)))):
            out.writelines(b"%d%s\n" % (second + turn * SHIFT_S, rest) for second, rest in told)
    return path


def kraken(data: Path, folder: Path) -> Path:
    """The v2 recording as frames, one a line, with local times; its snapshot comes again with every turn."""
    told = json.loads(gzip.decompress((data / "ws/kraken_v2/orderbook-v2_first300.json.gz").read_bytes()))
    frames = [json.dumps(one, separators=(",", ":")).encode() for one in (told["init"], *told["updates"])]
    path = folder / "kraken_v2"
    with path.open("wb") as out:
        for turn in range(600):
            first = 1_690_730_998_343_415_000 + turn * 30_000_000_000
            out.writelines(b"%d %s\n" % (first + k * 80_000_000, frame) for k, frame in enumerate(frames))
    return path


def coinbase(data: Path, folder: Path) -> Path:
    """Advanced Trade frames with local times, numbered on."""
    lines = (data / "ws/tickvault_2026-08-24/coinbase_l2.jsonl").read_bytes().splitlines()
    path, number = folder / "coinbase", 0
    with path.open("wb") as out:
        for _ in range(12_000):
            for line in lines:
                if b'"subscriptions"' in line:
                    continue
                numbered = re.sub(rb'"sequence_num":\d+', b'"sequence_num":%d' % number, line, count=1)
                out.write(b"%d %s\n" % (1_787_610_853_900_000_000 + number * 100_000, numbered))
                number += 1
    return path


def jobs(data: Path, folder: Path) -> Iterator[Job]:
    """(name, format, files)."""
    binance, bars = data / "ws/binance_hftbacktest", data / "ohlcv"
    spot = binance / "spot_btcusdt_20240808.gz"
    yield "binance spot, one symbol", "binance", [spot]
    yield "binance spot, two files", "binance", [spot, binance / "spot_ethusdt_20240808.gz"]
    yield "binance usd-m", "binance-usdm", [binance / "usdm_btcusdt_20240808.gz"]
    yield "kraken v2 book", "kraken", [kraken(data, folder)]
    yield "coinbase advanced trade", "coinbase", [coinbase(data, folder)]
    for source in sorted((data / "ws/cryptofeed").glob("*.ws.*.zst")):
        if source.stat().st_size > 4_000:
            yield f"cryptofeed {source.name.removesuffix('.txt.zst')}", "cryptofeed", [capture(source, folder)]
    yield "ohlcv parquet, eleven files", "ohlcv", [bars / "1m_2023-03_depeg"]
    yield "ohlcv feather, seven files", "ohlcv", [bars / "freqtrade_5m_2018-01"]
    yield "ohlcv csv, bitfinex", "ohlcv", [bars / "bitfinex_1m/BTCUSD_2013.csv.gz"]
    yield "ohlcv csv, eleven hourly files", "ohlcv", sorted((bars / "hourly_multi_venue").glob("*_1h_*"))


def measure(job: Job, runs: int, folder: Path) -> str:
    """The job's line."""
    name, kind, files = job
    rows, clock, processor = 0, [], []
    for turn in range(runs + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        rows = import_files(kind, files, folder / "tape").rows
        if turn:
            clock.append(time.perf_counter() - wall)
            processor.append(time.process_time() - cpu)
    speed = [rows / value / 1e6 for value in (min(clock), statistics.median(clock), min(processor))]
    return (
        f"{name:36} {rows:>9,} rows  {min(clock):7.3f} s  {min(processor):7.3f} cpu s  "
        f"{speed[0]:5.2f} M rows/s (median {speed[1]:5.2f})  {speed[2]:5.2f} M rows a cpu second"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for job in jobs(chosen.data, Path(name)):
            if chosen.only in job[0]:
                sys.stdout.write(measure(job, chosen.runs, Path(name)) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
