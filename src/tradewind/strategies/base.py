"""What a strategy in Python sees and says.

A strategy is a class with `wakes`, `parameters` and `on_bar(bar, market)`. It is woken by rows, looks at a market that
already contains the row it is told about, and answers with a target: a row of its own that arrives after its thinking
time. Memory that must survive (restarts, replays) is declared in `memory`; anything else on the object may be lost
between two wakes.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..domain import ports
from ..domain.codes import SPOT
from ..domain.errors import BadUse
from ..domain.instruments import Instrument
from ..domain.layout import BASE, BASE_NUM, CASH, N_WORDS, TRACKS_BALANCE, VENUE

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Bar(msgspec.Struct, frozen=True, gc=False):
    """A closed bar in whole units; `end_ns` is its end, UTC."""

    instrument: int
    timeframe: str
    close: float
    volume: float
    end_ns: int


class Target(msgspec.Struct, frozen=True, gc=False):
    """The wished position in quantity units of the instrument, and the worst price for getting there (0: the default)."""

    quantity: int
    price: int = 0


class Strategy(ports.Strategy, Protocol):
    """The port of that name with its types told."""

    def on_bar(self, bar: Bar, market: Market) -> Target | None:
        """The wished position after a closed bar; None changes nothing."""


class Market:
    """What a strategy may look at: the machine's own tables, as they are at the moment of the wake."""

    def __init__(self, state: NDArray[np.void], strategy: int, instruments: list[Instrument]) -> None:
        self._s = s = state[0]
        self._k = strategy
        self._instruments = instruments
        self._scales = [10.0**x.price_exponent for x in instruments]
        # Views of columns, made once: going down to one number through records costs as much as a compiled step.
        self._bid: Ints = s["top"]["bid"]
        self._ask: Ints = s["top"]["ask"]
        self._base: Ints = s["fact"]["rule"][:, BASE]
        self._reference: Floats = s["group"]["reference"]
        self._past: Ints = s["past"]
        self._closed: Ints = s["bar"]["closed"]
        self._score: Floats = s["signal"]["score"]
        self._confidence: Floats = s["signal"]["confidence"]
        self._held: Ints = s["fact"]["position"]["quantity"][strategy]
        self._full: Ints = s["size_of"]["quantity"][strategy]
        self._features: dict[tuple[str, str], NDArray[Any]] = {}
        self.instrument = 0
        self.frame = 0
        self.now_ns = 0

    # The market -------------------------------------------------------------------------------------------------------

    def name(self) -> str:
        """The instrument's name, `venue:BASE/QUOTE`."""
        return self._instruments[self.instrument].name

    def bid(self) -> float:
        """Best bid in the quote asset."""
        return self._bid.item(self.instrument) / self._scales[self.instrument]

    def ask(self) -> float:
        """Best ask in the quote asset."""
        return self._ask.item(self.instrument) / self._scales[self.instrument]

    def reference(self) -> float:
        """The consensus price of the instrument's base asset in the reporting currency; 0 where nobody knows."""
        return self._reference.item(self._base.item(self.instrument))

    def closes(self, n: int) -> NDArray[np.float64]:
        """The last n closes of the bar's timeframe, oldest first; fewer where fewer have closed."""
        ring = self._past[self.instrument, self.frame]
        closed = self._closed.item(self.instrument, self.frame)
        n = min(n, closed, ring.size)
        first, last = (closed - n) & (ring.size - 1), closed & (ring.size - 1)
        kept = ring[first:last] if first < last else np.concatenate((ring[first:], ring[:last])) if n else ring[:0]
        scaled: NDArray[np.float64] = kept / self._scales[self.instrument]
        return scaled

    def feature(self, name: str, field: str) -> float:
        """A field of a composed feature, of this instrument and timeframe. Raises BadUse where it is not composed."""
        table = self._features.get((name, field))
        if table is None:
            names = self._s.dtype.names or ()
            if name not in names:
                raise BadUse(f"the machine has no feature {name!r}", expected=f"one of {', '.join(names)}")
            table = self._features[name, field] = self._s[name][field]
        return float(table[self.instrument, self.frame] if table.ndim == 2 else table[self.instrument])

    def signal(self) -> tuple[float, float]:
        """Score in [-1, 1] and calibrated confidence of this instrument's signal."""
        return self._score.item(self.instrument), self._confidence.item(self.instrument)

    # Us -----------------------------------------------------------------------------------------------------------------

    def position(self) -> float:
        """This strategy's position in whole base units."""
        return self._held.item(self.instrument) / 10.0 ** self._instruments[self.instrument].quantity_exponent

    def size(self) -> int:
        """The quantity (in units) a full position of this strategy has now."""
        return self._full.item(self.instrument)

    def target(self, share: float, price: float = 0.0) -> Target:
        """A target of `share` (-1 to 1) of this strategy's full size, in whole lots toward zero.

        Below zero on spot it is no lower than the coins allow that are free on the account: at least what is held is closed.
        """
        x = self._instruments[self.instrument]
        wished = round(share * self.size())
        quantity = wished // x.lot * x.lot
        if wished < 0:
            quantity = -(-wished // x.lot * x.lot)
            if x.payoff == SPOT and self._s["fact"]["limit"][0, TRACKS_BALANCE]:
                quantity = max(quantity, self._held.item(self.instrument) - self._sellable(x.lot))
        return Target(quantity, round(price * 10**x.price_exponent))

    def _sellable(self, lot: int) -> int:
        """What may be sold of this instrument now, in quantity units: whole lots of what is free at its venue."""
        fact = self._s["fact"]
        rule = fact["rule"][self.instrument]
        at = rule[VENUE], rule[BASE]
        free = int(fact["ledger"][CASH][at]) - int(fact["reserved"][at])
        return max(free, 0) // int(rule[BASE_NUM]) // lot * lot


def wake_frame(strategy: Strategy, timeframes: tuple[str, ...]) -> int:
    """The index of the timeframe a strategy listens to. Raises BadUse where the machine has no such timeframe."""
    kind, timeframe = strategy.wakes
    if timeframe == "first":
        timeframe = timeframes[0]
    if kind != "bar" or timeframe not in timeframes:
        raise BadUse(f"a strategy cannot be woken by {kind} {timeframe}", expected=f'("bar", one of {", ".join(timeframes)})')
    return timeframes.index(timeframe)


def memory_of(strategy: object) -> np.dtype[Any] | None:
    """The dtype of the memory a strategy declares, at most `N_WORDS` words of int64 and float64."""
    fields = getattr(strategy, "memory_fields", None)
    if not fields:
        return None
    dtype = np.dtype([(name, kind) for name, kind in fields])
    if dtype.itemsize > 8 * N_WORDS or any(dtype[name] not in (np.int64, np.float64) for name in dtype.names or ()):
        raise BadUse("memory holds int64 and float64 only", expected=f"at most {N_WORDS} fields of 'i8' or 'f8'")
    return dtype
