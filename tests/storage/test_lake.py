"""The lake keeps exactly what it was given, finds a range by its log, and reads the same in other readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import Instrument
from tradewind.domain.rows import Rows, pack_range, rows
from tradewind.storage.lake import Lake, Part, digest_of
from tradewind.storage.projection import OF_KIND, TABLES, Source, origin_of, pieces

BTC = Instrument(venue="binance", symbol="BTCUSDT", base="BTC", quote="USDT", price_exponent=1, quantity_exponent=5)
PERP = Instrument(venue="kraken", symbol="PF", base="BTC", quote="USD", price_exponent=2, quantity_exponent=0, payoff=codes.LINEAR)
ORIGIN = origin_of("80" + "0" * 62)
SOURCE = Source(ORIGIN, [BTC, PERP])
START = 19_700 * codes.DAY


def some(n: int, kind: int = codes.TRADE, seed: int = 3, step: int = codes.MINUTE) -> Rows:
    random = np.random.default_rng(seed)
    made = rows(n)
    made["kind"], made["marks"] = kind, codes.WHOLE
    made["instrument"] = random.integers(0, 2, n)
    made["ts_venue"] = START + np.arange(n) * step
    made["ts_local"] = made["ts_venue"] + 5
    made["price"], made["quantity"] = random.integers(600_000, 700_000, n), random.integers(1, 10**6, n)
    made["ref"], made["side"] = np.arange(n) + 1, random.integers(0, 2, n)
    return made


def cut(made: Rows, reasons: np.ndarray | None = None) -> list:
    return list(pieces(made, np.arange(len(made)), SOURCE, reasons))


def test_every_market_row_has_a_table_and_no_kind_two() -> None:
    kinds = [kind for table in TABLES.values() for kind in table.kinds]
    assert len(kinds) == len(set(kinds))
    assert set(range(codes.DEPTH, codes.CLOCK + 1)) == set(OF_KIND)


def test_rows_come_back_whole(tmp_path: Path) -> None:
    made = some(4000)
    lake = Lake(tmp_path)
    assert lake.append(cut(made)) == 4000
    back = lake.scan("trades").sort("at").collect()
    for column, field in TABLES["trades"].columns.items():
        assert (back[column].to_numpy() == made[field]).all(), column
    assert set(back["origin"]) == {ORIGIN}
    assert ORIGIN < 0
    assert back["instrument"].unique().sort().to_list() == ["BTC/USD:perp", "BTC/USDT"]
    assert lake.tables()[0].rows == 4000


def test_partitions_are_days_of_the_event(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(cut(some(4000)))
    parts = lake.parts("trades")
    assert len(parts) == 6
    assert parts[0] == Part("binance", "BTC/USDT", "2023-12-09")
    for part in parts:
        days = lake.part("trades", part)["ts_venue"] // codes.DAY
        assert days.n_unique() == 1


def test_bars_are_taken_apart(tmp_path: Path) -> None:
    made = some(3, codes.BAR)
    made["price"], made["ref"], made["value"] = [100, 90, 95], [95, 99, 95], [pack_range(3, 2), pack_range(0, 0), pack_range(1, -4)]
    lake = Lake(tmp_path)
    lake.append(cut(made))
    bars = lake.scan("bars").sort("at").collect()
    assert bars.select("open_units", "high_units", "low_units", "close_units").rows() == [
        (95, 103, 93, 100), (99, 99, 90, 90), (95, 96, 99, 95),
    ]  # fmt: skip


def test_a_range_is_what_lies_in_it(tmp_path: Path) -> None:
    made = some(5000)
    made["ts_venue"][::100] = 0  # a row without a venue's time is found by its local one
    lake = Lake(tmp_path)
    lake.append(cut(made))
    low, high = START + 1000 * codes.MINUTE, START + 1500 * codes.MINUTE
    found = lake.scan("trades", ("binance", "BTC/USDT"), low, high).collect()
    when = np.where(made["ts_venue"] > 0, made["ts_venue"], made["ts_local"])
    wanted = made[(when >= low) & (when < high) & (made["instrument"] == 0)]
    assert sorted(found["trade_id"]) == sorted(wanted["ref"].tolist())
    assert not lake.scan("trades", ("binance", "ETH/USDT"), low, high).collect().height


def test_other_readers_see_the_same(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(cut(some(2000)))
    lake.append(cut(some(1000, seed=4)))
    table = DeltaTable(str(tmp_path / "trades"))
    answer = QueryBuilder().register("t", table).execute("SELECT sum(price_units) AS x FROM t WHERE venue = 'binance'").read_all()
    ours = lake.scan("trades").filter(pl.col("venue") == "binance").select(pl.col("price_units").sum()).collect().item()
    assert answer["x"][0].as_py() == ours
    assert pl.scan_delta(str(tmp_path / "trades")).select(pl.len()).collect().item() == 3000


def test_query_speaks_plain_numbers(tmp_path: Path) -> None:
    made = some(2)
    made["instrument"] = 0
    made["price"], made["quantity"] = 123_456, 250_000
    lake = Lake(tmp_path)
    lake.append(cut(made))
    answer = lake.query("SELECT price, quantity, ts FROM trades LIMIT 1").row(0)
    assert answer[:2] == (12345.6, 2.5)
    assert answer[2].isoformat().startswith("2023-12-09T00:00:00")
    with pytest.raises(BadUse) as told:
        lake.query("SELECT nothing FROM trades")
    assert "trades" in str(told.value)


def test_compaction_and_pruning_change_no_row(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    whole = some(3000)
    for start in range(0, 3000, 500):
        part = whole[start : start + 500]
        lake.append(list(pieces(part, np.arange(start, start + 500), SOURCE)))
    before = lake.digests("trades")
    files = lake.tables()[0].files
    assert lake.compact("trades") == files - len(before)
    assert lake.tables()[0].files == len(before)
    assert lake.digests("trades") == before
    assert lake.compact("trades") == 0
    gone = lake.prune("trades", "2023-12-10")
    assert gone == (whole["ts_venue"] < START + codes.DAY).sum()
    assert {part.day for part in lake.parts("trades")} == {"2023-12-10", "2023-12-11"}
    assert lake.vacuum("trades", hours=0) >= files
    assert lake.scan("trades").collect().height == 3000 - gone


def test_replace_touches_one_partition(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(cut(some(3000)))
    before = lake.digests("trades")
    part = Part("binance", "BTC/USDT", "2023-12-10")
    lake.replace("trades", part, lake.part("trades", part).head(7))
    after = lake.digests("trades")
    assert {key for key in before if before[key] != after[key]} == {part}
    assert lake.part("trades", part).height == 7
    lake.replace("trades", part, lake.part("trades", part).clear())
    assert part not in lake.parts("trades")


def test_a_digest_knows_every_cell_and_no_order(tmp_path: Path) -> None:
    frame = cut(some(100))[0].frame
    told = digest_of(frame)
    assert digest_of(frame.sample(fraction=1.0, shuffle=True, seed=1)) == told
    for name in frame.columns:
        changed = frame.with_columns(
            pl.when(pl.int_range(pl.len()) == 3).then(pl.col(name) ^ 1).otherwise(pl.col(name)).alias(name)
        )
        assert digest_of(changed) != told, name


def test_a_url_serves_as_root(tmp_path: Path) -> None:
    lake, plain = Lake(f"file://{tmp_path}/remote"), Lake(tmp_path / "plain")
    for kept in (lake, plain):
        kept.append(cut(some(2000)))
    assert lake.digests("trades") == plain.digests("trades")
    part = lake.parts("trades")[1]
    lake.replace("trades", part, lake.part("trades", part).head(3))
    assert lake.part("trades", part).height == 3
    assert lake.compact("trades") == 0


def test_refused_rows_are_kept_whole(tmp_path: Path) -> None:
    made = some(50)
    lake = Lake(tmp_path)
    lake.append(cut(made, np.full(50, 125, np.int16)))
    kept = lake.scan("quarantine").sort("at").collect()
    assert set(kept["reason"]) == {125}
    assert (kept["ref"].to_numpy() == made["ref"]).all()
    assert (kept["kind"].to_numpy() == codes.TRADE).all()
