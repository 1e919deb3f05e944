"""Assets and instruments: what a row's integers stand for.

A row's `instrument` is an index into a tape's instrument list, its `source` an index into the stream list. Prices are
integers in 10^-price_exponent of the quote asset, quantities in 10^-quantity_exponent of the base asset (contracts for
derivatives). Both exponents are fixed for the life of an instrument; tick and lot are rules and may change.
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from . import codes
from .errors import BadData

MONEY_EXPONENT = 8  # one money unit is 10^-8 of its asset, for every asset
MONEY = 10**MONEY_EXPONENT
STABLECOINS = frozenset(
    {"USDT", "USDC", "DAI", "BUSD", "TUSD", "FDUSD", "USDP", "PYUSD", "GUSD", "USDE", "USDS", "USDD", "RLUSD", "LUSD", "FRAX"}
)  # promised to be worth one US dollar
MOST_TEXT = 64  # characters of the longest number worth reading
_SCIENTIFIC = re.compile(
    r"-?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]{1,3}", re.ASCII
)  # Decimal itself takes "1_000", "+1" and "1e999999999"


PAYS = {codes.SPOT: "", codes.LINEAR: ":perp", codes.INVERSE: ":inverse"}
"""How a name tells contracts of one pair apart: a venue may list one that pays in the quote asset and one that pays in the base."""


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable thing at one venue, with the rules an order must keep.

    tick is in price units, lot and min_quantity in quantity units, min_notional in money units of the quote asset,
    fees in 1e-7 of the cost (negative: rebate). `grade_cap` is the best grade its prices may lend a reference, `status` a
    code of codes.STATUS_NAMES.
    """

    venue: str
    symbol: str  # the venue's own name
    base: str
    quote: str
    price_exponent: int
    quantity_exponent: int
    tick: int = 1
    lot: int = 1
    min_quantity: int = 0
    min_notional: int = 0
    maker_fee_e7: int = 10_000
    taker_fee_e7: int = 10_000
    payoff: int = codes.SPOT
    proof: int = codes.PROOF_NONE
    grade_cap: int = codes.GRADE_A
    status: int = codes.TRADING

    @property
    def name(self) -> str:
        """`venue:BASE/QUOTE`, the name people use; a contract's ends in what it pays: `:perp` (linear) or `:inverse`."""
        return f"{self.venue}:{self.base}/{self.quote}{PAYS[self.payoff]}"


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One dense sequence of rows: a venue connection's channel for one instrument."""

    venue: str
    channel: str  # depth, quote, trade, bar, …
    instrument: int


def units(text: str, exponent: int) -> int:
    """The integer `text` stands for in 10^-exponent units, exactly; never through a float.

    Raises BadData where the text is no plain finite number, is absurdly long or has more decimals than the unit can hold.
    """
    if len(text) > MOST_TEXT:
        raise BadData(f"a number of {len(text)} characters", expected=f"at most {MOST_TEXT}")
    sign, body = (-1, text[1:]) if text[:1] == "-" else (1, text)
    whole, _, fraction = body.partition(".")
    if whole.isdecimal() and body.isascii() and (fraction == "" or fraction.isdecimal()):
        if len(fraction) > exponent:
            if fraction[exponent:].strip("0"):
                raise BadData(f"{text!r} has more than {exponent} decimals", expected=f"a multiple of 1e-{exponent}")
            fraction = fraction[:exponent]
        return sign * int(whole + fraction + "0" * (exponent - len(fraction)))
    return _units_of_scientific(text, exponent)


def _units_of_scientific(text: str, exponent: int) -> int:
    if _SCIENTIFIC.fullmatch(text):
        value = Decimal(text).scaleb(exponent)
        if abs(value) < 1 << 63 and value == value.to_integral_value():
            return int(value)
    raise BadData(f"{text!r} is no number in units of 1e-{exponent}", expected="a decimal number such as 61234.50")


def text(value: int, exponent: int) -> str:
    """The decimal text of `value` units with all its `exponent` decimals."""
    if exponent == 0:
        return str(value)
    digits = str(abs(value)).rjust(exponent + 1, "0")
    return ("-" if value < 0 else "") + digits[:-exponent] + "." + digits[-exponent:]
