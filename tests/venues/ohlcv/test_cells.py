"""Compiled lines of bars say what Python says of the same text, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.errors import BadData
from tradewind.venues.ohlcv import cells
from tradewind.venues.ohlcv.dialects import _time

DAY = 1_504_396_800_000_000_000
number = st.one_of(
    st.decimals(0, 10**9, places=8).map(str), st.integers(0, 10**17).map(str), st.text("0123456789.eE-+_ ", max_size=20)
)


def read(text: bytes, day: int = 0, columns: int = 6) -> tuple[int, int, list[float]]:
    """(lines taken, the first's time, its numbers)."""
    table = np.array([columns, ord(","), 0, day, 1, 2, 3, 4, 5, 0], np.int64)
    times, numbers = np.zeros(4, np.int64), np.zeros((4, 5), np.float64)
    taken = cells.bars(text, 0, table, times, numbers)
    return taken, int(times[0]), numbers[0].tolist()


@given(st.lists(number, min_size=5, max_size=5))
def test_a_number_is_pythons_float_or_none(texts: list[str]) -> None:
    taken, _, found = read(f"1504396800,{','.join(texts)}\n".encode())
    if taken:
        assert found == [float(text) for text in texts]
    elif all(text.replace(".", "", 1).isdigit() and len(text) < 15 and not text.startswith(".") for text in texts):
        raise AssertionError(f"plain numbers were not read: {texts}")


@pytest.mark.parametrize(
    "text",
    [
        "1364774820000", "1605855600.0", "1451606400", "2019-03-12", "2019-03-12 11-PM", "2019-03-12 12-AM", "2019-03-12 12-PM",
        "2020-12-30 00:00:00", "20141201 00:00", "2020-02-29 23:59:59", "2021-12-31 23:01",
    ],
)  # fmt: skip
def test_a_time_is_pythons(text: str) -> None:
    assert read(f"{text},1,2,3,4,5\n".encode())[:2] == (1, _time(text))


@given(
    st.from_regex(
        r"(20[0-9]{2}-?[0-9]{2}-?[0-9]{2}( [0-9]{2}[:-]([0-9]{2}|AM|PM)(:[0-9]{2})?)?|[0-9]{1,15}(\.[0-9]*)?)", fullmatch=True
    )
)
def test_no_time_is_read_otherwise_than_by_python(text: str) -> None:
    taken, found, _ = read(f"{text},1,2,3,4,5\n".encode())
    if taken:
        assert found == _time(text)


def test_a_time_out_of_all_reach_is_refused() -> None:
    for text in ("10000000000", "999999999999999"):
        assert read(f"{text},1,2,3,4,5\n".encode())[0] == 0
        with pytest.raises(BadData):
            _time(text)


@pytest.mark.parametrize("text", ["2019-02-29", "2019-13-01", "2019-03-12 13-PM", "2019-03-12 24:00:00", "12:00"])
def test_no_time_is_left_to_python_which_refuses_it(text: str) -> None:
    assert read(f"{text},1,2,3,4,5\n".encode())[0] == 0
    with pytest.raises(BadData):
        _time(text)


def test_ms_of_a_day() -> None:
    assert read(b"60000,1,2,3,4,5\n", day=DAY)[:2] == (1, DAY + 60_000_000_000)


@pytest.mark.parametrize(
    "line", [b"1504396800,1,2,3,4\n", b"1504396800,1,2,3,4,5,6\n", b"1504396800,1,2,3,4,25.\xff\n", b"\n", b"1504396800,1,2,3,4,5"]
)
def test_other_lines_are_unusual(line: bytes) -> None:
    assert read(line)[0] == 0


def test_ends_of_lines() -> None:
    assert read(b"1504396800,1,2,3,4,5\r\n1504400400,1,2,3,4,5\n1504404000,1,2\n")[0] == 2
