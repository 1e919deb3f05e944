"""The sandbox's own door: faults at run time and the truth behind the venues. Its port and its paths are no venue's."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from tradewind.domain.errors import TradewindError

from .book import ASK, BID
from .script import KINDS, read

if TYPE_CHECKING:
    from aiohttp import web

    from .acts import Director

ROOT = "/sandbox"


class Control:
    """Answers under /sandbox."""

    def __init__(
        self, director: Director, addresses: Callable[[], Any], advance: Callable[[float], Awaitable[None]] | None
    ) -> None:
        self._director, self._stage, self._addresses, self._forward = director, director.stage, addresses, advance
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def start(self, host: str, port: int) -> None:
        """Begins to listen. Raises OSError where the port is taken."""
        from aiohttp import web

        app = web.Application()
        app.router.add_get(ROOT, self._state)
        app.router.add_get(f"{ROOT}/faults", self._list)
        app.router.add_post(f"{ROOT}/faults", self._add)
        app.router.add_delete(f"{ROOT}/faults/{{number}}", self._clear)
        app.router.add_get(f"{ROOT}/kinds", self._kinds)
        app.router.add_get(f"{ROOT}/truth/{{venue}}", self._truth)
        app.router.add_post(f"{ROOT}/advance", self._advance)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.address = f"http://{host}:{self._runner.addresses[0][1]}{ROOT}"

    async def stop(self) -> None:
        """Stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _state(self, _request: web.Request) -> web.Response:
        venues = {
            name: {"clients": len(venue.sessions), "frames_out": venue.frames_out, "requests": len(venue.requests),
                   "connects": len(venue.connections), "fired": venue.faults.fired}
            for name, venue in self._director.venues.items()
        }  # fmt: skip
        return _json({"now_ns": self._stage.now_ns, "addresses": self._addresses(), "venues": venues})

    async def _list(self, _request: web.Request) -> web.Response:
        return _json({"faults": self._director.active()})

    async def _kinds(self, _request: web.Request) -> web.Response:
        return _json({name: {"doc": kind.doc, "params": kind.params} for name, kind in KINDS.items()})

    async def _add(self, request: web.Request) -> web.Response:
        try:
            faults = read(json.loads(await request.text()), list(self._director.venues), "the request")
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        except TradewindError as error:
            return _json({"error": str(error)}, 400)
        return _json({"numbers": self._director.add(faults)})

    async def _clear(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        if number.isdigit():
            self._director.clear(int(number))
        return _json({"faults": self._director.active()})

    async def _truth(self, request: web.Request) -> web.Response:
        venue, symbol = request.match_info["venue"], request.query.get("symbol", "")
        market = self._stage.flow.markets.get(venue, {}).get(symbol)
        if market is None:
            return _json({"error": f"no {symbol!r} on {venue!r}"}, 404)
        listing = market.listing
        return _json({
            "number": market.number, "price_decimals": listing.price_decimals, "size_decimals": listing.size_decimals,
            "bids": market.book.top(BID, 50), "asks": market.book.top(ASK, 50),
            "trades": [msgspec.to_builtins(trade) for trade in list(market.trades)[-50:]],
        })  # fmt: skip

    async def _advance(self, request: web.Request) -> web.Response:
        if self._forward is None:
            return _json({"error": "time passes by itself here"}, 409)
        await self._forward(float(request.query.get("seconds", "1")))
        return _json({"now_ns": self._stage.now_ns})


def _json(data: Any, status: int = 200) -> web.Response:
    from aiohttp import web

    return web.json_response(data, status=status)
