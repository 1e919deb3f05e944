"""Confidence: how often signals of this strength were right so far, and nothing from the future.

Every closed bar of the first timeframe the signal becomes a forecast; when its horizon is over the sign of the move is
compared, and the bin of |score| learns. Confidence is the bin's hit rate shrunk toward one half:
(hits + PRIOR / 2) / (seen + PRIOR). The table itself is the reliability diagram of the report.
"""

from typing import Any

from ..kernel.jit import compiled

BINS = 20
PRIOR = 40.0
SLOTS = 16


@compiled
def bin_of(score: float) -> int:
    return min(int(abs(score) * BINS), BINS - 1)


@compiled
def assess(s: Any, i: int) -> None:
    """The confidence of instrument i's present signal."""
    g = s.signal[i]
    g.bin = bin_of(g.score)
    c = s.calibration[g.bin]
    g.confidence = c.rate if c.n_seen > 0 else 0.5


@compiled
def remember(s: Any, i: int) -> None:
    """Remembers the present signal until its horizon is over; a full ring forgets the newest."""
    at = s.forecast_at[i]
    g = s.signal[i]
    if at[1] - at[0] >= SLOTS or g.direction == 0 or s.top[i].good == 0:
        return
    p = s.forecast[i, at[1] & (SLOTS - 1)]
    p.due = s.clock.now + g.horizon_ns
    p.price2 = s.top[i].bid + s.top[i].ask
    p.score = g.score
    p.bin = g.bin
    at[1] += 1


@compiled
def learn(s: Any, i: int) -> None:
    """Judges every forecast whose horizon is over."""
    at = s.forecast_at[i]
    now2 = s.top[i].bid + s.top[i].ask
    while at[0] < at[1]:
        p = s.forecast[i, at[0] & (SLOTS - 1)]
        if p.due > s.clock.now:
            return
        if s.top[i].good != 0 and now2 != p.price2:
            c = s.calibration[p.bin]
            c.n_seen += 1
            c.sum_score += abs(p.score)
            c.hits += int((now2 > p.price2) == (p.score > 0.0))  # no branch: nobody can guess it
            c.rate = (float(c.hits) + 0.5 * PRIOR) / (float(c.n_seen) + PRIOR)
        at[0] += 1
