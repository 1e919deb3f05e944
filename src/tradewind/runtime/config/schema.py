"""Every configuration key, once: type, range, default and what it means. Errors and docs/configuration.md come from here.

Rules of the names: `_ns` takes a duration ("250ms") or whole nanoseconds, `_bps` a number of basis points (0.01 %),
`_pct` a number of per cent. Sections whose type is `dict` hold tables with names of the user's choice.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from tradewind.domain.codes import TIMEFRAME_NAMES

from .units import DURATION_NS, Cash, Choice, Duration, Kind, Listing, Money, Notional, Number, Share, Size, Switch, Text, Whole

MS, S, M, H, D = (DURATION_NS[unit] for unit in ("ms", "s", "m", "h", "d"))
KINDS = ("market_maker", "swing", "arbitrage", "sma_cross")
"""Strategies that ship with Tradewind."""


class Key(msgspec.Struct, frozen=True):
    """What one key takes and what it is for."""

    kind: Kind
    doc: str


def _size(amount: str) -> Size:
    return Size(Decimal(amount), share=True)


_VENUE = r"[a-z0-9*?][a-z0-9_.*?-]*"
_ASSET = r"[A-Z0-9*?]+"
_PATTERN = Text(
    rf"\*|{_VENUE}:(\*|{_ASSET}/{_ASSET}(:(perp|inverse))?)",
    'an instrument "venue:BASE/QUOTE" or a pattern such as "*:BTC/*"',
)
_KIND = Text(
    rf"{'|'.join(KINDS)}|python:.+",
    "one of " + ", ".join(f'"{kind}"' for kind in KINDS) + ' or "python:path/to/file.py"',
)
_CURRENCY = Text(r"[A-Z][A-Z0-9]{1,9}", 'a currency such as "USD"')
_FOLDER = Text(r"[^\x00-\x1f]+", "the path of a folder")
_TIER = Text(r"[A-Za-z0-9_.-]+", "30-day volume in USD such as 50k or 1m, the name of a tier such as vip1, or default")
_OPTIONAL_BPS = Number(-100, 1000, "bps, negative is a rebate")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What a run starts with and where its files go."""

    capital: Annotated[Money, Key(Cash(), "Starting capital of the whole book.")] = Money(Decimal(10000), "USD")
    reporting_currency: Annotated[str, Key(_CURRENCY, "Currency of equity and reports; default: the capital's own.")] = ""
    fee_tier: Annotated[
        str, Key(_TIER, "Fee tier of every venue that names none; default: the tape's own fees, else the schedule's first step.")
    ] = "default"
    seed: Annotated[int, Key(Whole(0, 2**63 - 1), "Seed of everything random: world, latency jitter, bootstrap.")] = 1
    answer_limit_ns: Annotated[
        int, Key(Duration(0, D), "Longest a Python strategy may compute one answer in real time before the run ends; 0: no limit.")
    ] = 2 * M
    out: Annotated[str, Key(_FOLDER, "Folder that gets one new folder for each run.")] = "out"


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """How a venue is simulated and what it charges. A venue without a table has these defaults."""

    fee_tier: Annotated[str, Key(_TIER, "Fee tier of the venue's published schedule; default: `run.fee_tier`.")] = ""
    maker_bps: Annotated[Decimal | None, Key(_OPTIONAL_BPS, "Maker fee; if given it overrides the fee tier.")] = None
    taker_bps: Annotated[Decimal | None, Key(_OPTIONAL_BPS, "Taker fee; if given it overrides the fee tier.")] = None
    feed_ns: Annotated[int, Key(Duration(0, 10 * S), "Latency from the venue's market data to us; tapes carry their own.")] = 2 * MS
    order_ns: Annotated[int, Key(Duration(0, 10 * S), "Latency from our order to the venue's book.")] = 5 * MS
    report_ns: Annotated[int, Key(Duration(0, 10 * S), "Latency from the venue's report to us.")] = 5 * MS
    queue: Annotated[
        str, Key(Choice("risk_averse", "probability"), "Queue model: who is ahead of us leaves last, or in proportion.")
    ] = "risk_averse"
    partial_fills: Annotated[bool, Key(Switch(), "Whether an order may fill in parts.")] = True


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy of the book. A table named like a kind needs no `kind`."""

    kind: Annotated[str, Key(_KIND, "Which strategy this is.")] = ""
    enabled: Annotated[bool, Key(Switch(), "Whether it may trade.")] = True
    instruments: Annotated[tuple[str, ...], Key(Listing(_PATTERN, 1, 256), "Instruments it may trade.")] = ("*",)
    capital_share: Annotated[
        Decimal | None, Key(Share("0", "1"), "Share of the capital; without it what is left is split evenly.")
    ] = None
    think_ns: Annotated[int | None, Key(Duration(0, H, "auto"), "Time between a wake and its answer; auto: 2 ms.")] = None
    parameters: Annotated[
        dict[str, Decimal], Key(Number(-(10**9), 10**9), "Numbers the strategy declares (see the strategy's own page).")
    ] = msgspec.field(default_factory=dict)


class Collar(msgspec.Struct, frozen=True, kw_only=True):
    """How far from the reference price an order may be, by the grade of that reference."""

    A: Annotated[Decimal, Key(Number(0, 5000, "bps"), "Three or more sources agree.")] = Decimal(50)
    B: Annotated[Decimal, Key(Number(0, 5000, "bps"), "Two sources agree.")] = Decimal(100)
    C: Annotated[Decimal, Key(Number(0, 5000, "bps"), "One venue whose own data agree.")] = Decimal(150)


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """Limits that no strategy can pass, in the capital's currency. A limit of 0 forbids."""

    max_order_notional: Annotated[Size, Key(Notional(), "Largest single order.")] = _size("0.1")
    max_position_notional: Annotated[Size, Key(Notional(), "Largest position in one instrument, with its open orders.")] = _size(
        "0.4"
    )
    max_gross_notional: Annotated[Size, Key(Notional(), "Largest sum of absolute positions, with open orders.")] = _size("2")
    max_net_notional: Annotated[Size, Key(Notional(), "Largest absolute sum of signed positions, with open orders.")] = _size("1")
    max_open_orders: Annotated[int, Key(Whole(0, 4096), "Most orders open at a time.")] = 64
    orders_per_second: Annotated[int, Key(Whole(0, 10_000), "Most orders sent in one second, cancels not counted.")] = 100
    collar_bps: Annotated[Collar, Key(Kind(), "Price collar by reference grade.")] = Collar()
    max_data_age_ns: Annotated[int, Key(Duration(MS, D), "Oldest market data that may open risk.")] = 2 * S
    drawdown_halt_pct: Annotated[
        Decimal, Key(Number(0, 100, "%"), "Fall from the equity's peak after which orders may only reduce positions.")
    ] = Decimal(20)
    max_suspense: Annotated[
        Size,
        Key(Notional(), "Most that fills of unknown orders may leave unexplained before orders may only reduce positions."),
    ] = _size("0.005")
    fixed_fraction: Annotated[
        Decimal | None,
        Key(
            Share("0", "1"),
            "A full position of a strategy that takes positions, as a fraction of its share of the capital; "
            "without it half of that share, at most 90 % of the largest order.",
        ),
    ] = None
    vol_target: Annotated[
        Decimal | None,
        Key(
            Share("0", "10", off=True),
            "Yearly volatility of a full position of such a strategy, times the signal's confidence; replaces fixed_fraction.",
        ),
    ] = None


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """When a source is believed."""

    jump_bps: Annotated[Decimal, Key(Number(1, 10_000, "bps"), "A mid further than this from the last one is held back.")] = (
        Decimal(300)
    )
    stale_ns: Annotated[int, Key(Duration(MS, D), "A source silent for this long leaves the consensus.")] = 10 * S
    trust_enter: Annotated[Decimal, Key(Share("0", "1"), "Trust at which a source joins the consensus again.")] = Decimal("0.6")
    trust_leave: Annotated[Decimal, Key(Share("0", "1"), "Trust below which a source leaves the consensus.")] = Decimal("0.3")


class Timeframes(msgspec.Struct, frozen=True, kw_only=True):
    """Bars that features are computed on."""

    names: Annotated[tuple[str, ...], Key(Listing(Choice(*TIMEFRAME_NAMES), 3, 3), "Three timeframes, short to long.")] = (
        "1m",
        "5m",
        "1h",
    )


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """How capital moves between strategies."""

    period_ns: Annotated[int, Key(Duration(S, 30 * D), "Time between two choices.")] = H
    hysteresis: Annotated[Decimal, Key(Share("0", "1"), "A weight moves only by more than this.")] = Decimal("0.05")
    shrinkage: Annotated[Decimal, Key(Share("0", "1"), "How far weights are pulled to equal ones; 1 ignores results.")] = Decimal(
        "0.5"
    )


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a run."""

    durability: Annotated[
        str, Key(Choice("process", "power"), "What a written row survives: kill -9, or loss of power (fsync).")
    ] = "process"
    retention_ns: Annotated[int, Key(Duration(H), "Age at which market log segments are pruned.")] = 30 * D
    snapshot_every_ns: Annotated[int, Key(Duration(30 * S, D), "Journal time between two snapshots.")] = 5 * M


def _shipped() -> dict[str, Strategy]:
    return {kind: Strategy(kind=kind) for kind in KINDS[:3]}


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration of a run."""

    run: Run = Run()
    venues: dict[str, Venue] = msgspec.field(default_factory=dict)
    strategies: dict[str, Strategy] = msgspec.field(default_factory=_shipped)
    risk: Risk = Risk()
    truth: Truth = Truth()
    timeframes: Timeframes = Timeframes()
    selector: Selector = Selector()
    journal: Journal = Journal()

    def venue(self, name: str) -> Venue:
        """What holds for a venue, whether it has a table or not."""
        venue = self.venues.get(name, Venue())
        return venue if venue.fee_tier else msgspec.structs.replace(venue, fee_tier=self.run.fee_tier)
