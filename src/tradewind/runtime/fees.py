"""What a venue charges: the tape's own word, the venue's published schedule by 30-day volume, or the configuration.

The schedules are those for coins against currencies and for USD-M perpetuals. Beside each step stands who told it and when; the
least volumes are for accounts that also hold what a venue asks for (BNB at Binance). A step that has no witness is a guess, and
`tradewind doctor` lists it. `maker_bps` and `taker_bps` of a venue always win.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import msgspec

from tradewind.domain.instruments import Instrument
from tradewind.venues.adapter import GUESS

from .config import Config, Loaded

DEFAULT = "default"
UNSAID = (10_000, 10_000)  # what an instrument has whose source told no fees
E7_PER_BP = 1000


class Tier(NamedTuple):
    """One step of a schedule: from this 30-day volume in USD on, maker and taker fee in basis points; who told it, or GUESS."""

    volume: int
    maker_bps: str
    taker_bps: str
    witness: str
    name: str = ""


def _steps(witness: str, *steps: tuple[int, str, str]) -> tuple[Tier, ...]:
    return tuple(Tier(*step, witness) for step in steps)


# Read 2026-11-23, each in a stored copy of the page that it names; none was held against an account.
VIP_2021 = "Binance, VIP Program Upgrade, 2021-12-15"  # volumes of spot VIP 1-3, and of futures VIP 1
VIP_FAQ = "Binance FAQ 360033544231: a futures tier takes 5 times the spot volume"
VIP_GUIDE = "two guides to Binance's VIP fees of 2025, which agree"  # rates; their futures volumes do not agree
KRAKEN_2025 = "kraken.com/features/fee-schedule as two open projects of 2025 repeat it; from 50k on also ccxt 4.5.90"
COINBASE_FIRST = "ccxt 4.5.90, coinbase.fees (an answer of the venue) and an open project's table of 2025"
COINBASE_REST = "ccxt 4.5.90, coinbase.fees"

SCHEDULES: dict[str, tuple[Tier, ...]] = {
    "binance": (
        Tier(0, "10", "10", VIP_GUIDE, "vip0"), Tier(1_000_000, "9", "10", VIP_2021, "vip1"),
        Tier(5_000_000, "8", "10", VIP_2021, "vip2"), Tier(20_000_000, "4.2", "6", f"{VIP_2021} (volume); {VIP_GUIDE}", "vip3"),
    ),
    "binance-usdm": (
        Tier(0, "2", "5", VIP_GUIDE, "vip0"), Tier(15_000_000, "1.6", "4", f"{VIP_2021} (volume); {VIP_GUIDE}", "vip1"),
        Tier(50_000_000, "1.4", "3.5", GUESS, "vip2"),  # of the volume: by the rule of VIP_FAQ it would be 25 million
        Tier(100_000_000, "1.2", "3.2", f"{VIP_FAQ} (volume); {VIP_GUIDE}", "vip3"),
    ),
    "kraken": _steps(
        KRAKEN_2025,
        (0, "25", "40"), (10_000, "20", "35"), (50_000, "14", "24"), (100_000, "12", "22"), (250_000, "10", "20"),
        (500_000, "8", "18"), (1_000_000, "6", "16"), (2_500_000, "4", "14"), (5_000_000, "2", "12"), (10_000_000, "0", "10"),
    ),
    "coinbase": (
        *_steps(COINBASE_FIRST, (0, "60", "120"), (1_000, "35", "75"), (10_000, "25", "40")),
        *_steps(
            COINBASE_REST,
            (50_000, "15", "25"), (100_000, "10", "20"), (1_000_000, "8", "18"), (15_000_000, "6", "16"),
            (75_000_000, "3", "12"), (250_000_000, "0", "8"), (400_000_000, "0", "5"),
        ),
    ),
}  # fmt: skip
_SCALES = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}


def unwitnessed() -> Iterator[tuple[str, Tier]]:
    """The steps that nobody confirmed, each with its venue."""
    return ((venue, step) for venue, steps in SCHEDULES.items() for step in steps if step.witness == GUESS)


def charged(loaded: Loaded, instruments: Sequence[Instrument]) -> tuple[list[Instrument], list[str]]:
    """The instruments with the fees that hold, and a sentence about those a schedule told. Raises BadUse for an unknown tier."""
    config = loaded.config
    tiers = {venue: _tier(loaded, venue) for venue in sorted({x.venue for x in instruments})}
    made, scheduled = [], dict[str, Tier]()
    for x in instruments:
        tier = tiers[x.venue]
        if tier is not None and config.venue(x.venue).fee_tier == DEFAULT and (x.maker_fee_e7, x.taker_fee_e7) != UNSAID:
            tier = None  # the tape tells fees of its own
        if tier is not None and not _given(config, x.venue):
            scheduled[x.venue] = tier
        made.append(_with(x, config, tier))
    if not scheduled:
        return made, []
    told = "; ".join(
        f"{venue} {tier.maker_bps} and {tier.taker_bps} bps"
        + (f" ({tier.name or 'from'} {volume_text(tier.volume)} USD in 30 days)" if tier.volume else "")
        for venue, tier in scheduled.items()
    )
    return made, [f"fees by the venues' published schedules, maker and taker: {told}; another account: --fee-tier"]


def _with(x: Instrument, config: Config, tier: Tier | None) -> Instrument:
    venue = config.venue(x.venue)
    maker, taker = x.maker_fee_e7, x.taker_fee_e7
    if tier is not None:
        maker, taker = (round(Decimal(bps) * E7_PER_BP) for bps in (tier.maker_bps, tier.taker_bps))
    if venue.maker_bps is not None:
        maker = round(venue.maker_bps * E7_PER_BP)
    if venue.taker_bps is not None:
        taker = round(venue.taker_bps * E7_PER_BP)
    return msgspec.structs.replace(x, maker_fee_e7=maker, taker_fee_e7=taker)


def _given(config: Config, venue: str) -> bool:
    own = config.venue(venue)
    return own.maker_bps is not None and own.taker_bps is not None


def _tier(loaded: Loaded, venue: str) -> Tier | None:
    """The step a venue's tier names; None where the venue has no schedule and none was asked for."""
    wanted, steps = loaded.config.venue(venue).fee_tier.lower(), SCHEDULES.get(venue, ())
    if wanted == DEFAULT:
        return steps[0] if steps else None
    named = loaded.config.venues.get(venue)
    key = f"venues.{venue}.fee_tier" if named is not None and named.fee_tier else "run.fee_tier"
    if not steps:
        if _given(loaded.config, venue):
            return None
        raise loaded.bad(
            key, f"no fee schedule of {venue} is known", expected=f"fees as numbers, or one of {', '.join(SCHEDULES)}",
            todo=f"set venues.{venue}.maker_bps and venues.{venue}.taker_bps",
        )  # fmt: skip
    volume = _volume(wanted)
    found = [step for step in steps if step.name == wanted or (volume is not None and step.volume <= volume)]
    if not found:
        names = ", ".join(step.name for step in steps if step.name)
        raise loaded.bad(
            key, f"{venue} has no fee tier {wanted!r}",
            expected=f"30-day volume in USD such as 50k or 1m{names and ', or ' + names}",
            todo="correct it, or set maker_bps and taker_bps of the venue",
        )  # fmt: skip
    return found[-1]


def _volume(text: str) -> Decimal | None:
    """The number `50k` or `2.5m` stands for."""
    scale = _SCALES.get(text[-1:], 1)
    try:
        return Decimal(text[:-1] if scale > 1 else text) * scale
    except InvalidOperation:
        return None


def volume_text(volume: int) -> str:
    """A volume as it is typed: 50k, 2.5m."""
    for letter, scale in reversed(_SCALES.items()):
        if volume >= scale:
            return f"{volume / scale:g}{letter}"
    return str(volume)
