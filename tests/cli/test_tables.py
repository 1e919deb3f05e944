"""Tables as a person sees them: whatever the terminal's width, no number is broken and nothing is lost."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tradewind.cli.emit import Emit, Table, blocks_of
from tradewind.cli.tables import drawn

HEADS = ("strategy", "instrument", "quantity", "basis", "realised", "charges", "traded", "note")
LINES = [
    (
        "market_maker",
        f"coinbase:{base}/USD",
        "-0.01282",
        "-794.24744167",
        "-4.18811747",
        "0",
        f"{n},425.9205858",
        "hedged by rule " * 3,
    )
    for n, base in enumerate(("BTC", "ETH"), start=10)
]


def shown(width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(drawn("positions", HEADS, LINES, width))
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 72, 80, 100, 132, 200])
def test_no_number_is_broken_at_any_width(width: int) -> None:
    lines = shown(width).splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    for line in LINES:
        for number in line[2:7]:
            assert number in words
    assert words.count("positions") == 1


def test_a_table_that_does_not_fit_goes_on_below_with_its_names() -> None:
    assert shown(200).count("coinbase:BTC/USD") == 1
    narrow = shown(72)
    assert narrow.count("coinbase:BTC/USD") == narrow.count("strategy") > 1


def test_words_are_folded_and_a_list_of_names_stays_whole() -> None:
    err = io.StringIO()
    emit = Emit(io.StringIO(), err, as_json=False)
    emit.show([Table("", ("", ""), [("rows", 5), ("path", "x" * 200)])])
    assert err.getvalue().replace("\n", "").replace(" ", "").count("x") == 200


def test_an_answer_is_words_and_dates_not_python() -> None:
    err = io.StringIO()
    emit = Emit(io.StringIO(), err, as_json=False)
    details = {"files": {"a.parquet": {"bars": 2}}, "gaps": 0, "few": {"x": 1, "y": ["p", "q"]}}
    told = {"first_ts": 1677628860000000000, "refused": {}, "details": details}
    emit.show(blocks_of(told))
    shown_text = err.getvalue()
    assert "2023-03-01T00:01:00Z" in shown_text
    assert "details: files" in shown_text and "p, q" in shown_text
    assert not set("{}[]'") & set(shown_text)
