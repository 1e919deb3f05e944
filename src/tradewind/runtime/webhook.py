"""The webhook as a command: observations by HTTP until a signal, kept on disk before they are confirmed, then a tape a series.

It listens on this computer alone unless told otherwise, never without a token, takes so much a request and so many a second, and
says what it refuses.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tradewind.domain.errors import BadUse
from tradewind.fabric import ingest, observations, webhook
from tradewind.fabric.observations import Observation
from tradewind.fabric.store import Store
from tradewind.fabric.transport import is_loopback

from .data_options import WebhookOptions

if TYPE_CHECKING:
    from aiohttp import web

TOKEN = "TRADEWIND_WEBHOOK_TOKEN"  # noqa: S105 - the name of a variable, no token
A_SECOND, AT_ONCE = 10.0, 50.0  # requests
MOST_SERIES = 256
UNIT = "value"
Say = Callable[[str], None]
Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


class Box:
    """What came, by series: a line of JSON each, on disk before the poster hears that it was kept."""

    def __init__(self, folder: Path, names: frozenset[str]) -> None:
        self.folder, self.names = folder, names
        self.kept: Counter[str] = Counter()
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, name: str, found: list[Observation]) -> None:
        """Appends and syncs."""
        with (self.folder / f"{name}.jsonl").open("ab") as file:
            file.write(b"".join(msgspec.json.encode(one) + b"\n" for one in found))
            file.flush()
            os.fsync(file.fileno())
        self.kept[name] += len(found)

    def takes(self, name: str) -> bool:
        """Whether a series is wanted: a named one, or of few enough."""
        return name in self.names if self.names else name in self.kept or len(self.kept) < MOST_SERIES

    def tapes(self, stamp: int) -> list[Path]:
        """Makes a tape of every series that came, those that an earlier sitting was cut in included."""
        made = []
        for path in sorted(self.folder.glob("*.jsonl")):
            lines = path.read_bytes().splitlines()
            found = [msgspec.json.decode(line, type=Observation) for line in lines if line.endswith(b"}")]
            tape = self.folder / f"{path.stem}-{stamp}"
            if found:
                observations.tape_of(tape, path.stem, UNIT, found)
                made.append(tape)
            path.unlink()
        return made


class Guard:
    """Counts what is refused, says each reason once, and holds the rate."""

    def __init__(self, box: Box, say: Say, now: Callable[[], float] = time.monotonic) -> None:
        self.box, self.refused = box, Counter[str]()
        self._say, self._now = say, now
        self._tokens, self._at = AT_ONCE, now()

    def within_rate(self) -> bool:
        """Takes one request off the budget."""
        now = self._now()
        self._tokens = min(AT_ONCE, self._tokens + (now - self._at) * A_SECOND)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def note(self, reason: str) -> None:
        """One refusal."""
        self.refused[reason] += 1
        if self.refused[reason] == 1:
            self._say(f"refused: {reason}")

    def middleware(self) -> Any:
        """For the application: in front of everything."""
        from aiohttp import web

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self.within_rate():
                self.note("429 more requests than are taken")
                return web.json_response({"error": "too many requests"}, status=429, headers={"Retry-After": "1"})
            name = request.match_info.get("name", "")
            if name and webhook.NAME.fullmatch(name) and not self.box.takes(name):
                self.note("404 a series nobody asked for")
                return web.json_response({"error": "no such series here"}, status=404)
            try:
                answer = await handler(request)
            except web.HTTPException as error:
                self.note(f"{error.status} {error.reason}")
                return web.json_response({"error": error.reason}, status=error.status)
            if answer.status >= 400:
                self.note(f"{answer.status} {'no valid token' if answer.status == 401 else 'no observations'}")
            return answer

        return guard


def token_of(options: WebhookOptions, environment: Mapping[str, str]) -> str:
    """The token, out of its file or the environment, never of the command line. Raises BadUse."""
    if options.token_file is None:
        found = environment.get(TOKEN, "")
    else:
        try:
            found = options.token_file.read_text(encoding="utf-8")
        except OSError as error:
            raise BadUse(
                f"cannot be read: {error.strerror}", where=str(options.token_file), expected="a file with a token"
            ) from error
    if not found.strip():
        raise BadUse("there is no token", where="--token-file", expected=f"a file with 16 characters or more, or {TOKEN}")
    return found.strip()


def run(
    options: WebhookOptions, place: Path, environment: Mapping[str, str], say: Say, first: Callable[[str], None]
) -> dict[str, Any]:
    """`data webhook`: serves until SIGINT or SIGTERM; `first` gets the address. Raises BadUse."""
    if not is_loopback(options.host) and not options.open:
        raise BadUse("would listen to other computers", where=f"--host {options.host}", expected="127.0.0.1", todo="or add --open")
    token = token_of(options, environment)
    box = Box(options.tapes, frozenset(name.strip() for name in options.names.split(",") if name.strip()))
    guard = Guard(box, say)
    asyncio.run(_serve(options, token, guard, first))
    tapes = box.tapes(time.time_ns())
    taken = 0
    if options.take_in and tapes:
        with Store(place) as store:
            from tradewind.fabric.raw import open_raw

            taken = sum(ingest.ingest(store, open_raw(tape), say=say).accepted for tape in tapes)
    return {"kept": dict(box.kept), "refused": dict(guard.refused), "tapes": [str(tape) for tape in tapes], "taken_in": taken}


async def _serve(options: WebhookOptions, token: str, guard: Guard, first: Callable[[str], None]) -> None:
    from aiohttp import web

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    made = webhook.application(token, guard.box.keep, time.time_ns)
    made.middlewares.append(guard.middleware())
    runner = web.AppRunner(made, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port).start()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        host, port = runner.addresses[0][:2]
        first(f"http://{f'[{host}]' if ':' in str(host) else host}:{port}/observations/")
        await stop.wait()
    except OSError as error:
        raise BadUse(f"cannot listen: {error.strerror}", where=f"--port {options.port}", expected="a free port") from None
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError, NotImplementedError):
                loop.remove_signal_handler(number)
        await runner.cleanup()
