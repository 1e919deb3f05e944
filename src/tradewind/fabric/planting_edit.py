"""What planting of bars and of ticks share: a tape under the knife, a place for a fault, what came of it, how large it is."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.rows import Rows

from .planting_peers import HARD_SHARE, Peers

HARD_NS = 10 * codes.SECOND
STABLE = ("USD", "USDT", "USDC", "EUR", "DAI", "BUSD", "TUSD")


class Edit:
    """A tape under the knife: rows are changed in place, marked as lost or dropped, or added; `rows` gives the result."""

    def __init__(self, rows: Rows, instruments: Sequence[Instrument], streams: list[Stream]) -> None:
        self.rows, self.instruments, self.streams = rows, list(instruments), streams
        self.dropped = np.zeros(len(rows), np.bool_)  # never sent: numbers close over them
        self.lost = np.zeros(len(rows), np.bool_)  # lost between rim and machine: their numbers stay missing
        self.added: list[Rows] = []
        self.peers = Peers(rows, instruments)
        self.own = [np.flatnonzero(rows["instrument"] == i) for i in range(len(instruments))]

    def of(self, i: int, kind: int, start_ns: int, end_ns: int) -> NDArray[np.int64]:
        """Indices of an instrument's rows of one kind with start <= ts_local < end."""
        mine = self.own[i]
        low, high = np.searchsorted(self.rows["ts_local"][mine], (start_ns, end_ns))
        mine = mine[low:high]
        found: NDArray[np.int64] = mine[self.rows["kind"][mine] == kind]
        return found

    def add(self, rows: Rows) -> None:
        """Adds rows; they come behind what the tape has at the same moment."""
        self.added.append(rows)

    def result(self) -> Rows:
        """All rows in order of time, every stream numbered anew; what was lost leaves a hole."""
        rows = np.concatenate([self.rows[~self.dropped], *self.added])
        lost = np.concatenate([self.lost[~self.dropped], *(np.zeros(len(part), np.bool_) for part in self.added)])
        order = np.argsort(rows["ts_local"], kind="stable")
        rows, lost = rows[order], lost[order]
        for source in np.unique(rows["source"]):
            mine = np.flatnonzero(rows["source"] == source)
            rows["stream_seq"][mine] = 1 + np.arange(len(mine))
        whole: Rows = rows[~lost]
        return whole


class Place(msgspec.Struct, frozen=True):
    """Where and when a fault is planted."""

    instrument: int
    start_ns: int
    end_ns: int


Planter = Callable[[Edit, Place, random.Random], "Planted | None"]


class Planted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: the time in which it is false, its size, whether it must be found."""

    start_ns: int
    end_ns: int
    channel: str
    magnitude: float = 0.0
    hard: bool = True
    by_nature: bool = False  # the source does the same of its own so often that to tell it each time would be a false alarm


def other_symbol(edit: Edit, i: int) -> int:
    """An instrument of the same venue at quite another price, -1 where there is none."""
    x = edit.instruments[i]
    for stable in (False, True):
        for j, other in enumerate(edit.instruments):
            if (
                other.venue == x.venue
                and other.base != x.base
                and (other.base in STABLE) == stable
                and not (stable and x.base in STABLE)
            ):
                return j
    return -1


def size(rng: random.Random, hard: float = HARD_SHARE, soft: float = 0.25) -> tuple[float, bool]:
    """(share of the price, with its sign; whether it is hard): most from the hard limit to twenty times, some below it."""
    if rng.random() < soft:
        return rng.choice((-1, 1)) * hard * rng.uniform(0.1, 0.95), False
    return rng.choice((-1, 1)) * hard * 20.0 ** rng.uniform(0.02, 1.0), True


def scaled(rng: random.Random, decimal: bool) -> float:
    """A factor of a wrong unit."""
    return rng.choice((10.0, 0.1)) if decimal else rng.choice((100.0, 1000.0, 0.01, 0.001))
