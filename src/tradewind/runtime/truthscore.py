"""`tradewind truth`: score the machine's verdicts against labels, or plant labelled faults into a tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradewind.fabric import planting, scoring
from tradewind.fabric.faultlabels import read_labels, world_labels, write_labels
from tradewind.storage.recording import open_tape

from .options import TruthPlantOptions, TruthScoreOptions

Say = Callable[[str], None]


def score(options: TruthScoreOptions, *, say: Say = lambda text: None) -> dict[str, Any]:
    """The figures of `scoring.scored`. Without a file of faults everything told is a false alarm: that is a clean day's score."""
    tape = open_tape(options.tape)
    parts = tape.manifest.segments
    span = (parts[0].first_ts, parts[-1].last_ts) if parts else (0, 0)
    labels = read_labels(options.faults, tape.manifest.instruments, span) if options.faults is not None else []
    say(f"{tape.rows:,} rows, {len(labels)} labels")
    heard = scoring.listen(tape)
    for line in scoring.alarms(heard, labels):
        say(line)
    return scoring.scored(heard, labels)


def plant(options: TruthPlantOptions, *, say: Say = lambda text: None) -> dict[str, Any]:
    """A copy of the tape with faults, and FAULTS beside it. Faults a seeded world made of its own are labelled too."""
    tape = open_tape(options.tape)
    labels = planting.plant(tape, options.out, seed=options.seed, every_s=options.every, kinds=options.kind)
    labels += world_labels(tape.manifest.notes.get("faults") or [])
    write_labels(options.faults, labels)
    counts: dict[str, int] = {}
    for label in labels:
        counts[label.kind] = counts.get(label.kind, 0) + 1
    say(f"{len(labels)} faults of {len(counts)} kinds")
    return {"tape": str(options.out), "faults": str(options.faults), "labels": len(labels), "hard": sum(x.hard for x in labels),
            "kinds": dict(sorted(counts.items()))}  # fmt: skip
