"""The conformance suite: our venues and the worked example pass; an adapter broken in one way fails the check that is about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tradewind.checks import hostile, sandbox, venue
from tradewind.domain import codes
from tradewind.domain.errors import BadUse, NoRoom
from tradewind.domain.rows import Rows
from tradewind.runtime.check import check
from tradewind.runtime.doctor import _unconfirmed
from tradewind.runtime.live_source import Choice, symbols_of, venues_of
from tradewind.runtime.options import CheckOptions, VenueOptions
from tradewind.runtime.record import record
from tradewind.runtime.venue import venue as known_of
from tradewind.venues import plugins
from tradewind.venues.adapter import Ask, Fact, MarketAdapter, Notice, Quota, Reading, Topic
from tradewind.venues.base import NO_ROWS
from tradewind.venues.emulators import kinds
from tradewind.venues.emulators.book import BID, Market
from tradewind.venues.emulators.sandbox import Sandbox
from tradewind.venues.kraken.adapter import KrakenAdapter

from .packages import install


@pytest.fixture
def lantern(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The worked example, installed, with packages beside it that are none."""
    extra = {
        "tradewind.venues": {"kraken": "lantern:LanternAdapter", "gone": "lantern:Nothing"},
        "tradewind.emulators": {
            "kraken": "lantern_emulator:LanternVenue", "gone": "lantern_emulator:Nothing", "other": "lantern_emulator:LanternVenue",
        },
    }  # fmt: skip
    install(repo / "docs/examples/lantern", tmp_path, extra, monkeypatch)
    return "lantern"


def subject() -> venue.Subject:
    return venue.adopted("lantern", plugins.adapter_of("lantern"))


def test_the_worked_example_passes_by_its_entry_point(lantern: str) -> None:
    assert any(one.name.startswith("lantern: ") for one in _unconfirmed()), "doctor lists what a package takes for granted"
    found = check(CheckOptions(what=f"venue:{lantern}"))
    assert found["ok"], [one for one in found["checks"] if not one["ok"]]
    assert [one["name"] for one in found["checks"]] == [*(test.__name__ for test in venue.TESTS), "sandbox"]
    assert found["guesses"] == ["rest.url", "rest.weight_per_minute", "ws.url"]
    assert venues_of(lantern) == (lantern,)
    assert symbols_of("lantern:BTC-USD", [lantern]) == {lantern: ("BTC-USD",)}
    with pytest.raises(BadUse, match="nobody said"):
        symbols_of("", [lantern])


def test_nobody_takes_a_name_of_ours(lantern: str) -> None:
    assert isinstance(plugins.adapter_of("kraken"), KrakenAdapter)
    assert plugins.names().count("kraken") == 1 and lantern in plugins.names()


def test_what_cannot_be_loaded_is_told(lantern: str) -> None:
    with pytest.raises(BadUse, match="AttributeError"):
        plugins.adapter_of("gone")
    for wrong in ("venue:nowhere", "lantern", "venue:", "strategy:x"):
        with pytest.raises(BadUse):
            check(CheckOptions(what=wrong))


def test_a_package_brings_its_emulator(lantern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox serves it beside ours; nobody takes a name of ours; what is no emulator is told."""
    assert kinds.names() == (*kinds.VENUES, "gone", lantern, "other") and kinds.kind_of("kraken") is kinds.VENUES["kraken"]
    assert set(Sandbox(["kraken", lantern]).venues) == {"kraken", lantern}
    for name, fault in (("gone", "AttributeError"), ("other", "is none"), ("nowhere", "no venue of the sandbox")):
        with pytest.raises(BadUse, match=fault):
            kinds.kind_of(name)
    kind: Any = kinds.kind_of(lantern)
    monkeypatch.setattr(kind, "listings", (msgspec.structs.replace(kind.listings[0], base="DOGE"),))
    with pytest.raises(BadUse, match="DOGE is worth"):
        kinds.kind_of(lantern)


@pytest.mark.scenario
def test_a_packages_venue_is_recorded_from_its_emulator(lantern: str, tmp_path: Path) -> None:
    symbols = {lantern: ("BTC-USD",), "kraken": ("BTC/USD",)}
    found = record(Choice(source="sandbox", venues=(lantern, "kraken"), symbols=symbols), tmp_path / "out", 2 * codes.SECOND)
    assert set(found.venues) == {lantern, "kraken"}
    streams = found.venues[lantern]["streams"]
    assert {stream["condition"] for stream in streams.values()} == {"SYNCED"}, streams
    assert all(stream["rejected"] == 0 < stream["processed"] for stream in streams.values())


def test_what_is_known_of_a_venue_is_shown(lantern: str, tmp_path: Path) -> None:
    """Of a package's, of ours and of a bridged one, with the guesses; as a page too."""
    page = tmp_path / "lantern.md"
    found = known_of(VenueOptions(name=lantern, page=page))
    assert (found.venue, found.emulated, found.page) == (lantern, True, str(page))
    assert [rule.name for rule in found.rules] == ["ws.url", "rest.url", "rest.weight_per_minute"] and len(found.guesses) == 3
    assert [channel for channel, _ in found.subscriptions] == ["depth", "quote", "trade"]
    assert ("time", "GET /time", 1) in found.requests
    text = page.read_text()
    assert text.startswith("# lantern\n") and text.count("**guess**") == 3 and "wss://stream.lantern.example" in text
    assert known_of(VenueOptions(name="kraken")).emulated
    okx = known_of(VenueOptions(name="bridge:okx"))
    assert okx.venue == "bridge.okx" and not okx.emulated
    with pytest.raises(BadUse):
        known_of(VenueOptions(name="nowhere"))
    with pytest.raises(NoRoom):
        known_of(VenueOptions(name=lantern, page=tmp_path / "no" / "page.md"))


def test_an_emulator_that_lies_is_found(lantern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose frames are not its book fails the check, so the check looks."""
    kind: Any = kinds.kind_of(lantern)
    told = kind._say
    monkeypatch.setattr(sandbox, "LONGEST_S", 2.0)
    monkeypatch.setattr(kind, "_say", lambda self, session, channel, market: told(self, session, channel, Shifted(market)))
    found = check(CheckOptions(what=f"venue:{lantern}"))
    assert [one["name"] for one in found["checks"] if not one["ok"]] == ["sandbox"]


class Shifted:
    """A market whose book is told without its best bid."""

    def __init__(self, market: Market) -> None:
        self.listing, self.number, self.book, self._market = market.listing, market.number, self, market

    def top(self, side: int, levels: int) -> list[tuple[int, int]]:
        found = self._market.book.top(side, levels)
        return found[1:] if side == BID else found


# Each check can fail -----------------------------------------------------------------------------------------------------------


def spoil(name: str, change: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Lets a method of the adapter answer otherwise."""

    def planted(adapter: Any) -> None:
        method = getattr(adapter, name)
        setattr(adapter, name, lambda *a: change(method(*a)))

    return planted


def rewritten(field: str, value: int) -> Callable[[Any], None]:
    def changed(reading: Reading) -> Reading:
        rows: Rows = reading.rows.copy()
        rows[field] = value
        return Reading(rows, reading.notices, reading.refused)

    return spoil("read", changed)


def raising(adapter: Any) -> None:
    read = adapter.read

    def naive(frame: bytes, ts_local: int) -> Reading:
        json.loads(frame)
        return read(frame, ts_local)  # type: ignore[no-any-return]

    adapter.read = naive


def trusting(adapter: Any) -> None:
    """Reads what it knows and makes up the rest."""
    read, first = adapter.read, adapter.samples().frames[0]

    def naive(frame: bytes, ts_local: int) -> Reading:
        reading = read(frame, ts_local)
        return read(first, ts_local) if reading.refused and frame.startswith(b'{"type') else reading

    adapter.read = naive


def swallowing(adapter: Any) -> None:
    read = adapter.read

    def naive(frame: bytes, ts_local: int) -> Reading:
        reading = read(frame, ts_local)
        return Reading(NO_ROWS, [Notice(code="status")]) if reading.refused else reading

    adapter.read = naive


def without_source(adapter: Any) -> None:
    adapter.facts = {**adapter.facts, "ws.life_s": Fact(value=1, source="", date="soon")}


BROKEN: Sequence[tuple[str, Callable[[Any], None]]] = [
    ("protocol", spoil("channels", lambda told: [*told, "gossip"])),
    ("protocol", lambda adapter: adapter.streams.pop()),
    ("protocol", lambda adapter: setattr(adapter, "venue", "another")),
    ("addresses", spoil("socket_url", lambda told: "wss://elsewhere")),
    ("requests", spoil("subscribe", lambda told: [b"SUB book"])),
    ("requests", spoil("unsubscribe", lambda told: [frame.decode() for frame in told])),
    ("asks", spoil("ask_time", lambda told: Ask(path="time"))),
    ("asks", spoil("ask_instruments", lambda told: msgspec.structs.replace(told, weight=0))),
    ("asks", spoil("ask_instruments", lambda told: None)),
    ("facts", without_source),
    ("facts", lambda adapter: setattr(adapter, "facts", {})),
    ("quota", spoil("quota", lambda told: Quota())),
    ("quota", spoil("quota", lambda told: Quota(retry_after_ns=60_000_000_000, banned=True))),
    ("rows", rewritten("marks", 0)),
    ("rows", rewritten("source", 99)),
    ("rows", rewritten("kind", 9)),
    ("rows", rewritten("price", 0)),
    ("rows", rewritten("instrument", 5)),
    ("rows", rewritten("stream_seq", 3)),
    ("rows", spoil("read", lambda told: Reading(NO_ROWS))),
    ("garbage", raising),
    ("drift", trusting),
    ("drift", swallowing),
]


@pytest.mark.parametrize(("name", "plant"), BROKEN)
def test_a_broken_adapter_fails_the_check_that_is_about_it(lantern: str, name: str, plant: Callable[[Any], None]) -> None:
    made = subject()
    plant(made.adapter)
    failed = {one.name: one.faults for one in venue.run(made) if not one.ok}
    assert failed.get(name), failed


def test_every_check_has_a_broken_adapter() -> None:
    assert {name for name, _ in BROKEN} == {test.__name__ for test in venue.TESTS}


def test_changed_frames_differ_from_the_frame(lantern: str) -> None:
    for frame in subject().frames:
        for changed in (*hostile.drifted(frame), *hostile.numbered(frame), hostile.renamed(frame)):
            assert json.loads(changed) != json.loads(frame)
    assert len(list(hostile.drifted(b'{"a":[1,2],"b":"x"}'))) == 3


# Over sockets ------------------------------------------------------------------------------------------------------------------


@pytest.mark.scenario
@pytest.mark.parametrize("name", ["binance", "binance-usdm", "kraken", "coinbase"])
def test_our_venues_pass_over_the_sandbox(name: str) -> None:
    found = check(CheckOptions(what=f"venue:{name}"))
    assert found["ok"], [one for one in found["checks"] if not one["ok"]]
    assert "sandbox" in [one["name"] for one in found["checks"]]


class Careless(KrakenAdapter):
    """Reads one unit too much of every level."""

    def read(self, frame: bytes, ts_local: int) -> Reading:
        reading = super().read(frame, ts_local)
        rows = reading.rows.copy()
        rows["quantity"] += np.where(rows["quantity"] > 0, 1, 0)
        return Reading(rows, reading.notices, reading.refused)


class Mute(KrakenAdapter):
    """Cannot say what it wants."""

    def subscribe(self, topics: Sequence[Topic], number: int) -> list[bytes]:
        raise RuntimeError("lost its voice")


@pytest.mark.scenario
@pytest.mark.parametrize(("broken", "fault"), [(Careless, "SYNCED"), (Mute, "lost its voice")])
def test_a_broken_adapter_fails_over_the_sandbox(
    broken: Callable[[], MarketAdapter], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "LONGEST_S", 2.0)
    followed = asyncio.run(sandbox.follow("kraken", broken()))
    assert any(fault in one for one in followed.faults), followed.faults
