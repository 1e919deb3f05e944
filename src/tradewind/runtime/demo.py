"""`tradewind demo`: the whole system on a seeded world, three venues, three strategies, watched while it runs.

The world's rows go to a tape, so the demo is an ordinary backtest of that tape and can be replayed and asked why.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from tradewind import __version__
from tradewind.domain import codes
from tradewind.domain.rows import words
from tradewind.simulation.world import World, WorldSpec, default_spec
from tradewind.storage.journal import JournalWriter
from tradewind.storage.tape import Tape, TapeWriter

from .backtest import Result, Say, conclude, durability, header, is_cold, new_folder
from .config import Config, Loaded
from .options import DemoOptions
from .overdue import watched
from .planning import Plan, first_row_ts, plan
from .recorder import Recorder
from .session import Session, stretches
from .view import FRAME_NS, Watch, view

LIVELY = {"tempo": 30.0, "volatility": 1.5, "activity": 1.5}  # a short demo sees regimes that take hours in the real world
TIMEFRAMES = ("1s", "5s", "1m")


class Demonstrated(Result, kw_only=True):
    """A backtest's result with the world's venues."""

    venues: list[str]
    world: dict[str, Any]


def run_demo(
    options: DemoOptions,
    loaded: Loaded,
    *,
    say: Say = lambda text: None,
    watch: Watch = lambda state: None,
    live: bool | None = None,
) -> Demonstrated:
    """Makes the world, trades it, reports. live: at the pace of time; by default when somebody is looking at a terminal."""
    folder = new_folder(Path(loaded.config.run.out), "demo")
    spec = demo_spec(options.duration_ns)
    say(f"world: {len(spec.instruments)} instruments at {len(spec.venues)} venues, seed {loaded.config.run.seed}")
    tape, faults = make_tape(spec, loaded.config.run.seed, folder / "tape")
    loaded = for_demo(loaded)
    made = plan(loaded, tape)
    machine = made.machine()
    say(f"machine {machine.hash}" + (": composing (half a minute or so the first time, then kept)" if is_cold(machine) else ""))
    live = sys.stderr.isatty() if live is None else live
    with JournalWriter(folder / "journal", header(made, machine, tape, folder.name), durability(loaded)) as writer:
        recorder = Recorder(writer)
        session = Session(machine, made.setup, first_row_ts(tape.segment(0)), made.make_seats(), recorder)
        with watched(say, loaded.config.run.answer_limit_ns):
            took = run_watched(tape, session, recorder, made, watch if live else None)
    result = conclude(session, recorder, made, folder, loaded, rows_per_s=session.rows / max(took, 1e-9))
    plain = {name: getattr(result, name) for name in Result.__struct_fields__}
    return Demonstrated(**plain, venues=session.prelude.names.venues, world={"faults": faults, "tape": str(folder / "tape")})


def demo_spec(duration_ns: int) -> WorldSpec:
    """The default world, made lively enough to show something in seconds."""
    spec = default_spec(duration_ns)
    return msgspec.structs.replace(spec, **LIVELY, faults_per_hour={"dropped": 360.0, "wick": 720.0, "crossed": 180.0})


def make_tape(spec: WorldSpec, seed: int, folder: Path) -> tuple[Tape, int]:
    """The world's rows as a tape, and how many faults were injected."""
    world = World(spec, seed)
    writer = TapeWriter(folder, world.instruments, world.streams, f"tradewind {__version__} world, seed {seed}")
    for rows in world.chunks(1 << 16):
        writer.append(rows)
    faults = list(world.faults)
    writer.close({"seed": seed, "faults": [msgspec.to_builtins(fault) for fault in faults]})
    return Tape.open(folder), len(faults)


def for_demo(loaded: Loaded) -> Loaded:
    """Seconds instead of minutes as timeframes, where the user did not choose any."""
    config = loaded.config
    if "timeframes.names" not in loaded.origins:
        config = msgspec.structs.replace(config, timeframes=msgspec.structs.replace(config.timeframes, names=TIMEFRAMES))
    if "selector.period_ns" not in loaded.origins:
        config = msgspec.structs.replace(config, selector=msgspec.structs.replace(config.selector, period_ns=codes.SECOND))
    config = _swing_for_demo(config, loaded)
    return msgspec.structs.replace(loaded, config=config)


def _swing_for_demo(config: Config, loaded: Loaded) -> Config:
    swing = config.strategies.get("swing")
    if swing is None or swing.parameters:
        return config
    from decimal import Decimal

    quick = {"fast": Decimal(3), "slow": Decimal(8), "enter": Decimal("0.3")}
    return msgspec.structs.replace(
        config, strategies={**config.strategies, "swing": msgspec.structs.replace(swing, parameters=quick)}
    )


def run_watched(tape: Tape, session: Session, recorder: Recorder, made: Plan, watch: Watch | None) -> float:
    """Plays the tape in frames of world time; with a watcher at the pace of time. Returns seconds spent in the machine."""
    first = tape.manifest.segments[0].first_ts
    began_wall = time.monotonic()
    took = 0.0
    for number, rows in enumerate(tape.segments()):
        ts = words(rows)[:, 3]
        start = 0
        for stop in [*stretches(rows, FRAME_NS), len(rows)]:
            if stop <= start:
                continue
            began = time.perf_counter()
            session.play(rows, number, start, stop)
            took += time.perf_counter() - began
            now = int(ts[stop - 1])
            recorder.sample(session, now)
            if watch is not None:
                watch(view(session, made, now - first))
                time.sleep(max(0.0, (now - first) / 1e9 - (time.monotonic() - began_wall)))
            start = stop
    session.settle(tape.manifest.segments[-1].last_ts + codes.SECOND)
    return took


def run_live_demo(options: DemoOptions, loaded: Loaded, *, say: Say = lambda text: None, watch: Watch = lambda state: None) -> Any:
    """The demo over sockets: the real venues where they can be reached, else the sandbox. A paper run of that long."""
    from .live_paper import live_paper
    from .live_source import Choice, known_source
    from .options import PaperOptions

    folder = new_folder(Path(loaded.config.run.out), "demo")
    config = msgspec.structs.replace(loaded.config, run=msgspec.structs.replace(loaded.config.run, out=str(folder)))
    choice = Choice(source=known_source(options.source), seed=loaded.config.run.seed)
    told = PaperOptions(duration=options.duration, source=options.source)
    return live_paper(told, for_demo(msgspec.structs.replace(loaded, config=config)), choice, say=say, watch=watch)
