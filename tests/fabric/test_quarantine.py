"""A release brings back exactly what was refused, and touches exactly what depended on it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadUse, Corrupt
from tradewind.fabric import catalogue, ingest, quarantine
from tradewind.fabric.store import Store
from tradewind.fabric.verify import verify
from tradewind.storage.projection import TABLES

from . import markets


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = markets.market(12, wild=(40, 41, 101))
    with markets.store(tmp_path / "s") as found:
        ingest.ingest(found, markets.tape(tmp_path / "t", made), markets.judge())
        yield found


def everything(store: Store) -> dict[str, dict]:
    return {table: store.lake.digests(table) for table in TABLES}


def test_entries_tell_reason_and_lineage(store: Store) -> None:
    found = quarantine.entries(store)
    assert [(entry.venue, entry.why, entry.rows) for entry in found] == [
        ("binance", "IMPOSSIBLE_JUMP", 1), ("kraken", "IMPOSSIBLE_JUMP", 1), ("kraken", "IMPOSSIBLE_JUMP", 1),
    ]  # fmt: skip
    assert {entry.state for entry in found} == {"held"}
    assert found[0].digest == store.records.rows("segments")[0]["digest"]
    assert found[0].example.startswith("TRADE 7")
    assert quarantine.entries(store, series="kraken:BTC") == found[1:]


def test_release_changes_its_minute_and_nothing_else(store: Store) -> None:
    entry = quarantine.entries(store)[0]
    before, bars = everything(store), store.lake.scan("minutes", ("binance", "BTC/USDT")).sort("ts_venue").collect()
    done = quarantine.release(store, entry.id, "me", "it was real")
    event = entry.first_ts - 10 - 490
    assert done.bars == [(event // codes.MINUTE + 1) * codes.MINUTE]
    after, new = everything(store), store.lake.scan("minutes", ("binance", "BTC/USDT")).sort("ts_venue").collect()
    changed = {(table, part) for table in TABLES for part in before[table] if before[table][part] != after[table].get(part)}
    assert {(table, part.venue) for table, part in changed} == {
        ("trades", "binance"), ("minutes", "binance"), ("quarantine", "binance"),
    }  # fmt: skip
    differing = [row[1] for row, was in zip(new.iter_rows(), bars.iter_rows(), strict=True) if row != was]
    assert differing == done.bars
    assert quarantine.entries(store, state="released")[0].note == "it was real"
    covered = {row.series: row for row in catalogue.coverage(store)}
    assert covered["binance:BTC/USDT:trade"].quarantined == 0
    assert covered["kraken:BTC/USDT:trade"].quarantined == 2


def test_a_release_is_part_of_the_proof(store: Store) -> None:
    quarantine.release(store, quarantine.entries(store)[1].id)
    found = verify(store, judge_for=lambda _: markets.judge())
    assert found.equal, found
    assert sum(row["accepted"] for row in store.records.rows("segments")) == 12 * 6 * 2 * 3 - 2


def test_a_second_release_changes_nothing(store: Store) -> None:
    entry = quarantine.entries(store)[0]
    quarantine.release(store, entry.id)
    before, counted = everything(store), store.records.rows("segments")
    again = quarantine.release(store, entry.id)
    assert (again.rows, again.bars) == (1, [])
    assert (everything(store), store.records.rows("segments")) == (before, counted)


@pytest.mark.parametrize("cut", ["_mark_stale", "_recount", "_leave_quarantine"])
def test_a_release_that_was_cut_is_finished_by_the_next(store: Store, cut: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = quarantine.entries(store)[0]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(quarantine, cut, interrupt)
        quarantine.release(store, entry.id)
    quarantine.release(store, entry.id)
    assert verify(store, judge_for=lambda _: markets.judge()).equal


def test_confirm_keeps_it_out(store: Store) -> None:
    before = everything(store)
    entry = quarantine.entries(store)[0]
    assert quarantine.confirm(store, entry.id, "me").state == "confirmed"
    assert everything(store) == before
    assert [found.id for found in quarantine.entries(store, state="confirmed")] == [entry.id]
    quarantine.release(store, entry.id)
    with pytest.raises(BadUse, match="released"):
        quarantine.confirm(store, entry.id)
    with pytest.raises(BadUse, match="no entry"):
        quarantine.release(store, "nothing")


def test_another_raw_row_is_not_released(store: Store, tmp_path: Path) -> None:
    entry = quarantine.entries(store)[0]
    file = tmp_path / "t" / "00000.rows"
    data = bytearray(file.read_bytes())
    data[entry.first_at * 64 + 32] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(Corrupt, match="not those"):
        quarantine.release(store, entry.id)


def test_what_never_became_a_row_is_quarantined_and_confirmed(tmp_path: Path) -> None:
    made = markets.market(4)
    tape = markets.tape(tmp_path / "t", made)
    said = {"refused": {"no local time": 3}, "first_refusals": {"no local time": "a.gz, line 7: 'x'"}}
    tape.manifest = msgspec.structs.replace(
        tape.manifest, notes=said | {"streams": {"kraken": {"refused": {"nested too deep": 2}}}}
    )
    with markets.store(tmp_path / "s") as store:
        done = ingest.ingest(store, tape, markets.judge())
        assert done.raw == done.accepted + done.quarantined + done.duplicates and done.quarantined == 5
        (segment,) = store.records.rows("segments")
        assert segment["rows"] == segment["accepted"] + 5 == tape.rows + 5
        found = {entry.venue: entry for entry in quarantine.entries(store)}
        assert {venue: entry.rows for venue, entry in found.items()} == {"binance,kraken": 3, "kraken": 2}
        assert {entry.why for entry in found.values()} == {"UNREAD"}
        assert found["binance,kraken"].example == "no local time: a.gz, line 7: 'x'"
        with pytest.raises(BadUse, match="before it became a row"):
            quarantine.release(store, found["kraken"].id)
        assert quarantine.confirm(store, found["kraken"].id).state == "confirmed"
        again = ingest.ingest(store, tape, markets.judge())
        assert again.duplicates == again.raw == tape.rows + 5
        assert len(quarantine.entries(store)) == 2
