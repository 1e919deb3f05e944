"""From configuration to plan: fees by tier, money dealt out, sizes asked for, and what will be too small, told before the run."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from tradewind.domain import codes
from tradewind.domain.errors import BadUse
from tradewind.domain.instruments import MONEY, Instrument, Stream
from tradewind.domain.rows import rows
from tradewind.runtime.doctor import _unconfirmed
from tradewind.runtime.fees import SCHEDULES, unwitnessed
from tradewind.runtime.options import BacktestOptions, configured
from tradewind.runtime.planning import Plan, plan
from tradewind.storage.tape import Tape, TapeWriter

BTC = Instrument(venue="kraken", symbol="BTC/USD", base="BTC", quote="USD", price_exponent=1, quantity_exponent=8, lot=1)
PRICE = 50_000


def tape(folder: Path, *instruments: Instrument) -> Tape:
    """One trade of each at `PRICE`; a book's stream, so that quoting strategies may stand on it."""
    streams = [Stream(venue=x.venue, channel="depth", instrument=i) for i, x in enumerate(instruments)]
    writer = TapeWriter(folder / f"tape{len(list(folder.iterdir()))}", list(instruments), streams, "test")
    told = rows(len(instruments))
    for i, x in enumerate(instruments):
        told[i]["kind"], told[i]["marks"], told[i]["source"], told[i]["instrument"] = codes.TRADE, codes.WHOLE, i, i
        told[i]["ts_local"] = told[i]["ts_venue"] = 1_700_000_000_000_000_000 + i
        told[i]["price"], told[i]["quantity"], told[i]["ref"] = PRICE * 10**x.price_exponent, 10**x.quantity_exponent, i + 1
    writer.append(told)
    writer.close()
    return Tape.open(writer.folder)


def planned(folder: Path, *instruments: Instrument, strategies: tuple[str, ...] = (), **options: object) -> Plan:
    """A plan over these instruments; options are those of the command, `settings` a list of --set."""
    settings = options.pop("settings", [])
    options = {"capital": "10000 USD", **options}
    made = tape(folder, *instruments)
    told = BacktestOptions(tape=made.folder, strategy=list(strategies), set=settings, **options)  # type: ignore[arg-type]
    return plan(configured(told, {}), made)


def fees(made: Plan) -> list[tuple[int, int]]:
    """Maker and taker fee of each instrument in 1e-7."""
    return [(x.maker_fee_e7, x.taker_fee_e7) for x in made.setup.instruments]


# Fees ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        (None, (25_000, 40_000)), ("0", (25_000, 40_000)), ("9999", (25_000, 40_000)), ("10k", (20_000, 35_000)),
        ("2.5m", (4_000, 14_000)), ("1b", (0, 10_000)),
    ],
)  # fmt: skip
def test_a_fee_tier_chooses_the_step_of_the_venues_schedule(tmp_path: Path, tier: str | None, expected: tuple[int, int]) -> None:
    made = planned(tmp_path, BTC, fee_tier=tier)
    assert fees(made) == [expected]
    assert any("published schedules" in note and "kraken" in note for note in made.notes)


def test_each_venue_may_have_a_tier_of_its_own(tmp_path: Path) -> None:
    other = msgspec.structs.replace(BTC, venue="binance", quote="USDT", symbol="BTCUSDT")
    made = planned(tmp_path, BTC, other, fee_tier="10k", settings=["venues.binance.fee_tier=VIP3"])
    assert fees(made) == [(20_000, 35_000), (4_200, 6_000)]


@pytest.mark.parametrize(("tier", "expected"), [("999", (60_000, 120_000)), ("1k", (35_000, 75_000)), ("10k", (25_000, 40_000))])
def test_coinbase_has_three_steps_below_fifty_thousand(tmp_path: Path, tier: str, expected: tuple[int, int]) -> None:
    """The second one, from 1k on, was missing: an account of 5k was charged 60 and 120."""
    assert fees(planned(tmp_path, msgspec.structs.replace(BTC, venue="coinbase"), fee_tier=tier)) == [expected]


def test_doctor_lists_the_steps_nobody_confirmed() -> None:
    """As it does with the rules of venues; every other step names who told it."""
    assert [(venue, step.name) for venue, step in unwitnessed()] == [("binance-usdm", "vip2")]
    assert [one.value for one in _unconfirmed() if "fee tier" in one.name] == ["from 50m USD, 1.4 and 3.5 bps"]


@pytest.mark.parametrize("venue", SCHEDULES)
def test_schedules_fall_with_the_volume(venue: str) -> None:
    """A step that cost more than the one before it would be a slip of the pen."""
    steps = SCHEDULES[venue]
    for less, more in pairwise(steps):
        assert less.volume < more.volume
        assert Decimal(less.maker_bps) >= Decimal(more.maker_bps) and Decimal(less.taker_bps) >= Decimal(more.taker_bps)


def test_a_chosen_kind_takes_settings_without_a_file(tmp_path: Path) -> None:
    """`--strategy sma_cross --set strategies.sma_cross.parameters.fast=5`; one that was not chosen stays unknown."""
    settings = ["strategies.sma_cross.parameters.fast=5", "strategies.sma_cross.slip=1"]
    made = planned(tmp_path, BTC, strategies=("sma_cross",), settings=settings[:1])
    assert made.names == ["sma_cross"] and made.setup.strategies[0].parameters["fast"] == 5.0
    with pytest.raises(BadUse, match="unknown key"):
        planned(tmp_path, BTC, strategies=("sma_cross",), settings=settings)
    with pytest.raises(BadUse, match="unknown strategy 'sma_cross'"):
        planned(tmp_path, BTC, strategies=("swing",), settings=settings[:1])


def test_fees_a_tape_tells_hold_until_a_tier_is_asked_for(tmp_path: Path) -> None:
    own = msgspec.structs.replace(BTC, maker_fee_e7=0, taker_fee_e7=8_000)
    made = planned(tmp_path, own)
    assert fees(made) == [(0, 8_000)] and not any("schedule" in note for note in made.notes)
    assert fees(planned(tmp_path, own, fee_tier="0")) == [(25_000, 40_000)]


def test_fees_as_numbers_win(tmp_path: Path) -> None:
    settings = ["venues.kraken.maker_bps=-1", "venues.kraken.taker_bps=3.5"]
    made = planned(tmp_path, BTC, fee_tier="1m", settings=settings)
    assert fees(made) == [(-1_000, 3_500)] and not any("schedule" in note for note in made.notes)
    nowhere = msgspec.structs.replace(BTC, venue="okx")
    assert fees(planned(tmp_path, nowhere, fee_tier="1m", settings=[x.replace("kraken", "okx") for x in settings])) == [
        (-1_000, 3_500)
    ]


@pytest.mark.parametrize(
    ("venue", "what"), [("kraken", "kraken has no fee tier 'gold'"), ("okx", "no fee schedule of okx is known")]
)
def test_an_unknown_tier_is_refused_by_name(tmp_path: Path, venue: str, what: str) -> None:
    with pytest.raises(BadUse, match=what) as found:
        planned(tmp_path, msgspec.structs.replace(BTC, venue=venue), fee_tier="gold")
    assert found.value.where == "--fee-tier, key run.fee_tier" and found.value.expected and found.value.todo


# Money -----------------------------------------------------------------------------------------------------------------------


def test_a_contract_needs_no_coins_to_be_sold(tmp_path: Path) -> None:
    contract = msgspec.structs.replace(BTC, venue="binance-usdm", quote="USDT", payoff=codes.LINEAR)
    assert planned(tmp_path, contract, capital="10000 USDT").setup.balances == {("binance-usdm", "USDT"): 10_000.0}
    spot = planned(tmp_path, BTC).setup.balances
    assert spot == {("kraken", "USD"): 5_000.0, ("kraken", "BTC"): 0.1}


def test_a_book_may_be_kept_in_the_coin_itself(tmp_path: Path) -> None:
    made = planned(tmp_path, BTC, capital="2 BTC", currency="BTC")
    assert made.setup.reporting == "BTC"
    assert made.setup.balances == {("kraken", "USD"): 50_000.0, ("kraken", "BTC"): 1.0}


def test_a_capital_in_another_currency_is_converted_and_limits_with_it(tmp_path: Path) -> None:
    made = planned(tmp_path, BTC, capital="10000 USD", currency="BTC", settings=["risk.max_order_notional=500 USD"])
    assert made.capital == pytest.approx(0.2)
    assert made.setup.balances == {("kraken", "USD"): 5_000.0, ("kraken", "BTC"): 0.1}
    assert made.setup.limits.max_notional == pytest.approx(0.01) and made.setup.limits.max_gross == pytest.approx(0.4)
    assert made.notes[0] == "the capital in USD is dealt out at the first prices: 2e-05 BTC for one USD"
    strange = planned(tmp_path, BTC, capital="10000 EUR", currency="USD")
    assert strange.notes[0] == "the tape cannot price EUR: the capital is taken as USD" and strange.capital == 10_000.0


# Sizes -----------------------------------------------------------------------------------------------------------------------


def size_of(made: Plan) -> tuple[float, float]:
    """Fraction and risk of the first strategy."""
    given = made.setup.strategies[0].parameters
    return given.get("fraction", 0.0), given.get("risk", 0.0)


def test_fixed_fraction_and_vol_target_reach_the_machine(tmp_path: Path) -> None:
    def sized(*settings: str) -> tuple[float, float]:
        return size_of(planned(tmp_path, BTC, strategies=("swing",), settings=list(settings)))

    assert sized() == (pytest.approx(0.09), 0.0)
    assert sized("risk.fixed_fraction=4%") == (pytest.approx(0.04), 0.0)
    a_minute = math.sqrt(60 / (365.25 * 86_400))
    assert sized("risk.fixed_fraction=4%", "risk.vol_target=30%") == (0.0, pytest.approx(0.3 * a_minute))
    assert sized("risk.vol_target=off", "risk.fixed_fraction=4%") == (pytest.approx(0.04), 0.0)
    assert sized("risk.fixed_fraction=4%", "strategies.swing.parameters.fraction=0.01")[0] == pytest.approx(0.01)


def test_an_order_too_small_for_the_venue_is_told_before_the_run(tmp_path: Path) -> None:
    """500 USD, a twentieth an order, half of that at grade C: 12.5 USD."""
    least = msgspec.structs.replace(BTC, min_notional=20 * MONEY)
    made = planned(tmp_path, least, capital="500 USD", strategies=("market_maker",))
    assert "market_maker: its usual order is below the venue's least size on kraken:BTC/USD" in made.notes[-1]
    assert "a capital of 800 or" in made.notes[-1]
    enough = planned(tmp_path, least, capital="800 USD", strategies=("market_maker",))
    assert not any("least size" in note for note in enough.notes)


def test_what_lots_take_is_told_before_the_run(tmp_path: Path) -> None:
    """The same 12.5 USD are 0.00025 BTC: two lots of 0.0001, so a fifth is lost."""
    coarse = msgspec.structs.replace(BTC, lot=10_000)
    made = planned(tmp_path, coarse, capital="500 USD", strategies=("market_maker",))
    assert made.notes[-1] == "market_maker: lot steps take up to 20 % of its usual order on kraken:BTC/USD"
    fine = planned(tmp_path, BTC, capital="500 USD", strategies=("market_maker",))
    assert not any("lot steps" in note for note in fine.notes)
