"""Where live rows come from: real public feeds where they can be reached, else the sandbox; and which it was.

`opened` gives a fabric that knows its instruments. `Wanted` venues are adapters of this installation; the sandbox emulates those
of them it can.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from tradewind.domain.errors import BadUse, Unreachable, did_you_mean
from tradewind.domain.instruments import Instrument
from tradewind.fabric.assembly import Fabric, place_of
from tradewind.fabric.clock import Clock, JournalTime, SystemClock
from tradewind.fabric.feeds import Outside, Patience, Place, Wanted
from tradewind.fabric.network import Network
from tradewind.fabric.transport import Settings
from tradewind.fabric.warmth import make_ready, settle
from tradewind.venues import plugins
from tradewind.venues.adapter import CHANNELS
from tradewind.venues.plugins import adapter_of

Say = Callable[[str], None]
AUTO, SANDBOX, LIVE = "auto", "sandbox", "live"
SOURCES = (AUTO, SANDBOX, LIVE)
REACH_S = 6.0  # how long a first sign of the real venues is waited for
EMULATED = ("binance", "kraken", "coinbase")
SYMBOLS: Mapping[str, tuple[str, ...]] = {
    "binance": ("BTCUSDT", "ETHUSDT"), "kraken": ("BTC/USD", "ETH/USD", "USDT/USD"), "coinbase": ("BTC-USD", "ETH-USD"),
    "binance-usdm": ("BTCUSDT", "ETHUSDT"),
}  # fmt: skip
"""What is followed where nobody names symbols."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a run wishes to hear."""

    source: str = AUTO
    venues: tuple[str, ...] = EMULATED
    symbols: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=lambda: dict(SYMBOLS))
    channels: tuple[str, ...] = CHANNELS
    seed: int = 1
    places: Mapping[str, Place] = msgspec.field(default_factory=dict)  # of a sandbox that another process runs


class Opened(NamedTuple):
    """A fabric, and where its rows come from."""

    fabric: Fabric
    source: str


def venues_of(text: str) -> tuple[str, ...]:
    """The venues in a list with commas. Raises BadUse."""
    names = tuple(dict.fromkeys(plugins.canonical(name.strip()) for name in text.split(",") if name.strip()))
    known = plugins.names()
    unknown = [name for name in names if name not in known and not plugins.bridged(name)]
    if unknown or not names:
        expected = ", ".join((*known, "bridge:EXCHANGE"))
        raise BadUse(
            f"{', '.join(unknown) or 'nothing'} has no live feed",
            where="--venues",
            expected=expected,
            todo=did_you_mean(unknown, known),
        )
    return names


def symbols_of(text: str, venues: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`venue:SYMBOL,…` as symbols by venue; venues that are not named keep their usual ones. Raises BadUse."""
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        venue, symbol = plugins.split(part)
        if not symbol or venue not in venues:
            raise BadUse(f"{part!r} names no symbol of a venue of this run", where="--symbols", expected="venue:SYMBOL, …")
        found[venue] = (*found.get(venue, ()), symbol)
    silent = [venue for venue in venues if venue not in found and venue not in SYMBOLS]
    if silent:
        raise BadUse(f"nobody said what to follow at {', '.join(silent)}", where="--symbols", expected=f"{silent[0]}:SYMBOL, …")
    return {venue: found[venue] if venue in found else SYMBOLS[venue] for venue in venues}


def chosen(options: Any) -> Choice:
    """The choice in options that have `source`, `venues`, `symbols` and `seed`. Raises BadUse.

    `--source bridge:EXCHANGE` is `--source live --venues bridge:EXCHANGE`.
    """
    alone = plugins.canonical(options.source)
    if plugins.bridged(alone):
        return Choice(source=LIVE, venues=(alone,), symbols=symbols_of(options.symbols, (alone,)), seed=options.seed or 1)
    venues = venues_of(options.venues)
    symbols = symbols_of(options.symbols, venues)
    return Choice(source=known_source(options.source), venues=venues, symbols=symbols, seed=options.seed or 1)


def known_source(text: str) -> str:
    """A source by its name. Raises BadUse."""
    if text not in SOURCES:
        raise BadUse(
            f"{text!r} is no source",
            where="--source",
            expected=", ".join((*SOURCES, "bridge:EXCHANGE")),
            todo="or name a tape with --tape",
        )
    return text


def same_as(choice: Choice, before: Sequence[Instrument]) -> Choice:
    """The choice with the venues and symbols of an earlier life, in their order."""
    venues = tuple(dict.fromkeys(x.venue for x in before))
    symbols = {venue: tuple(x.symbol for x in before if x.venue == venue) for venue in venues}
    return msgspec.structs.replace(choice, venues=venues, symbols=symbols)


@asynccontextmanager
async def opened(
    choice: Choice, say: Say, *, clock: Clock | None = None, before: Sequence[Instrument] = (), not_before: int = 0
) -> AsyncIterator[Opened]:
    """A fabric that has learned its instruments, and the sandbox behind it as long as it is used.

    before: the instruments of an earlier life, which keep their numbers. Raises Unreachable where `live` was wished and a venue
    does not answer.
    """
    make_ready()
    settle()
    outside = _outside(choice, JournalTime(clock or SystemClock(), not_before))
    transport: Any = outside.transport
    try:
        if choice.source in (AUTO, LIVE):
            fabric = await _live(choice, outside, before, say)
            if fabric is not None:
                yield Opened(fabric, LIVE)
                return
        async with _sandbox(choice) as places:
            fabric = Fabric([_wanted(choice, venue, places[venue], before) for venue in places], outside, Patience())
            await fabric.open()
            yield Opened(fabric, SANDBOX)
    finally:
        await transport.aclose()


async def _live(choice: Choice, outside: Outside, before: Sequence[Instrument], say: Say) -> Fabric | None:
    """The real venues; None where `auto` does not reach them."""
    wanted = []
    for venue in choice.venues:
        made = _wanted(choice, venue, None, before)
        wanted.append(made)
    fabric = Fabric(wanted, outside, Patience())
    if choice.source == LIVE:
        say(f"asking {', '.join(choice.venues)} what they list (a minute at most)")
    try:
        if before:
            await fabric.reach(REACH_S)
        await fabric.open(REACH_S if choice.source == AUTO else 60.0, REACH_S)
    except Unreachable as error:
        if choice.source == LIVE:
            raise
        say(f"the real venues cannot be reached ({error.where}): the sandbox takes their place")
        return None
    return fabric


def _wanted(choice: Choice, venue: str, place: Place | None, before: Sequence[Instrument]) -> Wanted:
    adapter = adapter_of(venue)
    mine = [x for x in before if x.venue == venue]
    if mine:
        adapter.adopt(mine)
    return Wanted(adapter, place or place_of(adapter), choice.symbols[venue], choice.channels)


def _outside(choice: Choice, time: JournalTime) -> Outside:
    rng = random.Random(choice.seed)  # jitter and masks; what is secret has its own source
    return Outside(Network(Settings(time, rng)), time, rng)


@asynccontextmanager
async def _sandbox(choice: Choice) -> AsyncIterator[dict[str, Place]]:
    """Emulated venues on loopback, in this process."""
    if choice.places:
        yield dict(choice.places)
        return
    from tradewind.venues.emulators import kinds
    from tradewind.venues.emulators.sandbox import Sandbox

    emulated = kinds.names()
    behind = {venue: plugins.bridged(venue) or venue for venue in choice.venues}
    names = sorted({name for name in behind.values() if name in emulated})
    if not names:
        raise BadUse(f"the sandbox emulates none of {', '.join(choice.venues)}", where="--venues", expected=", ".join(emulated))
    async with Sandbox(names, choice.seed) as sandbox:
        yield {venue: _emulated(venue, sandbox.addresses[name]) for venue, name in behind.items() if name in names}


def _emulated(venue: str, address: Mapping[str, str]) -> Place:
    """Where an emulated venue is, for its own adapter or for ccxt, which is sent to the same address."""
    exchange = plugins.bridged(venue)
    if not exchange:
        return Place(address["rest"], address["ws"])
    base = f"ccxt://{exchange}?{urlencode(address)}"
    return Place(base, base)


def book_depths(fabric: Fabric) -> dict[str, int]:
    """By symbol, the depth a venue's books are cut to."""
    return {
        x.symbol: int(depth)
        for feed in fabric.wanted
        for x in feed.adapter.instruments
        if (depth := getattr(feed.adapter, "depth", 0))
    }
