"""Every raw row ends in exactly one place, and the lake is what the raw tapes make it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tradewind.domain import codes, layout, reasons
from tradewind.domain.rows import Rows, rows
from tradewind.fabric import beliefs, catalogue, ingest, quarantine, retention
from tradewind.fabric.sieve import SLOWEST_NS, STALE_NS, habits
from tradewind.fabric.verify import verify
from tradewind.storage import lake as lake_module
from tradewind.storage import projection
from tradewind.storage import tape as tapes
from tradewind.storage.lake import Part
from tradewind.storage.projection import CHANNELS, origin_of

from . import markets


def verified(store) -> object:
    return verify(store, judge_for=lambda _: markets.judge())


def test_rows_go_where_they_belong(tmp_path: Path) -> None:
    made = markets.market(10, wild=(40, 41, 77))
    with markets.store(tmp_path / "s") as store:
        done = ingest.ingest(store, markets.tape(tmp_path / "t", made), markets.judge())
        assert (done.raw, done.quarantined, done.duplicates) == (len(made), 3, 0)
        assert done.accepted == len(made) - 3
        kept = {name: store.lake.scan(name).collect().height for name in (*CHANNELS, "quarantine")}
        assert kept["trades"] == (made["kind"] == codes.TRADE).sum() - 3
        assert kept["quotes"] == (made["kind"] == codes.QUOTE).sum()
        assert kept["quarantine"] == 3
        refused = store.lake.scan("quarantine").sort("ref").collect()
        assert refused["ref"].to_list() == [41, 42, 78]
        assert set(refused["reason"]) == {reasons.IMPOSSIBLE_JUMP}
        assert [made[at]["ref"] for at in refused["at"]] == [41, 42, 78]


def test_the_lake_is_a_projection(tmp_path: Path) -> None:
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "a", markets.market(6, wild=(9,))), markets.judge())
        later = markets.market(5, seed=2, first=markets.START + codes.DAY)
        ingest.ingest(store, markets.tape(tmp_path / "b", later), markets.judge())
        found = verified(store)
        assert found.equal
        assert found.partitions > 8
        assert not found.machines
        part = store.lake.parts("trades")[0]
        frame = store.lake.part("trades", part)
        third = pl.int_range(pl.len()) == 3
        store.lake.replace("trades", part, frame.with_columns(pl.col("price_units") + third.cast(pl.Int64)))
        found = verified(store)
        assert not found.equal
        assert found.differs == ["trades/" + "/".join(part)]


def test_a_lake_whose_old_days_went_is_still_what_its_tapes_make_it(tmp_path: Path) -> None:
    """And one that takes in more of a day that went, and lets it go again."""
    with markets.store(tmp_path / "s") as store:
        for day in range(3):
            made = markets.market(5, seed=day + 1, first=markets.START + day * codes.DAY)
            ingest.ingest(store, markets.tape(tmp_path / str(day), made), markets.judge())
        assert sum(retention.keep(store, table.table, 2) for table in store.lake.tables()) > 50
        assert len({part.day for part in store.lake.parts("trades")}) == 2
        assert sum(retention.keep(store, table.table, 2) for table in store.lake.tables()) == 0
        assert verified(store).equal
        ingest.ingest(store, markets.tape(tmp_path / "late", markets.market(4, seed=9)), markets.judge())
        assert len({part.day for part in store.lake.parts("trades")}) == 3 and verified(store).equal
        assert retention.keep(store, "trades", 1) and verified(store).equal
        store.lake.prune("quotes", "2100-01-01")
        assert not verified(store).equal, "what went without a note is missing"


def test_a_clock_that_was_set_back_changes_no_order(tmp_path: Path) -> None:
    for number, began in enumerate((10**18, 1)):
        with markets.store(tmp_path / "s", began) as store:
            made = markets.market(5, seed=number + 1, first=markets.START + number * codes.DAY)
            ingest.ingest(store, markets.tape(tmp_path / str(number), made), markets.judge())
            assert verified(store).equal
    with markets.store(tmp_path / "s", 1) as store:
        taken = sorted(store.records.rows("segments"), key=lambda row: row["ingested_ns"])
        assert [Path(row["tape"]).name for row in taken] == ["0", "1"]


def test_a_changed_judge_is_named(tmp_path: Path) -> None:
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "a", markets.market(2)), markets.judge())
        with store.records.change() as connection:
            store.records.update(connection, "segments", {}, {"machine": "former"})
        assert verified(store).machines == ["former"]


def test_a_flipped_raw_bit_is_told(tmp_path: Path) -> None:
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "a", markets.market(3)), markets.judge())
        file = tmp_path / "a" / "00000.rows"
        data = bytearray(file.read_bytes())
        data[1000] ^= 4
        file.write_bytes(bytes(data))
        found = verified(store)
        assert not found.equal
        assert "sha256" in found.unproven[0]


def test_the_same_tape_again_is_all_duplicates(tmp_path: Path) -> None:
    tape = markets.tape(tmp_path / "t", markets.market(4))
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, tape, markets.judge())
        before = {table: store.lake.digests(table) for table in CHANNELS}
        again = ingest.ingest(store, tape, markets.judge())
        assert (again.known, again.accepted, again.duplicates) == (1, 0, again.raw)
        assert {table: store.lake.digests(table) for table in CHANNELS} == before


def test_trades_of_two_recorders_are_told_once(tmp_path: Path) -> None:
    made = markets.market(6)
    trades = made[made["kind"] == codes.TRADE]
    late = trades[len(trades) // 2 :].copy()
    late["ts_local"] += 777
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "a", made), markets.judge())
        done = ingest.ingest(store, markets.tape(tmp_path / "b", late), markets.judge())
        assert (done.duplicates, done.accepted) == (len(late), 0)
        assert verified(store).equal


def test_a_cut_ingest_is_taken_out_and_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = markets.tape(tmp_path / "t", markets.market(4, wild=(3,)))
    with markets.store(tmp_path / "s") as store:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(ingest._Ingest, "_record", _interrupt)
            ingest.ingest(store, tape, markets.judge())
        assert store.lake.scan("trades").collect().height
        assert not store.records.rows("segments")
        done = ingest.ingest(store, tape, markets.judge())
        assert done.duplicates == 0
        assert verified(store).equal


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@settings(max_examples=12, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # shrinking a whole store takes minutes
@given(data=st.data())
def test_raw_is_accepted_and_quarantined_and_duplicates(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The law, over tapes with wild prints, rows told twice, torn quotes, bad numbers, overlapping tapes and small segments."""
    folder = tmp_path_factory.mktemp("law")
    draw = data.draw
    made = markets.market(draw(st.integers(1, 3)), seed=draw(st.integers(0, 99)), wild=tuple(draw(st.lists(st.integers(0, 30)))))
    index = st.integers(0, len(made) - 1)
    made["price"][draw(st.lists(index, max_size=3))] = draw(st.sampled_from((0, -5, 1 << 61)))
    made["quantity"][draw(st.lists(index, max_size=3))] = -1
    keep = np.ones(len(made), bool)
    keep[draw(st.lists(index, max_size=4))] = False
    twice = np.sort(np.concatenate([np.flatnonzero(keep), draw(st.lists(index, max_size=4))]).astype(int))
    made = made[twice]
    with pytest.MonkeyPatch.context() as patch, markets.store(folder / "s") as store:
        patch.setattr(tapes, "SEGMENT_ROWS", draw(st.sampled_from((7, 50, 1 << 20))))
        ingest.ingest(store, markets.tape(folder / "a", made), markets.judge())
        part = made[draw(index) % len(made) :]
        ingest.ingest(store, markets.tape(folder / "b", part), markets.judge())
        segments = store.records.rows("segments")
        for row in segments:
            assert row["rows"] == row["accepted"] + row["quarantined"] + row["duplicates"]
        lake = {name: store.lake.scan(name).collect() for name in (*CHANNELS, "quarantine")}
        rows_kept = pl.concat([frame.select("origin", "at") for frame in lake.values()])
        assert rows_kept.is_duplicated().sum() == 0, "a row in two places"
        assert rows_kept.height == sum(row["accepted"] + row["quarantined"] for row in segments)
        assert lake["quarantine"].height == sum(entry.rows for entry in quarantine.entries(store))
        assert set(rows_kept["origin"]) <= {origin_of(row["digest"]) for row in segments}
        covered = catalogue.coverage(store)
        assert sum(row.rows for row in covered) == sum(row["accepted"] for row in segments)


def test_minutes_are_the_bars_of_the_trades(tmp_path: Path) -> None:
    made = markets.market(5)
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "t", made), markets.judge())
        bars = store.lake.part("minutes", Part("binance", "BTC/USDT", "2023-12-09"))
        trades = made[(made["kind"] == codes.TRADE) & (made["instrument"] == 0)]
        ends = (trades["ts_venue"] // codes.MINUTE + 1) * codes.MINUTE
        assert bars["ts_venue"].to_list() == sorted(set(ends.tolist()))
        for end, opened, high, low, close, volume, count in bars.select(
            "ts_venue", "open_units", "high_units", "low_units", "close_units", "volume_units", "trades"
        ).iter_rows():
            mine = trades[ends == end]
            wanted = (
                mine["price"][0],
                mine["price"].max(),
                mine["price"].min(),
                mine["price"][-1],
                mine["quantity"].sum(),
                len(mine),
            )
            assert (opened, high, low, close, volume, count) == tuple(int(x) for x in wanted)


def ruled(made: Rows, *told: tuple[int, int, int]) -> Rows:
    """The market with RULE rows of the first instrument: (index before which it stands, column, value)."""
    for at, column, value in sorted(told, reverse=True):
        row = rows(1)
        row["kind"], row["marks"], row["strategy"] = codes.RULE, codes.WHOLE, -1
        row["ts_local"], row["ref"], row["value"] = made["ts_local"][at], column, value
        made = np.concatenate([made[:at], row, made[at:]])
    return made


def test_a_halt_is_a_version_of_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status and minimum by time, from what RULE rows say; a word said twice is none; other columns are no business of the lake."""
    made = markets.market(5)
    places = [len(made) * n // 5 for n in (1, 2, 3, 4)]
    halt, again, open_at, least = [int(made["ts_local"][at]) for at in places]
    told = ruled(
        made, (places[0], layout.TRADING_STATUS, codes.STATUS_HALT), (places[1], layout.TRADING_STATUS, codes.STATUS_HALT),
        (places[2], layout.TRADING_STATUS, codes.TRADING), (places[3], layout.MIN_QUANTITY, 5), (places[3], layout.PEGGED, 1),
    )  # fmt: skip
    monkeypatch.setattr(tapes, "SEGMENT_ROWS", len(told) // 3)
    with markets.store(tmp_path / "s") as store:
        laid = markets.tape(tmp_path / "t", told)
        assert len(laid.manifest.segments) > 2
        done = ingest.ingest(store, laid, markets.judge())
        assert done.raw == done.accepted + done.quarantined + done.duplicates + done.other
        series = ("binance", "BTC/USDT")
        at = {when: store.lake.rules(series, when) for when in (halt - 1, halt, again, open_at - 1, open_at, least)}
        assert [row["status"] for row in at.values()] == [0, 1, 1, 1, 0, 0]
        assert [row["min_quantity"] for row in at.values()][-2:] == [markets.BTC.min_quantity, 5]
        assert store.lake.scan("rules", series).collect().height == 4
        assert store.lake.query("SELECT status FROM rules WHERE status > 0").height == 1
        assert verified(store).equal
        again_done = ingest.ingest(store, laid, markets.judge())
        assert again_done.known == again_done.segments and store.lake.scan("rules", series).collect().height == 4


def test_a_lake_of_an_older_release_learns_the_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files without it read as trading; what is added has it."""
    older = msgspec.structs.replace(
        projection.RULES, columns={name: field for name, field in projection.RULES.columns.items() if name != "status"}
    )
    with monkeypatch.context() as patch, markets.store(tmp_path / "s") as store:
        patch.setattr(projection, "RULES", older)
        patch.setitem(projection.TABLES, "rules", older)
        patch.setattr(lake_module, "GREW", {})
        patch.setattr(ingest, "RULE_NAMES", tuple(name for name in projection.RULE_NAMES if name != "status"))
        ingest.ingest(store, markets.tape(tmp_path / "a", markets.market(3)), markets.judge())
        assert "status" not in store.lake.scan("rules").collect().columns
    later = markets.START + codes.DAY
    with markets.store(tmp_path / "s") as store:
        made = ruled(markets.market(3, seed=2, first=later), (5, layout.TRADING_STATUS, codes.STATUS_HALT))
        ingest.ingest(store, markets.tape(tmp_path / "b", made), markets.judge())
        series = ("binance", "BTC/USDT")
        assert [store.lake.rules(series, at)["status"] for at in (later - 1, later + codes.HOUR)] == [0, 1]


def test_rules_are_known_as_of_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "a", markets.market(3)), markets.judge())
        coarser = [msgspec.structs.replace(markets.BTC, lot=10), markets.KRAKEN]
        monkeypatch.setattr(markets, "INSTRUMENTS", coarser)
        later = markets.START + 3 * codes.DAY
        ingest.ingest(store, markets.tape(tmp_path / "b", markets.market(3, seed=2, first=later)), markets.judge())
        monkeypatch.undo()
        series = ("binance", "BTC/USDT")
        assert store.lake.rules(series, markets.START - codes.DAY) == {}
        assert [store.lake.rules(series, at)["lot"] for at in (markets.START + codes.DAY, later + codes.DAY)] == [1, 10]
        assert store.lake.scan("rules").collect().height == 3
        assert verified(store).equal


@pytest.mark.parametrize(("every_s", "least"), [(5, 0.5), (20, 0.4), (40, 0.4)])
def test_a_source_that_speaks_seldom_by_habit_is_believed(tmp_path: Path, every_s: int, least: float) -> None:
    made = markets.market(60 * every_s // 5, per_minute=12)
    made["ts_local"] = markets.START + (made["ts_local"] - markets.START) * (every_s // 5)
    made["ts_venue"] = made["ts_local"] - 500
    made = made[made["ts_local"] < markets.START + codes.HOUR]
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "t", made), markets.judge())
        told = beliefs.believed(store.records, "binance:BTC/USDT")[0]
        assert told.quality > least and told.doubted < 0.1, told


def test_a_silence_that_is_no_habit_still_costs() -> None:
    made = markets.market(20, per_minute=12)
    assert habits(made, 2).tolist() == [3 * 5 * codes.SECOND] * 2
    few = made[:20]
    assert habits(few, 3).tolist() == [STALE_NS] * 3, "too little to know a habit"
    slow = made.copy()
    slow["ts_local"] = markets.START + (slow["ts_local"] - markets.START) * 100
    assert habits(slow, 2).tolist() == [SLOWEST_NS] * 2


def test_what_was_believed_is_kept_by_day(tmp_path: Path) -> None:
    """Means of one look a minute; a source that was doubted says for what; the same tape twice changes nothing."""
    made = markets.market(30, per_minute=12)
    wrong = (made["instrument"] == 1) & (made["kind"] == codes.QUOTE) & (made["ts_local"] > made["ts_local"][len(made) // 2])
    made["price"][wrong] = made["price"][wrong] * 2
    with markets.store(tmp_path / "s") as store:
        tape = markets.tape(tmp_path / "t", made)
        for _ in range(2):
            ingest.ingest(store, tape, markets.judge())
        honest, liar = (beliefs.believed(store.records, name)[0] for name in ("binance:BTC/USDT", "kraken:BTC/USDT"))
        assert honest.looks == liar.looks == 30 or abs(honest.looks - 30) <= 1
        assert (honest.doubted, honest.blame) == (0.0, "") and honest.quality > 0.5
        assert 0.3 < liar.doubted < 0.7 and liar.blame and liar.quality < honest.quality and liar.least == 0.0
        assert beliefs.believed(store.records, "binance:BTC/USDT:quote") == [honest]
        assert beliefs.believed(store.records, "z") == []


def test_a_recording_that_says_goodbye_is_not_doubted_for_it(tmp_path: Path) -> None:
    """Streams are down when a recording ends: the last look is taken before, at what was heard."""
    made = markets.market(1, per_minute=12)
    ends = rows(2)
    ends["kind"], ends["marks"], ends["strategy"], ends["instrument"], ends["source"] = (
        codes.STREAM,
        codes.WHOLE,
        -1,
        (0, 1),
        (0, 2),
    )
    ends["value"], ends["ref"] = codes.UNAVAILABLE, reasons.UNSUBSCRIBED
    ends["ts_local"] = ends["ts_venue"] = made["ts_local"][-1] + 1
    ends["stream_seq"] = [made["stream_seq"][made["source"] == source][-1] + 1 for source in (0, 2)]
    with markets.store(tmp_path / "s") as store:
        ingest.ingest(store, markets.tape(tmp_path / "t", np.concatenate([made, ends])), markets.judge())
        assert [(one.looks, one.doubted, one.blame) for one in beliefs.believed(store.records)] == [(1, 0.0, "")] * 2
