"""The trials file: every backtest and every sweep point ever run, append-only, so that luck can be told from skill."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

NAME = "trials.jsonl"


def add(out: Path, family: str, plan: str, machine_hash: str, equity: float) -> int:
    """Appends one trial of a strategy family; returns how many that family has had, this one too."""
    return add_all(out, family, machine_hash, [(plan, equity)])


def add_all(out: Path, family: str, machine_hash: str, tried: Sequence[tuple[str, float]]) -> int:
    """Appends trials, each a plan and the equity it ended with, by one write that is on disk when this returns."""
    entries = [
        {"family": family, "plan": hashlib.sha256(plan.encode()).hexdigest()[:16], "machine": machine_hash, "equity": equity}
        for plan, equity in tried
    ]
    path = out / NAME
    with path.open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))
        file.flush()
        os.fsync(file.fileno())
    return count(out, family)


def count(out: Path, family: str) -> int:
    """How many trials a family has had in this output folder."""
    path = out / NAME
    if not path.exists():
        return 0
    mark = msgspec.json.encode({"family": family})[1:-1]
    with path.open("rb") as file:
        return sum(mark in line for line in file)
