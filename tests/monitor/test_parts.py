"""A record whose orders and fills come in parts says what the same record says in whole frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import polars as pl
import pytest

from tradewind.domain.errors import BadData
from tradewind.monitor.hedges import hedges
from tradewind.monitor.parts import Table, whole
from tradewind.monitor.record import RunRecord
from tradewind.monitor.report import render
from tradewind.monitor.statistics import statistics

from . import sample


class Cut:
    """A frame in parts of `rows`."""

    def __init__(self, frame: pl.DataFrame, rows: int) -> None:
        self.frame, self.rows = frame, rows

    @property
    def height(self) -> int:
        return self.frame.height

    def frames(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        for start in range(0, max(self.height, 1), self.rows):
            yield self.frame[start : start + self.rows].select(columns or self.frame.columns)


@pytest.fixture(scope="module")
def record() -> RunRecord:
    made = sample.run(hours=3.0, fills=400)
    # some of the orders become legs and hedges, so that leg risk is measured too
    causes = pl.when(pl.col("order_id") % 5 == 0).then(pl.lit("LEG_HEDGED")).otherwise(pl.lit("EDGE_OVER_COST"))
    return msgspec.structs.replace(made, orders=whole(made.orders).sort("order_id").with_columns(cause=causes))


def cut(record: RunRecord, rows: int) -> RunRecord:
    parts: dict[str, Table] = {name: Cut(whole(getattr(record, name)), rows) for name in ("fills", "orders")}
    return msgspec.structs.replace(record, **parts)


@pytest.mark.parametrize("rows", [5, 97])
def test_figures_and_report_do_not_depend_on_the_cut(record: RunRecord, rows: int) -> None:
    parted = cut(record, rows)
    expected, measured = (msgspec.to_builtins(statistics(x)) for x in (record, parted))
    for name, mine in expected["whole"].items():
        theirs = measured["whole"][name]
        assert theirs["value"] == (mine["value"] if mine["value"] is None else pytest.approx(mine["value"], rel=1e-9)), name
    assert measured["strategies"].keys() == expected["strategies"].keys()
    assert measured["cautions"] == expected["cautions"]
    assert whole(parted.fills).equals(whole(record.fills))
    assert hedges(record).height > 10
    for column in ("order_id", "failed", "total_cost"):
        assert hedges(parted)[column].to_list() == pytest.approx(hedges(record)[column].to_list())
    assert render(parted, statistics(record)) == render(record, statistics(record))


def test_parts_out_of_order_are_refused(record: RunRecord) -> None:
    fills = whole(record.fills)
    with pytest.raises(BadData, match="not in time order"):
        msgspec.structs.replace(record, fills=Cut(pl.concat([fills[100:], fills[:100]]), fills.height - 100))
