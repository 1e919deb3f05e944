"""Which venues there are: our own and those of installed packages, by entry point.

A package adds a venue by an entry point of the group `tradewind.venues`: its name is the venue's, what it loads is called without
arguments and gives a `MarketAdapter`. Nobody replaces a venue of ours by name. Every exchange of ccxt is a venue too, by the name
`bridge.EXCHANGE` (or `bridge:EXCHANGE`, where people write it).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from tradewind.domain.errors import BadUse, did_you_mean
from tradewind.venues.adapter import MarketAdapter
from tradewind.venues.bridge import BRIDGE

BUILT_IN: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "binance": ("tradewind.venues.binance.adapter:BinanceAdapter", ("binance",)),
    "binance-usdm": ("tradewind.venues.binance.adapter:BinanceAdapter", ("binance-usdm",)),
    "kraken": ("tradewind.venues.kraken.adapter:KrakenAdapter", ()),
    "coinbase": ("tradewind.venues.coinbase.adapter:CoinbaseAdapter", ()),
}
"""Our own: what makes the adapter, and its arguments."""


def canonical(venue: str) -> str:
    """A venue's name as rows and files have it: without the colon that people may write behind `bridge`."""
    return f"{BRIDGE}.{venue[len(BRIDGE) + 1 :]}" if venue.startswith(f"{BRIDGE}:") else venue


def split(name: str) -> tuple[str, str]:
    """(venue, symbol) of `venue:SYMBOL`; `bridge:okx:BTC/USDT` and `bridge.okx:BTC/USDT` alike."""
    if name.startswith(f"{BRIDGE}:"):
        name = canonical(name)
    venue, _, symbol = name.partition(":")
    return venue, symbol


def bridged(venue: str) -> str:
    """ccxt's id of a venue that comes through the bridge; "" of any other."""
    venue = canonical(venue)
    return venue[len(BRIDGE) + 1 :] if venue.startswith(f"{BRIDGE}.") else ""


def installed() -> dict[str, EntryPoint]:
    """Entry points of other packages, without those that take a name of ours."""
    return {point.name: point for point in entry_points(group="tradewind.venues") if point.name not in BUILT_IN}


def names() -> tuple[str, ...]:
    """Every venue of this installation, ours first."""
    return (*BUILT_IN, *sorted(installed()))


def adapter_of(venue: str) -> MarketAdapter:
    """A new adapter of a venue. Raises BadUse where there is none, or where its package cannot be loaded."""
    if exchange := bridged(venue):
        from tradewind.venues.bridge.adapter import BridgeAdapter

        return BridgeAdapter(exchange)
    if venue in BUILT_IN:
        place, arguments = BUILT_IN[venue]
        module, _, name = place.partition(":")
        return cast(MarketAdapter, getattr(import_module(module), name)(*arguments))
    point = installed().get(venue)
    if point is None:
        raise BadUse(
            f"there is no venue {venue!r}",
            where="the name of a venue",
            expected=", ".join((*names(), f"{BRIDGE}:EXCHANGE")),
            todo=did_you_mean([venue], names()) or "name one of these, or install its plug-in",
        )
    made: Any
    try:
        made = point.load()()
    except Exception as error:  # a stranger's code: whatever it raises is told as what it is
        raise BadUse(
            f"the plug-in {venue!r} cannot be loaded: {type(error).__name__}: {error}",
            where=point.value,
            expected="a callable without arguments that gives a MarketAdapter",
            todo="mend or remove the package",
        ) from error
    return cast(MarketAdapter, made)
