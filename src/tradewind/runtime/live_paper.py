"""`tradewind paper` over live feeds: the same machine and simulated venue, fed by what venues say now, for days.

Every row is in the market log before the machine acts on it, and the journal names rows of that log: so a live run can be
replayed, run again with `paper --tape` to the same digest, and taken up by the same command after it was killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadUse, Unreachable
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows
from tradewind.storage.journal import JournalHeader, JournalReader, JournalWriter, TapeReference
from tradewind.storage.marketlog import MarketLog
from tradewind.storage.recording import MARKET, Recording, is_recording, write_notes
from tradewind.storage.tape import FORMAT, Tape, TapeManifest

from .backtest import Result, Say, conclude, durability, header, is_cold
from .config import Loaded
from .demo import view
from .live_rows import LiveRows, begin_log, first_prices
from .live_source import Choice, Opened, opened
from .options import PaperOptions
from .paper import RUN, begin, stillborn
from .planning import Plan, plan, plan_of
from .record import notes_of, stream
from .recorder import Recorder
from .recovery import Resumed, announce, recorded_rows, take_up, upgraded
from .session import Session

Watch = Callable[[Mapping[str, Any]], None]
PRICES_S = 15.0  # how long a new run waits for a first price of every instrument
FRAME_NS = 100 * codes.MILLISECOND
SAMPLES = 4000  # of the equity curve in any run so far, coarser the longer it lasts: a run of days must not fill the memory


class Described(NamedTuple):
    """As much of a tape as planning asks for."""

    manifest: TapeManifest
    rows: int = 1


class Running(NamedTuple):
    """A live run's parts."""

    session: Session
    recorder: Recorder
    made: Plan


def live_paper(
    options: PaperOptions, loaded: Loaded, choice: Choice, *, say: Say = lambda text: None, watch: Watch = lambda state: None
) -> Result:
    """Runs, or takes up again, the live paper run of the output folder, until its time is over or a signal comes."""
    folder = Path(loaded.config.run.out) / RUN
    return asyncio.run(_run(folder, options, loaded, choice, (say, watch)))


async def _run(folder: Path, options: PaperOptions, loaded: Loaded, choice: Choice, show: tuple[Say, Watch]) -> Result:
    journal = folder / "journal"
    if (journal / "journal.json").exists() and not stillborn(journal):
        return await _again(folder, options, loaded, choice, show)
    if is_recording(folder):
        raise BadUse("a market log without a journal lies there", where=str(folder), todo="name another --out")
    return await _new(folder, options, loaded, choice, show)


# A new run -------------------------------------------------------------------------------------------------------------------


async def _new(folder: Path, options: PaperOptions, loaded: Loaded, choice: Choice, show: tuple[Say, Watch]) -> Result:
    say, watch = show
    async with opened(choice, say) as what:
        with begin_log(folder, what.fabric) as log:
            live = LiveRows(log)
            what.fabric.join(live)
            _compile(what, loaded, options, say)
            say(f"hearing {', '.join(choice.venues)} ({what.source})")
            prices = await _first_prices(what, live)
            notes = notes_of(what.fabric, what.source, prices)
            write_notes(folder, notes)
            made = plan(loaded, cast(Tape, _described(what, notes)), options.think)
            for note in made.notes:
                say(note)
            machine = made.machine()
            head = _header(folder, made, machine, what)
            with JournalWriter(folder / "journal", head, durability(loaded)) as writer:
                recorder = Recorder(writer)
                first = int(live.buffer[0]["ts_local"])
                running = Running(Session(machine, made.setup, first, made.make_seats(), recorder), recorder, made)
                live.played = 0
                await _stream(what, live, running, options, watch)
            write_notes(folder, notes | {"streams": live.summary})
    return conclude(running.session, recorder, made, folder, loaded, rows_per_s=0.0)


def _compile(what: Opened, loaded: Loaded, options: PaperOptions, say: Say) -> None:
    """Has the machine ready before anything is heard: composing it takes longer than venues wait."""
    notes = notes_of(what.fabric, what.source, {x.name: 1.0 for x in what.fabric.instruments})
    made = plan(loaded, cast(Tape, _described(what, notes)), options.think)
    machine = made.machine()
    if is_cold(machine):
        say(f"machine {machine.hash}: composing (about a minute the first time, then kept)")
    Session(machine, made.setup, 1, made.make_seats())


async def _first_prices(what: Opened, live: LiveRows) -> dict[str, float]:
    """Hears the fabric until every instrument has a price, for a while. What it heard is played later."""
    running = asyncio.ensure_future(what.fabric.run())
    found: dict[str, float] = {}
    try:
        for _ in range(int(PRICES_S / 0.1)):
            await asyncio.sleep(0.1)
            if running.done():
                running.result()
            found = first_prices(live.buffer[: live.filled], what.fabric)
            if len(found) == len(what.fabric.instruments):
                break
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    if not found:
        raise Unreachable("no venue told a price", where=what.source, todo="look at `tradewind doctor` and the network")
    return found


def _described(what: Opened, notes: dict[str, Any]) -> Described:
    fabric = what.fabric
    return Described(TapeManifest(
        format=FORMAT, made_by="", instruments=fabric.instruments, streams=fabric.streams, segments=[], counts={}, notes=notes,
    ))  # fmt: skip


def _header(folder: Path, made: Plan, machine: Any, what: Opened) -> JournalHeader:
    reference = TapeReference(path=str(folder.resolve()), digest="", segments=[])
    return msgspec.structs.replace(header(made, machine, None, RUN), tape=reference, streams=what.fabric.streams)


# Streaming -------------------------------------------------------------------------------------------------------------------


async def _stream(what: Opened, live: LiveRows, running: Running, options: PaperOptions, watch: Watch) -> None:
    """Plays what is waiting and what comes, until the time is over; then what is under way at the venue arrives."""
    session, recorder, made = running
    began = int(session.state["clock"]["now"][0]) or live.last_ts
    last_sample = 0

    def play(rows: Rows, segment: int, start: int, stop: int) -> None:
        nonlocal last_sample
        session.play(rows, segment, start, stop)
        now = int(rows[stop - 1]["ts_local"])
        if now - last_sample >= max(FRAME_NS, (now - began) // SAMPLES):
            recorder.sample(session, now)
            last_sample = now

    def look(_: Mapping[str, Any]) -> None:
        watch({**view(session, made, live.last_ts - began), "source": [{"source": what.source}]})

    live.play = play
    live.advance()
    await stream(what, live, options.duration_ns, look)
    live.advance()
    recorder.sink = None  # what is still under way arrives for the report alone: a run that goes on later hears it in its own time
    session.settle(max(live.last_ts, int(session.state["clock"]["now"][0])) + codes.SECOND)


# The same run again ----------------------------------------------------------------------------------------------------------


async def _again(folder: Path, options: PaperOptions, loaded: Loaded, choice: Choice, show: tuple[Say, Watch]) -> Result:
    say, watch = show
    head = JournalReader(folder / "journal").header
    made = plan_of(head.configuration)
    machine = made.machine()
    with MarketLog.reopen(folder / MARKET) as log:
        tape = Recording(folder)
        before, last = tape.manifest.instruments, tape.manifest.segments[-1].last_ts
        with JournalWriter.reopen(folder / "journal", durability(loaded)) as writer:
            recorded = recorded_rows(folder / "journal")
            say(f"taking up {len(recorded):,} recorded rows")
            changed = machine.hash != head.machine_hash or upgraded(recorded)
            running, place = _taken_up(tape, made, machine, (recorded, writer, head.machine_hash if changed else ""))
            for number, rows in enumerate(tape.segments()):
                if number >= place[0] and len(rows):
                    running.session.play(rows, number, place[1] if number == place[0] else 0, len(rows))
            async with opened(_same(choice, before), say, before=before, not_before=last + 1) as what:
                live = LiveRows(log)
                live.last_ts = last
                what.fabric.join(live)
                what.fabric.resume(ends(tape))
                await _stream(what, live, running, options, watch)
                write_notes(folder, tape.manifest.notes | {"streams": live.summary})
    return conclude(running.session, running.recorder, made, folder, loaded, rows_per_s=0.0)


def _taken_up(tape: Tape, made: Plan, machine: Any, journal: tuple[Rows, JournalWriter, str]) -> tuple[Running, tuple[int, int]]:
    """A session that stands where the journal can vouch for it, and the place of the next row to play."""
    recorded, writer, wrote = journal
    if not wrote:
        recorder = Recorder(Resumed(recorded, writer))
        return Running(begin(tape, made, machine, recorder), recorder, made), (0, 0)
    recorder = Recorder(None)
    session = begin(tape, made, machine, None)
    place = take_up(session, recorded, tape, recorder)
    announce(writer, session, wrote)
    recorder.sink, session.journal = writer, recorder
    return Running(session, recorder, made), place


def _same(choice: Choice, before: list[Instrument]) -> Choice:
    """The choice with the venues of the earlier life, in their order."""
    venues = tuple(dict.fromkeys(x.venue for x in before))
    symbols = {venue: tuple(x.symbol for x in before if x.venue == venue) for venue in venues}
    return msgspec.structs.replace(choice, venues=venues, symbols=symbols)


def ends(tape: Tape) -> dict[int, Any]:
    """By stream, its last row: the number from its last one of any kind, id and time from its last trade or bar."""
    found: dict[int, Any] = {}
    for rows in tape.segments():
        counted = rows[rows["kind"] <= codes.STREAM]
        for source in np.unique(counted["source"]).tolist():
            mine = counted[counted["source"] == source]
            told = mine[np.isin(mine["kind"], (codes.TRADE, codes.BAR))]
            last = (told if len(told) else mine)[-1:].copy()[0]
            if not len(told) and source in found:
                last = found[source].copy()
            last["stream_seq"] = mine["stream_seq"][-1]
            found[source] = last
    return found
