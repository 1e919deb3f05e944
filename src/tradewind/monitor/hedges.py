"""What leg risk cost: each hedge beside the price the failed leg was struck at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from ..domain import reasons
from ..domain.codes import BUY
from . import html, words
from .parts import parts
from .record import RunRecord

_LEG, _HEDGE = reasons.name(reasons.EDGE_OVER_COST), reasons.name(reasons.LEG_HEDGED)
COLUMNS = {
    "ts_ns": pl.Int64, "order_id": pl.Int64, "strategy": pl.String, "failed": pl.String, "hedged_at": pl.String, "side": pl.Int64,
    "quantity": pl.Float64, "leg_price": pl.Float64, "hedge_price": pl.Float64, "fee": pl.Float64, "price_cost": pl.Float64,
    "total_cost": pl.Float64,
}  # fmt: skip


def hedges(record: RunRecord) -> pl.DataFrame:
    """One row a hedge that traded: the leg that had failed, both prices and what the difference and the fee cost.

    Prices, fee and costs are in the record's currency; a cost below zero is a gain. The failed leg is the strategy's last
    leg of that side and asset before the hedge: an unsold coin is hedged by a sale.
    """
    struck = list(_struck(record))
    traded = _traded(record, [hedge["order_id"] for hedge, _ in struck])
    lines = []
    for hedge, leg in struck:
        quantity, cost, fee = traded.get(hedge["order_id"], (0.0, 0.0, 0.0))
        if quantity <= 0.0:
            continue
        price = cost / quantity
        wished = float(leg["price"]) * _rate(record, str(leg["instrument"]), int(leg["ts_ns"]))
        lost = (price - wished if hedge["side"] == BUY else wished - price) * quantity
        lines.append((
            hedge["ts_ns"], hedge["order_id"], hedge["strategy"], leg["instrument"], hedge["instrument"], hedge["side"], quantity,
            wished, price, fee, lost, lost + fee,
        ))  # fmt: skip
    return pl.DataFrame(lines, schema=COLUMNS, orient="row")


def _struck(record: RunRecord) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every hedge with the leg before it whose place it took. Orders come in the order of their ids."""
    legs: dict[tuple[str, int, str], dict[str, Any]] = {}
    for part in parts(record.orders, "ts_ns", "order_id", "strategy", "instrument", "side", "price", "cause"):
        for order in part.filter(pl.col("cause").is_in([_LEG, _HEDGE])).iter_rows(named=True):
            key = (order["strategy"], order["side"], _base(order["instrument"]))
            if order["cause"] == _LEG:
                legs[key] = order
            elif key in legs:
                yield order, legs[key]


def _traded(record: RunRecord, hedges_: list[int]) -> dict[int, tuple[float, float, float]]:
    """By order, the quantity it traded, its cost and fee."""
    found: dict[int, tuple[float, float, float]] = {}
    for part in parts(record.fills, "order_id", "quantity", "cost", "fee") if hedges_ else ():
        mine = part.filter(pl.col("order_id").is_in(hedges_)).group_by("order_id", maintain_order=True).sum()
        for order, *amounts in mine.iter_rows():
            before = found.get(order, (0.0, 0.0, 0.0))
            found[order] = (before[0] + amounts[0], before[1] + amounts[1], before[2] + amounts[2])
    return found


def _base(instrument: str) -> str:
    return instrument.split(":", 1)[-1].split("/", 1)[0]


def _rate(record: RunRecord, instrument: str, ts_ns: int) -> float:
    """Units of the record's currency for one of the instrument's quote asset, at that time; 1 where none is told."""
    if "rate" not in record.prices.columns:
        return 1.0
    known = record.prices.filter(pl.col("instrument") == instrument)
    before = known.filter(pl.col("ts_ns") <= ts_ns)
    rates = (before if before.height else known)["rate"]
    if not len(rates):
        return 1.0
    return float(rates[-1] if before.height else rates[0])


def section(record: RunRecord) -> str:
    """The report's part on leg risk; nothing where no hedge traded."""
    found = hedges(record)
    if not found.height:
        return ""
    money = record.currency
    dearest = found.sort("total_cost", descending=True).head(10)
    body = [
        (
            words.moment(line["ts_ns"]), f"{'bought' if line['side'] == BUY else 'sold'} {line['quantity']:g}",
            html.text(line["failed"]), html.text(line["hedged_at"]), f"{line['leg_price']:,.6g}", f"{line['hedge_price']:,.6g}",
            words.money(line["fee"], money), words.money(line["total_cost"], money),
        )
        for line in dearest.iter_rows(named=True)
    ]  # fmt: skip
    lead = (
        f"{found.height} failed legs were hedged; against the prices they were struck at that cost "
        f"{words.money(float(found['price_cost'].sum()), money)}, and {words.money(float(found['fee'].sum()), money)} of fees."
    )
    head = ("When", "Hedge", "Failed leg", "Hedged at", "Leg price", "Hedge price", "Fee", "Cost in all")
    return html.section("hedges", "What leg risk cost", lead, html.table(head, body, numbers=4))
