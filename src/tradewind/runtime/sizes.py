"""How large orders will be: what the configuration asks for, and what lots and least notionals leave of it, told before the run."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import msgspec

from tradewind.analytics.features.realised_volatility import YEAR_NS
from tradewind.analytics.signals import TUNING
from tradewind.domain import codes
from tradewind.domain.instruments import MONEY, Instrument
from tradewind.engine.prelude import StrategySetup
from tradewind.risk.limits import SIZE_BY_GRADE

from .config.schema import Risk

QUOTING = ("market_maker", "arbitrage")  # kinds whose orders are parts of a position; `fraction` of their parameters sizes them
NOTABLE = 0.05  # of a size that lot steps take
NAMED = 3  # instruments that a sentence names


def asked(setup: StrategySetup, kind: str, share: float, risk: Risk, own: Collection[str]) -> StrategySetup:
    """The setup with the sizes of `[risk]`, where the strategy takes positions and its `own` parameters name no size."""
    given = dict(setup.parameters)
    if kind in QUOTING or {"quantity", "fraction", "risk"} & set(own):
        return setup
    if risk.vol_target is not None:
        given["fraction"] = 0.0
        given["risk"] = float(risk.vol_target) * share * math.sqrt(TUNING["horizon_s"] * codes.SECOND / YEAR_NS)
    elif risk.fixed_fraction is not None:
        given["fraction"] = float(risk.fixed_fraction) * share
    return msgspec.structs.replace(setup, parameters=given)


def told(
    names: Sequence[str],
    strategies: Sequence[StrategySetup],
    instruments: Sequence[Instrument],
    first: Sequence[float],
    rates: Mapping[str, float],
    capital: float,
) -> list[str]:
    """A sentence for each strategy whose usual order is too small somewhere, or loses a notable part to lot steps.

    At the tape's first prices; sizes of strategies that name their own quantity or follow volatility are not foreseen.
    """
    voices = {x.base: {y.venue for y in instruments if y.base == x.base} for x in instruments}
    found = []
    for name, strategy in zip(names, strategies, strict=True):
        fraction = strategy.parameters.get("fraction", 0.0)
        if fraction <= 0.0 or strategy.parameters.get("risk", 0.0) > 0.0 or strategy.parameters.get("quantity", 0.0) > 0.0:
            continue
        small: list[tuple[str, float]] = []  # and how many times the capital it would take
        coarse: list[tuple[str, float]] = []
        for i in strategy.instruments:
            x, rate = instruments[i], rates.get(instruments[i].quote, 0.0)
            if first[i] <= 0.0 or rate <= 0.0:
                continue
            worth = capital * fraction * SIZE_BY_GRADE[codes.GRADE_B if len(voices[x.base]) > 1 else codes.GRADE_C]
            needed, lost = _fit(x, worth / rate, first[i])
            if needed > 1.0:
                small.append((x.name, needed))
            elif lost >= NOTABLE:
                coarse.append((x.name, lost))
        found += _sentences(name, small, coarse, capital)
    return found


def _fit(x: Instrument, worth: float, price: float) -> tuple[float, float]:
    """How many times an order of that worth, in the quote asset, must grow to be taken; and what part lot steps take of it."""
    quantity = worth / price * 10.0**x.quantity_exponent
    least = max(x.lot, x.min_quantity)
    needed = max(least / quantity, x.min_notional / MONEY / worth)
    return needed, 1.0 - quantity // x.lot * x.lot / quantity


def _sentences(name: str, small: list[tuple[str, float]], coarse: list[tuple[str, float]], capital: float) -> list[str]:
    found = []
    if small:
        enough = _rounded_up(capital * max(needed for _, needed in small))
        found.append(
            f"{name}: its usual order is below the venue's least size on {_listed([x for x, _ in small])}, so it will hardly trade "
            f"there; a capital of {enough:,.0f} or a larger fraction would do"
        )
    if coarse:
        worst = max(lost for _, lost in coarse)
        found.append(f"{name}: lot steps take up to {worst * 100:.0f} % of its usual order on {_listed([x for x, _ in coarse])}")
    return found


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _rounded_up(amount: float) -> float:
    """Two leading digits, so that a sentence holds no false precision."""
    step = 10.0 ** (math.floor(math.log10(amount)) - 1)
    return math.ceil(amount / step) * step
