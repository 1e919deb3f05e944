"""WebSocket against REST: a book beside the venue's own snapshot, again and again. What no proof covers is found here.

Kraken's checksum covers ten levels a side of a hundred; a change lost below them shows nowhere else. The two books are never of
the same moment, so only levels are compared that nothing touched from MARGIN_S before the question until MARGIN_S after the
answer: each must stand in the snapshot as it stands here, and no other may. What differs once is looked at again; what differs
twice in the same levels is lost, and joined anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes
from tradewind.domain import reasons as why
from tradewind.domain.errors import TradewindError
from tradewind.domain.rows import Rows
from tradewind.venues.adapter import DEPTH
from tradewind.venues.keepers import BookKeeper

from . import history
from .lanes import Lane

if TYPE_CHECKING:
    from .feeds import Feed

MARGIN_S = 2.0  # what a change may take to reach us, or a snapshot may be old
Words = NDArray[np.int64]
Differing = set[tuple[int, int]]
"""(side, price)."""


async def compare(feed: Feed) -> None:
    """One book every `patience.compare` seconds, in turn, for ever. Asks within the request budget."""
    turn = 0
    while True:
        await asyncio.sleep(feed.patience.compare)
        books = [lane for lane in feed.lanes if lane.topic.channel == DEPTH and lane.state.condition == codes.SYNCED]
        if not books or not feed.budget.open:
            continue
        turn += 1
        lane = books[turn % len(books)]
        try:
            await _judge(feed, lane)
        except TradewindError as error:
            feed.note(error)
        finally:
            lane.overheard = None


async def _judge(feed: Feed, lane: Lane) -> None:
    found = await _differing(feed, lane)
    if found and found & await _differing(feed, lane):
        lane.distrust(why.SNAPSHOT_DIFFERS)
        feed.desk.flush()


async def _differing(feed: Feed, lane: Lane) -> Differing:
    """The levels that differ now; none where nothing can be said."""
    ask = history.depth_ask(feed, lane.topic)
    if ask is None or lane.state.condition != codes.SYNCED:
        return set()
    lane.overheard = []
    await asyncio.sleep(MARGIN_S)
    snapshot = feed.adapter.read_snapshot(lane.topic, await history.asked(feed, ask))
    await asyncio.sleep(MARGIN_S)
    overheard = _overheard(lane)
    if overheard is None or not len(snapshot) or not isinstance(lane.keeper, BookKeeper):
        return set()
    touched = np.concatenate(overheard) if overheard else snapshot[:0]
    if (touched["marks"] & codes.SNAPSHOT).any() or _late(feed, touched):
        return set()
    feed.compared += 1
    return differing(lane.keeper, snapshot, touched)


def _overheard(lane: Lane) -> list[Rows] | None:
    """What was told meanwhile; None where the book began anew."""
    overheard, lane.overheard = lane.overheard, None
    return overheard


def _late(feed: Feed, touched: Rows) -> bool:
    """Whether changes take so long to reach us that the margin says nothing."""
    skew = feed.desk.skew
    if skew.best is None or not len(touched):
        return False
    took = touched["ts_local"] + skew.offset_ns - touched["ts_venue"]
    return bool(took.max() > MARGIN_S / 2 * 1e9)


def differing(keeper: BookKeeper, snapshot: Rows, touched: Rows) -> Differing:
    """The levels nobody touched in which a book and a snapshot differ, as deep as both are complete."""
    found: Differing = set()
    real = snapshot[(snapshot["marks"] & codes.EMPTY) == 0]
    for side in (codes.BUY, codes.SELL):
        sign = 1 if side == codes.BUY else -1
        theirs = real[real["side"] == side]
        if not len(theirs):
            continue
        keys, quantities = keeper.book.keys(side)
        lowest = max(int((theirs["price"] * sign).min()), keeper.reach(side))
        still = touched["price"][touched["side"] == side] * sign
        ours = _kept(keys, quantities, lowest, still)
        other = _kept(theirs["price"] * sign, theirs["quantity"], lowest, still)
        found |= {(side, sign * key) for key in _unlike(ours, other, _grain(theirs["quantity"], quantities))}
    return found


def _kept(keys: Any, quantities: Any, lowest: int, still: Any) -> tuple[Words, Words]:
    """Levels from `lowest` on that are not among `still`, by their keys."""
    chosen = (keys >= lowest) & ~np.isin(keys, still)
    order = np.argsort(keys[chosen], kind="stable")
    return keys[chosen][order], quantities[chosen][order]


def _unlike(ours: tuple[Words, Words], theirs: tuple[Words, Words], grain: int) -> list[int]:
    """Keys whose quantities differ by `grain` or more; a level that is not there has none."""
    keys = np.union1d(ours[0], theirs[0])
    sides = []
    for known, quantities in (ours, theirs):
        found = np.zeros(len(keys), np.int64)
        found[np.searchsorted(keys, known)] = quantities
        sides.append(found)
    unlike: list[int] = keys[np.abs(sides[0] - sides[1]) >= grain].tolist()
    return unlike


def _grain(theirs: Any, ours: Any) -> int:
    """The least difference that counts: a snapshot may show fewer decimals (Kraken's) than the stream."""
    shown, known = (_step(np.gcd.reduce(quantities)) if len(quantities) else 1 for quantities in (theirs, ours))
    return shown if shown > known else 1


def _step(divisor: int) -> int:
    """The largest power of ten in a number."""
    step = 1
    while divisor and divisor % (step * 10) == 0:
        step *= 10
    return step
