"""History by REST, day by day: what the store does not have is asked for, put on a tape of its own, and taken in.

Each finished day is written down, so that a download that was cut goes on where it stopped, and the same command next month
asks for the new days alone. A day the venue no longer has whole stays on the list, as partial.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadData, OutcomeUnknown, Unreachable
from tradewind.domain.rows import Rows, rows
from tradewind.storage.projection import day_number, day_text, short_name
from tradewind.storage.tape import TapeWriter
from tradewind.venues.adapter import BAR, TRADE, Answer, Ask, MarketAdapter, Page, Topic

from .budget import Backoff, Budget
from .feeds import Outside
from .history import distinct
from .ingest import ingest
from .raw import open_raw
from .sieve import Judge
from .store import Store

TRIES = 8  # of one request, at a growing distance
MAX_PAGES = 20_000  # of one day: forty million trades where a page has two thousand

AGAIN = (418, 429, 500, 502, 503, 504)
Say = Callable[[str], None]


class Source(NamedTuple):
    """Whom to ask: the adapter knows its instruments."""

    adapter: MarketAdapter
    rest: str
    outside: Outside
    budget: Budget


class Order(NamedTuple):
    """What to fetch: days are inclusive, YYYY-MM-DD; timeframe "" asks for trades."""

    topic: Topic
    timeframe: str
    first_day: str
    last_day: str


class Downloaded(msgspec.Struct, kw_only=True):
    """What a download did."""

    rows: int = 0
    days: int = 0
    partial: list[str] = []
    had: int = 0


async def download(store: Store, source: Source, order: Order, folder: Path, say: Say, judge: Judge | None = None) -> Downloaded:
    """Fetches the missing days into tapes below `folder` and into the store.

    Raises Unreachable or OutcomeUnknown where the venue does not answer, BadData where it has no such history.
    """
    done = Downloaded()
    wanted = [day_text(day) for day in range(day_number(order.first_day), day_number(order.last_day) + 1)]
    missing = [day for day in wanted if not store.records.rows("runs", id=_run(source, order, day), state="done")]
    done.had = len(wanted) - len(missing)
    for n, day in enumerate(missing):
        found = await _day(source, order, day_number(day) * codes.DAY)
        whole = _whole(order, found, day)
        if len(found):
            tape = _free(store, folder / _name(source, order) / day)
            _write(source, order, found, tape)
            ingest(store, open_raw(tape), judge)
        _note(store, _run(source, order, day), "done" if whole else "partial", len(found))
        done.rows += len(found)
        done.days += whole
        done.partial += [] if whole else [day]
        say(f"{day}: {len(found):,} rows{'' if whole else ', not the whole day'}; {n + 1} of {len(missing)} days")
    return done


def _free(store: Store, folder: Path) -> Path:
    """A day's folder; where the store has taken in what lies there, an earlier part of the day, the next: what it read stays."""
    number, place = 1, folder
    while store.records.rows("segments", tape=str(place.absolute())):
        number += 1
        place = folder.with_name(f"{folder.name}.{number}")
    return place


async def _day(source: Source, order: Order, start: int) -> Rows:
    stop = start + codes.DAY
    found = await (_bars(source, order, start, stop) if order.timeframe else _trades(source, order.topic, start, stop))
    if not order.timeframe:
        return distinct(found)
    _, first = np.unique(found["ts_venue"], return_index=True)
    return found[np.sort(first)]


async def _bars(source: Source, order: Order, start: int, stop: int) -> Rows:
    """Finished bars that end in (start, stop]."""
    parts, since = [rows(0)], start
    for _ in range(MAX_PAGES):
        ask = source.adapter.ask_candles(order.topic, order.timeframe, since, stop) if since < stop else None
        if ask is None:
            break
        came = source.adapter.read_candles(order.topic, order.timeframe, await _asked(source, ask)).rows
        fresh = came[(came["ts_venue"] > since) & (came["ts_venue"] <= stop)]
        if not len(fresh):
            break
        parts.append(fresh)
        since = int(fresh["ts_venue"].max())
    return np.concatenate(parts)


async def _trades(source: Source, topic: Topic, start: int, stop: int) -> Rows:
    """Trades of [start, stop). A venue that pages by id alone is asked for the id of the time first."""
    page = await _page(source, topic, -1, start)
    counts = getattr(source.adapter, "counts_trades", True)
    if counts and len(page.rows) and int(page.rows["ts_venue"][0]) > start:
        page = await _page(source, topic, await _id_before(source, topic, start, int(page.rows["ref"][0])), start)
    parts = [rows(0)]
    for _ in range(MAX_PAGES):
        inside = (page.rows["ts_venue"] >= start) & (page.rows["ts_venue"] < stop)
        parts.append(page.rows[inside])
        if page.next is None or (len(page.rows) and int(page.rows["ts_venue"].max()) >= stop):
            break
        page = source.adapter.read_trades(topic, await _asked(source, page.next))
    return np.concatenate(parts)


async def _id_before(source: Source, topic: Topic, start: int, high: int) -> int:
    """The last id whose trade is before a time, by halving."""
    low = 0
    while low < high:
        middle = (low + high) // 2
        page = await _page(source, topic, middle, start)
        if len(page.rows) and int(page.rows["ts_venue"][0]) < start:
            low = int(page.rows["ref"][0])
        else:
            high = middle
        if high - low <= 1:
            break
    return low


async def _page(source: Source, topic: Topic, since_id: int, since_ns: int) -> Page:
    ask = source.adapter.ask_trades(topic, since_id, since_ns)
    if ask is None:
        raise BadData("gives no history of trades", where=source.adapter.venue, todo="ask for bars with --timeframe")
    return source.adapter.read_trades(topic, await _asked(source, ask))


async def _asked(source: Source, ask: Ask) -> Answer:
    """The answer to a request, within the budget, asked again where it failed for a while."""
    backoff = Backoff(source.outside.rng)
    for left in range(TRIES - 1, -1, -1):
        await source.budget.acquire(ask.weight, "history")
        try:
            answer = await source.outside.transport.ask(source.rest, ask)
        except (Unreachable, OutcomeUnknown):
            if not left:
                raise
        else:
            source.budget.heard(answer.status, source.adapter.quota(answer))
            if answer.status not in AGAIN or not left:
                return answer
        await asyncio.sleep(backoff.wait_s())
    raise Unreachable("no answer", where=source.adapter.venue)


def _write(source: Source, order: Order, found: Rows, folder: Path) -> None:
    """The rows as a tape of one stream, each heard when it happened: so that a backtest meets them in their order."""
    instrument = source.adapter.instruments[order.topic.instrument]
    stream = next(x for x in source.adapter.streams if x.instrument == order.topic.instrument and x.channel == order.topic.channel)
    made = found[np.argsort(found["ts_venue"], kind="stable")].copy()
    made["ts_local"], made["source"], made["instrument"] = made["ts_venue"], 0, 0
    made["marks"] |= codes.SYNTHETIC
    made["stream_seq"] = np.arange(1, len(made) + 1)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TapeWriter(folder, [instrument], [msgspec.structs.replace(stream, instrument=0)], "tradewind download") as writer:
        writer.append(made)
        writer.close({"downloaded": source.rest})


def _whole(order: Order, found: Rows, day: str) -> bool:
    """Whether a day is all there: its last bar, or trades from its first hour to its last (a market that never rests)."""
    if not len(found):
        return False
    start = day_number(day) * codes.DAY
    first, last = int(found["ts_venue"].min()), int(found["ts_venue"].max())
    step = codes.TIMEFRAME_NS[codes.TIMEFRAME_NAMES.index(order.timeframe)] if order.timeframe else codes.HOUR
    return first <= start + 2 * step and last >= start + codes.DAY - step


def _name(source: Source, order: Order) -> Path:
    instrument = source.adapter.instruments[order.topic.instrument]
    what = f"bar-{order.timeframe}" if order.timeframe else TRADE
    return Path(instrument.venue) / short_name(instrument).replace("/", "-").replace(":", "-") / what


def _run(source: Source, order: Order, day: str) -> str:
    return f"download {_name(source, order).as_posix()} {day}"


def _note(store: Store, run: str, state: str, n: int) -> None:
    now = store.clock()
    row = {"id": run, "command": "data download", "started_ns": now, "ended_ns": now, "state": state, "details": f"{n} rows"}
    with store.records.change() as connection:
        store.records.put(connection, "runs", [row])


def topic_of(adapter: MarketAdapter, timeframe: str) -> Topic:
    """The topic of the adapter's first instrument: bars of a timeframe, or trades."""
    return Topic(BAR if timeframe else TRADE, 0)
