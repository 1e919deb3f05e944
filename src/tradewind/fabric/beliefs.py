"""What the machine believed of each source, minute by minute: its trust and quality, summed up by day."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import numpy as np

from tradewind.domain import codes, reasons
from tradewind.storage.records import Records

EVERY_NS = codes.MINUTE


class Believed(msgspec.Struct, frozen=True, kw_only=True):
    """One source on one day. quality, trust: means of the looks, 0 to 1; least: the lowest quality; doubted: share of the looks."""

    venue: str
    instrument: str
    day: str
    looks: int
    quality: float
    trust: float
    least: float
    doubted: float
    blame: str  # what it was most often doubted for

    @property
    def source(self) -> str:
        """`venue:instrument`."""
        return f"{self.venue}:{self.instrument}"


class Day:
    """The looks of one day, every instrument side by side."""

    def __init__(self, n: int) -> None:
        self.looks, self.doubted = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.quality, self.trust, self.least = np.zeros(n), np.zeros(n), np.ones(n)
        self.blames: list[Counter[int]] = [Counter() for _ in range(n)]

    def look(self, state: Any) -> None:
        """Takes one look at a machine's state. Who was never heard is not judged."""
        n = len(self.looks)
        top, trust = state[0]["top"][:n], state[0]["trust"][:n]
        heard = top["ts"] > 0
        self.looks += heard
        self.quality += np.where(heard, trust["quality"], 0.0)
        self.trust += np.where(heard, trust["score"], 0.0)
        self.least = np.where(heard, np.minimum(self.least, trust["quality"]), self.least)
        doubted = heard & ((top["good"] == 0) | (top["condition"] != codes.SYNCED))
        self.doubted += doubted
        for i in np.flatnonzero(doubted).tolist():
            self.blames[i][int(top["suspect"][i]) or int(trust["blame"][i])] += 1

    def rows(self, names: list[tuple[str, str]], day: int, digest: str) -> list[dict[str, Any]]:
        """Rows of the table `beliefs`; names: (venue, instrument) by number."""
        return [
            {
                "venue": venue, "instrument": instrument, "day": str(np.datetime64(day, "D")), "digest": digest,
                "looks": int(self.looks[i]), "doubted": int(self.doubted[i]), "quality": float(self.quality[i]),
                "trust": float(self.trust[i]), "least": float(self.least[i]), "blame": _worst(self.blames[i]),
            }
            for i, (venue, instrument) in enumerate(names)
            if self.looks[i]
        ]  # fmt: skip


def _worst(blames: Counter[int]) -> str:
    told = [(count, code) for code, count in blames.items() if code]
    return reasons.name(max(told)[1]) if told else ""


def believed(records: Records, series: str = "") -> list[Believed]:
    """Every source and day, in order; those whose name begins with `series`, or that a series so named belongs to."""
    days: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in records.rows("beliefs"):
        days.setdefault((row["venue"], row["instrument"], row["day"]), []).append(row)
    found = [_joined(key, rows) for key, rows in days.items()]
    return [one for one in found if one.source.startswith(series) or series.startswith(f"{one.source}:")]


def _joined(key: tuple[str, str, str], rows: list[dict[str, Any]]) -> Believed:
    looks = sum(row["looks"] for row in rows)
    means = {name: round(sum(row[name] for row in rows) / looks, 4) for name in ("quality", "trust", "doubted")}
    worst = max(rows, key=lambda row: row["doubted"])
    return Believed(
        venue=key[0], instrument=key[1], day=key[2], looks=looks, least=round(min(row["least"] for row in rows), 4),
        blame=worst["blame"], **means,
    )  # fmt: skip
