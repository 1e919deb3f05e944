"""Verdicts: each fault is named once an episode, spoils what it must, and is over when it is over."""

from __future__ import annotations

import pytest

from tradewind.domain import codes, reasons
from tradewind.domain.rows import Rows, rows

from .stage import QUOTES_OF, TRADES_OF, Stage, instruments, joined, verdicts

THREE = instruments("a:BTC/USD", "b:BTC/USD", "c:BTC/USD")
PRICE = 1_000.0


def running(n: int = 3, **changes: float) -> Stage:
    """n venues, books and touches of one price, five seconds old."""
    stage = Stage(THREE[:n], every_ms=0.0, **changes)
    for i in range(n):
        stage.feed(stage.snapshot(i, PRICE))
    for _ in range(5):
        stage.wait(1)
        stage.feed(joined(*(stage.diff(i, [(codes.BUY, 1, 1)]) for i in range(n))))
    return stage


def condition(stage: Stage, i: int = 0) -> int:
    return int(stage.s["top"]["condition"][i])


def good(stage: Stage, i: int = 0) -> bool:
    return bool(stage.s["top"]["good"][i])


def suspect(stage: Stage, i: int = 0) -> int:
    return int(stage.s["top"]["suspect"][i])


# Numbers that are none ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "quantity", "code"),
    [
        (0, 5, reasons.BAD_PRICE),
        (-7, 5, reasons.BAD_PRICE),
        (1 << 62, 5, reasons.BAD_PRICE),
        (99, -1, reasons.BAD_QUANTITY),
        (99, 1 << 62, reasons.BAD_QUANTITY),
    ],
)
def test_an_impossible_number_never_enters_the_book(price: int, quantity: int, code: int) -> None:
    """The message is worth nothing, the book neither, until a snapshot; a second bad message is not told again."""
    stage = running()
    before = stage.s["level_key"][0].copy()
    assert verdicts(stage.feed(stage.diff(0, [(codes.BUY, price, quantity), (codes.BUY, 98, 1)]))) == [(0, code)]
    assert condition(stage) == codes.INVALID and not good(stage)
    assert (stage.s["level_key"][0] == before).all()
    assert not verdicts(stage.feed(stage.diff(0, [(codes.BUY, price, quantity)])))
    assert not verdicts(stage.feed(stage.snapshot(0, PRICE)))
    assert condition(stage) == codes.SYNCED and good(stage)


def test_bad_trades_and_quotes_change_nothing() -> None:
    stage = running()
    bar, quoted = stage.s["bar"][0].copy(), stage.s["quoted"]
    said = stage.feed(stage.rows(codes.TRADE, 0, TRADES_OF, [(codes.BUY, -1, 5)]))
    assert verdicts(said) == [(0, reasons.BAD_PRICE)] and (stage.s["bar"][0] == bar).all()
    stage.feed(stage.touch(0, PRICE, ref=9))
    said = stage.feed(stage.rows(codes.QUOTE, 0, QUOTES_OF, [(codes.BUY, 9, -1), (codes.SELL, 11, 1)], ref=10))
    assert verdicts(said) == [(0, reasons.BAD_QUANTITY)] and quoted["id"][0] < 0
    assert condition(stage) == codes.SYNCED and good(stage), "the book is not the quote's"


def test_a_trade_far_from_the_touch_enters_no_bar() -> None:
    """X2: a single print, 90 % off."""
    stage = running()
    stage.feed(stage.rows(codes.TRADE, 0, TRADES_OF, [(codes.BUY, 10_000_000, 5)]))
    wick = stage.rows(codes.TRADE, 0, TRADES_OF, [(codes.SELL, 1_000_000, 5)], ref=77)
    said = stage.feed(wick)
    assert verdicts(said) == [(0, reasons.IMPOSSIBLE_JUMP)] and said["ref"][0] == 77
    assert int(stage.s["bar"]["low"][0, 0]) == 10_000_000 and int(stage.s["bar"]["volume"][0, 0]) == 5


def test_a_message_of_ids_alone_is_sound() -> None:
    stage = running()
    assert not verdicts(stage.feed(stage.diff(0, [])))
    assert condition(stage) == codes.SYNCED


# Silence, announcements, crossings ---------------------------------------------------------------------------------------


def test_silence_makes_stale_and_any_message_ends_it() -> None:
    stage = running()
    told = []
    for _ in range(15):
        told += verdicts(stage.wait(1))
        stage.feed(joined(stage.diff(1, [(codes.BUY, 1, 1)]), stage.diff(2, [(codes.BUY, 1, 1)])))
    assert told == [(0, reasons.STALE_FEED)] and condition(stage) == codes.STALE
    assert int(stage.s["group"]["voters"][0]) == 2
    stage.feed(stage.diff(0, [(codes.BUY, 2, 1)]))
    assert condition(stage) == codes.SYNCED and good(stage)
    stage.wait(1)
    assert int(stage.s["group"]["voters"][0]) == 3


def test_a_lone_source_is_told_stale_at_the_last_look_before_its_time_is_up() -> None:
    stage = Stage(instruments("a:BTC/USD"))
    told: list[tuple[int, int]] = []
    for second in range(24):  # long enough for full trust and quality, so that a look would change nothing but for silence
        stage.at(second + 0.5)
        told += verdicts(stage.feed(joined(stage.snapshot(0, 50_000.0))))
    assert told == []
    silent = [verdicts(stage.wait(1)) for _ in range(12)]
    assert [k for k, said in enumerate(silent) if said == [(0, reasons.STALE_FEED)]] == [9]  # 9.5 s: at the next look it is 10.5 s


def announcement(stage: Stage, i: int, channel: int, value: int) -> Rows:
    row = rows(1)
    row["kind"], row["marks"], row["instrument"], row["source"] = codes.STREAM, codes.WHOLE, i, 3 * i + channel
    row["value"], row["ts_local"] = value, stage.now
    return stage.number(row)


def test_an_announced_gap_lasts_until_the_snapshot() -> None:
    """The row counts as one of its stream, so that what follows is no hole; nobody but the snapshot makes it good."""
    stage = running()
    stage.feed(announcement(stage, 0, 0, codes.GAP))
    assert condition(stage) == codes.GAP and not good(stage) and int(stage.s["group"]["voters"][0]) == 2
    stage.feed(stage.diff(0, [(codes.BUY, 1, 2)]))
    stage.feed(announcement(stage, 0, 0, codes.SYNCED))
    assert condition(stage) == codes.GAP and not good(stage)
    assert not verdicts(stage.feed(stage.snapshot(0, PRICE, marks=codes.RESYNC)))
    assert condition(stage) == codes.SYNCED and good(stage)
    assert int(stage.s["count"]["holes_seen"]) == 0


def test_a_gap_of_trades_does_not_condemn_the_book() -> None:
    stage = running()
    stage.feed(announcement(stage, 0, TRADES_OF, codes.GAP))
    assert condition(stage) == codes.SYNCED and good(stage)


def test_a_diff_after_an_announced_rejoin_needs_a_snapshot() -> None:
    """RESYNC on a diff says that messages are missing: the book cannot go on with it."""
    stage = running()
    stage.feed(stage.diff(0, [(codes.BUY, 5, 5)], marks=codes.RESYNC))
    assert condition(stage) == codes.GAP and not good(stage)


@pytest.mark.parametrize(("seconds", "fate"), [(0.4, codes.SYNCED), (2.5, codes.INVALID)])
def test_a_crossed_book_is_unusable_and_falls_if_it_stays(seconds: float, fate: int) -> None:
    """F7: venues cross for moments; nobody uses it, and after a second the book is gone."""
    stage = running()
    high = 10_000_100
    assert verdicts(stage.feed(stage.diff(0, [(codes.BUY, high, 1)]))) == [(0, reasons.CROSSED_BOOK)]
    assert not good(stage) and int(stage.s["group"]["voters"][0]) == 2
    assert not verdicts(stage.wait(seconds))
    assert condition(stage) == fate
    stage.feed(stage.diff(0, [(codes.BUY, high, 0)]))
    assert good(stage) == (fate == codes.SYNCED)


def test_an_empty_side_gives_no_price() -> None:
    """F8."""
    stage = running(1)
    stage.feed(stage.snapshot(0, PRICE, levels=1))
    assert verdicts(stage.feed(stage.diff(0, [(codes.BUY, 9_999_999, 0)]))) == [(0, reasons.BOOK_LOST_SIDE)]
    assert not good(stage) and int(stage.s["group"]["grade"][0]) == codes.GRADE_NONE


def test_a_venue_clock_that_goes_back_is_noted_once() -> None:
    """Nothing is decided by it, so nothing is refused; jitter under a tenth of a second is not worth a word."""
    stage = running()
    stage.feed(stage.diff(0, [(codes.BUY, 1, 2)]))
    told = []
    for back_ms in (0, 60, 5_000, 4_990, 4_980):
        stage.now += codes.SECOND // 100
        told += verdicts(stage.feed(stage.diff(0, [(codes.BUY, 1, 2)], ts_venue=stage.now - back_ms * codes.MILLISECOND)))
        assert not told or back_ms > 60
    assert told == [(0, reasons.TIME_BACKWARD), (0, reasons.CLOCK_JUMPED)]
    assert condition(stage) == codes.SYNCED and good(stage)


def test_another_clock_is_told_once_and_believed_after_a_minute() -> None:
    """As long as it stands, at whatever look; when it is set back that is told once, too."""
    stage = running(1)
    told: list[tuple[int, int]] = []
    for second in range(200):
        late_s = 12 if 10 <= second < 100 else 0
        stage.now += codes.SECOND
        stamp = stage.now - late_s * codes.SECOND
        told += verdicts(stage.feed(stage.diff(0, [(codes.BUY, 1, 2 + second % 2)], ts_venue=stamp)))
    assert [code for _, code in told if code == reasons.CLOCK_JUMPED] == [reasons.CLOCK_JUMPED] * 2


@pytest.mark.parametrize(("later_s", "code"), [(1, reasons.TOLD_TWICE), (30, reasons.OLD_MESSAGE)])
def test_a_trade_told_again_is_a_double_while_it_is_young(later_s: int, code: int) -> None:
    """However many came between: a busy market makes more of them in a second than ids are remembered."""
    stage = running(1)
    stage.feed(stage.diff(0, [(codes.BUY, 1, 2)], ts_venue=stage.now))
    first = stage.now
    trade = [(codes.BUY, 10_000_000, 5)]
    for ref in range(1, 201):
        stage.now += codes.MILLISECOND
        assert verdicts(stage.feed(stage.rows(codes.TRADE, 0, TRADES_OF, trade, ref=ref, ts_venue=stage.now))) == []
    stage.now = first + later_s * codes.SECOND
    assert verdicts(stage.feed(stage.diff(0, [(codes.BUY, 1, 3)], ts_venue=stage.now))) in ([], [(0, reasons.STALE_FEED)])
    again = stage.rows(codes.TRADE, 0, TRADES_OF, trade, ref=40, ts_venue=first + 40 * codes.MILLISECOND)
    assert verdicts(stage.feed(again)) == [(0, code)]


# One against the others --------------------------------------------------------------------------------------------------


def quoting(stage: Stage, seconds: float, prices: list[float], step: float = 0.5) -> list[tuple[int, int]]:
    """Best quotes at `prices` (moving a hair, so that none looks frozen) for so long; the verdicts."""
    told = []
    for k in range(round(seconds / step)):
        for i, price in enumerate(prices):
            told += verdicts(stage.feed(stage.touch(i, price * (1 + 1e-6 * (k % 3)))))
        told += verdicts(stage.wait(step))
    return told


def test_a_smooth_lie_is_found_and_forgiven_without_flapping() -> None:
    """X1: 0.05 % a second away; found within ten seconds of half a percent; back only well inside. One verdict a lie."""
    stage = Stage(THREE, every_ms=0.0)
    quoting(stage, 3, [PRICE] * 3)
    told: list[tuple[int, int]] = []
    found = None
    for second in range(25):
        factor = 1.0 + 0.0005 * second
        told += quoting(stage, 1, [PRICE * factor, PRICE, PRICE])
        if told and found is None:
            found = second
    assert told == [(0, reasons.OFF_CONSENSUS)] and found is not None and found <= 20
    assert not good(stage) and int(stage.s["group"]["voters"][0]) == 2
    assert float(stage.s["trust"]["score"][0]) < 0.8 < float(stage.s["trust"]["score"][1])
    told = []
    for k in range(20):  # hovers about the limit of 30 bp: stays out, and loses what is left of its trust
        told += quoting(stage, 1, [PRICE * (1.0026 if k % 2 else 1.0034), PRICE, PRICE])
        assert suspect(stage) == reasons.OFF_CONSENSUS and not good(stage)
    assert told == [(0, reasons.DISTRUSTED)]
    assert quoting(stage, 3, [PRICE, PRICE, PRICE]) == []
    assert suspect(stage) == reasons.DISTRUSTED and not good(stage), "trust comes back slower than the price"
    assert quoting(stage, 20, [PRICE, PRICE, PRICE]) == []
    assert good(stage) and int(stage.s["group"]["voters"][0]) == 3


def test_a_frozen_feed_is_seen_by_what_it_does_not_say() -> None:
    """X6: fresh stamps on one same value while the others walk away; it ends with the first new value."""
    stage = Stage(THREE, every_ms=0.0)
    quoting(stage, 2, [PRICE] * 3)
    told: list[tuple[int, int]] = []
    for k in range(20):
        told += quoting(stage, 1, [PRICE * (1 + 0.00015 * k)] * 2, step=1.0)
        stage.feed(stage.touch(2, PRICE))
    assert told == [(2, reasons.FROZEN_FEED)] and not good(stage, 2) and int(stage.s["group"]["voters"][0]) == 2
    assert quoting(stage, 2, [PRICE * 1.003] * 3) == []
    assert good(stage, 2) and int(stage.s["group"]["voters"][0]) == 3


def test_a_quiet_market_is_not_frozen() -> None:
    """Nobody moves for a minute, messages come: nothing to say."""
    stage = Stage(THREE, every_ms=0.0)
    told = []
    for _ in range(60):
        told += verdicts(stage.feed(joined(*(stage.touch(i, PRICE) for i in range(3)))))
        told += verdicts(stage.wait(1))
    assert told == [] and all(good(stage, i) for i in range(3))


def test_instruments_that_jump_together_are_believed_together() -> None:
    """Ten jumps of all three in random order within a second: no source is left behind, no verdict outlives the jump."""
    stage = Stage(THREE, every_ms=0.0)
    quoting(stage, 2, [PRICE] * 3)
    price = PRICE
    for k in range(10):
        price *= 0.9 if k % 2 else 1.12
        order = [(k + j) % 3 for j in range(3)]
        for i in order:
            stage.feed(stage.touch(i, price))
        quoting(stage, 2, [price] * 3)
        assert [good(stage, i) for i in range(3)] == [True] * 3
        assert float(stage.s["group"]["reference"][0]) == pytest.approx(price, rel=1e-4)


def test_a_storm_of_holes_is_told_once_an_episode() -> None:
    stage = running(1)
    told = []
    for _ in range(50):
        lost = stage.diff(0, [(codes.BUY, 3, 3)])
        del lost
        told += verdicts(stage.feed(stage.diff(0, [(codes.BUY, 3, 3)])))
    assert told == [(0, reasons.HOLE_IN_STREAM)] and int(stage.s["count"]["holes_seen"]) == 50
