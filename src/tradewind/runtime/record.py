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
from tradewind.storage.marketlog import MarketLog, MarketReader
from tradewind.storage.recording import MARKET, is_recording, note_sitting, read_notes, write_notes

from .live_rows import OPENING_ROWS, Ends, LiveRows, Opening, begin_log, go_on, worker
from .live_source import Choice, Opened, Say, book_depths, opened, same_as

Watch = Callable[[Mapping[str, Any]], None]
Running = asyncio.Future[None]
LOOK_S = 0.5
JOURNAL = "journal"


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
    """Records until the time is over or a signal comes; a recording that lies there goes on. Raises BadUse, Unreachable, NoRoom."""
    if (out / JOURNAL).exists():
        raise BadUse("a run lies there, and keeps its own market", where=str(out), expected="a folder of recordings alone")
    return asyncio.run(_record(choice, out, duration_ns, (say, watch)))


async def _record(choice: Choice, out: Path, duration_ns: int | None, show: tuple[Say, Watch]) -> Recorded:
    say, watch = show
    earlier = MarketReader(out / MARKET) if is_recording(out) else None
    before = earlier.manifest.instruments if earlier else []
    ends = _ends(earlier)
    choice = same_as(choice, before) if before else choice
    async with opened(choice, say, before=before, not_before=ends.last_ts + 1 if earlier else 0) as (fabric, source):
        named = f"{len(fabric.instruments)} instruments of {', '.join(x.adapter.venue for x in fabric.wanted)} ({source})"
        say(f"{'going on with' if earlier else 'recording'} {named}")
        with MarketLog.reopen(out / MARKET, worker=worker()) if earlier else begin_log(out, fabric) as log:
            opening, told = Opening(fabric, read_notes(out).get("first_prices")), [False]
            note_sitting(out, log.rows if earlier else 0)

            def keep(rows: Rows) -> None:
                log.append(rows)
                opening.append(rows)

            def note(streams: Mapping[str, Any] | None = None) -> None:
                """From the first price on a recording that is killed is one; its beginning gives the prices in any life."""
                told[0] = opening.look()
                write_notes(out, notes_of(fabric, source, opening.prices) | ({"streams": streams} if streams else {}))

            def look() -> None:
                if not told[0] and opening.look():
                    note()
                watch(view(what, live))

            live, what = LiveRows(keep), Opened(fabric, source)
            fabric.join(live)
            if earlier:
                live.last_ts = ends.last_ts
                _opened_with(opening, earlier)
                go_on(fabric, earlier.manifest.streams, ends)
            note()
            began = fabric.outside.time.now()
            await stream(what, live, duration_ns, look)
            log.sync()
            note(live.summary)
            seconds = (fabric.outside.time.now() - began) / 1e9
            return Recorded(rows=log.rows, source=source, seconds=seconds, folder=str(out), venues=live.summary)


def _ends(earlier: MarketReader | None) -> Ends:
    """Where an earlier life ended."""
    ends = Ends(len(earlier.manifest.streams) if earlier else 0)
    for part in earlier.rows() if earlier else ():
        ends.heard(part)
    return ends


def _opened_with(opening: Opening, earlier: MarketReader) -> None:
    """The first prices are those of the recording's beginning, in whichever life that was."""
    held = 0
    for part in earlier.rows():
        opening.append(part)
        held += len(part)
        if opening.look() or held > OPENING_ROWS:
            return


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
