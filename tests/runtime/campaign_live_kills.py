"""Kill -9 at random moments of a live paper run over the sandbox, taken up by the same command, and proof of what lies on disk.

`python tests/runtime/campaign_live_kills.py 20 docs/campaigns/live_kills.jsonl` appends a line a seed until that many lines are of
today's machine; stopped, it goes on there. Two ways, by turns:

    cli     `tradewind paper --source sandbox`, nothing changed: the emulated venues die with the run and are new ones afterwards
    outside the venues are another process and live on; blocks of the market log are small, a snapshot is taken every second, and
            some kills tear a write: the process dies inside it, a part of the bytes on the disk

What a line claims, once the run has ended: no stream of the market log has a hole or a number twice, no trade is told twice
(outside: nor is one missing), time never goes back, every segment proves itself; the journal replays to equal commands and the
facts folded from it are the replay's; `paper --tape` over the recording ends with the live digest; no order was sent twice and no
fill booked twice; while it lived the folder was locked against a second writer, and free the moment it was dead.

Again: `python tests/runtime/campaign_live_kills.py --again SEED` prints the line of one seed; its moments fall on other rows each
time.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests")]
if "tradewind" not in sys.modules and not any(Path(place, "tradewind").is_dir() for place in sys.path):
    sys.path.insert(0, str(ROOT / "src"))

import numpy as np  # noqa: E402

import tradewind  # noqa: E402
from replay.campaign_kills import die_writing  # noqa: E402
from tradewind.domain import codes  # noqa: E402
from tradewind.domain.errors import BadUse  # noqa: E402
from tradewind.domain.instruments import Stream  # noqa: E402
from tradewind.domain.rows import Rows  # noqa: E402
from tradewind.engine.compose import Machine  # noqa: E402
from tradewind.storage.files import lock_folder  # noqa: E402
from tradewind.storage.journal import JournalReader  # noqa: E402
from tradewind.storage.marketlog import MarketReader  # noqa: E402
from worldtape import QUICK, environment, journal_rows, replayed_and_folded  # noqa: E402

SOURCE = Path(tradewind.__file__).resolve().parent.parent
TORN = 0.4  # of the kills outside come inside a write
WRITES = 30
MOST_KILLS = 4
LAST_S = 3.0  # what the last life lives
SMALL_ROWS = 256  # of a block, outside
COUNTED = ("binance", "kraken", "coinbase")  # venues whose trade ids count up by one


class LiveKills:
    """As many killed live runs as asked for. The venues outside are started when first needed; `close` ends them."""

    def __init__(self, folder: Path, machine: Machine | None = None) -> None:
        self.folder, self.machine = folder, machine
        self.env = environment(SOURCE)
        self._sandbox: subprocess.Popen[str] | None = None
        self._places = ""

    def close(self) -> None:
        """Ends the venues."""
        if self._sandbox is not None:
            self._sandbox.terminate()
            self._sandbox.communicate()

    def kill(self, seed: int, way: str = "", kills: int = 0) -> dict[str, Any]:
        """One run killed `kills` times (0: some), taken up to its end and looked at; the line of the ledger."""
        rng = random.Random(seed)
        way = way or ("cli", "outside")[seed % 2]
        out = self.folder / f"killed-{seed}"
        moments: list[float] = []
        torn: list[list[float | str]] = []
        locked = free = True
        for _ in range(kills or rng.randint(1, MOST_KILLS)):
            if way == "outside" and rng.random() < TORN:
                torn.append([rng.choice((".journal", ".tail", ".market")), rng.randint(1, WRITES), round(rng.random(), 3)])
                self._killed_writing(out, way, torn[-1])
            else:
                early = rng.random() < 0.3  # while it begins or catches up
                moment, shut = self._killed(out, way, rng.uniform(0, 2.5), early=early)
                moments.append(moment)
                locked = locked and shut
            free = free and all(_free(out / "paper" / name) for name in ("journal", "market"))
        ended = self._finish(out, way)
        found = self._look(out, ended, COUNTED if way == "outside" else ())
        line = {
            "seed": seed, "way": way, "machine_hash": ended["machine_hash"], "killed_after_s": moments, "killed_in_write": torn,
            "locked_alive": locked, "free_dead": free, **found,
        }  # fmt: skip
        line["verdict"] = "whole" if locked and free and _whole(line) else "BROKEN"
        if line["verdict"] == "whole":
            shutil.rmtree(out)
        return line

    def _words(self, out: Path, way: str, *before: str, seconds: float) -> list[str]:
        sets = [word for pair in QUICK for word in ("--set", pair)]
        words = ["paper", "--source", "sandbox", "--duration", f"{seconds:g}s", "--out", str(out), "--json", *sets]
        if way == "cli":
            return [*_installed(), *words]
        return [sys.executable, str(Path(__file__).resolve()), "--outside", self._standing(), *(before or ("-",)), *words]

    def _standing(self) -> str:
        """Where the venues outside are, as JSON."""
        if self._sandbox is None:
            words = [*_installed(), "sandbox", "--venues", ",".join(COUNTED), "--json"]
            self._sandbox = subprocess.Popen(
                words, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )  # fmt: skip
            assert self._sandbox.stdout is not None
            self._places = json.dumps(json.loads(self._sandbox.stdout.readline())["venues"])
        return self._places

    def _killed(self, out: Path, way: str, wait_s: float, *, early: bool) -> tuple[float, bool]:
        """Kills a life `wait_s` after its first byte is in the market log (early: after it began); whether it held the lock."""
        child = subprocess.Popen(
            self._words(out, way, seconds=60), env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )  # fmt: skip
        began = time.monotonic()
        market, before = out / "paper" / "market", _size(out / "paper" / "market")
        while not early and _size(market) <= before and child.poll() is None and time.monotonic() - began < 60:
            time.sleep(0.002)
        time.sleep(wait_s)
        held = early or not _free(market)
        moment = time.monotonic() - began
        child.send_signal(signal.SIGKILL)
        if child.wait() != -signal.SIGKILL:
            raise AssertionError(f"ended by itself with {child.returncode}: {' '.join(child.args)}")  # type: ignore[arg-type]
        return round(moment, 3), held

    def _killed_writing(self, out: Path, way: str, torn: Sequence[float | str]) -> None:
        """Dies by its own hand in its nth write to a file of that kind, a part of the bytes on the disk; or lives to its end."""
        words = self._words(out, way, ",".join(str(word) for word in torn), seconds=LAST_S)
        subprocess.run(words, env=self.env, capture_output=True, timeout=120, check=False)

    def _finish(self, out: Path, way: str) -> dict[str, Any]:
        return self._json(self._words(out, way, seconds=LAST_S))

    def _json(self, words: list[str]) -> dict[str, Any]:
        done = subprocess.run(words, env=self.env, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise AssertionError(" ".join(words) + "\n" + done.stdout[-2000:] + done.stderr[-2000:])
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _look(self, out: Path, ended: dict[str, Any], counted: Sequence[str]) -> dict[str, Any]:
        run = out / "paper"
        words = [*_installed(), "paper", "--tape", str(run), "--speed", "0", "--out", str(out / "again"), "--json"]
        again = self._json([*words, *(word for pair in QUICK for word in ("--set", pair))])
        reader = MarketReader(run / "market")
        rows = np.concatenate(list(reader.rows()))
        return {
            "rows": reader.verify(), "sealed": reader.manifest.sealed, **of_market(rows, reader.manifest.streams, counted),
            **of_journal(run / "journal"), **self._replayed(run / "journal"),
            "digest": ended["digest"], "tape_digest": again["digest"],
        }  # fmt: skip

    def _replayed(self, journal: Path) -> dict[str, Any]:
        self.machine, replayed, folded = replayed_and_folded(journal, self.machine)
        return {"commands": replayed.commands, "replay_equal": replayed.equal and folded == replayed.facts}


# What is looked at ---------------------------------------------------------------------------------------------------------


def of_market(rows: Rows, streams: Sequence[Stream], counted: Sequence[str]) -> dict[str, Any]:
    """Holes and doubles of a market log's rows. counted: venues whose trades must follow each other, but for typed gaps."""
    holes = twice = missing = gaps = 0
    fed = rows[rows["kind"] <= codes.STREAM]
    for source, stream in enumerate(streams):
        mine = fed[fed["source"] == source]
        holes += int((np.diff(mine["stream_seq"]) != 1).sum())
        trades = mine[mine["kind"] == codes.TRADE]
        ids, count = trades["ref"], np.cumsum((trades["marks"] & codes.RESYNC) != 0)  # a venue that began to count anew
        unique = np.unique(ids)
        twice += len(ids) - len(np.unique(np.stack((count, ids)), axis=1).T)
        if stream.venue in counted and len(unique):
            missing += int(unique[-1] - unique[0] + 1 - len(unique))
            gaps += int(((mine["kind"] == codes.STREAM) & (mine["value"] == codes.GAP)).sum())
    back = int((np.diff(rows["ts_local"]) < 0).sum())
    return {"holes": holes, "trades_twice": twice, "trades_missing": missing, "trade_gaps": gaps, "time_back": back}


def of_journal(folder: Path) -> dict[str, Any]:
    """Orders and fills of a journal, and how many of each stand in it twice."""
    rows = journal_rows(folder)
    sent, fills = rows["ref"][rows["kind"] == codes.SUBMIT], rows["value"][rows["kind"] == codes.FILL]
    return {
        "orders": len(sent), "sent_twice": len(sent) - len(np.unique(sent)), "fills": len(fills),
        "fills_twice": len(fills) - len(np.unique(fills)), "batches": sum(1 for _ in JournalReader(folder).batches()),
    }  # fmt: skip


def _whole(line: dict[str, Any]) -> bool:
    bad = sum(line[name] for name in ("holes", "trades_twice", "trades_missing", "time_back", "sent_twice", "fills_twice"))
    return not bad and line["replay_equal"] and line["digest"] == line["tape_digest"] and line["orders"] > 0


def _free(folder: Path) -> bool:
    """Whether nobody holds the folder."""
    if not folder.is_dir():
        return True
    try:
        os.close(lock_folder(folder))
    except BadUse:
        return False
    return True


def _size(folder: Path) -> int:
    """Bytes of a folder's files, as far as they stand still."""
    found = 0
    if folder.is_dir():
        for name in os.listdir(folder):
            with suppress(FileNotFoundError):
                found += (folder / name).stat().st_size
    return found


def _installed() -> list[str]:
    """The command line as it is installed, else as a module."""
    script = Path(sys.executable).with_name("tradewind")
    return [str(script)] if script.exists() else [sys.executable, "-m", "tradewind.cli"]


# A life beside venues that stand -------------------------------------------------------------------------------------------


def outside(places: str, torn: str, words: list[str]) -> int:
    """The command line over venues that stand elsewhere, with small blocks and a snapshot a second; it may die writing."""
    import msgspec

    from tradewind.cli import main as run
    from tradewind.fabric.feeds import Place
    from tradewind.runtime import live_paper, live_source, logged
    from tradewind.storage import marketlog

    named = {name: Place(x["rest"], x["ws"]) for name, x in json.loads(places).items()}
    chosen, keeping = live_source.chosen, live_paper.keeping
    live_source.chosen = lambda options: msgspec.structs.replace(chosen(options), places=named)
    logged.LEAST_SNAPSHOT_NS = codes.SECOND
    live_paper.keeping = lambda loaded: msgspec.structs.replace(keeping(loaded), snapshot_ns=codes.SECOND)
    marketlog.BLOCK_ROWS, marketlog.SEGMENT_ROWS = SMALL_ROWS, 4 * SMALL_ROWS
    if torn != "-":
        kind, number, kept = torn.split(",")
        die_writing(int(number), float(kept), kind)
    return run(words)


def main(count: int, ledger: Path) -> int:
    """Runs seeds until the ledger holds `count` lines of this machine; returns how many are not whole."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(text) for text in ledger.read_text().splitlines()] if ledger.exists() else []
    mine: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tradewind-live-kills-") as folder, open(ledger, "a", encoding="utf-8") as file:
        kills = LiveKills(Path(folder))
        try:
            while len(mine) < count:  # which machine is today's is known after a run
                lines.append(line := kills.kill(max((x["seed"] for x in lines), default=0) + 1))
                mine = [x for x in lines if x["machine_hash"] == line["machine_hash"]]
                file.write(json.dumps(line) + "\n")
                file.flush()
                sys.stderr.write(f"seed {line['seed']}: {line['verdict']}, {line['rows']} rows, {line['orders']} orders\n")
        finally:
            kills.close()
    return sum(line["verdict"] != "whole" for line in mine)


def again(seed: int) -> int:
    """One line once more, on stdout; what is broken stays on the disk."""
    kills = LiveKills(Path(tempfile.mkdtemp(prefix="tradewind-live-kills-")))
    try:
        line = kills.kill(seed)
    finally:
        kills.close()
    sys.stdout.write(json.dumps(line) + "\n")
    return int(line["verdict"] != "whole")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--outside", places, torn, *words]:
            sys.exit(outside(places, torn, words))
        case ["--again", seed]:
            sys.exit(again(int(seed)))
        case [count, ledger]:
            sys.exit(main(int(count), Path(ledger)))
