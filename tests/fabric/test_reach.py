"""Without a network it is told soon that no venue can be reached; where one answers, the others are waited for."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tradewind.domain.errors import Unreachable
from tradewind.fabric.assembly import Fabric, Outside, Place, Wanted
from tradewind.venues.adapter import Answer, Ask

from .inproc import ADAPTERS, SYMBOLS, Theatre
from .scenes import VENUES
from .virtual import VirtualClock, run


@pytest.mark.parametrize(("alive", "took"), [((), 6.0), (("kraken",), 60.0)])
def test_nobody_is_waited_for_where_nothing_can_be_reached(alive: tuple[str, ...], took: float) -> None:
    async def go(clock: VirtualClock) -> None:
        theatre = Theatre(clock, VENUES)
        answered = theatre.ask

        async def asked(base: str, ask: Ask) -> Answer:
            if not base.endswith(alive or "nowhere"):
                raise Unreachable("cannot connect: no such host", where=base)
            return await answered(base, ask)

        theatre.ask = asked  # type: ignore[method-assign]
        wanted = [Wanted(ADAPTERS[name](), Place(f"http://{name}", f"ws://{name}"), SYMBOLS[name], ("trade",)) for name in VENUES]
        fabric = Fabric(wanted, Outside(theatre, theatre.time, random.Random(1)))
        begun = clock.mono_ns()
        with pytest.raises(Unreachable) as told:
            await fabric.open(60.0, 6.0)
        assert (clock.mono_ns() - begun) / 1e9 == pytest.approx(took, abs=1.0)
        assert told.value.where == ("binance" if alive else ", ".join(VENUES))

    made: Any = go
    run(made)
