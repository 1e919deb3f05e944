"""How well truth tells false data from true, on recordings and on a seeded world.

`TRADEWIND_SHARED=FOLDER python tests/market/campaign_truth.py docs/campaigns/truth.jsonl [NAME ...]` appends a line a tape: what
was planted in it and found, or what was told of it on clean days. A line that stands is not run again. The thresholds are those
of the commit and the machine a line names. They were chosen on 1 to 3 March 2023, on the hours of Bitcoin from November 2017 to
February 2018 and from October 2018 to March 2019, on those of Ether from March to May 2018, and on the worlds 101 to 104, 301 to
316, 501 to 512 and 601 to 612; what seeds of planting up to 734, and from 751 to 762 on books and
worlds, had missed was traced and mended before. The clean days of March 2023 and the hours of Bitcoin from April to September
2018 were looked at. Lines named "held out" hold months nobody had looked at,
and every seed was first drawn when the thresholds stood.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
if "tradewind" not in sys.modules:
    sys.path.insert(0, str(ROOT / "src"))

from tradewind.domain import codes  # noqa: E402
from tradewind.fabric import planting, planting_bars, scoring  # noqa: E402
from tradewind.fabric.faultlabels import Label, world_labels  # noqa: E402
from tradewind.fabric.planting_peers import CLOSE, HARD_SHARE, HIGH, LOOKS, LOW, Peers  # noqa: E402
from tradewind.runtime.demo import make_tape  # noqa: E402
from tradewind.runtime.imports import import_files  # noqa: E402
from tradewind.simulation.world import default_spec  # noqa: E402
from tradewind.storage.tape import Tape, TapeWriter  # noqa: E402

DATA = Path(os.environ.get("TRADEWIND_SHARED", ROOT.parent / "shared")) / "data"
Made = tuple[Tape, list[Label]]


def days(tape: Tape, first: int, end: int, out: Path) -> Tape:
    """Days [first, end) of a tape, counted from its first one."""
    if out.exists():
        return Tape.open(out)
    rows = np.concatenate([part.copy() for part in tape.segments()])
    zero = int(rows["ts_local"][0]) // codes.DAY * codes.DAY
    part = rows[(rows["ts_local"] >= zero + first * codes.DAY) & (rows["ts_local"] < zero + end * codes.DAY)].copy()
    for source in np.unique(part["source"]):
        mine = np.flatnonzero(part["source"] == source)
        part["stream_seq"][mine] = 1 + np.arange(len(mine))
    with TapeWriter(out, tape.manifest.instruments, tape.manifest.streams, "some days of a tape") as writer:
        writer.append(part)
        writer.close({})
    return Tape.open(out)


def minutes(folder: Path) -> Tape:
    """Twelve days of March 2023 at three venues."""
    out = folder / "minutes"
    if not out.exists():
        import_files("ohlcv", sorted((DATA / "ohlcv" / "1m_2023-03_depeg").glob("*.parquet")), out)
    return Tape.open(out)


def hours(folder: Path, name: str, first: str, end: str, coin: str = "BTC") -> Tape:
    """Hourly bars of one coin, of some months: Bitcoin at six venues (from April 2019 on at four), Ether at three."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import hourly

    out = folder / f"hours-{name}"
    if not out.exists():
        files = [x for x in hourly.FILES if f":{coin}/" in x]
        parts = {x: hourly.bars(DATA, x, first, end) for x in files}
        hourly.tape({x: part for x, part in parts.items() if len(part)}, out)
    return Tape.open(out)


def level2(folder: Path, name: str) -> Tape:
    """A recording of books."""
    files = {
        "binance": [DATA / "ws" / "binance_hftbacktest" / f"spot_{x}_20240808.gz" for x in ("btcusdt", "ethusdt")],
        "binance-usdm": [DATA / "ws" / "binance_hftbacktest" / "usdm_btcusdt_20240808.gz"],
        "kraken": [DATA / "ws" / "kraken_v2" / "orderbook-v2_first300.json.gz"],
    }[name]
    if not (folder / name).exists():
        import_files(name, files, folder / name)
    return Tape.open(folder / name)


def world(folder: Path, seed: int, seconds: int, faults: dict[str, float]) -> Made:
    """A seeded world, with its own labelled faults where asked for."""
    import msgspec

    spec = msgspec.structs.replace(default_spec(seconds * codes.SECOND), faults_per_hour=faults)
    tape, _ = make_tape(spec, seed, folder / f"world-{seed}")
    return tape, world_labels(tape.manifest.notes["faults"])


def scenes(folder: Path) -> Iterator[tuple[str, Callable[[], Made]]]:
    """Every tape of the campaign by its name."""

    def plan(tape: Callable[[], Tape], seed: int, every_s: float = 0.0) -> Callable[[], Made]:
        def made() -> Made:
            source = tape()
            out = folder / f"{source.folder.name}-planted-{seed}"
            labels = planting.plant(source, out, seed=seed, every_s=every_s)
            return Tape.open(out), labels

        return made

    quiet = lambda: days(minutes(folder), 3, 9, folder / "minutes-clean")  # noqa: E731
    yield "minutes clean 4 to 9 March", lambda: (quiet(), [])
    for seed in range(751, 757):
        yield f"minutes planted, seed {seed}", plan(quiet, seed)
    for name in ("binance", "binance-usdm", "kraken"):
        yield f"L2 {name} clean", lambda name=name: (level2(folder, name), [])  # type: ignore[misc]
        every = 2.5 if name == "kraken" else 0.0
        for seed in range(781, 785):
            yield f"L2 {name} planted, seed {seed}", plan(lambda name=name: level2(folder, name), seed, every)  # type: ignore[misc]
    summer = lambda: hours(folder, "clean", "2018-04-01", "2018-10-01")  # noqa: E731
    yield "hourly clean, April to September 2018", lambda: (summer(), [])
    for seed in range(751, 759):
        yield f"hourly planted, seed {seed}", plan(summer, seed)
    ether = lambda: hours(folder, "ether", "2018-03-01", "2018-06-01", "ETH")  # noqa: E731
    yield "hourly Ether clean, March to May 2018", lambda: (ether(), [])
    for seed in range(751, 755):
        yield f"hourly Ether planted, seed {seed}", plan(ether, seed)
    autumn = lambda: hours(folder, "autumn", "2017-09-01", "2017-12-01", "ETH")  # noqa: E731
    yield "held out: hourly Ether clean, September to November 2017", lambda: (autumn(), [])
    for seed in range(761, 765):
        yield f"held out: hourly Ether of 2017 planted, seed {seed}", plan(autumn, seed)
    four = lambda: hours(folder, "four", "2019-04-01", "2019-10-01")  # noqa: E731
    yield "held out: hourly clean, April to September 2019", lambda: (four(), [])
    for seed in range(771, 775):
        yield f"held out: hourly of 2019 planted, seed {seed}", plan(four, seed)
    for seed in range(413, 419):
        yield f"world clean, seed {seed}", lambda seed=seed: (world(folder, seed, 900, {})[0], [])  # type: ignore[misc]
    for seed in range(781, 784):
        yield f"world planted, seed {seed}", plan(lambda seed=seed: world(folder, 12 + seed, 900, {})[0], seed, 20.0)  # type: ignore[misc]
    kinds = (
        "dropped",
        "duplicated",
        "swapped",
        "frozen",
        "decimal_shift",
        "crossed",
        "stale_book",
        "wick",
        "clock_jump",
        "gap",
        "lying",
    )
    for seed in range(781, 793):
        yield f"world's own faults, seed {seed}", lambda seed=seed: world(folder, seed, 900, dict.fromkeys(kinds, 16.0))  # type: ignore[misc]


def hard_by_nature(tape: Tape) -> float | None:
    """How often an instrument-day a bar that nobody touched lies off the others' closes, highs or lows by what is called hard; None
    where there are no bars to compare. Who tells each of these cannot stay below as many alarms."""
    rows = np.concatenate([part.copy() for part in tape.segments()])
    bars = rows[rows["kind"] == codes.BAR]
    if not len(bars) or len(bars) < len(rows) // 2:
        return None
    peers, n = Peers(rows, tape.manifest.instruments), 0
    for i, x in enumerate(tape.manifest.instruments):
        own, unit = bars[bars["instrument"] == i], 10.0**x.price_exponent
        for row in own[LOOKS:]:
            _, high, low, close = planting_bars.prices(row)
            ts = int(row["ts_local"])
            for what, price in ((CLOSE, close), (HIGH, high), (LOW, low)):
                off = peers.deviation(i, ts, price / unit, what)
                outward = off if what == HIGH else -off if what == LOW else abs(off)
                if outward >= HARD_SHARE and outward >= peers.limit(i, ts, what):
                    n += 1
    days = len(tape.manifest.instruments) * (int(rows["ts_local"][-1]) - int(rows["ts_local"][0])) / codes.DAY
    return n / days


def line(name: str, made: Made) -> dict[str, Any]:
    """The ledger's line of one tape."""
    tape, labels = made
    figures = scoring.score(tape.folder, labels)
    machine = scoring.judge(len(tape.manifest.instruments), len({x.venue for x in tape.manifest.instruments})).hash
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    kept = ("recall", "recall_beyond_nature", "recall_all", "labels", "hard", "hard_beyond_nature",
            "false_alarms", "false_alarms_per_instrument_day", "instrument_days",
            "delay", "kinds", "soft", "missed", "alarms", "rows", "rows_per_s")  # fmt: skip
    return {
        "name": name,
        "commit": commit.stdout.strip(),
        "machine": machine,
        "tape": tape.digest[:16],
        **{key: figures[key] for key in kept},
        "hard_by_nature": None if labels else hard_by_nature(tape),
    }


def main(ledger: Path, wanted: list[str]) -> None:
    """Runs what the ledger does not hold yet."""
    done = {json.loads(text)["name"] for text in ledger.read_text().splitlines()} if ledger.exists() else set()
    with tempfile.TemporaryDirectory(prefix="tradewind-truth-") as folder:
        for name, make in scenes(Path(folder)):
            if name in done or (wanted and not any(name.startswith(word) for word in wanted)):
                continue
            found = line(name, make())
            with ledger.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
            sys.stderr.write(f"{name}: recall {found['recall']} of {found['hard']}, alarms {found['false_alarms']}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
