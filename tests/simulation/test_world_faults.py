"""Every fault a world can put into its feeds is there, is written down, and heals."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest

from tradewind.domain import codes
from tradewind.domain.codes import BUY, DEPTH, FIRST, LAST, RESYNC, SECOND, SELL, SNAPSHOT, STREAM, TRADE
from tradewind.domain.rows import Rows
from tradewind.simulation.world import FaultSpec, Truth, World, default_spec, every_fault, layout, stylised

SPEC = msgspec.structs.replace(default_spec(20 * SECOND), depegs_per_day=0.0)
PLACE = "coinbase:BTC/USD"
AT, LENGTH = 8 * SECOND, 4 * SECOND
START = SPEC.start_ns + AT


def run(kind: str, place: str = PLACE, seed: int = 4, **more: float) -> tuple[World, Rows, Truth]:
    """The world with one planned fault: itself, the rows of the place's depth and trade streams, and the one truth."""
    plan = (FaultSpec(kind=kind, place=place, at_ns=AT, duration_ns=LENGTH, **more),)  # type: ignore[arg-type]
    world = World(msgspec.structs.replace(SPEC, faults=plan), seed)
    rows = np.concatenate(list(world.chunks()))
    (truth,) = world.faults
    assert truth.kind == kind and truth.place == place and truth.start_ns == START
    assert truth.end_ns >= START + (0 if kind == "wick" else LENGTH)
    return world, rows, truth


def depth_of(rows: Rows, truth: Truth) -> Rows:
    return rows[rows["source"] == truth.source]


def breaks(depth: Rows) -> list[int]:
    """Arrival of every message that does not continue its forerunner's ids."""
    found, last = [], None
    for row in depth[depth["kind"] == DEPTH]:
        if row["marks"] & FIRST and last is not None and not row["marks"] & SNAPSHOT and row["value"] != last:
            found.append(int(row["ts_local"]))
        last = int(row["ref"])
    return found


def assert_resynced(depth: Rows, truth: Truth) -> None:
    joined = depth[(depth["marks"] & RESYNC != 0) & (depth["marks"] & FIRST != 0)]
    assert joined.size == 1
    assert joined["ts_venue"][0] == truth.end_ns
    assert joined["marks"][0] & SNAPSHOT
    assert not breaks(depth[depth["ts_local"] > joined["ts_local"][0]])


@pytest.mark.parametrize(("kind", "broken"), [("dropped", 1), ("duplicated", 1), ("swapped", 3), ("stale_book", 0)])
def test_a_broken_chain_is_broken_as_said_and_rejoined(kind: str, broken: int) -> None:
    _, rows, truth = run(kind)
    depth = depth_of(rows, truth)
    assert len(breaks(depth)) == broken
    assert all(START <= t <= truth.end_ns + SECOND for t in breaks(depth))
    assert_resynced(depth, truth)
    if kind == "stale_book":
        during = rows[(rows["instrument"] == truth.instrument) & (rows["ts_venue"] > START) & (rows["ts_venue"] < truth.end_ns)]
        assert np.any(during["kind"] == TRADE) and not np.any(during["kind"] == DEPTH)


def test_a_gap_is_announced() -> None:
    _, rows, truth = run("gap")
    mine = rows[(rows["instrument"] == truth.instrument) & (rows["ts_venue"] >= START) & (rows["ts_venue"] < truth.end_ns)]
    assert np.all(mine["kind"] == STREAM) and np.all(mine["value"] == codes.GAP) and mine.size == 2
    assert_resynced(depth_of(rows, truth), truth)


def test_a_frozen_venue_is_silent_and_then_goes_on() -> None:
    _, rows, truth = run("frozen", "binance:BTC/USDT")
    mine = rows[rows["instrument"] == truth.instrument]
    assert not np.any((mine["ts_venue"] > START) & (mine["ts_venue"] < truth.end_ns))
    assert np.any(mine["ts_venue"] > truth.end_ns)
    assert not breaks(depth_of(rows, truth)) and not np.any(mine["marks"] & RESYNC)


def test_a_decimal_shift_moves_the_point() -> None:
    _, rows, truth = run("decimal_shift")
    mine = rows[rows["instrument"] == truth.instrument]
    shifted = mine["price"] > 5 * np.median(mine["price"])
    assert np.count_nonzero(shifted) == truth.params["rows"] > 0
    assert np.all((mine["ts_venue"][shifted] >= START) & (mine["ts_venue"][shifted] <= truth.end_ns))
    assert_resynced(depth_of(rows, truth), truth)


def test_a_crossed_book_is_crossed_until_the_snapshot() -> None:
    world, rows, truth = run("crossed", magnitude=0.002)
    best, _ = stylised.touches(rows, truth.instrument)
    crossed = best[best[:, 1] >= best[:, 3]]
    assert crossed.shape[0] > 0
    assert crossed[0, 0] >= START and crossed[-1, 0] <= truth.end_ns + SECOND
    assert crossed[0, 1] / crossed[0, 3] - 1 == pytest.approx(0.002, rel=0.05)
    assert_resynced(depth_of(rows, truth), truth)
    healthy, _ = stylised.touches(np.concatenate(list(World(SPEC, 4).chunks())), truth.instrument)
    assert np.all(healthy[:, 1] < healthy[:, 3])
    assert world.instruments[truth.instrument].name == PLACE


def test_a_wick_prints_and_leaves_the_book_alone() -> None:
    _, rows, truth = run("wick", magnitude=-0.1)
    prints = rows[(rows["instrument"] == truth.instrument) & (rows["kind"] == TRADE)]
    off = prints["price"] < 0.95 * np.median(prints["price"])
    assert np.count_nonzero(off) == truth.params["rows"] == 3
    assert np.all(prints["side"][off] == SELL)
    best, _ = stylised.touches(rows, truth.instrument)
    assert best[:, 1].min() > 0.97 * np.median(best[:, 1])


def test_a_venues_clock_jumps_and_returns() -> None:
    world, rows, truth = run("clock_jump", "kraken", magnitude=-3.0)
    theirs = np.array([i.venue == "kraken" for i in world.instruments])[rows["instrument"]]
    late = rows["ts_local"] - rows["ts_venue"]
    wrong = late > 2_500_000_000
    assert np.any(wrong) and np.all(theirs[wrong])
    assert np.all((rows["ts_local"][wrong] > START) & (rows["ts_local"][wrong] < truth.end_ns + SECOND))


def test_a_lying_venue_departs_smoothly() -> None:
    plan = (FaultSpec(kind="lying", place="kraken", at_ns=2 * SECOND, duration_ns=60 * SECOND, magnitude=0.01),)
    world = World(msgspec.structs.replace(SPEC, faults=plan, duration_ns=64 * SECOND), 4)
    rows = np.concatenate(list(world.chunks()))
    names = [i.name for i in world.instruments]
    liar, other = (stylised.touches(rows, names.index(n))[0] for n in ("kraken:BTC/USD", PLACE))
    mids = np.log((liar[:, 1] + liar[:, 3]) / 2.0)
    truth = np.log((other[:, 1] + other[:, 3]) / 2.0)
    apart = mids - truth[np.clip(np.searchsorted(other[:, 0], liar[:, 0]) - 1, 0, None)]
    middle = np.abs(liar[:, 0] - (SPEC.start_ns + 32 * SECOND)) < SECOND
    assert apart[middle].mean() == pytest.approx(0.01, rel=0.15)
    assert np.abs(np.diff(mids)).max() < 0.003  # no single step gives it away


def test_a_depeg_is_genuine_and_moves_what_is_quoted_in_it() -> None:
    plan = (FaultSpec(kind="depeg", place="USDC", at_ns=5 * SECOND, duration_ns=200 * SECOND, magnitude=0.05),)
    world = World(msgspec.structs.replace(SPEC, faults=plan, duration_ns=206 * SECOND), 4)
    rows = np.concatenate(list(world.chunks()))
    assert not world.faults
    (truth,) = [t for t in world.truths if t.kind == "depeg"]
    assert truth.genuine and truth.place == "USDC"
    names = [i.name for i in world.instruments]

    def mid(name: str, at_ns: int) -> float:
        best, _ = stylised.touches(rows, names.index(name))
        k = np.searchsorted(best[:, 0], SPEC.start_ns + at_ns) - 1
        return float(best[k, 1] + best[k, 3]) / 2.0

    bottom = 55 * SECOND
    assert mid("kraken:USDC/USD", bottom) / 1e4 == pytest.approx(0.95, abs=0.01)
    assert mid("binance:USDC/USDT", bottom) / 1e4 == pytest.approx(0.95, abs=0.01)
    premium = mid("binance:BTC/USDC", bottom) / mid("binance:BTC/USDT", bottom)
    assert premium == pytest.approx(1e4 / mid("binance:USDC/USDT", bottom), abs=0.002)
    assert mid("kraken:USDC/USD", 205 * SECOND) / 1e4 > 0.98


def test_random_faults_come_at_the_rate_asked_and_touch_every_kind() -> None:
    spec = msgspec.structs.replace(SPEC, duration_ns=400 * SECOND, faults_per_hour=every_fault(1800.0), activity=0.3)
    world = World(spec, 9)
    rows = sum(chunk.size for chunk in world.chunks())
    faults = world.faults
    assert rows > 0 and 100 < len(faults) < 260
    assert {f.kind for f in faults} == set(layout.FAULT_NAMES.values())
    for place in {f.place for f in faults}:
        spans = [(f.start_ns, f.end_ns) for f in faults if f.place == place]
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))  # one at a time
    assert faults == sorted(faults, key=lambda f: f.start_ns)
    assert all(f.params["rows"] for f in faults if f.instrument >= 0)


def test_messages_stay_whole_whatever_goes_wrong() -> None:
    spec = msgspec.structs.replace(SPEC, duration_ns=60 * SECOND, faults_per_hour=every_fault(3600.0))
    rows = np.concatenate(list(World(spec, 2).chunks(2048)))
    assert np.all(np.diff(rows["ts_local"]) >= 0)
    firsts, lasts = rows["marks"] & FIRST != 0, rows["marks"] & LAST != 0
    assert np.array_equal(firsts[1:], lasts[:-1])
    assert np.all(rows["price"][rows["kind"] == DEPTH] > 0)
    assert set(np.unique(rows["side"])) <= {BUY, SELL}
