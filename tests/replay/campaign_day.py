"""A day of three venues and thirty instruments as a live run would keep it: market log, journal, snapshots, retention, kills.

`python tests/replay/campaign_day.py 24 docs/campaigns/day.jsonl FOLDER` plays the hours twice over the same seeded world: once
whole and with nothing thrown away, once with an hour's retention and killed again and again. A line says what a row costs at
rest, what journalling costs of the CPU (in all, and on the engine's own thread), how much disk was ever in use, and whether both
ended alike. Killed itself, the same
command goes on where it was: both runs lie in FOLDER until the line is written.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests")]
if "tradewind" not in sys.modules and not any(Path(place, "tradewind").is_dir() for place in sys.path):
    sys.path.insert(0, str(ROOT / "src"))

import msgspec  # noqa: E402
import numpy as np  # noqa: E402

import tradewind  # noqa: E402
from tradewind.domain import codes  # noqa: E402
from tradewind.domain.rows import Rows  # noqa: E402
from tradewind.runtime.demo import make_tape  # noqa: E402
from tradewind.runtime.logged import JOURNAL, MARKET, SNAPSHOTS, Keeping, LoggedRun  # noqa: E402
from tradewind.runtime.options import PaperOptions, configured  # noqa: E402
from tradewind.runtime.planning import Plan, plan  # noqa: E402
from tradewind.simulation.world import World  # noqa: E402
from tradewind.simulation.world.spec import wide_spec  # noqa: E402
from tradewind.storage import marketlog  # noqa: E402
from tradewind.storage.journal import JournalReader  # noqa: E402
from worldtape import environment  # noqa: E402

SOURCE = Path(tradewind.__file__).resolve().parent.parent
FEED_ROWS = 2048  # about a second of this world
MOST_BYTES_A_ROW = 12.0


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What is played and how it is kept."""

    hours: float
    seed: int = 5
    retention_s: float = 3600.0
    snapshot_s: float = 60.0
    segment_rows: int = marketlog.SEGMENT_ROWS
    kills: int = 4

    @property
    def duration_ns(self) -> int:
        """Length in world time."""
        return round(self.hours * codes.HOUR)


# The child -----------------------------------------------------------------------------------------------------------------


def play(day: Day, folder: Path, *, pruned: bool) -> dict[str, Any]:
    """Begins the run in the folder, or takes it up, and plays it to its end."""
    marketlog.SEGMENT_ROWS = day.segment_rows
    keeping = Keeping(
        snapshot_ns=round(day.snapshot_s * codes.SECOND), market_ns=round(day.retention_s * codes.SECOND) if pruned else 0
    )
    world = World(wide_spec(day.duration_ns), day.seed)
    if (folder / JOURNAL / "journal.json").exists() and (folder / MARKET / "market.json").exists():
        run = LoggedRun.resume(folder, keeping)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        run = LoggedRun.begin(folder, plan_of_day(day, folder), world.streams, world.spec.start_ns, keeping)
    run.measure(time.thread_time_ns)
    began, most = time.process_time(), 0
    progress = open(folder / "progress", "w", encoding="ascii")  # noqa: SIM115
    for number, part in enumerate(behind(world, run.row)):
        run.feed(part)
        if number % 16 == 0:
            progress.seek(0)
            progress.write(f"{run.row:015d}")
            progress.flush()
            if number % 512 == 0:
                most = max(most, disk_use(folder / MARKET) + disk_use(folder / SNAPSHOTS))
    run.finish(world.spec.start_ns + day.duration_ns + codes.SECOND)
    spent = time.process_time() - began
    sealed = run.log.manifest.segments
    return {
        "rows": run.row, "digest": run.session.digest, "machine_hash": run.machine.hash, "cpu_s": round(spent, 2),
        "took_s": {name: round(ns / 1e9, 3) for name, ns in msgspec.structs.asdict(run.took).items() if name != "n_snapshots"},
        "snapshots": run.took.n_snapshots, "sealed_rows": len(sealed) * day.segment_rows,
        "sealed_bytes": sum(segment.bytes for segment in sealed), "most_disk": most,
        "journal_bytes": disk_use(folder / JOURNAL), "orders": int(run.session.state[0]["count"]["submits"]),
        "fills": int(run.session.state[0]["fact"]["ids"]["n_fills"]),
    }  # fmt: skip


def behind(world: World, row: int) -> Iterator[Rows]:
    """The world's rows from number `row` on, in pieces."""
    at = 0
    for part in world.chunks(1 << 16):
        for start in range(max(row - at, 0), len(part), FEED_ROWS):
            yield part[start : start + FEED_ROWS]
        at += len(part)


def plan_of_day(day: Day, folder: Path) -> Plan:
    """The default configuration over the world's first seconds, which give its instruments and first prices."""
    scratch = folder.with_name(folder.name + "-first")
    tape, _ = make_tape(wide_spec(5 * codes.SECOND), day.seed, scratch / "tape")
    made = plan(configured(PaperOptions(tape=tape.folder, out=scratch), {}), tape)
    shutil.rmtree(scratch)
    return made


def disk_use(folder: Path) -> int:
    """Bytes of a folder's files; what goes away meanwhile counts nothing."""
    sizes = []
    for path in folder.iterdir():
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return sum(sizes)


# The parent ----------------------------------------------------------------------------------------------------------------


class Campaign:
    """Both runs of a day."""

    def __init__(self, day: Day, folder: Path) -> None:
        self.day, self.folder = day, folder
        folder.mkdir(parents=True, exist_ok=True)

    def line(self) -> dict[str, Any]:
        """Plays what is still to be played; the line of the ledger."""
        whole, kept = self.finished("whole"), self.killed()
        rows_equal = self._hash("whole") == self._hash("pruned")
        machine, took = whole["took_s"]["machine"], whole["took_s"]
        own = took["market_log"] + took["journal"]  # on the engine's thread
        logging = own + took["worker"]
        a_row = whole["sealed_bytes"] / max(whole["sealed_rows"], 1)
        verdict = rows_equal and whole["digest"] == kept["digest"] and 0.0 < a_row <= MOST_BYTES_A_ROW
        return {
            **msgspec.structs.asdict(self.day), "machine_hash": whole["machine_hash"], "rows": whole["rows"],
            "bytes_a_row": round(a_row, 3), "journal_bytes": whole["journal_bytes"], "orders": whole["orders"],
            "fills": whole["fills"], "cpu_s": whole["cpu_s"], "took_s": took,
            "journalling_share_of_process": round(logging / whole["cpu_s"], 4),
            "journalling_share_of_machine": round(logging / machine, 4),
            "journalling_share_without_world": round(logging / (logging + machine + took["snapshots"]), 4),
            "journalling_ns_a_row": round(1e9 * logging / whole["rows"], 1),
            "own_thread_share_of_process": round(own / whole["cpu_s"], 4),
            "own_thread_share_of_machine": round(own / machine, 4),
            "snapshot_share_in_real_time": round(took["snapshots"] / max(whole["snapshots"], 1) / self.day.snapshot_s, 6),
            "snapshots": whole["snapshots"],
            "most_disk_whole": whole["most_disk"], "most_disk_pruned": kept["most_disk"], "killed_at_rows": kept["killed_at_rows"],
            "pruned_segments": kept["pruned_segments"], "digest": whole["digest"], "pruned_digest": kept["digest"],
            "rows_equal": rows_equal, "verdict": "equal" if verdict else "DIFFERENT",
        }  # fmt: skip

    def finished(self, name: str) -> dict[str, Any]:
        """The result of a run, played to its end if it is not there yet."""
        result = self.folder / f"{name}.json"
        if not result.exists():
            child = self._child(name)
            if child.wait() != 0:
                raise AssertionError(f"{name} ended with {child.returncode}: {(self.folder / f'{name}.err').read_text()[-3000:]}")
        found: dict[str, Any] = json.loads(result.read_text())
        return found

    def killed(self) -> dict[str, Any]:
        """The pruned run, killed at random rows on its way."""
        marks = self.folder / "kills.json"
        killed: list[int] = json.loads(marks.read_text()) if marks.exists() else []
        total, rng = self.finished("whole")["rows"], random.Random(self.day.seed)
        wanted = sorted(rng.randrange(total // 10, total) for _ in range(self.day.kills))
        for at in wanted[len(killed) :]:
            child, progress = self._child("pruned"), self.folder / "pruned" / "progress"
            while child.poll() is None and _read(progress) < at:
                time.sleep(0.005)
            time.sleep(rng.uniform(0.0, 0.02))
            child.send_signal(signal.SIGKILL)
            child.wait()
            killed.append(_read(progress))
            marks.write_text(json.dumps(killed))
        found = self.finished("pruned")
        manifest = marketlog.MarketReader(self.folder / "pruned" / MARKET).manifest
        return {**found, "killed_at_rows": killed, "pruned_segments": manifest.pruned}

    def _child(self, name: str) -> subprocess.Popen[bytes]:
        words = [
            sys.executable,
            str(Path(__file__).resolve()),
            "--play",
            name,
            str(self.folder),
            msgspec.json.encode(self.day).decode(),
        ]
        with open(self.folder / f"{name}.err", "ab") as err:
            return subprocess.Popen(words, env=environment(SOURCE), stdout=subprocess.DEVNULL, stderr=err)

    def _hash(self, name: str) -> str:
        """Over all rows but TAPE, which only say how the market was cut."""
        found = hashlib.sha256()
        for part in JournalReader(self.folder / name / JOURNAL).rows():
            found.update(np.ascontiguousarray(part[part["kind"] != codes.TAPE]).view(np.uint8).data)
        return found.hexdigest()


def _read(progress: Path) -> int:
    try:
        return int(progress.read_text() or 0)
    except (FileNotFoundError, ValueError):
        return 0


def main(hours: float, ledger: Path, folder: Path) -> int:
    """Plays the day and appends its line; 1 where the runs ended otherwise."""
    found = Campaign(Day(hours=hours), folder).line()
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with open(ledger, "a", encoding="utf-8") as file:
        file.write(json.dumps(found) + "\n")
    shutil.rmtree(folder)
    return int(found["verdict"] != "equal")


if __name__ == "__main__":
    if sys.argv[1] == "--play":
        to = Path(sys.argv[3])
        done = play(msgspec.json.decode(sys.argv[4], type=Day), to / sys.argv[2], pruned=sys.argv[2] == "pruned")
        (to / f"{sys.argv[2]}.json.aside").write_text(json.dumps(done))
        (to / f"{sys.argv[2]}.json.aside").rename(to / f"{sys.argv[2]}.json")
        sys.exit(0)
    sys.exit(main(float(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
