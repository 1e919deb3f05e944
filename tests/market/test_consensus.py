"""The reference price: no single source of three moves it out of the others' band, and it knows when it knows nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from tradewind.domain import codes
from tradewind.domain.orders import CANCELLING
from tradewind.domain.reasons import IMPOSSIBLE_JUMP, OFF_CONSENSUS, OFF_PEG, WRONG_SCALE

from .stage import Stage, instruments, joined, verdicts
from .test_books import stage_of

THREE = instruments("a:BTC/USD", "b:BTC/USD", "c:BTC/USD")
TWO = THREE[:2]
BTC = 0  # the assets' numbers in order of appearance
PRICE = 1_000.0

# What the third source does next: a price (as a factor), a crossed quote, a quote of nothing, or nothing at all
near = st.floats(-0.0012, 0.0012)  # honest sources agree closer than a tenth of the jump limit
acts = st.one_of(
    st.tuples(st.just("price"), st.floats(1e-6, 1e6)),
    st.tuples(st.just("price"), st.floats(0.9, 1.1)),
    st.tuples(st.just("crossed"), st.floats(0.5, 2.0)),
    st.tuples(st.just("nothing"), st.just(0.0)),
    st.tuples(st.just("silent"), st.just(0.0)),
)


def reference(stage: Stage) -> float:
    return float(stage.s["group"]["reference"][BTC])


def grade(stage: Stage) -> int:
    return int(stage.s["group"]["grade"][BTC])


def act(stage: Stage, i: int, kind: str, factor: float) -> None:
    if kind == "silent":
        return
    if kind == "nothing":
        stage.feed(stage.rows(codes.QUOTE, i, 2, [(codes.BUY, 0, 0), (codes.SELL, 0, 0)], ref=stage.now))
    else:
        spread = -20 if kind == "crossed" else 2
        stage.feed(stage.touch(i, max(PRICE * factor, 0.001), spread=spread))


@settings(max_examples=80, phases=(Phase.explicit, Phase.generate))
@given(
    who=st.integers(0, 2),
    script=st.lists(st.tuples(acts, near, near, st.floats(0.0, 4.0)), min_size=1, max_size=8),
)
@example(who=2, script=[(("price", 0.1), 0.0, 0.001, 0.1)] * 4)
@example(who=0, script=[(("silent", 0.0), 0.0, 0.001, 4.0)] * 5)
def test_one_arbitrary_source_of_three_cannot_move_the_reference(who: int, script: list[Any]) -> None:
    """Whatever one source says, or fails to say, the reference stays within the band of the two honest ones."""
    stage = stage_of("three", THREE)
    honest = [i for i in range(3) if i != who]
    stage.feed(joined(*(stage.touch(i, PRICE) for i in range(3))))
    for step, ((kind, factor), one, two, pause) in enumerate(script):
        act(stage, who, kind, factor)
        last = [PRICE * (1 + one) + step % 2 * 0.001, PRICE * (1 + two) + step % 2 * 0.001]  # an honest feed never freezes
        for i, price in zip(honest, last, strict=True):
            stage.feed(stage.touch(i, price))
        stage.wait(pause)
        act(stage, who, kind, factor)
        assert min(last) - 1e-3 <= reference(stage) <= max(last) + 1e-3
        assert grade(stage) >= codes.GRADE_B
        assert all(stage.s["top"]["good"][i] for i in honest)


def test_grades_count_who_agrees() -> None:
    """A: three, B: two, C: one, none: two that disagree, or nobody; without a grade the reference stays."""
    stage = stage_of("three", THREE)
    assert grade(stage) == codes.GRADE_NONE
    for n, want in enumerate((codes.GRADE_C, codes.GRADE_B, codes.GRADE_A)):
        stage.feed(stage.touch(n, PRICE))
        assert grade(stage) == want
    for _ in range(3):
        stage.wait(4)
        stage.feed(stage.touch(0, PRICE))
    assert grade(stage) == codes.GRADE_C, "two fell silent"
    for _ in range(12):
        stage.wait(1)
    assert grade(stage) == codes.GRADE_NONE and reference(stage) == pytest.approx(PRICE)


@pytest.mark.parametrize(
    ("caps", "want"),
    [("AAA", "CBA"), ("AAC", "CBB"), ("ACC", "CCC"), ("CCC", "CCC"), ("BBB", "CBB"), ("ABC", "CBB"), ("CAA", "CCB")],
)
def test_a_lesser_source_lifts_no_grade_above_its_own(caps: str, want: str) -> None:
    """It has a vote, but the grade is what the sources that may lend it agree on."""
    listed = [
        msgspec.structs.replace(x, grade_cap={"A": codes.GRADE_A, "B": codes.GRADE_B, "C": codes.GRADE_C}[cap])
        for x, cap in zip(THREE, caps, strict=True)
    ]
    stage = Stage(listed)
    told = ""
    for i in range(3):
        stage.feed(stage.touch(i, PRICE))
        told += "-CBA"[grade(stage)]
    assert told == want
    assert reference(stage) == pytest.approx(PRICE)


def test_two_that_disagree_grade_nothing_and_value_nothing() -> None:
    """X4: the reference stays what it was, and no order may open risk."""
    stage = Stage(TWO)
    stage.feed(joined(stage.touch(0, PRICE), stage.touch(1, PRICE)))
    stage.wait(1)
    submits = int(stage.s["count"]["submits"])
    assert submits > 0
    for _ in range(20):
        stage.feed(stage.touch(1, PRICE * 1.2 + stage.now % 7))
        stage.feed(stage.touch(0, PRICE))
        assert grade(stage) == codes.GRADE_NONE and reference(stage) == pytest.approx(PRICE)
        submits = int(stage.s["count"]["submits"])
        stage.feed(joined(stage.touch(0, PRICE + 0.01)))
        stage.wait(0.2)
        assert int(stage.s["count"]["submits"]) == submits
    stage.feed(stage.touch(1, PRICE))
    stage.wait(0.2)
    assert grade(stage) == codes.GRADE_B


@pytest.mark.parametrize("listed", [THREE[:1], TWO, THREE])
@pytest.mark.parametrize("fall", [0.95, 0.8, 0.5])
def test_a_real_crash_passes_within_two_seconds(listed: Any, fall: float) -> None:
    """X3: every venue falls; one after another within 300 ms, each in a single step."""
    stage = Stage(listed, every_ms=0.0)
    stage.feed(joined(*(stage.touch(i, PRICE) for i in range(len(listed)))))
    stage.wait(5)
    for i in range(len(listed)):
        stage.now += codes.SECOND // 10
        stage.feed(stage.touch(i, PRICE * fall))
    for _ in range(20):
        stage.wait(0.1)
    assert reference(stage) == pytest.approx(PRICE * fall, rel=1e-4)
    assert stage.s["top"]["good"][: len(listed)].all()


@pytest.mark.parametrize("listed", [THREE[:1], TWO, THREE])
@pytest.mark.parametrize("tick", [0.1, 0.9, 10.0])
def test_a_single_bad_tick_does_not_pass(listed: Any, tick: float) -> None:
    """X2: one venue prints nonsense for half a second, and is told once."""
    stage = Stage(listed, every_ms=0.0)
    stage.feed(joined(*(stage.touch(i, PRICE) for i in range(len(listed)))))
    stage.wait(2.5)
    said = stage.feed(stage.touch(0, PRICE * tick))
    assert verdicts(said) == [(0, IMPOSSIBLE_JUMP if tick == 0.9 else WRONG_SCALE)]
    for _ in range(4):
        assert not verdicts(stage.wait(0.1))
        assert reference(stage) == pytest.approx(PRICE) and stage.s["top"]["good"][0] == 0
    stage.feed(stage.touch(0, PRICE))
    assert stage.s["top"]["good"][0] == 1 and reference(stage) == pytest.approx(PRICE)


PEGGED = instruments("a:BTC/USD", "b:BTC/USD", "c:BTC/USDC", "a:USDC/USD", "b:USDC/USD")
DEPEG, PREMIUM = 0.87, 1 / 0.87


def _depeg(stage: Stage, convert: bool) -> list[tuple[int, int]]:
    """USDC falls to 0.87 within a minute, BTC/USDC rises accordingly; verdicts against BTC/USDC."""
    told = []
    for step in range(61):
        peg = 1.0 - (1.0 - DEPEG) * step / 60
        for i, price in ((0, PRICE), (1, PRICE), (2, PRICE / peg), (3, peg if convert else 1.0), (4, peg if convert else 1.0)):
            jitter = (step % 3) * 0.0002  # so that nobody looks frozen
            told += verdicts(stage.feed(stage.touch(i, price * (1 + jitter))))
        told += verdicts(stage.wait(1.0))
    return told


def test_a_broken_peg_is_no_bad_tick_because_it_is_converted() -> None:
    """X5: BTC/USDC stands 15 % over BTC/USD and is right; its worth is found through USDC's own market."""
    stage = Stage(PEGGED, every_ms=0.0)
    assert _depeg(stage, convert=True) == []
    assert grade(stage) == codes.GRADE_A and stage.s["top"]["good"][:5].all()
    usdc = stage.prelude.names.asset("USDC")
    assert stage.s["group"]["reference"][usdc] == pytest.approx(DEPEG, rel=1e-3)
    assert reference(stage) == pytest.approx(PRICE, rel=1e-3)


def test_without_conversion_the_same_market_looks_false() -> None:
    """The check of the check: with a rate of one, BTC/USDC is refused."""
    stage = Stage(PEGGED, every_ms=0.0)
    assert (2, OFF_CONSENSUS) in _depeg(stage, convert=False)
    assert stage.s["top"]["good"][2] == 0


def test_the_reporting_currency_stays_one_and_prices_its_quote() -> None:
    """USDT/USD, reported in USDT: USDT is worth one, and a USD is worth the pair's inverse."""
    stage = Stage(instruments("a:USDT/USD", "b:BTC/USD"), every_ms=0.0, reporting="USDT")
    stage.feed(joined(stage.touch(0, 0.98), stage.touch(1, PRICE)))
    stage.wait(1)
    rate = stage.s["group"]["reference"]
    names = stage.prelude.names
    assert rate[names.asset("USDT")] == 1.0
    assert rate[names.asset("USD")] == pytest.approx(1 / 0.98)
    assert rate[names.asset("BTC")] == pytest.approx(PRICE / 0.98)


PAIRS = instruments("a:BTC/USD", "a:BTC/USDT", "b:BTC/USD", "a:USDT/USD", "b:USDT/USD")


def _quotes(stage: Stage, *prices: float) -> None:
    """A touch of each instrument in turn, a hair apart from the last, so that none looks frozen."""
    for i, price in enumerate(prices):
        stage.feed(stage.touch(i, price * (1 + stage.now // codes.SECOND % 2 * 1e-5)))
    stage.wait(1)


def test_a_venue_with_two_pairs_has_one_vote() -> None:
    """Venue a leads both its pairs away from venue b: two votes of three, but one voice of two. Nobody knows, nobody is named."""
    stage = Stage(PAIRS, every_ms=0.0)
    for _ in range(3):
        _quotes(stage, PRICE, PRICE, PRICE, 1.0, 1.0)
    assert grade(stage) == codes.GRADE_B, "three sources, two venues"
    before = reference(stage)
    for step in range(1, 41):
        up = PRICE * (1 + 0.0005 * step)
        _quotes(stage, up, up, PRICE, 1.0, 1.0)
    assert grade(stage) == codes.GRADE_NONE
    assert abs(reference(stage) / before - 1) < 0.005, "neither side values the asset"
    assert stage.s["top"]["good"][2] == 1, "the one venue that tells the truth is not outvoted"


def test_a_pair_that_its_own_venue_contradicts_has_no_say() -> None:
    """The other pair of the venue and the other venue agree: that is two, and the third is refused."""
    stage = Stage(PAIRS, every_ms=0.0)
    for _ in range(3):
        _quotes(stage, PRICE, PRICE, PRICE, 1.0, 1.0)
    for step in range(1, 41):
        _quotes(stage, PRICE, PRICE * (1 + 0.0005 * step), PRICE, 1.0, 1.0)
        assert grade(stage) == codes.GRADE_B
        assert reference(stage) == pytest.approx(PRICE, rel=1e-3)
    assert stage.s["top"]["suspect"][:3].tolist() == [0, OFF_CONSENSUS, 0]


def test_one_venue_cannot_confirm_its_own_jump() -> None:
    """Both pairs of a jump, b stays: refused. Where a is the only venue there is, its second pair is a witness."""
    stage = Stage(PAIRS, every_ms=0.0)
    _quotes(stage, PRICE, PRICE, PRICE, 1.0, 1.0)
    stage.feed(stage.touch(0, PRICE * 1.08))
    stage.feed(stage.touch(1, PRICE * 1.08))
    assert stage.s["top"]["suspect"][:3].tolist() == [IMPOSSIBLE_JUMP, IMPOSSIBLE_JUMP, 0]
    alone = Stage(instruments("a:BTC/USD", "a:BTC/USDT", "a:USDT/USD"), every_ms=0.0)
    _quotes(alone, PRICE, PRICE, 1.0)
    alone.feed(alone.touch(0, PRICE * 1.08))
    assert alone.s["top"]["suspect"][0] == IMPOSSIBLE_JUMP
    alone.feed(alone.touch(1, PRICE * 1.08))
    assert alone.s["top"]["good"][1] == 1


WORLD = instruments("k:BTC/USD", "c:BTC/USD", "n:BTC/USDT", "k:USDT/USD", "c:USDT/USD")


def test_a_venue_whose_dollar_lies_is_told_by_the_habit_of_the_currency() -> None:
    """Venue k drifts 1.5 % away with all its dollar pairs; a third venue has no dollars. USDT's habit tells who left."""
    stage = Stage(WORLD, every_ms=0.0)
    for _ in range(70):
        _quotes(stage, PRICE, PRICE, PRICE, 1.0, 1.0)
    for step in range(1, 31):
        lie = 1 + 0.0005 * step
        _quotes(stage, PRICE * lie, PRICE, PRICE, lie, 1.0)
    assert stage.s["top"]["suspect"][:5].tolist() == [OFF_CONSENSUS, 0, 0, OFF_CONSENSUS, 0]
    assert reference(stage) == pytest.approx(PRICE, rel=1e-3)
    for _ in range(30):
        _quotes(stage, PRICE, PRICE, PRICE, 1.0, 1.0)
    assert stage.s["top"]["good"][:5].all(), "and it is forgiven"


def test_a_peg_that_both_venues_see_breaking_is_followed() -> None:
    """One venue first, the other ten seconds later: the habit does not hold the rate against both."""
    stage = Stage(WORLD, every_ms=0.0)
    for _ in range(70):
        _quotes(stage, PRICE, PRICE, PRICE, 1.0, 1.0)
    for step in range(1, 41):
        first, second = 1 - 0.0005 * step, 1 - 0.0005 * max(step - 10, 0)
        _quotes(stage, PRICE, PRICE, PRICE / first, first, second)
    for _ in range(40):
        _quotes(stage, PRICE, PRICE, PRICE / 0.98, 0.98, 0.98)
    usdt = stage.prelude.names.asset("USDT")
    assert stage.s["group"]["reference"][usdt] == pytest.approx(0.98, rel=1e-3)
    assert stage.s["top"]["good"][:5].all()


DEPENDENT = instruments("a:BTC/USD", "a:BTC/USDC", "b:BTC/USD", "a:USDC/USD", "b:USDC/USD")


def test_a_stablecoin_off_its_peg_is_only_reduced() -> None:
    """X5: by 0.5 % it is valued by its market, from 2 % on nothing that depends on it may open risk; a single lie is no de-peg."""
    stage = Stage(DEPENDENT)
    usdc = stage.prelude.names.asset("USDC")
    group, found = stage.s["group"], []
    for depth in (0.0, 0.01, 0.03):
        for step in range(20):
            peg = 1.0 - depth * (step + 1) / 20 - (0.0 if depth < 0.03 else 0.01 * (19 - step) / 20)
            _quotes(stage, PRICE, PRICE / peg, PRICE, peg, peg)
        found.append((round(float(group["reference"][usdc]), 3), int(group["off_par"][usdc])))
    assert found == [(1.0, 0), (0.99, 0), (0.97, 1)]
    refused = stage.s["noted"]["code"][0, :5].tolist()
    assert [code == OFF_PEG for code in refused] == [False, True, False, True, True], "what does not depend on it is free"
    pending = [o for o in stage.s["fact"]["order"] if o["open_left"] > 0 and o["instrument"] not in (0, 2)]
    assert {int(o["status"]) for o in pending} <= {CANCELLING}, "and what worked was taken back"
    for _ in range(30):
        _quotes(stage, PRICE, PRICE, PRICE, 1.0, 1.0)
    assert group["off_par"][usdc] == 1, "it is not forgiven at once"
    group["strain"][usdc] = 0.009
    _quotes(stage, PRICE, PRICE, PRICE, 1.0, 1.0)
    assert group["off_par"][usdc] == 0
    for _ in range(10):
        _quotes(stage, PRICE, PRICE, PRICE, 0.9, 1.0)
    assert group["off_par"][usdc] == 0 and group["reference"][usdc] == pytest.approx(1.0, rel=1e-3)
