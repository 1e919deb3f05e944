"""`tradewind data record`: live feeds onto disk. What was recorded is a recording: backtest and paper take it like a tape."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from tradewind.domain.errors import BadUse
from tradewind.domain.rows import Rows
from tradewind.fabric.assembly import Fabric
from tradewind.fabric.streams import CONDITION_NAMES
from tradewind.storage.recording import is_recording, write_notes

from .live_rows import LiveRows, Opening, begin_log
from .live_source import Choice, Opened, Say, book_depths, opened

Watch = Callable[[Mapping[str, Any]], None]
Running = asyncio.Future[None]
LOOK_S = 0.5


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording holds and what became of every stream."""

    rows: int
    source: str
    seconds: float
    folder: str
    venues: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        return msgspec.structs.asdict(self)


def record(
    choice: Choice, out: Path, duration_ns: int | None, *, say: Say = lambda text: None, watch: Watch = lambda state: None
) -> Recorded:
    """Records until the time is over or a signal comes. Raises BadUse, Unreachable, NoRoom."""
    if is_recording(out):
        raise BadUse("a recording lies there already", where=str(out), expected="a new folder", todo="name another --out")
    return asyncio.run(_record(choice, out, duration_ns, say, watch))


async def _record(choice: Choice, out: Path, duration_ns: int | None, say: Say, watch: Watch) -> Recorded:
    async with opened(choice, say) as (fabric, source):
        say(f"recording {len(fabric.instruments)} instruments of {', '.join(x.adapter.venue for x in fabric.wanted)} ({source})")
        with begin_log(out, fabric) as log:
            opening = Opening(fabric)

            def keep(rows: Rows) -> None:
                log.append(rows)
                opening.append(rows)

            def look() -> None:
                opening.look()
                watch(view(what, live))

            live, what = LiveRows(keep), Opened(fabric, source)
            fabric.join(live)
            began = fabric.outside.time.now()
            await stream(what, live, duration_ns, look)
            opening.look()
            log.sync()
        write_notes(out, notes_of(fabric, source, opening.prices) | {"streams": live.summary})
        seconds = (fabric.outside.time.now() - began) / 1e9
        return Recorded(rows=live.rows, source=source, seconds=seconds, folder=str(out), venues=live.summary)


async def stream(
    what: Opened, live: LiveRows, duration_ns: int | None, look: Callable[[], None], running: Running | None = None
) -> None:
    """Streams a joined fabric into its sink until the time is over or a signal comes, and looks now and then.

    running: the fabric's own task, where it runs already.
    """
    fabric = what.fabric
    stop, began = stopped(), fabric.outside.time.now()
    tasks = [running or asyncio.ensure_future(fabric.run()), asyncio.ensure_future(live.tick(fabric.outside.time))]
    try:
        while not stop.is_set() and (duration_ns is None or fabric.outside.time.now() - began < duration_ns):
            left = LOOK_S if duration_ns is None else (began + duration_ns - fabric.outside.time.now()) / 1e9
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(min(LOOK_S, left), 0.0))
            live.check()
            for task in tasks:
                if task.done():
                    task.result()
            look()
    finally:
        live.summary = fabric.summary()  # before every stream is told that nobody listens any more
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    live.advance()
    live.check()


def stopped() -> asyncio.Event:
    """Set by SIGINT and SIGTERM, where signals can be heard."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread, or no such signal here
            loop.add_signal_handler(number, stop.set)
    return stop


def notes_of(fabric: Fabric, source: str, prices: Mapping[str, float]) -> dict[str, Any]:
    """What a recording's manifest says beside its rows."""
    return {"source": source, "first_prices": dict(prices), "book_depth": book_depths(fabric), "streams": fabric.summary()}


def view(what: Opened, live: LiveRows) -> dict[str, Any]:
    """What a person sees while it streams."""
    lines = []
    for feed in what.fabric.feeds:
        for lane in feed.lanes:
            counts = lane.tally()
            lines.append({
                "stream": f"{feed.adapter.venue}:{feed.adapter.instruments[lane.topic.instrument].symbol} {lane.topic.channel}",
                "condition": CONDITION_NAMES[lane.state.condition], "messages": f"{counts.received:,}",
                "rejected": counts.rejected, "duplicates": counts.duplicates, "conflated": counts.conflated,
            })  # fmt: skip
    return {"": [{"source": what.source, "rows": f"{live.rows:,}"}], "streams": lines}
