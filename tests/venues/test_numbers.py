"""Numbers: the bulk path equals exact decimal arithmetic, and strange text never escapes as another error."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.errors import BadData
from tradewind.venues.numbers import bulk_units, decimals_of, one_unit, rfc3339_ns

plain = st.from_regex(r"[0-9]{1,10}\.[0-9]{1,8}", fullmatch=True)


@given(st.lists(plain, min_size=1, max_size=50))
def test_bulk_equals_decimal(texts: list[str]) -> None:
    values = bulk_units(texts, 8)
    assert values is not None
    assert values.dtype == np.int64
    assert values.tolist() == [int(Decimal(text).scaleb(8)) for text in texts]
    assert values.tolist() == [one_unit(text, 8) for text in texts]


ODD = ["", "1", "-1.0", "1e5", "NaN", "1 2.0", "1.", ".5", "1.2.3", "1.123456789", "12345678901.0", "１.0", "+1.0"]


@pytest.mark.parametrize("text", ODD)
def test_one_odd_text_stops_the_bulk_path(text: str) -> None:
    for texts in ([text], [text, "2.5"], ["2.5", text], ["2.5", text, "3.75", "1.0"]):
        assert bulk_units(texts, 8) is None


@given(st.text(max_size=80))
def test_any_text_is_a_number_or_bad_data(text: str) -> None:
    try:
        value = one_unit(text, 8)
    except BadData:
        return
    assert Decimal(text).scaleb(8) == value


@pytest.mark.parametrize(
    "text",
    ["NaN", "Infinity", "-Infinity", "1e400", "1e999999999", "9" * 5_000, "1_000", "٣", " 1", "+1", "0x10", "1e-9", "9" * 19],
)
def test_refused(text: str) -> None:
    with pytest.raises(BadData):
        one_unit(text, 8)


@pytest.mark.parametrize(("text", "value"), [("1e-05", 1_000), ("-2.5", -250_000_000), ("0", 0), ("7E2", 70_000_000_000)])
def test_other_forms(text: str, value: int) -> None:
    assert one_unit(text, 8) == value


@pytest.mark.parametrize(("text", "decimals"), [("1", 0), ("1.50", 2), ("1e-05", 5), ("1.5e-05", 6), ("1.5e3", 0)])
def test_decimals(text: str, decimals: int) -> None:
    assert decimals_of(text) == decimals


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_time_equals_the_library(moment: datetime) -> None:
    text = moment.isoformat(timespec="microseconds") + "Z"
    delta = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    assert rfc3339_ns(text) == ((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1_000


@pytest.mark.parametrize(
    "text",
    ["", "2023-07-30", "2023-07-30T25:00:00Z", "2023-13-01T00:00:00Z", "2023-07-30T15:29:58+02:00", "2023-07-30T15:29:58.x Z"],
)
def test_no_time(text: str) -> None:
    with pytest.raises(BadData):
        rfc3339_ns(text)
