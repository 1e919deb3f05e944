"""The conformance suite of a data type: the worked example passes, one broken in one way fails the check that is about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from fabric import markets
from tradewind.checks import data
from tradewind.domain.errors import BadData, BadUse
from tradewind.fabric import ingest, observations, series
from tradewind.fabric.observations import Observation
from tradewind.runtime.check import check
from tradewind.runtime.doctor import _unconfirmed
from tradewind.runtime.options import CheckOptions
from tradewind.venues.adapter import Answer, Ask

from .packages import install

HOUR = 3_600_000_000_000


@pytest.fixture
def moodring(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The worked example, installed."""
    install(repo / "docs/examples/moodring", tmp_path, {"tradewind.data": {"gone": "moodring:Nothing"}}, monkeypatch)
    return "moodring"


def test_the_worked_example_passes_by_its_entry_point(moodring: str) -> None:
    found = check(CheckOptions(what=f"data:{moodring}"))
    assert found["ok"], [one for one in found["checks"] if not one["ok"]]
    assert [one["name"] for one in found["checks"]] == [test.__name__ for test in data.TESTS]
    assert found["guesses"] == ["publication", "url"]
    listed = [one.name for one in _unconfirmed()]
    assert any(name.startswith(f"data:{moodring}: ") for name in listed), "doctor lists what a package takes for granted"
    assert "data:gone: plug-in" in listed, "and the package that cannot be loaded"


def test_what_is_not_there_is_told(moodring: str) -> None:
    with pytest.raises(BadUse, match="moodring"):
        series.series_of("nowhere")
    with pytest.raises(BadUse, match="AttributeError"):
        series.series_of("gone")


def test_its_numbers_are_known_by_publication(moodring: str, tmp_path: Path) -> None:
    """From the source through the transport into the lake; a day that was told again holds from then on."""
    made: Any = series.series_of(moodring)
    given = made.samples()

    class Door:
        async def ask(self, base: str, ask: Ask) -> Answer:
            assert (base, ask.path, ask.query) == (made.url, "/v1/index", (("since", "5"),))
            body = given.answers[0]
            return Answer(status=200, headers={}, body=body, sent_ns=given.heard_ns, received_ns=given.heard_ns)

    found = asyncio.run(series.fetch(Door(), made, 5_000_000_000))  # type: ignore[arg-type]
    assert [one.value_e9 // 10**8 for one in found] == [315, 280, 320]
    with markets.store(tmp_path / "s") as store:
        tape = observations.tape_of(tmp_path / "t", made.name, made.unit, found)
        assert ingest.ingest(store, tape, markets.judge()).accepted == 3
        told = [one.published_ns for one in found]
        known = observations.as_of(store.lake, "moodring", pl.Series([told[0] - 1, told[0], told[1], told[2] - 1, told[2]]))
        assert known.to_list() == [None, 31.5, 28.0, 28.0, 32.0]


def later(one: Observation, hours: int) -> Observation:
    return msgspec.structs.replace(one, published_ns=one.published_ns + hours * HOUR)


def read_as(change: Callable[[list[Observation]], Any]) -> Callable[[Any], None]:
    def spoil(made: Any) -> None:
        read = made.read
        made.read = lambda answer: change(read(answer))

    return spoil


def set_to(name: str, value: Any) -> Callable[[Any], None]:
    return lambda made: setattr(made, name, value)


def careless(made: Any) -> None:
    read = made.read

    def take(answer: Answer) -> list[Observation]:
        try:
            found: list[Observation] = read(answer)
        except BadData:
            raise ValueError("no idea") from None
        return found

    made.read = take


SPOILT: list[tuple[str, Callable[[Any], None]]] = [
    ("protocol", set_to("name", "other")),
    ("protocol", set_to("url", "http://api.moodring.example")),
    ("facts", set_to("facts", {})),
    ("asks", set_to("ask", lambda since: Ask(path="v1", query=(("since", since),)))),
    ("observations", read_as(lambda found: [])),
    ("observations", read_as(lambda found: [later(one, -2000) for one in found])),
    ("observations", read_as(lambda found: [later(one, 2000) for one in found])),
    ("garbage", careless),
]


@pytest.mark.parametrize(("name", "spoil"), SPOILT)
def test_each_check_can_fail(moodring: str, name: str, spoil: Callable[[Any], None]) -> None:
    made = series.series_of(moodring)
    spoil(made)
    failed = [one.name for one in data.run(data.Subject(moodring, made)) if not one.ok]
    assert name in failed


def test_what_claims_a_later_publication_is_not_kept(moodring: str) -> None:
    """Whatever a plug-in gives, nothing is known before it came."""
    made: Any = series.series_of(moodring)
    given = made.samples()
    early = Answer(status=200, headers={}, body=given.answers[0], sent_ns=1, received_ns=given.heard_ns - 20 * 24 * HOUR)
    with pytest.raises(BadData, match="after it came"):
        series.read(made, early)
