"""How a fault's scenario is played."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradewind.venues.emulators.flow import Pace

from .inproc import Play
from .virtual import run

VENUES = ("binance", "kraken", "coinbase")
DEPTH_FRAME = {"binance": b'"depthUpdate"', "kraken": b'"channel":"book","type":"update"', "coinbase": b'"channel":"l2_data"'}
TRADE_FRAME = {"binance": b'"e":"trade"', "kraken": b'"channel":"trade","type":"update"', "coinbase": b'"channel":"market_trades"'}


def scenario(script: Any, *names: str, **more: Any) -> Play:
    """Plays a script on venues; gives the play as it stood at the end of the script, checks done by the script."""

    more = {"pace": Pace(orders_per_s=8.0, levels=30)} | more

    async def go(clock: Any) -> Play:
        async with Play(clock, names or ("binance",), **more) as play:
            await script(play)
            return play

    played: Play = run(go)
    return played


class Dropper:
    """A hook that drops frames holding some bytes, `count` times after a signal."""

    def __init__(self, what: bytes) -> None:
        self.what, self.left, self.dropped = what, 0, 0

    def __call__(self, data: bytes) -> Sequence[bytes]:
        if self.left and self.what in data:
            self.left -= 1
            self.dropped += 1
            return ()
        return (data,)
