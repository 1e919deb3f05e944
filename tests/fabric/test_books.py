"""A slice of the campaign of books, its ledger, and proof that it can find a lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tradewind.domain import codes
from tradewind.venues.keepers import BookKeeper

from .campaign_books import VENUES, Session, line


@pytest.mark.parametrize("venue", VENUES)
def test_a_synced_book_is_the_venues_book_whatever_the_network_does(venue: str) -> None:
    made = line(venue, seed=500, updates=40_000)
    assert made["verdict"] == "true", made
    assert set(made["faults"]) == {"dropped", "repeated", "swapped", "corrupted", "cut"}
    assert made["compared"] > 100


@pytest.mark.parametrize("venue", VENUES)
def test_one_wrong_size_is_found(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(venue, 1)
    while session.lane.state.condition != codes.SYNCED or session.book.number < 2_000:
        session.step()
    keeper = session.lane.keeper
    assert isinstance(keeper, BookKeeper)
    keeper.book.levels[2, int(keeper.book.state[5]) - 1] += 1  # the size of the best bid
    monkeypatch.setattr(Session, "heard_all", True)
    session.compare()
    assert session.wrong == 1


def test_the_ledger_says_what_it_must(repo: Path) -> None:
    lines = [json.loads(text) for text in (repo / "docs/campaigns/books.jsonl").read_text().splitlines()]
    assert sum(one["updates"] for one in lines) >= 10_000_000
    assert {one["verdict"] for one in lines} == {"true"}
    assert {one["venue"] for one in lines} == set(VENUES)
    assert sum(one["compared"] for one in lines) > 10_000
