"""What is asked by REST without being missed: books where sockets are blocked (at a lower grade), and the rules of the day."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tradewind.domain import codes, layout
from tradewind.domain import reasons as why
from tradewind.domain.errors import TradewindError
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows, rows
from tradewind.venues.adapter import DEPTH, TRADE

from . import history
from .lanes import BarLane, Lane

if TYPE_CHECKING:
    from .feeds import Feed

RULES = (("tick", layout.TICK), ("lot", layout.LOT), ("min_quantity", layout.MIN_QUANTITY), ("min_notional", layout.MIN_NOTIONAL))


async def poll(feed: Feed) -> None:
    """While no socket is to be had: books and trades by REST, every few seconds."""
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
        lane.counts.received += 1
        lane.counts.processed += 1
        _polled(lane)
        feed.desk.again(snapshot)
        feed.desk.flush()
    elif lane.topic.channel == TRADE and lane.last_ts and not lane.filling and not isinstance(lane, BarLane):
        lane.filling = True
        await history.fill(feed, lane)
        _polled(lane)
        feed.desk.flush()


def _polled(lane: Lane) -> None:
    """The stream stands at a lower grade."""
    lane.polled = True
    lane.tell(why.POLLED)


async def refresh_rules(feed: Feed) -> None:
    """Every few minutes: did a tick, a lot or a minimum change, is a symbol gone?"""
    while True:
        await asyncio.sleep(feed.patience.rules)
        try:
            answer = await history.asked(feed, feed.adapter.ask_instruments())
            listed = {x.symbol: x for x in feed.adapter.read_instruments(answer, [])}
        except TradewindError as error:
            feed.note(error)
            continue
        for number, known in enumerate(feed.adapter.instruments):
            _compare(feed, number, known, listed.get(known.symbol))
        feed.desk.flush()


def _compare(feed: Feed, number: int, known: Instrument, now: Instrument | None) -> None:
    other_units = now is not None and (now.price_exponent, now.quantity_exponent) != (known.price_exponent, known.quantity_exponent)
    for lane in feed.lanes:
        if lane.topic.instrument == number:
            lane.halt(now is None or other_units)
    if now is None or other_units:
        feed.note_text(f"{known.symbol} is halted, gone, or counts in other units")
        return
    for name, column in RULES:
        before = feed.rules.get((number, name), getattr(known, name))
        if getattr(now, name) != before:
            feed.rules[number, name] = getattr(now, name)
            feed.desk.emit(rule_row(number, column, getattr(now, name), feed.desk.stamp()))


def rule_row(instrument: int, column: int, value: int, at: int) -> Rows:
    """A RULE row: the rule in `column` is `value` from now on."""
    told = rows(1)
    row = told[0]
    row["kind"], row["marks"], row["instrument"], row["strategy"] = codes.RULE, codes.WHOLE, instrument, -1
    row["ts_local"], row["ref"], row["value"] = at, column, value
    return told
