"""The prelude: the rows that tell a fresh machine what it trades, under which rules, limits and parameters.

They stand at the head of every journal, so that folding the journal needs nothing else. `Setup` is the plain form a
configuration is turned into; `Prelude` turns it into rows, and sets up the simulated venue by the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from ..analytics import signals
from ..domain import codes, layout
from ..domain.errors import BadUse
from ..domain.instruments import MONEY, MONEY_EXPONENT, STABLECOINS, Instrument
from ..domain.rows import ROW, Rows
from ..kernel.certificate import cost_ratio
from ..strategy import selector
from .compose import Machine

COMMON = {"frames": layout.FRAMES, "every_ms": layout.EVERY_MS, "fraction": layout.FRACTION, "risk": layout.RISK}
TUNING = {
    **{name: (at, value) for at, (name, value) in enumerate(selector.TUNING.items())},
    **{name: (at, value) for at, (name, value) in enumerate(signals.TUNING.items(), start=8)},
    "trust_enter": (layout.TRUST_ENTER, 0.6),
    "trust_leave": (layout.TRUST_LEAVE, 0.3),
}


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """One venue's simulated physics; times in ns."""

    feed_ns: int = 2 * codes.MILLISECOND
    order_ns: int = 5 * codes.MILLISECOND
    report_ns: int = 5 * codes.MILLISECOND
    jitter_ns: int = 0
    probability_queue: bool = False
    partial_fills: bool = True

    def __post_init__(self) -> None:
        if self.report_ns < self.feed_ns:
            raise BadUse(
                f"reports ({self.report_ns} ns) would be faster than the feed ({self.feed_ns} ns)",
                expected="report_ns of at least feed_ns",
                todo="the simulated venue reads the book the feed made: a faster report would come from the future",
            )


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the whole book; money in whole reporting units."""

    max_notional: float = 1e6
    max_position: float = 1e7
    max_gross: float = 1e8
    max_net: float = 1e8
    max_suspense: float = 1e7  # what fills of unknown orders may leave unexplained
    max_open: int = 256
    orders_per_s: int = 1000
    max_age_ns: int = 2 * codes.SECOND
    drawdown: float = 0.0  # fraction of the peak; 0 is off
    min_grade: int = codes.GRADE_C
    tracks_balance: bool = True


class StrategySetup(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy: parameters by the names its module declares (or the common ones), and the instruments it may trade."""

    parameters: dict[str, float] = {}
    instruments: tuple[int, ...] = ()


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run begins with. `balances` maps (venue, asset) names to whole units."""

    instruments: Sequence[Instrument]
    reporting: str
    strategies: Sequence[StrategySetup]
    balances: dict[tuple[str, str], float] = {}
    limits: Limits = Limits()
    latencies: dict[str, Latency] = {}
    collars_bp: tuple[int, int, int] = (50, 100, 150)  # grades A, B, C, as configured by default
    jump_bp: int = 300
    stale_ns: int = 10 * codes.SECOND
    timeframes: tuple[str, ...] = ("1m", "5m", "1h")
    tuning: dict[str, float] = {}
    bars_only: bool = False
    half_spread_bp: float = 0.0  # what an immediate order pays against bars
    book_depths: dict[str, int] = {}  # by symbol: the depth a venue's book is cut to


class Names:
    """Numbers of venues and assets, in order of first appearance; the reporting currency is among the assets."""

    def __init__(self, setup: Setup) -> None:
        self.venues: list[str] = []
        self.assets: list[str] = []
        for instrument in setup.instruments:
            named = ((instrument.venue, self.venues), (instrument.base, self.assets), (instrument.quote, self.assets))
            for name, known in named:
                if name not in known:
                    known.append(name)
        if setup.reporting not in self.assets:
            self.assets.append(setup.reporting)

    def venue(self, name: str) -> int:
        """The venue's number."""
        return self.venues.index(name)

    def asset(self, name: str) -> int:
        """The asset's number."""
        return self.assets.index(name)


class Prelude:
    """Builds the rows of a Setup for one machine."""

    def __init__(self, machine: Machine, setup: Setup, ts_local: int) -> None:
        self.machine, self.setup, self.ts = machine, setup, ts_local
        self.names = Names(setup)
        self._rows: list[np.void] = []
        self._check()

    def _check(self) -> None:
        capacity = self.machine.composition.capacity
        for what, have, most in (
            ("instruments", len(self.setup.instruments), capacity.instruments),
            ("venues", len(self.names.venues), capacity.venues),
            ("assets", len(self.names.assets), capacity.assets),
            ("strategies", len(self.setup.strategies), capacity.strategies),
        ):
            if have > most:
                raise BadUse(f"{have} {what} do not fit the machine", expected=f"at most {most}", todo=f"raise capacity.{what}")

    def rows(self) -> Rows:
        """The whole prelude, in the order the machine needs it."""
        self._rows = []
        self._add(codes.LIMIT, ref=layout.REPORTING, value=self.names.asset(self.setup.reporting))
        for i, instrument in enumerate(self.setup.instruments):
            self._rules(i, instrument)
        self._limits()
        for (venue, asset), amount in self.setup.balances.items():
            self._add(
                codes.BALANCE, instrument=self.names.asset(asset), account=self.names.venue(venue), quantity=round(amount * MONEY)
            )
        self._tuning()
        for k, strategy in enumerate(self.setup.strategies):
            self._strategy(k, strategy)
        for k, strategy in enumerate(self.setup.strategies):
            for i in strategy.instruments:
                cost_ratio(self.setup.instruments[i])  # what has no cost is heard and never traded: it raises
                self._add(codes.RIGHT, strategy=k, instrument=i, value=1)
        return np.array(self._rows, ROW)

    def _add(self, kind: int, **fields: int) -> None:
        row = np.zeros(1, ROW)[0]
        row["kind"], row["marks"], row["strategy"], row["ts_local"] = kind, codes.WHOLE, -1, self.ts
        for name, value in fields.items():
            row[name] = value
        self._rows.append(row)

    def _rules(self, i: int, x: Instrument) -> None:
        s = self.setup
        heard_alone = x.payoff == codes.INVERSE
        num, den = (1, 1) if heard_alone else cost_ratio(x)
        rules = {
            layout.VENUE: self.names.venue(x.venue), layout.BASE: self.names.asset(x.base),
            layout.QUOTE_ASSET: self.names.asset(x.quote),
            layout.PAYOFF: x.payoff, layout.PROOF: x.proof, layout.TICK: x.tick, layout.LOT: x.lot,
            layout.MIN_QUANTITY: x.min_quantity,
            layout.MIN_NOTIONAL: x.min_notional, layout.MAKER_FEE_E7: x.maker_fee_e7, layout.TAKER_FEE_E7: x.taker_fee_e7,
            layout.COST_NUM: num, layout.COST_DEN: den, layout.BASE_NUM: 10 ** (MONEY_EXPONENT - x.quantity_exponent),
            layout.PRICE_SCALE_E9: 10 ** (9 - x.price_exponent), layout.COLLAR_A_BP: s.collars_bp[0],
            layout.COLLAR_B_BP: s.collars_bp[1],
            layout.COLLAR_C_BP: s.collars_bp[2], layout.JUMP_BP: s.jump_bp, layout.STALE_NS: s.stale_ns,
            layout.BARS_ONLY: int(s.bars_only),
            layout.BOOK_DEPTH: s.book_depths.get(x.symbol, 0),
        }  # fmt: skip
        unusual = {
            layout.DEMOTION: max(codes.GRADE_A - x.grade_cap, 0),
            layout.TRADING_STATUS: x.status or codes.STATUS_CANCEL_ONLY * heard_alone,
            layout.PEGGED: int(self._is_pegged(x.base)) + 2 * int(self._is_pegged(x.quote)),
        }  # fmt: skip
        for ref, value in {**rules, **{ref: value for ref, value in unusual.items() if value}}.items():
            self._add(codes.RULE, instrument=i, ref=ref, value=value)

    def _is_pegged(self, asset: str) -> bool:
        """Whether an asset should be worth one of the reporting currency."""
        reporting = self.setup.reporting
        return asset in STABLECOINS and asset != reporting and reporting in STABLECOINS | {"USD"}

    def _limits(self) -> None:
        m = self.setup.limits
        money = {
            layout.MAX_NOTIONAL: m.max_notional,
            layout.MAX_POSITION: m.max_position,
            layout.MAX_GROSS: m.max_gross,
            layout.MAX_NET: m.max_net,
        }
        plain = {
            layout.MAX_OPEN: m.max_open, layout.ORDERS_PER_S: m.orders_per_s, layout.MAX_AGE_NS: m.max_age_ns,
            layout.MIN_GRADE: m.min_grade,
            layout.DRAWDOWN_E4: round(m.drawdown * 1e4), layout.TRACKS_BALANCE: int(m.tracks_balance),
        }  # fmt: skip
        for scope in range(-1, len(self.setup.strategies)):
            for ref, value in {**{ref: round(amount * MONEY) for ref, amount in money.items()}, **plain}.items():
                self._add(codes.LIMIT, strategy=scope, ref=ref, value=value)
        self._add(codes.LIMIT, strategy=-1, ref=layout.MAX_SUSPENSE, value=round(m.max_suspense * MONEY))

    def _tuning(self) -> None:
        unknown = set(self.setup.tuning) - set(TUNING)
        if unknown:
            raise BadUse(f"no tuning named {min(unknown)!r}", expected=f"one of {', '.join(TUNING)}")
        for name, (at, default) in TUNING.items():
            self._add(codes.PARAMETER, ref=at, value=round(self.setup.tuning.get(name, default) * codes.E9))
        for f, name in enumerate(self.setup.timeframes):
            self._add(codes.PARAMETER, ref=layout.FRAME_AT + f, value=codes.TIMEFRAME_NAMES.index(name) * codes.E9)

    def _strategy(self, k: int, strategy: StrategySetup) -> None:
        module = self.machine.strategies[k]
        columns = {name: at for at, name in enumerate(module.PARAMETERS)} | COMMON
        for name in strategy.parameters:
            if name not in columns:
                raise BadUse(f"{module.NAME} has no parameter {name!r}", expected=f"one of {', '.join(columns)}")
        for name, value in {**module.PARAMETERS, **strategy.parameters}.items():
            self._add(codes.PARAMETER, strategy=k, ref=columns[name], value=round(value * codes.E9))

    def set_up_venue(self, physics: Any) -> None:
        """Gives the simulated venue its desks (one a venue) and the fee schedule of every instrument."""
        v = physics[0]
        v["clock"]["n_desks"] = len(self.names.venues)
        for number, name in enumerate(self.names.venues):
            latency = self.setup.latencies.get(name, Latency())
            desk = v["desk"][number]
            desk["to_venue_ns"] = latency.order_ns + latency.feed_ns
            desk["from_venue_ns"] = latency.report_ns - latency.feed_ns
            desk["jitter_ns"], desk["random"] = latency.jitter_ns, number + 1
            desk["queue_model"], desk["partial_fills"] = int(latency.probability_queue), int(latency.partial_fills)
        for i, x in enumerate(self.setup.instruments):
            c = v["schedule"][i]
            c["maker_fee_e7"], c["taker_fee_e7"] = x.maker_fee_e7, x.taker_fee_e7
            c["cost_num"], c["cost_den"] = cost_ratio(x)
            c["quote_asset"], c["desk"] = self.names.asset(x.quote), self.names.venue(x.venue)
            c["tick"], c["lot"], c["min_notional"], c["bars_only"] = x.tick, x.lot, x.min_notional, int(self.setup.bars_only)
            c["spread_half_e6"] = round(self.setup.half_spread_bp * 100)
