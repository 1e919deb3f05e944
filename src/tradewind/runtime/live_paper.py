"""`tradewind paper` over live feeds: the same machine and simulated venue, fed by what venues say now, for days.

Every row is in the market log before the machine acts on it, and the journal names rows of that log (`logged`): so a live run
can be replayed, run again with `paper --tape` to the same digest, and taken up by the same command after it was killed. Memory
and disk are bounded: snapshots are taken, the market is kept as long as `journal.retention_ns` says, the curve grows coarser.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from tradewind.domain import codes
from tradewind.domain.errors import BadUse, Unreachable
from tradewind.domain.rows import Rows
from tradewind.storage.files import lock_folder
from tradewind.storage.journal import JournalReader
from tradewind.storage.marketlog import MarketReader
from tradewind.storage.recording import MARKET, is_recording, read_notes, write_notes
from tradewind.storage.tape import FORMAT, Tape, TapeManifest

from .backtest import Result, Say, conclude, durability, is_cold
from .config import Loaded
from .heeding import standings
from .live_rows import Ends, LiveRows, Opening, go_on
from .live_source import Choice, Opened, opened, same_as
from .logged import Keeping, LoggedRun
from .options import PaperOptions
from .overdue import watched
from .paper import RUN, stillborn
from .planning import plan
from .record import Running, notes_of, stream
from .recorder import Recorder
from .recovery import NOWHERE, place_of, recorded_rows
from .session import Session
from .view import Watch, view

PRICES_S = 15.0  # how long a new run waits for a first price of every instrument


class Described(NamedTuple):
    """As much of a tape as planning asks for."""

    manifest: TapeManifest
    rows: int = 1


def live_paper(
    options: PaperOptions, loaded: Loaded, choice: Choice, *, say: Say = lambda text: None, watch: Watch = lambda state: None
) -> Result:
    """Runs, or takes up again, the live paper run of the output folder, until its time is over or a signal comes."""
    folder = Path(loaded.config.run.out) / RUN
    with watched(say, loaded.config.run.answer_limit_ns):
        return asyncio.run(_run(folder, options, loaded, choice, (say, watch)))


async def _run(folder: Path, options: PaperOptions, loaded: Loaded, choice: Choice, show: tuple[Say, Watch]) -> Result:
    journal = folder / "journal"
    if (journal / "journal.json").exists() and not stillborn(journal) and not _half_begun(folder):
        return await _again(folder, options, loaded, choice, show)
    if is_recording(folder):
        raise BadUse("a market log without a journal lies there", where=str(folder), todo="name another --out")
    return await _new(folder, options, loaded, choice, show)


def _half_begun(folder: Path) -> bool:
    """Whether a run died before its first market row was kept: nothing is lost, and everything is begun anew.

    Taken up instead, it would have begun before its recording does, and the recording would tell another run. Raises BadUse
    where it is beginning at this moment.
    """
    journal, market = folder / "journal", folder / MARKET
    if MARKET not in JournalReader(journal).header.notes:
        return False
    if is_recording(folder) and (any(map(len, MarketReader(market).rows())) or place_of(recorded_rows(journal)) != NOWHERE):
        return False
    lock = lock_folder(journal)
    try:
        shutil.rmtree(market, ignore_errors=True)
        shutil.rmtree(journal)
    finally:
        os.close(lock)
    return True


# A new run -------------------------------------------------------------------------------------------------------------------


async def _new(folder: Path, options: PaperOptions, loaded: Loaded, choice: Choice, show: tuple[Say, Watch]) -> Result:
    say, watch = show
    async with opened(choice, say) as what:
        heard: list[Rows] = []
        live = LiveRows(heard.append)
        what.fabric.join(live)
        _compile(what, loaded, options, say)
        say(f"hearing {', '.join(choice.venues)} ({what.source})")
        running = asyncio.ensure_future(what.fabric.run())
        try:
            notes = notes_of(what.fabric, what.source, await _first_prices(what, running, heard))
            _note(folder, notes)
            made = plan(loaded, cast(Tape, _described(what, notes)), options.think)
            for note in made.notes:
                say(note)
            recorder, ends = Recorder(None), Ends(len(what.fabric.streams))
            live.advance()
            first = int(heard[0]["ts_local"][0])
            kept = msgspec.structs.replace(keeping(loaded), companions=(recorder, ends))
            run = LoggedRun.begin(folder, made, what.fabric.streams, first, kept)
            try:
                for rows in heard:
                    run.feed(rows)
            except BaseException:  # also on Ctrl-C: the locks must not stay
                run.close()
                raise
            heard.clear()
            await _stream(what, live, run, options, watch, running)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return _concluded(run, recorder, live, loaded)


def _note(folder: Path, notes: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_notes(folder, notes)


def keeping(loaded: Loaded) -> Keeping:
    """How a live run keeps itself, by the configuration."""
    kept = loaded.config.journal
    return Keeping(snapshot_ns=kept.snapshot_every_ns, market_ns=kept.retention_ns, durability=durability(loaded))


def _compile(what: Opened, loaded: Loaded, options: PaperOptions, say: Say) -> None:
    """Has the machine ready before anything is heard: composing it takes longer than venues wait."""
    notes = notes_of(what.fabric, what.source, {x.name: 1.0 for x in what.fabric.instruments})
    made = plan(loaded, cast(Tape, _described(what, notes)), options.think)
    machine = made.machine()
    if is_cold(machine):
        say(f"machine {machine.hash}: composing (half a minute or so the first time, then kept)")
    Session(machine, made.setup, 1, made.make_seats())


async def _first_prices(what: Opened, running: Running, heard: list[Rows]) -> dict[str, float]:
    """Waits until every instrument has a price, for a while. What was heard until then is played later."""
    opening, looked = Opening(what.fabric), 0
    for _ in range(int(PRICES_S / 0.1)):
        await asyncio.sleep(0.1)
        if running.done():
            running.result()
        for rows in heard[looked:]:
            opening.append(rows)
        looked = len(heard)
        if opening.look():
            break
    if not opening.prices:
        raise Unreachable("no venue told a price", where=what.source, todo="look at `tradewind doctor` and the network")
    return opening.prices


def _described(what: Opened, notes: dict[str, Any]) -> Described:
    fabric = what.fabric
    return Described(TapeManifest(
        format=FORMAT, made_by="", instruments=fabric.instruments, streams=fabric.streams, segments=[], counts={}, notes=notes,
    ))  # fmt: skip


# Streaming -------------------------------------------------------------------------------------------------------------------


async def _stream(
    what: Opened, live: LiveRows, run: LoggedRun, options: PaperOptions, watch: Watch, running: Running | None = None
) -> None:
    """Feeds the run with what comes, until the time is over; then it is closed, and can be taken up again."""
    began = int(run.session.state["clock"]["now"][0])

    def look() -> None:
        what.fabric.heed(standings(run.session.state, len(what.fabric.instruments)))
        watch({**view(run.session, run.made, live.last_ts - began), "source": [{"source": what.source}]})

    live.keep = run.feed
    try:
        await stream(what, live, options.duration_ns, look, running)
        live.advance()
        run.snapshot(live.last_ts)
    finally:
        run.close()


def _concluded(run: LoggedRun, recorder: Recorder, live: LiveRows, loaded: Loaded) -> Result:
    """What is under way at the venue arrives for the report alone: a run that goes on later hears it in its own time."""
    _note(run.folder, read_notes(run.folder) | {"streams": live.summary})
    session = run.session
    session.journal = recorder
    session.settle(max(live.last_ts, int(session.state["clock"]["now"][0])) + codes.SECOND)
    return conclude(session, recorder, run.made, run.folder, loaded, rows_per_s=0.0)


# The same run again ----------------------------------------------------------------------------------------------------------


async def _again(folder: Path, options: PaperOptions, loaded: Loaded, choice: Choice, show: tuple[Say, Watch]) -> Result:
    say, watch = show
    manifest = MarketReader(folder / MARKET).manifest
    recorder, ends = Recorder(None), Ends(len(manifest.streams))
    say("taking up the run")
    run = LoggedRun.resume(folder, msgspec.structs.replace(keeping(loaded), companions=(recorder, ends)))
    if run.wrote:
        say(f"it was taken up from machine {run.wrote} by its facts; this is {run.machine.hash}")
    try:
        choice = same_as(choice, manifest.instruments)
        async with opened(choice, say, before=manifest.instruments, not_before=ends.last_ts + 1) as what:
            live = LiveRows(run.feed)
            live.last_ts = ends.last_ts
            what.fabric.join(live)
            go_on(what.fabric, manifest.streams, ends)
            await _stream(what, live, run, options, watch)
    finally:
        run.close()
    return _concluded(run, recorder, live, loaded)
