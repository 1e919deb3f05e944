"""Sockets killed at random moments of a session, and proof that nobody can tell afterwards.

`python tests/fabric/campaign_cuts.py 1000 docs/campaigns/cuts.jsonl` plays sessions on the emulated venues until that many sockets
were killed, and appends a line a session. What a line claims: the canonical digest of trades and candles (by the venue's ids,
without local times, provenance and layout) equals that of the same session without a kill; every cut of a book is a typed gap on
the tape; at the end every book that says SYNCED is the venue's; all counters add up and every stream is numbered without a hole.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

import numpy as np  # noqa: E402

from fabric.inproc import Play  # noqa: E402
from fabric.truth import counters_add_up, dense, unsynced, wrong_books  # noqa: E402
from fabric.virtual import START_NS, run  # noqa: E402
from tradewind.domain import codes, reasons  # noqa: E402
from tradewind.domain.rows import Rows  # noqa: E402
from tradewind.venues.emulators.flow import Pace  # noqa: E402

VENUES = ("binance", "kraken", "coinbase")
CHANNELS = ("depth", "quote", "trade", "bar")
QUIET_S = 12.0  # before the first kill, and after the last: books are joined, histories are asked
PATIENCE = 12
PACE = Pace(orders_per_s=5.0, levels=20)
COLUMNS = ("kind", "instrument", "strategy", "side", "ts_venue", "ref", "price", "quantity", "value")


def canonical(rows: Rows, until: int = codes.NEVER) -> str:
    """The digest of what the venues traded until a time of theirs: each trade and each candle once, in the order of its id."""
    told = rows[np.isin(rows["kind"], (codes.TRADE, codes.BAR)) & (rows["ts_venue"] < until)]
    order = np.lexsort((told["ref"], told["ts_venue"], told["instrument"], told["kind"]))
    plain = np.stack([told[name][order].astype(np.int64) for name in COLUMNS])
    return hashlib.sha256(plain.tobytes()).hexdigest()[:32]


def session(seed: int, seconds: float, kills: int) -> tuple[Rows, dict[str, Any]]:
    """One session's rows and what was seen in it; the kills come at moments and on sockets that the seed draws."""
    rng = random.Random(seed * 1000 + kills)
    moments = sorted(rng.uniform(QUIET_S, seconds - QUIET_S) for _ in range(kills))

    async def go(clock: Any) -> tuple[Rows, dict[str, Any]]:
        async with Play(clock, VENUES, seed=seed, channels=CHANNELS, pace=PACE) as play:
            killed, at = 0, 0.0
            for moment in moments:
                await play.run(max(moment - at, 0.0))
                at = max(moment, at) + 0.003
                lines = [line for name in VENUES for line in play.theatre.open_lines(name)]
                if lines:
                    rng.choice(lines).cut("killed")
                    killed += 1
            await play.run(seconds - at)
            for _ in range(PATIENCE):  # so many cuts use up the venue's budget: what is missing comes when there is one again
                if kills == 0 or not unsynced(play, "depth", "quote", "trade"):
                    break
                await play.run(10.0)
            gaps = sum(
                made.cause == reasons.DISCONNECTED
                for feed in play.fabric.feeds
                for made in feed.desk.transitions
                if feed.adapter.streams[made.source].channel == "depth"
            )
            seen = {
                "killed": killed, "typed_depth_gaps": gaps, "unsynced": unsynced(play, "depth", "quote", "trade"),
                "wrong_books": wrong_books(play), "counters": counters_add_up(play), "dense": dense(play.rows),
            }  # fmt: skip
            return play.rows, seen

    rows, seen = run(go)
    return rows, seen


def line(seed: int, seconds: float, kills: int) -> dict[str, Any]:
    """One session with kills beside the same one without."""
    whole, _ = session(seed, seconds, 0)
    rows, seen = session(seed, seconds, kills)
    until = START_NS + int((seconds - 2.0) * codes.SECOND)
    ours, theirs = canonical(rows, until), canonical(whole, until)
    good = ours == theirs and not seen["wrong_books"] and not seen["unsynced"] and seen["dense"] and seen["counters"]
    good = good and seen["typed_depth_gaps"] >= seen["killed"]
    counts = {name: int((rows["kind"] == kind).sum()) for name, kind in (("trades", codes.TRADE), ("candles", codes.BAR))}
    return {
        "seed": seed, "seconds": seconds, **seen, **counts, "digest": ours, "unkilled_digest": theirs,
        "verdict": "equal" if good else "DIFFERENT",
    }  # fmt: skip


def main(wanted: int, ledger: Path, seconds: float = 100.0, kills: int = 30) -> int:
    """Goes on where the ledger ends, until `wanted` sockets were killed. Returns the number of lines that differ."""
    done = [json.loads(text) for text in ledger.read_text().splitlines()] if ledger.exists() else []
    total, seed = sum(one["killed"] for one in done), 1 + max((one["seed"] for one in done), default=0)
    bad = sum(one["verdict"] != "equal" for one in done)
    while total < wanted:
        made = line(seed, seconds, kills)
        with ledger.open("a") as file:
            file.write(json.dumps(made) + "\n")
        total, seed, bad = total + made["killed"], seed + 1, bad + (made["verdict"] != "equal")
        print(f"{total} killed, {bad} different", flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2])))
