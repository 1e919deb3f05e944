"""A venue's clock against ours, from questions and answers (the filter of NTP: the quickest round trip knows best).

An answer that took rtt can be wrong by rtt / 2 at most, if both ways exist. The estimate is the quickest of the last few;
a sample that contradicts it by more than both errors and what a clock may drift says that a clock was set, and is believed
when a second one agrees.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from tradewind.domain import codes
from tradewind.domain.rows import Rows, rows

KEPT = 16  # samples
DRIFT_PPM = 200  # two cheap quartz clocks against each other
FUTURE_NS = 2 * codes.SECOND  # a venue's stamp further ahead of its own clock than this is suspect


class Sample(NamedTuple):
    """One measurement: venue clock minus ours, and how wrong that can be."""

    at: int
    offset_ns: int
    error_ns: int


class ClockSkew:
    """What is known of one venue's clock."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self.best: Sample | None = None
        self.jumps = self.refused = 0
        self._strange: Sample | None = None

    @property
    def offset_ns(self) -> int:
        """Venue clock minus ours; 0 while nothing is known."""
        return self.best.offset_ns if self.best else 0

    def error_ns(self, now: int) -> int:
        """How wrong the offset can be by now."""
        return codes.NEVER if self.best is None else self._error(self.best, now)

    def sample(self, sent_ns: int, received_ns: int, venue_ns: int) -> bool:
        """Takes in one answer; whether the estimate changed."""
        rtt = received_ns - sent_ns
        if rtt < 0 or venue_ns <= 0:
            self.refused += 1
            return False
        grain = codes.SECOND if venue_ns % codes.SECOND == 0 else codes.MILLISECOND  # venues tell whole seconds or whole ms
        came = Sample(received_ns, venue_ns + grain // 2 - (sent_ns + rtt // 2), (rtt + grain) // 2)
        if self.best is not None and self._contradicts(came, self.best):
            if self._strange is None or self._contradicts(came, self._strange):
                self._strange = came
                self.refused += 1
                return False
            self.samples.clear()
            self.jumps += 1
            self.samples.append(self._strange)
        self._strange = None
        self.samples.append(came)
        before = self.best
        self.best = min(self.samples, key=lambda sample: self._error(sample, received_ns))
        return before is None or before.offset_ns != self.best.offset_ns

    def is_future(self, ts_venue: int, ts_local: int) -> bool:
        """Whether a venue's stamp lies ahead of its own clock, as far as we know that clock."""
        return self.best is not None and ts_venue - ts_local - self.best.offset_ns > FUTURE_NS + self._error(self.best, ts_local)

    @staticmethod
    def _error(sample: Sample, now: int) -> int:
        return sample.error_ns + max(now - sample.at, 0) * DRIFT_PPM // 1_000_000

    def _contradicts(self, came: Sample, other: Sample) -> bool:
        return abs(came.offset_ns - other.offset_ns) > came.error_ns + self._error(other, came.at)


def clock_row(source: int, at: int, offset_ns: int) -> Rows:
    """A CLOCK row: value = our clock minus the venue's, as `source` shows it."""
    told = rows(1)
    row = told[0]
    row["kind"], row["marks"], row["source"], row["strategy"] = codes.CLOCK, codes.WHOLE, source, -1
    row["ts_local"], row["value"] = at, -offset_ns
    return told
