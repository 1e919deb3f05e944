"""A live run at thousands of messages a second, recorded; then the same run from its recording, to the same digest.

`python tests/runtime/campaign_recording.py 600 5000 docs/campaigns/recording.jsonl [FOLDER]` runs three processes: a sender
(emulated venues that play a reel of so many messages a second), `paper` over their sockets for so many seconds, and
`paper --tape` over what it recorded. A line says what was sent, received and recorded, the rate that was held, both digests and
the peak of memory. Killed itself, the same command goes on with what lies in FOLDER; a line that stands is not made again.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests")]
if "tradewind" not in sys.modules and not any(Path(place, "tradewind").is_dir() for place in sys.path):
    sys.path.insert(0, str(ROOT / "src"))

import tradewind  # noqa: E402
from tradewind.fabric.feeds import Place  # noqa: E402
from tradewind.runtime import live_paper as live_run  # noqa: E402
from tradewind.runtime.live_rows import LiveRows  # noqa: E402
from tradewind.runtime.live_source import Choice  # noqa: E402
from tradewind.runtime.options import PaperOptions, configured  # noqa: E402
from tradewind.runtime.paper import RUN, paper  # noqa: E402
from tradewind.storage.marketlog import MarketReader  # noqa: E402
from tradewind.venues.adapter import DEPTH, QUOTE, TRADE  # noqa: E402
from tradewind.venues.emulators.reel import Reel  # noqa: E402
from tradewind.venues.emulators.sandbox import Sandbox  # noqa: E402
from worldtape import environment  # noqa: E402

SYMBOLS = {"binance": ("BTCUSDT",), "kraken": ("BTC/USD",), "coinbase": ("BTC-USD",)}
SEED = 1
SOURCE = Path(tradewind.__file__).resolve().parent.parent
SETTLING_S = 6.0  # until every stream is heard and the reel has begun
HELD = 0.99  # of the rate
SAID_S = 10.0
LOOK_S = 0.1


# The processes -------------------------------------------------------------------------------------------------------------


async def send(rate: float) -> None:
    """Emulated venues until SIGTERM; the first line says where they are, the last what was sent."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Sandbox(list(SYMBOLS), SEED) as sandbox:
        say({"places": {name: [x["rest"], x["ws"]] for name, x in sandbox.addresses.items()}})
        reel = Reel(sandbox, rate, SEED)
        playing = asyncio.create_task(reel.run())
        stopped = asyncio.ensure_future(stop.wait())
        seen: list[tuple[float, int]] = []  # when more had been sent than before
        while not stop.is_set():
            sent = sum(reel.sent.values())
            if sent and (not seen or sent > seen[-1][1]):
                seen.append((time.monotonic(), sent))
            await asyncio.wait({stopped}, timeout=LOOK_S)
        playing.cancel()
        with suppress(asyncio.CancelledError):
            await playing
        rate_held = (seen[-1][1] - seen[0][1]) / max(seen[-1][0] - seen[0][0], LOOK_S) if seen else 0.0
        played_s = seen[-1][0] - seen[0][0] if seen else 0.0
        say({
            "sent": sum(reel.sent.values()), "late_s": round(reel.late_s, 4), "rate_held": round(rate_held, 1),
            "played_s": round(played_s, 2),
        })  # fmt: skip


def live(folder: Path, seconds: float, places: Mapping[str, list[str]]) -> None:
    """`paper` over the sockets; the line says what it did, and what came in by second."""
    options = PaperOptions(out=folder, duration=f"{seconds + SETTLING_S:g}s")
    choice = Choice(
        source="sandbox", venues=tuple(SYMBOLS), symbols=SYMBOLS, channels=(DEPTH, QUOTE, TRADE),
        places={name: Place(*place) for name, place in places.items()},
    )  # fmt: skip
    kept: list[LiveRows] = []
    begun = LiveRows.__init__

    def known(self: LiveRows, *arguments: Any) -> None:
        begun(self, *arguments)
        kept.append(self)

    LiveRows.__init__ = known  # type: ignore[method-assign]
    said = [time.monotonic()]
    rates: list[tuple[float, int]] = []

    def watch(state: Mapping[str, Any]) -> None:
        rates.append((time.monotonic(), kept[-1].rows))
        if time.monotonic() - said[0] > SAID_S:
            said[0] = time.monotonic()
            sys.stderr.write(f"  live: {kept[-1].rows:,} rows, {peak_mb():.0f} MB at most\n")

    result = live_run.live_paper(options, configured(options, {}), choice, watch=watch)
    streams = [stream for venue in kept[-1].summary.values() for stream in venue["streams"].values()]
    frames = {name: venue["frames"] for name, venue in kept[-1].summary.items()}
    say({
        **outcome(result), "recorded_rows": kept[-1].rows, "peak_mb": round(peak_mb()), "frames": frames,
        "messages": sum(stream["received"] for stream in streams), "conditions": sorted({x["condition"] for x in streams}),
        "refused": sum(stream["rejected"] for stream in streams), "seconds": round(rates[-1][0] - rates[0][0], 2),
    })  # fmt: skip


def over(folder: Path) -> None:
    """`paper --tape` over the recording."""
    options = PaperOptions(out=folder / "again", tape=folder / RUN, speed=0.0)
    say(outcome(paper(options, configured(options, {}))) | {"peak_mb": round(peak_mb())})


def outcome(result: Any) -> dict[str, Any]:
    """What both runs must agree on, and the machine."""
    names = ("digest", "rows", "orders", "fills", "equity", "machine_hash")
    return {name: getattr(result, name) for name in names}


def peak_mb() -> float:
    """The most this process ever held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def say(line: Mapping[str, Any]) -> None:
    """A line for the parent."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


# The parent ----------------------------------------------------------------------------------------------------------------


def child(*words: str) -> subprocess.Popen[str]:
    """This file as another process."""
    return subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, env=environment(SOURCE))


def answered(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The last line of a process that ended well."""
    told, _ = process.communicate()
    if process.returncode:
        raise AssertionError(f"a process ended with {process.returncode}")
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def recorded(folder: Path, seconds: float, rate: float) -> dict[str, Any]:
    """The live run's result and the sender's, made now or before."""
    result = folder / "live.json"
    if not result.exists():
        sender = child("--send", str(rate))
        try:
            assert sender.stdout is not None
            places = json.loads(sender.stdout.readline())["places"]
            found = answered(child("--live", str(folder), str(seconds), json.dumps(places)))
        finally:
            sender.send_signal(signal.SIGTERM)
        result.write_text(json.dumps(found | {"sender": answered(sender)}))
    known: dict[str, Any] = json.loads(result.read_text())
    return known


def line_of(folder: Path, seconds: float, rate: float) -> dict[str, Any]:
    """The line of the ledger."""
    before = recorded(folder, seconds, rate)
    sys.stderr.write(f"recorded {before['recorded_rows']:,} rows; now from the recording\n")
    after = answered(child("--tape", str(folder)))
    sent, rows = before["sender"]["sent"], MarketReader(folder / RUN / "market")
    whole = sum(len(part) for part in rows.rows())
    equal = all(before[name] == after[name] for name in ("digest", "rows", "orders", "fills", "equity", "machine_hash"))
    sender = before["sender"]
    heard = before["messages"] >= sent - rate  # what is on its way when the run stops is nobody's
    # What a keeper refused is told beside it: a reel's trade ids lie far from the venue's history, and a late reader loses books.
    good = equal and heard and whole == before["recorded_rows"]
    held = sender["rate_held"] >= HELD * rate and sender["played_s"] >= HELD * seconds
    size = sum(path.stat().st_size for path in (folder / RUN / "market").iterdir())
    return {
        "seconds": seconds, "rate": rate, "machine_hash": before["machine_hash"], "sent": sent,
        **{name: sender[name] for name in ("played_s", "rate_held", "late_s")}, "received": before["messages"],
        "refused": before["refused"], "rows_recorded": whole, "rows_played": after["rows"],
        "bytes_a_row": round(size / max(whole, 1), 2), "orders": before["orders"], "fills": before["fills"],
        "digest": before["digest"], "tape_digest": after["digest"], "peak_mb": before["peak_mb"], "tape_peak_mb": after["peak_mb"],
        "conditions": before["conditions"], "verdict": ("equal" if held else "equal, but slower") if good else "DIFFERENT",
    }  # fmt: skip


def main(seconds: float, rate: float, ledger: Path, folder: Path | None) -> int:
    """Adds a line where none stands for this length and rate in FOLDER's run; returns 1 where it is not as it should be."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tradewind-recording-") as scratch:
        place = folder or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        if (place / "line.json").exists():
            sys.stderr.write("the line stands already\n")
            return 0
        sys.stderr.write(f"{seconds:g} s at {rate:g} messages a second\n")
        line = line_of(place, seconds, rate)
        with open(ledger, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        (place / "line.json").write_text(json.dumps(line))
    sys.stderr.write(json.dumps(line, indent=1) + "\n")
    return int(line["verdict"] != "equal")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--send", rate]:
            asyncio.run(send(float(rate)))
        case ["--live", folder, seconds, places]:
            live(Path(folder), float(seconds), json.loads(places))
        case ["--tape", folder]:
            over(Path(folder))
        case [seconds, rate, ledger, *rest]:
            sys.exit(main(float(seconds), float(rate), Path(ledger), Path(rest[0]) if rest else None))
