"""What the emulated venues know to be true, asked by the tests: books, trades, counters, numbering."""

from __future__ import annotations

import numpy as np

from tradewind.domain import codes, reasons
from tradewind.domain.rows import Rows
from tradewind.fabric.feeds import Feed
from tradewind.fabric.lanes import Lane
from tradewind.venues.emulators.book import ASK, BID, Book, Market
from tradewind.venues.keepers import BookKeeper

from .inproc import Play, Theatre

Levels = dict[tuple[int, int], int]


def market_of(theatre: Theatre, feed: Feed, lane: Lane) -> Market:
    x = feed.adapter.instruments[lane.topic.instrument]
    return theatre.venues[feed.adapter.venue].markets[f"{x.base}/{x.quote}"]


def levels(book: Book, scales: tuple[int, int], deepest: int | None) -> Levels:
    return {
        (codes.BUY if side == BID else codes.SELL, price * scales[0]): size * scales[1]
        for side in (BID, ASK)
        for price, size in book.top(side, deepest)
    }


def expected(theatre: Theatre, feed: Feed, lane: Lane) -> Levels:
    """The venue's own book as of what the lane has heard, in the instrument's units."""
    market, x = market_of(theatre, feed, lane), feed.adapter.instruments[lane.topic.instrument]
    listing = market.listing
    scales = 10 ** (x.price_exponent - listing.price_decimals), 10 ** (x.quantity_exponent - listing.size_decimals)
    assert isinstance(lane.keeper, BookKeeper)
    chained = feed.adapter.venue == "binance"
    book = market.book_at(lane.keeper.book.last_id) if chained else market.book
    return levels(book, scales, None if feed.adapter.venue != "kraken" else feed.adapter.depth)  # type: ignore[attr-defined]


def told(lane: Lane) -> Levels:
    assert isinstance(lane.keeper, BookKeeper)
    return {(side, price): size for side in (codes.BUY, codes.SELL) for price, size in lane.keeper.book.side(side)}


def wrong_books(play: Play) -> list[str]:
    """Lanes that say SYNCED and are not what the venue has, as deep as the venue's proof reaches."""
    return [
        f"{feed.adapter.venue} {lane.topic}"
        for feed in play.fabric.feeds
        for lane in feed.lanes
        if lane.topic.channel == "depth" and lane.state.condition == codes.SYNCED and not same(play.theatre, feed, lane)
    ]


PROVEN = 10  # Kraken's checksum covers ten levels a side; what is lost below them nobody can see until it rises


def same(theatre: Theatre, feed: Feed, lane: Lane) -> bool:
    ours, theirs = told(lane), expected(theatre, feed, lane)
    return top(ours, PROVEN) == top(theirs, PROVEN) if feed.adapter.venue == "kraken" else ours == theirs


def top(levels: Levels, n: int) -> list[list[tuple[int, int]]]:
    bids = sorted(((price, size) for (side, price), size in levels.items() if side == codes.BUY), reverse=True)
    asks = sorted((price, size) for (side, price), size in levels.items() if side == codes.SELL)
    return [bids[:n], asks[:n]]


def unsynced(play: Play, *channels: str) -> list[str]:
    return [
        f"{feed.adapter.venue} {lane.topic.channel} {lane.topic.instrument} {lane.state.condition}"
        for feed in play.fabric.feeds
        for lane in feed.lanes
        if lane.topic.channel in channels and lane.state.condition != codes.SYNCED
    ]


def counters_add_up(play: Play) -> bool:
    """I20, for every stream and every frame."""
    for feed in play.fabric.feeds:
        for lane in feed.lanes:
            c = lane.tally()
            if c.received != c.processed + c.conflated + c.rejected + c.duplicates + lane.held:
                raise AssertionError(f"{feed.adapter.venue} {lane.topic}: {c}, held {lane.held}")
        f = feed.frame_counts
        if f.frames != f.with_rows + f.words + f.refused + f.repeated:
            raise AssertionError(f"{feed.adapter.venue}: {f}")
    return True


def dense(rows: Rows) -> bool:
    """Whether every stream is numbered without a hole and no time falls."""
    if (np.diff(rows["ts_local"]) < 0).any():
        return False
    counted = rows[rows["kind"] <= codes.STREAM]
    return all((np.diff(counted["stream_seq"][counted["source"] == source]) == 1).all() for source in np.unique(counted["source"]))


def trades(rows: Rows, instrument: int | None = None) -> Rows:
    found = rows[rows["kind"] == codes.TRADE]
    return found if instrument is None else found[found["instrument"] == instrument]


def trades_are_whole(play: Play, since: str = "") -> bool:
    """Every trade of the venue between the first and the last heard, once, in order of its id."""
    instruments = play.fabric.instruments
    for number, x in enumerate(instruments):
        ids = trades(play.rows, number)["ref"]
        if not len(ids):
            raise AssertionError(f"no trades of {x.name}")
        if not (np.diff(ids) == 1).all():
            raise AssertionError(f"{x.name}: {np.unique(np.diff(ids), return_counts=True)}")
    return True


def causes(play: Play, name: str, channel: str = "depth") -> list[int]:
    feed = play.feed(name)
    return [made.cause for made in feed.desk.transitions if feed.adapter.streams[made.source].channel == channel]


def conditions(play: Play, name: str, channel: str = "depth") -> set[int]:
    feed = play.feed(name)
    return {made.after for made in feed.desk.transitions if feed.adapter.streams[made.source].channel == channel}


def all_is_well(play: Play) -> None:
    """What holds at the end of every scenario that is over."""
    assert not unsynced(play, "depth", "quote", "trade")
    assert not wrong_books(play)
    assert counters_add_up(play)
    assert dense(play.rows)
    assert trades_are_whole(play)


def gap_told(play: Play, name: str) -> bool:
    return reasons.IDS_SKIPPED in causes(play, name)
