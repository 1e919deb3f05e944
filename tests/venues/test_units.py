"""`instruments.units` takes plain decimal numbers and nothing else that Python would."""

from __future__ import annotations

import pytest

from tradewind.domain.errors import BadData
from tradewind.domain.instruments import units


@pytest.mark.parametrize(
    ("text", "value"), [("1", 100), ("-0.5", -50), ("1e-2", 1), ("1.50E1", 1500), ("007.10", 710), ("0.1200", 12)]
)
def test_numbers(text: str, value: int) -> None:
    assert units(text, 2) == value


@pytest.mark.parametrize(
    "text",
    ["1e999999999", "1e999", "-1e-999999999", "1_000", "1_0e1", "+1", "+1e1", "", ".", "e1", "0x1", "NaN", "-Infinity", "1e", " 1",
     "1 ", "١", "9" * 5_000, "1e1_0", "--1", "0.001"],
)  # fmt: skip
def test_what_is_no_number_of_these_units_is_refused(text: str) -> None:
    with pytest.raises(BadData):
        units(text, 2)
