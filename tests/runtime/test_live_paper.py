"""Live runs over the sandbox's sockets: recorded, run again to the same digest, taken up where they ended."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from machines import default_machine
from tradewind.domain import codes, reasons
from tradewind.domain.errors import BadData, BadUse
from tradewind.runtime import live_paper as live_paper_module
from tradewind.runtime import logged
from tradewind.runtime.backtest import Result
from tradewind.runtime.live_paper import live_paper
from tradewind.runtime.live_rows import Ends
from tradewind.runtime.live_source import Choice, known_source, symbols_of, venues_of
from tradewind.runtime.options import PaperOptions, configured
from tradewind.runtime.paper import paper
from tradewind.runtime.planning import Plan
from tradewind.runtime.record import Recorded, record
from tradewind.runtime.recorder import FRAME_NS, Recorder
from tradewind.runtime.replay import Replayer
from tradewind.storage import marketlog
from tradewind.storage.recording import Recording, open_tape
from tradewind.venues.kraken.adapter import KrakenAdapter

from .campaign_live_kills import of_market

pytestmark = pytest.mark.scenario
CHOICE = Choice(source="sandbox", seed=3)


@pytest.fixture(autouse=True)
def shared_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "machine", lambda self, **_: default_machine())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return record(CHOICE, tmp_path_factory.mktemp("recorded") / "rec", 4 * codes.SECOND)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Result]]:
    out = tmp_path_factory.mktemp("live")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "machine", lambda self, **_: default_machine())
        yield out, go(out)


def go(out: Path, duration: str = "4s") -> Result:
    options = PaperOptions(out=out, duration=duration)
    return live_paper(options, configured(options, {}), CHOICE)


def over(tape: Path, out: Path) -> Result:
    options = PaperOptions(out=out, tape=tape, speed=0.0)
    return paper(options, configured(options, {}))


def test_a_recording_holds_every_stream_numbered_without_holes(recorded: Recorded) -> None:
    tape = open_tape(recorded.folder)
    assert isinstance(tape, Recording)
    rows = np.concatenate(list(tape.segments()))
    assert len(rows) == recorded.rows == tape.rows
    counted = rows[rows["kind"] <= codes.STREAM]
    for source in np.unique(counted["source"]):
        assert (np.diff(counted["stream_seq"][counted["source"] == source]) == 1).all()
    assert (np.diff(rows["ts_local"]) >= 0).all()
    assert {tape.manifest.streams[int(s)].venue for s in np.unique(counted["source"])} == {"binance", "kraken", "coinbase"}
    tape.verify()


def test_a_recordings_counters_add_up_and_name_its_source(recorded: Recorded) -> None:
    assert recorded.source == "sandbox"
    for venue in recorded.venues.values():
        for stream in venue["streams"].values():
            parts = sum(stream[name] for name in ("processed", "conflated", "rejected", "duplicates", "held"))
            assert stream["received"] == parts
    assert any(stream["condition"] == "SYNCED" for venue in recorded.venues.values() for stream in venue["streams"].values())


def test_a_recording_goes_on_where_it_ended(tmp_path: Path) -> None:
    """Stopped or killed: the same numbers go on, no trade is told twice, the prices are the beginning's, and it is a tape."""
    first = record(CHOICE, tmp_path / "rec", 2 * codes.SECOND)
    prices = Recording(tmp_path / "rec").manifest.notes["first_prices"]
    again = record(CHOICE, tmp_path / "rec", 2 * codes.SECOND)
    tape = Recording(tmp_path / "rec")
    assert again.rows == tape.rows > first.rows
    assert tape.manifest.notes["first_prices"] == prices and len(prices) == len(tape.manifest.instruments)
    rows = np.concatenate(list(tape.segments()))
    found = of_market(rows, tape.manifest.streams, ())
    assert not any(found[name] for name in ("holes", "trades_twice", "time_back")), found
    down = rows[first.rows]
    assert (down["kind"], down["ref"]) == (codes.STREAM, reasons.DISCONNECTED)
    assert down["ts_local"] - rows["ts_local"][first.rows - 1] < codes.MILLISECOND, "nobody recorded from the end on"
    for wrong in (tmp_path / "run", tmp_path / "rec"):
        wrong.mkdir(exist_ok=True)
        (wrong / "journal").mkdir()
        with pytest.raises(BadUse, match="keeps its own market"):
            record(CHOICE, wrong, codes.SECOND)


def test_streams_of_another_release_are_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(CHOICE, tmp_path / "rec", codes.SECOND)
    monkeypatch.setattr(KrakenAdapter, "carried", KrakenAdapter.carried[:3])
    with pytest.raises(BadUse, match="numbered other streams"):
        record(CHOICE, tmp_path / "rec", codes.SECOND)


def test_the_recording_of_a_live_run_gives_its_digest(live: tuple[Path, Result], tmp_path: Path) -> None:
    out, result = live
    assert result.orders > 0
    again = over(out / "paper", tmp_path)
    assert (again.digest, again.rows, again.orders, again.fills) == (result.digest, result.rows, result.orders, result.fills)


def test_a_live_journal_is_replayed_to_equal_commands(live: tuple[Path, Result]) -> None:
    replayer = Replayer(live[0] / "paper" / "journal", machine=default_machine())
    replayer.run()
    assert replayer.difference is None
    assert replayer.commands > 0


def test_a_live_run_is_taken_up_and_still_is_its_recording(live: tuple[Path, Result], tmp_path: Path) -> None:
    out, first = live
    ends = Ends(len(Recording(out / "paper").manifest.streams))
    for part in Recording(out / "paper").segments():
        ends.heard(part)
    before = ends.by_stream()
    assert len(before) > 10
    went_on = go(out, "3s")
    assert went_on.rows > first.rows
    tape = Recording(out / "paper")
    assert over(out / "paper", tmp_path).digest == went_on.digest
    rows = np.concatenate(list(tape.segments()))
    at = int(np.searchsorted(rows["ts_local"], ends.last_ts, "right"))
    down = rows[at : at + len(before)]
    assert set(zip(down["kind"].tolist(), down["ref"].tolist(), strict=True)) == {(codes.STREAM, reasons.DISCONNECTED)}
    assert down["ts_local"][-1] - ends.last_ts < codes.MILLISECOND < rows["ts_local"][at + len(before)] - ends.last_ts
    assert not of_market(rows, tape.manifest.streams, ())["trades_twice"]


def test_a_killed_live_run_goes_on_from_its_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots, pruning, a death between two of them: the curve goes on, old segments are gone, the machine is the same."""
    monkeypatch.setattr(logged, "LEAST_SNAPSHOT_NS", codes.SECOND)
    monkeypatch.setattr(marketlog, "SEGMENT_ROWS", 1 << 10)
    monkeypatch.setattr(marketlog, "BLOCK_ROWS", 1 << 9)
    kept = logged.Keeping(snapshot_ns=codes.SECOND, market_ns=codes.SECOND)
    monkeypatch.setattr(live_paper_module, "keeping", lambda loaded: kept)
    states: list[tuple[int, str, list[Any]]] = []

    def die(run: logged.LoggedRun) -> None:
        states.append((run.row, run.session.digest, list(run.companions[0].samples)))  # type: ignore[attr-defined]
        run.writer.close()
        run.log.close()

    with monkeypatch.context() as patch:
        patch.setattr(logged.LoggedRun, "close", die)
        go(tmp_path, "6s")
    shutil.copytree(tmp_path / "paper", tmp_path / "dead")
    max((tmp_path / "dead" / "snapshots").iterdir()).unlink()  # the one taken at the orderly end
    looking = msgspec.structs.replace(kept, companions=(recorder := Recorder(None), ends := Ends(99)))
    again = logged.LoggedRun.resume(tmp_path / "dead", looking, default_machine())
    assert again.log.manifest.pruned > 0
    row, digest, lived = states[0]
    assert (again.row, again.session.digest) == (row, digest)
    taken = next(again.snapshots.newest()).moment.ts_local
    before = [sample for sample in lived if sample[0] <= taken]
    assert before and recorder.samples[: len(before)] == before  # what was kept; behind it rows come in other pieces
    assert len(recorder.samples) >= len(before)
    assert np.diff([sample[0] for sample in recorder.samples]).min() >= FRAME_NS
    assert ends.last_ts == int(again.session.state["clock"]["now"][0])
    again.close()
    went_on = go(tmp_path, "2s")
    assert went_on.rows > row
    assert went_on.equity_curve.height > len(recorder.samples)
    with pytest.raises(BadData, match="retention removed"):
        Recording(tmp_path / "paper")


@pytest.mark.parametrize("dying", [(logged, "MarketLog"), (logged.LoggedRun, "feed")])
def test_a_run_that_died_before_its_first_row_is_begun_anew(
    dying: tuple[Any, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its market log was there, or while it was empty: the run is its recording all the same."""

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(*dying, die)
        go(tmp_path, "1s")
    assert (tmp_path / "paper" / "journal" / "journal.json").exists()
    result = go(tmp_path, "1s")
    assert result.rows > 0
    assert over(tmp_path / "paper", tmp_path / "again").digest == result.digest


def test_words_of_the_command_line_are_judged() -> None:
    assert venues_of("kraken, binance") == ("kraken", "binance")
    assert symbols_of("kraken:XBT/EUR,kraken:ETH/USD", ("kraken",)) == {"kraken": ("XBT/EUR", "ETH/USD")}
    for wrong in ("mtgox", ""):
        with pytest.raises(BadUse):
            venues_of(wrong)
    with pytest.raises(BadUse):
        symbols_of("binance:BTCUSDT", ("kraken",))
    with pytest.raises(BadUse):
        known_source("dream")
