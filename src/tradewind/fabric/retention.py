"""Old days leave the lake, table by table; which and when is kept, so that `verify` lets them go at the same place."""

from __future__ import annotations

from tradewind.storage.projection import day_number, day_text

from .store import Store

COMMAND = "retention"


def keep(store: Store, table: str, days: int) -> int:
    """Lets a table's days go but the youngest `days`; returns the rows that went."""
    youngest = max((part.day for part in store.lake.parts(table)), default="1970-01-01")
    return prune(store, table, day_text(day_number(youngest) - days + 1))


def prune(store: Store, table: str, first_day: str) -> int:
    """Lets a table's days before `first_day` go, noted first: cut in between, they are too many, and none is missing."""
    if not any(part.day < first_day for part in store.lake.parts(table)):
        return 0
    at = store.stamp()
    row = {
        "id": f"{COMMAND} {table} {at}", "command": COMMAND, "started_ns": at, "ended_ns": at, "state": "done",
        "details": f"{table} {first_day}",
    }  # fmt: skip
    with store.records.change() as connection:
        store.records.put(connection, "runs", [row])
    return store.lake.prune(table, first_day)


def pruned(store: Store) -> list[tuple[int, str, str]]:
    """(when, table, its first day kept), in no order."""
    return [(row["started_ns"], *row["details"].split(" ")) for row in store.records.rows("runs", command=COMMAND)]
