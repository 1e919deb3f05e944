"""Recorded rows instead of a flow: a tape, or the rows of a world, told again in the venues' words.

Answers the same questions as `flow.Flow`. Times are moved so that the first row lies where the stage begins; ids of book changes
are counted anew, ids of trades are those of the rows. A pair without depth has a book of its best quotes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import MONEY_EXPONENT, Instrument
from tradewind.domain.instruments import text as number_text
from tradewind.domain.rows import ROW, Rows

from .book import ASK, BID, Change, Market, Trade
from .flow import NEVER_NS, Crowd, Happening
from .listings import Listing

CHUNK = 4_096
FIRST_NUMBER = 2_000_000_000
Row = tuple[int, ...]
KIND, SIDE, MARKS, INSTRUMENT, TS_LOCAL, PRICE, QUANTITY, REF = (
    list(ROW.names or ()).index(name) for name in ("kind", "side", "marks", "instrument", "ts_local", "price", "quantity", "ref")
)


class Source(Protocol):
    """Where orders come from: a `flow.Flow` or a `Replay`."""

    markets: dict[str, dict[str, Market]]
    crowds: dict[tuple[str, str], Crowd]
    quiet: bool

    @property
    def next_ns(self) -> int:
        """When the next one comes."""

    def step(self) -> Happening | None:
        """The next one; None where it changed nothing yet."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """Rows and what their `instrument` means."""

    instruments: Sequence[Instrument]
    segments: Iterable[Rows]


class Replay:
    """Markets that do what rows say."""

    def __init__(self, recording: Recording, venues: Sequence[str], start_ns: int) -> None:
        self.crowds: dict[tuple[str, str], Crowd] = {}
        self.markets: dict[str, dict[str, Market]] = {venue: {} for venue in venues}
        self.quiet = False
        self._of: dict[int, Market] = {}
        for place, instrument in enumerate(recording.instruments):
            if instrument.venue in venues and instrument.payoff == codes.SPOT:
                market = Market(instrument.venue, _listing(instrument), FIRST_NUMBER)
                market.trade_number = 0
                self._of[place] = self.markets[instrument.venue][market.listing.symbol] = market
        empty = [venue for venue, markets in self.markets.items() if not markets]
        if empty:
            raise BadUse(
                f"the recording has nothing of {', '.join(empty)}", where="--tape", expected="spot instruments of these venues",
                todo="name other venues or another tape",
            )  # fmt: skip
        self._rows = self._wanted(recording.segments)
        self._next = next(self._rows, None)
        self._shift_ns = start_ns - self._next[TS_LOCAL] if self._next is not None else 0
        self._messages: dict[int, list[Row]] = {}  # begun and not ended, by instrument
        self._deep: set[int] = set()  # instruments that have depth

    @property
    def next_ns(self) -> int:
        """When the next row comes."""
        return NEVER_NS if self.quiet or self._next is None else self._next[TS_LOCAL] + self._shift_ns

    def step(self) -> Happening | None:
        """What the next row did; None where its message goes on or its pair is closed."""
        row = self._next
        if row is None:
            return None
        self._next = next(self._rows, None)
        market, ts_ns = self._of[row[INSTRUMENT]], row[TS_LOCAL] + self._shift_ns
        if market.listing.status != "online":
            return None
        if row[KIND] == codes.TRADE:
            return Happening(market, ts_ns, [], [self._trade(market, row, ts_ns)])
        if row[KIND] == codes.DEPTH:
            self._deep.add(row[INSTRUMENT])
        elif row[INSTRUMENT] in self._deep:
            return None
        message = self._messages.setdefault(row[INSTRUMENT], [])
        message.append(row)
        if not row[MARKS] & codes.LAST:
            return None
        del self._messages[row[INSTRUMENT]]
        return Happening(market, ts_ns, self._changes(market, message, ts_ns), [])

    def run_until(self, ts_ns: int) -> Iterator[Happening]:
        """Every row up to a time."""
        while self.next_ns <= ts_ns:
            happening = self.step()
            if happening is not None:
                yield happening

    def _wanted(self, segments: Iterable[Rows]) -> Iterator[Row]:
        kinds = (codes.DEPTH, codes.QUOTE, codes.TRADE)
        for segment in segments:
            for start in range(0, len(segment), CHUNK):
                for row in segment[start : start + CHUNK].tolist():
                    if row[KIND] in kinds and row[INSTRUMENT] in self._of:
                        yield row

    def _trade(self, market: Market, row: Row, ts_ns: int) -> Trade:
        market.trade_number = max(market.trade_number, row[REF] - 1)
        return market.trade(ts_ns, row[PRICE], row[QUANTITY], taker_buys=row[SIDE] == codes.BUY)

    def _changes(self, market: Market, message: list[Row], ts_ns: int) -> list[Change]:
        levels = [
            (BID if row[SIDE] == codes.BUY else ASK, row[PRICE], row[QUANTITY]) for row in message if not row[MARKS] & codes.EMPTY
        ]
        if message[0][MARKS] & codes.SNAPSHOT or message[0][KIND] == codes.QUOTE:
            told = {(side, price) for side, price, _ in levels}
            gone = [(side, price, 0) for side in (BID, ASK) for price, _ in market.book.top(side) if (side, price) not in told]
            levels = gone + levels
        made = (market.set(ts_ns, *level) for level in ((side, price, size) for side, price, size in levels))
        return [change for change in made if change is not None]


def _listing(instrument: Instrument) -> Listing:
    return Listing(
        base=instrument.base, quote=instrument.quote, price_decimals=instrument.price_exponent,
        size_decimals=instrument.quantity_exponent, tick=instrument.tick, min_size=max(1, instrument.min_quantity),
        min_notional=number_text(instrument.min_notional, MONEY_EXPONENT).rstrip("0").rstrip(".") or "0",
    )  # fmt: skip
