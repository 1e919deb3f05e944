"""References for `kernel.maths` in decimal arithmetic, made without its tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from functools import cache

ONE = Decimal(1)


def _arctan_of_inverse(n: int, digits: int) -> int:
    """arctan(1/n) in units of 10^-digits."""
    term = total = 10**digits // n
    k = 1
    while term:
        term //= -n * n
        k += 2
        total += term // k
    return total


@cache
def _pi() -> Decimal:
    """Pi to 420 digits, by Machin's formula."""
    return Decimal(4 * (4 * _arctan_of_inverse(5, 430) - _arctan_of_inverse(239, 430))).scaleb(-430, _context(430))


def _context(digits: int) -> Context:
    return Context(prec=digits, Emin=-999_999, Emax=999_999, traps=[])


def _normal_between(s: Decimal) -> Decimal:
    """P(0 < Z < s) by Marsaglia's series, all terms positive."""
    total = term = s
    n = 1
    while term > total * Decimal("1e-400"):
        n += 2
        term = term * s * s / n
        total += term
    return total * (-s * s / 2).exp() / (2 * _pi()).sqrt()


def _norm_cdf(x: Decimal) -> Decimal:
    between = _normal_between(abs(x))
    return Decimal("0.5") + between if x > 0 else Decimal("0.5") - between


REFERENCES: dict[str, Callable[[Decimal], Decimal]] = {
    "exp": lambda x: x.exp(),
    "log": lambda x: x.ln(),
    "log1p": lambda x: (ONE + x).ln(),
    "expm1": lambda x: x.exp() - 1,
    "tanh": lambda x: 1 - 2 / ((2 * x).exp() + 1),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "norm_cdf": _norm_cdf,
    "erf": lambda x: (2 * _normal_between(abs(x) * Decimal(2).sqrt())).copy_sign(x),
}


def ulps(name: str, got: float, *arguments: float) -> float:
    """The distance of `got` from the true value, in units of the true value's last place."""
    size = max(abs(a) for a in arguments)
    smallest = min((abs(a) for a in arguments if a), default=1.0)
    digits = 50 + min(330, int(abs(math.log10(smallest)))) + (340 if name == "norm_cdf" and size > 8 else 20)
    with localcontext(_context(digits)):
        decimals = [Decimal(a) for a in arguments]
        true = decimals[0] ** decimals[1] if name == "pow" else REFERENCES[name](decimals[0])
        return float(abs(Decimal(got) - true) / Decimal(math.ulp(float(true))))
