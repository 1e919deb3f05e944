"""A machine on a small stage: a market maker's setup over named pairs, rows made by hand and fed one call after another."""

from __future__ import annotations

from typing import Any

import numpy as np

from machines import small_machine
from tradewind.domain import codes
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows, rows
from tradewind.engine.compose import Machine
from tradewind.engine.prelude import Limits, Prelude, Setup, StrategySetup
from tradewind.engine.snapshot import fresh_state

T0 = 1_699_999_200 * codes.SECOND  # a whole hour
DEPTH_OF, TRADES_OF, QUOTES_OF = range(3)


def instruments(*pairs: str, proof: int = codes.PROOF_NONE) -> list[Instrument]:
    """Instruments named `venue:BASE/QUOTE`, prices with two decimals, quantities with three."""
    made = []
    for name in pairs:
        venue, _, pair = name.partition(":")
        base, _, quote = pair.partition("/")
        made.append(
            Instrument(venue=venue, symbol=base + quote, base=base, quote=quote, price_exponent=4, quantity_exponent=3, proof=proof)
        )
    return made


class Stage:
    """Holds the state; `feed` gives the machine rows and returns what it said."""

    def __init__(self, listed: list[Instrument], machine: Machine | None = None, every_ms: float = 100.0, **changes: Any) -> None:
        self.machine = machine or small_machine()
        self.listed = listed
        self.state = fresh_state(self.machine)
        self.out = rows(1 << 12)
        self.now = T0
        self.seq: dict[int, int] = {}
        parameters = {"quantity": 10.0, "away_ticks": 1.0, "every_ms": every_ms}
        n = len(self.machine.strategies)
        wanted = StrategySetup(parameters=parameters, instruments=tuple(range(len(listed))))
        assets = {x.base for x in listed} | {x.quote for x in listed}
        defaults: dict[str, Any] = {
            "instruments": listed, "reporting": "USD", "strategies": [wanted, *[StrategySetup()] * (n - 1)],
            "balances": {(x.venue, a): 1e6 for x in listed for a in assets}, "limits": Limits(orders_per_s=100_000),
        }  # fmt: skip
        self.prelude = Prelude(self.machine, Setup(**(defaults | changes)), T0)
        self.feed(self.prelude.rows())

    @property
    def s(self) -> Any:
        """The one record of the state."""
        return self.state[0]

    def feed(self, tape: Rows) -> Rows:
        """Runs the machine over `tape`; the rows it emitted."""
        n, reason = self.machine.run(self.state, tape, 0, len(tape), self.out)
        assert (n, reason) == (len(tape), codes.END), (n, reason, int(self.s["clock"]["fault"]))
        return self.out[: int(self.s["clock"]["n_out"])].copy()

    def at(self, seconds: float) -> None:
        """Journal time of the rows made from now on, counted from the beginning."""
        self.now = T0 + round(seconds * codes.SECOND)

    def number(self, tape: Rows) -> Rows:
        """Gives the rows the next numbers of their streams."""
        for row in tape:
            source = int(row["source"])
            self.seq[source] = self.seq.get(source, 0) + 1
            row["stream_seq"] = self.seq[source]
        return tape

    def rows(self, kind: int, i: int, channel: int, levels: list[tuple[int, int, int]], **fields: int) -> Rows:
        """One message: (side, price, quantity) a row, marks FIRST and LAST set, `marks` added to every row."""
        tape = rows(max(1, len(levels)))
        tape["kind"], tape["instrument"], tape["source"] = kind, i, 3 * i + channel
        tape["ts_local"] = tape["ts_venue"] = self.now
        for row, (side, price, quantity) in zip(tape, levels, strict=False):
            row["side"], row["price"], row["quantity"] = side, price, quantity
        tape["marks"] = fields.pop("marks", 0) | (0 if levels else codes.EMPTY)
        tape["marks"][0] |= codes.FIRST
        tape["marks"][-1] |= codes.LAST
        for name, value in fields.items():
            tape[name] = value
        return self.number(tape)

    def touch(self, i: int, price: float, spread: int = 2, **fields: int) -> Rows:
        """A best quote around `price` (whole units)."""
        mid = round(price * 1e4)
        both = [(codes.BUY, mid - spread // 2, 1000), (codes.SELL, mid + spread - spread // 2, 1000)]
        return self.rows(codes.QUOTE, i, QUOTES_OF, both, **({"ref": self.now} | fields))

    def snapshot(self, i: int, price: float, levels: int = 5, marks: int = 0, **fields: int) -> Rows:
        """A whole book of `levels` a side around `price`."""
        mid = round(price * 1e4)
        book = [(codes.BUY, mid - 1 - k, 1000 + k) for k in range(levels)] + [
            (codes.SELL, mid + 1 + k, 1000 + k) for k in range(levels)
        ]
        return self.rows(codes.DEPTH, i, DEPTH_OF, book, marks=marks | codes.SNAPSHOT, **fields)

    def diff(self, i: int, levels: list[tuple[int, int, int]], **fields: int) -> Rows:
        """A depth message."""
        return self.rows(codes.DEPTH, i, DEPTH_OF, levels, **fields)

    def wait(self, seconds: float) -> Rows:
        """Lets time pass; what the machine said meanwhile."""
        self.now += round(seconds * codes.SECOND)
        clock = rows(1)
        clock["kind"], clock["marks"], clock["strategy"], clock["ts_local"] = codes.CLOCK, codes.WHOLE, -1, self.now
        return self.feed(clock)


def verdicts(said: Rows) -> list[tuple[int, int]]:
    """(instrument, code) of every VERDICT row."""
    told = said[said["kind"] == codes.VERDICT]
    return [(int(r["instrument"]), int(r["value"])) for r in told]


def joined(*parts: Rows) -> Rows:
    """One tape of several."""
    return np.concatenate(parts)
