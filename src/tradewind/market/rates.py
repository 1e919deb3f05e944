"""Rates: what an amount of any asset is worth in the reporting currency.

An asset's rate is the reference of its consensus group (`market.consensus`), so stablecoins are priced like anything
else. The reporting currency's rate is 1. Where a rate is missing it is 0 and whatever needs it is refused.
"""

from typing import Any

from ..domain.layout import QUOTE_ASSET
from ..kernel.jit import compiled


@compiled
def rate_of(s: Any, asset: int) -> float:
    """Reporting units for one unit of the asset; 0 where nobody knows."""
    return s.group[asset].reference


@compiled
def quote_rate(s: Any, i: int) -> float:
    """Reporting units for one unit of instrument i's quote asset."""
    return s.group[s.fact.rule[i, QUOTE_ASSET]].reference


@compiled
def price_in_reporting(s: Any, i: int, price: int) -> float:
    """A price of instrument i in reporting units for one whole base unit; 0 where there is no rate."""
    return float(price) * s.top[i].scale * s.group[s.fact.rule[i, QUOTE_ASSET]].reference
