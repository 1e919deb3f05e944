"""Which venues can be emulated: our own and those of installed packages, by entry point.

A package adds an emulator of its venue by an entry point of the group `tradewind.emulators`: its name is the venue's, what it loads
is a `Venue` with `listings`. Nobody replaces an emulator of ours by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from tradewind.domain.errors import BadUse

from .binance import BinanceVenue
from .coinbase import CoinbaseVenue
from .kraken import KrakenVenue
from .listings import LISTINGS, WORTH, Listing
from .usdm import UsdmVenue
from .venue import Venue

VENUES: dict[str, type[Venue]] = {
    "binance": BinanceVenue,
    "binance-usdm": UsdmVenue,
    "kraken": KrakenVenue,
    "coinbase": CoinbaseVenue,
}


def installed() -> dict[str, EntryPoint]:
    """Emulators of other packages, without those that take a name of ours."""
    return {point.name: point for point in entry_points(group="tradewind.emulators") if point.name not in VENUES}


def names() -> tuple[str, ...]:
    """Every venue that can be emulated, ours first."""
    return (*VENUES, *sorted(installed()))


def kind_of(name: str) -> type[Venue]:
    """The emulator of a venue. Raises BadUse where there is none, or where its package cannot be loaded."""
    if name in VENUES:
        return VENUES[name]
    point = installed().get(name)
    if point is None:
        raise BadUse(
            f"{name} is no venue of the sandbox", where="--venues", expected=", ".join(names()), todo="name some of these"
        )  # fmt: skip
    wanted = "a subclass of tradewind.venues.emulators.venue.Venue with its name and its listings"
    try:
        made = point.load()
    except Exception as error:  # a stranger's code: whatever it raises is told as what it is
        told = f"the emulator of {name!r} cannot be loaded: {type(error).__name__}: {error}"
        raise BadUse(told, where=point.value, expected=wanted, todo="mend or remove the package") from error
    if not (isinstance(made, type) and issubclass(made, Venue) and made.name == name and made.listings):
        raise BadUse(f"the emulator of {name!r} is none", where=point.value, expected=wanted, todo="mend or remove the package")
    strange = {asset for one in made.listings for asset in (one.base, one.quote)} - WORTH.keys()
    if strange:
        told = f"nobody knows what {min(strange)} is worth in the sandbox"
        raise BadUse(told, where=point.value, expected=f"listings of {', '.join(WORTH)}")
    return made


def listings_of(name: str) -> Sequence[Listing]:
    """What an emulated venue lists where nobody says otherwise."""
    return LISTINGS[name] if name in LISTINGS else kind_of(name).listings
