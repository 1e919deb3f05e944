"""The proof that the lake is a projection: everything again from the raw tapes, in a scratch store, and compared.

What was ingested and what was released happen again in the order in which they happened; then every partition's canonical
digest, and every series' counts, must be the same.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from tradewind.domain.errors import TradewindError
from tradewind.storage.projection import TABLES
from tradewind.storage.tape import Tape

from . import quarantine, retention
from .entries import RELEASED
from .ingest import Say, ingest
from .raw import open_raw
from .sieve import Judge
from .store import Store

JudgeFor = Callable[[Tape], Judge | None]


class Verified(msgspec.Struct, kw_only=True):
    """What the comparison found; `differs` names partitions as table/venue/instrument/day, `unproven` tapes that are gone."""

    equal: bool
    partitions: int
    rows: int
    balanced: bool
    differs: list[str] = []
    unproven: list[str] = []
    machines: list[str] = []  # that judged some segments then, where another judges now: what differs may be the judgement


def verify(store: Store, say: Say = lambda line: None, judge_for: JudgeFor = lambda tape: None) -> Verified:
    """Rebuilds and compares. Changes nothing in the store; needs as much room again as the lake has while it runs."""
    scratch = Path(tempfile.mkdtemp(prefix="verify-", dir=store.folder))
    unproven: list[str] = []
    try:
        with Store(scratch, clock=store.clock) as rebuilt:
            for act in _history(store):
                try:
                    act(rebuilt, judge_for, say)
                except TradewindError as error:
                    unproven.append(str(error))
            differs, partitions = _compare(store, rebuilt)
            machines = _machines(store) - _machines(rebuilt)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    balanced = not _unbalanced(store)
    rows = sum(kept.rows for kept in store.lake.tables())
    equal = not differs and not unproven and balanced
    return Verified(
        equal=equal, partitions=partitions, rows=rows, balanced=balanced, differs=differs, unproven=unproven,
        machines=sorted(machines),
    )  # fmt: skip


def _machines(store: Store) -> set[str]:
    return {row["machine"] for row in store.records.rows("segments")}


Act = Callable[[Store, JudgeFor, Say], Any]


def _history(store: Store) -> Iterator[Act]:
    """Every ingest of a tape, every release and every time old days went, oldest first."""
    acts: list[tuple[int, int, Act]] = []
    first: dict[str, int] = {}
    known = {row["digest"] for row in store.records.rows("segments")}
    for row in store.records.rows("segments"):
        first[row["tape"]] = min(first.get(row["tape"], row["ingested_ns"]), row["ingested_ns"])
    acts += [(when, 0, _ingest(tape, known)) for tape, when in first.items()]
    released = store.records.rows("quarantine", state=RELEASED)
    acts += [(row["decided_ns"], 1, _release(row["id"])) for row in released]
    acts += [(when, 2, _prune(table, day)) for when, table, day in retention.pruned(store)]
    yield from (act for _, _, act in sorted(acts, key=lambda item: item[:2]))


def _ingest(folder: str, known: set[str]) -> Act:
    def act(rebuilt: Store, judge_for: JudgeFor, say: Say) -> None:
        tape = open_raw(folder)
        tape.verify()
        ingest(rebuilt, tape, judge_for(tape), say, known)

    return act


def _release(name: str) -> Act:
    def act(rebuilt: Store, _judge_for: JudgeFor, _say: Say) -> None:
        quarantine.release(rebuilt, name)

    return act


def _prune(table: str, day: str) -> Act:
    def act(rebuilt: Store, _judge_for: JudgeFor, _say: Say) -> None:
        retention.prune(rebuilt, table, day)

    return act


def _compare(store: Store, rebuilt: Store) -> tuple[list[str], int]:
    differs: list[str] = []
    partitions = 0
    for table in TABLES:
        ours, theirs = store.lake.digests(table), rebuilt.lake.digests(table)
        partitions += len(ours)
        different = (part for part in sorted({*ours, *theirs}) if ours.get(part) != theirs.get(part))
        differs += [f"{table}/{'/'.join(part)}" + _damage(ours.get(part, "")) for part in different]
    counted = [{_key(row): row for row in one.records.rows("coverage")} for one in (store, rebuilt)]
    differs += [
        f"coverage/{'/'.join(key)}" for key in sorted({*counted[0], *counted[1]}) if counted[0].get(key) != counted[1].get(key)
    ]
    return differs, partitions


def _damage(told: str) -> str:
    """What stands in the place of a digest."""
    return f": {told}" if " " in told else ""


def _key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["venue"], row["instrument"], row["channel"], row["day"]


def _unbalanced(store: Store) -> list[str]:
    """Segments whose rows are not exactly the accepted, the quarantined, the duplicates and those of no table."""
    return [
        row["digest"]
        for row in store.records.rows("segments")
        if row["rows"] != row["accepted"] + row["quarantined"] + row["duplicates"] + row["other"]
    ]
