"""Planting: labelled faults put into an existing tape, for scoring those who judge it.

Faults come one after another, one source at a time, with time to recover between them. What is planted follows the seed
alone. A fault is hard where it is structural, or lies off the consensus by max(5 x the source's own median deviation of the hour
before, 0.5 %), or stands still for ten seconds while two others trade (one bar of a minute is sixty); the rest is soft and only
makes a curve. What nature does as often at that source is hard all the same, and marked `by_nature`: the score is given with
and without it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tradewind import __version__
from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.storage.tape import Tape, TapeWriter

from . import planting_bars, planting_ticks
from .faultlabels import KINDS, Label
from .planting_edit import Edit, Place, Planter, other_symbol


def plant(tape: Tape, out: Path, *, seed: int, every_s: float = 0.0, kinds: Sequence[str] = ()) -> list[Label]:
    """A copy of the tape at `out` with faults of every kind its rows allow, and their labels. Raises BadUse.

    every_s: the time from one fault to the next, by default half an hour of minute bars, 25 s of anything finer.
    """
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise BadUse(f"no kind {min(unknown)!r}", where="truth plant", expected=", ".join(KINDS))
    rows = np.concatenate([part.copy() for part in tape.segments()])
    edit = Edit(rows, tape.manifest.instruments, list(tape.manifest.streams))
    bars = not np.isin(rows["kind"], (codes.DEPTH, codes.QUOTE, codes.TRADE)).any()
    depths = {str(k): int(v) for k, v in (tape.manifest.notes.get("book_depth") or {}).items()}
    planters = planting_bars.PLANTERS if bars else planting_ticks.planters(edit, depths)
    every_ns = int(every_s * codes.SECOND) or (30 * planting_bars.span_of(rows) if bars else 25 * codes.SECOND)
    labels = _planted(edit, {k: v for k, v in planters.items() if not kinds or k in kinds}, random.Random(seed), every_ns)
    if kinds and not labels:
        raise BadUse(
            f"no {', '.join(kinds)} can be planted on this tape", where="truth plant",
            expected="rows that can show it, and enough of them: drift and stuck_price need two others of the asset",
            todo=f"the tape has {', '.join(x.name for x in edit.instruments[:8])}; kinds its rows allow: {', '.join(planters)}",
        )  # fmt: skip
    with TapeWriter(out, tape.manifest.instruments, edit.streams, f"tradewind {__version__} plant, seed {seed}") as writer:
        writer.append(edit.result())
        writer.close({**tape.manifest.notes, "planted": len(labels), "seed": seed})
    return labels


def _planted(edit: Edit, planters: dict[str, Planter], rng: random.Random, every_ns: int) -> list[Label]:
    """One fault a slot of time: kinds and places in a drawn order that gives each its turn."""
    first, last = int(edit.rows["ts_local"][0]), int(edit.rows["ts_local"][-1])
    turns = [(kind, i) for kind in planters for i in range(len(edit.instruments)) if _may(kind, edit, i)]
    rng.shuffle(turns)
    labels: list[Label] = []
    at, turn, tries = first + 2 * every_ns, 0, 0
    while turns and at + every_ns < last and tries < 20 * len(turns) + 1000:
        kind, i = turns[turn % len(turns)]
        turn, tries = turn + 1, tries + 1
        place = Place(i, at + int(rng.random() * every_ns * 0.1), at + every_ns * 6 // 10)
        done = planters[kind](edit, place, rng)
        if done is None:
            continue
        x = edit.instruments[i]
        labels.append(
            Label(
                kind=kind,
                source=f"{x.venue}/{done.channel}",
                instrument=x.name,
                start_ns=done.start_ns,
                end_ns=done.end_ns,
                params={"hard": done.hard, "magnitude": done.magnitude} | ({"by_nature": True} if done.by_nature else {}),
            )
        )
        at = max(at + every_ns, done.end_ns + every_ns // 3)
    return labels


def _may(kind: str, edit: Edit, i: int) -> bool:
    """Whether the kind can be told at all: comparing needs two others of the asset, another symbol one of another asset."""
    x = edit.instruments[i]
    peers = sum(other.base == x.base for other in edit.instruments) - 1
    if kind in ("drift", "stuck_price"):
        return peers >= 2
    if kind in ("bad_tick", "wick"):
        return peers >= 1
    if kind == "wrong_symbol":
        return other_symbol(edit, i) >= 0
    return True
