"""A webhook: whoever holds the token may post observations; they are kept as they come.

POST /observations/NAME with `Authorization: Bearer TOKEN` and a JSON list of {"value", "event", "published"}. Their publication
is the moment they came, whatever the poster says: a claim about the past changes no past.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from tradewind.domain.errors import BadData, BadUse

from .observations import Columns, Observation, from_records

if TYPE_CHECKING:
    from aiohttp import web

MAX_BODY = 1 << 20
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
Keep = Callable[[str, list[Observation]], None]


def application(token: str, keep: Keep, clock: Callable[[], int]) -> web.Application:
    """The endpoint; `keep` gets a name and the observations of one request, dated by `clock` (ns UTC).

    Raises BadUse for a token that could be guessed.
    """
    from aiohttp import web

    if len(token) < 16:
        raise BadUse("the token is too short", where="the webhook", expected="16 characters or more, from a random source")

    async def take(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.encode()):
            return web.json_response({"error": "no valid token"}, status=401)
        name = request.match_info["name"]
        if not NAME.fullmatch(name):
            return web.json_response({"error": "letters, digits, dot, dash only"}, status=400)
        try:
            records = msgspec.json.decode(await request.read(), type=list[dict[str, object]])
            found = dated(records, clock())
        except (msgspec.DecodeError, BadData, RecursionError) as error:
            return web.json_response({"error": str(error)}, status=400)
        keep(name, found)
        return web.json_response({"kept": len(found)})

    made = web.Application(client_max_size=MAX_BODY)
    made.router.add_post("/observations/{name}", take)
    return made


def dated(records: list[dict[str, object]], now_ns: int) -> list[Observation]:
    """The observations of one request, published no earlier than now. Raises BadData for an event in the future."""
    found = from_records(records, Columns(published=""), "the request", now_ns)
    for one in found:
        if one.event_ns > now_ns:
            raise BadData("an event that has not happened yet", expected="an event time of the past")
    return found
