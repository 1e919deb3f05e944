from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain import codes
from tradewind.domain.errors import BadData
from tradewind.domain.instruments import MONEY, Instrument
from tradewind.kernel.certificate import LIMIT, certify, cost_ratio


def instrument(price_exponent: int = 2, quantity_exponent: int = 8, **rules: int) -> Instrument:
    return Instrument(
        venue="kraken", symbol="BTC/USD", base="BTC", quote="USD",
        price_exponent=price_exponent, quantity_exponent=quantity_exponent, **rules,
    )  # fmt: skip


@given(st.integers(0, 13), st.integers(0, 13), st.integers(1, 10**9), st.integers(1, 10**9))
def test_cost_is_the_money_value(price_exponent: int, quantity_exponent: int, price: int, quantity: int) -> None:
    num, den = cost_ratio(instrument(price_exponent, quantity_exponent))
    value = Fraction(price, 10**price_exponent) * Fraction(quantity, 10**quantity_exponent) * MONEY
    assert Fraction(price * quantity * num, den) == value
    assert 1 in (num, den)


def test_a_usual_instrument_fits_with_its_numbers() -> None:
    found = certify(instrument(), 20_000_000, 10 * 10**8)  # 200,000.00 USD, 10 BTC
    assert found.fits
    assert found.coarser is None
    assert (found.cost_num, found.cost_den) == (1, 100)
    assert {p.name: p.largest for p in found.products} == {
        "price * quantity": 2 * 10**16,
        "price * quantity * num": 2 * 10**16,
        "cost": 2 * 10**14,
        "cost * fee": 2 * 10**18,
    }
    assert found.tightest.name == "cost * fee"
    assert "200000.00 USD" in found.explain()
    assert "10.00000000 BTC" in found.explain()
    assert "TOO LARGE" not in found.explain()


def test_fine_quantities_get_a_coarser_proposal() -> None:
    fine = instrument(8, 8, lot=2_500, min_quantity=1_000)
    found = certify(fine, 10**12, 10**9)  # 10,000 USD, 10 units: 10^21 as a product
    assert not found.fits
    assert found.coarser is not None
    assert (found.coarser.quantity_exponent, found.coarser.lot, found.coarser.min_quantity) == (5, 3, 1)
    assert certify(found.coarser, 10**12, 10**6).fits
    assert "TOO LARGE" in found.explain()
    assert "1e-5 BTC (lot 0.00003)" in found.explain()


def test_the_limit_is_two_to_the_62() -> None:
    free = instrument(4, 4, maker_fee_e7=0, taker_fee_e7=0)
    assert certify(free, 1 << 31, (1 << 31) - 1).fits
    with pytest.raises(BadData, match="2\\^62 = 4611686018427387904"):  # the cost reaches it too
        certify(free, 1 << 31, 1 << 31)


@given(st.integers(0, 10), st.integers(0, 10), st.integers(1, 10**14), st.integers(1, 10**14), st.integers(-50_000, 50_000))
def test_what_is_proposed_fits_and_one_step_finer_does_not(
    price_exponent: int, quantity_exponent: int, max_price: int, max_quantity: int, fee: int
) -> None:
    of = instrument(price_exponent, quantity_exponent, maker_fee_e7=fee, taker_fee_e7=0)
    try:
        found = certify(of, max_price, max_quantity)
    except BadData:
        coarsest = instrument(price_exponent, 0, maker_fee_e7=fee, taker_fee_e7=0)
        with pytest.raises(BadData, match="TOO LARGE"):
            certify(coarsest, max_price, -(-max_quantity // 10**quantity_exponent))
        return
    if found.fits:
        assert found.coarser is None
        assert max_price * max_quantity < LIMIT
        assert max_price * max_quantity * found.cost_num // found.cost_den * abs(fee) < LIMIT
        return
    assert found.coarser is not None
    steps = of.quantity_exponent - found.coarser.quantity_exponent
    assert certify(found.coarser, max_price, -(-max_quantity // 10**steps)).fits
    assert steps >= 1


def test_a_cost_no_unit_can_shrink_is_refused_with_numbers() -> None:
    with pytest.raises(BadData) as caught:
        certify(instrument(), 20_000_000, 10_000 * 10**8)  # 2 billion USD at 0.1 %
    assert f"cost * fee: {2 * 10**21}" in str(caught.value)
    assert "kraken:BTC/USD" in str(caught.value)
    assert "lower the bound" in str(caught.value)


@pytest.mark.parametrize("bounds", [(0, 1), (1, 0), (-1, 5), (LIMIT, 1), (1, LIMIT)])
def test_impossible_bounds_are_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(BadData, match="bounds"):
        certify(instrument(), *bounds)


def test_products_that_cannot_be_formed_are_refused() -> None:
    with pytest.raises(BadData, match="payoff"):
        cost_ratio(instrument(payoff=codes.INVERSE))
    with pytest.raises(BadData, match=r"10\^19"):
        cost_ratio(instrument(18, 9))
