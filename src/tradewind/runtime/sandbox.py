"""The sandbox as a command: emulated venues until a signal, with a view of what they do."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from tradewind.domain.errors import BadUse
from tradewind.storage.recording import open_tape
from tradewind.venues.emulators.flow import Pace
from tradewind.venues.emulators.reel import Reel
from tradewind.venues.emulators.replay import Recording
from tradewind.venues.emulators.sandbox import Sandbox, Setting
from tradewind.venues.emulators.script import load

from .options import SandboxOptions

VIEW_EVERY_S = 0.5


def sandbox(
    options: SandboxOptions, *, first: Callable[[dict[str, object]], None], watch: Callable[[Mapping[str, Any]], None]
) -> None:
    """Serves until SIGINT or SIGTERM. `first` gets the addresses, `watch` the state, twice a second. Raises BadUse."""
    asyncio.run(_serve(options, first, watch))


async def _serve(
    options: SandboxOptions, first: Callable[[dict[str, object]], None], watch: Callable[[Mapping[str, Any]], None]
) -> None:
    stop = asyncio.Event()
    stopped = asyncio.ensure_future(stop.wait())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    names = [name.strip() for name in options.venues.split(",") if name.strip()]
    pace = Pace(orders_per_s=options.orders_per_second)
    setting = Setting(pace=pace, speed=options.speed, recording=_recording(options))
    faults = load(options.faults, names) if options.faults is not None else []
    made = Sandbox(names, options.seed, faults, port_base=options.port_base, setting=setting)
    try:
        async with made:
            first({"venues": made.addresses, "control": made.control})
            reel = Reel(made, options.reel, options.seed) if options.reel else None
            playing = asyncio.create_task(reel.run()) if reel is not None else None
            while not stop.is_set():
                watch(state(made, reel))
                await asyncio.wait({stopped}, timeout=VIEW_EVERY_S)
            if playing is not None:
                playing.cancel()
                # What it died of, unless it is this; a client that left ends it in peace.
                with suppress(asyncio.CancelledError):
                    await playing
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise BadUse(
            "a port is taken",
            where=f"--port-base {options.port_base}",
            expected="free ports from there on",
            todo="choose another, or 0",
        ) from None


def _recording(options: SandboxOptions) -> Recording | None:
    if options.tape is None:
        return None
    tape = open_tape(options.tape)
    return Recording(instruments=tape.manifest.instruments, segments=tape.segments())


def state(made: Sandbox, reel: Reel | None = None) -> dict[str, Any]:
    """What a person sees of it: each venue with its clients and traffic, each pair with its touch."""
    venues = {
        name: {"clients": len(venue.sessions), "frames out": venue.frames_out, "requests": len(venue.requests)}
        for name, venue in made.venues.items()
    }
    touches = {}
    for name, markets in made.flow.markets.items():
        for symbol, market in markets.items():
            bid, ask = (market.book.best(side) for side in (0, 1))
            scale = 10**market.listing.price_decimals
            touches[f"{name}:{symbol}"] = {"bid": bid and bid / scale, "ask": ask and ask / scale, "trades": len(market.trades)}
    faults = [{"kind": item["kind"], "venue": item["venue"], "fired": item["fired"]} for item in made.director.active()]
    played = {"reel": {"sent": sum(reel.sent.values()), "late s": reel.late_s}} if reel is not None else {}
    return {"venues": venues, "market": touches, "faults": faults, **played}
