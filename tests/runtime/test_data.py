"""The commands of the data fabric, from words to answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fabric import markets
from fabric.test_datasets import SPEC, lay_out
from tradewind.cli import main
from tradewind.fabric import frames, ingest, sieve
from tradewind.fabric.raw import open_raw
from tradewind.fabric.verify import verify
from tradewind.runtime import data
from tradewind.storage.lake import Lake
from tradewind.storage.marketlog import MarketLog
from tradewind.storage.projection import TABLES, Piece, schema


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command on a store in the test's folder and gives (exit code, answer)."""
    assert data.take  # imported before its neighbours are replaced
    loop = frames.Loop
    monkeypatch.setattr(sieve, "Judge", lambda *_: markets.judge())
    monkeypatch.setattr(frames, "Loop", lambda names, **_: loop(names, compiled=False))

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        code = main([*words, "--store", str(tmp_path / "store"), "--json"])
        out, said = capsys.readouterr()
        assert code in (0, 2, 3), said
        return code, json.loads(out)

    return run


def test_a_store_from_tape_to_dataset(told: Any, tmp_path: Path) -> None:
    spec = lay_out(tmp_path)
    code, answer = told("data", "ingest", str(tmp_path / "tape"))
    assert code == 0
    assert answer["raw"] == answer["accepted"] + answer["quarantined"] + answer["duplicates"]
    assert answer["entries"] == answer["quarantined"] == 1
    code, covered = told("data", "coverage", "--series", "binance:BTC/USDT:trade")
    assert [(row["day"], row["quarantined"]) for row in covered["coverage"]] == [("2023-12-09", 1)]
    _, told_page = told("data", "quality", "--out", str(tmp_path / "q.html"))
    text = Path(told_page["report"]).read_text()
    assert "IMPOSSIBLE_JUMP" in text
    assert "http-equiv" in text
    assert "How far each source was believed" in text
    assert {one["venue"] for one in told_page["trust"]} == {"binance", "kraken"}
    assert all(0.0 <= one["quality"] <= 1.0 and one["trust"] > 0.5 and one["looks"] > 0 for one in told_page["trust"])
    code, answer = told("data", "query", "SELECT count(*) AS n, max(price) AS top FROM trades WHERE venue = 'kraken'")
    assert answer["rows"][0]["n"] == 240
    assert 50_000 < answer["rows"][0]["top"] < 70_000
    code, answer = told("data", "export", "trades", "--series", "kraken:BTC/USDT", "--out", str(tmp_path / "x.parquet"))
    assert answer["rows"] == pl.read_parquet(tmp_path / "x.parquet").height == 240
    code, answer = told("data", "compact")
    assert code == 0
    code, answer = told("data", "verify")
    assert (code, answer["equal"], answer["differs"]) == (0, True, [])
    code, first = told("dataset", "build", str(spec))
    code, listed = told("data", "quarantine", "list", "--state", "held")
    code, answer = told("data", "quarantine", "release", listed["entries"][0]["id"], "--by", "me")
    assert (answer["rows"], answer["datasets"]) == (1, [first["id"]])
    code, second = told("dataset", "build", str(spec))
    code, answer = told("dataset", "diff", first["id"], second["id"])
    assert answer["causes"][0].startswith("quarantine:")
    code, answer = told("dataset", "show", "short", "--out", str(tmp_path / "card.html"))
    assert (answer["id"], answer["state"], answer["rows"]) == (second["id"], "valid", second["rows"])
    assert second["id"] in (tmp_path / "card.html").read_text()
    assert [row["state"] for row in told("dataset", "list")[1]["datasets"]] == ["stale", "valid"]
    assert told("dataset", "gc")[1]["removed"] == [first["id"]]


def test_a_lake_that_differs_is_bad_data(told: Any, tmp_path: Path) -> None:
    lay_out(tmp_path)
    told("data", "ingest", str(tmp_path / "tape"))
    file = tmp_path / "tape" / "00000.rows"
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(bytes(data))
    code, answer = told("data", "verify")
    assert code == 3
    assert not answer["equal"]


def test_observations_from_the_command_line(told: Any, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("value,event,published\n0.0001,2024-01-01,2024-01-01\n")
    code, answer = told("data", "observe", "funding", str(tmp_path / "f.csv"), "--tape", str(tmp_path / "f"), "--unit", "rate")
    assert (code, answer["rows"]) == (0, 1)
    assert told("data", "query", "SELECT value_e9 FROM observations")[1]["rows"] == [{"value_e9": 100_000}]


@pytest.mark.parametrize(
    "words",
    [
        ("data", "ingest", "nowhere"), ("data", "quarantine", "drop"), ("data", "quarantine", "release"),
        ("data", "query", "SELECT"), ("data", "export", "trades", "--out", "x.txt"),
        ("data", "export", "nothing", "--out", "x.csv"), ("dataset", "build", "none.toml"), ("dataset", "show", "nothing"),
        ("data", "download", "nowhere:X", "--first", "2024-01-01", "--last", "2024-01-02"),
        ("data", "download", "binance:BTCUSDT", "--first", "soon", "--last", "2024-01-02"),
    ],
)  # fmt: skip
def test_bad_use_is_told_with_code_two(told: Any, words: tuple[str, ...]) -> None:
    code, answer = told(*words)
    assert code == 2
    assert answer["error"]["expected"]


def test_a_card_escapes_what_it_shows(told: Any, tmp_path: Path) -> None:
    told("dataset", "build", str(lay_out(tmp_path, text=SPEC.replace('"short"', '"<script>x</script>"'))))
    told("dataset", "show", "<script>x</script>", "--out", str(tmp_path / "card.html"))
    assert "<script>x</script>" not in (tmp_path / "card.html").read_text()


def test_a_recording_is_taken_like_a_tape(tmp_path: Path) -> None:
    made = markets.market(4, wild=(5,))
    (tmp_path / "live").mkdir()
    with MarketLog(tmp_path / "live" / "market", markets.INSTRUMENTS, markets.STREAMS, "a test") as log:
        log.append(made)
    with markets.store(tmp_path / "s") as store:
        done = ingest.ingest(store, open_raw(tmp_path / "live"), markets.judge())
        assert (done.raw, done.quarantined) == (len(made), 1)
        again = ingest.ingest(store, markets.tape(tmp_path / "t", made), markets.judge())
        assert again.known == 1, "the same rows have the same digest"
        assert verify(store, judge_for=lambda _: markets.judge()).equal


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_what_is_exported_and_taken_in_again_gives_the_same_digests(told: Any, tmp_path: Path, ending: str) -> None:
    """Every table, every partition: nothing is rounded, renamed or left out on the way to a file and back."""
    lay_out(tmp_path)
    told("data", "ingest", str(tmp_path / "tape"))
    lake, again = Lake(tmp_path / "store" / "lake"), Lake(tmp_path / "again")
    filled = [table.table for table in lake.tables() if table.rows]
    assert {"trades", "quotes", "quarantine", "minutes"} <= set(filled)
    for name in filled:
        file = tmp_path / f"{name}.{ending}"
        code, answer = told("data", "export", name, "--out", str(file))
        kinds = schema(TABLES[name])
        parts = {"venue": pl.String(), "instrument": pl.String(), "day": pl.Date()}
        frame = pl.read_parquet(file) if ending == "parquet" else pl.read_csv(file, schema_overrides={**kinds, **parts})
        assert code == 0 and answer["rows"] == frame.height > 0
        for (venue, instrument, day), part in frame.group_by("venue", "instrument", "day"):
            again.append([Piece(name, venue, instrument, str(day), part.select(*kinds))])
        assert again.digests(name) == lake.digests(name), name
