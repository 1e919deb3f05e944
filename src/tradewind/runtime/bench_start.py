"""How long until it runs, and how much memory it takes: figures of whole processes, each measured in a fresh one.

Start: a composition compiled with empty caches, the same loaded from them, and the command line's help. Memory: `tradewind
backtest` over a synthetic tape of 5 M rows and (`--full`) of 50 M, with journal and report; a market maker quotes all along.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tradewind import __version__
from tradewind.domain.errors import TradewindError
from tradewind.domain.instruments import Instrument, Stream
from tradewind.storage.tape import TapeWriter

from .bench_tapes import SEQ_MASK, book_tape

TURNS = 3
CHUNK = 500_000  # rows of the synthetic book that are repeated, each time from its snapshot
COIN = Instrument(
    venue="binance", symbol="BTCUSDT", base="BTC", quote="USDT", price_exponent=1, quantity_exponent=3,
    maker_fee_e7=-500, taker_fee_e7=7_000,
)  # fmt: skip
LOADING = """
import json, time
began = time.perf_counter(); cpu = time.process_time()
from tradewind.domain.rows import rows
from tradewind.engine.compose import Composition, Machine
from tradewind.engine.snapshot import fresh_state, fresh_venue
imported = time.perf_counter()
machine = Machine(Composition())
state, physics = fresh_state(machine), fresh_venue(machine)
machine.drive(state, physics, rows(1), 0, 0, 0, rows(1024))
ended = time.perf_counter()
cpu = time.process_time() - cpu
print(json.dumps({"cpu": cpu, "all": ended - began, "composing": ended - imported,
    "machine_hash": machine.hash, "build": machine.build}))
"""
BACKTEST = """
import json, sys
from pathlib import Path
from tradewind.cli import main
code = main(sys.argv[1:])
status = Path("/proc/self/status")  # of this process image alone: ru_maxrss also remembers its parent's
peak = next(int(l.split()[1]) for l in status.read_text().splitlines() if l.startswith("VmHWM")) / 1024
print(json.dumps({"peak_mb": peak}))
sys.exit(code)
"""
QUOTING = (
    "strategies.market_maker.parameters.quantity=10", "strategies.market_maker.parameters.every_ms=100",
    "strategies.market_maker.parameters.max_inventory=100", "selector.shrinkage=1",
)  # fmt: skip


def child(code: str, *words: str, **variables: str) -> list[dict[str, Any]]:
    """The JSON lines a fresh Python process prints. Raises TradewindError where it fails."""
    environment = {**os.environ, **variables}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        raise TradewindError(f"a measured process failed: {last}", where=" ".join(words[:1]) or "loading", todo="run it by itself")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def starts() -> Iterator[tuple[str, float, dict[str, Any]]]:
    """Seconds of a cold compile, of a warm composition, of importing and composing, and of the command line's help."""
    with tempfile.TemporaryDirectory(prefix="tradewind-start-") as folder:
        caches = {"TRADEWIND_CACHE": f"{folder}/machines", "NUMBA_CACHE_DIR": f"{folder}/numba"}
        cold = child(LOADING, **caches)[0]
        known = {name: cold[name] for name in ("machine_hash", "build")}
        yield (
            "cold_compile",
            cold["composing"],
            {**known, "runs": [cold["composing"]], "cpu_s": cold["cpu"], "note": "empty caches, one run"},
        )
        warm = [child(LOADING, **caches)[0] for _ in range(TURNS)]
        for figure, key in (("warm_composition", "composing"), ("warm_process", "all")):
            taken = [told[key] for told in warm]
            yield figure, statistics.median(taken), {**known, "runs": taken, "cpu_s": min(told["cpu"] for told in warm)}
    taken = []
    for _ in range(TURNS):
        began = time.perf_counter()
        child("import sys; from tradewind.cli import main; sys.exit(main(['--help']))")
        taken.append(time.perf_counter() - began)
    yield "warm_cli", statistics.median(taken), {"runs": taken, "note": "the whole process of `tradewind --help`"}


def long_tape(folder: Path, n: int) -> None:
    """A tape of n rows: the same book over and over, each time from a snapshot at a later time."""
    base = book_tape(min(CHUNK, n))
    span = int(base["ts_local"][-1] - base["ts_local"][0]) + 1_000_000
    writer = TapeWriter(folder, [COIN], [Stream(venue=COIN.venue, channel="depth", instrument=0)], f"tradewind {__version__}")
    for start in range(0, n, len(base)):
        part = base[: n - start].copy()
        for name in ("ts_local", "ts_venue"):
            part[name] += start // len(base) * span
        part["ref"] = np.arange(start + 1, start + len(part) + 1)
        part["stream_seq"] = part["ref"] & SEQ_MASK
        writer.append(part)
    writer.close()


def memory(*sizes: int) -> Iterator[tuple[int, float, dict[str, Any]]]:
    """Rows of a tape and the peak resident MB of a backtest over it, with what it did and how much of it at the end.

    The first backtest is thrown away: the peak of a process that compiles is the compiler's.
    """
    sizes = (min(CHUNK // 10, *sizes), *sizes)
    for turn, n in enumerate(sizes):
        with tempfile.TemporaryDirectory(prefix="tradewind-memory-") as name:
            folder = Path(name)
            long_tape(folder / "tape", n)
            words = ["backtest", "--tape", str(folder / "tape"), "--strategy", "market_maker", "--capital", "1000000 USDT"]
            for pair in QUOTING:
                words += ["--set", pair]
            told, peak = child(BACKTEST, *words, "--out", str(folder / "out"), "--json")
            facts: dict[str, Any] = {
                key: told[key] for key in ("rows", "orders", "fills", "rows_per_s", "equity", "machine_hash") if key in told
            }
            if turn > 0:
                yield n, peak["peak_mb"], {**facts, **_pace(folder)}


def _pace(folder: Path) -> dict[str, Any]:
    """How many of the orders came in the last tenth of the tape's time."""
    from tradewind.domain import codes
    from tradewind.storage.journal import JournalReader

    journal = next((folder / "out").glob("*/journal"))
    sent = [part["ts_local"][part["kind"] == codes.SUBMIT] for part in JournalReader(journal).rows()]
    ts = np.concatenate(sent) if sent else np.zeros(0, np.int64)
    first, last = int(book_tape(41)["ts_local"][0]), int(ts.max(initial=0))
    return {"orders_in_last_tenth": int((ts > last - (last - first) // 10).sum())}
