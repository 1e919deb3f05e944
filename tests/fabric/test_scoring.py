"""Labels, planting and scoring on a small tape of bars: what is planted is found by name, what is not is not told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from tradewind.domain import codes, reasons
from tradewind.domain.errors import BadData, BadUse
from tradewind.domain.instruments import Instrument, Stream
from tradewind.domain.layout import Capacity
from tradewind.domain.rows import pack_range, rows
from tradewind.engine.compose import Composition, Machine
from tradewind.fabric.faultlabels import KINDS, Label, read_labels, write_labels
from tradewind.fabric.planting import plant
from tradewind.fabric.scoring import Heard, Verdict, listen, matched, scored
from tradewind.storage.tape import Tape, TapeWriter

T0 = 1_700_000_040 * codes.SECOND // codes.MINUTE * codes.MINUTE
BARS = 260
VENUES = ("a", "b", "c")
SMALL = Composition(strategies=("python",), capacity=Capacity(instruments=8, levels=16, orders=64, flight=16, resting=8))


def coin(venue: str, base: str = "BTC") -> Instrument:
    return Instrument(venue=venue, symbol=base + "USD", base=base, quote="USD", price_exponent=2, quantity_exponent=3)


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    """Three venues' minutes of one coin and of another at a tenth of its price, a few basis points apart."""
    rng = np.random.default_rng(5)
    listed = [coin(v) for v in VENUES] + [coin(v, "ETH") for v in VENUES]
    parts = []
    for i in range(len(listed)):
        walk = np.cumsum(np.random.default_rng(8 + i // 3).normal(0, 2e-4, BARS + 1))
        price = np.rint((2_000_000 if i < 3 else 130_000) * np.exp(walk + rng.normal(0, 5e-5, BARS + 1))).astype(np.int64)
        part = rows(BARS)
        part["kind"], part["marks"], part["strategy"] = codes.BAR, codes.WHOLE, codes.TIMEFRAME_NAMES.index("1m")
        part["instrument"] = part["source"] = i
        part["ts_local"] = part["ts_venue"] = T0 + codes.MINUTE * np.arange(1, BARS + 1)
        part["price"], part["ref"], part["quantity"], part["stream_seq"] = price[1:], price[:-1], 1000, np.arange(1, BARS + 1)
        part["value"] = pack_range(30, 30)
        parts.append(part)
    merged = np.concatenate(parts)
    out = tmp_path_factory.mktemp("tape") / "bars"
    streams = [Stream(venue=x.venue, channel="bar", instrument=i) for i, x in enumerate(listed)]
    with TapeWriter(out, listed, streams, "test") as writer:
        writer.append(merged[np.argsort(merged["ts_local"], kind="stable")])
        writer.close({})
    return Tape.open(out)


def heard(of: Tape) -> Heard:
    return listen(of, machine=Machine(SMALL, compiled=False))


def test_nothing_is_told_of_a_clean_tape(tape: Tape) -> None:
    found = heard(tape)
    assert found.verdicts == []
    assert all(mean > 0.7 for mean, _ in found.quality.values())


def test_what_is_planted_is_found_by_name(tape: Tape, tmp_path: Path) -> None:
    """Every hard fault, and no alarm beside them; the same seed plants the same."""
    kinds = ("decimal_shift", "wrong_candle", "duplicated", "out_of_order", "clock_jump", "replayed", "partial_gap", "wrong_symbol",
             "unit_change", "bad_tick", "wick")  # fmt: skip
    labels = plant(tape, tmp_path / "one", seed=4, every_s=600, kinds=kinds)
    assert len(labels) >= 15 and len({x.kind for x in labels}) >= 8
    again = plant(tape, tmp_path / "two", seed=4, every_s=600, kinds=kinds)
    assert labels == again and Tape.open(tmp_path / "one").digest == Tape.open(tmp_path / "two").digest
    figures = scored(heard(Tape.open(tmp_path / "one")), labels)
    assert figures["recall"] == 1.0, figures["missed"]
    assert figures["false_alarms"] == 0, figures["alarms"]


def test_a_kind_that_the_tape_cannot_show_is_refused_with_its_instruments(tape: Tape, tmp_path: Path) -> None:
    with pytest.raises(BadUse) as told:
        plant(tape, tmp_path / "none", seed=4, kinds=("crossed_book",))
    assert "a:BTC/USD" in told.value.todo and not (tmp_path / "none").exists()


def test_labels_are_matched_by_source_kind_and_time() -> None:
    """Found from the start to ten seconds after the end; another instrument's or another kind's verdict finds nothing."""
    listed = [coin("a"), coin("b")]
    streams = [Stream(venue=x.venue, channel="bar", instrument=i) for i, x in enumerate(listed)]

    def verdict(second: int, instrument: int, code: int) -> Verdict:
        return Verdict(ts_ns=second * codes.SECOND, instrument=instrument, stream=instrument, code=code, measured=0, threshold=0)

    said = [verdict(5, 1, reasons.WRONG_SCALE), verdict(6, 0, reasons.STALE_FEED), verdict(29, 0, reasons.WRONG_SCALE),
            verdict(31, 0, reasons.WRONG_SCALE)]  # fmt: skip
    found = Heard(instruments=listed, streams=streams, verdicts=said, quality={}, days=2.0, rows=1, seconds=1.0)
    label = Label(kind="decimal_shift", source="a/bar", instrument="a:BTC/USD", start_ns=4 * codes.SECOND, end_ns=20 * codes.SECOND)
    matches, alarms = matched(found, [label])
    assert matches[0].found_ns == 29 * codes.SECOND and matches[0].delay_s == 25.0
    assert [a.ts_ns // codes.SECOND for a in alarms] == [5, 31]
    elsewhere = msgspec.structs.replace(label, source="a/trade")
    assert matched(found, [elsewhere])[0][0].found_ns == -1
    assert scored(found, [label])["false_alarms_per_instrument_day"] == 1.0


def test_what_nature_does_too_counts_and_is_told_apart() -> None:
    """The headline is of all that is hard; the second figure leaves out what nobody could tell from nature."""
    label = Label(kind="frozen_feed", source="a/bar", instrument="a:BTC/USD", start_ns=codes.SECOND, end_ns=codes.MINUTE)
    natural = msgspec.structs.replace(label, start_ns=codes.HOUR, end_ns=codes.HOUR + codes.MINUTE, params={"by_nature": True})
    said = [Verdict(ts_ns=codes.MINUTE, instrument=0, stream=0, code=reasons.STALE_FEED, measured=0, threshold=0)]
    streams = [Stream(venue="a", channel="bar", instrument=0)]
    found = Heard(instruments=[coin("a")], streams=streams, verdicts=said, quality={}, days=1.0, rows=1, seconds=1.0)
    figures = scored(found, [label, natural])
    assert (figures["recall"], figures["hard"]) == (0.5, 2)
    assert (figures["recall_beyond_nature"], figures["hard_beyond_nature"]) == (1.0, 1)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"kind": "gremlin", "source": "a", "instrument": "a:BTC/USD", "start_ns": 1, "end_ns": 2}', "unknown kind"),
        ('{"kind": "wick", "source": "a", "instrument": "z:BTC/USD", "start_ns": 1, "end_ns": 2}', "no instrument"),
        ('{"kind": "wick", "source": "a", "instrument": "a:BTC/USD", "start_ns": 3, "end_ns": 2}', "ends before"),
        ('{"kind": "wick", "source": "z/trade", "instrument": "a:BTC/USD", "start_ns": 1, "end_ns": 2}', "no source 'z/trade'"),
        ('{"kind": "wick"}', "is no label"),
    ],
)
def test_a_bad_label_is_named_by_its_line(line: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    path.write_text("\n" + line)
    with pytest.raises(BadData, match=what) as caught:
        read_labels(path, [coin("a")])
    assert "line 2" in str(caught.value.where)


def test_a_label_that_nothing_on_the_tape_could_answer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    for start, end in ((1, 99), (201, 300)):
        write_labels(path, [Label(kind="wick", source="a", instrument=coin("a").name, start_ns=start, end_ns=end)])
        with pytest.raises(BadData, match="lies outside the tape"):
            read_labels(path, [coin("a")], (100, 200))
    write_labels(path, [Label(kind="wick", source="a", instrument=coin("a").name, start_ns=1, end_ns=100)])
    assert read_labels(path, [coin("a")], (100, 200))


def test_an_instrument_may_be_named_without_its_venue_which_is_the_sources() -> None:
    mine = coin("a")
    short = mine.name.partition(":")[2]
    assert Label(kind="wick", source="a/trade", instrument=short, start_ns=1, end_ns=2).befalls(mine)
    assert not Label(kind="wick", source="b", instrument=short, start_ns=1, end_ns=2).befalls(mine)


def test_labels_come_back_as_written(tmp_path: Path) -> None:
    labels = [
        Label(kind=kind, source="a", instrument="*", start_ns=n, end_ns=n + 5, params={"hard": n % 2 == 0})
        for n, kind in enumerate(KINDS)
    ]
    write_labels(tmp_path / "f.jsonl", reversed(labels))
    assert read_labels(tmp_path / "f.jsonl", [coin("a")]) == labels
