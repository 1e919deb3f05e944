"""What a stranger does to a store: a misspelt place, damaged files, a recording that went on, two writers, odd queries."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import cast

import polars as pl
import pytest

from tradewind.cli.command import Frame
from tradewind.cli.commands.truth import SCORE
from tradewind.cli.emit import Emit
from tradewind.domain import codes
from tradewind.domain.errors import BadUse, NoRoom
from tradewind.domain.rows import Rows
from tradewind.fabric import catalogue, ingest
from tradewind.fabric import store as stores
from tradewind.fabric.raw import open_raw
from tradewind.fabric.verify import verify
from tradewind.runtime import data
from tradewind.runtime import data_options as of
from tradewind.runtime.live_source import venues_of
from tradewind.runtime.options import TruthScoreOptions, VerifyOptions
from tradewind.runtime.verify import verify as verify_command
from tradewind.storage import records
from tradewind.storage.marketlog import MarketLog
from tradewind.storage.recording import MARKET, note_sitting, write_notes
from tradewind.storage.tape import Tape
from tradewind.venues.plugins import adapter_of

from . import inproc, markets
from .virtual import VirtualClock, run


def recorded(folder: Path, part: Rows) -> Tape:
    """A sitting of a recorder: the first at a folder, or one that goes on."""
    if folder.exists():
        log = MarketLog.reopen(folder / MARKET)
        note_sitting(folder, log.rows)
    else:
        folder.mkdir()
        log = MarketLog(folder / MARKET, markets.INSTRUMENTS, markets.STREAMS, "a test")
    with log:
        log.append(part)
    return open_raw(folder, ended=True)


def proven(store: stores.Store) -> object:
    return verify(store, judge_for=lambda _: markets.judge())


def test_a_recording_that_went_on_is_taken_in_from_there(tmp_path: Path) -> None:
    made = markets.market(8, wild=(9,))
    cuts = [0, 77, 150, len(made)]
    parts = [made[start:stop] for start, stop in itertools.pairwise(cuts)]
    with markets.store(tmp_path / "s") as store:
        for n, part in enumerate(parts):
            done = ingest.ingest(store, recorded(tmp_path / "rec", part), markets.judge())
            assert (done.segments, done.known) == (n + 1, n)
            assert done.accepted + done.quarantined == len(part)
            assert proven(store).equal
        for table, kind in (("quotes", codes.QUOTE), ("trades", codes.TRADE)):
            raw = int((made["kind"] == kind).sum()) - (kind == codes.TRADE)
            assert store.lake.scan(table).collect().height == raw
    with markets.store(tmp_path / "at once") as store:
        assert ingest.ingest(store, open_raw(tmp_path / "rec"), markets.judge()).accepted == len(made) - 1


def test_the_proof_reads_what_was_taken_in_and_no_later_sitting(tmp_path: Path) -> None:
    made = markets.market(4)
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, recorded(tmp_path / "rec", made[:60]), markets.judge())
        recorded(tmp_path / "rec", made[60:])
        found = proven(store)
        assert (found.equal, found.rows) == (True, 60 + len(markets.INSTRUMENTS) + _minutes(store))


def _minutes(store: stores.Store) -> int:
    return int(store.lake.scan("minutes").collect().height)


def test_a_recording_that_grew_unseen_is_refused(tmp_path: Path) -> None:
    made = markets.market(4)
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, recorded(tmp_path / "rec", made[:60]), markets.judge())
        with MarketLog.reopen(tmp_path / "rec" / MARKET) as log:
            log.append(made[60:])
        before = store.lake.scan("quotes").collect().height
        with pytest.raises(BadUse, match="another tape from here: its segment 1 had 60 rows"):
            ingest.ingest(store, open_raw(tmp_path / "rec"), markets.judge())
        assert store.lake.scan("quotes").collect().height == before


def test_a_recording_is_not_taken_in_while_it_is_made(tmp_path: Path) -> None:
    with MarketLog(tmp_path / "rec" / MARKET, markets.INSTRUMENTS, markets.STREAMS, "a test") as log:
        log.append(markets.market(1))
        with pytest.raises(BadUse, match="still being recorded"):
            open_raw(tmp_path / "rec", ended=True)
    assert open_raw(tmp_path / "rec", ended=True).rows


def test_what_a_killed_ingest_left_is_taken_out_though_its_tape_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with markets.store(tmp_path / "s") as store:
        with monkeypatch.context() as patch:
            patch.setattr(ingest._Ingest, "_record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
            with pytest.raises(KeyboardInterrupt):
                ingest.ingest(store, markets.tape(tmp_path / "t", markets.market(3)), markets.judge())
        assert store.lake.scan("trades").collect().height
        ingest.ingest(store, markets.tape(tmp_path / "t", markets.market(2, seed=2)), markets.judge())
        assert proven(store).equal


def test_two_writers_of_one_store_are_refused(tmp_path: Path) -> None:
    tape = markets.tape(tmp_path / "t", markets.market(2))
    refused = pytest.raises(BadUse, match="another process is writing here")
    with markets.store(tmp_path / "s") as one, markets.store(tmp_path / "s") as other, other.alone(), other.alone(), refused:
        ingest.ingest(one, tape, markets.judge())
    with markets.store(tmp_path / "s") as one:
        assert ingest.ingest(one, tape, markets.judge()).accepted


def test_a_damaged_or_lost_file_of_the_lake_is_named(tmp_path: Path) -> None:
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "t", markets.market(4)), markets.judge())
        file = min((tmp_path / "s" / "lake" / "trades").rglob("*.parquet"))
        whole = file.read_bytes()
        for at in range(4, len(whole), len(whole) // 7):  # also bytes that no reader of ours looks at
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
            found = proven(store)
            assert not found.equal
            assert [line for line in found.differs if "trades/binance/BTC/USDT" in line and "is not what was written" in line]
        file.unlink()
        found = proven(store)
        assert not found.equal
        assert [line for line in found.differs if line.endswith("is gone")]
        file.write_bytes(whole)
        assert proven(store).equal


def test_nothing_is_read_where_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="no store here"):
        stores.Store.existing(tmp_path / "misspelt")
    assert not (tmp_path / "misspelt").exists()


def test_a_series_nobody_has_names_what_comes_close(tmp_path: Path) -> None:
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "t", markets.market(2)), markets.judge())
        for fine in ("", "binance", "binance:BTC/USDT", "kraken:BTC/USDT:quote"):
            catalogue.known(store, fine)
        with pytest.raises(BadUse) as caught:
            catalogue.known(store, "binance:BTCUSDT")
        assert "binance:BTC/USDT" in str(caught.value.expected)


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("DROP TABLE trades", "no question"), ("TRUNCATE TABLE trades", "no question"),
        ("CREATE TABLE x AS SELECT 1", "no question"),
        ("SELECT * FROM read_csv('FILE')", "read_csv reads"), ("select * from READ_PARQUET ('FILE')", "READ_PARQUET reads"),
        ("WITH a AS (SELECT 1 AS x) SELECT 1; DELETE FROM trades", r"one\) statement"), ("", r"one\) statement"),
    ],
)  # fmt: skip
def test_a_query_asks_the_lake_and_nothing_else(tmp_path: Path, sql: str, what: str) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "t", markets.market(2)), markets.judge())
        with pytest.raises(BadUse, match=what):
            store.lake.query(sql.replace("FILE", str(tmp_path / "secret.csv")))
        fine = "SELECT count(*) AS n FROM trades WHERE venue <> 'read_csv(' -- DROP"
        assert store.lake.query(fine)["n"][0] == store.lake.query("-- of trades\n(SELECT count(*) AS n FROM trades)")["n"][0] > 0


def test_a_query_with_a_misspelt_name_is_helped(tmp_path: Path) -> None:
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "t", markets.market(2)), markets.judge())
        for sql, meant in (("SELECT * FROM trade", "trades"), ("SELECT pric FROM trades", "price")):
            with pytest.raises(BadUse) as caught:
                store.lake.query(sql)
            assert meant in str(caught.value.todo)


def test_a_recording_is_verified_and_scored_like_a_tape(tmp_path: Path) -> None:
    made = markets.market(2)
    recorded(tmp_path / "rec", made[:50])
    recorded(tmp_path / "rec", made[50:])
    proof = verify_command(VerifyOptions(folder=tmp_path / "rec"))
    assert (proof.ok, proof.what, proof.rows, proof.segments) == (True, "recording", len(made), 2)
    write_notes(tmp_path / "rec", {})
    with pytest.raises(BadUse, match="no such file"):  # of faults: the recording was let through
        SCORE.run(TruthScoreOptions(tape=tmp_path / "rec", faults=tmp_path / "none.jsonl"), Frame({}, cast(Emit, None)))


def test_a_venue_that_is_not_there_names_the_one_that_comes_close() -> None:
    for asked in (lambda: adapter_of("binnace"), lambda: venues_of("binnace,kraken")):
        with pytest.raises(BadUse) as caught:
            asked()
        assert caught.value.todo == "did you mean binance?"


@pytest.mark.parametrize(("symbol", "todo"), [("BTCUSDC", "BTCUSDT"), ("eth-usdt", "ETHUSDT"), ("ZZZ", "")])
def test_a_symbol_that_is_not_listed_is_told_at_once(symbol: str, todo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(inproc.SYMBOLS, "binance", [symbol])

    async def opened(clock: VirtualClock) -> None:
        before = clock.mono_ns()
        play = inproc.Play(clock, ["binance"])
        staged = asyncio.ensure_future(play.theatre.play())
        try:
            with pytest.raises(BadUse, match=symbol) as caught:
                await play.fabric.open()
        finally:
            staged.cancel()
        assert todo in caught.value.todo and bool(caught.value.todo) == bool(todo)
        assert clock.mono_ns() - before < codes.SECOND, "asking again would not help"

    run(opened)


def test_a_full_disk_is_told_as_one_and_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polars tells it as an error of computing, with the system's number in its text."""
    tape = markets.tape(tmp_path / "t", markets.market(2))

    def full(_frame: pl.DataFrame, place: Path, **_: object) -> None:
        place.write_bytes(b"PAR1 half")
        raise pl.exceptions.ComputeError("parquet: underlying IO error: No space left on device (os error 28)")

    with markets.store(tmp_path / "s") as store:
        with monkeypatch.context() as patch, pytest.raises(NoRoom):
            patch.setattr(pl.DataFrame, "write_parquet", full)
            ingest.ingest(store, tape, markets.judge())
        assert not list((tmp_path / "s" / "lake").rglob("*.aside"))
        ingest.ingest(store, tape, markets.judge())
        assert proven(store).equal


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    markets.store(tmp_path / "s").close()
    monkeypatch.setattr(records.os, "access", lambda place, mode: False)  # root may write anywhere
    with pytest.raises(BadUse, match="cannot be written"):
        stores.Store.existing(tmp_path / "s")


def test_a_folder_or_a_day_that_makes_no_sense_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="no such folder"):
        data.export(of.ExportOptions(table="trades", out=tmp_path / "nowhere" / "x.csv"), tmp_path / "s")
    order = of.DownloadOptions(symbol="kraken:BTC/USD", first="2024-08-09", last="2024-08-01")
    with pytest.raises(BadUse, match="2024-08-09 is after 2024-08-01"):
        data.fetch(order, tmp_path / "s", print)
    assert not (tmp_path / "s").exists()
