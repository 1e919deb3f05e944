"""How one value of a configuration is read from text or a TOML number, told in an error, and written back.

No number passes through a binary float: TOML numbers arrive as int or Decimal, text becomes Decimal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

DURATION_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3_600 * 1_000_000_000,
    "d": 86_400 * 1_000_000_000,
    "w": 7 * 86_400 * 1_000_000_000,
}
LONGEST_NS = 100 * 365 * DURATION_NS["d"]
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zµ]+)\s*")
_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{1,9}")


class Wrong(ValueError):
    """A value that its kind refuses: what is wrong with it and what was expected."""

    def __init__(self, what: str, expected: str) -> None:
        super().__init__(what)
        self.what, self.expected = what, expected


class Money(msgspec.Struct, frozen=True):
    """An amount of one currency, exact."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{plain(self.amount)} {self.currency}"


class Size(msgspec.Struct, frozen=True):
    """A notional: a share of the capital, or an amount (currency "" means the capital's own)."""

    amount: Decimal  # a fraction of the capital where `share`
    share: bool = False
    currency: str = ""

    def of(self, capital: Decimal) -> Decimal:
        """The notional this stands for when the run begins with `capital`."""
        return self.amount * capital if self.share else self.amount

    def __str__(self) -> str:
        if self.share:
            return f"{plain(self.amount * 100)}%"
        return f"{plain(self.amount)} {self.currency}".rstrip()


def plain(value: Decimal) -> str:
    """Decimal text without exponent or trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def shown(value: object) -> str:
    """A refused value for an error: short, quoted, with control characters escaped."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def decimal(value: object, expected: str) -> Decimal:
    """`value` as a finite Decimal, exactly as written."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
        raise Wrong(f"{shown(value)} is no number", expected)
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        raise Wrong(f"{shown(value)} is no number", expected) from None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise Wrong(f"{shown(value)} is no usable number", expected)
    return number


class Kind:
    """One way to read a value. `expected` is the phrase an error and the documentation show."""

    expected = "a value"
    takes_none = False  # whether one of its texts means None

    def read(self, value: Any) -> Any:
        """The value for a TOML value. Raises Wrong."""
        raise NotImplementedError

    def read_text(self, text: str) -> Any:
        """The value for the text of an environment variable or option. Raises Wrong."""
        return self.read(text)

    def write(self, value: Any) -> Any:
        """What a person would write in TOML to get `value`."""
        return value


class Switch(Kind):
    """true or false."""

    expected = "true or false"

    def read(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise Wrong(f"{shown(value)} is neither true nor false", self.expected)
        return value

    def read_text(self, text: str) -> bool:
        return self.read({"true": True, "false": False}.get(text.strip().lower(), text))


class Number(Kind):
    """A decimal number within [low, high]."""

    def __init__(self, low: str | int, high: str | int, unit: str = "") -> None:
        self.low, self.high = Decimal(low), Decimal(high)
        self.expected = f"a number from {plain(self.low)} to {plain(self.high)}" + (f" ({unit})" if unit else "")

    def read(self, value: Any) -> Decimal:
        number = decimal(value, self.expected)
        if not self.low <= number <= self.high:
            raise Wrong(f"{shown(value)} is out of range", self.expected)
        return number

    def write(self, value: Decimal) -> str:
        return plain(value)


class Whole(Number):
    """A whole number within [low, high]."""

    def __init__(self, low: int, high: int, unit: str = "") -> None:
        super().__init__(low, high)
        self.expected = f"a whole number from {low} to {high}" + (f" ({unit})" if unit else "")

    def read(self, value: Any) -> int:  # type: ignore[override]
        number = super().read(value)
        if number != number.to_integral_value():
            raise Wrong(f"{shown(value)} is no whole number", self.expected)
        return int(number)

    def write(self, value: int) -> int:  # type: ignore[override]
        return value


class Share(Number):
    """A fraction, written as a number (0.25) or as a percentage ("25%"); both mean Decimal 0.25."""

    def __init__(self, low: str, high: str, off: bool = False) -> None:
        super().__init__(low, high)
        self.off = self.takes_none = off
        self.expected = f'a fraction from {low} to {high} or a percentage such as "25%"' + (' or "off"' if off else "")

    def read(self, value: Any) -> Decimal | None:  # type: ignore[override]
        if self.off and value == "off":
            return None
        percent = isinstance(value, str) and value.strip().endswith("%")
        number = decimal(value.strip()[:-1], self.expected) / 100 if percent else decimal(value, self.expected)
        if not self.low <= number <= self.high:
            raise Wrong(f"{shown(value)} is out of range", self.expected)
        return number

    def write(self, value: Decimal | None) -> str:
        return "off" if value is None else f"{plain(value * 100)}%"


class Duration(Kind):
    """A span of time in ns, written "250ms" or as whole ns; `word` is an extra text that means None."""

    def __init__(self, low_ns: int = 0, high_ns: int = LONGEST_NS, word: str = "") -> None:
        self.low, self.high, self.word = low_ns, high_ns, word
        self.takes_none = bool(word)
        within = f" from {duration(low_ns)} to {duration(high_ns)}" if high_ns < LONGEST_NS else ""
        self.expected = f'a duration{within} such as "250ms", "2s" or "1h", or whole ns' + (f', or "{word}"' if word else "")

    def read(self, value: Any) -> int | None:
        if self.word and value == self.word:
            return None
        ns = self._ns(value)
        if not self.low <= ns <= self.high:
            raise Wrong(f"{shown(value)} is out of range", self.expected)
        return ns

    def _ns(self, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().isdecimal():
            return int(value)
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise Wrong(f"{shown(value)} is no duration", self.expected)
        if match[2] not in DURATION_NS:
            raise Wrong(f"{shown(value)} has the unknown unit {match[2]!r}", f"one of the units {', '.join(DURATION_NS)}")
        ns = Decimal(match[1]) * DURATION_NS[match[2]]
        if ns != ns.to_integral_value():
            raise Wrong(f"{shown(value)} is no whole number of ns", self.expected)
        return int(ns)

    def write(self, value: int | None) -> str:
        return self.word if value is None else duration(value)


def duration(ns: int) -> str:
    """The shortest whole text of `ns`, e.g. "2ms"."""
    if ns == 0:
        return "0s"
    unit = next(unit for unit, length in reversed(DURATION_NS.items()) if unit != "µs" and ns % length == 0)
    return f"{ns // DURATION_NS[unit]}{unit}"


class Cash(Kind):
    """A positive amount with its currency, "10000 USD"; without one the currency is "" and the loader fills it in."""

    expected = 'a positive amount and a currency such as "10000 USD"'

    def read(self, value: Any) -> Money:
        parts = value.split() if isinstance(value, str) else [value]
        if not 1 <= len(parts) <= 2:
            raise Wrong(f"{shown(value)} is no amount with a currency", self.expected)
        amount = decimal(parts[0], self.expected)
        if amount <= 0:
            raise Wrong(f"{shown(value)} is not positive", self.expected)
        if len(parts) == 2 and not _CURRENCY.fullmatch(parts[1]):
            raise Wrong(f"{shown(parts[1])} is no currency", self.expected)
        if amount >= 10**10:
            raise Wrong(f"{shown(value)} is out of range", self.expected + ", below 10000000000")
        return Money(amount, parts[1] if len(parts) == 2 else "")

    def write(self, value: Money) -> str:
        return str(value)


class Notional(Kind):
    """A limit: a share of the capital ("25%") or an amount (2500 or "2500 USD")."""

    expected = 'a share of the capital such as "25%" or an amount such as 2500 or "2500 USD", not negative'

    def read(self, value: Any) -> Size:
        parts = value.split() if isinstance(value, str) else [value]
        if not 1 <= len(parts) <= 2 or (len(parts) == 2 and not _CURRENCY.fullmatch(parts[1])):
            raise Wrong(f"{shown(value)} is no amount", self.expected)
        share = len(parts) == 1 and isinstance(parts[0], str) and parts[0].endswith("%")
        amount = decimal(parts[0][:-1], self.expected) / 100 if share else decimal(parts[0], self.expected)
        if amount < 0:
            raise Wrong(f"{shown(value)} is negative", self.expected)
        if amount >= (100 if share else 10**11):
            raise Wrong(f"{shown(value)} is out of range", self.expected)
        return Size(amount, share, parts[1] if len(parts) == 2 else "")

    def write(self, value: Size) -> str:
        return str(value)


class Choice(Kind):
    """One of a few words."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.expected = "one of " + ", ".join(f'"{name}"' for name in names)

    def read(self, value: Any) -> str:
        if value not in self.names:
            raise Wrong(f"{shown(value)} is not known", self.expected)
        return str(value)


class Text(Kind):
    """Text of one shape."""

    def __init__(self, pattern: str, expected: str) -> None:
        self.pattern, self.expected = re.compile(pattern), expected

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or not self.pattern.fullmatch(value):
            raise Wrong(f"{shown(value)} has the wrong form", self.expected)
        return value


class Listing(Kind):
    """A list whose items are all of one kind, each once; as text its items are joined by commas."""

    def __init__(self, item: Kind, least: int, most: int) -> None:
        self.item, self.least, self.most = item, least, most
        count = f"{least}" if least == most else f"{least} to {most}"
        self.expected = f"a list of {count} items, each {item.expected}"

    def read(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Wrong(f"{shown(value)} is no list", self.expected)
        items = tuple(self.item.read(item) for item in value)
        if not self.least <= len(items) <= self.most:
            raise Wrong(f"the list has {len(items)} items", self.expected)
        if len(set(items)) != len(items):
            raise Wrong("an item is given twice", self.expected)
        return items

    def read_text(self, text: str) -> tuple[Any, ...]:
        return self.read([part.strip() for part in text.split(",") if part.strip()])

    def write(self, value: Sequence[Any]) -> list[Any]:
        return [self.item.write(item) for item in value]
