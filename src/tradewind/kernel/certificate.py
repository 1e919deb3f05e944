"""The range certificate: proof that an instrument's integers stay clear of int64's end.

Given the largest price and quantity an instrument may ever show, every product the compiled floor forms of them must be
below 2^62. Counting quantities in coarser units shrinks price * quantity; nothing shrinks a cost, which is counted
in money units of 1e-8 whatever the instrument does. Rim side: plain integers, made once when an instrument is loaded.
"""

from __future__ import annotations

import msgspec

from ..domain import codes
from ..domain.errors import BadData
from ..domain.instruments import MONEY_EXPONENT, Instrument, text

LIMIT = 1 << 62
_LARGEST_POWER = 18  # 10^18 is the last power of ten below the limit


class Product(msgspec.Struct, frozen=True):
    """One product the compiled floor forms, at its largest."""

    name: str
    largest: int

    @property
    def fits(self) -> bool:
        """Whether it stays below the limit."""
        return self.largest < LIMIT


class RangeCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """What an instrument's products reach. `coarser` is the instrument to use instead where they reach too far."""

    instrument: Instrument
    max_price: int
    max_quantity: int
    cost_num: int
    cost_den: int
    products: tuple[Product, ...]
    coarser: Instrument | None = None

    @property
    def fits(self) -> bool:
        """Whether the instrument may be traded as it is."""
        return all(product.fits for product in self.products)

    @property
    def tightest(self) -> Product:
        """The product nearest to the limit, or farthest beyond it."""
        return max(self.products, key=lambda product: product.largest)

    def explain(self) -> str:
        """The certificate for a person: bounds, every product beside the limit, and the proposal if there is one."""
        of, quote = self.instrument, self.instrument.quote
        bounds = f"prices up to {text(self.max_price, of.price_exponent)} {quote}, quantities up to "
        bounds += f"{text(self.max_quantity, of.quantity_exponent)} {of.base}"
        cost = f"cost = price * quantity * {self.cost_num} / {self.cost_den} in 1e-{MONEY_EXPONENT} {quote}"
        lines = [f"{of.name}: {bounds}; {cost}"]
        for product in self.products:
            share = product.largest / LIMIT
            lines.append(f"  {product.name}: {product.largest} = {share:.3g} of 2^62" + ("" if product.fits else ", TOO LARGE"))
        if self.coarser is not None:
            lot = text(self.coarser.lot, self.coarser.quantity_exponent)
            lines.append(f"  fits with quantities in 1e-{self.coarser.quantity_exponent} {of.base} (lot {lot})")
        return "\n".join(lines)


def cost_ratio(instrument: Instrument) -> tuple[int, int]:
    """(num, den) such that price * quantity * num / den is the cost in money units of the quote asset; one of them is 1.

    A linear contract stands for one unit of the base asset. Raises BadData for inverse contracts, whose cost is no
    product of price and quantity, and where the ratio itself is too large for int64.
    """
    if instrument.payoff not in (codes.SPOT, codes.LINEAR):
        raise BadData(
            f"payoff {instrument.payoff} has no cost of the form price * quantity",
            where=instrument.name,
            expected=f"spot ({codes.SPOT}) or linear ({codes.LINEAR})",
            todo="leave the instrument out",
        )
    power = MONEY_EXPONENT - instrument.price_exponent - instrument.quantity_exponent
    if abs(power) > _LARGEST_POWER:
        raise BadData(
            f"price unit 1e-{instrument.price_exponent} and quantity unit 1e-{instrument.quantity_exponent} differ from "
            f"the money unit by 10^{abs(power)}",
            where=instrument.name,
            expected=f"at most 10^{_LARGEST_POWER}",
            todo="use a coarser price or quantity unit",
        )
    return (10**power, 1) if power >= 0 else (1, 10**-power)


def certify(instrument: Instrument, max_price: int, max_quantity: int) -> RangeCertificate:
    """The certificate of an instrument whose prices and quantities stay within the bounds, given in its own units.

    Where something does not fit, `coarser` holds the same instrument in the finest quantity unit that does; bounds, tick
    and fees stay as they are. Raises BadData, with the numbers, where no quantity unit helps.
    """
    if not (0 < max_price < LIMIT and 0 < max_quantity < LIMIT):
        raise BadData(
            f"bounds of price {max_price} and quantity {max_quantity}",
            where=instrument.name,
            expected="whole numbers from 1 to 2^62 - 1",
        )
    first = _certificate(instrument, max_price, max_quantity)
    if first.fits:
        return first
    for steps in range(1, instrument.quantity_exponent + 1):
        coarser = _coarsened(instrument, steps)
        if _certificate(coarser, max_price, _up(max_quantity, 10**steps)).fits:
            return msgspec.structs.replace(first, coarser=coarser)
    raise BadData(
        "its products leave int64\n" + first.explain() + "\n",
        where=instrument.name,
        expected=f"{first.tightest.name} below 2^62 = {LIMIT}",
        todo="lower the bound on quantity or price",
    )


def _certificate(instrument: Instrument, max_price: int, max_quantity: int) -> RangeCertificate:
    num, den = cost_ratio(instrument)
    turnover = max_price * max_quantity
    cost = _up(turnover * num, den)
    fee = max(abs(instrument.maker_fee_e7), abs(instrument.taker_fee_e7))
    products = (
        Product("price * quantity", turnover),
        Product("price * quantity * num", turnover * num),
        Product("cost", cost),
        Product("cost * fee", cost * fee),
    )
    return RangeCertificate(
        instrument=instrument, max_price=max_price, max_quantity=max_quantity, cost_num=num, cost_den=den, products=products
    )


def _coarsened(instrument: Instrument, steps: int) -> Instrument:
    """The instrument with quantities in units 10^steps times larger, its lot and smallest quantity rounded up."""
    size = 10**steps
    return msgspec.structs.replace(
        instrument,
        quantity_exponent=instrument.quantity_exponent - steps,
        lot=_up(instrument.lot, size),
        min_quantity=_up(instrument.min_quantity, size),
    )


def _up(value: int, size: int) -> int:
    return -(-value // size)
