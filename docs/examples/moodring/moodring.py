"""Mood ring, a fear-and-greed index that does not exist: the smallest data type that passes `tradewind check data:moodring`."""

from __future__ import annotations

from tradewind.fabric.observations import Columns, Observation, from_answer
from tradewind.fabric.series import Samples
from tradewind.venues.adapter import Answer, Ask
from tradewind.venues.facts import Document

DOC = Document("docs/plugins.md, A data type", "2026-11-22")


ANSWER = b"""{"index": [
    {"day": "2026-11-20", "told": "2026-11-21T04:00:00Z", "mood": "31.5"},
    {"day": "2026-11-21", "told": "2026-11-22T04:00:00Z", "mood": "28"},
    {"day": "2026-11-20", "told": "2026-11-22T05:00:00Z", "mood": "32"}
]}"""
FACTS = {
    "url": DOC.says("address", "https://api.moodring.example"),
    "publication": DOC.says("publication", "its own column", "hours after the day"),
}


class MoodRing:
    """A number from 0 to 100 for each day, published some hours after its end and corrected now and then."""

    name = "moodring"
    unit = "index"
    url = "https://api.moodring.example"
    facts = FACTS

    def ask(self, since_ns: int) -> Ask:
        """For the days published since a time."""
        return Ask(path="/v1/index", query=(("since", str(since_ns // 1_000_000_000)),), purpose="history")

    def read(self, answer: Answer) -> list[Observation]:
        """What an answer holds. Raises BadData."""
        return from_answer(answer, Columns(value="mood", event="day", published="told"), ("index",))

    def samples(self) -> Samples:
        """What `tradewind check` reads: an answer as the source gives it, with a day that was published again."""
        return Samples(
            answers=[ANSWER],
            heard_ns=1_795_400_000_000_000_000,
        )
