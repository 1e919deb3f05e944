"""What a world is made of: assets, venues, instruments, how lively it is, and what goes wrong in it.

The default figures were set beside recordings of Binance spot (8 August 2024) and the published tick, lot and fee tables
of the three venues as of that year; `stylised` shows both side by side.
"""

from __future__ import annotations

import msgspec

from tradewind.domain.codes import HOUR, MICROSECOND, MILLISECOND, MINUTE, PROOF_CHAIN, PROOF_CRC32, SECOND
from tradewind.domain.errors import BadUse

from .layout import ASSETS, FAULT_NAMES, INSTRUMENTS, LEVELS, SCHEDULED, VENUES

EPOCH_NS = 1_767_225_600 * SECOND  # 2026-01-01 00:00 UTC


class AssetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A base asset or stablecoin and how its price in USD moves."""

    name: str
    price_usd: float
    volatility: float = 0.65  # annualised; a stablecoin has its own law
    correlation: float = 0.85  # with the common factor
    stable: bool = False


class VenueSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A venue: how fast and how truly it follows, and how its feed reaches us."""

    name: str
    follow_per_s: float
    noise_bp: float  # deviation of its own noise
    basis_bp: float = 0.0
    wander_bp: float = 1.0  # deviation of the slow part of each pair's basis
    latency_floor_ns: int = MILLISECOND
    latency_spread_ns: int = MILLISECOND  # median above the floor
    batch_ns: int = 0  # depth changes are gathered so long; 0: sent at once
    quotes: bool = False
    proof: int = PROOF_CHAIN


class InstrumentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A pair at a venue: the rules it keeps, and the liveliness and shape of its book."""

    venue: str
    base: str
    quote: str
    price_exponent: int
    quantity_exponent: int
    symbol: str = ""
    tick: int = 1
    lot: int = 1
    min_quantity: int = 0
    min_notional: float = 5.0
    maker_fee_e7: int = 0
    taker_fee_e7: int = 5_000
    events_per_s: float = 20.0
    trade_share: float = 0.1
    tolerance_bp: float = 0.5  # how far the fair price may leave the touch before somebody acts
    spacing_bp: float = 0.3  # mean distance of neighbouring levels
    tight: float = 0.5  # how eager makers are to close a wide spread
    touch_usd: float = 20_000.0  # medians
    level_usd: float = 4_000.0
    trade_usd: float = 150.0

    @property
    def name(self) -> str:
        """`venue:BASE/QUOTE`, as `Instrument.name`."""
        return f"{self.venue}:{self.base}/{self.quote}"


class FaultSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A fault wanted at a time after the start. `place` is an instrument's name, a venue's, or a stablecoin (depeg).

    magnitude by kind: decimal_shift factor 10 or 0.1; crossed, wick, lying, depeg fraction of the price; clock_jump seconds.
    """

    kind: str
    place: str
    at_ns: int
    duration_ns: int = 2 * SECOND
    magnitude: float = 0.0


class WorldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A whole world. Same spec and seed: same bytes.

    volatility, activity and tempo are multipliers: of price moves, of event rates, and of the clock of prices and regimes
    (10: ten minutes of market weather in one, prices moving sqrt(10) as much a second; event rates stay).
    """

    assets: tuple[AssetSpec, ...]
    venues: tuple[VenueSpec, ...]
    instruments: tuple[InstrumentSpec, ...]
    duration_ns: int
    start_ns: int = EPOCH_NS
    volatility: float = 1.0
    activity: float = 1.0
    tempo: float = 1.0
    levels: int = 28  # most levels a side that makers fill up to
    depegs_per_day: float = 0.05
    faults: tuple[FaultSpec, ...] = ()
    faults_per_hour: dict[str, float] = {}


DEFAULT_ASSETS = (
    AssetSpec(name="USD", price_usd=1.0, volatility=0.0, stable=False),
    AssetSpec(name="BTC", price_usd=61_800.0, volatility=0.47, correlation=0.92),
    AssetSpec(name="ETH", price_usd=2_680.0, volatility=0.58, correlation=0.88),
    AssetSpec(name="USDT", price_usd=1.0, stable=True),
    AssetSpec(name="USDC", price_usd=1.0, stable=True),
)
MORE_ASSETS = (
    AssetSpec(name="SOL", price_usd=155.0, volatility=0.95, correlation=0.80),
    AssetSpec(name="XRP", price_usd=0.61, volatility=0.90, correlation=0.70),
    AssetSpec(name="LTC", price_usd=62.0, volatility=0.75, correlation=0.75),
    AssetSpec(name="ADA", price_usd=0.36, volatility=0.90, correlation=0.75),
    AssetSpec(name="LINK", price_usd=10.5, volatility=1.0, correlation=0.75),
    AssetSpec(name="DOT", price_usd=4.6, volatility=0.95, correlation=0.75),
)
DEFAULT_VENUES = (
    VenueSpec(name="binance", follow_per_s=10.0, noise_bp=0.15, wander_bp=1.4, latency_floor_ns=4 * MILLISECOND,
              latency_spread_ns=1_500 * MICROSECOND, batch_ns=100 * MILLISECOND, quotes=True),
    VenueSpec(name="kraken", follow_per_s=1.5, noise_bp=0.4, basis_bp=0.3, wander_bp=3.0, latency_floor_ns=9 * MILLISECOND,
              latency_spread_ns=4 * MILLISECOND, proof=PROOF_CRC32),
    VenueSpec(name="coinbase", follow_per_s=3.0, noise_bp=0.3, basis_bp=-0.2, wander_bp=2.7, latency_floor_ns=6 * MILLISECOND,
              latency_spread_ns=2 * MILLISECOND),
)  # fmt: skip

# Price and quantity decimals, tick of a pair by venue and base, events per second; liveliness is shared out by size
_DECIMALS = {"BTC": 2, "ETH": 2, "SOL": 2, "XRP": 4, "LTC": 2, "ADA": 4, "LINK": 3, "DOT": 3, "USDT": 4, "USDC": 4}
_LIVELINESS = {
    "BTC": 1.0,
    "ETH": 0.7,
    "SOL": 0.5,
    "XRP": 0.4,
    "LTC": 0.25,
    "ADA": 0.25,
    "LINK": 0.25,
    "DOT": 0.2,
    "USDT": 0.2,
    "USDC": 0.2,
}
_EVENTS_PER_S = {"binance": 180.0, "kraken": 60.0, "coinbase": 90.0}
_FEES = {  # maker and taker in 1e-7
    "retail": {"binance": (10_000, 10_000), "kraken": (25_000, 40_000), "coinbase": (40_000, 60_000)},
    "professional": {"binance": (0, 2_400), "kraken": (0, 8_000), "coinbase": (0, 5_000)},
}
_TIGHT = {"binance": 0.9, "kraken": 0.25, "coinbase": 0.35}
_TOLERANCE_BP = {"binance": 0.5, "kraken": 1.2, "coinbase": 0.8}
_SIZE = {"binance": 1.0, "kraken": 0.4, "coinbase": 0.6}


def pair(venue: str, base: str, quote: str, fees: str = "professional") -> InstrumentSpec:
    """A pair with the default figures of its venue. `fees` names a tier: retail or professional."""
    if fees not in _FEES:
        raise BadUse(f"no fee tier {fees!r}", expected=" or ".join(_FEES))
    stable = base in ("USDT", "USDC")
    maker, taker = (0, 1_000) if stable and fees == "professional" else _FEES[fees].get(venue, (10_000, 10_000))
    lively, size = _LIVELINESS.get(base, 0.2), _SIZE.get(venue, 0.5)
    separator = {"binance": "", "coinbase": "-"}.get(venue, "/")
    return InstrumentSpec(
        venue=venue,
        base=base,
        quote=quote,
        symbol=base + separator + quote,
        price_exponent=_DECIMALS.get(base, 4),
        quantity_exponent=5 if venue == "binance" else 8,
        tick=10 if venue == "kraken" and base == "BTC" else 1,
        min_quantity=1 if venue == "binance" else 1_000,
        maker_fee_e7=maker,
        taker_fee_e7=taker,
        events_per_s=_EVENTS_PER_S.get(venue, 40.0) * lively,
        trade_share=0.04,
        tolerance_bp=0.7 if stable else _TOLERANCE_BP.get(venue, 1.0),
        spacing_bp=0.5 if stable else 0.25,
        tight=0.95 if stable else _TIGHT.get(venue, 0.5),
        touch_usd=size * (250_000.0 if stable else 60_000.0 * lively),
        level_usd=size * (80_000.0 if stable else 8_000.0 * lively),
        trade_usd=120.0,
    )


def default_spec(duration_ns: int = 10 * MINUTE, fees: str = "professional") -> WorldSpec:
    """BTC and ETH at three venues and the stablecoin pairs between their quotes, without faults."""
    pairs = {
        "binance": (("BTC", "USDT"), ("ETH", "USDT"), ("USDC", "USDT"), ("BTC", "USDC")),
        "kraken": (("BTC", "USD"), ("ETH", "USD"), ("USDT", "USD"), ("USDC", "USD")),
        "coinbase": (("BTC", "USD"), ("ETH", "USD"), ("USDT", "USD")),
    }
    listed = tuple(pair(venue, base, quote, fees) for venue, all_of in pairs.items() for base, quote in all_of)
    return WorldSpec(assets=DEFAULT_ASSETS, venues=DEFAULT_VENUES, instruments=listed, duration_ns=duration_ns)


def wide_spec(duration_ns: int = 24 * HOUR, fees: str = "professional") -> WorldSpec:
    """Ten instruments at each of the three venues."""
    coins = [a.name for a in (*DEFAULT_ASSETS, *MORE_ASSETS) if a.name not in ("USD", "USDT", "USDC")]
    listed = []
    for venue in DEFAULT_VENUES:
        quote = "USDT" if venue.name == "binance" else "USD"
        listed += [pair(venue.name, coin, quote, fees) for coin in coins]
        listed += [
            pair(venue.name, "USDC", quote, fees),
            pair(venue.name, "BTC" if quote == "USDT" else "USDT", "USDC" if quote == "USDT" else "USD", fees),
        ]
    return WorldSpec(assets=DEFAULT_ASSETS + MORE_ASSETS, venues=DEFAULT_VENUES, instruments=tuple(listed), duration_ns=duration_ns)


def every_fault(per_hour: float) -> dict[str, float]:
    """`faults_per_hour` with each kind as often as the others, `per_hour` in all."""
    return {name: per_hour / len(FAULT_NAMES) for name in FAULT_NAMES.values()}


def check(spec: WorldSpec) -> None:
    """Raises BadUse where a world cannot be made of `spec`."""
    assets, venues, names = [a.name for a in spec.assets], [v.name for v in spec.venues], [i.name for i in spec.instruments]
    _must(0 < len(assets) <= ASSETS, f"{len(assets)} assets", f"1 to {ASSETS}")
    _must(0 < len(venues) <= VENUES, f"{len(venues)} venues", f"1 to {VENUES}")
    _must(0 < len(names) <= INSTRUMENTS, f"{len(names)} instruments", f"1 to {INSTRUMENTS}")
    _must(len(set(names)) == len(names), "an instrument is listed twice", "different names")
    _must(len(spec.faults) <= SCHEDULED, f"{len(spec.faults)} planned faults", f"at most {SCHEDULED}")
    _must(14 <= spec.levels <= LEVELS, f"levels = {spec.levels}", f"14 to {LEVELS}")
    _must(spec.duration_ns > 0 and spec.start_ns > 0, "a world without time", "a duration and a start after 1970")
    for name in ("volatility", "activity", "tempo"):
        _must(0.01 <= getattr(spec, name) <= 1000.0, f"{name} = {getattr(spec, name)}", "0.01 to 1000")
    for i in spec.instruments:
        _must(i.venue in venues, f"{i.name}: unknown venue", ", ".join(venues))
        _must(i.base in assets and i.quote in assets, f"{i.name}: unknown asset", ", ".join(assets))
        _must(
            0.0 < i.trade_share < 1.0 and i.events_per_s > 0.0, f"{i.name}: no events", "events_per_s > 0 and 0 < trade_share < 1"
        )
    for name in spec.faults_per_hour:
        _must(name in FAULT_NAMES.values(), f"unknown fault {name!r}", ", ".join(FAULT_NAMES.values()))
    _check_faults(spec)


def _check_faults(spec: WorldSpec) -> None:
    busy: dict[str, int] = {}
    for f in sorted(spec.faults, key=lambda f: f.at_ns):
        wide = f.kind in (FAULT_NAMES_VENUE)
        places = [v.name for v in spec.venues] if wide else [i.name for i in spec.instruments]
        if f.kind == "depeg":
            places = [a.name for a in spec.assets if a.stable]
        _must(
            f.kind in FAULT_NAMES.values() or f.kind == "depeg",
            f"unknown fault {f.kind!r}",
            ", ".join((*FAULT_NAMES.values(), "depeg")),
        )
        _must(f.place in places, f"{f.kind} cannot befall {f.place!r}", ", ".join(places))
        _must(
            f.duration_ns > 0 and f.at_ns >= 0,
            f"{f.kind} at {f.at_ns} for {f.duration_ns} ns",
            "a time after the start and a duration",
        )
        _must(f.at_ns >= busy.get(f.place, 0), f"{f.kind} at {f.at_ns} overlaps another fault of {f.place}", "one at a time")
        busy[f.place] = f.at_ns + f.duration_ns


FAULT_NAMES_VENUE = ("clock_jump", "lying")


def _must(true: bool, what: str, expected: str) -> None:
    if not true:
        raise BadUse(what, where="world", expected=expected)
