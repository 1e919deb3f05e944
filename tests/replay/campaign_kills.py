"""Kill -9 at random moments of a paper run, and proof of each recovery.

`python tests/replay/campaign_kills.py 50 docs/campaigns/kills.jsonl` appends a line a seed until that many lines are of today's
machine; stopped, it goes on there. What a line claims: the journal was read to its last commit marker, the facts folded from it
equal the facts a replay of it reaches, all recorded commands were equal, and the run taken up by the same command ended with the
unkilled run's own rows and digest. Some kills tear a batch: the process dies inside a write, a part of it on the disk.

Again: `python tests/replay/campaign_kills.py --again SEED` prints the line of one seed. Under the same machine its digests are the
ledger's; a kill at a moment of the clock finds another row each time, one inside a write the same byte.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests")]
if "tradewind" not in sys.modules and not any(Path(place, "tradewind").is_dir() for place in sys.path):
    sys.path.insert(0, str(ROOT / "src"))

import tradewind  # noqa: E402
from tradewind.engine.compose import Machine  # noqa: E402
from tradewind.storage.journal import JournalReader  # noqa: E402
from worldtape import command, environment, own_rows, replayed_and_folded, world_tape  # noqa: E402

SECONDS = 5.0
SPEED = 2.0
TORN = 0.5  # of the kills come inside a write
MOST_SEED = 1_000_000  # seeds of the first campaign were drawn above it
WRITES = 40  # of the journal, among which the torn one is drawn
SOURCE = Path(tradewind.__file__).resolve().parent.parent


class Kills:
    """One tape, one unkilled run to compare with, and as many killed ones as asked for."""

    def __init__(self, folder: Path, machine: Machine | None = None) -> None:
        self.folder, self.machine = folder, machine
        self.tape = world_tape(SECONDS)
        self.env = environment(SOURCE)
        self.whole = self._run(folder / "whole", 0.0)
        self.expected = own_rows(folder / "whole" / "paper" / "journal").tobytes()

    def _run(self, out: Path, speed: float) -> dict[str, Any]:
        done = subprocess.run(self._words(out, speed), env=self.env, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stdout[-2000:] + done.stderr[-2000:])
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _words(self, out: Path, speed: float) -> list[str]:
        return command("paper", self.tape.folder, out, "--speed", str(speed))

    def kill(self, seed: int) -> dict[str, Any]:
        """One killed run, proved and taken up to its end; the line of the ledger."""
        rng = random.Random(seed)
        out = self.folder / f"killed-{seed}"
        journal = out / "paper" / "journal"
        moments: list[float] = []
        torn: list[list[float]] = []
        for _ in range(1 + (rng.random() < 0.4)):  # some are killed again while they catch up
            if rng.random() < TORN:
                torn.append([rng.randint(1, WRITES), round(rng.random(), 3)])
                self._killed_writing(out, int(torn[-1][0]), torn[-1][1])
                continue
            early = rng.random() < 0.25  # between the header and the first row, else while the tape is played
            file = journal / ("journal.json" if early else "00000.journal")
            again = 1.0 if file.exists() else 0.0  # till the second process has begun to catch up
            moments.append(self._killed(out, file, again + rng.uniform(0, SECONDS / SPEED)))
        proof = self._prove(journal) if (journal / "journal.json").exists() else {"recorded": 0, "torn_bytes": 0}
        ended = self._run(out, 0.0)
        equal = own_rows(journal).tobytes() == self.expected
        verdict = equal and ended["digest"] == self.whole["digest"] and proof.get("commands_equal", True)
        verdict = verdict and proof.get("facts_folded") == proof.get("facts_replayed")
        shutil.rmtree(out)
        return {
            "seed": seed, "world_s": SECONDS, "speed": SPEED, "machine_hash": ended["machine_hash"], "killed_after_s": moments,
            "killed_in_write": torn, **proof,
            "digest": ended["digest"], "unkilled_digest": self.whole["digest"], "rows_equal": equal,
            "verdict": "equal" if verdict else "DIFFERENT",
        }  # fmt: skip

    def _killed(self, out: Path, file: Path, wait_s: float) -> float:
        child = subprocess.Popen(self._words(out, SPEED), env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        began = time.monotonic()
        while not file.exists() and child.poll() is None:
            time.sleep(0.0002)
        time.sleep(wait_s)
        moment = time.monotonic() - began
        child.send_signal(signal.SIGKILL)
        child.wait()
        return round(moment, 3)

    def _killed_writing(self, out: Path, number: int, kept: float) -> None:
        """Dies by its own hand in its `number`th write to the journal, `kept` of the bytes on the disk; or ends before."""
        words = self._words(out, 0.0)
        words = [words[0], str(Path(__file__).resolve()), "--torn", str(number), str(kept), *words[3:]]
        subprocess.run(words, env=self.env, capture_output=True, timeout=300, check=False)

    def _prove(self, journal: Path) -> dict[str, Any]:
        """What stands up to the last commit marker: the facts folded from it and the facts a replay of it reaches."""
        reader = JournalReader(journal)
        recorded = sum(len(batch.rows) for batch in reader.batches())
        self.machine, replayed, folded = replayed_and_folded(journal, self.machine)
        return {
            "recorded": recorded, "torn_bytes": reader.tail.cut_bytes, "commands": replayed.commands,
            "commands_equal": replayed.equal, "facts_folded": folded, "facts_replayed": replayed.facts,
        }  # fmt: skip


def die_writing(number: int, kept: float, kind: str = ".journal") -> None:
    """From now on this process ends in its `number`th write to a file of that kind, a journal's segment."""
    seen = [0]

    def tearing(honest: Callable[[int, Any], int], joined: Callable[[Any], bytes]) -> Callable[[int, Any], int]:
        def write(fd: int, data: Any) -> int:
            seen[0] += os.readlink(f"/proc/self/fd/{fd}").endswith(kind)
            if seen[0] < number:
                return honest(fd, data)
            plain = joined(data)
            one(fd, plain[: int(len(plain) * kept)])
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

        return write

    one = os.write
    os.write, os.writev = tearing(os.write, bytes), tearing(os.writev, b"".join)


def main(count: int, ledger: Path) -> int:
    """Runs seeds until the ledger holds `count` lines of this machine; returns how many ended otherwise than they should."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(text) for text in ledger.read_text().splitlines()] if ledger.exists() else []
    with tempfile.TemporaryDirectory(prefix="tradewind-kills-") as folder, open(ledger, "a", encoding="utf-8") as file:
        kills = Kills(Path(folder))
        mine = [line for line in lines if line["machine_hash"] == kills.whole["machine_hash"]]
        bad = sum(line["verdict"] != "equal" for line in mine)
        first = max((line["seed"] for line in lines if line["seed"] < MOST_SEED), default=0) + 1
        for seed in range(first, first + max(count - len(mine), 0)):
            line = kills.kill(seed)
            bad += line["verdict"] != "equal"
            file.write(json.dumps(line) + "\n")
            file.flush()
            sys.stderr.write(f"seed {seed}: {line['verdict']}, {line['recorded']} rows, {line['torn_bytes']} bytes torn\n")
    return bad


def again(seed: int) -> int:
    """One line once more, on stdout."""
    with tempfile.TemporaryDirectory(prefix="tradewind-kills-") as folder:
        line = Kills(Path(folder)).kill(seed)
    sys.stdout.write(json.dumps(line) + "\n")
    return int(line["verdict"] != "equal")


def torn(words: list[str]) -> int:
    """A run that dies writing: NUMBER KEPT and the words of the command line."""
    from tradewind.cli import main as run

    die_writing(int(words[0]), float(words[1]))
    return run(words[2:])


if __name__ == "__main__":
    if sys.argv[1] == "--torn":
        sys.exit(torn(sys.argv[2:]))
    sys.exit(again(int(sys.argv[2])) if sys.argv[1] == "--again" else main(int(sys.argv[1]), Path(sys.argv[2])))
