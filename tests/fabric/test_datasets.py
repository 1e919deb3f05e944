"""A dataset's id names its content: the same anywhere, another for one flipped bit, and every row can be made by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadData, BadUse
from tradewind.fabric import datasets, frames, ingest, quarantine, spec
from tradewind.fabric.differences import diff
from tradewind.fabric.store import Store

from . import markets

SPEC = """
name = "short"
tapes = ["tape"]
[rows]
instruments = ["binance:BTC/USDT", "kraken:BTC/USDT"]
every = "1m"
[features]
names = ["sma", "returns"]
[label]
kind = "forward_return"
horizon = 3
"""
MINUTES = 40


def judged(_: object) -> object:
    return markets.judge()


def build(store: Store, path: Path) -> datasets.Built:
    return datasets.build(store, path, judge_for=judged, compiled=False)


def lay_out(folder: Path, *, wild: tuple[int, ...] = (100,), text: str = SPEC) -> Path:
    """A tape and its specification in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tape").exists():
        markets.tape(folder / "tape", markets.market(MINUTES, wild=wild))
    (folder / "spec.toml").write_text(text)
    return folder / "spec.toml"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    with markets.store(tmp_path / "s") as found:
        yield found


def test_rows_can_be_made_by_hand(store: Store, tmp_path: Path) -> None:
    path = lay_out(tmp_path)
    made = build(store, path)
    frame = datasets.load(store, made.id)
    rows = markets.market(MINUTES, wild=(100,))
    assert made.rows == frame.height == 2 * MINUTES + 1  # the first trade of one venue happened in the minute before
    for number, instrument in enumerate(markets.INSTRUMENTS):
        mine = frame.filter(pl.col("instrument") == instrument.name)
        trades = rows[(rows["kind"] == codes.TRADE) & (rows["instrument"] == number) & (rows["ref"] != 101)]
        ends = (trades["ts_venue"] // codes.MINUTE + 1) * codes.MINUTE
        closes = [int(trades["price"][ends == end][-1]) / 10.0 for end in mine["ts"]]
        assert mine["close"].to_list() == closes
        wanted = [closes[n + 3] / closes[n] - 1.0 for n in range(len(closes) - 4)]  # the tape ends inside the last bar
        assert mine["label"].to_list() == [*wanted, None, None, None, None]
        window = int(next(iter(datasets.manifest_of(store, made.id).features.values())))
        sma = next(name for name in mine.columns if name.startswith("sma."))
        assert mine[sma].null_count() == window - 1
        assert mine[sma][-1] == pytest.approx(np.mean(closes[-window:]), rel=1e-12)


def test_what_is_tainted_is_flagged(store: Store, tmp_path: Path) -> None:
    frame = datasets.load(store, build(store, lay_out(tmp_path)).id)
    manifest = datasets.manifest_of(store, datasets.find(store, "short"))
    back, ahead = max(manifest.features.values()) - 1, 3
    for name in ("binance:BTC/USDT", "kraken:BTC/USDT"):
        mine = frame.filter(pl.col("instrument") == name)
        bad = np.flatnonzero(mine["bar_tainted"].to_numpy())
        assert len(bad) == (2 if name.startswith("binance") else 1) and bad[-1] == mine.height - 1, "the tape ends inside the last"
        wanted = {n for at in bad for n in range(at - ahead, at + back + 1) if 0 <= n < mine.height}
        assert set(np.flatnonzero(mine["tainted"].to_numpy())) == wanted
    assert [quality.refused for quality in manifest.quality] == [{"IMPOSSIBLE_JUMP": 1}, {}]
    assert (manifest.label_horizon_ns, manifest.quality[0].unlabelled) == (3 * codes.MINUTE, 4)
    assert manifest.inputs[0].digest == json.loads((tmp_path / "tape" / "tape.json").read_text())["segments"][0]["sha256"]


def test_a_gap_taints_whoever_looks_across_it() -> None:
    minute, name = codes.MINUTE, "binance:BTC/USDT"
    ends = np.array([1, 2, 3, 9, 10, 11, 12]) * minute  # four to eight are missing
    gap = {"venue": "binance", "instrument": "BTC/USDT", "start_ns": 3 * minute, "stop_ns": 8 * minute}
    sifted = frames.Sifted(gaps=[gap], refused={name: [(11 * minute - 1, 125)]})
    taint = frames._tainted(ends, minute, name, sifted)
    assert taint.tolist() == [False, False, False, True, False, True, False]
    assert frames._tainted(ends, minute, "kraken:BTC/USDT", sifted).sum() == 0
    assert frames._reached(taint, 1, 2).tolist() == [False, True, True, True, True, True, True]
    assert frames._reached(taint, 0, 0).tolist() == taint.tolist()


def test_no_label_looks_over_missing_bars_or_at_one_that_is_cut() -> None:
    """So none reaches further than the horizon that a split purges, into a gap, or beyond the data."""
    minute = codes.MINUTE
    ends = np.array([1, 2, 3, 4, 9, 10, 11, 12]) * minute
    cut = frames._cut(ends, minute, [(0, 4 * minute), (8 * minute, 11 * minute + 30 * codes.SECOND)])
    assert cut.tolist() == [False] * 7 + [True]
    assert frames._astray(ends, minute, 2, cut).tolist() == [False, False, True, True, False, True, True, True]
    assert frames._astray(ends[:2], minute, 2, cut[:2]).all() and frames._astray(ends[:0], minute, 2, cut[:0]).tolist() == []
    cut = frames._cut(ends, minute, [(30 * codes.SECOND, 2 * minute), (2 * minute + 1, 12 * minute)])
    assert cut.tolist() == [True] + [False] * 7, "tapes that go on from one another cut nothing"


@pytest.mark.parametrize(("ahead_s", "cut"), [(0, [6]), (-20, [0]), (20, [0, 6])])
def test_a_tape_ends_by_the_clock_of_its_venue(tmp_path: Path, ahead_s: int, cut: list[int]) -> None:
    """Bars are of venue time: where the recorder's clock is off, the bar that its tape cuts is another one."""
    made = markets.market(7)
    made = made[made["ts_local"] < markets.START + 6 * codes.MINUTE + 30 * codes.SECOND]
    made["ts_venue"] += ahead_s * codes.SECOND
    sifted = frames.Sifted()
    with markets.store(tmp_path / "s") as store:
        frames._sift(store, markets.tape(tmp_path / "t", made), sifted, markets.judge())
    ends = (markets.START // codes.MINUTE + 1 + np.arange(-1 if ahead_s < 0 else 0, 7)) * codes.MINUTE
    found = np.flatnonzero(frames._cut(ends, codes.MINUTE, sifted.spans["binance:BTC/USDT"])).tolist()
    assert found == cut, found


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from fabric import markets
from tradewind.fabric import datasets
compiled = sys.argv[4] == "compiled"
judge = None if compiled else markets.judge()
with markets.store(Path(sys.argv[3])) as store:
    print(datasets.build(store, Path(sys.argv[2]), judge_for=lambda tape: judge, compiled=compiled).id)
"""


def child(folder: Path, how: str, **variables: str) -> str:
    """The id that another process gives for the specification in a folder."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    tests = Path(__file__).parent.parent
    env |= {"PYTHONPATH": os.pathsep.join(sys.path), **variables}
    call = [sys.executable, "-c", CHILD, str(tests), str(folder / "spec.toml"), str(folder / "store"), how]
    done = subprocess.run(call, env=env, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_one_specification_gives_one_id_everywhere(store: Store, tmp_path: Path) -> None:
    here = build(store, lay_out(tmp_path / "a")).id
    for n, (seed, threads) in enumerate((("0", "1"), ("4711", "3"))):
        lay_out(tmp_path / f"other-{n}")
        assert child(tmp_path / f"other-{n}", "plain", PYTHONHASHSEED=seed, POLARS_MAX_THREADS=threads) == here


@pytest.mark.scenario
def test_another_processor_gives_the_same_id(store: Store, tmp_path: Path) -> None:
    """Uncompiled here against compiled for a processor without FMA and AVX, with a C library that must do without them."""
    here = build(store, lay_out(tmp_path / "a")).id
    lay_out(tmp_path / "b")
    hidden = "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F,-AVX2_Usable,-FMA_Usable"
    cache = str(tmp_path / "generic")
    found = child(
        tmp_path / "b", "compiled", NUMBA_CPU_NAME="generic", GLIBC_TUNABLES=hidden, NUMBA_CACHE_DIR=cache, TRADEWIND_CACHE=cache
    )
    assert found == here


def test_one_flipped_raw_bit_changes_the_id(store: Store, tmp_path: Path) -> None:
    """Any bit, even one that no column shows; and in a tape that is not sound in itself, nothing is built."""
    here = datasets.manifest_of(store, build(store, lay_out(tmp_path / "a")).id)
    rows = markets.market(MINUTES, wild=(100,))
    trade = int(np.flatnonzero((rows["kind"] == codes.TRADE) & (rows["instrument"] == 0))[60])  # the last of its bar
    seen, content = {here.id}, []
    for field in ("price", "quantity", "account"):
        changed = rows.copy()
        changed[field][trade] ^= 1
        (tmp_path / field).mkdir()
        markets.tape(tmp_path / field / "tape", changed)
        made = datasets.manifest_of(store, build(store, lay_out(tmp_path / field)).id)
        seen.add(made.id)
        content.append(made.content)
    assert len(seen) == 4
    assert content[0] != content[1] != here.content
    assert content[2] == here.content
    file = tmp_path / "a" / "tape" / "00000.rows"
    data = bytearray(file.read_bytes())
    data[64 * trade + 32] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(BadData, match="sha256"):
        build(store, tmp_path / "a" / "spec.toml")


def test_a_dataset_never_changes(store: Store, tmp_path: Path) -> None:
    made = build(store, lay_out(tmp_path))
    stamp = made.manifest.stat().st_mtime_ns
    again = build(store, lay_out(tmp_path / "elsewhere"))
    assert (again.id, again.new, made.new) == (made.id, False, True)
    assert made.manifest.stat().st_mtime_ns == stamp
    assert not made.manifest.stat().st_mode & 0o222
    rows = made.manifest.parent / datasets.ROWS_FILE
    rows.chmod(0o644)
    pl.read_parquet(rows).with_columns(pl.col("close") * 1.0000001).write_parquet(rows)
    with pytest.raises(BadData, match="not those"):
        datasets.load(store, made.id)


def test_a_release_makes_exactly_its_readers_stale(store: Store, tmp_path: Path) -> None:
    path = lay_out(tmp_path)
    ingest.ingest(store, datasets.Tape.open(tmp_path / "tape"), markets.judge())
    first = build(store, path)
    early = SPEC.replace('every = "1m"', 'every = "1m"\nstop = "2023-12-09T08:05:00"').replace('"short"', '"early"')
    other = build(store, lay_out(tmp_path, text=early))
    lone = build(store, lay_out(tmp_path, text=SPEC.replace('"binance:BTC/USDT", ', "").replace('"short"', '"lone"')))
    released = quarantine.release(store, quarantine.entries(store)[0].id)
    assert released.datasets == [first.id]
    states = {row["id"]: row["state"] for row in store.records.rows("datasets")}
    assert states == {first.id: "stale", other.id: "valid", lone.id: "valid"}
    again = build(store, lay_out(tmp_path))
    assert again.id != first.id
    assert datasets.manifest_of(store, again.id).released == [released.id]
    found = diff(store, first.id, again.id)
    assert (found.only_a, found.only_b) == (0, 0)
    assert found.columns["bar_tainted"] == 1
    assert found.causes == [f"quarantine: entry {released.id} was released before b was made"]
    assert datasets.collect(store) == [first.id]
    assert not (store.datasets / first.id).exists()
    assert (store.datasets / again.id).exists()


def test_diff_names_rows_and_cause(store: Store, tmp_path: Path) -> None:
    a = build(store, lay_out(tmp_path / "a"))
    changed = markets.market(MINUTES, wild=(100,))
    at = int(np.flatnonzero((changed["kind"] == codes.TRADE) & (changed["instrument"] == 1))[-1])
    changed["price"][at] += 7
    (tmp_path / "b").mkdir()
    markets.tape(tmp_path / "b" / "tape", changed)
    b = build(store, lay_out(tmp_path / "b"))
    found = diff(store, a.id, b.id)
    assert not found.equal
    assert found.columns["close"] == 1
    assert found.examples[0]["instrument"] == "kraken:BTC/USDT"
    assert [cause.split(":")[0] for cause in found.causes] == ["raw data", "raw data"]
    c = build(store, lay_out(tmp_path / "a", text=SPEC.replace("horizon = 3", "horizon = 4")))
    assert diff(store, a.id, c.id).causes == ["specification: label.horizon is 3 in a, 4 in b"]
    same = diff(store, "short", c.id)
    assert same.equal
    assert not same.causes


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("1m", "7m"), "timeframe"), (("horizon = 3", "horizon = 0"), "horizon"), (('["tape"]', "[]"), "tapes"),
        (("sma", "nosuch"), "nosuch"), (("binance:BTC", "binance:DOGE"), "DOGE"), (("forward_return", "oracle"), "oracle"),
        (("[label]", "[labels]"), "labels"), (('every = "1m"', 'every = "1m"\nstart = "noon"'), "noon"),
    ],
)  # fmt: skip
def test_a_bad_specification_is_told(store: Store, tmp_path: Path, change: tuple[str, str], told: str) -> None:
    with pytest.raises(BadUse) as error:
        build(store, lay_out(tmp_path, text=SPEC.replace(*change)))
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("change", "where", "todo"),
    [
        (("binance:BTC/USDT", "binance:BTC/USD"), "rows.instruments", "did you mean binance:BTC/USDT?"),
        (("forward_return", "forward"), "label.kind", ""), (("sma", "nosuch"), "features.names", ""),
    ],
)  # fmt: skip
def test_a_wrong_name_is_told_before_any_row_is_judged(
    store: Store, tmp_path: Path, change: tuple[str, str], where: str, todo: str
) -> None:
    said: list[str] = []
    with pytest.raises(BadUse) as error:
        datasets.build(store, lay_out(tmp_path, text=SPEC.replace(*change)), said.append, judged, compiled=False)
    assert where in error.value.where and error.value.todo == todo
    assert not [line for line in said if line.startswith(("judging", "features of"))]


def test_name_and_place_are_no_content(tmp_path: Path) -> None:
    one = spec.read(lay_out(tmp_path))
    assert msgspec.structs.replace(one, name="x", tapes=["y"]).content() == one.content()
    assert msgspec.structs.replace(one, label=spec.Label(horizon=2)).content() != one.content()


def test_the_schema_is_published(repo: Path) -> None:
    assert spec.reference() in (repo / "docs/datasets.md").read_text()
