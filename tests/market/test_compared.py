"""Bars side by side: what a source's habit, the bar and the others' distance from each other grant it."""

from __future__ import annotations

import pytest

from tradewind.domain.reasons import DISTRUSTED, LONG_WICK, OFF_CONSENSUS
from tradewind.market import compared

from .stage import Stage
from .test_bar_truth import Bar, minute, stage_of_bars

CALM: Bar = (1000.5, 999.5, 1000.0)
THREE = ("a:BTC/USD", "b:BTC/USD", "c:BTC/USD")


def played(stage: Stage, first: int, end: int, bars: dict[int, Bar | float]) -> list[tuple[int, int]]:
    """The same bars for some minutes; all verdicts."""
    return [said for n in range(first, end) for said in minute(stage, n, bars)]


@pytest.mark.parametrize("ragged", [False, True])
def test_an_extreme_is_measured_by_the_sources_own_habit(ragged: bool) -> None:
    """A high 0.9 % beyond the others' is usual where highs are 0.3 % beyond them, and a wick where they always meet."""
    stage = stage_of_bars(*THREE)
    usual: Bar = (1003.5, 999.5, 1000.0) if ragged else CALM
    assert played(stage, 0, 40, {0: CALM, 1: CALM, 2: usual}) == []
    told = minute(stage, 40, {0: CALM, 1: CALM, 2: (1009.5, 999.5, 1000.0)})
    assert told == ([] if ragged else [(2, LONG_WICK)])


@pytest.mark.parametrize("wide", [False, True])
def test_a_wide_bar_grants_wide_extremes(wide: bool) -> None:
    """In a minute of four percent nobody meets to half of one: a fifth of the others' range is granted."""
    stage = stage_of_bars(*THREE)
    assert played(stage, 0, 5, dict.fromkeys(range(3), CALM)) == []
    others: Bar = (1020.0, 980.0, 1000.0) if wide else CALM
    mine: Bar = (others[0] * 1.007, others[1], 1000.0)
    assert minute(stage, 5, {0: others, 1: others, 2: mine}) == ([] if wide else [(2, LONG_WICK)])


def test_who_is_left_alone_is_the_one_who_strayed() -> None:
    """Of three, one stands 1.2 % off: the others of the other two moved by half of that, and those are not named."""
    stage = stage_of_bars(*THREE)
    assert played(stage, 0, 20, dict.fromkeys(range(3), 1000.0)) == []
    assert minute(stage, 20, {0: 1000.0, 1: 1000.1, 2: 1012.0}) == [(2, OFF_CONSENSUS)]
    assert bool(stage.s["top"]["good"][0]) and bool(stage.s["top"]["good"][1])


def test_a_close_may_stand_off_as_far_as_usual() -> None:
    """A source 0.3 % off by habit, now this way, now that, may be 0.9 % off; one that always meets the others may not."""
    stage = stage_of_bars(*THREE)
    for n in range(40):
        assert minute(stage, n, {0: 1000.0, 1: 1000.0, 2: 1003.0 if n % 2 else 997.0}) == []
    assert minute(stage, 40, {0: 1000.0, 1: 1000.0, 2: 1009.0}) == []
    assert minute(stage, 41, {0: 1000.0, 1: 1009.0, 2: 1000.0}) == [(1, OFF_CONSENSUS)]


def test_a_currency_nobody_trades_explains_nobody_away() -> None:
    """Its rate is what its one pair implies, so that pair would always be right: it is measured at par."""
    stage = stage_of_bars("a:BTC/USD", "b:BTC/USD", "c:BTC/USDT")
    assert played(stage, 0, 20, dict.fromkeys(range(3), 1000.0)) == []
    told = [minute(stage, n, {0: 1000.0, 1: 1000.0, 2: 1000.0 + 3.0 * (n - 19)}) for n in range(20, 24)]
    assert (2, OFF_CONSENSUS) in [said for part in told for said in part], "a drift of 0.3 % a minute"


def test_a_habitual_premium_is_no_deviation_and_no_witness() -> None:
    """Two percent over the others for an hour: told at first, then its own level; beside it a small lie of another is seen."""
    stage = stage_of_bars(*THREE)
    first: list[tuple[int, int]] = []
    for n in range(70):
        at = 1000.0 + 0.1 * (n % 7)
        first += minute(stage, n, {0: at, 1: at, 2: 1.02 * at})
    assert set(first) == {(2, OFF_CONSENSUS), (2, DISTRUSTED)}
    assert played(stage, 70, 73, {0: 1000.0, 1: 1000.0, 2: 1020.0}) == []
    assert float(stage.s["habits"]["premium"][2]) == pytest.approx(0.02 - compared.NO_PREMIUM, abs=1e-3)
    assert float(stage.s["habits"]["premium"][0]) == 0.0
    told = minute(stage, 73, {0: 1000.0, 1: 1009.0, 2: 1020.0})
    assert (1, OFF_CONSENSUS) in told and (2, OFF_CONSENSUS) not in told


def test_one_other_names_nobody() -> None:
    """Of two that differ each may be wrong: neither's close is measured by the other's alone."""
    stage = stage_of_bars("a:BTC/USD", "b:BTC/USD")
    assert played(stage, 0, 20, {0: 1000.0, 1: 1000.0}) == []
    assert not {(0, OFF_CONSENSUS), (1, OFF_CONSENSUS)} & set(minute(stage, 20, {0: 1000.0, 1: 1003.9}))


def test_one_who_is_doubted_hides_nobody_else() -> None:
    """Of four, one has long stood 3 % off and is told; then another strays by 1 %: it is not the furthest, and is named."""
    stage = stage_of_bars(*(f"{venue}:BTC/USD" for venue in "abcd"))
    honest: dict[int, Bar | float] = dict.fromkeys(range(3), 1000.0)
    assert played(stage, 0, 20, honest | {3: 1000.0}) == []
    assert (3, OFF_CONSENSUS) in played(stage, 20, 24, honest | {3: 970.0})
    assert (2, OFF_CONSENSUS) in minute(stage, 24, honest | {2: 1010.0, 3: 970.0})
