"""Numbers and times as each venue writes them. All numbers here are integers in units of 10^-decimals."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def fixed(units: int, decimals: int, shown: int | None = None) -> str:
    """A number with a fixed count of digits behind the point; `shown` appends zeros: (5, 1, 3) is "0.500"."""
    digits = f"{units:0{decimals + 1}d}" if units >= 0 else f"{units:0{decimals + 2}d}"
    zeros = "0" * ((shown or decimals) - decimals)
    return f"{digits[:-decimals]}.{digits[-decimals:]}{zeros}" if decimals else (f"{digits}.{zeros}" if zeros else digits)


def trimmed(units: int, decimals: int) -> str:
    """A number without zeros at its end: (7885580, 2) is "78855.8", zero is "0"."""
    text = fixed(units, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(maxsize=64)
def _whole(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def rfc3339(ns: int, digits: int) -> str:
    """A UTC time with that many digits behind the second."""
    return f"{_whole(ns // 1_000_000_000)}.{ns % 1_000_000_000:09d}"[: 20 + digits] + "Z"


def rfc3339_short(ns: int, digits: int) -> str:
    """As Go's RFC3339Nano: zeros at the end are left out."""
    text = rfc3339(ns, digits)[:-1].rstrip("0").rstrip(".")
    return text + "Z"
