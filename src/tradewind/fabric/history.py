"""History by REST: what was missed is asked for, joined by id, and told late rather than never. Snapshots likewise."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from tradewind.domain import codes
from tradewind.domain.errors import BadData, OutcomeUnknown, TradewindError, Unreachable
from tradewind.domain.rows import Rows, rows
from tradewind.venues.adapter import Answer, Ask, Topic
from tradewind.venues.keepers import TRADE_KEY, TradeKeeper

from .lanes import BarLane, Lane

if TYPE_CHECKING:
    from .feeds import Feed

MAX_PAGES = 64
PATIENCE = 6  # times a history that does not reach the live end yet is asked again
AGAIN_S = 1.0
SLACK_NS = codes.SECOND  # venues page by whole seconds
GAP = "market"  # a gap of a live stream is as urgent as a snapshot; downloads of the past are not
NETWORK = (Unreachable, OutcomeUnknown, BadData)


async def asked(feed: Feed, ask: Ask, purpose: str = "") -> Answer:
    """The answer to a request, within the budget of its purpose. Raises what the transport raises."""
    await feed.budget.acquire(ask.weight, purpose or ask.purpose)
    answer = await feed.outside.transport.ask(feed.place.rest, ask)
    feed.budget.heard(answer.status, feed.adapter.quota(answer))
    if not feed.budget.open:
        feed.access.look()
        feed.desk.flush()
    return answer


def depth_ask(feed: Feed, topic: Topic) -> Ask | None:
    """For a book by REST, whether or not it can be joined to the stream; None where the venue has none."""
    ask: Ask | None = feed.adapter.ask_snapshot(topic)
    if ask is None and hasattr(feed.adapter, "ask_depth"):
        ask = feed.adapter.ask_depth(topic)
    return ask


async def join_snapshot(feed: Feed, lane: Lane) -> None:
    """Asks for snapshots until one joins, at a growing distance; gives up only with the connection."""
    backoff = feed.backoff()
    ask = feed.adapter.ask_snapshot(lane.topic)
    while ask is not None and feed.connected(lane):
        try:
            snapshot = feed.adapter.read_snapshot(lane.topic, await asked(feed, ask))
            joined = lane.joined(snapshot)
        except NETWORK as error:
            feed.note(error)
            joined = False
        feed.desk.flush()
        if joined:
            return
        await asyncio.sleep(backoff.wait_s())


async def fill(feed: Feed, lane: Lane) -> None:
    """Closes a lane's gap, or the time since its last row; what cannot be closed stays a typed gap."""
    history, complete = rows(0), False
    try:
        history, complete = await (_bars(feed, lane) if isinstance(lane, BarLane) else _trades(feed, lane))
    except NETWORK as error:
        feed.note(error)
    lane.filled(history, complete=complete)
    feed.desk.flush()


async def _trades(feed: Feed, lane: Lane) -> tuple[Rows, bool]:
    """(trades after the last one told, oldest first; whether they reach to the live ones without a hole)."""
    found = rows(0)
    for _ in range(PATIENCE):
        missing, last = lane.missing(), int(getattr(lane.keeper, "last_id", -1))
        since = missing[0] - 1 if missing else last
        found = await _pages(feed, lane, since, missing[1] if missing else codes.NEVER)
        if missing is None:
            return found, not lane.anew  # how far a new count had come before its first trade here, nobody knows
        inside = found[(found["ref"] >= missing[0]) & (found["ref"] <= missing[1])]
        if len(inside) == missing[1] - missing[0] + 1:
            return found, True
        if len(found) and int(found["ref"].max()) > missing[1]:
            return found, False  # the venue's history goes on behind the gap and does not hold it
        await asyncio.sleep(AGAIN_S)
    return found, False


async def _pages(feed: Feed, lane: Lane, since: int, until: int) -> Rows:
    """Trades with ids above `since`, page by page, until one reaches `until`, or what the stream tells by itself.

    A slow venue's next page always has something new: without that end a busy market's history is never caught up with.
    """
    ask = feed.adapter.ask_trades(lane.topic, since, lane.last_ts - SLACK_NS)
    live_ns = feed.desk.time.now() + feed.desk.skew.offset_ns + SLACK_NS  # the stream was proven before
    parts: list[Rows] = []
    for _ in range(MAX_PAGES):
        if ask is None:
            break
        page = feed.adapter.read_trades(lane.topic, await asked(feed, ask, GAP))
        parts.append(page.rows)
        if len(page.rows) and (int(page.rows["ref"].max()) >= until or (until == codes.NEVER and _last_ts(page.rows) >= live_ns)):
            break
        ask = page.next
    found = np.concatenate(parts) if parts else rows(0)
    if until == codes.NEVER and lane.anew:
        return distinct(found[(found["ts_venue"] > lane.last_ts) & (found["ref"] <= lane.first_anew)])
    if until == codes.NEVER:
        if not (found["ref"] > since).any():
            found = await _newest(feed, lane, since, found)
        if len(found) and lane.renumbered(found):
            return _both_counts(lane, since, found)
    return distinct(found[found["ref"] > since])


def _both_counts(lane: Lane, since: int, found: Rows) -> Rows:
    """The new count's trades, in a history where a venue begins to count anew; what the old one still had is told before."""
    found = found[found["ts_venue"] > lane.last_ts]
    begins = found["ts_venue"][found["ref"] <= since].min()
    new = found["ts_venue"] >= begins
    last = distinct(found[~new & (found["ref"] > since)])
    if len(last) and isinstance(lane.keeper, TradeKeeper):
        lane.keeper.anew_ts = int(last["ts_venue"].max())
        lane.counts.received += len(last)
        lane.counts.processed += len(last)
        lane.desk.again(last)
    return distinct(found[new])


async def _newest(feed: Feed, lane: Lane, since: int, found: Rows) -> Rows:
    """What came where nothing is new; the newest trades of all instead where ids were asked for and the market seems silent.

    A venue that counts anew has none above an old id.
    """
    after = lane.last_ts - SLACK_NS
    ask = feed.adapter.ask_trades(lane.topic, -1, after)
    silent_s = (feed.desk.time.now() + feed.desk.skew.offset_ns - lane.last_ts) / 1e9
    by_id = since >= 0 and ask is not None and ask != feed.adapter.ask_trades(lane.topic, since, after)
    if ask is None or not by_id or not (lane.polled or silent_s > feed.patience.trade):
        return found
    return feed.adapter.read_trades(lane.topic, await asked(feed, ask, GAP)).rows


def _last_ts(found: Rows) -> int:
    return int(found["ts_venue"].max())


def distinct(found: Rows) -> Rows:
    """Each trade once, as pages overlap: by id, in its order; where ids are no numbers by all that it says, in order of time."""
    if found["ref"].all():
        return found[np.unique(found["ref"], return_index=True)[1]]
    _, first = np.unique(found[list(TRADE_KEY)], return_index=True)
    kept = found[np.sort(first)]
    return kept[np.argsort(kept["ts_venue"], kind="stable")]


async def _bars(feed: Feed, lane: BarLane) -> tuple[Rows, bool]:
    """Bars from the last one told to now."""
    if lane.timeframe < 0:
        return rows(0), True
    name, step = codes.TIMEFRAME_NAMES[lane.timeframe], codes.TIMEFRAME_NS[lane.timeframe]
    parts: list[Rows] = []
    since = lane.last_ts
    for _ in range(MAX_PAGES):
        until = (feed.desk.time.now() + feed.desk.skew.offset_ns) // step * step
        ask = feed.adapter.ask_candles(lane.topic, name, since, until) if until > since else None
        if ask is None:
            return _joined(parts), until <= since
        page = feed.adapter.read_candles(lane.topic, name, await asked(feed, ask, GAP))
        fresh = page.rows[page.rows["ts_venue"] > since]
        if not len(fresh):
            break
        parts.append(fresh)
        since = int(fresh["ts_venue"].max())
    return _joined(parts), True


def _joined(parts: list[Rows]) -> Rows:
    return np.concatenate(parts) if parts else rows(0)


async def measure_clock(feed: Feed) -> None:
    """One question for the venue's time. What goes wrong is noted; the next question is soon."""
    ask = feed.adapter.ask_time()
    if ask is None:
        return
    try:
        answer = await asked(feed, ask)
        changed = feed.desk.skew.sample(answer.sent_ns, answer.received_ns, feed.adapter.read_time(answer))
    except TradewindError as error:
        feed.note(error)
        return
    if changed and feed.lanes:
        feed.desk.tell_clock(feed.lanes[0].source)
    feed.access.look()
    feed.desk.flush()
