"""Faults of bar sources. A bar stands until the next one comes, so a fault ends with the first sound bar after it."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from tradewind.domain import codes
from tradewind.domain.rows import Rows, pack_range

from .planting_edit import Edit, Place, Planted, Planter, other_symbol, scaled, size
from .planting_peers import HARD_SHARE, HIGH, LOW

HALF = (1 << 31) - 1
RARE_A_DAY = 0.2  # natural silences as long: a fifth of the false alarms a source may raise
MOST_DRIFT = 0.05  # beyond, each bar is a jump and no drift
MOST_SILENT = 9  # bars


def span_of(rows: Rows) -> int:
    """The length of the tape's shortest bars, ns."""
    return codes.TIMEFRAME_NS[int(rows["strategy"][rows["kind"] == codes.BAR].min())]


def _own_span(edit: Edit, i: int) -> int:
    return codes.TIMEFRAME_NS[int(edit.rows["strategy"][edit.own[i][0]])]


def _bars(edit: Edit, place: Place, n: int) -> tuple[NDArray[np.int64], int] | None:
    """Indices of n neighbouring bars with volume and without a gap, and when the bar after them comes."""
    mine = edit.own[place.instrument]
    low = int(np.searchsorted(edit.rows["ts_local"][mine], place.start_ns))
    if low < 20 or low + n >= len(mine):
        return None
    picked = mine[low : low + n]
    ts = edit.rows["ts_local"][mine[low - 1 : low + n + 1]]
    if (np.diff(ts) != _own_span(edit, place.instrument)).any() or (edit.rows["quantity"][picked] <= 0).any():
        return None
    return picked, int(ts[-1])


def _told(
    edit: Edit, picked: NDArray[np.int64], end_ns: int, magnitude: float = 0.0, hard: bool = True, by_nature: bool = False
) -> Planted:
    start = int(edit.rows["ts_local"][picked[0]])
    return Planted(start_ns=start, end_ns=end_ns, channel="bar", magnitude=abs(magnitude), hard=hard, by_nature=hard and by_nature)


def prices(row: np.void) -> tuple[int, int, int, int]:
    """(open, high, low, close) of a bar row."""
    value, close, opened = int(row["value"]), int(row["price"]), int(row["ref"])
    low = (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
    return opened, max(opened, close) + (value >> 32), min(opened, close) - low, close


def put(rows: Rows, at: int, ohlc: tuple[float, float, float, float]) -> None:
    """Writes four prices into a bar row; an extreme too far for its 32 bits is cut."""
    o, h, low, c = (round(x) for x in ohlc)
    rows["ref"][at], rows["price"][at] = o, c
    rows["value"][at] = pack_range(max(min(h - max(o, c), HALF), -HALF), max(min(min(o, c) - low, HALF), -HALF))


def _times(edit: Edit, picked: NDArray[np.int64], factors: NDArray[np.float64]) -> None:
    for at, factor in zip(picked.tolist(), factors.tolist(), strict=True):
        o, h, low, c = prices(edit.rows[at])
        put(edit.rows, at, (max(o * factor, 1), max(h * factor, 1), max(low * factor, 1), max(c * factor, 1)))


def rare_silence(edit: Edit, i: int) -> int:
    """How many bars in a row this source leaves out less than RARE_A_DAY times a day by nature: fewer tell nothing of a fault."""
    ts = edit.rows["ts_local"][edit.own[i]]
    missing = np.diff(ts) // _own_span(edit, i) - 1
    often = RARE_A_DAY * float(ts[-1] - ts[0]) / codes.DAY
    n = 1
    while int((missing >= n).sum()) > often:
        n += 1
    return n


def others_trade(edit: Edit, picked: NDArray[np.int64], end_ns: int) -> bool:
    """Whether two other sources traded while this one stood still."""
    ts = edit.rows["ts_local"]
    between = edit.rows[np.searchsorted(ts, ts[picked[0]]) : np.searchsorted(ts, end_ns)]
    traded = set(between["instrument"][between["quantity"] > 0].tolist()) - {int(edit.rows["instrument"][picked[0]])}
    return len(traded) >= 2


def frozen_feed(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """Silence of one to nine bars: hard while two others trade, however often nature does the same there."""
    found = _bars(edit, place, rng.randint(1, MOST_SILENT))
    if found is None:
        return None
    hard = others_trade(edit, *found)
    edit.dropped[found[0]] = True
    return _told(edit, *found, len(found[0]), hard, len(found[0]) < rare_silence(edit, place.instrument))


def stuck_price(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """The same bar again and again, with fresh stamps and volume, while two others trade.

    By nature a price stands still too, until two bars of it lie off the others by what is hard.
    """
    i = place.instrument
    found = _bars(edit, place, 16)
    if found is None:
        return None
    ts = edit.rows["ts_local"][found[0]].tolist()
    close = float(edit.rows["price"][found[0][0]])
    unit = 10.0 ** edit.instruments[i].price_exponent
    off = np.array([abs(edit.peers.deviation(i, t, close / unit)) if len(edit.peers.others(i, t)) > 1 else 0.0 for t in ts])
    if off.max() < 0.4 * HARD_SHARE and rng.random() < 0.98:
        return None
    hard = others_trade(edit, *found)
    for at in found[0].tolist():
        put(edit.rows, at, (close, close, close, close))
    second = float(np.sort(off)[-2])
    return _told(edit, *found, second, hard, second < edit.peers.limit(i, ts[0]))


def _wrong_unit(decimal: bool) -> Planter:
    def planter(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
        found = _bars(edit, place, rng.randint(1, 5))
        if found is None:
            return None
        factor = scaled(rng, decimal)
        if factor < 1 and edit.rows["price"][found[0]].min() * factor < 1000:
            factor = 1 / factor
        _times(edit, found[0], np.full(len(found[0]), factor))
        return _told(edit, found[0], found[1], factor)

    return planter


def bad_tick(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """One bar's close off what the others close at."""
    found, i = _bars(edit, place, 1), place.instrument
    if found is None:
        return None
    at = int(found[0][0])
    ts, unit = int(edit.rows["ts_local"][at]), 10.0 ** edit.instruments[i].price_exponent
    said = edit.peers.others(i, ts)
    if not len(said):
        return None
    share, hard = size(rng, edit.peers.limit(i, ts))
    o, h, low, _ = prices(edit.rows[at])
    c = round(float(np.median(said)) * unit * (1 + max(share, -0.8)))
    put(edit.rows, at, (o, max(h, c), min(low, c), c))
    return _told(edit, found[0], found[1], share, hard)


def wick(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """One bar's high or low that nobody traded at, beyond the others' highs or lows."""
    found, i = _bars(edit, place, 1), place.instrument
    if found is None:
        return None
    at = int(found[0][0])
    ts, unit = int(edit.rows["ts_local"][at]), 10.0 ** edit.instruments[i].price_exponent
    up = rng.random() < 0.5
    said = edit.peers.others(i, ts, HIGH if up else LOW)
    if not len(said):
        return None
    share, hard = size(rng, edit.peers.limit(i, ts, HIGH if up else LOW))
    o, h, low, c = prices(edit.rows[at])
    edge = float(np.median(said)) * unit * (1 + abs(share) if up else 1 - min(abs(share), 0.9))
    if (edge <= h) if up else (edge >= low):
        return None
    put(edit.rows, at, (o, max(h, edge), min(low, edge), c))
    return _told(edit, found[0], found[1], share, hard)


def drift(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """A lie that grows bar by bar and stands for a while; hard where it stands off the others by as much."""
    n, i = rng.randint(6, 14), place.instrument
    found = _bars(edit, place, n)
    if found is None:
        return None
    ts, unit = edit.rows["ts_local"][found[0]].tolist(), 10.0 ** edit.instruments[i].price_exponent
    limit = edit.peers.limit(i, ts[0])
    share, _ = size(rng, limit)
    share = max(min(share, most := max(MOST_DRIFT, 1.5 * limit)), -most)
    factors = 1.0 + share * np.minimum(np.arange(1, n + 1) / (n - 3), 1.0)
    closes = edit.rows["price"][found[0]] * factors / unit
    off = [abs(edit.peers.deviation(i, t, c)) for t, c in zip(ts, closes, strict=True) if len(edit.peers.others(i, t)) > 1]
    if len(off) < 2:
        return None
    _times(edit, found[0], factors)
    standing = float(np.sort(off)[-2])
    return _told(edit, found[0], found[1], standing, standing >= limit)


def wrong_symbol(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """Bars of another instrument of the venue under this one's name."""
    found = _bars(edit, place, rng.randint(1, 4))
    if found is None:
        return None
    j = other_symbol(edit, place.instrument)
    theirs = edit.own[j]
    power = 10.0 ** (edit.instruments[place.instrument].price_exponent - edit.instruments[j].price_exponent)
    for at in found[0].tolist():
        k = int(np.searchsorted(edit.rows["ts_local"][theirs], edit.rows["ts_local"][at], side="right")) - 1
        if k < 0:
            return None
        o, h, low, c = prices(edit.rows[theirs[k]])
        put(edit.rows, at, (o * power, h * power, low * power, c * power))
    return _told(edit, found[0], found[1])


def wrong_candle(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """Four prices that contradict each other, a price of nothing, or a volume below zero."""
    found = _bars(edit, place, 1)
    if found is None:
        return None
    at, how = int(found[0][0]), rng.randint(0, 3)
    o, h, low, c = prices(edit.rows[at])
    if how == 0:
        put(edit.rows, at, (o, min(o, c) - 1, low, c))
    elif how == 1:
        put(edit.rows, at, (o, h, max(o, c) + 1, c))
    elif how == 2:
        put(edit.rows, at, (0, h, 0, c))
    else:
        edit.rows["quantity"][at] *= -1
    return _told(edit, found[0], found[1])


def duplicated(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """A bar told again, as it is or with other figures."""
    found = _bars(edit, place, 1)
    if found is None:
        return None
    again = edit.rows[found[0]].copy()
    again["ts_local"] += rng.randint(1, codes.SECOND)
    edit.add(again)
    return _told(edit, found[0], found[1])


def out_of_order(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """A bar that comes after the one it should precede."""
    found = _bars(edit, place, 2)
    if found is None:
        return None
    late = edit.rows[found[0][:1]].copy()
    late["ts_local"] = edit.rows["ts_local"][found[0][1]] + rng.randint(1, codes.SECOND)
    edit.dropped[found[0][0]] = True
    edit.add(late)
    return _told(edit, found[0], found[1])


def clock_jump(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """Stamps off the grid of bars, or from a time to come."""
    found = _bars(edit, place, rng.randint(1, 4))
    if found is None:
        return None
    span = _own_span(edit, place.instrument)
    edit.rows["ts_venue"][found[0]] += rng.choice((span // 7, -span // 9, 3 * span, 24 * codes.HOUR))
    return _told(edit, found[0], found[1])


def replayed(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """Old bars sent again with their old stamps."""
    found = _bars(edit, place, 1)
    if found is None:
        return None
    mine = edit.own[place.instrument]
    here = int(np.searchsorted(mine, found[0][0]))
    back = rng.randint(12, 60)
    if here < back + 20:
        return None
    old = edit.rows[mine[here - back : here - back + 3]].copy()
    old["ts_local"] = edit.rows["ts_local"][found[0][0]] + rng.randint(1, codes.SECOND)
    edit.add(old)
    return _told(edit, found[0], found[1])


def partial_gap(edit: Edit, place: Place, rng: random.Random) -> Planted | None:
    """Bars lost on the way from rim to machine."""
    found = _bars(edit, place, rng.randint(1, 3))
    if found is None:
        return None
    edit.lost[found[0]] = True
    return _told(edit, found[0], found[1])


PLANTERS: dict[str, Planter] = {
    "frozen_feed": frozen_feed, "stuck_price": stuck_price, "decimal_shift": _wrong_unit(True), "unit_change": _wrong_unit(False),
    "bad_tick": bad_tick, "wick": wick, "drift": drift, "wrong_symbol": wrong_symbol, "wrong_candle": wrong_candle,
    "duplicated": duplicated, "out_of_order": out_of_order, "clock_jump": clock_jump, "replayed": replayed,
    "partial_gap": partial_gap,
}  # fmt: skip
