"""What the readers of a capture's venues share: the instruments a connection named, their streams, the scanner of usual frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from tradewind.domain.errors import BadData
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.venues.base import At
from tradewind.venues.frames import Restreamed
from tradewind.venues.imported import Streams
from tradewind.venues.scanner import Layout, Scanner, Symbol

CHANNELS = ("depth", "quote", "trade")
EXPONENT = 8  # of venues that show no more decimals


class Voice(Protocol):
    """One venue's frames in a capture."""

    @property
    def scanner(self) -> Scanner | None: ...

    def hear(self, frame: bytes, ts_local: int) -> Rows:
        """Rows of a frame, on the streams of the import. Raises BadData."""

    def scanned(self, rows: Rows) -> Rows:
        """The scanner's rows, on the streams of the import."""

    def answered(self, path: str, body: bytes, ts_local: int) -> Rows | None:
        """Rows of a REST answer; None where it is none that is read. Raises BadData."""


class Captured:
    """A connection's instruments by the names its frames use."""

    layouts: Sequence[Layout] = ()

    def __init__(self, streams: Streams, counts: Counter[str]) -> None:
        self._streams, self._counts = streams, counts
        self._place: dict[str, int] = {}  # of a name among `_indices`
        self._restreamed = Restreamed(streams, CHANNELS)
        self._scanner: Scanner | None = None
        self._dirty = False

    @property
    def scanner(self) -> Scanner | None:
        """Of the usual frames of every name told so far."""
        if self._dirty:
            self._dirty = False
            made = self._streams.instruments
            symbols: list[Symbol] = []
            for name, place in self._place.items():
                one = made[self._restreamed.indices[place]]
                symbols.append((name, place, one.price_exponent, one.quantity_exponent))
            self._scanner = Scanner(self.layouts, symbols, len(CHANNELS))
        return self._scanner

    def scanned(self, rows: Rows) -> Rows:
        """The scanner's rows, on the streams of the import."""
        return self._restreamed(rows)

    def usual(self, frame: bytes, ts_local: int) -> Rows | None:
        """Rows of a frame whose names have just become known, where it is a usual one: a first whole book is long."""
        rows = self.scanner.scan(frame, ts_local) if self.scanner is not None else None
        return None if rows is None else self.scanned(rows.copy())

    def answered(self, path: str, body: bytes, ts_local: int) -> Rows | None:
        """No REST answer is read, but where a venue says so."""
        return None

    def known(self, made: Instrument, names: Sequence[str]) -> tuple[int, Instrument]:
        """(index, instrument) of what frames call by any of `names`; the first told of a symbol stays."""
        index = self._streams.instrument(f"{made.venue}:{made.symbol}", lambda _: made)
        if any(name not in self._place for name in names):
            if index not in self._restreamed.indices:
                self._restreamed.indices.append(index)
            place = self._restreamed.indices.index(index)
            self._place.update(dict.fromkeys(names, place))
            self._dirty = bool(self.layouts)
        return index, self._streams.instruments[index]

    def at(self, index: int, channel: str, ts_venue: int, ts_local: int) -> At:
        """Where rows of an instrument belong."""
        return At(self._streams.source(index, channel), index, ts_venue, ts_local)

    def ignore(self, what: str) -> None:
        """Counts a frame that holds nothing for us."""
        self._counts[f"ignored_{what[:20]}"] += 1


def decoded(decoder: msgspec.json.Decoder[Any], frame: bytes) -> Any:
    """What `decoder` reads in a frame. Raises BadData."""
    try:
        return decoder.decode(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadData(str(error).partition(" - at ")[0].partition(" (byte ")[0], expected="a market frame") from error
