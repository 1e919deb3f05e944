"""The independent auditor over whole randomised runs of the compiled default machine and its simulated venue.

`python tests/chaos/campaign_audit.py 1000000 docs/campaigns/audit.jsonl` plays seeded worlds with drawn parameters until the
journals hold that many rows, and appends a line a seed; killed, it goes on with the next. Everything a line says can be had
again from its seed and size: `python tests/chaos/campaign_audit.py --again SEED ROWS`.

A run is everything at once: three venues of a faulty world, drawn fees, rebates, latencies, jitter, queue models and strategy
parameters, a Python strategy that wishes at random through zero, and a venue that tells fills again, late, and of orders
nobody sent. The journal goes to disk; the auditor reads it from there and nothing else.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests")]
if "tradewind" not in sys.modules and not any(Path(place, "tradewind").is_dir() for place in sys.path):
    sys.path.insert(0, str(ROOT / "src"))

from fractions import Fraction  # noqa: E402

from tradewind.chaos.auditor import Audit, broken_identities, compare, equity_change, profit  # noqa: E402
from tradewind.domain import codes, layout  # noqa: E402
from tradewind.domain.rows import ROW, Rows  # noqa: E402
from tradewind.engine.compose import Composition, Machine  # noqa: E402
from tradewind.engine.prelude import Latency, Limits, Setup, StrategySetup  # noqa: E402
from tradewind.runtime.session import Session  # noqa: E402
from tradewind.simulation.world import World, WorldSpec, default_spec  # noqa: E402
from tradewind.storage.journal import JournalHeader, JournalReader, JournalWriter  # noqa: E402
from tradewind.strategies.base import Bar, Market, Target  # noqa: E402

CHUNK = 1 << 13
PIECE = 250_000  # journal rows a seed
MS = codes.MILLISECOND
CLOSE = 1e-9  # machine: floats; auditor: fractions of the same mids and rates


class Whim:
    """Wishes any position at all on every bar."""

    wakes = ("bar", "first")

    def __init__(self, seed: int) -> None:
        self.parameters: dict[str, float] = {}
        self.random = Random(seed)

    def on_bar(self, bar: Bar, market: Market) -> Target | None:
        """Through zero about half the time."""
        return market.target(self.random.uniform(-1.0, 1.0)) if self.random.random() < 0.7 else None


class Gossip:
    """A journal sink that passes rows on, and has fills told again and fills of nobody told at all."""

    def __init__(self, seed: int, writer: JournalWriter) -> None:
        self.random, self.writer, self.session = Random(seed), writer, None
        self.past: list[tuple[Any, Any]] = []
        self.rows = 0

    def append(self, rows: Rows, digest: int = 0) -> Any:
        """Journals; then whispers."""
        self.rows += len(rows)
        self.writer.append(rows, digest)
        random = self.random
        for n in np.flatnonzero(rows["kind"] == codes.FILL).tolist():
            if n + 1 < len(rows) and rows["kind"][n + 1] == codes.CHARGE and random.random() < 0.1:
                self.past.append((rows[n].copy(), rows[n + 1].copy()))
        for _ in range(random.randrange(4) if self.past and self.session is not None else 0):
            self._whisper(*(half.copy() for half in random.choice(self.past)))

    def _whisper(self, told: Any, charge: Any) -> None:
        v = self.session.physics[0]  # type: ignore[attr-defined]
        if self.random.random() < 0.4:  # not again, but new: of no order, or of one whose place another has
            v["clock"]["trade_id"] += 1
            told["value"] = v["clock"]["trade_id"]
            fact = self.session.state[0]["fact"]  # type: ignore[attr-defined]
            forgotten = max(int(fact["ids"]["next_id"]) - len(fact["order"]) - 8, 0)
            told["ref"] = charge["ref"] = self.random.choice((0, -5, forgotten, 1 << 40))
            told["side"] = charge["side"] = self.random.randrange(2)
        due = int(self.session.state[0]["clock"]["now"]) + self.random.randrange(20 * MS)  # type: ignore[attr-defined]
        n = int(v["clock"]["n_inbox"])
        inbox = v["inbox"]
        if n + 2 > len(inbox):
            return
        while n > 0 and inbox[n - 1]["ts_local"] > due:
            inbox[n + 1] = inbox[n - 1]
            n -= 1
        told["ts_local"] = charge["ts_local"] = due
        inbox[n], inbox[n + 1] = told, charge
        v["clock"]["n_inbox"] += 2
        v["clock"]["next_due"] = min(int(v["clock"]["next_due"]), due)


def drawn_world(random: Random) -> WorldSpec:
    """Three venues, anything between lively and mad."""
    spec = default_spec(24 * codes.HOUR, random.choice(("retail", "professional")))
    faults = {name: random.uniform(0.0, 720.0) for name in ("dropped", "wick", "crossed", "swapped", "duplicated")}
    listed = tuple(
        msgspec.structs.replace(
            x, maker_fee_e7=random.choice((x.maker_fee_e7, 0, -1_003)), taker_fee_e7=random.choice((x.taker_fee_e7, 1, 7_001)),
            trade_share=random.uniform(0.04, 0.4),
        )
        for x in spec.instruments
    )  # fmt: skip
    return msgspec.structs.replace(
        spec, instruments=listed, tempo=random.uniform(1.0, 60.0), volatility=random.uniform(0.5, 4.0), faults_per_hour=faults
    )


def drawn_setup(random: Random, world: World) -> Setup:
    """Strategies that trade a lot, latencies and limits of every kind."""
    everywhere = tuple(range(len(world.instruments)))
    maker = {
        "every_ms": random.choice((20.0, 50.0, 150.0)), "away_ticks": random.choice((0.0, 1.0, 2.0)),
        "layers": float(random.randint(1, 4)), "skew_ticks": random.uniform(0.0, 2.0), "fraction": random.uniform(1e-4, 5e-3),
        "max_inventory": random.uniform(2.0, 20.0), "gamma": random.choice((0.0, 0.0, 0.05)),
    }  # fmt: skip
    whims = {"fraction": random.uniform(1e-4, 1e-2), "frames": 1.0, "slip_bp": random.uniform(1.0, 30.0)}
    pairs = {"margin_bp": random.uniform(-1.0, 2.0), "fraction": random.uniform(1e-4, 5e-3), "cooldown_ms": 50.0}
    venues = sorted({x.venue for x in world.instruments})
    latencies = {}
    for venue in venues:
        feed = random.randint(0, 5) * MS
        latencies[venue] = Latency(
            feed_ns=feed, order_ns=random.randint(0, 40) * MS, report_ns=feed + random.randint(0, 60) * MS,
            jitter_ns=random.choice((0, 3 * MS)), probability_queue=random.random() < 0.5, partial_fills=random.random() < 0.8,
        )  # fmt: skip
    held = {(x.venue, asset) for x in world.instruments for asset in (x.base, x.quote)}
    price = {a.name: a.price_usd for a in world.spec.assets}
    return Setup(
        instruments=world.instruments, reporting="USD",
        strategies=[StrategySetup(parameters=p, instruments=everywhere) for p in (maker, whims, pairs)],
        balances={place: round(1e7 / price[place[1]], 2) for place in held}, latencies=latencies,
        limits=Limits(orders_per_s=random.choice((50, 1_000)), max_open=random.choice((32, 256)), max_gross=1e9, max_net=1e9,
                      drawdown=random.choice((0.0, 0.0, 0.2))),
        timeframes=("1s", "5s", "1m"), tuning={"period_s": 10.0},
    )  # fmt: skip


def run(seed: int, least: int, machine: Machine, folder: Path) -> dict[str, Any]:
    """One run until its journal has at least `least` rows, audited; the line of the ledger."""
    random = Random(seed)
    world = World(drawn_world(random), seed)
    setup = drawn_setup(random, world)
    header = JournalHeader(
        run="audit", machine_hash=machine.hash, build=machine.build, configuration="", instruments=list(world.instruments),
        made_by="campaign_audit", created_ts=0,
    )  # fmt: skip
    journal, played = folder / f"journal-{seed}", 0
    with JournalWriter(journal, header) as writer:
        gossip = Gossip(seed, writer)
        session = Session(machine, setup, world.spec.start_ns, {1: (Whim(seed), 2 * MS)}, gossip)
        gossip.session = session
        for number, rows in enumerate(chunks(world)):
            session.play(rows, number)
            played += len(rows)
            if gossip.rows >= least:
                break
    found = Audit(machine.composition.capacity.orders)
    for part in JournalReader(journal).rows():
        found.read(part)
    return line(seed, least, found, session) | {"market_rows": played}


def chunks(world: World) -> Iterator[Rows]:
    """The world's rows in pieces small enough that a run ends near the size it was asked for."""
    for rows in world.chunks(1 << 16):
        whole = np.asarray(rows, ROW)
        for start in range(0, len(whole), CHUNK):
            yield np.ascontiguousarray(whole[start : start + CHUNK])


def line(seed: int, least: int, found: Audit, session: Session) -> dict[str, Any]:
    """What was found; verdict `equal` where every number agrees."""
    differences = [*map(str, [*compare(found, session.state), *broken_identities(found)]), *worths_apart(found, session)]
    s = session.state[0]
    trips = {at: h for at, h in found.holdings.items() if h.realised}
    return {
        "seed": seed, "least": least, "machine_hash": session.machine.hash, "digest": session.digest, "journal_rows": found.n_rows,
        "orders": len(found.orders), "fills": found.n_fills, "late": found.n_late, "twice": found.n_twice, "stray": found.n_stray,
        "positions": len(found.holdings), "realising": len(trips), "rung": int(s["fact"]["ladder"]["rung"]),
        "differences": differences[:10], "verdict": "equal" if not differences else "DIFFERENT",
    }  # fmt: skip


def worths_apart(found: Audit, session: Session) -> list[str]:
    """Realised, unrealised and equity by the auditor's fractions beside the machine's floats, at the machine's mids and rates."""
    s, n = session.state[0], len(session.instruments)
    mids = {i: Fraction(float(s["top"]["mid"][i])) for i in range(n)}
    rates = {a: Fraction(float(s["group"]["reference"][a])) for a in range(len(session.prelude.names.assets))}
    owned = sum(found.balance(*at) * rates[at[1]] for at in found.moved()) / 10**8
    pairs = {
        "equity": (owned, session.equity()),
        "profit": (profit(found, rates, mids) / 10**8 - _nobodys(found, session), sum(session.worths())),
        "gain": (equity_change(found, rates, mids) / 10**8, float(owned) - _deposits(found, rates)),
    }
    scale = max(abs(float(owned)), 1.0)
    return [f"{name}: {float(a)} and {b}" for name, (a, b) in pairs.items() if abs(float(a) - b) > CLOSE * scale]


def _deposits(found: Audit, rates: dict[int, Fraction]) -> float:
    return float(sum(amount * rates[asset] for (_, asset), amount in found.deposited.items())) / 1e8


def _nobodys(found: Audit, session: Session) -> Fraction:
    """The profit of nobody's positions, and every fee that is not in its pair's quote: the session counts neither."""
    s = session.state[0]
    total = Fraction(0)
    for (k, i), h in found.holdings.items():
        if k >= 0:
            continue
        num, den = found.rule(i, layout.COST_NUM), found.rule(i, layout.COST_DEN)
        worth = Fraction(h.quantity * num, den) * Fraction(float(s["top"]["mid"][i])) - h.basis + h.realised - h.charges
        total += worth * Fraction(float(s["group"]["reference"][found.rule(i, layout.QUOTE_ASSET)])) / 10**8
    return total


def main(rows: int, ledger: Path) -> int:
    """Runs seeds until the ledger holds `rows` journal rows of this machine; returns how many lines are not equal."""
    machine = Machine(Composition())
    ledger.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(text) for text in ledger.read_text().splitlines()] if ledger.exists() else []
    mine = [known for known in lines if known["machine_hash"] == machine.hash]
    done, seed = sum(known["journal_rows"] for known in mine), max((known["seed"] for known in lines), default=0) + 1
    bad = sum(known["verdict"] != "equal" for known in mine)
    with tempfile.TemporaryDirectory(prefix="tradewind-audit-") as folder, open(ledger, "a", encoding="utf-8") as file:
        while done < rows:
            found = run(seed, min(rows, PIECE), machine, Path(folder))
            file.write(json.dumps(found) + "\n")
            file.flush()
            sys.stderr.write(f"seed {seed}: {found['verdict']}, {done + found['journal_rows']:,} of {rows:,} rows\n")
            bad, done, seed = bad + (found["verdict"] != "equal"), done + found["journal_rows"], seed + 1
    return bad


def again(seed: int, least: int) -> int:
    """One line once more, on stdout."""
    with tempfile.TemporaryDirectory(prefix="tradewind-audit-") as folder:
        found = run(seed, least, Machine(Composition()), Path(folder))
    sys.stdout.write(json.dumps(found) + "\n")
    return int(found["verdict"] != "equal")


if __name__ == "__main__":
    sys.exit(again(int(sys.argv[2]), int(sys.argv[3])) if sys.argv[1] == "--again" else main(int(sys.argv[1]), Path(sys.argv[2])))
