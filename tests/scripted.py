"""A stage for short scripted markets: an uncompiled machine, its venue, and rows written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from tradewind.domain import codes
from tradewind.domain.codes import DEPTH, FIRST, LAST, SNAPSHOT, TRADE, WHOLE
from tradewind.domain.instruments import Instrument
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import ROW, Rows
from tradewind.engine.compose import Composition, Machine
from tradewind.engine.prelude import Latency, Limits, Prelude, Setup, StrategySetup
from tradewind.engine.snapshot import fresh_state, fresh_venue

MS = codes.MILLISECOND
START = 1_700_000_000 * codes.SECOND
SMALL = Capacity(instruments=16, levels=64, orders=256, history=64)
Levels = list[tuple[int, int]]


def instrument(venue: str, base: str = "BTC", quote: str = "USD", **rules: Any) -> Instrument:
    """Prices in cents, quantities in 1e-4, ten-dollar-free fees unless told."""
    plain = {"price_exponent": 2, "quantity_exponent": 4, "maker_fee_e7": 0, "taker_fee_e7": 0}
    return Instrument(venue=venue, symbol=f"{base}{quote}", base=base, quote=quote, **{**plain, **rules})


def row(kind: int, ts: int, **fields: int) -> Any:
    """One row with the named fields, else zero."""
    r = np.zeros(1, ROW)[0]
    r["kind"], r["marks"], r["strategy"], r["ts_local"], r["ts_venue"] = kind, WHOLE, -1, ts, ts
    for name, value in fields.items():
        r[name] = value
    return r


class Stage:
    """A machine and its venue on a stage: `book`, `trade`, `tell` write rows, everything said is kept in `journal`."""

    def __init__(
        self,
        instruments: list[Instrument],
        strategies: tuple[str, ...] = ("python",),
        parameters: tuple[dict[str, float], ...] = ({},),
        *,
        balances: dict[tuple[str, str], float] | None = None,
        limits: Limits | None = None,
        latency: Latency | None = None,
        compiled: bool = False,
        capacity: Capacity = SMALL,
        **setup: Any,
    ) -> None:
        self.machine = Machine(Composition(strategies=strategies, capacity=capacity), compiled=compiled)
        everywhere = tuple(range(len(instruments)))
        if balances is None:
            balances = {(x.venue, asset): 1e6 for x in instruments for asset in (x.base, x.quote)}
        venues = {x.venue for x in instruments}
        self.setup = Setup(
            instruments=instruments, reporting="USD",
            strategies=[StrategySetup(parameters=p, instruments=everywhere) for p in parameters],
            balances=balances, limits=limits or Limits(), latencies={v: latency or Latency() for v in venues},
            **{"jump_bp": 5000, "collars_bp": (5000, 5000, 5000), "stale_ns": 3600 * codes.SECOND, **setup},
        )  # fmt: skip
        self.state, self.physics = fresh_state(self.machine), fresh_venue(self.machine)
        prelude = Prelude(self.machine, self.setup, START)
        self.names = prelude.names
        prelude.set_up_venue(self.physics)
        self.out = np.zeros(4096, ROW)
        self.journal: list[Any] = []
        self.now = START
        self.reason = 0
        self.seq: dict[int, int] = {}
        self.drive = self.machine.drive
        self.play(prelude.rows())

    @property
    def s(self) -> Any:
        """The state's record."""
        return self.state[0]

    @property
    def v(self) -> Any:
        """The venue's record."""
        return self.physics[0]

    def play(self, rows: Rows) -> None:
        """Plays rows through machine and venue; wakes are passed over."""
        i = 0
        while True:
            i, self.reason = self.drive(self.state, self.physics, rows, i, rows.size, 0, self.out)
            self.journal += [x.copy() for x in self.out[: self.s["clock"]["n_out"]] if x["kind"] != codes.TAPE]
            if self.reason in (codes.END, codes.FAULT):
                return

    def feed(self, *rows: Any) -> None:
        """Plays single rows and moves the clock to the last."""
        self.now = max(self.now, int(rows[-1]["ts_local"]))
        self.play(np.array(list(rows), ROW))

    def market(self, i: int, rows: list[Any]) -> None:
        """Plays rows of instrument i's market stream."""
        for r in rows:
            self.seq[i] = self.seq.get(i, 0) + 1
            r["source"], r["instrument"], r["stream_seq"] = i + 1, i, self.seq[i]
        self.feed(*rows)

    def book(self, i: int, bids: Levels, asks: Levels, after: int = MS, snapshot: bool = True) -> None:
        """A whole book message `after` ns from now: (price, quantity) a level."""
        ts = self.now + after
        levels = [(codes.BUY, *x) for x in bids] + [(codes.SELL, *x) for x in asks]
        rows = [
            row(DEPTH, ts, side=side, price=price, quantity=quantity, ref=ts // MS, marks=SNAPSHOT if snapshot else 0)
            for side, price, quantity in levels
        ]
        rows[0]["marks"] |= FIRST
        rows[-1]["marks"] |= LAST
        self.market(i, rows)

    def trade(self, i: int, aggressor: int, price: int, quantity: int, after: int = MS) -> None:
        """A market trade `after` ns from now."""
        self.market(i, [row(TRADE, self.now + after, side=aggressor, price=price, quantity=quantity, ref=self.now)])

    def wait(self, ns: int, i: int = 0) -> None:
        """Lets time pass: a trade of nothing much at the touch's own price would be news, a CLOCK row is not."""
        self.feed(row(codes.CLOCK, self.now + ns, instrument=i))

    def wish(self, i: int, position: int, price: int = 0, k: int = 0, after: int = 0) -> None:
        """The Python seat wishes a position."""
        self.feed(row(codes.TARGET, self.now + after, instrument=i, strategy=k, quantity=position, price=price))

    def said(self, kind: int, **fields: int) -> list[Any]:
        """The journal's rows of a kind, with these values."""
        return [x for x in self.journal if x["kind"] == kind and all(x[name] == value for name, value in fields.items())]

    def position(self, i: int, k: int = 0) -> int:
        """Strategy k's position in quantity units."""
        return int(self.s["fact"]["position"][k, i]["quantity"])
