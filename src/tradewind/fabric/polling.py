"""What is asked by REST without being missed: what sockets would tell where there are none (at a lower grade), and the rules."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.domain import codes, layout
from tradewind.domain import reasons as why
from tradewind.domain.errors import BadData, TradewindError
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows, rows
from tradewind.venues.adapter import DEPTH, FUNDING, MARK, OPEN_INTEREST, QUOTE, TRADE, Answer, Topic

from . import history
from .lanes import BarLane, Lane

if TYPE_CHECKING:
    from .feeds import Feed

RULES = (("tick", layout.TICK), ("lot", layout.LOT), ("min_quantity", layout.MIN_QUANTITY), ("min_notional", layout.MIN_NOTIONAL))
CLOSED = (codes.STATUS_HALT, codes.STATUS_DELISTED)  # what still comes then is not the market
RETELL_S = 2.0
INTEREST_S, MARKS_S = 60.0, 10.0


async def poll(feed: Feed) -> None:
    """While no socket is to be had: books, trades and ended bars by REST, every few seconds."""
    while True:
        await asyncio.sleep(feed.patience.poll)
        alone = (feed.desk.time.now() - feed.unconnected_since) / 1e9
        if feed.links or alone < feed.patience.unconnected:
            continue
        for lane in feed.lanes:
            if feed.links:
                break
            try:
                await _poll_one(feed, lane)
            except TradewindError as error:
                feed.note(error)


async def _poll_one(feed: Feed, lane: Lane) -> None:
    if lane.topic.channel == DEPTH:
        ask = history.depth_ask(feed, lane.topic)
        if ask is None:
            return
        snapshot = feed.adapter.read_snapshot(lane.topic, await history.asked(feed, ask))
        if feed.links or not len(snapshot):
            return
        snapshot["marks"] |= codes.SYNTHETIC
        snapshot["marks"][0] |= codes.RESYNC
        _tell_polled(feed, lane, snapshot)
        quotes = next((x for x in feed.lanes if x.topic == Topic(QUOTE, lane.topic.instrument)), None)
        if quotes is not None and len(touch := touch_of(snapshot, quotes.source)):
            _tell_polled(feed, quotes, touch)
        feed.desk.flush()
    elif not lane.filling and (_ended(feed, lane) if isinstance(lane, BarLane) else _begun(feed, lane)):
        lane.filling = True
        await history.fill(feed, lane)
        _polled(lane)
        feed.desk.flush()


def _tell_polled(feed: Feed, lane: Lane, rows: Rows) -> None:
    """One message that came by request, on a stream that stands at a lower grade for it."""
    lane.counts.received += 1
    lane.counts.processed += 1
    _polled(lane)
    feed.desk.again(rows)


def touch_of(book: Rows, source: int) -> Rows:
    """The best bid and ask of a whole book as a quote of stream `source`; no row where a side is empty."""
    levels = book[book["quantity"] > 0]
    bids, asks = (levels[levels["side"] == side] for side in (codes.BUY, codes.SELL))
    if not (len(bids) and len(asks)):
        return rows(0)
    best = np.stack([bids[np.argmax(bids["price"])], asks[np.argmin(asks["price"])]])
    best["kind"], best["source"], best["marks"] = codes.QUOTE, source, codes.SYNTHETIC
    best["marks"][0] |= codes.FIRST
    best["marks"][1] |= codes.LAST
    best["value"] = best["ref"] = 0
    return best


def _begun(feed: Feed, lane: Lane) -> bool:
    """Whether it is a lane of trades, and known from when on they are wanted; where ids do not count, from the first look on."""
    if lane.topic.channel != TRADE:
        return False
    if not lane.last_ts and not getattr(feed.adapter, "counts_trades", True):
        lane.last_ts = feed.desk.time.now() + feed.desk.skew.offset_ns
    return bool(lane.last_ts)


def _ended(feed: Feed, lane: BarLane) -> bool:
    """Whether a bar behind the last one told has ended; the first one wanted is the one that grows at the first look."""
    if lane.timeframe < 0:
        return False
    now, step = feed.desk.time.now() + feed.desk.skew.offset_ns, codes.TIMEFRAME_NS[lane.timeframe]
    if not lane.last_ts:
        lane.last_ts = now // step * step
    return now - lane.last_ts >= step


async def derivatives(feed: Feed) -> None:
    """What is asked of contracts again and again: open interest, which no venue streams; marks and funding where they are not."""
    async with asyncio.TaskGroup() as group:
        for channels, what, every_s in (((OPEN_INTEREST,), "open_interest", INTEREST_S), ((MARK, FUNDING), "marks", MARKS_S)):
            lanes = [lane for lane in feed.lanes if lane.topic.channel in channels]
            if lanes and hasattr(feed.adapter, f"ask_{what}"):
                group.create_task(_again(feed, lanes, what, every_s))


async def _again(feed: Feed, lanes: list[Lane], what: str, every_s: float) -> None:
    """One request an instrument, again and again; its rows go to the lanes of their sources."""
    adapter: Any = feed.adapter
    of_instrument: dict[int, list[Lane]] = {}
    for lane in lanes:
        of_instrument.setdefault(lane.topic.instrument, []).append(lane)
    while True:
        for mine in of_instrument.values():
            try:
                ask = getattr(adapter, f"ask_{what}")(mine[0].topic)
                told = getattr(adapter, f"read_{what}")(mine[0].topic, await history.asked(feed, ask))
                told["ts_local"] = feed.desk.stamp()
                for lane in mine:
                    if len(part := told[told["source"] == lane.source]):
                        lane.take(part)
            except TradewindError as error:
                feed.note(error)
                for lane in mine:
                    lane.tell(why.WENT_SILENT)
        feed.desk.flush()
        await asyncio.sleep(every_s)


def _polled(lane: Lane) -> None:
    """The stream stands at a lower grade."""
    lane.polled = True
    lane.tell(why.POLLED)


async def refresh_rules(feed: Feed) -> None:
    """Every few minutes: did a tick, a lot, a minimum or the trading status change, is a symbol gone?"""
    while True:
        await asyncio.sleep(RETELL_S if feed.retell else feed.patience.rules)
        try:
            answer = await history.asked(feed, feed.adapter.ask_instruments())
            found = _listed(feed, answer)
        except TradewindError as error:
            feed.note(error)
            continue
        for number, (known, now) in enumerate(zip(feed.adapter.instruments, found, strict=True)):
            _compare(feed, number, known, now)
        feed.retell = False
        feed.desk.flush()


def _listed(feed: Feed, answer: Answer) -> list[Instrument | None]:
    """The feed's instruments as the venue lists them, whatever their status; None for one that is gone. Raises BadData."""
    symbols = [known.symbol for known in feed.adapter.instruments]
    try:
        return list(feed.adapter.read_instruments(answer, symbols))
    except BadData:
        feed.adapter.read_instruments(answer, [])  # an answer that cannot be read delists nobody
        return [_alone(feed, answer, symbol) for symbol in symbols]


def _alone(feed: Feed, answer: Answer, symbol: str) -> Instrument | None:
    try:
        return feed.adapter.read_instruments(answer, [symbol])[0]
    except BadData:
        return None


def _compare(feed: Feed, number: int, known: Instrument, now: Instrument | None) -> None:
    status = codes.STATUS_DELISTED if now is None else now.status
    other_units = now is not None and (now.price_exponent, now.quantity_exponent) != (known.price_exponent, known.quantity_exponent)
    for lane in feed.lanes:
        if lane.topic.instrument == number:
            lane.halt(other_units or status in CLOSED)
    _tell(feed, number, "status", layout.TRADING_STATUS, status)
    if now is None or other_units or status in CLOSED:
        feed.note_text(f"{known.symbol} is halted, gone, or counts in other units")
        return
    for name, column in RULES:
        _tell(feed, number, name, column, getattr(now, name))


def _tell(feed: Feed, number: int, name: str, column: int, value: int) -> None:
    """A RULE row where a rule is other than it was last told; after an earlier life in any case: nobody knows what it told."""
    if feed.retell or value != feed.rules.get((number, name), getattr(feed.adapter.instruments[number], name)):
        feed.rules[number, name] = value
        feed.desk.emit(rule_row(number, column, value, feed.desk.stamp()))


def rule_row(instrument: int, column: int, value: int, at: int) -> Rows:
    """A RULE row: the rule in `column` is `value` from now on."""
    told = rows(1)
    row = told[0]
    row["kind"], row["marks"], row["instrument"], row["strategy"] = codes.RULE, codes.WHOLE, instrument, -1
    row["ts_local"], row["ref"], row["value"] = at, column, value
    return told
