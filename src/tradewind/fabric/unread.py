"""What was refused before it became a row: lines of a recording, bars of a file, frames of a feed. They are quarantined too.

The importer and the feed count them by reason and keep the first of each; the tape's notes carry that to here. No row can be made
of them, so they are not released: a person confirms them, or mends the recording and imports it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tradewind.domain import reasons
from tradewind.storage.tape import TapeManifest, TapeSegment

from .entries import HELD

CHANNEL = "unread"
NOWHERE = -1  # in place of a row's index in its segment


class Unread(NamedTuple):
    """How many were refused for one reason, at which venue ("": by an import of any), and the first of them."""

    venue: str
    reason: str
    lines: int
    example: str


def unread_of(notes: Mapping[str, Any]) -> list[Unread]:
    """Everything that a tape's or a recording's notes say was refused unread."""
    return [*_told(str(notes.get("venue", "")), notes), *(one for venue, told in _streams(notes) for one in _told(venue, told))]


def _streams(notes: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    told = notes.get("streams")
    return [(venue, one) for venue, one in sorted(told.items()) if isinstance(one, dict)] if isinstance(told, dict) else []


def _told(venue: str, told: Mapping[str, Any]) -> Iterator[Unread]:
    counts, examples = told.get("refused"), told.get("first_refusals")
    for reason, count in sorted(counts.items()) if isinstance(counts, dict) else ():
        if isinstance(count, int) and count > 0:
            yield Unread(venue, reason, count, str(examples.get(reason, "")) if isinstance(examples, dict) else "")


def entries_of(manifest: TapeManifest, segment: TapeSegment) -> list[dict[str, Any]]:
    """An entry for each reason; they lie at the tape's first segment, with its times."""
    venues = sorted({made.venue for made in manifest.instruments})
    return [
        {
            "id": hashlib.sha256(f"{segment.sha256} {CHANNEL} {one.venue} {one.reason}".encode()).hexdigest()[:12],
            "venue": one.venue or ",".join(venues), "instrument": "", "channel": CHANNEL, "reason": reasons.UNREAD,
            "digest": segment.sha256, "first_at": NOWHERE, "last_at": NOWHERE, "rows": one.lines,
            "first_ts": segment.first_ts, "last_ts": segment.last_ts, "state": HELD, "decided_by": "", "decided_ns": 0, "note": "",
            "example": f"{one.reason}: {one.example}" if one.example else one.reason,
        }
        for one in unread_of(manifest.notes)
    ]  # fmt: skip
